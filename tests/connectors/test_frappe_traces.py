"""Nothing of a deleted person is left in any table of the site, and nothing else goes; where something is left it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.frappe_site import FrappeSite
from support.frappe_world import LEAD, LeadWorld
from support.webserver import serving

from retentiond.connector import Action, Answer, Answered, ConnectorError, OutcomeUnknownError, Presence, RecordRef
from retentiond.testing.world import Bench
from retentiond_frappe.deleting import FrappeDeleter
from retentiond_frappe.patience import Patience

MARKER = "zqmarker"
ANNA = f"{MARKER}@person.example"
LEAD_OPTIONS = {
    "doctype": LEAD,
    "dates": {"last_contact_at": {"newest": "contact"}, "contacted_at": {"field": "creation"}},
    "subjects": {"email": ["email"]},
    "mail_by_address": True,
}


class Crm(LeadWorld):
    """The world of the kit with other options, and a person with everything that can hang on one."""

    def using(self, **options: Any) -> Bench:
        self.options = {**LEAD_OPTIONS, **options}
        self.beside = []
        return Bench(self)

    def rich(self, name: str = "CRM-LEAD-2026-00007") -> None:
        site, on = self.site, {"reference_doctype": LEAD, "reference_name": name}
        doc = {"reference_doctype": LEAD, "reference_docname": name}
        site.put(LEAD, name, first_name="Zora", last_name=MARKER, email=ANNA, converted=0, _comments=MARKER)
        mail = site.put("Communication", None, sender=f"Zora <{ANNA}>", content=MARKER, sent_or_received="Received", **on)
        site.put("File", None, file_name=f"{MARKER}.txt", attached_to_doctype="Communication", attached_to_name=mail)
        site.put("File", None, file_name=f"{MARKER}.pdf", attached_to_doctype=LEAD, attached_to_name=name)
        site.put("Communication", None, recipients=f"berta@x.example, {ANNA}", content=MARKER, sent_or_received="Sent")
        site.put("Comment", None, comment_type="Comment", content=MARKER, **on)
        site.put("Comment", None, comment_type="Edit", content=f"renamed from {MARKER}", **on)
        note = site.put("FCRM Note", None, content=MARKER, **doc)
        site.put("Version", None, ref_doctype="FCRM Note", docname=note, data=MARKER)
        site.put("CRM Task", "41", description=MARKER, **doc)
        site.put(
            "CRM Notification", None, notification_text=MARKER, notification_type_doctype="CRM Task", notification_type_doc="41"
        )
        orphan = site.put("FCRM Note", None, content=f"said {MARKER}")
        site.put("CRM Call Log", f"call-{MARKER}", note=orphan, type="Incoming", **doc)
        site.put("ToDo", None, description=MARKER, reference_type=LEAD, reference_name=name)
        site.put("Email Queue", None, message=MARKER, **on)
        site.put("Notification Log", None, subject=MARKER, document_type=LEAD, document_name=name)
        site.put("Version", None, ref_doctype=LEAD, docname=name, data=json.dumps({"changed": [["email", MARKER, ""]]}))
        site.put("Deleted Document", None, deleted_doctype="Comment", deleted_name="gone", restored=0, data="torn")

    def left(self, marker: str = MARKER) -> dict[str, list[Any]]:
        """What of the person is left, by table."""
        found = {kind: [row for row in rows.values() if marker in json.dumps(row)] for kind, rows in self.site.tables.items()}
        return {kind: rows for kind, rows in found.items() if rows}

    def ref(self, bench: Bench, name: str) -> RecordRef:
        return bench.explained((name,))

    def converted(self, *, shared: bool = False) -> None:
        site = self.site
        self.rich("CRM-LEAD-2026-00008")
        deal = site.put("CRM Deal", "CRM-DEAL-1", lead="CRM-LEAD-2026-00008", organization=f"Org {MARKER}", email=ANNA)
        site.put("Contact", f"Zora {MARKER}", first_name="Zora")
        site.put("Contact Email", None, parent=f"Zora {MARKER}", parenttype="Contact", email_id=ANNA)
        site.put("CRM Contacts", None, parent=deal, parenttype="CRM Deal", contact=f"Zora {MARKER}")
        site.put("CRM Organization", f"Org {MARKER}")
        site.put("Comment", None, comment_type="Comment", content=MARKER, reference_doctype="CRM Deal", reference_name=deal)
        if shared:
            other = site.put("CRM Deal", "CRM-DEAL-2", lead="CRM-LEAD-2026-00099")
            site.put("CRM Contacts", None, parent=other, parenttype="CRM Deal", contact=f"Zora {MARKER}")


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    monkeypatch.setenv("KIT_FRAPPE_SECRET", "s3cret")
    site = FrappeSite()
    with serving(site.answer) as url:
        yield Crm(site, url)
    assert site.forbidden == []


def delete(bench: Bench, ref: RecordRef) -> Answer:
    (answer,) = bench.act(Action.DELETE, [ref])
    return answer


def neighbour(crm: Crm) -> None:
    """A lead that has to stay, with a mail and a comment."""
    on = {"reference_doctype": LEAD, "reference_name": "CRM-LEAD-2026-0000"}
    crm.site.put(LEAD, "CRM-LEAD-2026-0000", email="hanna@person.example", converted=0)
    crm.site.put("Communication", None, sender=f"x{ANNA}", content="neighbour", **on)
    crm.site.put("Communication", None, sender=f"x{ANNA}", recipients=f"{ANNA}.org", content="neighbour")
    crm.site.put("Comment", None, content="neighbour", **on)


def stays(crm: Crm) -> list[Any]:
    """Everything of the neighbour."""
    every = [row for rows in crm.site.tables.values() for row in rows.values()]
    return [dict(row) for row in every if '0000"' in json.dumps(row) or row.get("content") == "neighbour"]


def test_a_plain_delete_leaves_traces_of_the_person_in_many_tables(crm: Crm) -> None:
    crm.rich()
    for doctype in ("CRM Notification", "CRM Task", "CRM Call Log", "FCRM Note"):
        crm.site.tables[doctype].clear()
    headers = {"Authorization": "token manager:s3cret", "Host": "crm.localhost"}
    url = f"{crm.connection['url']}/api/resource/CRM%20Lead/CRM-LEAD-2026-00007"
    assert httpx.delete(url, headers=headers).status_code == 202
    left = {doctype for doctype, rows in crm.site.tables.items() if MARKER in json.dumps(rows)}
    assert {"Deleted Document", "Communication", "Comment", "Version"} <= left


def test_nothing_of_a_person_is_left_and_a_neighbour_stays_as_it_was(crm: Crm) -> None:
    bench = crm.using()
    crm.rich()
    neighbour(crm)
    before = stays(crm)
    answer = delete(bench, crm.ref(bench, "CRM-LEAD-2026-00007"))
    assert (answer.said, answer.rows) == (Answered.DONE, 20)
    assert crm.left() == crm.left("xzqmarker")
    assert stays(crm) == before
    assert bench.present([RecordRef(("CRM-LEAD-2026-00007",))]) == [Presence.ABSENT]


def test_an_e_mail_goes_with_its_files_though_we_may_not_change_it(crm: Crm) -> None:
    bench = crm.using(doctype="Communication", subjects={"email": ["sender"]}, mail_by_address=False)
    mail = crm.site.put("Communication", None, sender=ANNA, content=MARKER)
    crm.site.put("File", None, file_name=f"{MARKER}.txt", attached_to_doctype="Communication", attached_to_name=mail)
    assert delete(bench, crm.ref(bench, mail)).said is Answered.DONE
    assert crm.left() == {}


def test_the_reader_still_tells_a_record_whose_copy_lies_in_the_trash(crm: Crm) -> None:
    bench = crm.using()
    crm.rich()
    ref = crm.ref(bench, "CRM-LEAD-2026-00007")
    for doctype in ("CRM Notification", "CRM Task", "CRM Call Log", "FCRM Note", "Version", "Comment"):
        crm.site.tables[doctype].clear()
    crm.site.remove(LEAD, "CRM-LEAD-2026-00007", "sales@crm.test")
    assert bench.present([ref]) == [Presence.PRESENT]
    assert bench.find() == []  # what others delete is found by no rule
    assert delete(bench, ref).said is Answered.DONE
    assert bench.present([ref]) == [Presence.ABSENT]
    assert LEAD not in json.dumps(crm.site.tables["Deleted Document"])


@pytest.mark.parametrize("cut", [0, 3, 6, 7, 13, 20, 27, 34, 41, 48, 55])
def test_a_delete_that_was_cut_short_is_found_again_and_completed(crm: Crm, cut: int) -> None:
    bench = crm.using(parts=["deals", "contacts", "organizations"])
    crm.converted()
    ref = crm.ref(bench, "CRM-LEAD-2026-00008")
    acts = iter(range(10_000))
    remove = crm.site.remove

    def dying(doctype: str, name: str, user: str) -> None:
        if user == "manager@crm.test" and next(acts) >= cut:
            crm.site.down = True
        remove(doctype, name, user)

    crm.site.remove = dying  # type: ignore[method-assign]
    with pytest.raises(ConnectorError) if cut == 0 else _any():
        answers = bench.act(Action.DELETE, [ref])
        assert not crm.left() or answers[0].said is Answered.FAILED
    crm.site.down = False
    crm.site.remove = remove  # type: ignore[method-assign]
    again = [one for one in bench.find() if one.key == ref.key]
    if not again:
        assert crm.left() == {}
        return
    assert bench.present([ref]) == [Presence.PRESENT]
    assert delete(bench, again[0]).said is Answered.DONE
    assert crm.left() == {}
    assert bench.find() == []


class _any:  # noqa: N801 - reads like a block
    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, OutcomeUnknownError)


def test_a_converted_lead_stays_whole_where_its_deal_is_no_part_of_it(crm: Crm) -> None:
    bench = crm.using()
    crm.converted()
    before = crm.site.texts()
    answer = delete(bench, crm.ref(bench, "CRM-LEAD-2026-00008"))
    assert (answer.said, answer.code) == (Answered.FAILED, "referenced")
    assert crm.site.texts() == before


def test_a_converted_lead_goes_with_its_deal_contact_and_organization(crm: Crm) -> None:
    bench = crm.using(parts=["deals", "contacts", "organizations"])
    crm.converted()
    assert delete(bench, crm.ref(bench, "CRM-LEAD-2026-00008")).said is Answered.DONE
    assert crm.left() == {}


def test_a_contact_that_another_deal_needs_makes_the_lead_stay_whole(crm: Crm) -> None:
    bench = crm.using(parts=["deals", "contacts", "organizations"])
    crm.converted(shared=True)
    before = crm.site.texts()
    answer = delete(bench, crm.ref(bench, "CRM-LEAD-2026-00008"))
    assert (answer.said, answer.code) == (Answered.FAILED, "referenced")
    assert crm.site.texts() == before


def test_a_stranger_under_the_name_of_a_deleted_record_keeps_everything(crm: Crm) -> None:
    bench = crm.using()
    crm.site.put(LEAD, "CRM-LEAD-2026-00009", email=ANNA, converted=0)
    ref = crm.ref(bench, "CRM-LEAD-2026-00009")
    crm.site.remove(LEAD, "CRM-LEAD-2026-00009", "manager@crm.test")
    crm.site.jobs.clear()
    on = {"reference_doctype": LEAD, "reference_name": "CRM-LEAD-2026-00009"}
    crm.site.put(LEAD, "CRM-LEAD-2026-00009", "2026-10-10 10:00:00", email="stranger@x.example", converted=0)
    crm.site.put("Comment", None, "2026-10-11 10:00:00", content="of the stranger", **on)
    crm.site.put("Version", None, "2026-10-11 10:00:00", ref_doctype=LEAD, docname="CRM-LEAD-2026-00009", data="stranger")
    assert bench.present([ref]) == [Presence.PRESENT]
    assert delete(bench, ref).said is Answered.DONE
    assert crm.left() == {}
    assert bench.present([ref]) == [Presence.ABSENT]
    assert [len(crm.site.tables[doctype]) for doctype in (LEAD, "Comment", "Version")] == [1, 1, 1]


def test_a_worker_that_never_comes_is_waited_for_and_its_work_done_with_the_second_key(crm: Crm) -> None:
    bench = crm.using()
    crm.rich()
    crm.site.worker = False
    crm.site.tables["Notification Log"].clear()
    ref = crm.ref(bench, "CRM-LEAD-2026-00007")
    assert _impatient(crm, bench, ref).said is Answered.DONE
    assert crm.left() == {}


def test_a_notification_that_only_the_worker_takes_away_keeps_a_record_from_being_told_as_deleted(crm: Crm) -> None:
    bench = crm.using()
    crm.rich()
    crm.site.worker = False
    ref = crm.ref(bench, "CRM-LEAD-2026-00007")
    answer = _impatient(crm, bench, ref)
    assert (answer.said, answer.code) == (Answered.FAILED, "not-done")
    assert bench.present([ref]) == [Presence.PRESENT]
    crm.site.worker = True
    (again,) = bench.find()
    assert delete(bench, again).said is Answered.DONE
    assert crm.left() == {}


def test_without_a_second_key_and_without_worker_a_record_is_not_told_as_deleted(crm: Crm) -> None:
    bench = crm.using()
    crm.rich()
    crm.site.worker = False
    del crm.connection["administrator"]
    ref = crm.ref(bench, "CRM-LEAD-2026-00007")
    answer = _impatient(crm, bench, ref)
    assert (answer.said, answer.code) == (Answered.FAILED, "forbidden")
    assert bench.present([ref]) == [Presence.PRESENT]
    crm.site.worker = True
    (again,) = bench.find()
    assert delete(bench, again).said is Answered.DONE
    assert crm.left() == {}


def test_an_objection_to_all_mail_stays(crm: Crm) -> None:
    bench = crm.using()
    crm.site.put(LEAD, "CRM-LEAD-2026-00003", email=ANNA, converted=0)
    on = {"reference_doctype": LEAD, "reference_name": "CRM-LEAD-2026-00003"}
    crm.site.put("Email Unsubscribe", "kept", email=ANNA, global_unsubscribe=1)
    crm.site.put("Email Unsubscribe", "goes", email=ANNA, global_unsubscribe=0, **on)
    assert delete(bench, crm.ref(bench, "CRM-LEAD-2026-00003")).said is Answered.DONE
    assert list(crm.site.tables["Email Unsubscribe"]) == ["kept"]


def test_anonymizing_leaves_neither_comments_nor_history(crm: Crm) -> None:
    bench = crm.using(anonymize={"fields": {"first_name": "Anon", "last_name": "", "email": ""}}, mail_by_address=False)
    on = {"reference_doctype": LEAD, "reference_name": "CRM-LEAD-2026-00003"}
    crm.site.put(LEAD, "CRM-LEAD-2026-00003", first_name="Zora", last_name=MARKER, email=ANNA, converted=0)
    crm.site.put("Comment", None, comment_type="Comment", content=MARKER, **on)
    crm.site.put("Version", None, ref_doctype=LEAD, docname="CRM-LEAD-2026-00003", data=MARKER)
    (ref,) = bench.find(awaiting=Action.ANONYMIZE)
    (answer,) = bench.act(Action.ANONYMIZE, [ref])
    assert answer.said is Answered.DONE
    assert crm.left() == {}
    assert bench.present([ref]) == [Presence.ANONYMIZED]


def test_a_field_that_the_site_ignores_is_no_anonymized_field(crm: Crm) -> None:
    bench = crm.using(anonymize={"fields": {"first_name": "Anon", "email": "redacted"}}, mail_by_address=False)
    crm.site.put(LEAD, "CRM-LEAD-2026-00003", first_name="Zora", email=ANNA, converted=0)
    (ref,) = bench.find(awaiting=Action.ANONYMIZE)
    (answer,) = bench.act(Action.ANONYMIZE, [ref])
    assert (answer.said, answer.code) == (Answered.FAILED, "refused")


def _impatient(crm: Crm, bench: Bench, ref: RecordRef) -> Answer:
    """Delete with a clock that goes by leaps."""
    hours = iter(range(0, 10**9, 3600))
    connection, options = bench.connection, bench.options
    with FrappeDeleter(connection, options, crm.target, Patience(lambda: next(hours), lambda _: None)) as deleter:  # type: ignore[arg-type]
        (answer,) = deleter.delete([ref], bench.permit(Action.DELETE, [ref]))
    return answer
