"""The log's keys: made at its first use, kept apart from it, readable by nobody else."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from retentiond.audit.handle import EpochKey, lp
from retentiond.audit.note import Signer
from retentiond.errors import AuditError

SECRET = 32
NONCE = 12
KEK_CREDENTIAL = "retentiond-kek"
SEED_CREDENTIAL = "retentiond-signing-seed"


_EPOCH = re.compile(r"epoch-[0-9]+-[0-9]+")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one log."""

    signer: Signer
    epochs: tuple[EpochKey, ...]
    """Oldest first; the last one is in use."""
    folder: Path = field(repr=False)

    @property
    def epoch(self) -> EpochKey:
        """The key that new handles are made with."""
        return self.epochs[-1]


def open_keys(state: Path, origin: str, year: int, *, make: bool) -> Keys:
    """Read the keys of the log named `origin`; with `make`, make those that are missing (the first epoch is named after `year`).

    The key that wraps the epochs and the signing seed come from systemd credentials (`retentiond-kek`,
    `retentiond-signing-seed`) where these are handed over, otherwise from files of mode 0600. Raises `AuditError` where a key
    is missing, readable by others or does not fit.
    """
    folder = state / "keys"
    if make:
        _make_folder(folder)
    _refuse_open_folder(folder)
    wrapping = _secret(folder / "kek", KEK_CREDENTIAL, make=make)
    seed = _secret(folder / "signing-seed", SEED_CREDENTIAL, make=make)
    signer = Signer(origin, Ed25519PrivateKey.from_private_bytes(seed))
    # Others of the like, such as a copy somebody made for safety's sake, are none of ours.
    files = sorted((file for file in folder.iterdir() if _EPOCH.fullmatch(file.name)), key=_age)
    if not files and make:
        files = [_make_epoch(folder, f"{year}-1", wrapping, origin)]
    if not files:
        raise AuditError(f"There is no key for handles in {folder}. Restore the keys from their backup.")
    return Keys(signer, tuple(_epoch(file, wrapping, origin) for file in files), folder)


def with_new_epoch(keys: Keys, state: Path, origin: str, year: int) -> Keys:
    """The keys with one more epoch, named after `year`, that is used from now on."""
    kid = f"{year}-1"
    wrapping = _secret(keys.folder / "kek", KEK_CREDENTIAL, make=False)
    _make_epoch(keys.folder, kid, wrapping, origin)
    return open_keys(state, origin, year, make=False)


def work_key(folder: Path, *, make: bool) -> bytes:
    """The key under which raw record keys are sealed while a batch is open; with `make`, made where there is none."""
    return _stored(folder / "work", make=(lambda: secrets.token_bytes(SECRET)) if make else None)


def destroy_work_key(folder: Path) -> None:
    """Destroy it, once nothing sealed under it is needed any more: what is left of it in old pages cannot be read again."""
    try:
        (folder / "work").unlink(missing_ok=True)
        _sync(folder)
    except OSError as error:
        raise AuditError(f"The key of the last run cannot be removed from {folder} ({error.strerror}).") from None


def sealed(secret: bytes, plain: bytes, bound_to: str) -> bytes:
    """Encrypt and authenticate; `bound_to` has to be the same on opening."""
    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(secret).encrypt(nonce, plain, bound_to.encode())


def unsealed(secret: bytes, blob: bytes, bound_to: str) -> bytes:
    """Open what `sealed` made; raises `AuditError` where it was made with another key, or changed."""
    try:
        return AESGCM(secret).decrypt(blob[:NONCE], blob[NONCE:], bound_to.encode())
    except (InvalidTag, ValueError):  # ValueError where not even a nonce is left of it
        raise AuditError("What was put aside for an open batch cannot be opened: its key is gone, or it was changed.") from None


def _age(epoch: Path) -> list[int]:
    return [int(part) for part in epoch.name.split("-")[1:]]


def _make_epoch(folder: Path, kid: str, wrapping: bytes, origin: str) -> Path:
    nonce = secrets.token_bytes(NONCE)
    blob = nonce + AESGCM(wrapping).encrypt(nonce, secrets.token_bytes(SECRET), lp("retentiond/wrap/1", origin, kid))
    file = folder / f"epoch-{kid}"
    _stored(file, make=lambda: blob, length=len(blob))
    return file


def _epoch(file: Path, wrapping: bytes, origin: str) -> EpochKey:
    kid = file.name.removeprefix("epoch-")
    blob = _stored(file, length=NONCE + SECRET + 16)
    try:
        return EpochKey(kid, AESGCM(wrapping).decrypt(blob[:NONCE], blob[NONCE:], lp("retentiond/wrap/1", origin, kid)))
    except InvalidTag:
        raise AuditError(
            f"The key {file} cannot be unwrapped: the wrapping key, or `origin` in the settings, is another one. Restore it."
        ) from None


def _secret(file: Path, credential: str, *, make: bool) -> bytes:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory is not None and (Path(directory) / credential).exists():
        try:
            secret = (Path(directory) / credential).read_bytes()
        except OSError as error:
            raise AuditError(f"The credential {credential} cannot be read ({error.strerror}).") from None
        if len(secret) != SECRET:
            raise AuditError(f"The credential {credential} must be {SECRET} bytes long and is {len(secret)}.")
        return secret
    return _stored(file, make=(lambda: secrets.token_bytes(SECRET)) if make else None)


def _stored(file: Path, make: Callable[[], bytes] | None = None, length: int = SECRET) -> bytes:
    try:
        if make is not None and not file.exists():
            _write(file, make())
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stored:
            status = os.fstat(stored.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid not in {os.geteuid(), 0}:
                raise AuditError(f"The key {file} can be read by others. Give it mode 0600 and to the user retentiond runs as.")
            secret = stored.read()
    except OSError as error:
        raise AuditError(f"The key {file} cannot be used ({error.strerror}). Restore the keys from their backup.") from None
    if len(secret) != length:
        raise AuditError(f"The key {file} is damaged. Restore the keys from their backup.")
    return secret


def _write(file: Path, secret: bytes) -> None:
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stored:
        stored.write(secret)
        stored.flush()
        os.fsync(stored.fileno())
    part.rename(file)
    _sync(file.parent)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise AuditError(f"The folder of keys {folder} cannot be made ({error.strerror}). Check the state directory.") from None


def _refuse_open_folder(folder: Path) -> None:
    try:
        status = folder.stat()
    except OSError as error:
        raise AuditError(f"The folder of keys {folder} cannot be used ({error.strerror}). Restore it from its backup.") from None
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise AuditError(f"The folder of keys {folder} is open to others. Give it mode 0700.")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
