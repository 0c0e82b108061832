"""Which environment variables stand for which settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args, get_origin

from pydantic import BaseModel

PREFIX = "RETENTIOND_"
"""What every environment variable of ours begins with."""


def variables(model: type[BaseModel]) -> dict[str, str]:
    """Each environment variable that stands for a setting -> the setting's path, `RETENTIOND_LOG__LEVEL` -> `log.level`."""
    return {PREFIX + "__".join(path).upper(): ".".join(path) for path in _plain_settings(model)}


def _plain_settings(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """The path of each setting that a line of text can hold; systems and anchors are for the file alone."""
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) in (dict, tuple):
            continue
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None:
            yield (name,)
        else:
            yield from ((name, *path) for path in _plain_settings(inner))
