"""Secrets are named by where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from retentiond.errors import ConfigurationError
from retentiond.secret import Secret


def test_a_secret_in_a_file_loses_its_last_line_break_only(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(" hunter2 \n\n")
    assert Secret(file=tmp_path / "pw").reveal() == " hunter2 \n"


def test_a_secret_in_a_variable_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    assert Secret(environment="SHOP_PASSWORD").reveal() == "hunter2"


def test_a_credential_is_read_from_the_folder_that_systemd_hands_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop").write_text("hunter2\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Secret(credential="shop").reveal() == "hunter2"


def test_a_credential_without_systemd_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigurationError, match="The credential shop can only be had under systemd"):
        Secret(credential="shop").reveal()


def test_a_variable_that_is_not_set_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    with pytest.raises(ConfigurationError, match="SHOP_PASSWORD is not set"):
        Secret(environment="SHOP_PASSWORD").reveal()


@pytest.mark.parametrize("content", [None, b"\xff\xfehunter2"])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "pw"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"pw cannot be read") as caught:
        Secret(file=path).reveal()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("places", [{}, {"file": "a", "environment": "B"}, {"file": "a", "environment": "B", "credential": "c"}])
def test_exactly_one_place_is_named(places: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one of credential, file, environment"):
        Secret.model_validate(places)


def test_a_secret_written_into_the_settings_is_refused() -> None:
    with pytest.raises(ValidationError):
        Secret.model_validate({"value": "hunter2"})
