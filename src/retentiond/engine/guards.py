"""The belts, on by default: each looks at a whole plan, and one refusal means that nothing of it runs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from retentiond.engine.values import StepPlan
from retentiond.model.record import Action
from retentiond.model.rule import Limits
from retentiond.settings import Guards

ENOUGH_HISTORY = 3
"""Fewer runs than this say nothing about what is usual."""


def refusals(
    plan: StepPlan, limits: Limits | None, guards: Guards, *, done_lately: int, history: Sequence[int], plan_approved: bool
) -> list[str]:
    """Say why this plan must not run, as finished sentences; an empty list means no guard objects.

    `done_lately` counts what the rule's step did in the last 24 hours, `history` what it did in earlier runs,
    newest first. A person who approved just this plan (`plan_approved`) has seen its size: then only the
    absolute limits still hold.
    """
    if plan.due == 0:
        return []
    found: list[str] = []
    most = limits.records if limits and limits.records is not None else guards.records
    if plan.due + done_lately > most:
        lately = f" and {done_lately:,} were done in the last 24 hours" if done_lately else ""
        found.append(
            f"Rule {plan.rule} would {plan.action} {plan.due:,} records of {plan.target}{lately}; its limit is {most:,} a day. "
            f"Look at the plan, and raise `limits: records` of the rule if it is right."
        )
    share = limits.share if limits and limits.share is not None else guards.share
    if plan.due > share * plan.population:
        part = f" ({plan.due / plan.population:.1%})" if plan.population else ""  # they came while the others were counted
        found.append(
            f"Rule {plan.rule} would {plan.action} {plan.due:,} of {plan.population:,} records of {plan.target}"
            f"{part}; its limit is {share:.0%}. "
            f"Look at the plan, and raise `limits: share` of the rule if it is right."
        )
    undatable = limits.undatable if limits and limits.undatable is not None else guards.undatable
    if plan.action is not Action.BLOCK and plan.undatable > undatable * plan.population:
        found.append(
            f"{plan.undatable:,} of {plan.population:,} records of {plan.target} have no provable date; "
            f"more than {undatable:.0%} means that the date is read wrongly. Look at the date in the settings, "
            f"or raise `limits: undatable` of rule {plan.rule}."
        )
    if not plan_approved and len(history) >= ENOUGH_HISTORY:
        usual = median(history)
        most_usual = max(guards.spike * usual, guards.spike_floor)
        if plan.due > most_usual:
            found.append(
                f"Rule {plan.rule} would {plan.action} {plan.due:,} records; {usual:,.0f} are usual and {most_usual:,.0f} "
                f"the most without a look. If it is right, save this plan and approve it: "
                f"`retentiond plan --rule {plan.rule} -o FILE`, `retentiond approve plan FILE --by STAFF-ID`."
            )
    return found
