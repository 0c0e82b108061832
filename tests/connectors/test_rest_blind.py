"""What is not seen is an error and never an empty answer; nothing is done then, and nobody is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from connectors.rest_support import TARGET, Dataset, dataset
from support.vendors.crm import KEY, Crm
from support.vendors.fake import told
from support.webserver import Answered, Asked, serving

from retentiond.connector import Action, ConnectorError, OutcomeUnknownError, Presence, TransientConnectorError
from retentiond_rest import connector
from retentiond_rest.requests import Pages

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "describe-a-rest-system.md"


def crm_manifest(folder: Path) -> str:
    text = PAGE.read_text(encoding="utf-8").partition("```yaml file=crm.yaml\n")[2].partition("```\n")[0]
    (folder / "crm.yaml").write_text(text)
    return str(folder / "crm.yaml")


@pytest.fixture
def fake() -> Crm:
    fake = Crm()
    for number in range(5):
        fake.put(f"lead-{number}", f"2020-01-0{number + 1}T00:00:00+00:00", "erika@canaria.example")
    return fake


@pytest.fixture
def leads(fake: Crm, tmp_path: Path) -> Iterator[Dataset]:
    with fake.served() as url:
        yield dataset(tmp_path, url, crm_manifest(tmp_path), KEY, "leads")


def broken(name: str) -> Callable[[Crm, Path], None]:
    def wrong_key(_: Crm, folder: Path) -> None:
        (folder / "secret").write_text("another")

    changes: dict[str, Callable[[Crm, Path], None]] = {
        "wrong credentials": wrong_key,
        "no right any more": lambda fake, _: setattr(fake, "lost", frozenset({"rights"})),
        "nothing visible any more": lambda fake, _: setattr(fake, "lost", frozenset({"sight"})),
        "a login page": lambda fake, _: setattr(fake, "page", "<html>Log in, Erika Canaria</html>"),
    }
    return changes[name]


TROUBLES = ["wrong credentials", "no right any more", "nothing visible any more", "a login page"]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_told_and_never_taken_for_nothing(leads: Dataset, fake: Crm, tmp_path: Path, trouble: str) -> None:
    refs = leads.find("created")
    broken(trouble)(fake, tmp_path)
    before = dict(fake.leads)
    fake.seen.clear()
    questions: list[Callable[[], object]] = [
        leads.count,
        lambda: leads.find("created"),
        lambda: leads.undated("created"),
        lambda: leads.present(refs),
        lambda: leads.delete(refs),
    ]
    for question in questions:
        with pytest.raises(ConnectorError) as raised:
            question()
        assert not isinstance(raised.value, TransientConnectorError | OutcomeUnknownError)
        assert raised.value.code in {"forbidden", "malformed"}
        assert "anaria" not in str(raised.value)
        assert str(raised.value).endswith(".") or str(raised.value).endswith("?")
    assert fake.leads == before
    assert [asked for asked in fake.seen if fake.acts(asked)] == []


def test_an_error_inside_of_a_success_is_an_error(leads: Dataset, fake: Crm) -> None:
    fake.inside = "Erika Canaria has no access"
    with pytest.raises(ConnectorError, match="error inside") as raised:
        leads.count()
    assert "anaria" not in str(raised.value)


def test_an_empty_list_is_believed_once_the_system_was_seen(leads: Dataset, fake: Crm) -> None:
    fake.leads.clear()
    assert leads.count() == 0
    fake.lost = frozenset({"sight"})
    with pytest.raises(ConnectorError, match="cannot be believed"):
        leads.count()


def test_a_page_of_a_proxy_with_404_says_nothing_about_a_record(leads: Dataset, fake: Crm) -> None:
    refs = leads.find("created")
    whole = fake.routes()
    fake.routes = lambda: {  # type: ignore[method-assign] # a proxy before it
        **whole,
        "GET /api/leads/([^/]+)": lambda _, _key: Answered(404, b"<html>not here</html>", "text/html"),
    }
    for ask in (lambda: leads.present(refs), lambda: leads.delete(refs)):
        with pytest.raises(ConnectorError, match="a web page instead of JSON"):
            ask()
    assert len(fake.leads) == 5


def test_another_record_than_was_asked_for_is_an_error(leads: Dataset, fake: Crm) -> None:
    refs = leads.find("created")
    fake.leads["lead-0"] = {**fake.leads["lead-1"]}
    with pytest.raises(ConnectorError, match="another record"):
        leads.present(refs[:1])


def manifest(folder: Path, pages: str, more: str = "") -> str:
    path = folder / "things.yaml"
    path.write_text(
        "rest: 1\ntitle: Things\nauth: {by: bearer}\nsight: {path: /me, holds: {at: /ok, equals: [true]}}\n"
        f"kinds:\n  things:\n    list: {{path: /things, items: /data, pages: {pages}}}\n    key: [/id]\n"
        f'    dates: {{created: {{at: /at, forms: [unix], "null": error}}}}\n    look: {{list: whole}}\n{more}'
    )
    return str(path)


def things(tmp_path: Path, pages: str, answer: Callable[[Asked], Answered]) -> int:
    def served(asked: Asked) -> Answered:
        return told({"ok": True}) if asked.path == "/me" else answer(asked)

    with serving(served) as url:
        return dataset(tmp_path, url, manifest(tmp_path, pages), "x", "things").count()


def thing(key: int) -> dict[str, object]:
    return {"id": key, "at": 1_600_000_000}


@pytest.mark.parametrize(
    ("pages", "answer", "what"),
    [
        ("{by: none}", lambda _: told({"data": None}), "no list"),
        ("{by: none}", lambda _: told({"things": []}), "no list"),
        ("{by: none}", lambda _: told({"data": [{"at": 1_600_000_000}]}), "without its key"),
        ("{by: none}", lambda _: told({"data": [{"id": 1}]}), "without its date"),
        ("{by: page, query: page, first: 1}", lambda _: told({"data": [thing(1)]}), "same page again"),
        ("{by: offset, query: skip}", lambda _: told({"data": [thing(1)]}), "same page again"),
        ("{by: cursor, query: after, next: /next}", lambda a: told({"data": [thing(len(a.query))], "next": "x"}), "circle"),
        ("{by: cursor, query: after, next: /next, more: /more}", lambda _: told({"data": [], "more": True}), "where"),
        ("{by: cursor, query: after, next: /next, more: /more}", lambda _: told({"data": []}), "whether"),
        ("{by: link, next: /next}", lambda _: told({"data": [], "next": "https://elsewhere.example/things"}), "another system"),
        ("{by: link, next: /next}", lambda _: told({"data": [], "next": 7}), "another system"),
        ("{by: offset, query: skip, total: /total}", lambda _: told({"data": [], "total": 3}), "changed while"),
        ("{by: offset, query: skip, total: /total}", lambda _: told({"data": []}), "how long"),
        ("{by: page, query: page, total: /total}", lambda _: told({"data": [thing(1), thing(1)], "total": 2}), "changed while"),
    ],
)
def test_a_list_that_cannot_be_whole_is_an_error(
    tmp_path: Path, pages: str, answer: Callable[[Asked], Answered], what: str
) -> None:
    with pytest.raises(ConnectorError, match=what):
        things(tmp_path, pages, answer)


def test_a_list_that_shrinks_while_it_is_read_is_read_again_later(tmp_path: Path) -> None:
    """Rows that move up over the offset would be lost without a word."""
    rows = [thing(number) for number in range(5)]

    def shrinking(asked: Asked) -> Answered:
        skip = int(dict(asked.query)["skip"])
        page = told({"data": rows[skip : skip + 2], "total": len(rows)})
        if skip == 0:
            del rows[0]
        return page

    with pytest.raises(TransientConnectorError, match="changed while it was read"):
        things(tmp_path, "{by: offset, query: skip, total: /total}", shrinking)


@pytest.mark.parametrize(
    "pages",
    ["{by: page, query: page, first: 1}", "{by: offset, query: skip}", "{by: offset, query: skip, size: [limit, 50]}"],
)
def test_a_page_that_is_shorter_than_asked_is_not_the_last(tmp_path: Path, pages: str) -> None:
    rows = [thing(number) for number in range(7)]

    def capped(asked: Asked) -> Answered:
        query = dict(asked.query)
        skip = int(query["skip"]) if "skip" in query else (int(query["page"]) - 1) * 3
        return told({"data": rows[skip : skip + 3]})

    assert things(tmp_path, pages, capped) == 7


def test_paging_needs_what_it_goes_by() -> None:
    for by in ("page", "offset", "cursor", "link"):
        with pytest.raises(ValueError, match="needs"):
            Pages.model_validate({"by": by})


@pytest.mark.parametrize(("left", "what"), [(15, None), (14, "ends on"), (0, "ends on"), (-1, "ended on")])
def test_the_end_of_a_key_is_told_in_time_by_the_clock_of_the_system(leads: Dataset, left: int, what: str | None) -> None:
    with connector.reader(leads.connection, leads.options, TARGET) as reader:
        now = reader.now()
    assert now is not None
    connection = leads.connection.model_copy(update={"key_expires": now.date() + timedelta(days=left)})
    with connector.reader(connection, leads.options, TARGET) as reader:
        findings = reader.preflight(Action.DELETE)
    assert [finding.refuses for finding in findings] == ([] if what is None else [False])
    assert all(str(what) in finding.what for finding in findings)


def test_a_list_that_tells_less_than_the_record_itself_is_found_before_anything_is_done(leads: Dataset, fake: Crm) -> None:
    """Otherwise each record would count as changed, for ever."""

    def findings() -> list[bool]:
        with connector.reader(leads.connection, leads.options, TARGET) as reader:
            return [finding.refuses for finding in reader.preflight(Action.DELETE)]

    assert findings() == []
    whole = fake.routes()

    def short(_: Asked) -> Answered:
        return told({"leads": [{**lead, "email": None} for lead in fake.leads.values()], "next": None})

    fake.routes = lambda: {**whole, "GET /api/leads": short}  # type: ignore[method-assign]
    assert findings() == [True]
    fake.leads.clear()
    assert findings() == []


def test_what_is_archived_or_in_the_trash_still_counts_as_there(leads: Dataset, fake: Crm) -> None:
    refs = leads.find("created")
    for lead in fake.leads.values():
        lead["state"] = json.dumps("archived")
    assert leads.present(refs) == [Presence.PRESENT] * 5
