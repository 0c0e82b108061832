"""What a change of policies does to the records that lie there; nothing is changed by looking."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond.connector import ConnectorError
from retentiond.engine.difference import Difference, Moved, differences, live_differences
from retentiond.engine.registers import Registers
from retentiond.report.difference import difference_json, difference_text
from retentiond.testing.memory import MemoryStore

DUTY = "{class: none, period: P3Y, counted: day-end}"
OTHER = rule("crm.letters", dataset="letters", starts="written")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = Workbench(tmp_path)
    for days_old in (10, 350, 400, 500, 800, 1500):
        made.lead(f"lead-{days_old}", days_old)
    made.lead("undated", None)
    return made


def compared(bench: Workbench, old: str, new: str, *, more: str = "") -> tuple[Difference, ...]:
    bench.write_rules(old)
    was = bench.workplace().policies
    bench.write_rules(new, *([more] if more else []))
    place = bench.workplace()
    return live_differences(was, place.policies, place.targets, Registers(), bench.now)


@pytest.mark.parametrize(
    ("new", "kind", "moved"),
    [
        ("delete_after: {period: P11M, counted: day-end}", "looser", Moved(found=5, newly_due=1, earlier=5)),
        ("delete_after: {period: P2Y, counted: day-end}", "tighter", Moved(found=4, no_longer_due=2, later=4)),
        (
            "delete_after: {period: P1Y, counted: day-end}\n    delete_by: {period: P3Y, counted: day-end}",
            "looser",
            Moved(found=4),
        ),
    ],
)
def test_each_record_that_fares_otherwise_is_counted(bench: Workbench, new: str, kind: str, moved: Moved) -> None:
    (found,) = compared(bench, rule(), rule(bounds=new))
    assert (found.kind, found.moved, found.trouble) == (kind, moved, None)
    assert bench.crm.acts == 0
    assert not (bench.folder / "state").exists()


def test_a_duty_that_is_removed_protects_no_longer(bench: Workbench) -> None:
    (found,) = compared(bench, rule(duty=DUTY), rule())
    assert (found.kind, found.moved) == ("looser", Moved(found=4, newly_due=3, no_longer_protected=3, earlier=4))


def test_a_duty_that_is_added_protects_and_blocks(bench: Workbench) -> None:
    (found,) = compared(bench, rule(), rule(duty=DUTY))
    assert (found.kind, found.moved) == ("tighter", Moved(found=4, no_longer_due=3, newly_protected=3, later=4))


def test_added_and_removed_rules_are_told(bench: Workbench) -> None:
    renamed = compared(bench, rule(), rule("crm.renamed"), more=OTHER)
    assert [(one.rule, one.kind) for one in renamed] == [
        ("crm.leads", "removed"),
        ("crm.letters", "added"),
        ("crm.renamed", "added"),
    ]
    assert renamed[0].moved == Moved(found=4, no_longer_due=4)
    assert renamed[2].moved == Moved(found=4, newly_due=4)


def test_the_same_text_is_no_difference_and_no_system_is_asked(bench: Workbench) -> None:
    bench.crm.unreachable = ConnectorError("The store in memory is out of reach.", "unavailable")
    (found,) = compared(bench, rule(), rule() + "    note: only a note\n")
    assert found == Difference("crm.leads", "same", ())


def test_a_system_that_cannot_be_read_fails_its_own_rules_only(bench: Workbench) -> None:
    bench.crm.unreachable = ConnectorError("The store in memory is out of reach.", "unavailable")
    found = compared(bench, rule(), rule(bounds="delete_after: {period: P2Y, counted: day-end}"), more=_order())
    assert [(one.rule, one.trouble, one.moved is None) for one in found] == [
        ("crm.leads", "The store in memory is out of reach.", True),
        ("shop.orders", None, False),
    ]


def test_another_data_set_holds_other_records(bench: Workbench) -> None:
    bench.crm.unreachable = None
    (found,) = compared(bench, rule(), rule(dataset="letters", starts="written"))
    assert found.kind == "looser"
    assert found.trouble is not None
    assert found.moved is None


def test_no_key_is_told(bench: Workbench) -> None:
    found = compared(bench, rule(duty=DUTY), rule())
    told = str(difference_json(found, bench.now)) + "".join(
        str(getattr(one, "renderable", one)) for one in difference_text(found)
    )
    assert "3 newly due" in told
    assert "lead-" not in told


def test_memory_is_not_needed_where_only_the_texts_are_compared(bench: Workbench) -> None:
    was = bench.workplace().policies
    bench.write_rules(rule(), OTHER)
    assert [one.kind for one in differences(was, bench.workplace().policies)] == ["same", "added"]
    assert isinstance(bench.crm, MemoryStore)


def _order() -> str:
    return rule("shop.orders", system="shop", dataset="orders", starts="ordered")
