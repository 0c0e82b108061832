"""The log's keys: made at its first use, kept apart from it, readable by nobody else."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from retentiond.audit.handle import EpochKey, lp
from retentiond.audit.note import Signer
from retentiond.errors import AuditError, ConfigurationError
from retentiond.failpoint import failpoint
from retentiond.folder import sync_folder

SECRET = 32
NONCE = 12
KEK_CREDENTIAL = "retentiond-kek"
SEED_CREDENTIAL = "retentiond-signing-seed"
KEYS = "keys"
"""The folder of keys in the state directory."""
KEK = "kek"
KEK_NEXT = "kek.next"
"""The wrapping key to come, while the epochs are wrapped anew."""
SHREDDING = "shredding"
NEXT = "next"
"""What the file of an epoch is called that was wrapped for a credential to come; the first start that has it takes it over."""


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
    folder = state / KEYS
    if make:
        _make_folder(folder)
    _refuse_open_folder(folder)
    wrapping = _wrapping(folder, make=make)
    seed = _secret(folder / "signing-seed", SEED_CREDENTIAL, make=make)
    signer = Signer(origin, Ed25519PrivateKey.from_private_bytes(seed))
    # Others of the like, such as a copy somebody made for safety's sake, are none of ours.
    files = sorted((file for file in folder.iterdir() if _EPOCH.fullmatch(file.name)), key=_age)
    if not files and make:
        files = [_make_epoch(folder, f"{year}-1", wrapping[0], origin)]
    if not files:
        raise AuditError(f"There is no key for handles in {folder}. Restore the keys from their backup.")
    return Keys(signer, tuple(_epoch(file, wrapping, origin) for file in files), folder)


def next_kid(keys: Keys, year: int) -> str:
    """The name of the epoch after the present one: the year, and a number within it."""
    last = _age_of(keys.epoch.kid)
    return f"{year}-1" if year > last[0] else f"{last[0]}-{last[1] + 1}"


def with_new_epoch(keys: Keys, state: Path, origin: str, kid: str) -> Keys:
    """The keys with one more epoch of that name, which is used from now on."""
    _make_epoch(keys.folder, kid, _wrapping(keys.folder, make=False)[0], origin)
    return open_keys(state, origin, 0, make=False)


def refuse_shredding(keys: Keys, kid: str, new_kek: bytes | None) -> None:
    """Raise `ConfigurationError` where the epoch cannot be shredded, or not like that."""
    if kid == keys.epoch.kid:
        raise ConfigurationError(f"The epoch {kid} is in use. Begin another first: `retentiond audit rotate`.")
    if not any((keys.folder / f"{state}-{kid}").exists() for state in ("epoch", SHREDDING)):
        raise ConfigurationError(f"There is no epoch {kid}; there are: {', '.join(one.kid for one in keys.epochs)}.")
    handed_over = _credential(KEK_CREDENTIAL) is not None
    if not handed_over and new_kek is not None:
        raise ConfigurationError("The wrapping key is a file in the state directory, exchanged by itself; leave --new-kek out.")
    if handed_over and new_kek is None:
        raise ConfigurationError(
            f"The wrapping key is the systemd credential {KEK_CREDENTIAL}, which no service can exchange; with it, a copy of a "
            f"shredded key could be opened. Give a file of {SECRET} new random bytes with --new-kek, and make it the credential "
            f"afterwards."
        )
    if new_kek is not None and len(new_kek) != SECRET:
        raise ConfigurationError(f"The new wrapping key must be {SECRET} bytes long and is {len(new_kek)}.")


def shred_epoch(keys: Keys, kid: str, origin: str, new_kek: bytes | None) -> None:
    """Destroy the key of one epoch, and the key that wrapped it; the other epochs are wrapped anew before.

    Its key is set aside first, where no start looks for it, and destroyed last: until then all of it can be done again.
    """
    doomed, following = keys.folder / f"{SHREDDING}-{kid}", keys.folder / KEK_NEXT
    try:
        if not doomed.exists():
            (keys.folder / f"epoch-{kid}").rename(doomed)
        if new_kek is None and following.exists() and not (keys.folder / KEK).exists():
            following.rename(keys.folder / KEK)
        sync_folder(keys.folder)
        fresh = new_kek or _stored(following, make=lambda: secrets.token_bytes(SECRET))
        failpoint("kek-made")
        for epoch in keys.epochs:
            if epoch.kid != kid:
                state = "epoch" if new_kek is None else NEXT
                _write(keys.folder / f"{state}-{epoch.kid}", _wrapped(epoch.secret, fresh, origin, epoch.kid))
                failpoint("epoch-rewrapped")
        if new_kek is None:
            _destroy(keys.folder / KEK)
            failpoint("kek-destroyed")
            following.rename(keys.folder / KEK)
            sync_folder(keys.folder)
        _destroy(doomed)
    except OSError as error:
        raise AuditError(f"The keys in {keys.folder} cannot be exchanged ({error.strerror}). Run the command again.") from None


def work_key(folder: Path, *, make: bool) -> bytes:
    """The key under which raw record keys are sealed while a batch is open; with `make`, made where there is none."""
    return _stored(folder / "work", make=(lambda: secrets.token_bytes(SECRET)) if make else None)


def destroy_work_key(folder: Path) -> None:
    """Destroy it, once nothing sealed under it is needed any more: what is left of it in old pages cannot be read again."""
    try:
        (folder / "work").unlink(missing_ok=True)
        sync_folder(folder)
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
    return _age_of(epoch.name.removeprefix("epoch-"))


def _age_of(kid: str) -> list[int]:
    return [int(part) for part in kid.split("-")]


def _make_epoch(folder: Path, kid: str, wrapping: bytes, origin: str) -> Path:
    blob = _wrapped(secrets.token_bytes(SECRET), wrapping, origin, kid)
    file = folder / f"epoch-{kid}"
    _stored(file, make=lambda: blob, length=len(blob))
    return file


def _wrapped(secret: bytes, wrapping: bytes, origin: str, kid: str) -> bytes:
    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(wrapping).encrypt(nonce, secret, lp("retentiond/wrap/1", origin, kid))


def _epoch(file: Path, wrapping: Sequence[bytes], origin: str) -> EpochKey:
    kid = file.name.removeprefix("epoch-")
    following = file.with_name(f"{NEXT}-{kid}")
    for candidate in (file, following) if following.exists() else (file,):
        blob = _stored(candidate, length=NONCE + SECRET + 16)
        for key in wrapping:
            with suppress(InvalidTag):
                secret = AESGCM(key).decrypt(blob[:NONCE], blob[NONCE:], lp("retentiond/wrap/1", origin, kid))
                if candidate is following:
                    following.rename(file)
                return EpochKey(kid, secret)
    raise AuditError(
        f"The key {file} cannot be unwrapped: the wrapping key, or `origin` in the settings, is another one. Restore it."
    )


def _wrapping(folder: Path, *, make: bool) -> list[bytes]:
    """The key that wraps the epochs; two, where a crash came while they were wrapped anew."""
    following = folder / KEK_NEXT
    if following.exists() and not (folder / KEK).exists() and _credential(KEK_CREDENTIAL) is None:
        return [_stored(following)]
    first = _secret(folder / KEK, KEK_CREDENTIAL, make=make)
    return [first, _stored(following)] if following.exists() else [first]


def _secret(file: Path, credential: str, *, make: bool) -> bytes:
    handed_over = _credential(credential)
    if handed_over is not None:
        try:
            secret = handed_over.read_bytes()
        except OSError as error:
            raise AuditError(f"The credential {credential} cannot be read ({error.strerror}).") from None
        if len(secret) != SECRET:
            raise AuditError(f"The credential {credential} must be {SECRET} bytes long and is {len(secret)}.")
        return secret
    return _stored(file, make=(lambda: secrets.token_bytes(SECRET)) if make else None)


def _credential(name: str) -> Path | None:
    """Where systemd hands the credential over; None where it does not."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(directory) / name if directory is not None and (Path(directory) / name).exists() else None


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
    sync_folder(file.parent)


def _destroy(file: Path) -> None:
    """Overwrite the file where it stands, then remove it; a file system that keeps copies of its own may still hold it."""
    with file.open("r+b") as stored:
        stored.write(bytes(file.stat().st_size))
        stored.flush()
        os.fsync(stored.fileno())
    file.unlink()
    sync_folder(file.parent)


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
