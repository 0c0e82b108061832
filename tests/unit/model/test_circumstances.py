"""What must hold whatever rules, dates, persons and registers say: nothing goes too early, held or undated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from support.dates import instants, zones
from support.reference import end_by_walking
from support.rules import circumstances, dates, rule, suspensions, triggers, whole_rules

from retentiond.model.bound import Stage
from retentiond.model.circumstances import PLAIN, Circumstances, ReviewDecision, ReviewWord, Suspension, Trigger
from retentiond.model.decision import Decision, Reason, Verdict, decide, searches, start_of, steps
from retentiond.model.due import Start
from retentiond.model.hold import HoldKind
from retentiond.model.law import CLASSES
from retentiond.model.record import Action, Dates, Fact
from retentiond.model.rule import Rule
from retentiond.model.tax import TaxYear

EARLY = datetime(1971, 1, 1, tzinfo=UTC)
facts: st.SearchStrategy[Mapping[str, Fact]] = st.fixed_dictionaries({"closed": st.sampled_from([True, True, False, None])})
shifts = st.sampled_from([timedelta(), timedelta(microseconds=-1), timedelta(days=1), timedelta(days=-8), timedelta(days=3000)])


def near(one: Rule, zone: str, known: Dates, told: Circumstances, shift: timedelta) -> datetime:
    """A moment near one at which something changes for the record."""
    decision = decide(one, zone, known, False, EARLY, circumstances=told)
    moment = decision.act_from or decision.due_at or decision.block_at or datetime(2030, 1, 1, tzinfo=UTC)
    return moment + shift if EARLY < moment < datetime(2600, 1, 1, tzinfo=UTC) else datetime(2030, 1, 1, tzinfo=UTC)


def goes(decision: Decision) -> bool:
    return decision.step not in (None, Action.BLOCK)


@settings(max_examples=800)
@given(whole_rules(), zones, dates, facts, st.booleans(), circumstances, shifts)
def test_nothing_goes_that_had_to_stay(
    one: Rule, zone: str, known: Dates, told_facts: Mapping[str, Fact], blocked: bool, told: Circumstances, shift: timedelta
) -> None:
    now = near(one, zone, known, told, shift)
    decision = decide(one, zone, known, blocked, now, facts=told_facts, circumstances=told)
    if not goes(decision):
        return
    duty = one.duty
    if duty is not None:
        start = start_of(one.start_of(duty), known, zone)
        assert isinstance(start, Start), "it went though nobody can tell when its duty began"
        assert end_by_walking(start, duty.term, zone) <= now, "it went before its own minimum"
        if duty.statute:
            law = duty.statute
            days = timedelta(days=law.guard.whole_days)
            assert end_by_walking(start, law.term, zone).astimezone(ZoneInfo(zone)) + days <= now.astimezone(ZoneInfo(zone))
    for suspension in told.suspensions:
        if one.holds is None or suspension.kind in one.holds or suspension.kind is HoldKind.REQUEST:
            assert suspension.end is not None
            assert suspension.end <= now, "it went though it was held"
    if one.requires:
        assert told_facts["closed"] is True
    if one.review_after and one.review_after.no_decision is None and not told.endings:
        capped = any(end.stage is Stage.DELETE_BY and end.end is not None for end in decision.ends)
        decided = told.review is not None and told.review.word is ReviewWord.DELETE
        assert capped or decided, "it went though nobody had decided"


@settings(max_examples=400)
@given(whole_rules(), zones, dates, st.booleans(), circumstances, suspensions, shifts)
def test_a_hold_more_never_lets_anything_go_earlier_and_never_hinders_a_block(
    one: Rule, zone: str, known: Dates, blocked: bool, told: Circumstances, more: Suspension, shift: timedelta
) -> None:
    now = near(one, zone, known, told, shift)
    held = replace(told, suspensions=(*told.suspensions, more))
    without, with_it = (decide(one, zone, known, blocked, now, circumstances=each) for each in (told, held))
    if goes(with_it):
        assert goes(without)
    if without.step is Action.BLOCK:
        assert with_it.step is Action.BLOCK
    if with_it.act_from is not None:
        assert without.act_from is not None
        assert without.act_from <= with_it.act_from


@settings(max_examples=400)
@given(whole_rules(), zones, dates, circumstances, triggers, shifts)
def test_a_trigger_never_cuts_a_duty_short(
    one: Rule, zone: str, known: Dates, told: Circumstances, more: Trigger, shift: timedelta
) -> None:
    now = near(one, zone, known, told, shift)
    decision = decide(one, zone, known, False, now, circumstances=replace(told, endings=(*told.endings, more)))
    duty = next((end.end for end in decision.ends if end.stage is Stage.KEEP_AT_LEAST), None)
    if goes(decision) and duty is not None:
        assert duty <= now


@settings(max_examples=300)
@given(whole_rules(), zones, dates, st.booleans(), circumstances, instants)
def test_a_contested_record_is_left_alone(
    one: Rule, zone: str, known: Dates, blocked: bool, told: Circumstances, now: datetime
) -> None:
    decision = decide(one, zone, known, blocked, now, contested=True, circumstances=told)
    assert decision.step is None
    assert decision.due_at is None


@settings(max_examples=600)
@given(whole_rules(), zones, dates, st.booleans(), st.lists(suspensions, max_size=2), shifts)
def test_whatever_is_due_by_its_dates_some_search_admits_though_holds_are_in_the_way(
    one: Rule, zone: str, known: Dates, blocked: bool, held: list[Suspension], shift: timedelta
) -> None:
    told = Circumstances(suspensions=tuple(held), tax_years={})
    now = near(one, zone, known, told, shift)
    decision = decide(one, zone, known, blocked, now, circumstances=told)
    by_tax = not {HoldKind.TAX_HOLD, HoldKind.TAX_AUDIT}.isdisjoint(one.holds or ())
    suspended = bool(held) or by_tax
    if decision.step is not None:
        assert suspended or decision.step in steps(one)
        passes = searches(one, zone, decision.step, now, suspended=suspended)
        assert any(cutoff.admits(known) for cutoff in passes)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


def voucher(**more: object) -> Rule:
    duty = {"class": "voucher", "period": "P8Y", "counted": "calendar-year-end"}
    keys = {"starts": "at", "keep_at_least": duty, "delete_after": "keep_at_least", "holds": ["tax-hold", "tax-audit"]}
    return rule(**(keys | more))


def at(one: Rule, start: date, now: datetime, **more: Circumstances) -> Decision:
    return decide(one, "Europe/Berlin", {"at": start}, False, now, **more)  # type: ignore[arg-type]


def test_nothing_goes_in_the_first_week_of_the_year_by_a_statute() -> None:
    decision = at(voucher(), date(2017, 5, 1), berlin("2026-01-07T23:59:59"))
    assert (decision.due_at, decision.reason, decision.step) == (berlin("2026-01-01"), Reason.GUARDED, None)
    assert at(voucher(), date(2017, 5, 1), berlin("2026-01-08")).step is Action.DELETE


def test_the_law_counts_where_the_rule_would_be_shorter() -> None:
    short = {"class": "voucher", "period": "P1Y", "counted": "day-end"}
    assert at(voucher(keep_at_least=short), date(2017, 5, 1), EARLY).due_at == berlin("2026-01-01")


def test_a_year_that_was_never_filed_is_held_until_the_seventh_year_is_over() -> None:
    letter = {"class": "business-letter", "period": "P6Y", "counted": "calendar-year-end"}
    told = Circumstances(tax_years={})
    decision = at(voucher(keep_at_least=letter), date(2019, 6, 15), berlin("2026-03-01"), circumstances=told)
    assert (decision.verdict, decision.step, decision.due_at) == (Verdict.HELD, Action.BLOCK, berlin("2027-01-01"))
    filed = Circumstances(tax_years={2019: TaxYear(2019, filed_on=date(2020, 5, 1))})
    assert at(voucher(keep_at_least=letter), date(2019, 6, 15), berlin("2026-03-01"), circumstances=filed).step is Action.DELETE
    audited = Circumstances(tax_years={2019: TaxYear(2019, filed_on=date(2020, 5, 1), audit_since=date(2024, 1, 1))})
    assert at(voucher(keep_at_least=letter), date(2019, 6, 15), berlin("2030-03-01"), circumstances=audited).due_at is None


def test_work_begins_ahead_of_a_cap_and_never_ahead_of_a_duty() -> None:
    cap = {"period": "P12M", "counted": "day-end", "lead": "P7D"}
    one = rule(starts="at", delete_by=cap)
    start, end = date(2025, 3, 10), berlin("2026-03-11")
    assert at(one, start, end - timedelta(days=7, microseconds=1)).step is None
    ahead = at(one, start, end - timedelta(days=7))
    assert (ahead.step, ahead.reason, ahead.due_at) == (Action.DELETE, Reason.AHEAD_OF_CAP, end)
    kept = rule(
        starts="at",
        keep_at_least={"period": "P12M", "counted": "day-end"},
        delete_after="keep_at_least",
        delete_by=cap,
    )
    assert at(kept, start, end - timedelta(microseconds=1)).step is None


def test_an_event_that_has_not_come_is_no_unknown_date() -> None:
    one = rule(
        delete_after={"period": "P3Y", "counted": "calendar-year-end", "from": {"after_last_day": "end", "missing": "not-yet"}}
    )
    decision = decide(one, "Europe/Berlin", {"end": None}, False, berlin("2090-01-01"))
    assert (decision.verdict, decision.reason, decision.due_at) == (Verdict.MUST_KEEP, Reason.NOT_YET, None)


class TestReview:
    def rule(self, wait: object = None) -> Rule:
        fallback = wait or {"block": "P30D", "delete": "P90D"}
        review = {"period": "P2Y", "counted": "day-end", "owner": "sales", "no_decision": fallback}
        return rule(starts="at", review_after=review)

    def test_a_record_waits_for_a_word_is_blocked_without_one_and_goes_at_last(self) -> None:
        one, start, due = self.rule(), date(2024, 2, 10), berlin("2026-02-11")
        waiting = at(one, start, due)
        assert (waiting.step, waiting.reason, waiting.review_at) == (None, Reason.REVIEW_DUE, due)
        assert at(one, start, berlin("2026-03-13")).step is Action.BLOCK
        assert at(one, start, berlin("2026-05-11")).step is Action.BLOCK
        assert at(one, start, berlin("2026-05-12")).step is Action.DELETE

    def test_a_word_to_keep_begins_it_anew(self) -> None:
        keep = Circumstances(review=ReviewDecision(ReviewWord.KEEP, berlin("2026-02-20"), berlin("2027-02-20")))
        decision = at(self.rule(), date(2024, 2, 10), berlin("2026-06-01"), circumstances=keep)
        assert (decision.step, decision.review_at) == (None, berlin("2027-02-20"))
        assert at(self.rule(), date(2024, 2, 10), berlin("2027-05-21"), circumstances=keep).step is Action.DELETE

    def test_a_word_to_delete_is_followed_and_one_to_block_too(self) -> None:
        gone = Circumstances(review=ReviewDecision(ReviewWord.DELETE, berlin("2026-02-20")))
        assert at(self.rule("none"), date(2024, 2, 10), berlin("2026-02-20"), circumstances=gone).step is Action.DELETE
        block = Circumstances(review=ReviewDecision(ReviewWord.BLOCK, berlin("2026-02-20")))
        assert at(self.rule("none"), date(2024, 2, 10), berlin("2026-02-20"), circumstances=block).step is Action.BLOCK

    def test_without_a_fallback_it_waits_for_ever(self) -> None:
        decision = at(self.rule("none"), date(2024, 2, 10), berlin("2090-01-01"))
        assert (decision.step, decision.reason, decision.due_at) == (None, Reason.REVIEW_DUE, None)


def test_a_requirement_keeps_what_would_go_and_an_unknown_fact_is_never_it() -> None:
    one = rule(starts="at", delete_after={"period": "P1Y", "counted": "day-end"}, requires=[{"fact": "archived", "is": True}])
    start, now = {"at": date(2020, 1, 1)}, berlin("2026-01-01")
    told: list[dict[str, Fact]] = [{}, {"archived": None}, {"archived": False}, {"archived": "True"}, {"other": True}]
    for each in told:
        decision = decide(one, "UTC", start, False, now, facts=each)
        assert (decision.step, decision.reason, decision.unmet) == (None, Reason.REQUIREMENT, ("archived",))
    assert decide(one, "UTC", start, False, now, facts={"archived": True}).step is Action.DELETE


def test_every_class_of_the_catalogue_is_no_shorter_than_what_it_was_shortened_from_before_the_new_law() -> None:
    for name, law in CLASSES.items():
        assert law.period.whole_months >= 12, name
        if law.shortened:
            assert law.shortened.from_.whole_months > law.period.whole_months


def test_plain_circumstances_change_nothing() -> None:
    assert Circumstances() == PLAIN
