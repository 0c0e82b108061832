"""What hangs on a record and belongs to another data set has a rule of its own: it goes with nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.frappe_site import FrappeSite
from support.frappe_world import LeadWorld
from support.webserver import serving

from retentiond.connector import Action, Answered
from retentiond.testing.world import Bench

LEAD = "CRM Lead"
LETTERS: dict[str, Any] = {
    "doctype": "Communication",
    "only": {"subject": "letter"},
    "dates": {"sent": {"field": "communication_date"}},
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[LeadWorld]:
    monkeypatch.setenv("KIT_FRAPPE_SECRET", "s3cret")
    site = FrappeSite()
    with serving(site.answer) as url:
        made = LeadWorld(site, url)
        made.beside = [LETTERS]
        yield made


def mail(world: LeadWorld, lead: str, subject: str) -> str:
    with world.site.lock:
        return world.site.put(
            "Communication", None, subject=subject, sender="anna@x.example", reference_doctype=LEAD, reference_name=lead
        )


def test_a_record_stays_as_long_as_a_letter_that_has_its_own_rule_hangs_on_it(world: LeadWorld) -> None:
    bench = Bench(world)
    (kept, going) = bench.put(1, 2)
    letter, chat = mail(world, kept[0], "letter"), mail(world, going[0], "chat")
    before = world.content(kept)
    answers = bench.act(Action.DELETE, bench.refs([kept, going]))
    assert [one.said for one in answers] == [Answered.FAILED, Answered.DONE]
    assert answers[0].code == "referenced"
    assert world.content(kept) == before
    assert letter in world.site.tables["Communication"]
    assert chat not in world.site.tables["Communication"]


def test_a_change_of_what_others_claim_asks_for_another_approval(world: LeadWorld) -> None:
    alone = Bench(world).options
    world.beside = [{**LETTERS, "only": {"subject": "invoice"}}]
    assert Bench(world).options != alone
