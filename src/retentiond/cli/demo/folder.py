"""The demo's own folder: made, marked, and only then ever emptied again."""

from __future__ import annotations

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from retentiond.errors import ConfigurationError, StateError

MARK = ".retentiond-demo"
"""A file by which the demo knows a folder as its own; without it nothing in a folder is touched."""


def make_folder(keep: Path | None) -> Path:
    """An empty folder with the demo's mark, as an absolute path: `keep`, or a new one among the temporary files.

    A folder of an earlier demo is emptied first. Raises `ConfigurationError` where `keep` holds anything else.
    """
    try:
        if keep is None:
            folder = Path(tempfile.mkdtemp(prefix="retentiond-demo-"))
        else:
            folder = keep.absolute()
            _empty(folder)
            folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(
            "Made by `retentiond demo`, which empties this folder when it is run again.\n", encoding="utf-8"
        )
    except OSError as error:
        raise StateError(f"The demo's folder cannot be made ({error.strerror}). Name another with --keep.") from None
    return folder


def write_settings(folder: Path) -> Path:
    """Put the demo's settings and policies into `folder`; the settings file."""
    source = files("retentiond.cli.demo")
    (folder / "policies").mkdir()
    for policy in (source / "policies").iterdir():
        (folder / "policies" / policy.name).write_text(policy.read_text(encoding="utf-8"), encoding="utf-8")
    settings = folder / "retentiond.yaml"
    text = (source / "retentiond.yaml").read_text(encoding="utf-8").replace("@FOLDER@", str(folder))
    settings.write_text(text, encoding="utf-8")
    return settings


def _empty(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigurationError(f"{folder} is no folder. Name another with --keep; nothing was touched.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MARK).is_file():
        raise ConfigurationError(
            f"{folder} holds something that is not the demo's. Name another with --keep; nothing was touched."
        )
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARK:
            entry.unlink()
