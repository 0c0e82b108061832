"""All systems that the policies of the first user speak of, started here and filled with what is due and what is not."""

from __future__ import annotations

import gzip
import imaplib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from ruamel.yaml import YAML
from support.dovecot import PASSWORD, Dovecot
from support.frappe_site import FrappeSite
from support.program import Office
from support.services import Server, fresh_postgresql
from support.vendors import bunny, formbricks, meetergo, openai
from support.webserver import serving

ROOT = Path(__file__).parents[2]
NOW = datetime.now(UTC)
TODAY = NOW.date()
YEAR = TODAY.year

LONG_AGO = date(YEAR - 12, 3, 15)
"""Older than every period of the policies."""


@dataclass(slots=True)
class Company:
    """The settings, changed to where the systems are here, and the truth about each of them."""

    office: Office
    settings: dict[str, Any]
    truth: dict[str, Callable[[], Mapping[str, str]]] = field(default_factory=dict)
    """By system: what is there of each record, by a name of its own: `whole`, `blocked` or `gone`."""
    expected: dict[str, dict[str, str]] = field(default_factory=dict)
    """By system: what has to become of each record."""

    def connect(self, system: str, **connection: Any) -> None:
        """Reach a system here."""
        self.settings["systems"][system]["connection"].update(connection)

    def write(self) -> None:
        """Write the settings down."""
        with self.office.settings.open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump(self.settings, file)

    def fates(self) -> dict[str, dict[str, str]]:
        """What became of everything, asked past retentiond."""
        return {system: dict(look()) for system, look in self.truth.items()}


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs once for all tests."""

    postgresql: Server
    dovecot: Dovecot


@contextmanager
def company(folder: Path, servers: Servers) -> Iterator[Company]:
    """The company, with all its systems running."""
    settings = YAML(typ="safe").load((ROOT / "deploy/balanced-bytes/retentiond.yaml").read_text(encoding="utf-8"))
    settings |= {"policies": str(ROOT / "policies/balanced-bytes"), "state": str(folder / "state")}
    made = Company(Office(folder), settings)
    with ExitStack() as stack:
        for start in (web, archive, databases, mailbox, vendors, customer_relations, by_hand):
            stack.enter_context(start(made, folder, servers))
        made.write()
        yield made


# ------------------------------------------------------------------------------------------------------------- web


def access(moment: datetime) -> str:
    return f'192.0.2.17 - - [{moment.strftime("%d/%b/%Y:%H:%M:%S %z")}] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n'


@contextmanager
def web(made: Company, folder: Path, _servers: Servers) -> Iterator[None]:
    """Logs of the web server, copies of those of the CDN, and evidence of incidents."""
    logs, edge, incidents = folder / "nginx", folder / "edge", folder / "incidents"
    for place in (logs, edge, incidents):
        place.mkdir()
    old, young = NOW - timedelta(days=15, hours=3), NOW - timedelta(days=12)
    crowd = "".join(access(NOW - timedelta(days=2, hours=hour)) for hour in range(CROWD))
    (logs / "access.log").write_text(access(NOW - timedelta(hours=1)), encoding="utf-8")
    (logs / "access.log.1").write_text(access(old) + access(young) + crowd, encoding="utf-8")
    (logs / "access.log.2.gz").write_bytes(gzip.compress(access(old - timedelta(days=20)).encode()))
    (edge / "zone.log").write_text(
        f"{(NOW - timedelta(days=4)).isoformat()} 192.0.2.17 HIT\n{(NOW - timedelta(days=1)).isoformat()} 192.0.2.18 HIT\n",
        encoding="utf-8",
    )
    closings = [("old", NOW - timedelta(days=90)), ("young", NOW - timedelta(days=2)), ("open", None)]
    closings += [(f"of-the-crowd-{number}", NOW) for number in range(CROWD)]
    for name, closed in closings:
        document(incidents / f"{name}.pcap", {"closed_at": closed.isoformat() if closed else None})
    for path in (*logs.iterdir(), *edge.iterdir()):
        quiet(path)
    made.connect("webserver", root=str(logs))
    made.connect("log-copies", root=str(edge))
    made.connect("evidence-store", root=str(incidents))

    def lines(place: Path, *said: str) -> Callable[[], Mapping[str, str]]:
        def look() -> Mapping[str, str]:
            text = "".join(
                (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).decode()
                for file in place.iterdir()
            )
            return {one: "whole" if one in text else "gone" for one in said}

        return look

    def stamp(moment: datetime) -> str:
        return moment.strftime("%d/%b/%Y:%H:%M:%S")

    ancient = old - timedelta(days=20)
    made.truth["webserver"] = lines(logs, stamp(old), stamp(young), stamp(ancient))
    made.expected["webserver"] = {stamp(old): "gone", stamp(young): "whole", stamp(ancient): "gone"}
    made.truth["log-copies"] = lines(edge, "192.0.2.17", "192.0.2.18")
    made.expected["log-copies"] = {"192.0.2.17": "gone", "192.0.2.18": "whole"}
    made.truth["evidence-store"] = lambda: {
        name: "whole" if any(incidents.glob(f"{name}.*")) else "gone" for name in ("old", "young", "open")
    }
    made.expected["evidence-store"] = {"old": "gone", "young": "whole", "open": "whole"}
    yield


def document(path: Path, told: Mapping[str, Any]) -> None:
    """A document with the sidecar that tells its dates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"document of somebody")
    sidecar = path.with_name(path.name + ".json")
    sidecar.write_text(json.dumps(told), encoding="utf-8")
    quiet(path)
    quiet(sidecar)


