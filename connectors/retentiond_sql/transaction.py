"""PostgreSQL's own memory of transactions: the number of ours is noted before the commit, and asked for after a crash."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from retentiond.connector import Finding, How, Permit, Receipt, Target, read_receipt, receipt_text
from retentiond_sql.trouble import Trouble, trouble_of

OLDEST = 130000
"""The first version that tells the status of a transaction by a number that never comes again."""

# The timeline is that of the write-ahead log being written: the one in the control file lags behind after a promotion.
_PLACE = """(SELECT system_identifier FROM pg_control_system())::text,
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"""
_NOTED = sa.text(f"SELECT pg_current_xact_id()::text, {_PLACE}, pg_current_wal_insert_lsn()::text")
_STATUS = sa.text(f"SELECT {_PLACE}, pg_current_wal_insert_lsn() >= CAST(:lsn AS pg_lsn), pg_xact_status(CAST(:xid AS xid8))")
_MAY = sa.text("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")
_VERSION = sa.text("SELECT current_setting('server_version_num')::int")


def note(connection: sa.Connection, permit: Permit, receipt: Receipt) -> None:
    """Have the number of this transaction kept with the open batch, and what will be so once it is committed.

    To be called last before the commit: what is noted is durable then, and the commit is not sent before.
    """
    xid, system, timeline, lsn = connection.execute(_NOTED).one()
    told = {
        "xid": xid,
        "system": system,
        "timeline": timeline,
        "lsn": lsn,
        "records": receipt.count,
        "items": receipt.items,
        "answers": receipt_text(receipt.answers),
    }
    permit.note(json.dumps(told).encode())


def committed(connection: sa.Connection, notes: Sequence[bytes]) -> list[Receipt]:
    """What those of the noted transactions prove that were committed on this very server, in this very line of its history."""
    return [receipt for one in notes if (receipt := _proven(connection, one)) is not None]


def _proven(connection: sa.Connection, noted: bytes) -> Receipt | None:
    """None where it was undone, and where nobody can tell any more: the number is too old, or of another server or timeline."""
    try:
        told: dict[str, Any] = json.loads(noted)
        receipt = Receipt(told["records"], told["items"], read_receipt(told["answers"], How.XID))
        here = (told["system"], told["timeline"])
        asked = {"xid": told["xid"], "lsn": told["lsn"]}
    except (ValueError, KeyError, TypeError):
        return None
    try:
        with connection.begin_nested():
            system, timeline, onward, status = connection.execute(_STATUS, asked).one()
    except sa.exc.DBAPIError as error:
        if trouble_of(error) in {Trouble.LOST, Trouble.BUSY, Trouble.TIMEOUT}:
            raise
        return None  # a number that this server has not come to yet, or a role that may not ask any more
    return receipt if (system, timeline) == here and onward and status == "committed" else None


def transaction_findings(for_rights: sa.Connection, target: Target) -> list[Finding]:
    """What keeps transactions from being asked for by number; `for_rights` is a session of the role that will act."""
    if for_rights.execute(_VERSION).scalar_one() < OLDEST:
        return [
            Finding(
                f"The server of {target} is older than PostgreSQL 13 and does not tell what became of a transaction. Take "
                f"`transaction_ids` out of the settings, or keep `receipts`."
            )
        ]
    if not for_rights.execute(_MAY).scalar_one():
        return [
            Finding(
                f"The role that is to act on {target} may not ask which server it is on, as `transaction_ids` needs: "
                f"GRANT EXECUTE ON FUNCTION pg_control_system() to it.",
                of_rights=True,
            )
        ]
    return []
