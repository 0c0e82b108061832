"""Anonymizes and blocks records: saves that only count where nobody else has saved since, and are read back field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from retentiond.connector import (
    Anonymizer,
    Answer,
    Answered,
    Blocker,
    ConnectorError,
    How,
    OutcomeUnknownError,
    Presence,
    RecordRef,
    Target,
)
from retentiond_frappe.options import FrappeConnection, FrappeOptions
from retentiond_frappe.purging import Item, Purge
from retentiond_frappe.records import Dataset, Found, state_of
from retentiond_frappe.remains import COMMENT, HISTORY, remaining
from retentiond_frappe.search import lookup
from retentiond_frappe.site import CHANGED, Gone, Refused, Site

Act = Callable[[Found], Answer]
"""Does it to one record that is as it was found."""


class FrappeBlocker(Blocker):
    """Sets and unsets the check field by which the site's own rule hides a record."""

    def __init__(self, connection: FrappeConnection, options: FrappeOptions, target: Target) -> None:
        super().__init__(target)
        self._dataset = Dataset(connection, options, target)
        self._site = Site(connection, self._dataset.who, writes=True)

    def close(self) -> None:
        """End the session."""
        self._site.close()

    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._set(refs, on=True)

    def _unblock(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._set(refs, on=False)

    def _set(self, refs: Sequence[RecordRef], *, on: bool) -> list[Answer]:
        block = self._dataset.options.block
        if block is None:
            return [Answer.failed("unsupported")] * len(refs)

        def turn(found: Found) -> Answer:
            if found.state is Presence.ANONYMIZED or (found.state is Presence.BLOCKED) is on:
                return Answer.not_found()
            return _save(self._site, self._dataset, found, {block.field: int(on)}, Presence.BLOCKED if on else Presence.PRESENT)

        return _each(self._site, self._dataset, refs, turn)


class FrappeAnonymizer(Anonymizer):
    """Sets the fields that tell of a person, and takes away comments and the history that holds what they were."""

    def __init__(self, connection: FrappeConnection, options: FrappeOptions, target: Target) -> None:
        super().__init__(target)
        self._dataset = Dataset(connection, options, target)
        self._site = Site(connection, self._dataset.who, writes=True)
        self._second = Site(connection, self._dataset.who, writes=True, administrator=True)

    def close(self) -> None:
        """End the sessions."""
        self._site.close()
        self._second.close()

    def _anonymize(self, refs: Sequence[RecordRef]) -> list[Answer]:
        how = self._dataset.options.anonymize
        if how is None or self._dataset.connection.administrator is None:
            return [Answer.failed("unsupported")] * len(refs)
        if not refs:
            return []
        if not self._second.may(HISTORY, "delete"):
            return [Answer.failed("forbidden")] * len(refs)
        self._site.see_all(COMMENT)
        self._site.see_all("Deleted Document")
        purge = Purge(self._site, self._second, self._dataset)

        def mask(found: Found) -> Answer:
            name = found.ref.key[0]
            doctype = self._dataset.options.doctype
            if found.state is Presence.ANONYMIZED and name not in remaining(self._site, doctype, [name]):
                return Answer.not_found()
            if found.state is not Presence.ANONYMIZED:
                answer = _save(self._site, self._dataset, found, how.fields, Presence.ANONYMIZED)
                if answer.said is not Answered.DONE:
                    return answer
            code = purge.history(Item(0, (doctype, name), found))
            return Answer.failed(code) if code else Answer.done(How.RESPONSE)

        return _each(self._site, self._dataset, refs, mask)


def _each(site: Site, dataset: Dataset, refs: Sequence[RecordRef], act: Act) -> list[Answer]:
    """One answer per record; the first error stops everything, and once something was done it is told of those left."""
    if not refs:
        return []
    before = site.acts
    live, _ = lookup(site, dataset, [ref.key for ref in refs])
    answers = []
    for ref in refs:
        found = live.get(ref.key[0]) if len(ref.key) == 1 else None
        if found is None or ref.identity not in {(), found.ref.identity}:
            answers.append(Answer.not_found())
            continue
        if found.state is not Presence.ANONYMIZED and found.ref.fingerprint != ref.fingerprint:
            answers.append(Answer.changed())
            continue
        try:
            answers.append(act(found))
        except OutcomeUnknownError:
            raise
        except ConnectorError as error:
            if site.acts == before:
                raise
            answers.append(Answer.failed(error.code))
    return answers


def _save(site: Site, dataset: Dataset, found: Found, values: Mapping[str, object], wanted: Presence) -> Answer:
    """Save, and read every field back: the site acknowledges fields that it does not know, or works out itself."""
    name = found.ref.key[0]
    try:
        site.save(dataset.options.doctype, name, {**values, "modified": found.row["modified"]})
    except Gone:
        return Answer.not_found()
    except Refused as refused:
        return Answer.changed() if refused.code == CHANGED else Answer.failed(refused.code)
    rows = [row for row in site.of(dataset.options.doctype, dataset.fields(), "name", [name]) if str(row["name"]) == name]
    return Answer.done(How.RESPONSE) if rows and state_of(dataset.options, rows[0]) is wanted else Answer.failed("refused")
