"""YAML 1.2 without its traps.

A duplicate key, an anchor, an alias, a merge key, a tag, a key that is no text, a key without a value and a second
document are errors with their places, never a silent choice. Dates stay text. The parser's events are read, not what
its constructors would make of them, so nothing is resolved that is not resolved here. Only the plain word `null` is
None; where it means something is for `build` to say.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from retentiond.document.value import NO_VALUE, Document, Loc, Spot, dotted, spotted
from retentiond.errors import ConfigurationError, Problem

MOST_BYTES = 1_000_000
"""A larger file is neither policy nor settings."""

DEEPEST = 32
"""Deeper nesting is refused; nothing that people write here goes half as deep."""

_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_PADDED = re.compile(r"[-+]?0[0-9]+")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LONGEST_NUMBER = 30


def read(path: Path) -> Document:
    """Read the YAML file at `path`; raise `ConfigurationError` with every problem it has and where each stands."""
    refusal = f"{path} cannot be used; nothing was done."
    try:
        content = _content(path)
    except OSError as error:
        what = f"the file cannot be read: {os.strerror(error.errno or 0).lower()}"
        raise ConfigurationError(refusal, [Problem(str(path), "", what)]) from None
    found = _Reading(path)
    data = None
    if found.look_at(content):
        try:
            data = found.document(_events(content.decode("utf-8-sig")))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = ", ".join(str(part) for part in (error.context, error.problem) if part)
            found.complain((mark.line + 1, mark.column + 1) if mark else (1, 1), (), f"this is no YAML: {what}")
        except _GivenUpError:
            pass  # what is wrong is among the problems
    if found.problems:
        raise ConfigurationError(refusal, sorted(found.problems, key=lambda one: found.order[one]))
    return Document(path, data, found.places, found.keys, hashlib.sha256(content).hexdigest())


def _content(path: Path) -> bytes:
    # A fifo or a device could block for ever, or never end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            what = "this is no regular file"
            raise ConfigurationError(f"{path} cannot be used; nothing was done.", [Problem(str(path), "", what)])
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MOST_BYTES + 1)
    finally:
        os.close(descriptor)


def _events(text: str) -> Iterator[Event]:
    mark = None
    try:
        for event in YAML(typ="safe", pure=True).parse(io.StringIO(text)):
            mark = event.end_mark
            yield event
    except (AssertionError, ArithmeticError, ValueError):
        # What ruamel has for `%YAML 1.3` and `"\\UFFFFFFFF"`; the place is that of what was read last.
        problem = "what follows here is a version of YAML or an escaped character that there is not"
        raise MarkedYAMLError(problem=problem, problem_mark=mark) from None


class _GivenUpError(Exception):
    """Reading on makes no sense; the problem is noted."""


class _Reading:
    """Collects what stands in one file and what is wrong with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.order: dict[Problem, Spot] = {}
        self.places: dict[Loc, Spot] = {}
        self.keys: dict[Loc, Spot] = {}

    def complain(self, spot: Spot, loc: Loc, what: str) -> None:
        problem = Problem(spotted(self.path, spot), dotted(loc), what)
        self.problems.append(problem)
        self.order[problem] = spot

    def look_at(self, content: bytes) -> bool:
        """Refuse what must not even be parsed."""
        if len(content) > MOST_BYTES:
            self.complain((1, 1), (), f"the file is larger than {MOST_BYTES:,} bytes")
            return False
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = content[: error.start].decode("utf-8", "replace")
            self.complain(_spot(before), (), "this byte is no UTF-8; save the file as UTF-8")
            return False
        for match in _CONTROL.finditer(text):
            what = f"the character U+{ord(match.group()):04X} is not allowed; take it out"
            self.complain(_spot(text[: match.start()]), (), what)
            return False
        return True

    def document(self, events: Iterator[Event]) -> Any:
        """Read the one document, to the end of the stream."""
        next(events)
        start = next(events)
        if not isinstance(start, DocumentStartEvent):
            self.complain((1, 1), (), "the file is empty")
            raise _GivenUpError
        if start.tags or (start.version and tuple(start.version) != (1, 2)):
            self.complain(_at(start), (), "only YAML 1.2 without tags is read; take the line with % out")
        data = self._node(next(events), (), events)
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self.complain(_at(event), (), "a second document begins here; one file holds one document")
                raise _GivenUpError
            if not isinstance(event, DocumentEndEvent | StreamEndEvent):
                self.complain(_at(event), (), "something follows the end of the document")
                raise _GivenUpError
        return data

    def _node(self, event: Event, loc: Loc, events: Iterator[Event]) -> Any:
        spot = _at(event)
        if len(loc) > DEEPEST:
            self.complain(spot, loc[:3], f"nested deeper than {DEEPEST} levels")
            raise _GivenUpError
        self.places.setdefault(loc, spot)
        if isinstance(event, AliasEvent):
            self.complain(spot, loc, "an alias (*) is not allowed; write it out")
            return ""
        if isinstance(event, NodeEvent) and event.anchor:
            self.complain(spot, loc, "an anchor (&) is not allowed; take it out")
        if getattr(event, "tag", None):
            self.complain(spot, loc, "a tag (!) is not allowed; take it out")
        if isinstance(event, MappingStartEvent):
            return self._mapping(loc, events)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(loc, events)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, loc)
        raise _GivenUpError  # pragma: no cover - the parser knows no other node

    def _sequence(self, loc: Loc, events: Iterator[Event]) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self._node(event, (*loc, len(items)), events))
        return items

    def _mapping(self, loc: Loc, events: Iterator[Event]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            spot = _at(event)
            key = self._key(event, loc, events)
            place = (*loc, key)
            if key in entries:
                first = spotted(self.path, self.keys[place])
                self.complain(spot, place, f"the key is here a second time; the first one is at {first}. Keep one of them")
            self.keys.setdefault(place, spot)
            value = next(events)
            if not isinstance(value, ScalarEvent):
                self.places.setdefault(place, spot)
            entries[key] = self._node(value, place, events)
        return entries

    def _key(self, event: Event, loc: Loc, events: Iterator[Event]) -> str:
        spot = _at(event)
        if not isinstance(event, ScalarEvent):
            self.complain(spot, loc, "a key must be text")
            self._node(event, (*loc, "?"), events)
            return "?"
        key: str = event.value
        if event.anchor or event.tag:
            self.complain(spot, (*loc, key), "an anchor (&) or tag (!) is not allowed; take it out")
        if event.implicit[0]:
            if key == "<<":
                self.complain(spot, loc, "a merge key (<<) is not allowed; write the keys out")
            elif key in _NULLS or not isinstance(_resolved(key), str):
                self.complain(spot, loc, f"a key must be text; write {key!r} in quotes if it is meant")
        return key

    def _scalar(self, event: ScalarEvent, loc: Loc) -> Any:
        text: str = event.value
        match = _CONTROL.search(text)
        if match:
            self.complain(_at(event), loc, f"the character U+{ord(match.group()):04X} is not allowed; take it out")
        if not event.implicit[0] or event.style:
            return text
        if text == "null":
            return None
        if text in _NULLS:
            spot = _at(event) if text else self.keys.get(loc, _at(event))  # nothing stands where the next thing does
            self.complain(spot, loc, NO_VALUE)
            return ""
        if _PADDED.fullmatch(text):
            self.complain(_at(event), loc, f"a number has no leading zero; write {text!r} in quotes if it is text")
            return text
        value = _resolved(text)
        endless = isinstance(value, float) and not math.isfinite(value)
        if endless or _NO_NUMBER.fullmatch(text) or (len(text) > _LONGEST_NUMBER and _FLOAT.fullmatch(text)):
            self.complain(_at(event), loc, "this is no number that can be used; put it in quotes if it is text")
        return value


def _resolved(text: str) -> bool | int | float | str:
    """What a plain scalar means: booleans and numbers of the YAML 1.2 core schema, everything else is text."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def _at(event: Event) -> Spot:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _spot(before: str) -> Spot:
    return before.count("\n") + 1, len(before) - before.rfind("\n")
