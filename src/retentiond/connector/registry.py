"""Finds the installed connectors, and binds each data set of the settings to its own."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from retentiond.connector.api import (
    Anonymizer,
    Attestor,
    Blocker,
    ConnectionOptions,
    Connector,
    Copy,
    Deleter,
    Offer,
    Reader,
    TargetOptions,
)
from retentiond.connector.tasks import Tasks
from retentiond.document import Document, Loc, build, dotted
from retentiond.errors import ConfigurationError, Problem
from retentiond.model.record import Action, Target
from retentiond.secret import Secret
from retentiond.settings import SystemSettings

GROUP = "retentiond.connectors"
"""The entry-point group in which a distribution registers its connectors."""

UNIMPORTABLE = (ImportError, AttributeError, NameError, SyntaxError, TypeError, ValueError, LookupError, OSError, RuntimeError)
"""What a broken module can raise while it is imported."""

R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class BoundTarget:
    """One data set with the connector that reaches it and its validated options."""

    target: Target
    connector: Connector
    connection: ConnectionOptions = field(repr=False)
    options: TargetOptions = field(repr=False)
    mapping_digest: str
    """Digest (hex) of how the data set is reached and read: connector, connection, options, less where secrets lie."""

    def offer(self) -> Offer:
        """What the data set can do, told from the settings alone."""
        return self._driven(lambda: self.connector.offer(self.connection, self.options))

    def reader(self) -> Reader:
        """Open a reader. Raises `ConnectorError` where the system cannot be reached."""
        return self._driven(lambda: self.connector.reader(self.connection, self.options, self.target))

    def deleter(self) -> Deleter:
        """Open the role that deletes. Raises `ConfigurationError` where the connector has none."""
        return self._role(self.connector.deleter, Action.DELETE)

    def blocker(self) -> Blocker:
        """Open the role that blocks. Raises `ConfigurationError` where the connector has none."""
        return self._role(self.connector.blocker, Action.BLOCK)

    def anonymizer(self) -> Anonymizer:
        """Open the role that anonymizes. Raises `ConfigurationError` where the connector has none."""
        return self._role(self.connector.anonymizer, Action.ANONYMIZE)

    def attestor(self) -> Attestor:
        """Open the role that tells the vendor's settings. Raises `ConfigurationError` where the connector has none."""
        factory = self.connector.attestor
        if factory is None:
            raise ConfigurationError(f"The connector {self.connector.name} of {self.target} cannot tell a vendor's settings.")
        return self._driven(lambda: factory(self.connection, self.options, self.target))

    def tasks(self) -> Tasks:
        """Open the tasks of a data set of persons' tasks. Raises `ConfigurationError` where it is none."""
        factory = self.connector.tasks
        if factory is None:
            raise ConfigurationError(f"{self.target} holds no tasks of persons: its connector is {self.connector.name}.")
        return self._driven(lambda: factory(self.connection, self.options, self.target))

    def copies(self) -> tuple[Copy, ...]:
        """The kinds of copies that outlive a delete here."""
        return tuple(self._driven(lambda: self.connector.copies(self.connection, self.options)))

    def _role(self, factory: Callable[[Any, Any, Target], R] | None, action: Action) -> R:
        if factory is None:
            raise ConfigurationError(f"The connector {self.connector.name} of {self.target} cannot {action} records.")
        return self._driven(lambda: factory(self.connection, self.options, self.target))

    def _driven(self, call: Callable[[], R]) -> R:
        try:
            return call()
        except ImportError as error:
            raise _undriven(self.connector, error) from None


