"""`retentiond explain`: what becomes of one record, and when."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.audit import read_log
from retentiond.cli.session import moment_of, settings_of, target_of
from retentiond.cli.state import registers_of
from retentiond.cli.terminal import say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import log_place
from retentiond.engine.explain import explain as fates_of
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.errors import StateError
from retentiond.model.record import Target
from retentiond.report.fate import explain_json, explain_text
from retentiond.report.log import Trace
from retentiond.report.phrases import Lang


def explain(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="SYSTEM/DATASET", help="The data set.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The record's key, as the connector writes it.")],
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="WHEN", help="Decide for this moment (ISO 8601; a day alone begins in UTC).")
    ] = None,
    lang: Annotated[Lang, typer.Option("--lang", help="The language of the answer.")] = Lang.EN,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Tell the fate of one record. Its dates, each bound, the verdict, and what the deletion log says about it."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    target = target_of(dataset)
    moment = moment_of(as_of, utc_now())
    fates = fates_of(workplace, registers_of(settings, workplace), target, key, moment)
    traces, remark = _traces(workplace, target, key)
    if json:
        say_json(explain_json(fates, moment, traces, remark))
    else:
        rules = {one.rule.id: one for one in workplace.at(moment).assignments}
        say(explain_text(fates, rules, key, moment, traces, remark, lang))


def _traces(workplace: Workplace, target: Target, key: str) -> tuple[list[Trace], str | None]:
    """What the log says about the record, and why it could not be asked where that is so."""
    try:
        with read_log(log_place(workplace.settings)) as log:
            entries = log.find(target, workplace.targets[target].connector.key(key))
            return [Trace(entry, log.entry(int(entry.fields["i"]))) for entry in entries], None
    except StateError as error:
        return [], str(error)
