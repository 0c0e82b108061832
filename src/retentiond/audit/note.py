"""Signed notes and checkpoints in the C2SP text formats, which verifiers of other makers read."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519 = b"\x01"
MARK = "\u2014 "
MOST_SIGNATURES = 16
ROOT = 32


class NoteError(ValueError):
    """The text is no note, or its signature does not hold."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a log's key, under the log's name."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id that stands in signatures, 4 bytes."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read `name+id+key`; raises `NoteError`."""
        try:
            # base64 has plus signs of its own, so only the first two part the text.
            name, key_id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise NoteError("This is no verifier key; one looks like NAME+ID+KEY.") from None
        key = cls(name, raw[1:])
        if raw[:1] != ED25519 or len(raw) != 33 or key.id.hex() != key_id or not name:  # noqa: PLR2004 - 1 + 32 bytes
            raise NoteError("This is no verifier key for Ed25519, or it was mistyped.")
        return key

    def verify(self, text: bytes, signature: bytes) -> bool:
        """True where `signature` over `text` was made with this key's other half."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """The private half."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, text: str) -> str:
        """The note of `text`, which ends with a line break."""
        signature = self.verifier.id + self.key.sign(text.encode())
        return f"{text}\n{MARK}{self.name} {base64.b64encode(signature).decode()}\n"


def open_note(note: str, key: VerifierKey) -> str:
    """The signed text of a note; raises `NoteError` unless it bears a good signature of `key`."""
    if any(ord(letter) < ord(" ") and letter != "\n" for letter in note):
        raise NoteError("The note holds control characters.")
    text, parting, signatures = note.rpartition("\n\n")
    if not parting or not signatures.endswith("\n"):
        raise NoteError("The note has no signature.")
    text += "\n"
    good = False
    lines = signatures.removesuffix("\n").split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise NoteError("The note has too many signatures.")
    for line in lines:
        name, signature = _signature(line)
        if name != key.name or signature[:4] != key.id:
            continue
        if not key.verify(text.encode(errors="surrogatepass"), signature[4:]):
            raise NoteError("The signature of the note does not hold.")
        good = True
    if not good:
        raise NoteError("The note is not signed with this key.")
    return text


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(MARK).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:  # also raised for letters that are not ASCII
        raw = b""
    spelt_so = base64.b64encode(raw).decode() == encoded  # base64 can spell one value in several ways
    if not line.startswith(MARK) or not name or not spelt_so or len(raw) < 5:  # noqa: PLR2004 - an id and something behind it
        raise NoteError("A signature line of the note cannot be read.")
    return name, raw


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How large the log was, and what its root was, at one moment."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the three lines; raises `NoteError`."""
        try:
            origin, size, root, _ = text.split("\n")
            checkpoint = cls(origin, int(size), base64.b64decode(root, validate=True))
        except ValueError:
            raise NoteError("The note is no checkpoint.") from None
        # Written again it must be the same: one form for one meaning.
        whole = len(checkpoint.root) == ROOT and checkpoint.size >= 0 and checkpoint.origin
        if not whole or checkpoint.text() != text:
            raise NoteError("The note is no checkpoint.")
        return checkpoint