def quiet(path: Path) -> None:
    """Let nobody have written to it for an hour."""
    moment = (NOW - timedelta(hours=1)).timestamp()
    os.utime(path, (moment, moment))


# --------------------------------------------------------------------------------------------------------- archive


def _fresh(dates: Mapping[str, object]) -> dict[str, object]:
    return {name: TODAY - timedelta(days=20) for name in dates if name not in {"settled_on", "closed_on", "ended_on"}}


DOCUMENTS: dict[str, list[tuple[str, dict[str, object], str]]] = {
    "vouchers": [
        ("old", {"issued_on": LONG_AGO, "received_on": LONG_AGO, "settled_on": LONG_AGO}, "gone"),
        ("settled", {"issued_on": date(YEAR - 3, 5, 2), "settled_on": date(YEAR - 3, 6, 1)}, "blocked"),
        ("young", {"issued_on": TODAY - timedelta(days=20)}, "whole"),
        ("undated", {"received_on": LONG_AGO}, "whole"),
    ],
    "books": [
        ("old", {"last_entry_on": LONG_AGO}, "gone"),
        ("young", {"last_entry_on": date(YEAR - 9, 12, 31)}, "whole"),
    ],
    "letters": [
        ("old", {"date": LONG_AGO, "closed_on": LONG_AGO}, "gone"),
        ("closed", {"date": date(YEAR - 3, 5, 2), "closed_on": date(YEAR - 3, 6, 1)}, "blocked"),
        ("young", {"date": TODAY - timedelta(days=20)}, "whole"),
    ],
    "transactions": [
        ("old", {"booked_on": LONG_AGO}, "gone"),
        ("young", {"booked_on": date(YEAR - 3, 5, 2)}, "blocked"),
    ],
    "bank-details": [
        ("old", {"ended_on": date(YEAR - 3, 5, 2), "last_settled_on": date(YEAR - 3, 5, 2)}, "gone"),
        ("young", {"last_settled_on": TODAY - timedelta(days=20)}, "whole"),
    ],
}
"""By folder: each document, what its sidecar tells, and what has to become of it."""

CROWD = 8
"""So many more records there are in each data set of which nothing is due: what would take more than a quarter is refused."""

for _told in DOCUMENTS.values():
    _young = _told[-1] if _told[-1][0] == "young" else next(one for one in _told if one[0] == "young")
    _told += [(f"of-the-crowd-{number}", _fresh(_young[1]), "whole") for number in range(CROWD)]


