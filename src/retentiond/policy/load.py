"""Reads the policies: one file, or every `*.yaml` of a folder. All problems of all files are told at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retentiond.document import Document, Loc, build, read
from retentiond.errors import ConfigurationError, Problem
from retentiond.model.record import Target
from retentiond.model.rule import Policy, Rule
from retentiond.policy.cases import check_cases


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy and the file that it was read from."""

    policy: Policy
    path: Path
    file_digest: str
    """SHA-256 (hex) of the file's bytes."""
    document: Document | None = field(default=None, repr=False, compare=False)
    """What was read; None where the policy was not read from a file."""

    def where(self, rule: Rule) -> str:
        """Return `file:line:column` of one of the policy's rules."""
        return self.place(("rules", self.policy.rules.index(rule)))

    def place(self, loc: Loc) -> str:
        """Return `file:line:column` of a place in the file; the file alone where it is not known."""
        return self.document.where(loc) if self.document else str(self.path)


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
            one = LoadedPolicy(build(document, Policy), file, document.digest, document)
            # A rule that does not come out as its own worked cases say is not what somebody meant; nothing may go by it.
            problems += check_cases(one.policy, one.place)
            loaded.append(one)
        except ConfigurationError as error:
            problems += error.problems
    problems += _twice(loaded)
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


def _twice(policies: Sequence[LoadedPolicy]) -> Iterator[Problem]:
    """Names must be unique over all files, and no data set is governed by two rules."""
    names: dict[str, str] = {}
    rules: dict[str, str] = {}
    targets: dict[Target, str] = {}
    for loaded in policies:
        name = loaded.policy.policy
        if name in names:
            yield Problem(loaded.place(("policy",)), "policy", f"a policy named {name} is already at {names[name]}")
        names.setdefault(name, loaded.place(("policy",)))
        for number, rule in enumerate(loaded.policy.rules):
            place = ("rules", number)
            where = loaded.place((*place, "id"))
            if rule.id in rules:
                yield Problem(where, f"rules[{number}].id", f"a rule named {rule.id} is already at {rules[rule.id]}")
            rules.setdefault(rule.id, where)
            target = Target(rule.target.system, rule.target.dataset)
            where = loaded.place((*place, "target"))
            if target in targets:
                what = f"{target} is already governed by the rule at {targets[target]}; one data set has one rule"
                yield Problem(where, f"rules[{number}].target", what)
            targets.setdefault(target, where)
