"""The connector API: all that a connector may import of retentiond.

A connector fills roles. `Reader` finds records and cannot change anything; `Deleter`, `Blocker` and
`Anonymizer` act, each only with a permit; `Attestor` tells how a vendor's settings stand. What a connector
promises is written at each method and is tested by the conformance kit in `retentiond.testing`.
"""

from retentiond.connector.api import (
    Anonymizer,
    Answer,
    Answered,
    Attested,
    Attestor,
    Blocker,
    ConnectionOptions,
    Connector,
    Copy,
    Deleter,
    Finding,
    Offer,
    Reader,
    Receipt,
    TargetOptions,
)
from retentiond.connector.permit import Permit
from retentiond.connector.receipt import read_receipt, receipt_of, receipt_text
from retentiond.connector.tasks import Said, Task, Tasks
from retentiond.document import build, read
from retentiond.errors import (
    ConfigurationError,
    ConnectorError,
    OutcomeUnknownError,
    Problem,
    TransientConnectorError,
)
from retentiond.model.due import later_by
from retentiond.model.period import RetentionPeriod
from retentiond.model.record import RULED, Action, Cutoff, Dates, Fact, How, Moment, Presence, RecordRef, Target
from retentiond.model.subject import KIND, Subject, subject
from retentiond.secret import Secret

__all__ = [
    "KIND",
    "RULED",
    "Action",
    "Anonymizer",
    "Answer",
    "Answered",
    "Attested",
    "Attestor",
    "Blocker",
    "ConfigurationError",
    "ConnectionOptions",
    "Connector",
    "ConnectorError",
    "Copy",
    "Cutoff",
    "Dates",
    "Deleter",
    "Fact",
    "Finding",
    "How",
    "Moment",
    "Offer",
    "OutcomeUnknownError",
    "Permit",
    "Presence",
    "Problem",
    "Reader",
    "Receipt",
    "RecordRef",
    "RetentionPeriod",
    "Said",
    "Secret",
    "Subject",
    "Target",
    "TargetOptions",
    "Task",
    "Tasks",
    "TransientConnectorError",
    "build",
    "later_by",
    "read",
    "read_receipt",
    "receipt_of",
    "receipt_text",
    "subject",
]
