"""Keys: made once, kept from others, never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retentiond.audit.keys import open_keys, sealed, unsealed
from retentiond.errors import AuditError

ORIGIN = "log.example.org/retentiond/test"


def test_keys_are_made_at_first_use_for_their_owner_alone(state: Path) -> None:
    keys = open_keys(state, ORIGIN, 2026, make=True)
    assert keys.epoch.kid == "2026-1"
    assert (state / "keys").stat().st_mode & 0o777 == 0o700
    files = list((state / "keys").iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_keys_stay_the_same(state: Path) -> None:
    first, second = (open_keys(state, ORIGIN, 2026, make=make) for make in (True, False))
    assert first.epoch.secret == second.epoch.secret
    assert str(first.signer.verifier) == str(second.signer.verifier)


def test_a_copy_that_somebody_put_beside_a_key_is_none(state: Path) -> None:
    keys = open_keys(state, ORIGIN, 2026, make=True)
    (state / "keys" / "epoch-2026-1.bak").write_bytes(b"copied for safety's sake")
    (state / "keys" / "epoch-").mkdir()
    assert open_keys(state, ORIGIN, 2026, make=False).epochs == keys.epochs


def test_the_epoch_key_does_not_lie_about_bare(state: Path) -> None:
    secret = open_keys(state, ORIGIN, 2026, make=True).epoch.secret
    assert not [file for file in (state / "keys").iterdir() if secret in file.read_bytes()]


@pytest.mark.parametrize("name", ["kek", "signing-seed", "epoch-2026-1"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(state: Path, name: str, mode: int) -> None:
    open_keys(state, ORIGIN, 2026, make=True)
    (state / "keys" / name).chmod(mode)
    with pytest.raises(AuditError, match=f"{name}.*0600"):
        open_keys(state, ORIGIN, 2026, make=False)


def test_a_folder_of_keys_that_others_may_enter_is_refused(state: Path) -> None:
    open_keys(state, ORIGIN, 2026, make=True)
    (state / "keys").chmod(0o755)
    with pytest.raises(AuditError, match="0700"):
        open_keys(state, ORIGIN, 2026, make=False)


def test_a_key_that_belongs_to_somebody_else_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_keys(state, ORIGIN, 2026, make=True)
    me = os.geteuid()
    if me == 0:
        os.chown(state / "keys" / "kek", 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(AuditError, match="kek"):
        open_keys(state, ORIGIN, 2026, make=False)


def test_a_key_behind_a_link_is_refused(state: Path) -> None:
    open_keys(state, ORIGIN, 2026, make=True)
    kek = state / "keys" / "kek"
    kek.rename(state / "elsewhere")
    kek.symlink_to(state / "elsewhere")
    with pytest.raises(AuditError, match="kek"):
        open_keys(state, ORIGIN, 2026, make=False)


@pytest.mark.parametrize("name", ["kek", "signing-seed", "epoch-2026-1"])
def test_a_lost_key_is_not_made_anew(state: Path, name: str) -> None:
    open_keys(state, ORIGIN, 2026, make=True)
    (state / "keys" / name).unlink()
    with pytest.raises(AuditError, match="backup"):
        open_keys(state, ORIGIN, 2026, make=False)


def test_a_damaged_epoch_key_and_one_of_another_log_are_refused(state: Path) -> None:
    open_keys(state, ORIGIN, 2026, make=True)
    with pytest.raises(AuditError, match="origin"):
        open_keys(state, ORIGIN + "2", 2026, make=False)
    blob = state / "keys" / "epoch-2026-1"
    changed = bytearray(blob.read_bytes())
    changed[20] ^= 1
    blob.write_bytes(changed)
    with pytest.raises(AuditError, match="unwrapped"):
        open_keys(state, ORIGIN, 2026, make=False)


def test_credentials_of_systemd_come_first(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = tmp_path / "credentials"
    handed.mkdir()
    (handed / "retentiond-kek").write_bytes(b"k" * 32)
    (handed / "retentiond-signing-seed").write_bytes(b"s" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    open_keys(state, ORIGIN, 2026, make=True)
    assert [file.name for file in (state / "keys").iterdir()] == ["epoch-2026-1"]
    (handed / "retentiond-kek").write_bytes(b"too short")
    with pytest.raises(AuditError, match="retentiond-kek"):
        open_keys(state, ORIGIN, 2026, make=False)


def test_what_is_sealed_opens_only_whole_and_in_its_place() -> None:
    blob = sealed(b"k" * 32, b"anna@example.org", "batch 1")
    assert b"anna" not in blob
    assert unsealed(b"k" * 32, blob, "batch 1") == b"anna@example.org"
    for secret, changed, place in (
        (b"x" * 32, blob, "batch 1"),
        (b"k" * 32, blob[:-1] + b"x", "batch 1"),
        (b"k" * 32, blob, "batch 2"),
    ):
        with pytest.raises(AuditError):
            unsealed(secret, changed, place)
    with pytest.raises(AuditError):
        unsealed(b"k" * 32, b"short", "batch 1")


def test_keys_do_not_show_themselves(state: Path) -> None:
    keys = open_keys(state, ORIGIN, 2026, make=True)
    shown = repr(keys)
    assert str(keys.epoch.secret) not in shown
    assert (state / "keys" / "signing-seed").read_bytes().hex() not in shown
