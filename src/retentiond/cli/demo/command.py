"""`retentiond demo`: the whole job on made-up data, by the very commands a person would type."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from retentiond.cli.demo.company import Company, found
from retentiond.cli.demo.folder import make_folder, write_settings
from retentiond.cli.demo.tamper import tampered_copy
from retentiond.cli.demo.truth import LOG, Sight, look, mistakes, unchanged
from retentiond.cli.terminal import note, say
from retentiond.daemon.clock import utc_now
from retentiond.report.layout import table

STAFF = "staff-17"
SOMEBODY_ELSE = "staff-71"
REFUSED = 4
UNTRUSTWORTHY = 5


def demo(
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Work in DIR, emptied first if an earlier demo made it; otherwise in a new folder."),
    ] = None,
) -> None:
    """Show the whole job on made-up data. Exit status 1 where anything is not as promised."""
    folder = make_folder(keep)
    settings = write_settings(folder)
    story = Story(folder, settings, found(folder, utc_now()))
    story.play()
    if story.wrong:
        note("The demo did not go as promised:\n" + "\n".join(story.wrong))
        raise typer.Exit(1)


@dataclass(slots=True)
class Story:
    """The demo while it is played, and what went wrong in it."""

    folder: Path
    settings: Path
    company: Company
    wrong: list[str] = field(default_factory=list)

    def play(self) -> None:
        """Play all scenes; what is not as promised is noted in `wrong`."""
        before = look(self.company)
        self._introduce(before)

        self._scene("Are settings, policies and systems in order?")
        self._type("check", "--live")

        self._scene("The dry run: what is due, what is kept and why, what has no provable date.")
        self._type("plan")

        self._scene("Nothing is enforced before a named person has allowed it: this run changes nothing and ends with status 4.")
        self._type("run", status=REFUSED)
        self.wrong += unchanged(before, look(self.company))

        self._scene("One record's fate, before.")
        due = min(self.company.truth.to_delete["inquiries"])
        self._type("explain", "company/inquiries", due)

        self._scene("The privacy officer allows the rules. Invoices ask for more: each plan needs a person's word.")
        self._type("approve", "rule", "--all", "--by", STAFF)
        plan = self.folder / "invoices.plan"
        self._type("plan", "--rule", "accounting.invoice", "-o", str(plan), quiet=True)
        self._type("approve", "plan", str(plan), "--by", STAFF)

        self._scene("The run: intend, act, read back, conclude, batch by batch.")
        self._type("run")
        after = look(self.company)
        self._compare(before, after)

        self._scene("The same record, after.")
        self._type("explain", "company/inquiries", due)

        self._scene("The deletion log holds no key, name or address, and it verifies.")
        self._type("audit", "list", "--limit", "8")
        self._type("audit", "verify")

        self._scene("In a copy of the log, somebody puts another person's id to an approval: refused with status 5.")
        copy = tampered_copy(self.folder / "state", self.folder / "tampered", STAFF, SOMEBODY_ELSE)
        self._type("audit", "verify", status=UNTRUSTWORTHY, variables={"RETENTIOND_STATE": str(copy)})

        self._scene("A second run finds nothing to do.")
        self._type("run")
        if look(self.company) != after:
            self.wrong.append("The second run changed something.")
        self._type("status")
        self._farewell()

    def _introduce(self, before: Sight) -> None:
        truth = self.company.truth
        say(
            [
                f"A made-up company's data is in {self.folder}: a database and its web server's logs.",
                "Each record was made for one fate; at the end the data itself is counted, not retentiond's word for it.",
                "",
            ]
        )
        grid = table(
            "made-up data", "in all", "to delete", "to block", "to anonymize", "to leave alone", "undatable", right=range(1, 7)
        )
        for name in ("invoices", "inquiries", "survey_answers", "contacts", LOG):
            in_all = sum(before.log_lines.values()) if name == LOG else len(before.rows[name])
            fates = (truth.to_delete, truth.to_block, truth.to_anonymize, truth.to_keep, truth.undatable)
            grid.add_row(
                f"{name} (lines)" if name == LOG else name, f"{in_all:,}", *(f"{len(fate.get(name, ())):,}" for fate in fates)
            )
        grid.add_row(
            "customers (no rule)", f"{len(before.rows['customers']):,}", "0", "0", "0", f"{len(before.rows['customers']):,}", "0"
        )
        say([grid])

    def _compare(self, before: Sight, after: Sight) -> None:
        wrong = mistakes(self.company, before, after)
        self.wrong += wrong
        gone = sum(len(before.rows[name]) - len(after.rows[name]) for name in before.rows)
        lines = sum(before.log_lines.values()) - sum(after.log_lines.values())
        told = "every record has the fate it was made for" if not wrong else "NOT as promised: " + " ".join(wrong)
        say([f"Counted in the data itself: {gone:,} rows and {lines:,} log lines are gone; {told}."])

    def _scene(self, title: str) -> None:
        say(["", f"── {title}"])

    def _type(self, *words: str, status: int = 0, quiet: bool = False, variables: Mapping[str, str] | None = None) -> None:
        """Run one command as a process of its own, shown as typed; note where it ends otherwise than with `status`."""
        extra = dict(variables or {})
        say(
            [
                "",
                "$ "
                + " ".join([*(f"{name}={shlex.quote(value)}" for name, value in extra.items()), "retentiond", shlex.join(words)]),
            ]
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RETENTIOND_")}
        environment |= {"RETENTIOND_SETTINGS": str(self.settings), **extra}
        sys.stdout.flush()
        ended = subprocess.run(  # noqa: S603 - ourselves, with words of our own
            [sys.executable, "-m", "retentiond.cli.main", *words],
            env=environment,
            check=False,
            stdout=subprocess.DEVNULL if quiet else None,
        )
        if quiet:
            say(["(the report is left out here)"])
        if ended.returncode != status:
            self.wrong.append(f"`retentiond {shlex.join(words)}` ended with status {ended.returncode}, not {status}.")
        elif status:
            say([f"(exit status {status})"])

    def _farewell(self) -> None:
        say(
            [
                "",
                f"── Everything is kept in {self.folder}. Try:",
                "",
                *_on_path(),
                f"export RETENTIOND_SETTINGS={shlex.quote(str(self.settings))}",
                "retentiond plan --json | python3 -m json.tool",
                "retentiond plan --as-of 2030-01-01",
                f"retentiond explain company/invoices {min(self.company.truth.to_block['invoices'])}",
                "retentiond audit list --json",
            ]
        )


def _on_path() -> list[str]:
    """What a person has to type before `retentiond` is found; nothing where it is."""
    folder = Path(sys.executable).parent
    return [] if shutil.which("retentiond") else [f'export PATH={shlex.quote(str(folder))}:"$PATH"']
