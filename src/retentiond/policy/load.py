"""Reads the policies: one file, or every `*.yaml` of a folder. All problems of all files are told at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from retentiond.document import build, read
from retentiond.errors import ConfigurationError, Problem
from retentiond.model.policy import Policy
from retentiond.model.record import Target
from retentiond.policy.cases import check_cases
from retentiond.policy.derived import derived
from retentiond.policy.lint import Severity, lint
from retentiond.policy.loaded import LoadedPolicy


def load(path: Path) -> tuple[LoadedPolicy, ...]:
    """Read the policy file `path`, or every `*.yaml` directly in the folder `path`, by name; hidden files are ignored.

    Raises `ConfigurationError` with all problems of all files, cases that do not hold included.
    A folder without a policy is an error.
    """
    problems: list[Problem] = []
    loaded: list[LoadedPolicy] = []
    for file in _files(path, problems):
        try:
            document = read(file)
            loaded.append(LoadedPolicy(build(document, Policy), file, document.digest, document))
        except ConfigurationError as error:
            problems += error.problems
    problems += _twice(loaded)
    loaded = derived(loaded, problems)
    for one in loaded:
        # A rule that does not come out as its own worked cases say is not what somebody meant; nothing may go by it.
        problems += check_cases(one.policy, one.place)
        problems += [
            Problem(one.place(("rules", found.rule)), f"rules[{found.rule}]", str(found))
            for found in lint(one.policy)
            if found.severity is Severity.ERROR
        ]
    if problems:
        raise ConfigurationError("The policies cannot be used; nothing was done.", problems)
    return tuple(loaded)


def _files(path: Path, problems: list[Problem]) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    except OSError:
        problems.append(Problem(str(path), "", "the folder of policies cannot be read; look at its permissions"))
        return []
    problems += [
        Problem(str(entry), "", f"only *.yaml is read; rename the file to {entry.stem}.yaml")
        for entry in entries
        if entry.suffix != ".yaml" and entry.suffix.lower() in (".yml", ".yaml")
    ]
    files = [entry for entry in entries if entry.suffix == ".yaml"]
    if not files and not problems:
        problems.append(Problem(str(path), "", "the folder holds no policy; one is a file that ends in .yaml"))
    return files


def in_force(policies: Sequence[LoadedPolicy], now: datetime) -> tuple[LoadedPolicy, ...]:
    """Of each policy the version that counts at `now` (aware UTC): the newest whose first day has begun in its zone."""
    newest: dict[str, LoadedPolicy] = {}
    for one in sorted(policies, key=lambda one: one.policy.valid_from):
        if one.policy.valid_from <= now.astimezone(ZoneInfo(one.policy.zone)).date():
            newest[one.policy.policy] = one
    return tuple(one for one in policies if newest.get(one.policy.policy) is one)


def newest(policies: Sequence[LoadedPolicy]) -> tuple[LoadedPolicy, ...]:
    """Of each policy the version that begins last, whether or not its first day has come."""
    last = {one.policy.policy: one for one in sorted(policies, key=lambda one: one.policy.valid_from)}
    return tuple(one for one in policies if last[one.policy.policy] is one)


def _twice(policies: Sequence[LoadedPolicy]) -> Iterator[Problem]:
    """Names must be unique over all policies, and no data set is governed by two rules.

    Versions of one policy, which begin on different days, may share both.
    """
    versions: dict[tuple[str, date], str] = {}
    rules: dict[str, tuple[str, str]] = {}
    targets: dict[Target, tuple[str, str]] = {}
    for loaded in policies:
        name = loaded.policy.policy
        version = name, loaded.policy.valid_from
        if version in versions:
            what = f"a policy named {name} that is valid from that day is already at {versions[version]}"
            yield Problem(loaded.place(("policy",)), "policy", what)
        versions.setdefault(version, loaded.place(("policy",)))
        named = [("rules", number, rule.id) for number, rule in enumerate(loaded.policy.rules)]
        named += [("attestations", number, attested.id) for number, attested in enumerate(loaded.policy.attestations)]
        for kind, number, rule_id in named:
            where = loaded.place((kind, number, "id"))
            owner, other = rules.get(rule_id, (name, ""))
            if owner != name:
                yield Problem(where, f"{kind}[{number}].id", f"a rule named {rule_id} is already at {other}")
            rules.setdefault(rule_id, (name, where))
        for number, rule in enumerate(loaded.policy.rules):
            target = Target(rule.target.system, rule.target.dataset)
            where = loaded.place(("rules", number, "target"))
            owner, other = targets.get(target, (name, ""))
            if owner != name:
                what = f"{target} is already governed by the rule at {other}; one data set has one rule"
                yield Problem(where, f"rules[{number}].target", what)
            targets.setdefault(target, (name, where))
        yield from _twice_within(loaded)


def _twice_within(loaded: LoadedPolicy) -> Iterator[Problem]:
    seen: dict[Target, str] = {}
    for number, rule in enumerate(loaded.policy.rules):
        target = Target(rule.target.system, rule.target.dataset)
        where = loaded.place(("rules", number, "target"))
        if target in seen:
            what = f"{target} is already governed by the rule at {seen[target]}; one data set has one rule"
            yield Problem(where, f"rules[{number}].target", what)
        seen.setdefault(target, where)