@contextmanager
def archive(made: Company, folder: Path, _servers: Servers) -> Iterator[None]:
    """The archive of documents, and recordings."""
    root, aside, recordings = folder / "archive", folder / "archive-blocked", folder / "recordings"
    for name, told in DOCUMENTS.items():
        (aside / name).mkdir(mode=0o700, parents=True)
        for one, dates, _ in told:
            document(root / name / f"{one}.pdf", {key: str(value) for key, value in dates.items()})
    recorded_at = {"old": NOW - timedelta(days=370), "young": NOW - timedelta(days=30)}
    recorded_at |= {f"of-the-crowd-{number}": NOW - timedelta(days=10) for number in range(CROWD)}
    for one, recorded in recorded_at.items():
        document(recordings / f"{one}.wav", {"recorded_at": recorded.isoformat()})
    made.connect("archive", root=str(root))
    made.connect("recordings", root=str(recordings))
    for dataset in made.settings["systems"]["archive"]["datasets"].values():
        if "block" in dataset:
            dataset["block"]["moved_to"] = str(aside / Path(dataset["block"]["moved_to"]).name)

    def fate(name: str, one: str) -> str:
        places = {"whole": root / name, "blocked": aside / name}
        found = {said: sorted(file.name for file in place.rglob(f"{one}.*")) for said, place in places.items()}
        there = {said for said, files in found.items() if files}
        assert all(files in ([], [f"{one}.pdf", f"{one}.pdf.json"]) for files in found.values()), "half a document is left"
        assert len(there) <= 1, "a document is in two places"
        return there.pop() if there else "gone"

    made.truth["archive"] = lambda: {f"{name}/{one}": fate(name, one) for name, told in DOCUMENTS.items() for one, *_ in told}
    made.expected["archive"] = {f"{name}/{one}": said for name, told in DOCUMENTS.items() for one, _, said in told}
    made.truth["recordings"] = lambda: {one: _there(list(recordings.glob(f"{one}.*"))) for one in ("old", "young")}
    made.expected["recordings"] = {"old": "gone", "young": "whole"}
    yield


# ------------------------------------------------------------------------------------------------------- databases

BLOCKED = "blocked boolean NOT NULL DEFAULT false"
BORN = "created_at timestamptz NOT NULL DEFAULT '2010-01-01Z'"

TABLES: dict[str, str] = {
    "product-database": f"""
        CREATE TABLE profiles (account int PRIMARY KEY, email text, {BORN}, contract_end date, {BLOCKED});
        CREATE TABLE invoices (id int PRIMARY KEY, account int, settled boolean);
        CREATE TABLE credentials (account int, kind text, secret text, {BORN}, contract_end date, PRIMARY KEY (account, kind));
        CREATE TABLE tickets (number int PRIMARY KEY, email text, {BORN}, contract_end date, {BLOCKED});
        CREATE TABLE ticket_messages (id int PRIMARY KEY, ticket int REFERENCES tickets, body text);
        CREATE TABLE contract_documents (id int PRIMARY KEY, email text, {BORN}, document_on date, contract_end date,
            {BLOCKED});
        CREATE TABLE billing_identities (account int PRIMARY KEY, email text, {BORN}, contract_end date, last_voucher_on date,
            {BLOCKED});
        CREATE INDEX ON ticket_messages (ticket);
        CREATE TABLE retentiond_receipts (log VARCHAR(255) NOT NULL, batch VARCHAR(64) NOT NULL, part INTEGER NOT NULL,
            records INTEGER NOT NULL, items VARCHAR(64) NOT NULL, answers TEXT NOT NULL, PRIMARY KEY (batch, part))""",
    "chatbot": """
        CREATE TABLE chat_sessions (id int PRIMARY KEY, text text, closed_at timestamptz, last_activity_at timestamptz);
        CREATE TABLE chat_log (id int PRIMARY KEY, text text, written_at timestamptz);
        CREATE TABLE vendor_responses (id text PRIMARY KEY, closed_at timestamptz);
        CREATE TABLE vendor_conversations (id text PRIMARY KEY, closed_at timestamptz)""",
    "survey-store": f"""
        CREATE TABLE survey_answers (id int PRIMARY KEY, survey int, email text, answer text, {BORN}, submitted_at timestamptz,
            evaluation_closed_at timestamptz);
        CREATE TABLE survey_results (survey int, answer text, n int);
        CREATE TABLE survey_aggregates (id int PRIMARY KEY, created_at timestamptz, result text,
            {BLOCKED})""",
}

