"""A person's word about a record that is up for review: four eyes where the rule asks, and never longer than one period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.workbench import LEADS, START, Workbench, rule

from retentiond.engine.reviewing import Reviewed, attest, decide_review
from retentiond.errors import ConfigurationError
from retentiond.model.circumstances import ReviewWord
from retentiond.store import AttestationResult, ReviewItem

DAY = timedelta(days=1)
REVIEW = (
    "review_after: {{period: P2Y, counted: day-end, owner: sales, four_eyes: {eyes}, no_decision: {{block: P30D, delete: P90D}}}}"
)
ATTESTED = (
    "attestations:\n  - {id: mail.provider, data_kind: {de: A, en: A}, categories: [], system: crm, every: P3M, "
    "expect: {deletion: after 30 days}}\nsystems:\n  crm: {holder: H, role: processor, connector: memory}\nrules:"
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = Workbench(tmp_path, rule(bounds=REVIEW.format(eyes="true")))
    with made.store() as store:
        store.note_reviews("crm.leads", LEADS, [(("a",), START - 5 * DAY)], "sales", START)
    return made


def item(bench: Workbench) -> ReviewItem:
    with bench.store() as store:
        return store.reviews()[0]


def decide(
    bench: Workbench,
    word: ReviewWord = ReviewWord.KEEP,
    by: str = "staff-1",
    until: datetime | None = START + 100 * DAY,
    reason: str | None = "C-1",
    review: str | None = None,
) -> Reviewed:
    with bench.store() as store:
        return decide_review(bench.workplace(), store, review or item_id(bench), word, by, bench.now, until=until, reason=reason)


def item_id(bench: Workbench) -> str:
    return item(bench).id


def test_to_keep_a_record_takes_the_same_word_of_two_persons(bench: Workbench) -> None:
    assert not decide(bench).settled
    assert item(bench).waiting
    with bench.store() as store:
        assert store.review_words("crm.leads") == {}
    assert decide(bench, by="staff-2", until=None, reason=None).settled
    settled = item(bench)
    assert settled.decision is not None
    assert (settled.by, settled.second_by, settled.waiting) == ("staff-1", "staff-2", False)
    assert (settled.decision.until, settled.decision.reference) == (START + 100 * DAY, "C-1")


def test_the_same_person_twice_is_refused_whatever_the_date(bench: Workbench) -> None:
    decide(bench)
    for until in (START + 100 * DAY, START + 50 * DAY):
        with pytest.raises(ConfigurationError, match="somebody else has to give the second word"):
            decide(bench, until=until)
    assert item(bench).waiting


def test_another_word_is_a_new_proposal_and_no_second_one(bench: Workbench) -> None:
    decide(bench)
    assert not decide(bench, by="staff-2", until=START + 50 * DAY).settled
    assert item(bench).proposed_by == "staff-2"
    assert decide(bench, by="staff-1", until=None, reason=None).settled


def test_a_rule_without_four_eyes_takes_one_word(bench: Workbench) -> None:
    bench.write_rules(rule(bounds=REVIEW.format(eyes="false")))
    assert decide(bench).settled


@pytest.mark.parametrize("word", [ReviewWord.BLOCK, ReviewWord.DELETE])
def test_to_block_or_delete_takes_one_word(bench: Workbench, word: ReviewWord) -> None:
    assert decide(bench, word, until=None, reason=None).settled
    with pytest.raises(ConfigurationError, match="decided already"):
        decide(bench, word, until=None, reason=None)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"until": None}, "needs a reason and a date"),
        ({"reason": None}, "needs a reason and a date"),
        ({"until": START}, "over already"),
        ({"until": datetime(2028, 3, 2, tzinfo=UTC)}, "later than one more period"),
        ({"reason": "because Ann Muster"}, "reference"),
        ({"by": "Ann Muster"}, "staff id"),
        ({"review": "0000"}, "There is no review 0000"),
        ({"word": ReviewWord.DELETE}, "leave out `--until`"),
    ],
)
def test_bad_words_are_told_in_one_sentence_and_nothing_changes(bench: Workbench, how: dict[str, object], words: str) -> None:
    before = item(bench)
    with pytest.raises(ConfigurationError, match=words):
        decide(bench, **how)  # type: ignore[arg-type]
    assert item(bench) == before


def test_a_record_may_be_kept_for_one_more_period_to_the_day(bench: Workbench) -> None:
    assert not decide(bench, until=datetime(2028, 3, 1, 23, tzinfo=UTC)).settled


def test_nothing_is_decided_for_a_rule_that_asks_for_no_review_any_more(bench: Workbench) -> None:
    review = item_id(bench)
    bench.write_rules(rule())
    with pytest.raises(ConfigurationError, match="asks for no review any more"):
        decide(bench, review=review)


def test_what_was_decided_reaches_the_rule(bench: Workbench) -> None:
    bench.crm.put("leads", "a", {"created": START - 2 * 366 * DAY})
    decide(bench, ReviewWord.DELETE, until=None, reason=None)
    decision = bench.fate("a").decision
    assert decision is not None
    assert decision.step == "delete"


def test_an_attestation_is_good_for_as_long_as_its_policy_says(bench: Workbench) -> None:
    file = bench.folder / "policies" / "made-up.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("rules:", ATTESTED), encoding="utf-8")
    with bench.store() as store:
        made = attest(bench.workplace(), store, "mail.provider", AttestationResult.MET, "C-1", "staff-1", bench.now)
        assert made.expires == datetime(2026, 6, 1, 2, 17, tzinfo=UTC)
        assert store.attestations() == [made]
        with pytest.raises(ConfigurationError, match="No policy asks for an attestation other; there are: mail"):
            attest(bench.workplace(), store, "other", AttestationResult.MET, "C-1", "staff-1", bench.now)
