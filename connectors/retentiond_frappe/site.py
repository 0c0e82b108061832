"""A session on one Frappe site: lists that are whole or an error, single deletes and saves, and no word of an answer kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from retentiond.connector import ConnectorError, OutcomeUnknownError, TransientConnectorError
from retentiond.connector.http import Http, Reply
from retentiond_frappe.options import FrappeConnection

PAGE = 500
CHUNK = 100
"""So many names are asked for at once."""

Row = dict[str, Any]
Filters = Sequence[Any]

MISSING = "DoesNotExistError"
CHANGED = "changed"
"""Not a word of `FAILURE_CODES`: the record was saved by somebody else since we looked."""
REFUSALS = {
    "LinkExistsError": "referenced",
    "PermissionError": "forbidden",
    "QueryTimeoutError": "unavailable",
    "TimestampMismatchError": CHANGED,
}
"""What the site says against a single act, and the word for it; it has rolled back each time."""


READING = frozenset(
    {
        "frappe.auth.get_logged_user",
        "frappe.client.get_count",
        "frappe.client.get_list",
        "frappe.client.get_time_zone",
        "frappe.client.has_permission",
        "frappe.core.doctype.user_permission.user_permission.get_user_permissions",
        "frappe.desk.form.linked_with.get",
    }
)
"""The methods that are called though they are no GET; none of them changes anything."""


class NoSuchDocType(ConnectorError):
    """The site has no such DocType."""


class Gone(Exception):
    """There is no such record."""


class Refused(Exception):
    """The site refuses this one act, and surely did nothing; `code` is a word of `FAILURE_CODES`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Site:
    """One session with the key of one user. A reader's session has no way to send anything that changes the site."""

    def __init__(self, connection: FrappeConnection, who: str, *, writes: bool, administrator: bool = False) -> None:
        login = connection.administrator if administrator and connection.administrator else connection
        headers = {"Authorization": f"token {login.key}:{login.secret.reveal()}"}
        if connection.site is not None:
            headers["Host"] = connection.site
        self.who = who
        self.acts = 0
        """How many changes the site has acknowledged in this session."""
        self._writes = writes
        self._http = Http(connection, who, headers, account=login.key)
        self._zone: ZoneInfo | None = None
        self._whole: set[str] = set()

    def close(self) -> None:
        """End the session; harmless when repeated."""
        self._http.close()

    def call(self, method: str, /, **told: object) -> Any:
        """Call a method that changes nothing; no other one can be."""
        if method not in READING:
            raise ConnectorError(
                f"{self.who} was asked for a method that is not known to change nothing; nothing was sent.", "forbidden"
            )
        reply = self._http.ask("POST", f"/api/method/{method}", data=told, expect=(200, 404, 417), reads=True)
        return self._answer(reply)["message"] if reply.status == 200 else self._wrong(reply)  # noqa: PLR2004

    def rows(
        self, doctype: str, fields: Sequence[str], filters: Filters = (), either: Filters = (), parent: str | None = None
    ) -> Iterator[Row]:
        """Each record that fulfils all `filters` and one of `either`, by age; read by pages, each from where the last one ended.

        Raises `NoSuchDocType` where the site has none.
        """
        last: Row | None = None
        wanted = list(dict.fromkeys(["name", "creation", *fields]))
        seen: set[object] = set()
        while True:
            more, other = list(filters), list(either)
            if last is not None:
                if either or not last["creation"]:
                    raise ConnectorError(f"{self.who} holds too much of a {doctype} to be read in pages.", "unsupported")
                more += [["creation", ">=", last["creation"]]]
                other = [["creation", ">", last["creation"]], ["name", ">", last["name"]]]
            told: dict[str, object] = {
                "doctype": doctype,
                "fields": wanted,
                "filters": more,
                "order_by": "creation asc, name asc",
            }
            told |= (
                {"limit_page_length": PAGE} | ({"or_filters": other} if other else {}) | ({"parent": parent} if parent else {})
            )
            page = self.call("frappe.client.get_list", **told)
            if not isinstance(page, list) or not all(isinstance(row, dict) and set(wanted) <= row.keys() for row in page):
                raise ConnectorError(f"The list of a {doctype} that {self.who} gives makes no sense.", "malformed")
            for row in page:
                if row["name"] not in seen:
                    seen.add(row["name"])
                    yield row
            if len(page) < PAGE:
                return
            last = page[-1]

    def of(self, doctype: str, fields: Sequence[str], field: str, among: Sequence[str], filters: Filters = ()) -> Iterator[Row]:
        """As `rows`: those whose `field` is one of these texts."""
        for start in range(0, len(among), CHUNK):
            yield from self.rows(doctype, fields, [*filters, [field, "in", list(among[start : start + CHUNK])]])

    def whole(self, doctype: str) -> bool:
        """See that lists of this DocType hide nothing from us; False where the site has no such DocType.

        Rights narrow a list without a word. One of the two counts heeds them, the other does not.
        """
        counts: list[object] = []
        for _ in range(3):
            reply = self._http.ask("GET", f"/api/v2/doctype/{quote(doctype, safe='')}/count", expect=(200, 404), reads=True)
            if reply.status == 404:  # noqa: PLR2004
                self._json_or_wrong_site(reply)
                return False
            seen = self._answer(reply, "data")["data"]
            if counts and counts[-1] == seen:
                return True
            counts = [self.call("frappe.client.get_count", doctype=doctype)]
            if counts[-1] == seen:
                return True
        raise ConnectorError(
            f"{self.who} shows our user only some records of {doctype}. Give it the right to see all of them, "
            f"without user permissions, else nothing can be known to be complete.",
            "forbidden",
        )

    def see_all(self, doctype: str) -> None:
        """As `whole`; raises where there is no such DocType."""
        if not self.whole(doctype):
            raise self._no_doctype()

    def document(self, doctype: str, name: str) -> Row:
        """Everything of one record; raises `Gone`."""
        reply = self._http.ask("GET", _path(doctype, name), expect=(200, 404))
        if reply.status == 404:  # noqa: PLR2004
            self._json_or_wrong_site(reply)
            raise Gone
        document: Row = self._answer(reply, "data")["data"]
        return document

    def may(self, doctype: str, right: str) -> bool:
        """Whether our user has a right to records of this DocType."""
        told = self.call("frappe.client.has_permission", doctype=doctype, docname="", perm_type=right)
        return isinstance(told, dict) and told.get("has_permission") is True

    def user(self) -> str:
        """Who we are to the site."""
        return str(self.call("frappe.auth.get_logged_user"))

    def zone(self) -> ZoneInfo:
        """The zone of all wall times of the site; asked once."""
        if self._zone is None:
            told = self.call("frappe.client.get_time_zone")
            try:
                self._zone = ZoneInfo(told["time_zone"])
            except (ZoneInfoNotFoundError, KeyError, TypeError, ValueError, OSError):
                raise ConnectorError(f"{self.who} does not tell its time zone, so no date of it is known.", "malformed") from None
        return self._zone

    def now(self) -> datetime | None:
        """The site's clock (aware UTC, by the second); None where it does not tell."""
        return self._http.ask("GET", "/api/method/frappe.client.get_time_zone").date

    def wall(self, moment: datetime, ahead: timedelta = timedelta(0)) -> str:
        """The instant as the site's clocks on the wall show it, `ahead` later; for bounds of a search."""
        try:
            return (moment.astimezone(self.zone()) + ahead).strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
        except OverflowError:
            return "9999-12-31 23:59:59.999999" if moment.year > 5000 else "0001-01-01 00:00:00.000000"  # noqa: PLR2004

    def delete(self, doctype: str, name: str) -> None:
        """Delete one record. Raises `Gone`, or `Refused`; `OutcomeUnknownError` where nobody knows."""
        self._only_writers()
        expect = (200, 202, 403, 404, 409, 417, 500)
        if name.endswith("/") or name in {".", ".."}:  # these cannot be told in a path
            reply = self._http.ask(
                "POST", "/api/method/frappe.client.delete", data={"doctype": doctype, "name": name}, expect=expect
            )
        else:
            reply = self._http.ask("DELETE", _path(doctype, name), expect=expect)
        self._acted(reply)

    def save(self, doctype: str, name: str, values: Mapping[str, object]) -> None:
        """Change fields of one record, where its `modified` is among `values` and still the same; raises as `delete` does."""
        self._only_writers()
        if name.endswith("/") or name in {".", ".."}:
            raise Refused("unsupported")
        self._acted(self._http.ask("PUT", _path(doctype, name), data=dict(values), expect=(200, 403, 404, 409, 417, 500)))

    def _only_writers(self) -> None:
        if not self._writes:
            raise ConnectorError(f"A session that reads {self.who} was asked to write; nothing was sent.", "forbidden")

    def _acted(self, reply: Reply) -> None:
        if reply.status in {200, 202}:
            self.acts += 1
            return
        kind = self._kind(reply)
        if reply.status == 404 and kind == MISSING:  # noqa: PLR2004
            raise Gone
        if reply.status == 500 and REFUSALS.get(kind) is None:  # noqa: PLR2004
            raise OutcomeUnknownError(f"{self.who} failed, and nobody knows what it did.", "unavailable")
        if reply.status == 404:  # noqa: PLR2004
            self._json_or_wrong_site(reply)
        told = {403: "forbidden", 409: "refused"}.get(reply.status, "refused")
        raise Refused(REFUSALS.get(kind, told))

    def _kind(self, reply: Reply) -> str:
        try:
            body = reply.json()
        except ConnectorError:
            return ""
        return str(body.get("exc_type", "")) if isinstance(body, dict) else ""

    def _answer(self, reply: Reply, within: str = "message") -> Row:
        body = reply.json()
        if not isinstance(body, dict) or within not in body:
            raise ConnectorError(f"{self.who} gives an answer that makes no sense.", "malformed")
        return body

    def _json_or_wrong_site(self, reply: Reply) -> None:
        try:
            reply.json()
        except ConnectorError:
            raise ConnectorError(
                f"{self.who} is not known to its server by this name. Write the one it has there into `site`.", "malformed"
            ) from None

    def _wrong(self, reply: Reply) -> Any:
        self._json_or_wrong_site(reply)
        if self._kind(reply) == MISSING:
            raise self._no_doctype()
        raise ConnectorError(
            f"{self.who} does not know a field or an operator that was asked for. Look at the fields in the settings.", "refused"
        )

    def _no_doctype(self) -> NoSuchDocType:
        return NoSuchDocType(
            f"{self.who} has no DocType of a name that is needed. Look at `doctype`, and at the apps.", "refused"
        )


def _path(doctype: str, name: str) -> str:
    return f"/api/resource/{quote(doctype, safe='')}/{quote(name, safe='')}"


def utc(naive: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a clock reading; of two that it may mean the later one, which keeps longer."""
    return max(naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


__all__ = ["Gone", "NoSuchDocType", "Refused", "Row", "Site", "TransientConnectorError", "utc"]
