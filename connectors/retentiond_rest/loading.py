"""Reads a manifest: one that is shipped, by its name, or one of the user's own, by its path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from retentiond.connector import ConfigurationError, Problem, build, read
from retentiond_rest.manifest import Manifest

SHIPPED = Path(__file__).parent / "manifests"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A manifest that is sound, and where it came from."""

    name: str
    """What messages call it."""
    path: Path
    manifest: Manifest = field(repr=False)
    digest: str = field(repr=False)
    """SHA-256 (hex) of what it says; comments and layout do not count."""

    def __str__(self) -> str:
        """What an approval binds: another manifest may delete other records."""
        return self.digest


def shipped() -> list[str]:
    """The names of the manifests that come with the connector."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load(text: object) -> Loaded:
    """The manifest of this name or path; raises `ConfigurationError` with each problem's line, `ValueError` for no name."""
    if isinstance(text, Loaded):
        return text
    if not isinstance(text, str):
        raise ValueError("must be the name of a shipped manifest, or the absolute path of one")  # noqa: TRY004 - for pydantic
    if "/" not in text:
        if text not in shipped():
            raise ValueError(f"there is no such manifest; shipped are: {', '.join(shipped())}. Or say the absolute path of one")
        path = SHIPPED / f"{text}.yaml"
    elif not (path := Path(text)).is_absolute():
        raise ValueError("must be an absolute path")
    known = _known.get(_digest(path))
    return known if known is not None and known.path == path else _read(path)


def _read(path: Path) -> Loaded:
    document = read(path)
    manifest = build(document, Manifest)
    if faults := list(manifest.faults()):
        told = [Problem(document.where(place), ".".join(place), what) for place, what in faults]
        raise ConfigurationError(f"{path} cannot be used; nothing was done.", told)
    loaded = Loaded(path.stem, path, manifest, hashlib.sha256(manifest.model_dump_json(by_alias=True).encode()).hexdigest())
    _known[document.digest] = loaded
    return loaded


def _digest(path: Path) -> str:
    """The digest of a file as `read` tells it; empty where there is none, which `read` then says."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    except OSError:
        return ""


_known: dict[str, Loaded] = {}
"""What was read before, by the digest of the file: reading YAML with its places takes a while."""
