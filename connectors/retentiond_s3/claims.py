"""Which objects another data set of the same storage claims, too."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from retentiond.connector import Target
from retentiond_s3.options import S3Connection, S3Options, claims


class Claim(BaseModel):
    """What decides whether an object of the bucket is claimed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str
    suffix: str


class ContestedOptions(S3Options):
    """A data set of which others may claim the same objects. Never written in settings: `beside` makes it."""

    rivals: tuple[Claim, ...]
    """A field, so that a changed rival changes the digest of how this data set is reached: other records may go then."""


def beside(_connection: S3Connection, options: S3Options, others: Sequence[tuple[Target, S3Options]]) -> S3Options:
    """The options with what the other data sets claim of the same bucket."""
    same = [Claim(prefix=other.prefix, suffix=other.suffix) for _, other in others if other.bucket == options.bucket]
    if not same:
        return options
    told = {name: getattr(options, name) for name in S3Options.model_fields}
    return ContestedOptions.model_construct(**told, rivals=tuple(sorted(same, key=lambda one: (one.prefix, one.suffix))))


def contested(options: S3Options, key: str) -> bool:
    """True where another data set holds the object, too."""
    rivals = options.rivals if isinstance(options, ContestedOptions) else ()
    return any(claims(rival.prefix, rival.suffix, key) for rival in rivals)
