"""Reads the settings: the file, then what the environment says instead, then everything that is wrong at once."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from retentiond.document import Document, build, read
from retentiond.errors import ConfigurationError, Problem
from retentiond.secret import Secret
from retentiond.settings.anchors import placed
from retentiond.settings.environment import PREFIX, variables
from retentiond.settings.values import Settings

DEFAULT_PLACE = Path("/etc/retentiond/retentiond.yaml")
"""Where the settings are looked for when neither the command nor the environment names a file."""

PLACE_VARIABLE = "RETENTIOND_SETTINGS"
"""The environment variable that names the settings file."""


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings from `path`, or the file that RETENTIOND_SETTINGS names, or `DEFAULT_PLACE`.

    Raises `ConfigurationError` with all problems at once, each with its place in the file or the name of its
    environment variable.
    """
    document = read(path or Path(os.environ.get(PLACE_VARIABLE) or DEFAULT_PLACE))
    problems = [*_private_keys(document), *_unknown_variables(document)]
    try:
        settings = build(_with_variables(document), Settings)
    except ConfigurationError as error:
        problems = [_by_variable(problem) for problem in error.problems] + problems
        raise _wrong(document, problems) from None
    if problems:
        raise _wrong(document, problems)
    return _anchored(settings, document)


def _private_keys(document: Document) -> Iterator[Problem]:
    """Keys that the settings' base class would take for words to itself."""
    if isinstance(document.data, dict):
        for key in document.data:
            if key.startswith("_"):
                yield Problem(document.where((key,), key=True), key, "there is no such setting")


def _unknown_variables(document: Document) -> Iterator[Problem]:
    known = variables(Settings)
    secrets = set(_secret_variables(document.data))
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name not in {PLACE_VARIABLE, *secrets} and name not in known:
            close = difflib.get_close_matches(name.upper(), known, 1, 0.8)
            hint = f" Did you mean {close[0]}?" if close else ""
            yield Problem("", f"environment variable {name}", f"there is no such setting.{hint} Unset it, or name it rightly.")


def _secret_variables(data: Any) -> Iterator[str]:
    """The environment variables from which the file takes secrets; they may be named like a setting."""
    match data:
        case {"environment": str() as name, **rest} if not rest:
            yield name
        case dict():
            for inner in data.values():
                yield from _secret_variables(inner)
        case list():
            for inner in data:
                yield from _secret_variables(inner)


def _with_variables(document: Document) -> Document:
    """The document as if it said what the environment says, so that a problem with that is told by its path."""
    if not isinstance(document.data, dict):
        return document
    data = deepcopy(document.data)
    for name in os.environ.keys() & variables(Settings).keys():
        *outer, last = variables(Settings)[name].split(".")
        part = data
        for step in outer:
            inner = part.setdefault(step, {})
            part = inner if isinstance(inner, dict) else {}
        part[last] = os.environ[name]
    return replace(document, data={key: value for key, value in data.items() if not key.startswith("_")})


def _by_variable(problem: Problem) -> Problem:
    """The problem, told of the environment variable where that is what is wrong."""
    for name, path in variables(Settings).items():
        if path == problem.path and name in os.environ:
            return Problem("", f"environment variable {name}", problem.what)
    return problem


def _wrong(document: Document, problems: list[Problem]) -> ConfigurationError:
    return ConfigurationError(f"The settings in {document.path} are wrong; nothing was done.", problems)


def _anchored(settings: Settings, document: Document) -> Settings:
    """The settings with relative paths starting at the file's folder."""
    folder = document.path.absolute().parent
    password = settings.database_password
    if isinstance(password, Secret) and password.file is not None:
        password = password.model_copy(update={"file": folder / password.file})
    anchored = settings.model_copy(
        update={
            "policies": folder / settings.policies,
            "state": folder / settings.state,
            "database_password": password,
            "anchors": tuple(placed(anchor, folder) for anchor in settings.anchors),
        }
    )
    anchored._document = document  # noqa: SLF001 - the file it was read from is no setting of its own
    return anchored
