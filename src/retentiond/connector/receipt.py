"""Writes down the answers of a batch as a receipt, shortly and without a key, and reads them back strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from retentiond.connector.api import MOST_ROWS, Answer, Answered, Receipt
from retentiond.connector.permit import Permit
from retentiond.model.record import FAILURE_CODES, How, RecordRef

PROVEN = frozenset({How.RECEIPT, How.XID, How.STORED_ANSWER})
"""By what it can be known that a batch was done whose answer was lost."""

MOST_RECORDS = 10**6
"""So many records no batch has; a receipt of more is not read."""

_SPAN = re.compile(r"(0|[1-9][0-9]{0,6})(?:-([1-9][0-9]{0,6}))?", re.ASCII)


def receipt_of(permit: Permit, refs: Sequence[RecordRef], answers: Sequence[Answer]) -> Receipt:
    """The receipt for these records of the permit's batch, which were answered so."""
    numbered = {permit.numbers[ref.key]: answer for ref, answer in zip(refs, answers, strict=True)}
    return Receipt(permit.count, permit.items, numbered)


def receipt_text(answers: Mapping[int, Answer]) -> str:
    """The answers as a short text of ASCII: words, codes, figures and numbers of records. How each was known is left out."""
    groups: dict[tuple[str, str, int], list[int]] = {}
    for number in sorted(answers):
        answer = answers[number]
        groups.setdefault((answer.said.value, answer.code or "", answer.rows or 0), []).append(number)
    return json.dumps([[*group, ",".join(_spans(numbers))] for group, numbers in groups.items()], separators=(",", ":"))


def read_receipt(text: str, how: How) -> dict[int, Answer]:
    """The answers that `receipt_text` wrote down, done ones known by `how`; raises `ValueError` for whatever it did not write."""
    answers: dict[int, Answer] = {}
    try:
        groups = json.loads(text)
    except RecursionError:
        raise ValueError("a receipt is not that deep") from None
    for group in groups if isinstance(groups, list) else [groups]:
        match group:
            case [str() as said, str() as code, int() as rows, str() as numbers]:
                answer = _answer(Answered(said), code, rows, how)
                answers |= dict.fromkeys(_numbers(numbers.split(",")), answer)
            case _:
                raise ValueError("a receipt tells word, code, rows and numbers")
    if receipt_text(answers) != text:
        raise ValueError("a receipt tells each number once, in order")
    return answers


def _answer(said: Answered, code: str, rows: int, how: How) -> Answer:
    if not 0 <= rows < MOST_ROWS or (said is Answered.FAILED) != (code in FAILURE_CODES):
        raise ValueError("a receipt tells known codes and possible figures")
    match said:
        case Answered.DONE:
            return Answer.done(how, rows or None)
        case Answered.FAILED:
            return Answer.failed(code)
        case Answered.NOT_FOUND:
            return Answer.not_found()
        case Answered.CHANGED:
            return Answer.changed()


def _spans(numbers: Iterable[int]) -> Iterator[str]:
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        span = [number for _, number in run]
        yield str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}"


def _numbers(spans: Iterable[str]) -> Iterator[int]:
    for span in spans:
        found = _SPAN.fullmatch(span)
        if found is None:
            raise ValueError("a receipt tells numbers")
        first = int(found[1])
        last = first if found[2] is None else int(found[2])
        if last >= MOST_RECORDS:
            raise ValueError("no batch has so many records")
        yield from range(first, last + 1)
