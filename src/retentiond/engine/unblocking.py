"""Gives one blocked record back to normal work, at a named person's word; the same choke point, the same entries."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from datetime import datetime

from retentiond.audit import Intent
from retentiond.engine.approval import staff_id
from retentiond.engine.evidence import Evidence
from retentiond.engine.executor import Done, Means, Stand, execute
from retentiond.engine.registers import read_registers
from retentiond.engine.values import DueRecord
from retentiond.engine.workplace import Workplace
from retentiond.errors import AuditError, ConfigurationError
from retentiond.model.record import Action, RecordRef, Target


def unblock(
    workplace: Workplace, evidence: Evidence, target: Target, key: str, by: str, now: datetime, clock: Callable[[], datetime]
) -> Done:
    """Unblock the record under `key`, as a person types it; `by` is a staff id.

    Raises `ConfigurationError` where there is no such record, where it is not blocked, where it would be blocked again by the
    next run, and where nobody governs it; `AuditError` where the log does not verify. Then nothing was done.
    """
    staff = staff_id(by)
    governing = [one for one in workplace.at(now).assignments if one.target.target == target]
    if not governing:
        raise ConfigurationError(f"No rule governs {target}: nothing there was ever blocked by one. Nothing was done.")
    if evidence.log.verify().problems:
        raise AuditError("The deletion log does not verify; nothing was done.")
    assignment = governing[0]
    bound = assignment.target
    with bound.reader() as reader:
        ref = reader.explain(bound.connector.key(key))
        if ref is None:
            raise ConfigurationError(f"There is no such record in {target}. Nothing was done.")
        if not ref.blocked:
            raise ConfigurationError(f"The record of {target} is not blocked. Nothing was done.")

        def wanted() -> datetime | None:
            """Since when the record is to be blocked by what is known now; None where it is not."""
            decision = read_registers(evidence.store, [assignment.rule.id]).for_rule(assignment).decide(ref, now)
            return decision.block_at if decision.block_at is not None and decision.block_at <= now else None

        if (since := wanted()) is not None:
            raise ConfigurationError(
                f"Rule {assignment.rule.id} has the record blocked since {since:%Y-%m-%d} and would block it again; look at "
                f"`retentiond explain`, and lift the request or change the date behind it first. Nothing was done."
            )
        evidence.log.event(
            "approval", now, subject=f"unblock {target}", digest=_digest(assignment.digest, ref), decision="approved", by=staff
        )
        settings = workplace.settings
        means = Means(
            log=evidence.log,
            target=bound,
            action=Action.UNBLOCK,
            reader=reader,
            copies=(),
            retry=settings.retry,
            clock=clock,
            sleep=time.sleep,
            stop=lambda: False,
            errors=1,
            acting=evidence.store.acting,
            look_again=lambda refs: [Stand.FREE if wanted() is None else Stand.MOVED] * len(refs),
            before_act=lambda _refs: None,
        )
        number = str(uuid.uuid4())

        def intent(due: datetime) -> Intent:
            return Intent(
                run=number,
                rule=f"{assignment.rule.id}@{assignment.digest[:16]}",
                rule_digest=assignment.digest,
                plan_digest=_digest(assignment.digest, ref),
                system=target.system,
                dataset=target.dataset,
                action=Action.UNBLOCK,
                due=due,
            )

        done = execute(means, intent, [[DueRecord(ref, now)]], lambda _attempted: None)
    evidence.log.checkpoint(clock())
    return done


def _digest(rule_digest: str, ref: RecordRef) -> str:
    return hashlib.sha256(f"unblock {rule_digest} {ref.fingerprint}".encode()).hexdigest()
