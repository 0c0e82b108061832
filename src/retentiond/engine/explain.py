"""What the rules say about one record."""

from __future__ import annotations

from datetime import datetime

from retentiond.engine.registers import Registers
from retentiond.engine.values import Fate
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError
from retentiond.model.record import Target


def explain(workplace: Workplace, registers: Registers, target: Target, key: str, now: datetime) -> tuple[Fate, ...]:
    """The fate of the record under `key`, as a person types it, as of `now` (aware UTC); one for each rule of its data set.

    `registers` are what persons and registers say.
    Raises `ConfigurationError` for an unknown data set or one without a rule, `ConnectorError` where it cannot be read.
    """
    bound = workplace.targets.get(target)
    if bound is None:
        known = ", ".join(sorted(map(str, workplace.targets)))
        raise ConfigurationError(f"The settings know no data set {target}; known are: {known}.")
    governing = [one for one in workplace.at(now).assignments if one.target.target == target]
    if not governing:
        raise ConfigurationError(f"No rule governs {target}: nothing there is ever deleted, blocked or anonymized.")
    with bound.reader() as reader:
        ref = reader.explain(bound.connector.key(key))
    return tuple(
        Fate(
            policy=one.policy.policy.policy,
            rule=one.rule.id,
            target=target,
            ref=ref,
            decision=registers.for_rule(one).decide(ref, now) if ref else None,
        )
        for one in governing
    )
