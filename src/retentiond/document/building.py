"""From what was read to a model, and from what pydantic has against it to problems with their places."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json

from retentiond.document.value import NO_VALUE, Document, Loc, dotted
from retentiond.errors import ConfigurationError, Problem

M = TypeVar("M", bound=BaseModel)


def build(document: Document, model: type[M], prefix: Loc = ()) -> M:
    """Make a `model` of the document's part at `prefix`; raise `ConfigurationError` with every problem of it.

    Types are taken as written: `"5"` is no number and `yes` no boolean. `null` is no way to leave a key of the model out;
    it may only stand where the model has words of the writer's own, such as columns, and takes it for a value.
    """
    part: Any = document.data
    for step in prefix:
        part = part[step]
    refusal = f"{document.path} cannot be used; nothing was done."
    if not isinstance(part, dict):
        what = _mapping(model)
        raise ConfigurationError(refusal, [Problem(document.where(prefix), dotted(prefix), what)])
    if empty := [loc for loc in _nulls(part, ()) if _has_field(model, loc)]:
        told = [Problem(document.where((*prefix, *loc)), dotted((*prefix, *loc)), NO_VALUE) for loc in empty]
        raise ConfigurationError(refusal, told)
    try:
        # The reader yields just what JSON knows, and pydantic is strict about JSON without refusing enums and tuples.
        return model.model_validate_json(to_json(part), strict=True)
    except ValidationError as error:
        raise ConfigurationError(refusal, problems(document, model, error, prefix)) from None


def problems(document: Document, model: type[BaseModel], error: ValidationError, prefix: Loc = ()) -> list[Problem]:
    """Turn what pydantic has against the document's part at `prefix` into problems; never quotes a value."""
    found: dict[Problem, None] = {}  # a union can say the same twice
    errors = error.errors(include_url=False, include_input=False)
    for one in errors:
        if one["type"] == "too_short" and any(_inside(other["loc"], one["loc"]) for other in errors):
            continue  # a list is only too short for want of the items that are wrong themselves
        loc = _real(document, (*prefix, *one["loc"]), one["type"])
        what = NO_VALUE if loc in document.places and _value(document, loc) is None else _said(one, model)
        found[Problem(document.where(loc, key=one["type"] == "extra_forbidden"), dotted(loc), what)] = None
    return list(found)


def _inside(inner: Loc, outer: Loc) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _said(one: ErrorDetails, model: type[BaseModel]) -> str:
    kind, loc = one["type"], one["loc"]
    if kind == "missing":
        return "is missing" + (f"; {told}" if (told := _told(model, loc)) else "")
    if kind == "extra_forbidden":
        owner = _model_at(model, loc[:-1])
        allowed = _allowed(owner) if owner else []
        close = difflib.get_close_matches(str(loc[-1]), allowed, n=1)
        nearest = f"; did you mean {close[0]!r}?" if close else "."
        return f"there is no such key{nearest} Allowed are: {_listed(allowed)}"
    if kind in ("model_type", "model_attributes_type") and (owner := _model_at(model, loc)):
        return _mapping(owner) + (f"; {told}" if (told := _told(model, loc)) else "")
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        tags = one.get("ctx", {})
        allowed_tags = f", one of {tags['expected_tags']}" if "expected_tags" in tags else ""
        return f"must say its {tags['discriminator']}{allowed_tags}"
    if kind == "too_short":
        return "must have at least 1 item"
    message = re.sub(r"<\w+\.\w+: ('[^']*')>", r"\1", one["msg"])  # some members of an enumeration, as Python shows them
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:] if message[:2].istitle() else message


def _mapping(model: type[BaseModel]) -> str:
    return f"must be a mapping; it can have: {_listed(_allowed(model))}"


def _real(document: Document, loc: Loc, kind: str) -> Loc:
    """Drop what pydantic adds to a place, such as the name of a union's branch, and what one text was unfolded to."""
    real: list[str | int] = []
    part: Any = document.data
    for number, step in enumerate(loc):
        if isinstance(part, dict) and step in part:
            part = part[str(step)]
        elif isinstance(part, list) and isinstance(step, int) and step < len(part):
            part = part[step]
        elif kind == "missing" and number == len(loc) - 1 and isinstance(part, dict):
            pass
        else:
            continue
        real.append(step)
    return tuple(real)


def _value(document: Document, loc: Loc) -> Any:
    part: Any = document.data
    for step in loc:
        part = part[step]
    return part


def _nulls(part: Any, loc: Loc) -> Iterator[Loc]:
    """Where `null` is written."""
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(part, dict):
        inner = part.items()
    elif isinstance(part, list):
        inner = enumerate(part)
    elif part is None:
        yield loc
    for step, value in inner:
        yield from _nulls(value, (*loc, step))


def _has_field(model: type[BaseModel], loc: Loc) -> bool:
    owner = _model_at(model, loc[:-1])
    return owner is not None and loc[-1] in _allowed(owner)


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    kinds: list[Any] = [model]
    for step in loc:
        further = [inner for kind in kinds for inner in _into(kind, step)]
        kinds = further or [kind for kind in kinds if _is_tagged(kind, step)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _is_tagged(kind: Any, tag: str | int) -> bool:
    """True for the branch of a union that pydantic names by its tag in a place."""
    fields = kind.model_fields.values() if isinstance(kind, type) and issubclass(kind, BaseModel) else ()
    return any(get_origin(field.annotation) is Literal and tag in get_args(field.annotation) for field in fields)


def _into(kind: Any, step: str | int) -> Iterator[Any]:
    """The types that may stand at one step inside a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if step == (field.alias or name):
                yield from _branches(field.annotation)
    elif get_origin(kind) is dict and isinstance(step, str):
        yield from _branches(get_args(kind)[1])
    elif get_origin(kind) in (list, tuple) and isinstance(step, int):
        for inner in get_args(kind):
            yield from _branches(inner)


def _branches(kind: Any) -> Iterator[Any]:
    """The types of a union, without their annotations."""
    if get_origin(kind) in (Union, UnionType):
        for inner in get_args(kind):
            yield from _branches(inner)
    elif get_origin(kind) is Annotated:
        yield from _branches(get_args(kind)[0])
    else:
        yield kind


def _allowed(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _told(model: type[BaseModel], loc: Loc) -> str:
    owner = _model_at(model, loc[:-1])
    fields = owner.model_fields if owner else {}
    return next((one.description or "" for name, one in fields.items() if loc[-1] in (name, one.alias)), "")


def _listed(words: list[str]) -> str:
    return ", ".join(words) or "none"
