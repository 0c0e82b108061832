"""Every command and option is in the reference, and the reference names none that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from retentiond.cli.main import app
from retentiond.errors import AuditError, ConfigurationError, GuardRefused, PermitError, RetentiondError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def _commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    for word, inner in getattr(command, "commands", {}).items():
        path = f"{name} {word}".strip()
        yield path, inner
        yield from _commands(inner, path)


COMMANDS = dict(_commands(typer.main.get_command(app)))


def _sections() -> dict[str, str]:
    found: dict[str, str] = {"": ""}
    heading = ""
    for line in REFERENCE.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"#{2,3} `(.+)`", line)
        if match:
            heading = match[1]
            found[heading] = ""
        elif line.startswith("#"):
            heading = ""
        else:
            found[heading] += line + "\n"
    return found


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("-")} - {"--help"}


def test_every_command_has_a_section_and_no_section_is_about_nothing() -> None:
    assert set(_sections()) - {""} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_each_command_are_those_in_its_section(name: str) -> None:
    command = COMMANDS[name]
    if hasattr(command, "commands"):
        return
    rows = [line.split("|")[1] for line in _sections()[name].splitlines() if line.startswith("| `-")]
    documented = {word for row in rows for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row)}
    assert documented == _options(command)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_arguments_of_each_command_are_named_in_its_section(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if not parameter.opts[0].startswith("-"):
            assert parameter.metavar.rstrip(".") in _sections()[name]


def test_the_options_of_the_program_itself_are_documented() -> None:
    text = _sections()[""]
    assert all(f"`{option}" in text for option in _options(typer.main.get_command(app)))


def test_every_exit_status_an_error_can_have_is_documented() -> None:
    statuses = {kind.exit_status for kind in (RetentiondError, ConfigurationError, GuardRefused, AuditError, PermitError)} | {
        0,
        130,
    }
    documented = {int(number) for number in re.findall(r"^\| (\d+) \|", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)}
    assert documented == statuses


def test_every_help_text_is_plain_and_finished() -> None:
    for name, command in COMMANDS.items():
        assert command.help, name
        assert command.help.rstrip().endswith("."), name