RECENT = TODAY - timedelta(days=20)
LAST_YEAR = TODAY - timedelta(days=400)
HOUR_AGO = NOW - timedelta(hours=1)

ROWS: dict[str, dict[str, list[tuple[dict[str, Any], str]]]] = {
    "product-database": {
        "profiles": [
            ({"account": 1, "email": "anna@example.org", "contract_end": LAST_YEAR}, "gone"),
            ({"account": 2, "email": "bert@example.org", "contract_end": LAST_YEAR}, "blocked"),
            ({"account": 3, "email": "cleo@example.org", "contract_end": None}, "whole"),
            ({"account": 4, "email": "dora@example.org", "contract_end": RECENT}, "blocked"),
        ],
        "credentials": [
            ({"account": 1, "kind": "token", "secret": "x", "contract_end": LAST_YEAR}, "gone"),
            ({"account": 3, "kind": "token", "secret": "x", "contract_end": None}, "whole"),
        ],
        "tickets": [
            ({"number": 1, "email": "anna@example.org", "contract_end": LONG_AGO}, "gone"),
            ({"number": 2, "email": "bert@example.org", "contract_end": LAST_YEAR}, "blocked"),
            ({"number": 3, "email": "cleo@example.org", "contract_end": None}, "whole"),
        ],
        "contract_documents": [
            ({"id": 1, "email": "anna@example.org", "document_on": LONG_AGO, "contract_end": LONG_AGO}, "gone"),
            ({"id": 2, "email": "bert@example.org", "document_on": LONG_AGO, "contract_end": LAST_YEAR}, "blocked"),
            ({"id": 3, "email": "cleo@example.org", "document_on": LONG_AGO, "contract_end": None}, "whole"),
        ],
        "billing_identities": [
            ({"account": 1, "email": "anna@example.org", "contract_end": LONG_AGO, "last_voucher_on": LONG_AGO}, "gone"),
            ({"account": 2, "email": "bert@example.org", "contract_end": LAST_YEAR, "last_voucher_on": LAST_YEAR}, "blocked"),
            ({"account": 3, "email": "cleo@example.org", "contract_end": None, "last_voucher_on": RECENT}, "whole"),
        ],
    },
    "chatbot": {
        "chat_sessions": [
            ({"id": 1, "text": "hello", "closed_at": HOUR_AGO, "last_activity_at": HOUR_AGO}, "gone"),
            ({"id": 2, "text": "hello", "closed_at": None, "last_activity_at": HOUR_AGO}, "gone"),
            ({"id": 3, "text": "hello", "closed_at": None, "last_activity_at": NOW + timedelta(minutes=5)}, "whole"),
        ],
        "chat_log": [
            *(({"id": n, "text": "hello", "written_at": NOW - timedelta(days=15)}, "gone") for n in (1, 2)),
            *(({"id": n, "text": "hello", "written_at": NOW - timedelta(days=13)}, "whole") for n in range(3, 9)),
        ],
    },
    "survey-store": {
        "survey_answers": [
            ({"id": 1, "survey": 1, "submitted_at": LAST_YEAR, "evaluation_closed_at": None}, "gone"),
            ({"id": 2, "survey": 1, "submitted_at": RECENT, "evaluation_closed_at": HOUR_AGO}, "gone"),
            ({"id": 3, "survey": 2, "submitted_at": LAST_YEAR, "evaluation_closed_at": None}, "whole"),
            *(({"id": n, "survey": 1, "submitted_at": RECENT, "evaluation_closed_at": None}, "whole") for n in range(4, 10)),
        ],
        "survey_aggregates": [({"id": 1, "created_at": LAST_YEAR, "result": "87 % are content"}, "whole")],
    },
}
"""By system and table: each row, and what has to become of it."""

for _tables in ROWS.values():
    for _rows_told in _tables.values():
        _last, _ = next(one for one in reversed(_rows_told) if one[1] == "whole")
        _key = next(iter(_last))
        _rows_told += [({**_last, _key: 1000 + number}, "whole") for number in range(CROWD)]

