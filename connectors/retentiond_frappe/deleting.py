"""Deletes records: what hangs on them first, then the record, and when the site has settled every copy it has made of them."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Answer, ConnectorError, Deleter, How, OutcomeUnknownError, RecordRef, Target
from retentiond_frappe.kept import claimed
from retentiond_frappe.options import FrappeConnection, FrappeOptions
from retentiond_frappe.parts import blocked, notes_left, parts_of
from retentiond_frappe.patience import Patience
from retentiond_frappe.purging import Item, Purge
from retentiond_frappe.records import Dataset, Found
from retentiond_frappe.remains import SWEPT, gather, mails_of, pointing, see_satellites
from retentiond_frappe.search import lookup
from retentiond_frappe.site import Gone, Refused, Site


class FrappeDeleter(Deleter):
    """Deletes records for good: no copy of one is left that a call could bring back."""

    def __init__(
        self, connection: FrappeConnection, options: FrappeOptions, target: Target, patience: Patience | None = None
    ) -> None:
        super().__init__(target)
        self._dataset = Dataset(connection, options, target)
        self._patience = patience or Patience()
        self._site = Site(connection, self._dataset.who, writes=True)
        self._second = Site(connection, self._dataset.who, writes=True, administrator=True)

    def close(self) -> None:
        """End the sessions."""
        self._site.close()
        self._second.close()

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        if not refs:
            return []
        site, before = self._site, self._site.acts
        purge = Purge(site, self._second, self._dataset)
        answers: dict[int, Answer] = {}
        items = self._look(refs, answers)
        done: list[Item] = []
        for item in items:
            try:
                answer = self._take(item)
            except OutcomeUnknownError:
                raise
            except ConnectorError as error:
                if site.acts == before:
                    raise
                answer = Answer.failed(error.code)
            if answer is None:
                done.append(item)
            else:
                answers[item.number] = answer
        if done:
            self._finish(purge, done, answers)
        return [answers[number] for number in range(len(refs))]

    def _look(self, refs: Sequence[RecordRef], answers: dict[int, Answer]) -> list[Item]:
        """What is to go, with all that goes with it; changes nothing."""
        site, dataset = self._site, self._dataset
        see_satellites(site)
        live, thrown = lookup(site, dataset, [ref.key for ref in refs])
        items: list[Item] = []
        for number, ref in enumerate(refs):
            name = ref.key[0] if len(ref.key) == 1 else ""
            found = live.get(name)
            if found is not None and ref.identity not in {(), found.ref.identity}:
                found = None
            copies = [one for (called, creation), one in thrown.items() if called == name and ref.identity in {(), (creation,)}]
            if found is None and copies:
                items.append(_item(number, dataset, copies[0]))
            elif found is None:
                answers[number] = Answer.not_found()
            elif found.ref.fingerprint != ref.fingerprint:
                answers[number] = Answer.changed()
            else:
                items.append(_item(number, dataset, found))
        alive = [item for item in items if not item.found.trash]
        parts = parts_of(site, dataset.options, [item.root[1] for item in alive])
        whose = {node: item.root for item in alive for node in parts[item.root[1]] or ()}
        going = gather(site, [*(item.root for item in items), *whose])
        for item in items:
            if item.found.trash and item.root[1] in live:  # what hangs on this name now is a stranger's
                going[item.root] = []
            mine = parts.get(item.root[1], [])
            if mine is None:
                answers[item.number] = Answer.failed("referenced")
                continue
            item.nodes += going[item.root] + [node for part in mine for node in going[part]]
            if dataset.options.mail_by_address:
                mails = mails_of(site, [one for one in item.found.ref.subjects if one.kind == "email"])
                hung = gather(site, mails)
                item.nodes += [one for node in mails if node not in item.nodes for one in (*hung[node], node)]
            item.nodes += [note for note in notes_left(site, [item.root, *item.nodes, *mine]) if note not in item.nodes]
            item.nodes += mine
            if not item.found.trash and blocked(site, item.root, item.nodes):
                answers[item.number] = Answer.failed("referenced")
        others = claimed(site, dataset.options, [node for item in items for node in item.nodes])
        for item in items:
            if others.isdisjoint(item.nodes):
                continue
            if item.found.trash:  # the record is gone already; what has a rule of its own stays
                item.nodes = [node for node in item.nodes if node not in others]
            else:
                answers[item.number] = Answer.failed("referenced")
        return [item for item in items if item.number not in answers]

    def _take(self, item: Item) -> Answer | None:
        """Delete the record and what hangs on it; None where that is done, and only copies are left."""
        if item.found.trash:
            return Answer.changed() if item.found.restored else self._strip(item)
        if answer := self._strip(item):
            return answer
        live, _ = lookup(self._site, self._dataset, [item.found.ref.key])
        now = live.get(item.root[1])
        if now is None or now.ref.identity != item.found.ref.identity:
            return None
        if now.own != item.found.own:
            return Answer.changed()
        try:
            self._site.delete(*item.root)
        except Gone:
            return None
        except Refused as refused:
            return Answer.failed(refused.code)
        return None

    def _strip(self, item: Item) -> Answer | None:
        """Delete what hangs on the record; one after the other, since each may keep another one from going."""
        pending = list(item.nodes)
        while pending:
            left, code = [], ""
            for node in pending:
                try:
                    self._site.delete(*node)
                except Gone:
                    continue
                except Refused as refused:
                    left.append(node)
                    code = refused.code
            if len(left) == len(pending):
                # Who may not write to an e-mail may not take its files either; with the e-mail they go, and are looked for again.
                return None if all(doctype == "File" for doctype, _ in left) else Answer.failed(code)
            pending = left
        return None

    def _finish(self, purge: Purge, done: Sequence[Item], answers: dict[int, Answer]) -> None:
        """Wait for the worker, then take away every copy; a record of which one is left is not told as done."""
        nodes = {node for item in done for node in (item.root, *item.nodes)}

        def settled() -> bool:
            strangers = {item.root for item in done if item.root[1] in purge.strangers(done)}
            return not pointing(self._second, SWEPT, nodes - strangers)

        try:
            self._patience.until(settled, self._dataset.connection.settle_seconds)
            codes = purge.purge(done)
        except OutcomeUnknownError:
            raise
        except ConnectorError as error:
            codes = {item.number: error.code for item in done}
        for item in done:
            code = codes.get(item.number)
            rows = 1 + len(item.nodes)
            answers[item.number] = Answer.failed(code) if code else Answer.done(How.RESPONSE, rows if rows > 1 else None)


def _item(number: int, dataset: Dataset, found: Found) -> Item:
    return Item(number, (dataset.options.doctype, found.ref.key[0]), found)
