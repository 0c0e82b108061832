"""The program's own messages: to stderr or to the journal, and only what is known to be harmless."""

from retentiond.logs.redaction import SAFE_FIELDS, WITHHELD
from retentiond.logs.setup import configure, get_logger

__all__ = ["SAFE_FIELDS", "WITHHELD", "configure", "get_logger"]
