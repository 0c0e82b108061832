"""The privacy notice and the rules side by side: what is promised for each activity, and what is done about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retentiond.model.bound import Duty
from retentiond.model.policy import Attested, Policy
from retentiond.model.rule import Rule
from retentiond.policy.lint import lint
from retentiond.policy.loaded import LoadedPolicy
from retentiond.report.phrases import Lang, counting, stage, to_do

_HEADS = {
    Lang.DE: ("Regel", "Datenart", "was geschieht", "System", "Rechtsgrundlage"),
    Lang.EN: ("rule", "kind of data", "what happens", "system", "basis"),
}

_PROMISED = {Lang.DE: "Zugesagt", Lang.EN: "Promised"}
_FINDINGS = {Lang.DE: "Befunde", Lang.EN: "Findings"}
_ATTESTED = {Lang.DE: "bescheinigt alle", Lang.EN: "attested every"}
_REACHED = {Lang.DE: "über", Lang.EN: "by"}


def notice_markdown(policies: Sequence[LoadedPolicy], lang: Lang) -> Iterator[str]:
    """Yield the lines of a page in Markdown: for each activity its promise, its rules and attestations, and what is doubtful."""
    for loaded in policies:
        policy = loaded.policy
        yield f"## {getattr(policy.title, lang.value)}"
        yield ""
        yield f"{_PROMISED[lang]}: “{policy.notice}”"
        yield ""
        heads = _HEADS[lang]
        yield _row(heads)
        yield _row(["---"] * len(heads))
        for rule in policy.rules:
            yield _row(_rule(rule, policy, lang))
        for attested in policy.attestations:
            yield _row(_attested(attested, policy, lang))
        yield ""
        if findings := lint(policy):
            yield f"{_FINDINGS[lang]}:"
            yield ""
            yield from (f"- `{policy.rules[finding.rule].id}`: {finding}" for finding in findings)
            yield ""


def _rule(rule: Rule, policy: Policy, lang: Lang) -> list[str]:
    bounds = [f"{stage(what, lang)} {bound.period} {counting(bound.counted, lang)}" for what, bound in rule.bounds]
    basis = list(rule.basis or policy.basis)
    if isinstance(rule.keep_at_least, Duty) and rule.keep_at_least.statute:
        basis += [one for one in rule.keep_at_least.statute.basis if one not in basis]
    what = "; ".join(bounds) + f" → {to_do(rule.action, lang)}"
    return [
        f"`{rule.id}`",
        getattr(rule.data_kind, lang.value),
        what,
        _system(rule.target.system, policy, lang),
        ", ".join(basis),
    ]


def _attested(attested: Attested, policy: Policy, lang: Lang) -> list[str]:
    expected = ", ".join(f"{name} {value}" for name, value in attested.expect.items())
    what = f"{_ATTESTED[lang]} {attested.every}: {expected}"
    basis = ", ".join(attested.basis or policy.basis)
    return [f"`{attested.id}`", getattr(attested.data_kind, lang.value), what, _system(attested.system, policy, lang), basis]


def _system(name: str, policy: Policy, lang: Lang) -> str:
    info = policy.systems.get(name)
    return name if info is None else f"{name} ({info.holder}), {_REACHED[lang]} `{info.connector}`"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