OTHERS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "chatbot": [
        ("vendor_responses", {"id": "resp_old", "closed_at": HOUR_AGO}),
        ("vendor_responses", {"id": "resp_open", "closed_at": None}),
        ("vendor_conversations", {"id": "conv_old", "closed_at": HOUR_AGO}),
        ("vendor_conversations", {"id": "conv_open", "closed_at": None}),
    ],
    "product-database": [
        ("invoices", {"id": 1, "account": 2, "settled": False}),
        ("ticket_messages", {"id": 1, "ticket": 1, "body": "it is broken"}),
    ],
    "survey-store": [("survey_results", {"survey": 1, "answer": "content", "n": 7})],
}
"""Rows that are no records, and decide or go with one."""


@contextmanager
def databases(made: Company, _folder: Path, servers: Servers) -> Iterator[None]:
    """The databases of the product, the chatbot and the surveys."""
    with ExitStack() as stack:
        for system, schema in TABLES.items():
            url = stack.enter_context(contextmanager(fresh_postgresql)(servers.postgresql))
            engine = sa.create_engine(url, poolclass=sa.NullPool)
            with engine.begin() as connection:
                for statement in schema.split(";"):
                    connection.exec_driver_sql(statement)
                rows = [(table, row) for table, told in ROWS[system].items() for row, _ in told]
                for table, row in (*rows, *OTHERS.get(system, ())):
                    names = ", ".join(row)
                    places = ", ".join(f"%({name})s" for name in row)
                    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({places})", row)  # noqa: S608 - our own
            told = made.settings["systems"][system]["connection"]
            told.pop("password", None)
            told.pop("reader", None)
            made.connect(system, url=url.set(drivername="postgresql").render_as_string())
            made.truth[system] = _rows(engine, system)
            made.expected[system] = {_name(table, row): fate for table, told in ROWS[system].items() for row, fate in told}
        yield


def _name(table: str, row: Mapping[str, Any]) -> str:
    return f"{table} {next(iter(row.values()))}"


def _rows(engine: sa.Engine, system: str) -> Callable[[], Mapping[str, str]]:
    def look() -> Mapping[str, str]:
        found: dict[str, str] = {}
        with engine.connect() as connection:
            for table, told in ROWS[system].items():
                for row, _ in told:
                    key = next(iter(row))
                    query = f"SELECT * FROM {table} WHERE {key} = %(key)s"  # noqa: S608 - names of our own
                    there = connection.exec_driver_sql(query, {"key": row[key]}).mappings().first()
                    found[_name(table, row)] = "gone" if there is None else "blocked" if there.get("blocked") else "whole"
        return found

    return look


# --------------------------------------------------------------------------------------------------------- mailbox

A_YEAR_AGO = NOW - timedelta(days=380)

MAILS: list[tuple[str, str, datetime, str, str]] = [
    ("resolved long ago", "Folders/Inquiries", A_YEAR_AGO, f"resolved-{LAST_YEAR}", "gone"),
    ("never resolved", "Folders/Inquiries", NOW - timedelta(days=1500), "", "gone"),
    ("asked last week", "Folders/Inquiries", NOW - timedelta(days=7), "", "whole"),
    ("old quarrel", "Archive", NOW - timedelta(days=1900), "", "gone"),
    ("settled quarrel", "INBOX", A_YEAR_AGO, f"resolved-{LAST_YEAR}", "blocked"),
    ("old order", "Folders/Letters", datetime(YEAR - 12, 3, 15, 12, tzinfo=UTC), f"closed-{LONG_AGO}", "gone"),
    ("young order", "Folders/Letters", A_YEAR_AGO, "", "whole"),
    ("old bill", "Folders/Vouchers", datetime(YEAR - 12, 3, 15, 12, tzinfo=UTC), f"issued-{LONG_AGO}", "gone"),
    ("young bill", "Folders/Vouchers", A_YEAR_AGO, f"issued-{LAST_YEAR}", "whole"),
    ("empty envelope", "Folders/Vouchers", A_YEAR_AGO, "archived no-business-letter", "whole"),  # the tax of that year is open
    ("perhaps a letter", "Folders/Vouchers", A_YEAR_AGO, "archived", "whole"),
    ("win a million", "Spam", A_YEAR_AGO, "", "whole"),
]
"""Subject, folder, when it was received, its keywords, what becomes of it. Spam counts from when it came into its folder."""

