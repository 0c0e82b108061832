"""A Frappe 15 site with the CRM app, as it was observed: its trash, its worker, its silences and its wrong answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from support.webserver import Answered, Asked

Row = dict[str, Any]
Node = tuple[str, str]

LEAD = "first_name last_name lead_name email mobile_no phone status converted lost_notes custom_contacted_at custom_ended_on"
CUSTOM = " custom_archived custom_blocked custom_other _comments"
REFERS = " reference_doctype reference_name"
SCHEMA = {
    "CRM Lead": LEAD + CUSTOM,
    "CRM Deal": "lead contact organization email contacts next_step",
    "Contact": "first_name last_name user email_id mobile_no email_ids phone_nos unsubscribed custom_blocked",
    "CRM Organization": "organization_name website custom_ended_on custom_archived custom_blocked",
    "FCRM Note": "title content reference_doctype reference_docname",
    "CRM Task": "title description reference_doctype reference_docname",
    "CRM Call Log": "id from to type start_time note reference_doctype reference_docname",
    "CRM Notification": "notification_text reference_doctype reference_name notification_type_doctype notification_type_doc",
    "Communication": "sender recipients cc bcc subject content communication_date sent_or_received custom_blocked" + REFERS,
    "Consent Proof": "email channel granted_at withdrawn_at last_used_at custom_blocked",
    "Comment": "comment_type subject content reference_doctype reference_name",
    "File": "file_name content_hash attached_to_doctype attached_to_name",
    "ToDo": "description reference_type reference_name",
    "Email Unsubscribe": "email global_unsubscribe reference_doctype reference_name",
    "Email Queue": "message reference_doctype reference_name",
    "View Log": "reference_doctype reference_name",
    "Notification Log": "subject document_type document_name",
    "DocShare": "user share_doctype share_name",
    "Version": "ref_doctype docname data",
    "Deleted Document": "deleted_doctype deleted_name data restored new_name",
    "Communication Link": "parent parenttype link_doctype link_name",
    "Dynamic Link": "parent parenttype link_doctype link_name",
    "CRM Contacts": "parent parenttype contact",
    "Contact Email": "parent parenttype email_id",
    "Contact Phone": "parent parenttype phone",
}
CHILDREN = {"Communication Link", "Dynamic Link", "CRM Contacts", "Contact Email", "Contact Phone"}
TRACKED = {"CRM Lead", "CRM Deal", "FCRM Note", "Communication", "File", "Comment"}
ANNOUNCED = {"CRM Lead", "CRM Deal", "Contact", "CRM Organization", "FCRM Note", "CRM Task", "CRM Call Log"}
LINKS = (
    *((kind, "reference_doctype", "reference_docname") for kind in ("FCRM Note", "CRM Task", "CRM Call Log")),
    *(("CRM Notification", *names) for names in (("reference_doctype", "reference_name"),)),
    ("CRM Notification", "notification_type_doctype", "notification_type_doc"),
)
WORKED = (
    ("ToDo", "reference_type", "reference_name"),
    ("Email Unsubscribe", "reference_doctype", "reference_name"),
    ("DocShare", "share_doctype", "share_name"),
    ("Version", "ref_doctype", "docname"),
    ("Comment", "reference_doctype", "reference_name"),
    ("View Log", "reference_doctype", "reference_name"),
    ("Notification Log", "document_type", "document_name"),
)
DENIED = ("delete_items", "bulk_update", "delete_bulk_docs", "delete_personal_data", "rename_doc")


class Stop(Exception):
    """The request ends with an error."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(kind)
        self.status, self.kind = status, kind


