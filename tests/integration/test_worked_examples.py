"""Every worked example, from the text of a policy to a record that is gone, and what `explain` says of it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.workbench import Workbench

from retentiond.cli.terminal import say
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.record import Moment
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject
from retentiond.model.tax import TaxYear
from retentiond.report.fate import explain_json, explain_text
from retentiond.report.phrases import Lang
from retentiond.report.shown import stamp

EXAMPLES = list(csv.DictReader((Path(__file__).parents[1] / "data/period-examples.csv").read_text().splitlines()))
BERLIN = ZoneInfo("Europe/Berlin")
SECOND = timedelta(seconds=1)
ADA = Subject("email", "ada@example.org")


def moment(text: str) -> Moment:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def aware(value: Moment, fold: int = 0) -> Moment:
    """As a connector hands it on: an instant in UTC; a naive one is wall time in Berlin."""
    if not isinstance(value, datetime):
        return value
    return (value if value.tzinfo else value.replace(tzinfo=BERLIN, fold=fold)).astimezone(UTC)


def rule_text(row: dict[str, str]) -> str:
    """The example as a person writes it."""
    *values, last = row["start"].split()
    keys: dict[str, Any] = {"id": "example", "data_kind": {"de": "Beispiel", "en": "example"}, "categories": []}
    keys |= {"target": {"system": "crm", "dataset": "leads"}, "action": "delete", "limits": "default", "approval": "rule"}
    keys["limits"] = {"records": 10, "share": "100%", "undatable": "100%"}
    start: dict[str, Any] = {"at": "created"}
    if last == "after_last_day":
        start = {"after_last_day": "created"}
    elif last == "count_start_day":
        start["count_start_day"] = True
    elif values and last != "either":
        start = {"at": ["created", "closed"], "take": "latest"}
    keys["keep_at_least"] = "none"
    for bound in filter(None, map(str.strip, row["bounds"].split(";"))):
        kind, _, term = bound.partition(" ")
        period, counted = term.split() if term else ("P8Y", "calendar-year-end")
        written = {"period": period, "counted": counted, "from": start}
        match kind:
            case "duty" | "voucher":
                letters = kind == "duty" and period == "P6Y" and row["more"].startswith("tax")
                statute = "business-letter" if letters else "voucher" if kind == "voucher" else "none"
                keys["keep_at_least"] = written | {"class": statute}
                keys.setdefault("delete_after", "keep_at_least")
                keys["holds"] = ["tax-hold", "tax-audit"] if letters else ["tax-audit"]
            case "purpose":
                keys["delete_after"] = written
            case "cap":
                keys["delete_by"] = written
    if row["more"].startswith("event"):
        keys["delete_after"] = {"period": "P0D", "counted": "exact", "from": {"at": "closed", "missing": "not-yet"}}
    if not row["bounds"]:
        keys["delete_after"] = {"period": "P0D", "counted": "exact", "from": {"at": "closed", "missing": "not-yet"}}
    return "".join(f"  {'-' if name == 'id' else ' '} {name}: {json.dumps(value)}\n" for name, value in keys.items())


class Example:
    """One example on a bench of its own."""

    def __init__(self, row: dict[str, str], folder: Path, fold: int) -> None:
        self.row = row
        self.bench = Workbench(folder, rule_text(row), basis="Art. 6(1)(a) GDPR")
        *values, last = row["start"].split()
        texts = [*values, last] if last not in {"after_last_day", "count_start_day", "either"} else values
        dates = dict(zip(("created", "closed"), (aware(moment(text), fold) for text in texts), strict=False))
        kind, *more = row["more"].split() or [""]
        if kind == "event":
            dates["closed"] = aware(moment(more[0]))
        known = [
            value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
            for value in dates.values()
        ]
        self.bench.now = max(known) + SECOND
        self.bench.crm.put("leads", "one", {"created": None, "closed": None, **dates}, subjects={ADA})
        with self.bench.store() as store:
            if kind == "tax":
                store.set_tax_year(
                    TaxYear(int(more[0]), None if more[1] == "never" else date.fromisoformat(more[1])), self.bench.now
                )
            elif kind == "hold":
                lifted = None if more == ["open"] else datetime.fromisoformat(more[0]).astimezone(UTC)
                placed, scope = self.bench.now, Scope(system="crm")
                hold = Hold("h-1", HoldKind.TAX_AUDIT, scope, "case-1", "a", placed, "a", date(2100, 1, 1), lifted_at=lifted)
                store.place_hold(hold)
            elif kind == "trigger":
                demanded = RequestKind.ERASURE if row["bounds"] else RequestKind.CONSENT_WITHDRAWN
                at = datetime.fromisoformat(more[0]).astimezone(UTC)
                store.open_request(Request("r-1", demanded, frozenset({ADA}), at, RequestState.GRANTED, "a", "case-1"))

    def at(self, now: datetime) -> None:
        """Let time pass until `now`, by all clocks."""
        self.bench.later(now - self.bench.now)

    def run(self) -> None:
        """One run, with a person's word for the clock, which leaps over years here."""
        self.bench.approve_clock()
        self.bench.run()


def test_all_worked_examples_are_tried() -> None:
    assert len({row["id"] for row in EXAMPLES}) == 36


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("row", EXAMPLES, ids=[row["id"] for row in EXAMPLES])
def test_a_worked_example_comes_out_from_policy_to_deletion(
    row: dict[str, str], fold: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if fold and not row["start"].endswith("either"):
        return  # only a time that comes twice has two readings
    example = Example(row, tmp_path, fold)
    bench = example.bench
    bench.approve()
    fate = bench.fate("one")
    decision = fate.decision
    assert decision is not None
    due = None if row["due"] == "HELD" else datetime.fromisoformat(row["due"]).astimezone(UTC)
    told = explain_json([fate], bench.now, [], None)["fates"][0]
    assert told["due_at"] == (None if due is None else stamp(due)), row["why"]
    if row["blocked"]:
        assert told["block_at"] == stamp(datetime.fromisoformat(row["blocked"]))
    rules = {one.rule.id: one for one in bench.workplace().assignments}
    for lang in Lang:
        say(explain_text([fate], rules, "one", bench.now, [], None, lang))
        words = " ".join(capsys.readouterr().out.split())
        assert due is None or due.astimezone(BERLIN).isoformat(" ", "seconds") in words

    last = due or datetime(2040, 1, 1, tzinfo=UTC)
    if last - SECOND > bench.now:
        example.at(last - SECOND)
        example.run()
        assert bench.leads() == {"one"}, "it went before it was due"
    example.at(max(last, decision.act_from or last, bench.now))
    example.run()
    assert bench.leads() == (set() if due else {"one"}), row["why"]
    assert bench.problems() == ()


def test_the_rendering_of_a_rule_is_a_policy(tmp_path: Path) -> None:
    assert io.StringIO(rule_text(EXAMPLES[0])).readline().startswith("  - id:")
    assert Workbench(tmp_path, rule_text(EXAMPLES[0])).workplace().assignments