for _folder in sorted({name for _, name, *_ in MAILS}):
    MAILS += [
        (
            f"last week {_folder} {number}",
            _folder,
            NOW - timedelta(days=7),
            "archived" * (_folder.endswith("Vouchers") and number % 2),
            "whole",
        )
        for number in range(2 * CROWD)
    ]


@contextmanager
def mailbox(made: Company, folder: Path, servers: Servers) -> Iterator[None]:
    """The mailbox, with the folders that Bridge would show."""
    server = servers.dovecot
    user = server.user()
    with imaplib.IMAP4("127.0.0.1", server.port) as client:
        client.login(f"{user}@truth", PASSWORD)
        client.create("Folders/Restricted/INBOX")
        for name in {name for _, name, *_ in MAILS} | {"Sent", "Trash", "Folders/Restricted"} - {"INBOX"}:
            client.create(name)
        for subject, name, received, keywords, _ in MAILS:
            head = f"Message-ID: <{subject.replace(' ', '.')}@example.org>\r\nFrom: erika@example.org\r\n"
            text = f"{head}Subject: {subject}\r\n\r\nHello."
            client.append(name, f"({keywords})", imaplib.Time2Internaldate(received), text.encode())

    def look() -> Mapping[str, str]:
        found = {subject: "gone" for subject, *_ in MAILS}
        with imaplib.IMAP4("127.0.0.1", server.port) as client:
            client.login(f"{user}@truth", PASSWORD)
            for line in client.list()[1]:
                assert isinstance(line, bytes)
                name = line.decode().split(' "/" ')[1].strip('"')
                said, count = client.select(f'"{name}"', readonly=True)
                if said != "OK" or count == [b"0"]:
                    continue
                for part in client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
                    if isinstance(part, tuple):
                        subject = part[1].decode().removeprefix("Subject: ").strip()
                        found[subject] = "blocked" if "Restricted" in name else "whole"
        return found

    made.connect(
        "mailbox",
        port=server.port,
        certificate=str(server.certificate),
        user=user,
        password=_secret(folder, "mailbox", PASSWORD),
        flavour="plain",
    )
    made.truth["mailbox"] = look
    made.expected["mailbox"] = {subject: fate for subject, *_, fate in MAILS}
    yield


# --------------------------------------------------------------------------------------------------------- vendors


