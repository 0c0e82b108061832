"""What the store must be able to read again but nobody else: sealed under a key that lies beside it, mode 0600."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from retentiond.errors import StateError
from retentiond.folder import sync_folder

_LENGTH = 32
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals and opens, and makes marks by which equal things are found without being readable."""

    key: bytes = field(repr=False)

    def seal(self, plain: bytes, bound_to: str) -> bytes:
        """Encrypt and authenticate; `bound_to` has to be the same on opening."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + AESGCM(self._derived("seal")).encrypt(nonce, plain, bound_to.encode())

    def open(self, blob: bytes, bound_to: str) -> bytes:
        """Open what `seal` made; raises `StateError` where it was made with another key, or changed."""
        try:
            return AESGCM(self._derived("seal")).decrypt(blob[:_NONCE], blob[_NONCE:], bound_to.encode())
        except (InvalidTag, ValueError):  # ValueError where not even a nonce is left of it
            raise StateError(
                "An entry of the registers cannot be opened: it was changed, or `register.key` is not the key it was made with. "
                "Restore the state directory from its backup."
            ) from None

    def mark(self, *parts: str) -> bytes:
        """A keyed digest (32 bytes) of the parts: the same for the same parts, and for nothing else."""
        # A key component may be any text a file system allows, lone surrogates included.
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        told = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return hmac.digest(self._derived("mark"), told, hashlib.sha256)

    def _derived(self, use: str) -> bytes:
        return hmac.digest(self.key, use.encode(), hashlib.sha256)


def open_seal(state: Path) -> Seal:
    """Read the key `register.key` of the state directory, made the first time; raises `StateError` where it cannot be used."""
    file = state / "register.key"
    try:
        if not file.exists():
            _make(file)
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stored:
            if stat.S_IMODE(os.fstat(stored.fileno()).st_mode) & 0o077:
                raise StateError(f"The key {file} can be read by others. Give it mode 0600.")
            key = stored.read()
    except OSError as error:
        raise StateError(f"The key {file} cannot be used ({error.strerror}). Restore it from the backup of the state.") from None
    if len(key) != _LENGTH:
        raise StateError(f"The key {file} is damaged. Restore it from the backup of the state directory.")
    return Seal(key)


def _make(file: Path) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.unlink(missing_ok=True)  # left by one that was killed; in a container every process may have the same number
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stored:
        stored.write(secrets.token_bytes(_LENGTH))
        stored.flush()
        os.fsync(stored.fileno())
    try:
        os.link(part, file)  # whoever comes second takes the key of whoever came first
    except FileExistsError:
        pass
    finally:
        part.unlink()
    sync_folder(file.parent)
