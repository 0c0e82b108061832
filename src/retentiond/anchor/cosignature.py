"""Cosignatures in the C2SP text format: a witness signs a checkpoint with the time at which it saw it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from retentiond.audit.note import MARK, NoteError

COSIGNATURE = b"\x04"
"""The type of such keys."""

ID, TIME, SIGNATURE, PUBLIC = 4, 8, 64, 32
"""Lengths in bytes."""


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The public half of a witness's key, under the witness's name."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id that stands in cosignatures, 4 bytes."""
        return hashlib.sha256(self.name.encode() + b"\n" + COSIGNATURE + self.public).digest()[:ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(COSIGNATURE + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> WitnessKey:
        """Read `name+id+key`; raises `NoteError`."""
        try:
            name, key_id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise NoteError("This is no verifier key; one looks like NAME+ID+KEY.") from None
        key = cls(name, raw[1:])
        if raw[:1] != COSIGNATURE or len(raw) != 1 + PUBLIC or key.id.hex() != key_id or not name or " " in name:
            raise NoteError("This is no verifier key of a witness, or it was mistyped.")
        return key

    def cosigned(self, line: str, text: str) -> datetime:
        """When the witness saw the checkpoint `text`, by its `line` (aware UTC); raises `NoteError` where that does not hold."""
        name, _, encoded = line.removeprefix(MARK).partition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise NoteError("The cosignature cannot be read.") from None
        # Written again it must be the same: base64 has bits that mean nothing.
        whole = line == f"{MARK}{name} {base64.b64encode(raw).decode()}"
        if not whole or name != self.name or raw[:ID] != self.id or len(raw) != ID + TIME + SIGNATURE:
            raise NoteError("The cosignature is not by this witness.")
        time = int.from_bytes(raw[ID : ID + TIME])
        try:
            key = Ed25519PublicKey.from_public_bytes(self.public)
            key.verify(raw[ID + TIME :], f"cosignature/v1\ntime {time}\n{text}".encode())
            return datetime.fromtimestamp(time, UTC)
        except (InvalidSignature, OverflowError, ValueError, OSError):
            raise NoteError("The cosignature does not hold.") from None