@contextmanager
def vendors(made: Company, folder: Path, _servers: Servers) -> Iterator[None]:
    """The vendors that are reached by HTTP: fakes that behave as documented."""
    long_ago, lately = NOW - timedelta(days=400), NOW - timedelta(days=3)
    ai, survey = openai.OpenAI(), formbricks.Formbricks()
    ai.put_file("file_canary", int(long_ago.timestamp()))
    for name, moment in (("old", long_ago), ("open", lately)):
        ai.put_file(f"file_{name}", int(moment.timestamp()))
        ai.put_response(f"resp_{name}", int(lately.timestamp()))
        ai.put_conversation(f"conv_{name}", int(lately.timestamp()), "hello", "my name is Erika")
        survey.put(f"answer_{name}", moment.isoformat().replace("+00:00", "Z"), "erika@example.org")
    for number in range(CROWD):
        survey.put(f"of-the-crowd-{number}", lately.isoformat().replace("+00:00", "Z"), "erika@example.org")
    with ExitStack() as stack:
        ids = folder / "chatbot-ids"
        url = made.settings["systems"]["chatbot"]["connection"]["url"]
        ids.write_text(url.replace("postgresql://", "postgresql+psycopg://"), encoding="utf-8")
        for dataset in ("responses", "conversations"):
            made.settings["systems"]["openai"]["datasets"][dataset]["ids"]["database"] = {"file": str(ids)}
        made.connect(
            "openai",
            url=stack.enter_context(serving(ai)),
            secret=_secret(folder, "openai", openai.KEY),
            values={"canary": "file_canary"},
        )
        made.connect(
            "survey-tool",
            url=stack.enter_context(serving(survey)),
            secret=_secret(folder, "survey-tool", formbricks.KEY),
            values={"survey": formbricks.SURVEY},
        )
        cdn, booking = bunny.Account(), meetergo.Meetergo()
        cdn.put(12345)
        booking.put("appointment", NOW.isoformat(), "erika@example.org")
        made.connect("bunny-pull-zone", url=stack.enter_context(serving(cdn)), secret=_secret(folder, "bunny", bunny.ACCOUNT))
        made.connect(
            "meetergo",
            url=stack.enter_context(serving(booking)),
            secret=_secret(folder, "meetergo", meetergo.KEY),
            values={"user": meetergo.USER},
        )
        stores = {"file": ai.files, "resp": ai.responses, "conv": ai.conversations}
        made.truth["openai"] = lambda: {
            **{f"{kind}_{name}": _there(f"{kind}_{name}" in held) for kind, held in stores.items() for name in ("old", "open")},
            "items of conv_old": _there(bool(ai.items["conv_old"])),
            "items of conv_open": _there(bool(ai.items["conv_open"])),
        }
        made.expected["openai"] = {
            **{f"{kind}_{name}": fate for kind in stores for name, fate in (("old", "gone"), ("open", "whole"))},
            "items of conv_old": "gone",
            "items of conv_open": "whole",
        }
        made.truth["survey-tool"] = lambda: {one: _there(one in survey.responses) for one in ("answer_old", "answer_open")}
        made.expected["survey-tool"] = {"answer_old": "gone", "answer_open": "whole"}
        yield


def _secret(folder: Path, name: str, text: str) -> dict[str, str]:
    file = folder / f"{name}.secret"
    file.write_text(text, encoding="utf-8")
    return {"file": str(file)}


def _there(there: object) -> str:
    return "whole" if there else "gone"


# -------------------------------------------------------------------------------------------------------------- crm

LEAD, CUSTOMER = "CRM Lead", "CRM Organization"

LEADS: dict[str, tuple[datetime, str, str]] = {
    "silent-old": (NOW - timedelta(days=700), "Sent", "gone"),
    "silent-young": (NOW - timedelta(days=100), "Sent", "whole"),
    "active-old": (NOW - timedelta(days=2000), "Received", "gone"),
    "active-in-review": (NOW - timedelta(days=780), "Received", "blocked"),
    "active-young": (NOW - timedelta(days=100), "Received", "whole"),
    **{f"of-the-crowd-{number}": (NOW - timedelta(days=50), ("Sent", "Received")[number % 2], "whole") for number in range(20)},
}
"""Each lead: the last mail, its direction, and what has to become of it."""

CUSTOMERS: dict[str, tuple[date | None, int, str]] = {
    "left long ago": (LONG_AGO, 1, "gone"),
    "left, nothing archived": (LONG_AGO, 0, "blocked"),
    "left last year": (LAST_YEAR, 1, "blocked"),
    "left, letters there": (date(YEAR - 5, 5, 2), 0, "blocked"),
    "is there": (None, 0, "whole"),
    **{f"of-the-crowd-{number}": (None, 0, "whole") for number in range(2 * CROWD)},
}
"""Each customer: when the relationship ended, whether the documents are archived, and what has to become of it."""

LETTERS: dict[str, tuple[str, datetime, str]] = {
    "letter of long ago": ("left, letters there", datetime(YEAR - 12, 3, 15, 12, tzinfo=UTC), "gone"),
    "letter that has to stay": ("left, letters there", datetime(YEAR - 5, 3, 15, 12, tzinfo=UTC), "blocked"),
    "letter of last week": ("is there", NOW - timedelta(days=7), "whole"),
    **{f"letter of the crowd {number}": ("is there", NOW - timedelta(days=7), "whole") for number in range(CROWD)},
}
"""Each letter: the customer, when it was sent, and what has to become of it."""