class FrappeSite:
    """The tables of one site, and how it answers."""

    def __init__(self, zone: str = "Asia/Kolkata") -> None:
        self.zone = zone
        self.lag = 3
        """So many requests after a delete the worker has cleaned up; None of them where it is off."""
        self.worker = True
        self.lock = threading.RLock()
        self.roles = {"manager:s3cret": {"System Manager"}, "admin:s3cret": {"Administrator"}}
        self.granted: set[Node] = set()
        """What the site's owner has added to the rights of a System Manager: DocType and right."""
        self.users = {"manager:s3cret": "manager@crm.test", "admin:s3cret": "Administrator"}
        self.empty()

    def empty(self) -> None:
        """Nobody is there."""
        self.tables: dict[str, dict[str, Row]] = {doctype: {} for doctype in SCHEMA}
        self.jobs: list[tuple[int, Node]] = []
        self.forbidden: list[str] = []
        self.refused: set[Node] = set()
        self.narrowed: set[Node] = set()
        self.asked = self.made = 0
        self.down = self.lose = False
        self.next: list[Answered] = []

    # -- what happens behind the interface

    def put(self, doctype: str, name: str | None = None, creation: str = "2019-03-01 10:00:00.123456", **values: object) -> str:
        """A row, as SQL would write it."""
        self.made += 1
        name = name or f"h{self.made:08d}"
        fields = SCHEMA[doctype].split()
        assert set(values) <= set(fields), set(values) - set(fields)
        row = {"name": name, "creation": creation, "modified": creation, "owner": "Administrator"}
        self.tables[doctype][name] = row | dict.fromkeys(fields) | values
        return name

    def now(self) -> str:
        """The site's clock; each look a microsecond later."""
        self.made += 1
        return (datetime.now(ZoneInfo(self.zone)).replace(tzinfo=None) + timedelta(microseconds=self.made)).isoformat(" ")

    def texts(self) -> str:
        """Everything that stands in any table."""
        with self.lock:
            return json.dumps(self.tables)

    def remove(self, doctype: str, name: str, user: str) -> None:
        """Delete as the site does, or raise what it says against it."""
        row = self.tables[doctype].get(name)
        if row is None:
            raise Stop(404, "DoesNotExistError")
        if (doctype, name) in self.refused:
            raise Stop(417, "ValidationError")
        if self.linked(doctype, name):
            raise Stop(417, "LinkExistsError")
        del self.tables[doctype][name]
        for child in ("email_ids", "phone_nos", "contacts"):
            if child in SCHEMA[doctype].split():
                row = row | {child: [one for kind in CHILDREN for one in self.tables[kind].values() if one["parent"] == name]}
        for kind in CHILDREN:
            self.tables[kind] = {key: one for key, one in self.tables[kind].items() if one["parent"] != name}
        if doctype != "Deleted Document":
            data = json.dumps({"doctype": doctype, **row}, indent=1)
            told = {"deleted_doctype": doctype, "deleted_name": name, "data": data, "restored": 0}
            self.tables["Deleted Document"][self.put("Deleted Document", None, self.now(), **told)]["owner"] = user
        for file in [
            one
            for one in self.tables["File"].values()
            if (one["attached_to_doctype"], one["attached_to_name"]) == (doctype, name)
        ]:
            self.remove("File", file["name"], user)
        if doctype == "File" and row["attached_to_name"] in self.tables.get(str(row["attached_to_doctype"]), {}):
            told = {"reference_doctype": row["attached_to_doctype"], "reference_name": row["attached_to_name"]}
            self.put("Comment", None, self.now(), comment_type="Attachment Removed", content=row["file_name"], **told)
        if doctype in ANNOUNCED:
            self.put("Comment", None, self.now(), comment_type="Deleted", subject=f"{doctype} {name}", reference_doctype=doctype)
        if doctype != "Deleted Document":
            self.jobs.append((self.asked + self.lag, (doctype, name)))

    def linked(self, doctype: str, name: str) -> list[Node]:
        """What keeps a record from being deleted."""
        found = [
            (kind, str(one["name"]))
            for kind, of, field in LINKS
            for one in self.tables[kind].values()
            if (one[of], one[field]) == (doctype, name)
        ]
        field = {"CRM Lead": "lead", "Contact": "contact", "CRM Organization": "organization"}.get(doctype)
        if field:
            found += [("CRM Deal", str(one["name"])) for one in self.tables["CRM Deal"].values() if one[field] == name]
        if doctype == "Contact":
            found += [("CRM Deal", str(one["parent"])) for one in self.tables["CRM Contacts"].values() if one["contact"] == name]
        if doctype == "FCRM Note":
            found += [("CRM Call Log", str(one["name"])) for one in self.tables["CRM Call Log"].values() if one["note"] == name]
        return found

    def work(self) -> None:
        """The background worker: cleans up after deletes that are long enough ago."""
        due = [job for job in self.jobs if job[0] <= self.asked] if self.worker else []
        self.jobs = [job for job in self.jobs if job not in due]
        for _, node in due:
            for kind, of, field in WORKED:
                for one in [one for one in self.tables[kind].values() if (one[of], one[field]) == node]:
                    if kind == "Comment":
                        self.remove(kind, one["name"], "manager@crm.test")
                    else:
                        del self.tables[kind][one["name"]]
            for one in self.tables["Communication"].values():
                if (one["reference_doctype"], one["reference_name"]) == node:
                    one |= {"reference_doctype": None, "reference_name": None}

    # -- the interface

    def answer(self, asked: Asked) -> Answered:
        """Answer one request."""
        with self.lock:
            self.asked += 1
            self.work()
            if self.down:
                return Answered(hang_up=True)
            if self.next:
                return self.next.pop(0)
            if asked.headers.get("host", "").split(":")[0] != "crm.localhost":
                return Answered(404, b"<h1>this.host does not exist</h1>", "text/html")
            if "x-http-method-override" in asked.headers or any(word in asked.path for word in DENIED):
                self.forbidden.append(f"{asked.method} {asked.path}")
            writes = asked.method in {"PUT", "DELETE"} or asked.path.endswith("frappe.client.delete")
            try:
                status, body = self._answer(asked)
            except Stop as stop:
                return self._said(stop.status, {"exc_type": stop.kind, "exception": f"{stop.kind}: Anna Secret", "exc": "[]"})
            if writes and self.lose:
                self.lose = False
                return Answered(hang_up=True)
            return self._said(status, body)

    @staticmethod
    def _said(status: int, body: object) -> Answered:
        moment = datetime.now(ZoneInfo("UTC")).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return Answered(status, json.dumps(body).encode(), headers={"Date": moment})

    def _answer(self, asked: Asked) -> tuple[int, object]:
        header = asked.headers.get("authorization")
        if header is not None and (not header.startswith("token ") or header[6:] not in self.users):
            raise Stop(401, "AuthenticationError")
        token = (header or "")[6:]
        told = json.loads(asked.body) if asked.body else dict(asked.query)
        parts = asked.path.split("/")
        if parts[1:3] == ["api", "method"]:
            return self._method(parts[3], told, token)
        if parts[1:4] == ["api", "v2", "doctype"] and parts[-1] == "count":
            doctype = self._known(unquote(parts[4]))
            return 200, {"data": len(self._seen(doctype, token))}
        doctype = self._known(unquote(parts[3]))
        name = unquote("/".join(parts[4:])).rstrip("/")
        if not name:
            return 200, {"data": self._list(doctype, self._json(told), token)}
        return self._one(asked.method, doctype, name, told, token)

    def _one(self, method: str, doctype: str, name: str, told: Row, token: str) -> tuple[int, object]:
        row = self.tables[doctype].get(name)
        if row is None:
            raise Stop(404, "DoesNotExistError")
        if method == "GET":
            if row.get("reference_name") and row["reference_name"] not in self.tables[str(row["reference_doctype"])]:
                raise Stop(404, "DoesNotExistError")  # the right to read follows from a record that is gone
            return 200, {"data": {field: value for field, value in row.items() if value is not None}}
        self._allowed(doctype, "write" if method == "PUT" else "delete", token)
        if method == "DELETE" and doctype == "File" and row["attached_to_doctype"]:
            self._allowed(str(row["attached_to_doctype"]), "write", token)
        if method == "DELETE":
            self.remove(doctype, name, self.users[token])
            return 202, {"data": "ok"}
        if (doctype, name) in self.refused:
            raise Stop(417, "ValidationError")
        if "modified" in told and told["modified"] != row["modified"]:
            raise Stop(417, "TimestampMismatchError")
        if re.search(r"^[^@]+$", str(told.get("email") or "")):
            raise Stop(417, "InvalidEmailAddressError")
        fields = SCHEMA[doctype].split()
        new = {
            field: value for field, value in told.items() if field in fields and field not in {"email_id", "mobile_no_derived"}
        }
        changed = [[field, row[field], value] for field, value in new.items() if row[field] != value]
        row |= new | {"modified": self.now()}
        if changed and doctype in TRACKED:
            self.put("Version", None, self.now(), ref_doctype=doctype, docname=name, data=json.dumps({"changed": changed}))
        return 200, {"data": row}

    def _method(self, method: str, told: Row, token: str) -> tuple[int, object]:
        match method:
            case "frappe.client.get_time_zone":
                return 200, {"message": {"time_zone": self.zone}}
            case "frappe.auth.get_logged_user":
                return 200, {"message": self.users[token]}
            case "frappe.client.get_list":
                return 200, {"message": self._list(self._known(told["doctype"]), told, token)}
            case "frappe.client.get_count":  # heeds no right
                return 200, {"message": len(self.tables[told["doctype"]])}
            case "frappe.client.has_permission":
                return 200, {"message": {"has_permission": self._may(told["doctype"], told["perm_type"], token)}}
            case "frappe.client.delete":
                self._allowed(told["doctype"], "delete", token)
                self.remove(told["doctype"], told["name"], self.users[token])
                return 200, {"message": None}
            case "frappe.desk.form.linked_with.get":
                self._allowed(told["doctype"], "read", token)
                found: dict[str, list[Row]] = {}
                for kind, name in self.linked(told["doctype"], told["docname"]):
                    found.setdefault(kind, []).append({"name": name})
                return 200, {"message": found}
            case "frappe.core.doctype.user_permission.user_permission.get_user_permissions":
                return 200, {"message": {kind: [{"doc": name}] for kind, name in self.narrowed}}
            case "frappe.core.doctype.deleted_document.deleted_document.restore":
                copy = self.tables["Deleted Document"][told["name"]]
                copy |= {"restored": 1, "new_name": self.put(copy["deleted_doctype"], None, self.now())}
                return 200, {"message": None}
        raise Stop(417, "ValidationError")

    def _known(self, doctype: str) -> str:
        if doctype not in SCHEMA:
            raise Stop(404, "DoesNotExistError")
        return doctype

    def _may(self, doctype: str, right: str, token: str) -> bool:
        roles = self.roles.get(token, set())
        if "Administrator" in roles:
            return True
        if not roles:
            return doctype == "Communication" and right == "read"
        if (doctype, right) in self.granted:
            return True
        return not (right == "delete" and doctype in {"Version", "View Log"}) and not (
            right == "write" and doctype == "Communication"
        )

    def _allowed(self, doctype: str, right: str, token: str) -> None:
        if not self._may(doctype, right, token):
            raise Stop(403, "PermissionError")

    def _seen(self, doctype: str, token: str) -> list[Row]:
        self._allowed(doctype, "read", token)
        if not self.roles.get(token):
            return []  # without a word
        return [row for name, row in self.tables[doctype].items() if not self.narrowed or (doctype, name) in self.narrowed]

    @staticmethod
    def _json(told: Row) -> Row:
        return {key: json.loads(value) if key in {"fields", "filters", "or_filters"} else value for key, value in told.items()}

    def _list(self, doctype: str, told: Row, token: str) -> list[Row]:
        if doctype in CHILDREN and not told.get("parent"):
            raise Stop(403, "PermissionError")
        rows = self._seen(doctype, token)
        fits = [self._filter(doctype, one) for one in told.get("filters") or []]
        either = [self._filter(doctype, one) for one in told.get("or_filters") or []]
        rows = [row for row in rows if all(fit(row) for fit in fits) and (not either or any(fit(row) for fit in either))]
        if told.get("order_by"):
            rows.sort(key=lambda row: (_padded(row["creation"]), str(row["name"]).casefold()))
        most = int(str(told.get("limit_page_length", told.get("limit", 20))))
        if most == 0:
            self.forbidden.append("a list without limit")
        fields = told.get("fields") or ["name"]
        if not set(fields) <= self._fields(doctype):
            raise Stop(417, "DataError")
        return [{field: row[field] for field in fields} for row in rows[: most or None]]

    @staticmethod
    def _fields(doctype: str) -> set[str]:
        return {*SCHEMA[doctype].split(), "name", "creation", "modified", "owner"} - {"email_ids", "phone_nos", "contacts"}

    def _filter(self, doctype: str, told: Sequence[Any]) -> Callable[[Row], bool]:
        field, operator, wanted = told[-3:]
        if field not in self._fields(doctype):
            raise Stop(417, "DataError")
        tests: dict[str, Callable[[Any], bool]] = {
            "=": lambda value: value is not None and _text(value) == _text(wanted),
            "<": lambda value: _padded(value or "0001-01-01") < _padded(wanted),  # an empty date is the oldest of all
            ">": lambda value: value is not None and _above(field, value, wanted),
            ">=": lambda value: value is not None and _padded(value) >= _padded(wanted),
            "in": lambda value: value is not None and _text(value) in {_text(one) for one in wanted},
            "is": lambda value: (value not in {None, ""}) is (wanted == "set"),
            "like": lambda value: value is not None and _like(str(wanted)).fullmatch(str(value)) is not None,
        }
        if operator not in tests:
            raise Stop(417, "ValidationError")
        return lambda row: tests[operator](row[field])


def _text(value: object) -> str:
    return str(value).casefold().rstrip(" ")  # as the database's collation has it


def _above(field: str, value: object, wanted: object) -> bool:
    return _text(value) > _text(wanted) if field == "name" else _padded(value) > _padded(wanted)


def _padded(value: object) -> str:
    text = str(value)
    return f"{text}.000000" if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text) else text


def _like(pattern: str) -> re.Pattern[str]:
    pieces = {"%": ".*", "_": "."}
    return re.compile("".join(pieces.get(one, re.escape(one)) for one in pattern), re.DOTALL | re.IGNORECASE)
