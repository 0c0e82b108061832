"""The deletion log: what is intended is written before it is done, what became of it afterwards; a signed tree over all.

No key, name or file name of a record ever stands in it, only a commitment that hides it.
"""

from retentiond.audit.arithmetic import Word
from retentiond.audit.batch import Intent, OpenBatch
from retentiond.audit.export import Exported, write_export
from retentiond.audit.generation import begin_generation
from retentiond.audit.handle import ephemeral_handles
from retentiond.audit.log import DeletionLog, open_log
from retentiond.audit.note import Checkpoint
from retentiond.audit.place import LogPlace, remains
from retentiond.audit.pruning import Prunable
from retentiond.audit.read import Entry, LogReader, read_log
from retentiond.audit.replaying import Act, Past, open_past
from retentiond.audit.verify import Verification, verifier_key, verify_log

__all__ = [
    "Act",
    "Checkpoint",
    "DeletionLog",
    "Entry",
    "Exported",
    "Intent",
    "LogPlace",
    "LogReader",
    "OpenBatch",
    "Past",
    "Prunable",
    "Verification",
    "Word",
    "begin_generation",
    "ephemeral_handles",
    "open_log",
    "open_past",
    "read_log",
    "remains",
    "verifier_key",
    "verify_log",
    "write_export",
]
