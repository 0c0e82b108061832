"""From the operating system's errors to ours; never with a file's name in them."""

from __future__ import annotations

import errno
import os

from retentiond.connector import ConnectorError

_CODES = {
    errno.ENOSPC: "no-space",
    errno.EDQUOT: "no-space",
    errno.EFBIG: "no-space",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
    errno.EROFS: "forbidden",
    errno.EIO: "unreadable",
}

GONE = frozenset({errno.ENOENT})
"""The name leads nowhere."""

ASTRAY = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR})
"""The name leads to something that is no plain file, or through a symlink."""


class Unreadable(Exception):
    """The lines of one file cannot be read: torn or broken gzip, a line beyond all measure. Never leaves this package."""


class Astray(Exception):
    """Something else than a plain file of this tree lies under the name, or the name leads through a symlink. As above."""


def code_of(error: OSError) -> str:
    """The word of the closed list of failure codes for what the operating system said."""
    return _CODES.get(error.errno or 0, "refused")


def reason_of(error: OSError) -> str:
    """The operating system's words for the kind of error, without the name it was about."""
    return os.strerror(error.errno) if error.errno else type(error).__name__


def system_error(error: OSError, doing: str) -> ConnectorError:
    """A `ConnectorError` that begins with `doing`: what was tried, with a place of the settings and no file's name."""
    return ConnectorError(f"{doing}: {reason_of(error)}.", code_of(error))
