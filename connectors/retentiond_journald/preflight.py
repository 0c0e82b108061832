"""Looks at a journal before anything is done to it: rights, how long its files are, and what journald was told. Names no file."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from retentiond.connector import Action, ConnectorError, Finding
from retentiond_journald.options import JournaldConnection, JournaldOptions
from retentiond_journald.records import Found, look
from retentiond_journald.tree import Tree

_NO = frozenset({"0", "no", "false", "off", "n", "f"})
_A_DAY = frozenset({"1d", "1day", "24h", "24hours", "86400", "86400s", "12h", "12hours", "6h", "6hours", "1h", "1hour"})
_HOUR = timedelta(hours=1)


def preflight(tree: Tree, connection: JournaldConnection, options: JournaldOptions, action: Action) -> list[Finding]:
    """What a person should know before `action`; those that refuse must be mended first."""
    if action is not Action.DELETE:
        return [Finding(f"Journals of {tree.target} can only be deleted as whole files; choose delete.")]
    try:
        return list(_findings(tree, connection, options))
    except ConnectorError as error:
        return [Finding(str(error))]
    except OSError as error:
        return [Finding(f"The journals of {tree.target} below {tree.root} cannot be looked at (code {error.errno}).")]


def _findings(tree: Tree, connection: JournaldConnection, options: JournaldOptions) -> Iterator[Finding]:
    looked = [look(tree, place, options) for place in tree.places()]
    found = [one for one in looked if one is not None]
    closed = 0
    for folder in {one.place.folder for one in found}:
        with tree.folder(folder) as handle:
            closed += not os.access(".", os.W_OK | os.X_OK, dir_fd=handle, effective_ids=True)
    if closed:
        yield Finding(
            f"{closed:,} directories of {tree.target} below {tree.root} may not be written to, so that no journal in them can be "
            f"deleted; give retentiond's user the right to write and enter them.",
            of_rights=True,
        )
    if not found:
        yield Finding(
            f"No journal below {tree.root} is part of {tree.target}; look whether `streams` is meant so.", refuses=False
        )
    yield from _files(tree, options, found)
    yield from _told(tree, connection)


def _files(tree: Tree, options: JournaldOptions, found: list[Found]) -> Iterator[Finding]:
    target = tree.target
    torn = sum(one.journal is None for one in found)
    linked = sum(one.links > 1 for one in found)
    longest = max((one.span for one in found), default=timedelta())
    if torn:
        yield Finding(
            f"{torn:,} files of {target} do not read as journals; they count as undated and stay. "
            f"Look at them with `journalctl --verify` and remove them by hand.",
            refuses=False,
        )
    if linked:
        yield Finding(
            f"{linked:,} files of {target} have further hard links, through which their content would stay; they are left "
            f"alone and count as failed once they are due. Remove the other links.",
            refuses=False,
        )
    if longest > timedelta(hours=options.span_hours):
        late = sum(one.span > timedelta(hours=options.span_hours) for one in found)
        yield Finding(
            f"{late:,} files of {target} span more than {options.span_hours} hours, the longest {-(-longest // _HOUR):,} hours. "
            f"Only whole files go: by `last_entry` their oldest entries stay that much longer, and by `first_entry` they do not "
            f"go at all, because young entries would go with them. Set MaxFileSec=1day in journald.conf, and rotate once "
            f"(`journalctl --rotate`).",
            refuses=False,
        )


def _told(tree: Tree, connection: JournaldConnection) -> Iterator[Finding]:
    if not connection.config:
        return
    told = settings(connection.config)
    if told.get("maxfilesec", "").replace(" ", "") not in _A_DAY:
        said = "MaxFileSec is not set" if not told.get("maxfilesec") else "MaxFileSec is not known to be a day"
        yield Finding(
            f"{said}, so that a journal of {tree.target} may go on for a month before it can be deleted. "
            f"Set MaxFileSec=1day in journald.conf.",
            refuses=False,
        )
    if told.get("maxretentionsec", "0") not in {"", "0"}:
        yield Finding(
            f"journald itself deletes journals of {tree.target} (MaxRetentionSec), and without an entry in the deletion "
            f"log. Leave that to retentiond, or see that no rule keeps them longer.",
            refuses=False,
        )
    if told.get("forwardtosyslog", "").lower() not in _NO:
        yield Finding(
            f"Nothing says that what {tree.target} holds is not forwarded to syslog, too (ForwardToSyslog=no in journald.conf); "
            f"make the files that syslog writes a data set of the connector `files`, or declare them in copies.",
            refuses=False,
        )


def settings(folders: tuple[str, ...]) -> dict[str, str]:
    """What journald was told, by names in small letters; the last word counts. Raises OSError where it cannot be read."""
    files = [Path(folder, "journald.conf") for folder in folders]
    parts: dict[str, Path] = {}
    for folder in folders:
        parts |= {part.name: part for part in sorted(Path(folder, "journald.conf.d").glob("*.conf"))}
    # Of the main files only the one that counts most is read; of the others each name once, in the order of their names.
    main = [file for file in files if file.is_file()][-1:]
    told: dict[str, str] = {}
    for file in (*main, *(parts[name] for name in sorted(parts))):
        parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"))
        try:
            parser.read_string(file.read_text(encoding="utf-8", errors="replace"))
        except configparser.Error:
            continue
        if parser.has_section("Journal"):
            told |= dict(parser.items("Journal"))
    return told