PROOFS: dict[str, tuple[str, datetime | None, datetime, str]] = {
    "withdrawn long ago": ("email", NOW - timedelta(days=1900), NOW - timedelta(days=1900), "gone"),
    "withdrawn lately": ("email", NOW - timedelta(days=30), NOW - timedelta(days=60), "blocked"),
    "in use": ("email", None, NOW - timedelta(days=3), "whole"),
    "phone, unused for long": ("phone", None, NOW - timedelta(days=2200), "gone"),
    "phone, in use": ("phone", None, NOW - timedelta(days=3), "whole"),
    **{
        f"of-the-crowd-{number}": (("email", "phone")[number % 2], None, NOW - timedelta(days=3), "whole")
        for number in range(2 * CROWD)
    },
}
"""Each proof of a consent: channel, withdrawal, last use, and what has to become of it."""


@contextmanager
def customer_relations(made: Company, folder: Path, _servers: Servers) -> Iterator[None]:
    """The CRM: a fake that behaves as a real site was seen to."""
    site = FrappeSite()
    zone = ZoneInfo(site.zone)

    def local(moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(zone).replace(tzinfo=None).isoformat(" ")

    for name, (moment, way, _) in LEADS.items():
        site.put(LEAD, name, first_name=f"marker {name}", email=f"{name}@example.org", converted=0, custom_blocked=0)
        site.put("Comment", None, content=f"marker {name}", reference_doctype=LEAD, reference_name=name)
        site.put(
            "Communication",
            f"mail of {name}",
            sender=f"{name}@example.org",
            content=f"marker {name}",
            sent_or_received=way,
            communication_date=local(moment),
            reference_doctype=LEAD,
            reference_name=name,
        )
    for name, (ended, archived, _) in CUSTOMERS.items():
        told: dict[str, Any] = {
            "custom_ended_on": ended.isoformat() if ended else None,
            "custom_archived": archived,
            "custom_blocked": 0,
        }
        site.put(CUSTOMER, name, organization_name=name, **told)
    site.granted = {("Communication", "write")}
    for name, (customer, moment, _) in LETTERS.items():
        told = {"communication_date": local(moment), "custom_blocked": 0}
        site.put("Communication", name, **told, content=name, reference_doctype=CUSTOMER, reference_name=customer)
    for name, (channel, withdrawn, used, _) in PROOFS.items():
        times: dict[str, Any] = {"withdrawn_at": local(withdrawn), "last_used_at": local(used), "granted_at": local(used)}
        site.put("Consent Proof", name, email=f"{name[:5]}@example.org", channel=channel, custom_blocked=0, **times)
    with serving(site.answer) as url:
        made.connect("crm", url=url, site="crm.localhost", key="manager", secret=_secret(folder, "crm", "s3cret"))
        made.settings["systems"]["crm"]["connection"]["administrator"] = {
            "key": "admin",
            "secret": _secret(folder, "crm-administrator", "s3cret"),
        }

        def fate(doctype: str, name: str) -> str:
            row = site.tables[doctype].get(name)
            if row is None:
                assert f'marker {name}"' not in site.texts(), "a copy of what was deleted is left"
                return "gone"
            return "blocked" if row["custom_blocked"] else "whole"

        places: tuple[tuple[str, Mapping[str, tuple[Any, ...]]], ...] = (
            (LEAD, LEADS),
            (CUSTOMER, CUSTOMERS),
            ("Communication", LETTERS),
            ("Consent Proof", PROOFS),
        )
        made.truth["crm"] = lambda: {f"{doctype} {name}": fate(doctype, name) for doctype, told in places for name in told}
        made.expected["crm"] = {f"{doctype} {name}": row[-1] for doctype, told in places for name, row in told.items()}
        yield


# --------------------------------------------------------------------------------------------------------- by hand


@contextmanager
def by_hand(made: Company, folder: Path, _servers: Servers) -> Iterator[None]:
    """What only a person can do."""
    for system in ("finom", "meetergo-tasks"):
        register = folder / f"{system}-register"
        register.mkdir(mode=0o700)
        made.connect(system, register=str(register))
        for dataset in made.settings["systems"][system]["datasets"].values():
            dataset["recurs"]["first"] = (TODAY - timedelta(days=3)).isoformat()
    yield
