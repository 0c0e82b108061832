"""Decides about many records as `decide` does about each, but once for all that differ in nothing that counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from whenever import Date, Instant

from retentiond.model.bound import Bound, Derived, Duty
from retentiond.model.circumstances import Circumstances
from retentiond.model.decision import Decision, decide
from retentiond.model.due import midnight
from retentiond.model.period import Counted
from retentiond.model.record import Moment, RecordRef
from retentiond.model.rule import Rule
from retentiond.model.tax import TaxYear

MOST = 4096
"""How many decisions are remembered; then it begins anew, so that memory stays constant."""

_ORDINARY = frozenset((*range(1972, 1979), *range(1982, 8999)))
"""Years (UTC) in which no date is implausible, whatever the zone and the time of day."""

_NOBODY = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
"""A stretch of time in which nothing lies."""

Stretch = tuple[datetime, datetime, date]
"""From (inclusive) and until (exclusive), both UTC, and the local day that all of it is part of."""


class Alike:
    """Remembers what was decided under one rule at one moment.

    Where a rule counts by days, the time of day of its starts decides nothing, so two records that began on the same days,
    and of which everything else is the same, have the same decision. What does not fit that is decided about by itself.
    """

    def __init__(self, rule: Rule, zone: str, now: datetime) -> None:
        self._rule, self._zone, self._now = rule, zone, now
        self._names = tuple(sorted(rule.date_names)) if counts_days(rule) else ()
        self._facts = tuple(one.fact for one in rule.requires or ())
        self._tax_years: Mapping[int, TaxYear] | None = None
        self._decided: dict[object, Decision] = {}
        self._stretches: dict[int, list[Stretch]] = {}

    def decide(self, refs: Sequence[RecordRef], told: Callable[[RecordRef], Circumstances]) -> list[Decision]:
        """What `decide` says of each record, in order, but for `Decision.ends`, which are left out."""
        decisions: list[Decision] = []
        # Records come oldest first, so most are like the one before: then this much is all that has to be looked at.
        name = self._names[0] if len(self._names) == 1 and not self._facts else None
        (low, high), before, blocked, last = _NOBODY, None, False, None
        for ref in refs:
            circumstances = told(ref)
            if name is not None:
                moment = ref.dates.get(name)
                if (
                    last is not None
                    and type(moment) is datetime
                    and moment.tzinfo is UTC
                    and low <= moment < high
                    and circumstances is before
                    and ref.blocked is blocked
                    and not ref.contested
                ):
                    decisions.append(last)
                    continue
                stretch = None if moment is None or ref.contested else self._stretch(moment)
                (low, high), before, blocked = stretch[:2] if stretch else _NOBODY, circumstances, ref.blocked
            last = self._one(ref, circumstances)
            decisions.append(last)
        return decisions

    def _one(self, ref: RecordRef, circumstances: Circumstances) -> Decision:
        days = self._days(ref.dates)
        if days is None:
            return self._by_itself(ref, circumstances)
        if circumstances.tax_years is not self._tax_years:  # has no hash, and is the same for all
            self._tax_years = circumstances.tax_years
            self._decided.clear()
        # `decide` looks at nothing else.
        key = (
            days,
            ref.blocked,
            ref.contested,
            tuple(ref.facts.get(name) for name in self._facts),
            circumstances.suspensions,
            circumstances.endings,
            circumstances.restrictions,
            circumstances.review,
            circumstances.can_block,
        )
        known = self._decided.get(key)
        if known is None:
            if len(self._decided) >= MOST:
                self._decided.clear()
            known = self._decided[key] = self._by_itself(ref, circumstances)
        return known

    def _by_itself(self, ref: RecordRef, circumstances: Circumstances) -> Decision:
        decision = decide(
            self._rule,
            self._zone,
            ref.dates,
            ref.blocked,
            self._now,
            facts=ref.facts,
            contested=ref.contested,
            circumstances=circumstances,
        )
        return replace(decision, ends=())

    def _days(self, dates: Mapping[str, Moment | None]) -> tuple[date | None, ...] | None:
        """The local day of each date that can decide; None where one of them says more than its day does."""
        days: list[date | None] = []
        for name in self._names:
            moment = dates.get(name)
            if moment is None:
                days.append(None)
                continue
            stretch = self._stretch(moment)
            if stretch is None:
                return None
            days.append(stretch[2])
        return tuple(days) if self._names else None

    def _stretch(self, moment: Moment) -> Stretch | None:
        """The day that `moment` is part of; None where it is not an ordinary one."""
        if moment.year not in _ORDINARY:
            return None
        if not isinstance(moment, datetime):
            return (*_NOBODY, moment)
        if moment.tzinfo is not UTC:
            return None
        near = self._stretches.get(moment.toordinal())
        if near is None:
            if len(self._stretches) >= MOST:
                self._stretches.clear()
            near = self._stretches[moment.toordinal()] = []
        for stretch in near:
            if stretch[0] <= moment < stretch[1]:
                return stretch
        found = whole_day(moment, self._zone)
        near += [found] if found is not None else []
        return found


def whole_day(moment: datetime, zone: str) -> Stretch | None:
    """The local day around `moment`; None where the clock is changed in it, so that no stretch of time is just that day."""
    day: Date = Instant(moment).to_tz(zone).date()
    low, high = midnight(day, zone), midnight(day.add(days=1), zone)
    change = Instant(low).to_tz(zone).next_transition()
    if not low <= moment < high or (change is not None and change.to_instant() < Instant(high)):
        return None
    return low, high, day.to_stdlib()


def counts_days(rule: Rule) -> bool:
    """True where of each start only the local day decides: nothing is counted from the instant, and there is no fallback."""
    if isinstance(rule.keep_at_least, Derived):
        return False
    return all(_by_days(bound) and rule.start_of(bound).else_ is None for _, bound in rule.bounds)


def _by_days(bound: Bound) -> bool:
    statute = bound.statute if isinstance(bound, Duty) else None
    return bound.counted is not Counted.EXACT and (statute is None or statute.counted is not Counted.EXACT)
