"""Every word of the model's closed lists has words for a person; a new one cannot be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest

from retentiond.engine.values import OTHER_STEP, Status
from retentiond.model.bound import Stage
from retentiond.model.decision import Reason, Verdict
from retentiond.model.period import Counted
from retentiond.model.record import Action, OutcomeKind
from retentiond.report import words
from retentiond.report.rule import BOUNDS, COUNTED


@pytest.mark.parametrize(
    ("told", "words_of_the_model"),
    [
        (words.STATUSES, Status),
        (words.OUTCOMES, OutcomeKind),
        (words.DONE, Action),
        (words.REASONS, Reason),
        (words.VERDICTS, Verdict),
        (BOUNDS, Stage),
        (COUNTED, Counted),
    ],
)
def test_each_word_has_its_own_words(told: Mapping[StrEnum, str], words_of_the_model: type[StrEnum]) -> None:
    assert set(told) == set(words_of_the_model)
    assert len(set(told.values())) == len(told)


def test_a_reason_nobody_knows_speaks_for_itself() -> None:
    assert words.why_kept("hold", Action.DELETE) == "hold"


def test_a_step_that_leaves_records_behind_does_not_claim_that_their_time_is_not_over() -> None:
    assert "or it is anonymized already" in words.why_kept(Reason.NOT_DUE, Action.ANONYMIZE)
    assert words.why_kept(Reason.NOT_DUE, Action.DELETE) == words.REASONS[Reason.NOT_DUE]
    assert "other step" in words.why_kept(OTHER_STEP, Action.DELETE)
