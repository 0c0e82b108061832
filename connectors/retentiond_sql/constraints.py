"""Whether the schema lets records be anonymized, or moved, as the settings say."""

from __future__ import annotations

import sqlalchemy as sa

from retentiond.connector import Finding
from retentiond_sql.layout import Layout
from retentiond_sql.options import Anonymize, Block, Constant, Pseudonym, Strategy
from retentiond_sql.schema import Column, Table, never_twice, references_on
from retentiond_sql.strategies import PSEUDONYM_LENGTH, REDACTED, for_all


def anonymizing_findings(connection: sa.Connection, layout: Layout, anonymize: Anonymize) -> list[Finding]:
    """Everything in the schema that stands against these strategies, and columns that nobody has thought of."""
    findings: list[Finding] = []
    for table in [layout.table] if layout.moved is None else [layout.table, layout.moved]:
        findings += _of_table(connection, layout, anonymize, table)
    return findings


def _of_table(connection: sa.Connection, layout: Layout, anonymize: Anonymize, table: Table) -> list[Finding]:
    where = f"of the table {table} ({layout.target})"
    absent = sorted({*anonymize.columns, *anonymize.kept} - table.columns.keys())
    if absent:
        return [Finding(f"There is no column {', '.join(absent)} {where}, which `anonymize` names.")]
    findings = []
    unclassified = [name for name in table.columns if name not in _classified(layout, anonymize)]
    if unclassified:
        findings.append(
            Finding(
                f"The columns {', '.join(unclassified)} {where} are named nowhere and would stay. Give each a strategy "
                f"under `anonymize.columns`, or name it under `anonymize.kept`."
            )
        )
    unique = never_twice(connection, table)
    referred = {name for reference in references_on(connection, table) for name in reference.referred}
    for name, strategy in anonymize.columns.items():
        against = _against(table.columns[name], strategy, unique=name in unique, referred=name in referred)
        if against:
            findings.append(Finding(f"The column {name} {where} cannot be anonymized like that: {against}."))
        if isinstance(strategy, Pseudonym):
            findings.append(
                Finding(
                    f"The column {name} {where} is pseudonymized, not anonymized: who holds the key can link it.",
                    refuses=False,
                )
            )
    return findings


def _classified(layout: Layout, anonymize: Anonymize) -> set[str]:
    named = layout.options.deciding() | layout.options.flagged()
    return named | {*anonymize.columns, *anonymize.marker, *anonymize.kept}


def _against(column: Column, strategy: Strategy, *, unique: bool, referred: bool) -> str | None:
    if column.generated:
        return "the database computes it"
    if referred:
        return "foreign keys refer to it"
    if strategy in {None, "null"} and not column.nullable:
        return "it is NOT NULL"
    if unique and not (strategy in {None, "null"} or isinstance(strategy, Pseudonym)):
        return "its values have to be unique"
    if isinstance(column.type, sa.Enum) and strategy not in {None, "null"} and for_all(strategy) not in column.type.enums:
        return "it does not know that value"
    length = getattr(column.type, "length", None) if isinstance(column.type, sa.String) else None
    needed = _length(strategy)
    if length is not None and needed > length:
        return f"it holds {length} characters, and {needed} are needed"
    if needed and isinstance(column.type, (sa.Integer, sa.Numeric, sa.Float, sa.DateTime, sa.Date, sa.Boolean, sa.Uuid)):
        return "it does not hold text"
    return None


def _length(strategy: Strategy) -> int:
    match strategy:
        case "redact":
            return len(REDACTED)
        case Pseudonym():
            return PSEUDONYM_LENGTH
        case Constant(constant=str() as text):
            return len(text)
    return 0


def field_findings(connection: sa.Connection, layout: Layout) -> list[Finding]:
    """Everything in the schema that stands against emptying these fields, and columns that nobody has thought of."""
    options, table = layout.options, layout.table
    where = f"of the table {table} ({layout.target})"
    named = options.deciding().union(options.subjects.values(), options.flagged(), options.fields, options.kept)
    unclassified = [name for name in table.columns if name not in named]
    findings = []
    if unclassified:
        findings.append(
            Finding(
                f"The columns {', '.join(unclassified)} {where} are named nowhere and would stay. Name each under `fields` "
                f"where it goes with them, or under `kept`."
            )
        )
    referred = {name for reference in references_on(connection, table) for name in reference.referred}
    for name in options.fields:
        against = _against(table.columns[name], None, unique=False, referred=name in referred)
        if against:
            findings.append(Finding(f"The column {name} {where} cannot be emptied: {against}."))
    return findings


def unblocking_findings(layout: Layout, block: Block) -> list[Finding]:
    """Everything that stands against taking the flag back, or moving rows back."""
    where = f"of the table {layout.table} ({layout.target})"
    if layout.moved is not None:
        fixed = sorted(name for name, column in layout.table.columns.items() if column.fixed)
        what = (
            f"The database itself numbers the columns {', '.join(fixed)} {where}, so no row moves back. Make them ordinary ones."
        )
        return [Finding(what)] if fixed else []
    free = block.unflagged()
    if free is None:
        what = f"Nobody has said which values mean that a record of {layout.target} is not blocked. Say it under `block.unflag`."
        return [Finding(what)]
    emptied = [name for name, value in {**free, **({block.at: None} if block.at else {})}.items() if value is None]
    return [
        Finding(f"The column {name} {where} is NOT NULL or missing, so it cannot be emptied when a record is unblocked.")
        for name in emptied
        if name not in layout.table.columns or not layout.table.columns[name].nullable
    ]


def moving_findings(layout: Layout, block: Block) -> list[Finding]:
    """Everything that stands against setting the flag, or moving rows to the other table."""
    if layout.moved is None:
        absent = [] if block.at is None or block.at in layout.table.columns else [block.at]
        return [
            Finding(f"There is no column {name} of the table {layout.table} ({layout.target}), which `block` names.")
            for name in absent
        ]
    findings = []
    here = {name for name, column in layout.table.columns.items() if not column.computed}
    fixed = sorted(name for name in here & layout.moved.columns.keys() if layout.moved.columns[name].generated)
    if fixed:
        findings.append(
            Finding(
                f"The database itself fills the columns {', '.join(fixed)} of {layout.moved}, so rows of {layout.target} would "
                f"not be the same there. Make them ordinary columns."
            )
        )
    absent = sorted(here - layout.moved.columns.keys())
    if absent:
        findings.append(
            Finding(
                f"The table {layout.moved} lacks the columns {', '.join(absent)}, so rows of {layout.target} cannot be moved."
            )
        )
    unfilled = [
        name
        for name, column in layout.moved.columns.items()
        if name not in here and not (column.nullable or column.has_default or column.generated)
    ]
    if unfilled:
        findings.append(
            Finding(f"The columns {', '.join(unfilled)} of {layout.moved} must be filled, which rows of {layout.target} do not.")
        )
    return findings
