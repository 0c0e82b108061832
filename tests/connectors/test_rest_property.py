"""Whatever is there, and whatever happens between finding and deleting: only what was due and stayed as it was goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from connectors.rest_support import Dataset, dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.vendors.crm import KEY, Crm

from retentiond.connector import Answered, ConnectorError

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "describe-a-rest-system.md"
CUTOFF = datetime(2026, 1, 1, tzinfo=UTC)

WRITTEN = st.none() | st.just("not a date") | st.integers(-400, 400).map(lambda days: (CUTOFF + timedelta(days=days)).isoformat())
CHANGES = st.sampled_from(["nothing", "stage", "email", "created", "gone", "locked", "refused"])
TROUBLE = st.sampled_from([None, None, "stumbling", "losing", "page", "rights", "sight"])


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Crm, Dataset]]:
    folder = tmp_path_factory.mktemp("crm")
    text = PAGE.read_text(encoding="utf-8").partition("```yaml file=crm.yaml\n")[2].partition("```\n")[0]
    (folder / "crm.yaml").write_text(text)
    fake = Crm()
    with fake.served() as url:
        yield fake, dataset(folder, url, str(folder / "crm.yaml"), KEY, "leads")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(WRITTEN, CHANGES), max_size=7), TROUBLE)
def test_only_what_was_due_and_stayed_as_it_was_goes(
    crm: tuple[Crm, Dataset], records: list[tuple[str | None, str]], trouble: str | None
) -> None:
    fake, data = crm
    fake.leads, fake.leaving, fake.refused, fake.page, fake.lost = {}, {}, set(), "", frozenset()
    fake.stumbling, fake.losing = 0, False
    for number, (written, _) in enumerate(records):
        fake.put(f"lead-{number}", written, "erika@canaria.example")
    refs = data.find("created", date(2026, 1, 1))
    due = {
        f"lead-{n}" for n, (written, _) in enumerate(records) if written and written < CUTOFF.isoformat() and written[0] == "2"
    }
    assert {ref.key[0] for ref in refs} == due
    may_go = set(due)
    for number, (_, change) in enumerate(records):
        key = f"lead-{number}"
        match change:
            case "stage" | "email" | "created":
                fake.leads[key][change] = "2025-05-05T05:05:05+00:00" if change == "created" else "other"
                may_go.discard(key)
            case "gone":
                del fake.leads[key]
            case "locked":
                fake.leads[key]["state"] = "locked"
            case "refused":
                fake.refused.add(f"/{key}")
                may_go.discard(key)
    before = dict(fake.leads)
    fake.stumbling, fake.losing = int(trouble == "stumbling"), trouble == "losing"
    fake.page = "<html>" if trouble == "page" else ""
    fake.lost = frozenset({"rights", "sight"} & {trouble or ""})
    try:
        answers = data.delete(refs)
    except ConnectorError:
        answers = []
    gone = before.keys() - fake.leads.keys()
    assert gone <= may_go
    said = {ref.key[0]: answer.said for ref, answer in zip(refs, answers, strict=False)}
    assert {key for key, word in said.items() if word is Answered.DONE} <= gone
    assert not {key for key, word in said.items() if word is Answered.FAILED} & gone
    if trouble is None:
        assert gone == may_go & before.keys()
    fake.losing = False