def connectors(group: Iterable[EntryPoint] | None = None) -> dict[str, Connector]:
    """The installed connectors by name, in the order of their names.

    `group` are the entry points to look at; those of the environment where it is left out. Raises `ConfigurationError`
    where two have one name, one cannot be imported, or one is no connector; each time naming whose it is.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP) if group is None else group, key=lambda point: (point.name, _owner(point))):
        other = found.get(point.name)
        if other is not None and (other.value, _owner(other)) != (point.value, _owner(point)):
            raise ConfigurationError(
                f"Two connectors are named {point.name}: one of {_owner(other)}, one of {_owner(point)}. Uninstall one of them."
            )
        found[point.name] = point
    return {name: _loaded(point) for name, point in found.items()}


def bind(
    systems: Mapping[str, SystemSettings], available: Mapping[str, Connector], document: Document | None = None
) -> dict[Target, BoundTarget]:
    """Join each data set of `systems` to its connector and validate its options.

    `document` is where `systems` was read from: then each problem tells its place in it, and relative files of secrets
    start at its folder. Raises `ConfigurationError` with all problems at once.
    """
    problems: list[Problem] = []
    bound: dict[Target, BoundTarget] = {}
    source = document or Document(Path("settings"), {"systems": {name: one.model_dump() for name, one in systems.items()}})
    for name, system in systems.items():
        connector = available.get(system.connector)
        if connector is None:
            place: Loc = ("systems", name, "connector")
            problems.append(Problem(source.where(place), dotted(place), _no_connector(system.connector, available)))
            continue
        connection = _options(connector.connection, source, ("systems", name, "connection"), problems)
        told: list[tuple[Target, TargetOptions]] = []
        for dataset in system.datasets:
            options = _options(connector.options, source, ("systems", name, "datasets", dataset), problems)
            told += [(Target(name, dataset), options)] if options is not None else []
        if connection is None:
            continue
        for target, alone in told:
            # The digest is of what is known with the others: where a rival's conditions change, other records may go.
            known = connector.beside(connection, alone, [other for other in told if other[0] != target])
            bound[target] = BoundTarget(target, connector, connection, known, mapping_digest(connector, connection, known))
    if problems:
        raise ConfigurationError("The systems in the settings are wrong; nothing was done.", problems)
    return bound


def mapping_digest(connector: Connector, connection: ConnectionOptions, options: TargetOptions) -> str:
    """Digest (hex) of everything that tells how a data set is reached and read; an approval of a rule binds it.

    Secrets, and where they lie, are left out: moving a password must not ask for a new approval.
    """
    told = {"connector": connector.name, "connection": _plain(connection), "options": _plain(options)}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """`value` as JSON has it, the same on every machine; a secret becomes the mere fact that there is one."""
    match value:
        case Secret():
            return "secret"
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case set() | frozenset():
            return sorted((_plain(inner) for inner in value), key=lambda plain: json.dumps(plain, sort_keys=True))
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)


def _options(model: type[M], source: Document, place: Loc, problems: list[Problem]) -> M | None:
    """The validated options at `place`; None where `problems` tells what is wrong with them."""
    try:
        return _anchored(build(_filled(source, place), model, place), source.path.parent)
    except ConfigurationError as error:
        problems += error.problems or [Problem(source.where(place), dotted(place), str(error))]
    return None


def _filled(source: Document, place: Loc) -> Document:
    """The document with an empty mapping at `place` where it says nothing: a connection may be left out."""
    part = source.data
    for step in place[:-1]:
        part = part[step]
    if place[-1] in part:
        return source
    system = {**part, place[-1]: {}}
    return replace(source, data={"systems": {**source.data["systems"], place[1]: system}})


def _anchored(options: M, folder: Path) -> M:
    """`options` with relative files of secrets, however deep, starting at `folder`."""
    changed = {name: _anchored_value(getattr(options, name), folder) for name in type(options).model_fields}
    return options.model_copy(update={name: value for name, value in changed.items() if value is not getattr(options, name)})


def _anchored_value(value: Any, folder: Path) -> Any:
    match value:
        case Secret(file=Path() as file) if not file.is_absolute():
            return value.model_copy(update={"file": folder / file})
        case Secret():
            return value
        case BaseModel():
            return _anchored(value, folder)
        case _:
            return value


def _no_connector(name: str, available: Mapping[str, Connector]) -> str:
    close = difflib.get_close_matches(name, available, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"there is no connector {name!r}; installed are: {', '.join(available) or 'none'}.{hint}"


def _loaded(point: EntryPoint) -> Connector:
    try:
        loaded = point.load()
    except UNIMPORTABLE as error:
        raise ConfigurationError(
            f"The connector {point.name} of {_owner(point)} cannot be imported ({type(error).__name__}). "
            f"Install that distribution again, or uninstall it."
        ) from error
    if not isinstance(loaded, Connector):
        raise ConfigurationError(
            f"The entry point {point.name} of {_owner(point)} is no connector; it must name a retentiond.connector.Connector."
        )
    if loaded.name != point.name:
        raise ConfigurationError(
            f"The connector that {_owner(point)} registers as {point.name} calls itself {loaded.name}; the two must be the same."
        )
    return loaded


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown distribution"


def _undriven(connector: Connector, error: ImportError) -> ConfigurationError:
    module = f"the module {error.name}" if error.name else "a module"
    if connector.extra is None:
        return ConfigurationError(f"The connector {connector.name} lacks {module}. Install its distribution again.")
    return ConfigurationError(
        f"The connector {connector.name} lacks {module}, its driver. Install it: `pip install 'retentiond[{connector.extra}]'`."
    )
