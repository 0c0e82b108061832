"""Every option of a shipped connector is in its README, and the settings that it shows are right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from retentiond.connector import Connector
from retentiond.connector.registry import bind, connectors
from retentiond.document import read
from retentiond.secret import Secret
from retentiond.settings import SystemSettings

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(folder.name.removeprefix("retentiond_") for folder in (ROOT / "connectors").glob("retentiond_*"))


def readme(name: str) -> str:
    return (ROOT / "connectors" / f"retentiond_{name}" / "README.md").read_text(encoding="utf-8")


def models(kind: Any, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """The models that a type is made of, each once."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind in seen or kind is Secret:
            return
        seen.add(kind)
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation, seen)
            for extra in field.metadata:
                yield from models(extra, seen)
        return
    for part in get_args(kind):
        yield from models(part, seen)


def options(connector: Connector) -> set[str]:
    """The names of all options, as they are written in settings."""
    seen: set[type[BaseModel]] = set()
    every = [*models(connector.connection, seen), *models(connector.options, seen)]
    return {field.alias or name for model in every for name, field in model.model_fields.items()}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_option_is_named_in_the_readme(name: str) -> None:
    text = readme(name)
    assert sorted(option for option in options(connectors()[name]) if re.search(rf"\b{option}\b", text) is None) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_the_settings_that_the_readme_shows_are_right(name: str, tmp_path: Path) -> None:
    shown = re.search(r"^```yaml\n(systems:.*?)^```$", readme(name), re.MULTILINE | re.DOTALL)
    assert shown is not None
    file = tmp_path / "settings.yaml"
    file.write_text(shown[1], encoding="utf-8")
    document = read(file)
    systems = {system: SystemSettings(**told) for system, told in document.data["systems"].items()}
    bound = bind(systems, connectors(), document)
    assert {target.dataset for target in bound} == {dataset for system in systems.values() for dataset in system.datasets}
