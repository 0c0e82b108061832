# ruff: noqa: S101 - the kit asserts; that is what it is for
"""What every reader promises about searching, one test method for each promise."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from retentiond.connector import Action, Presence, Reader
from retentiond.testing.world import NOON, Bench, Gap, World

FAR_ZONE = "Asia/Kathmandu"
"""Where the host is believed to be: 5:45 ahead of UTC, which no slip with hours can imitate."""


@contextmanager
def host_in(zone: str) -> Iterator[None]:
    """Have the process believe to be in `zone`."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


class FindingPromises:
    """What is found, in which order, and that finding is all that happens."""

    def test_an_instant_is_found_strictly_before_the_cutoff(self, world: World) -> None:
        """A record at the very instant of the cutoff is not found; one a second before is."""
        bench = Bench(world)
        if bench.lacks(Gap.INSTANT):
            return
        earlier = world.put(1, NOON - timedelta(seconds=1))
        world.put(2, NOON)
        world.put(3, NOON + timedelta(seconds=1))
        assert [ref.key for ref in bench.find(bench.before(NOON))] == [earlier], "found is not what lies strictly before"

    def test_a_cutoff_is_exact_to_the_microsecond(self, world: World) -> None:
        """A record is found by a cutoff that lies a microsecond after it."""
        bench = Bench(world)
        if bench.lacks(Gap.INSTANT):
            return
        key = world.put(1, NOON)
        world.put(2, NOON + timedelta(seconds=1))
        assert [ref.key for ref in bench.find(bench.before(NOON + timedelta(microseconds=1)))] == [key], "the cutoff was rounded"

    def test_a_plain_date_is_found_strictly_before_the_cutoff(self, world: World) -> None:
        """A record on the very day of the cutoff is not found; one of the day before is."""
        bench = Bench(world)
        if bench.lacks(Gap.DAY):
            return
        today = NOON.date()
        earlier = world.put(1, today - timedelta(days=1))
        world.put(2, today)
        world.put(3, today + timedelta(days=1))
        assert [ref.key for ref in bench.find(bench.before(today))] == [earlier], "found is not what lies strictly before"

    def test_the_oldest_comes_first(self, world: World) -> None:
        """Records come by age, whatever the order they were put there in and over the borders of pages."""
        bench = Bench(world)
        ages = (4, 1, 6, 0, 5, 2, 3)
        keys = {days: world.put(number, bench.moment(days)) for number, days in enumerate(ages)}
        assert [ref.key for ref in bench.find()] == [keys[days] for days in sorted(ages)], "not oldest first"

    def test_finding_changes_nothing(self, world: World) -> None:
        """After everything that a reader can be asked the store is byte for byte what it was."""
        bench = Bench(world)
        keys = bench.put(1, 2, 3)
        before = bench.snapshot()
        with bench.reader() as reader:
            refs = [ref for page in reader.find(bench.everything(), Action.DELETE) for ref in page]
            reader.count()
            reader.present(refs)
            reader.explain(keys[0])
            reader.now()
            list(reader.undated([bench.by]))
            for action in bench.actions():
                reader.preflight(action)
        assert bench.snapshot() == before, "reading changed something"

    def test_a_reader_cannot_write(self, world: World) -> None:
        """A reader has no method beyond those of a reader, and its own session takes no write."""
        bench = Bench(world)
        bench.put(1)
        before = bench.snapshot()
        with bench.reader() as reader:
            known = {name for name, _ in inspect.getmembers(Reader)}
            methods = {name for name, _ in inspect.getmembers(reader, callable) if not name.startswith("_")}
            assert methods <= known, f"a reader with more methods than a reader has: {sorted(methods - known)}"
            if not bench.lacks(Gap.WRITE_THROUGH):
                assert not world.write_through(reader), "the reader's session took a write"
        assert bench.snapshot() == before, "the reader's session changed something"

    def test_instants_are_aware_utc_whatever_the_zone_of_the_host(self, world: World) -> None:
        """Dates and cutoffs mean the same on a host in Kathmandu as on one in UTC."""
        bench = Bench(world)
        moment = bench.moment(1)
        key = world.put(1, moment)
        for zone in (FAR_ZONE, "UTC"):
            with host_in(zone):
                (ref,) = bench.find()
                found = ref.dates[bench.by]
                assert (ref.key, found) == (key, moment), f"another date on a host in {zone}"
                if isinstance(found, datetime):
                    assert found.utcoffset() == timedelta(0), f"no aware UTC on a host in {zone}"
                    assert found.tzinfo is UTC or found.tzname() == "UTC", f"no aware UTC on a host in {zone}"
                    assert bench.find(bench.before(moment)) == [], f"found at its cutoff on a host in {zone}"
                    assert bench.find(bench.before(moment + timedelta(seconds=1))), f"not found on a host in {zone}"

    def test_every_date_of_the_data_set_is_told(self, world: World) -> None:
        """A record tells each date that the data set offers, None where it is unknown, and no other."""
        bench = Bench(world)
        bench.put(1)
        offered = world.connector.offer(bench.connection, bench.options).dates
        assert bench.by in offered, "the date is not offered"
        (ref,) = bench.find()
        assert set(ref.dates) == offered, "told are other dates than are offered"

    def test_an_undated_record_is_never_found(self, world: World) -> None:
        """What has no known date is before no cutoff."""
        bench = Bench(world)
        if bench.lacks(Gap.UNDATED):
            return
        (dated,) = bench.put(1)
        world.put(2, None)
        for action in bench.actions():
            assert [ref.key for ref in bench.find(awaiting=action)] == [dated], "an undated record was found"

    def test_undated_tells_exactly_the_undated_records(self, world: World) -> None:
        """Each record without a known date is told once, with no date, and no other one is."""
        bench = Bench(world)
        if bench.lacks(Gap.UNDATED):
            return
        bench.put(1, 2)
        keys = [world.put(number, None) for number in range(3, 3 + 5)]
        told = bench.undated()
        assert sorted(ref.key for ref in told) == sorted(keys), "undated tells others than the undated, or twice"
        assert all(moment is None for ref in told for moment in ref.dates.values()), "an undated record has a date"

    def test_a_search_goes_by_the_date_that_it_is_asked_for(self, world: World) -> None:
        """A record whose other date alone is known is found by no cutoff on this one; by this one it is undated."""
        bench = Bench(world)
        if bench.lacks(Gap.INSTANT) or bench.lacks(Gap.DAY) or bench.lacks(Gap.UNDATED):
            return
        assert world.instant is not None
        (dated,) = bench.put(1)
        other = world.put(2, NOON.date())
        assert [ref.key for ref in bench.find()] == [dated], "found is what has another date"
        with bench.reader() as reader:
            told = [ref.key for page in reader.undated([world.instant]) for ref in page]
        assert told == [other], "undated does not go by the dates that it is asked for"

    def test_dates_that_tie_across_pages_lose_and_double_nothing(self, world: World) -> None:
        """More records of one and the same date than a page holds are each found once."""
        bench = Bench(world)
        keys = world.put_many([bench.moment(1)] * world.many)
        pages = bench.pages()
        assert len(pages) > 1, "the world's `many` records fit into one page"
        assert sorted(ref.key for page in pages for ref in page) == sorted(keys), "records were lost or doubled"

    def test_nothing_is_missing_where_records_fill_several_pages(self, world: World) -> None:
        """More records than a page holds are each found once, oldest first, and no page is empty."""
        bench = Bench(world)
        keys = world.put_many([bench.moment(number) for number in range(world.many)])
        pages = bench.pages()
        assert all(pages), "a page is empty"
        assert [ref.key for page in pages for ref in page] == keys, "records were lost, doubled or out of order"

    def test_blocked_records_are_left_out_for_block_and_found_for_delete(self, world: World) -> None:
        """Who blocks is not shown what is blocked already; who deletes is, and sees that it is blocked."""
        bench = Bench(world)
        if bench.lacks(Gap.BLOCK):
            return
        blocked = world.put(1, bench.moment(1), Presence.BLOCKED)
        (other,) = bench.put(2)
        assert [ref.key for ref in bench.find(awaiting=Action.BLOCK)] == [other], "a blocked record awaits blocking"
        found = bench.find(awaiting=Action.DELETE)
        assert [ref.key for ref in found] == [blocked, other], "a blocked record cannot be deleted"
        assert [ref.blocked for ref in found] == [True, False], "told wrongly what is blocked"

    def test_anonymized_records_are_left_out_for_anonymize_and_found_for_delete(self, world: World) -> None:
        """Who anonymizes is not shown what is anonymized already; who deletes is."""
        bench = Bench(world)
        if bench.lacks(Gap.ANONYMIZE):
            return
        done = world.put(1, bench.moment(1), Presence.ANONYMIZED)
        (other,) = bench.put(2)
        assert [ref.key for ref in bench.find(awaiting=Action.ANONYMIZE)] == [other], "an anonymized record awaits it again"
        assert [ref.key for ref in bench.find(awaiting=Action.DELETE)] == [done, other], "it cannot be deleted"
        if not bench.lacks(Gap.BLOCK):
            assert [ref.key for ref in bench.find(awaiting=Action.BLOCK)] == [other], "what is anonymized awaits blocking"
