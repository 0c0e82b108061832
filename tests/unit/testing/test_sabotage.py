"""The kit notices: for each promise there is a connector that breaks it, and the test of that promise fails."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest

from retentiond.connector import (
    Action,
    Answer,
    ConnectorError,
    Cutoff,
    Finding,
    How,
    OutcomeUnknownError,
    Permit,
    Presence,
    Reader,
    Receipt,
    RecordRef,
    Subject,
    Target,
    TransientConnectorError,
)
from retentiond.testing import ConformanceKit, Gap, MemoryWorld, World, memory
from retentiond.testing.memory import MemoryAnonymizer, MemoryBlocker, MemoryDataset, MemoryDeleter, MemoryReader, MemoryStore
from retentiond.testing.world import Key

Sabotage = Callable[[MemoryWorld], None]
Refs = Sequence[RecordRef]

SABOTAGES: dict[str, tuple[Sabotage, tuple[str, ...]]] = {}
DATA = "records"


def breaks(*promises: str) -> Callable[[Sabotage], Sabotage]:
    """Remember what a sabotage must be noticed by."""

    def remember(sabotage: Sabotage) -> Sabotage:
        assert sabotage.__name__ not in SABOTAGES
        SABOTAGES[sabotage.__name__] = (sabotage, tuple(f"test_{promise}" for promise in promises))
        return sabotage

    return remember


def reading(world: MemoryWorld, kind: type[MemoryReader]) -> None:
    """Give the world another reader."""
    world.connector = replace(world.connector, reader=lambda _c, options, target: kind(world.store, options, target))


def deleting(world: MemoryWorld, kind: type[MemoryDeleter]) -> None:
    """Give the world another deleter."""
    world.connector = replace(world.connector, deleter=lambda _c, _o, target: kind(world.store, target))


def blocking(world: MemoryWorld, kind: type[MemoryBlocker]) -> None:
    """Give the world another blocker."""
    world.connector = replace(world.connector, blocker=lambda _c, _o, target: kind(world.store, target))


def anonymizing(world: MemoryWorld, kind: type[MemoryAnonymizer]) -> None:
    """Give the world another anonymizer."""
    world.connector = replace(world.connector, anonymizer=lambda _c, _o, target: kind(world.store, target))


def paged(refs: list[RecordRef], size: int = 3) -> Iterator[list[RecordRef]]:
    for start in range(0, len(refs), size):
        yield refs[start : start + size]


def age(ref: RecordRef, by: str) -> datetime:
    moment = ref.dates[by]
    assert moment is not None
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


class Searching(MemoryReader):
    """A reader whose search can be spoilt in one place."""

    def _admits(self, cutoff: Cutoff, ref: RecordRef) -> bool:
        return cutoff.admits(ref.dates)

    def _shown(self, ref: RecordRef) -> RecordRef:
        return ref

    def _awaits(self, key: Key, awaiting: Action) -> bool:
        stored = self._all()[key]
        return awaiting is Action.DELETE or not (stored.anonymized or (awaiting is Action.BLOCK and stored.blocked))

    def _every(self, cutoff: Cutoff, awaiting: Action) -> list[RecordRef]:
        refs = [self._ref(key) for key in sorted(self._all()) if self._awaits(key, awaiting)]
        return sorted((ref for ref in refs if self._admits(cutoff, ref)), key=lambda ref: age(ref, cutoff.by))

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        yield from paged([self._shown(ref) for ref in self._every(cutoff, awaiting)])


# ---------------------------------------------------------------------------------------------------- searching


@breaks("an_instant_is_found_strictly_before_the_cutoff", "instants_are_aware_utc_whatever_the_zone_of_the_host")
def an_inclusive_instant(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _admits(self, cutoff: Cutoff, ref: RecordRef) -> bool:
            moment = ref.dates[cutoff.by]
            return cutoff.admits(ref.dates) or (isinstance(moment, datetime) and moment == cutoff.before)

    reading(world, Broken)


@breaks("a_plain_date_is_found_strictly_before_the_cutoff")
def an_inclusive_day(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _admits(self, cutoff: Cutoff, ref: RecordRef) -> bool:
            return cutoff.admits(ref.dates) or ref.dates[cutoff.by] == cutoff.before_date

    reading(world, Broken)


@breaks("an_instant_is_found_strictly_before_the_cutoff")
def a_cutoff_rounded_to_the_day(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _admits(self, cutoff: Cutoff, ref: RecordRef) -> bool:
            moment = ref.dates[cutoff.by]
            return moment.date() < cutoff.before_date if isinstance(moment, datetime) else cutoff.admits(ref.dates)

    reading(world, Broken)


@breaks("a_cutoff_is_exact_to_the_microsecond")
def a_cutoff_in_whole_seconds(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _admits(self, cutoff: Cutoff, ref: RecordRef) -> bool:
            return replace(cutoff, before=cutoff.before.replace(microsecond=0)).admits(ref.dates)

    reading(world, Broken)


@breaks("the_oldest_comes_first", "nothing_is_missing_where_records_fill_several_pages")
def newest_first(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _every(self, cutoff: Cutoff, awaiting: Action) -> list[RecordRef]:
            return super()._every(cutoff, awaiting)[::-1]

    reading(world, Broken)


@breaks("the_oldest_comes_first")
def in_the_order_of_keys(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _every(self, cutoff: Cutoff, awaiting: Action) -> list[RecordRef]:
            return sorted(super()._every(cutoff, awaiting), key=lambda ref: ref.key)

    reading(world, Broken)


@breaks("a_search_goes_by_the_date_that_it_is_asked_for")
def a_search_by_whichever_date_there_is(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _every(self, cutoff: Cutoff, awaiting: Action) -> list[RecordRef]:
            others = [name for name in self._options.dates if name != cutoff.by]
            return super()._every(cutoff, awaiting) + [
                ref for name in others for ref in super(Broken, self)._every(replace(cutoff, by=name), awaiting)
            ]

    reading(world, Broken)


@breaks("a_search_goes_by_the_date_that_it_is_asked_for")
def undated_by_all_dates_there_are(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def undated(self, _dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
            yield from super().undated(self._options.dates)

    reading(world, Broken)


@breaks("finding_changes_nothing")
def a_search_that_deletes(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            for page in super().find(cutoff, awaiting):
                yield page
                self._all().pop(page[0].key)

    reading(world, Broken)


@breaks("finding_changes_nothing")
def a_preflight_that_tries_a_delete(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def preflight(self, action: Action) -> list[Finding]:
            if action is Action.DELETE:
                self._all().popitem()
            return []

    reading(world, Broken)


@breaks("finding_changes_nothing")
def an_explanation_that_leaves_a_trace(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def explain(self, key: Key) -> RecordRef | None:
            if key in self._all():
                self._all()[key].content += " (read)"
            return super().explain(key)

    reading(world, Broken)


@breaks("a_reader_cannot_write")
def a_reader_that_can_delete(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def delete(self, refs: Refs) -> None:
            for ref in refs:
                del self._all()[ref.key]

    reading(world, Broken)


@breaks("a_reader_cannot_write")
def a_session_that_takes_writes(world: MemoryWorld) -> None:
    class Writable(MemoryWorld):
        def write_through(self, reader: Reader) -> bool:
            assert isinstance(reader, MemoryReader)
            return bool(reader._all())

    world.__class__ = Writable
    world.gaps = {}


@breaks("instants_are_aware_utc_whatever_the_zone_of_the_host")
def instants_in_the_zone_of_the_host(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _shown(self, ref: RecordRef) -> RecordRef:
            dates = {name: one.astimezone() if isinstance(one, datetime) else one for name, one in ref.dates.items()}
            return replace(ref, dates=dates)

    reading(world, Broken)


@breaks("instants_are_aware_utc_whatever_the_zone_of_the_host")
def stored_utc_taken_for_local_time(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _shown(self, ref: RecordRef) -> RecordRef:
            dates = {
                name: one.replace(tzinfo=None).astimezone(UTC) if isinstance(one, datetime) else one
                for name, one in ref.dates.items()
            }
            return replace(ref, dates=dates)

    reading(world, Broken)


@breaks("instants_are_aware_utc_whatever_the_zone_of_the_host")
def a_cutoff_in_local_time(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _admits(self, cutoff: Cutoff, ref: RecordRef) -> bool:
            local = cutoff.before.astimezone().replace(tzinfo=UTC)
            return replace(cutoff, before=local).admits(ref.dates)

    reading(world, Broken)


@breaks("every_date_of_the_data_set_is_told")
def only_the_date_asked_for(world: MemoryWorld) -> None:
    class Broken(Searching):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            for page in super().find(cutoff, awaiting):
                yield [replace(ref, dates={cutoff.by: ref.dates[cutoff.by]}) for ref in page]

    reading(world, Broken)


@breaks("an_undated_record_is_never_found")
def unknown_is_long_ago(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _ref(self, key: Key) -> RecordRef:
            ref = super()._ref(key)
            if any(ref.dates.values()):
                return ref
            return replace(ref, dates={**ref.dates, "created": datetime(1970, 1, 1, tzinfo=UTC)})

    reading(world, Broken)


@breaks("undated_tells_exactly_the_undated_records")
def nothing_is_ever_undated(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
            del dates
            yield from ()

    reading(world, Broken)


@breaks("undated_tells_exactly_the_undated_records")
def undated_where_any_date_is_unknown(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
            refs = [self._ref(key) for key in sorted(self._all())]
            yield from paged([ref for ref in refs if any(ref.dates[name] is None for name in dates)])

    reading(world, Broken)


@breaks("undated_tells_exactly_the_undated_records")
def one_page_of_undated(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
            yield next(super().undated(dates))

    reading(world, Broken)


@breaks("dates_that_tie_across_pages_lose_and_double_nothing")
def pages_that_begin_after_the_last_date(world: MemoryWorld) -> None:
    class Broken(Searching):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            last: datetime | None = None
            while True:
                found = [ref for ref in self._every(cutoff, awaiting) if last is None or age(ref, cutoff.by) > last][:3]
                if not found:
                    return
                yield found
                last = age(found[-1], cutoff.by)

    reading(world, Broken)


@breaks("dates_that_tie_across_pages_lose_and_double_nothing")
def pages_that_begin_at_the_last_date(world: MemoryWorld) -> None:
    class Broken(Searching):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            first = self._every(cutoff, awaiting)[:3]
            if first:
                yield first
                last = age(first[-1], cutoff.by)
                yield from paged([ref for ref in self._every(cutoff, awaiting) if age(ref, cutoff.by) >= last])

    reading(world, Broken)


@breaks("nothing_is_missing_where_records_fill_several_pages", "dates_that_tie_across_pages_lose_and_double_nothing")
def the_first_page_only(world: MemoryWorld) -> None:
    class Broken(Searching):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            yield from list(super().find(cutoff, awaiting))[:1]

    reading(world, Broken)


@breaks("nothing_is_missing_where_records_fill_several_pages")
def an_empty_page_in_between(world: MemoryWorld) -> None:
    class Broken(Searching):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            for page in super().find(cutoff, awaiting):
                yield page
                yield []

    reading(world, Broken)


@breaks("paging_stays_correct_while_each_page_is_deleted")
def pages_by_offset(world: MemoryWorld) -> None:
    class Broken(Searching):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            offset = 0
            while page := self._every(cutoff, awaiting)[offset : offset + 3]:
                yield page
                offset += 3

    reading(world, Broken)


@breaks("blocked_records_are_left_out_for_block_and_found_for_delete")
def blocked_records_await_blocking(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _awaits(self, key: Key, awaiting: Action) -> bool:
            return awaiting is Action.BLOCK or super()._awaits(key, awaiting)

    reading(world, Broken)


@breaks("blocked_records_are_left_out_for_block_and_found_for_delete", "blocked_and_anonymized_records_can_be_deleted")
def blocked_records_are_never_found(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _awaits(self, key: Key, awaiting: Action) -> bool:
            return super()._awaits(key, awaiting) and not self._all()[key].blocked

    reading(world, Broken)


@breaks("blocked_records_are_left_out_for_block_and_found_for_delete")
def blocked_is_not_told(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _shown(self, ref: RecordRef) -> RecordRef:
            return replace(ref, blocked=False)

    reading(world, Broken)


@breaks("anonymized_records_are_left_out_for_anonymize_and_found_for_delete")
def anonymized_records_await_anonymizing(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _awaits(self, key: Key, awaiting: Action) -> bool:
            return awaiting is Action.ANONYMIZE or super()._awaits(key, awaiting)

    reading(world, Broken)


@breaks("anonymized_records_are_left_out_for_anonymize_and_found_for_delete")
def anonymized_records_await_blocking(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _awaits(self, key: Key, awaiting: Action) -> bool:
            return super()._awaits(key, awaiting) or (awaiting is Action.BLOCK and not self._all()[key].blocked)

    reading(world, Broken)


@breaks("anonymized_records_are_left_out_for_anonymize_and_found_for_delete")
def anonymized_records_are_never_found(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _awaits(self, key: Key, awaiting: Action) -> bool:
            return super()._awaits(key, awaiting) and not self._all()[key].anonymized

    reading(world, Broken)


# ------------------------------------------------------------------------------------------------------ looking


@breaks("count_counts_every_record")
def blocked_records_do_not_count(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def count(self) -> int:
            return sum(not stored.blocked for stored in self._all().values())

    reading(world, Broken)


@breaks("count_counts_every_record")
def undated_records_do_not_count(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def count(self) -> int:
            return sum(any(stored.dates.values()) for stored in self._all().values())

    reading(world, Broken)


@breaks("count_falls_when_a_record_goes")
def a_count_of_yesterday(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        remembered: int | None = None

        def count(self) -> int:
            if self.remembered is None:
                self.remembered = super().count()
            return self.remembered

    reading(world, Broken)


@breaks("present_answers_in_the_order_asked")
def present_in_the_order_of_the_store(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def present(self, refs: Refs) -> list[Presence]:
            return super().present(sorted(refs, key=lambda ref: ref.key))

    reading(world, Broken)


@breaks("present_answers_in_the_order_asked")
def present_once_for_a_record_asked_twice(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def present(self, refs: Refs) -> list[Presence]:
            return super().present(list({ref.key: ref for ref in refs}.values()))

    reading(world, Broken)


@breaks("present_asks_anew_each_time", "an_act_is_seen_by_readers_old_and_new")
def present_from_memory(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        remembered: dict[Key, Presence] | None = None

        def present(self, refs: Refs) -> list[Presence]:
            self.remembered = self.remembered or {}
            for ref in refs:
                self.remembered.setdefault(ref.key, super().present([ref])[0])
            return [self.remembered[ref.key] for ref in refs]

    reading(world, Broken)


@breaks("a_record_that_is_gone_is_absent")
def present_by_the_beginning_of_the_key(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def present(self, refs: Refs) -> list[Presence]:
            absent = Presence.ABSENT
            return [
                Presence.PRESENT if seen is absent and any(key[0].startswith(ref.key[0]) for key in self._all()) else seen
                for ref, seen in zip(refs, super().present(refs), strict=True)
            ]

    reading(world, Broken)


@breaks("present_tells_the_state_that_a_record_is_in", "an_act_is_seen_by_readers_old_and_new")
def there_is_there(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def present(self, refs: Refs) -> list[Presence]:
            return [Presence.PRESENT if ref.key in self._all() else Presence.ABSENT for ref in refs]

    reading(world, Broken)


@breaks("a_changed_record_is_still_there")
def changed_is_gone(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def present(self, refs: Refs) -> list[Presence]:
            same = [ref.key in self._all() and self._ref(ref.key).fingerprint == ref.fingerprint for ref in refs]
            return [seen if there else Presence.ABSENT for seen, there in zip(super().present(refs), same, strict=True)]

    reading(world, Broken)


@breaks("the_identity_stays_after_a_change")
def an_identity_of_what_decides(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def _ref(self, key: Key) -> RecordRef:
            ref = super()._ref(key)
            return replace(ref, identity=(ref.fingerprint,))

    reading(world, Broken)


@breaks("the_clock_of_the_system_is_aware_utc_whatever_the_zone_of_the_host")
def a_clock_without_a_zone(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def now(self) -> datetime:
            return datetime.now()  # noqa: DTZ005 - the sabotage

    reading(world, Broken)


@breaks("the_clock_of_the_system_is_aware_utc_whatever_the_zone_of_the_host")
def a_local_clock_that_poses_as_utc(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def now(self) -> datetime:
            return datetime.now().replace(tzinfo=UTC)  # noqa: DTZ005 - the sabotage

    reading(world, Broken)


@breaks("explain_tells_a_known_record_as_find_does")
def an_explanation_without_fingerprint(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def explain(self, key: Key) -> RecordRef | None:
            ref = super().explain(key)
            return ref and replace(ref, fingerprint="")

    reading(world, Broken)


@breaks("explain_tells_none_for_an_unknown_key")
def an_explanation_of_the_next_best(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def explain(self, key: Key) -> RecordRef | None:
            like = (one for one in sorted(self._all()) if one[0].startswith(key[0]))
            return super().explain(key) or super().explain(next(like, key))

    reading(world, Broken)


def fingerprinted(world: MemoryWorld, digest: Callable[[RecordRef], str]) -> None:
    class Broken(MemoryReader):
        def _ref(self, key: Key) -> RecordRef:
            ref = super()._ref(key)
            return replace(ref, fingerprint=digest(ref))

    reading(world, Broken)


@breaks("the_fingerprint_stays_as_long_as_nothing_changes")
def a_new_fingerprint_each_time(world: MemoryWorld) -> None:
    fingerprinted(world, lambda _ref: uuid.uuid4().hex)


@breaks("the_fingerprint_differs_after_a_change")
def a_fingerprint_of_the_dates_alone(world: MemoryWorld) -> None:
    fingerprinted(world, lambda ref: uuid.uuid5(uuid.NAMESPACE_OID, str(sorted(ref.dates))).hex)


@breaks("the_fingerprint_differs_after_a_change")
def one_fingerprint_for_the_whole_data_set(world: MemoryWorld) -> None:
    def digest(_ref: RecordRef) -> str:
        versions = sorted((key, stored.version) for key, stored in world.store.datasets[DATA].items())
        return uuid.uuid5(uuid.NAMESPACE_OID, str(versions)).hex

    fingerprinted(world, digest)


@breaks("the_fingerprint_is_a_digest")
def the_dates_for_a_fingerprint(world: MemoryWorld) -> None:
    fingerprinted(world, lambda ref: f"{ref.key[0]}@{ref.dates['created']}")


@breaks("neither_key_nor_date_shows_in_the_repr")
def a_record_that_tells_its_key(world: MemoryWorld) -> None:
    @dataclass(frozen=True)
    class Telling(RecordRef):
        def __repr__(self) -> str:
            return f"<record {self.key}>"

    class Broken(MemoryReader):
        def _ref(self, key: Key) -> RecordRef:
            ref = super()._ref(key)
            return Telling(ref.key, ref.dates, ref.fingerprint, blocked=ref.blocked)

    reading(world, Broken)


@breaks("odd_keys_survive_the_way_there_and_back")
def keys_without_blanks_around_them(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def _ref(self, key: Key) -> RecordRef:
            return replace(super()._ref(key), key=tuple(part.replace("\n", " ") for part in key))

    reading(world, Broken)


@breaks("odd_keys_survive_the_way_there_and_back")
def a_percent_sign_that_is_everybody(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            answers = super()._delete(refs)
            if any(ref.key == ("%",) for ref in refs):
                self._store.datasets[DATA].clear()
            return answers

    deleting(world, Broken)


@breaks("what_a_person_types_is_the_key")
def a_typed_key_in_capitals(world: MemoryWorld) -> None:
    world.connector = replace(world.connector, key=lambda text: (text.upper(),))


@breaks("a_system_out_of_reach_is_an_error_and_no_empty_answer")
def out_of_reach_is_empty(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def __init__(self, store: Any, options: Any, target: Target) -> None:
            self._store, self._options, self._dataset = store, options, target.dataset

        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            try:
                yield from super().find(cutoff, awaiting)
            except ConnectorError:
                return

    reading(world, Broken)


@breaks("a_system_out_of_reach_is_an_error_and_no_empty_answer")
def out_of_reach_is_gone(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def __init__(self, store: Any, options: Any, target: Target) -> None:
            self._store, self._options, self._dataset = store, options, target.dataset

        def present(self, refs: Refs) -> list[Presence]:
            try:
                return super().present(refs)
            except ConnectorError:
                return [Presence.ABSENT] * len(refs)

    reading(world, Broken)


@breaks("closing_twice_is_harmless")
def a_reader_that_closes_once(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        closed = False

        def close(self) -> None:
            if self.closed:
                raise RuntimeError
            self.closed = True

    reading(world, Broken)


@breaks("two_readers_do_not_disturb_each_other")
def one_place_for_all_readers(world: MemoryWorld) -> None:
    place: list[RecordRef] = []

    class Broken(Searching):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            place[:] = self._every(cutoff, awaiting)
            while place:
                page, place[:] = place[:3], place[3:]
                yield page

    reading(world, Broken)


@breaks("the_offer_agrees_with_the_roles")
def an_action_offered_without_a_role(world: MemoryWorld) -> None:
    world.connector = replace(world.connector, anonymizer=None)


@breaks("the_offer_agrees_with_the_roles")
def a_gap_that_is_none(world: MemoryWorld) -> None:
    world.gaps = {**world.gaps, Gap.BLOCK: "nobody wants it tested"}


@breaks("the_offer_agrees_with_the_roles")
def a_gap_without_a_reason(world: MemoryWorld) -> None:
    world.gaps = {Gap.WRITE_THROUGH: " "}


@breaks("the_offer_agrees_with_the_roles")
def a_gap_that_nobody_declared(world: MemoryWorld) -> None:
    world.options = {**world.options, "actions": ["delete"]}


@breaks("preflight_of_a_sound_system_refuses_nothing")
def a_preflight_that_is_never_content(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def preflight(self, action: Action) -> list[Finding]:
            return [Finding(f"Nobody may {action} here.")]

    reading(world, Broken)


# ------------------------------------------------------------------------------------------------------- acting


@breaks("acts_on_exactly_what_it_is_given")
def neighbours_are_deleted_too(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            answers = super()._delete(refs)
            for key in world.all_keys():
                if any(key[0].startswith(ref.key[0]) for ref in refs):
                    del self._store.datasets[DATA][key]
            return answers

    deleting(world, Broken)


@breaks("acts_on_exactly_what_it_is_given")
def everything_before_the_cutoff_is_blocked(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _block(self, refs: Refs) -> list[Answer]:
            answers = super()._block(refs)
            for stored in self._store.datasets[DATA].values():
                stored.blocked = True
            return answers

    blocking(world, Broken)


@breaks("acts_on_exactly_what_it_is_given", "deleted_is_really_gone")
def a_delete_in_words_only(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            return [Answer.done(How.RESPONSE) for _ in refs]

    deleting(world, Broken)


@breaks("blocked_is_really_blocked")
def a_block_in_words_only(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _block(self, refs: Refs) -> list[Answer]:
            return [Answer.done(How.RESPONSE) for _ in refs]

    blocking(world, Broken)


@breaks("blocked_is_really_blocked")
def a_block_that_deletes(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _block(self, refs: Refs) -> list[Answer]:
            for ref in refs:
                del self._store.datasets[DATA][ref.key]
            return [Answer.done(How.RESPONSE) for _ in refs]

    blocking(world, Broken)


@breaks("anonymized_is_really_anonymized")
def a_mark_and_the_content_stays(world: MemoryWorld) -> None:
    class Broken(MemoryAnonymizer):
        def _anonymize(self, refs: Refs) -> list[Answer]:
            answers = super()._anonymize(refs)
            for ref in refs:
                world.store.datasets[DATA][ref.key].content = "the name is still here"
            return answers

    anonymizing(world, Broken)


@breaks("blocked_and_anonymized_records_can_be_deleted")
def blocked_records_live_for_ever(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _one(self, ref: RecordRef) -> Answer:
            stored = self._store.get(DATA, ref.key)
            return Answer.failed("refused") if stored and stored.blocked else super()._one(ref)

    deleting(world, Broken)


@breaks("a_blocked_record_can_be_anonymized")
def blocked_records_keep_their_names(world: MemoryWorld) -> None:
    class Broken(MemoryAnonymizer):
        def _one(self, ref: RecordRef) -> Answer:
            stored = self._store.get(DATA, ref.key)
            return Answer.failed("refused") if stored and stored.blocked else super()._one(ref)

    anonymizing(world, Broken)


@breaks("a_blocked_record_can_be_anonymized")
def blocked_hides_anonymized(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def present(self, refs: Refs) -> list[Presence]:
            blocked = {key for key, stored in self._all().items() if stored.blocked}
            seen = zip(refs, super().present(refs), strict=True)
            return [Presence.BLOCKED if ref.key in blocked else state for ref, state in seen]

    reading(world, Broken)


@breaks("a_whole_batch_is_done_at_once")
def the_first_hundred_of_a_batch(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            return super()._delete(refs[:100]) + [Answer.done(How.ROWCOUNT) for _ in refs[100:]]

    deleting(world, Broken)


@breaks("one_answer_for_each_record_in_order")
def answers_in_the_order_of_the_store(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            return super()._delete(sorted(refs, key=lambda ref: ref.key))

    deleting(world, Broken)


@breaks("one_answer_for_each_record_in_order", "a_record_that_is_gone_stops_nothing")
def no_answer_for_what_is_gone(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            return [answer for answer in super()._delete(refs) if answer != Answer.not_found()]

    deleting(world, Broken)


@breaks("an_answer_tells_by_what_it_is_known")
def done_and_nobody_says_how(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _one(self, ref: RecordRef) -> Answer:
            return replace(super()._one(ref), how=How.NONE)

    blocking(world, Broken)


@breaks("a_changed_record_is_not_deleted", "one_answer_for_each_record_in_order")
def no_second_look_before_deleting(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _one(self, ref: RecordRef) -> Answer:
            gone = self._store.datasets[DATA].pop(ref.key, None) is None
            return Answer.not_found() if gone else Answer.done(How.RETURNING)

    deleting(world, Broken)


@breaks("a_changed_record_is_not_deleted")
def changed_is_said_and_deleted_all_the_same(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            answers = super()._delete(refs)
            for ref in refs:
                self._store.datasets[DATA].pop(ref.key, None)
            return answers

    deleting(world, Broken)


@breaks("a_changed_record_is_not_blocked")
def no_second_look_before_blocking(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _one(self, ref: RecordRef) -> Answer:
            stored = self._store.get(DATA, ref.key)
            if stored is None or stored.blocked:
                return Answer.not_found()
            stored.blocked = True
            return Answer.done(How.RETURNING)

    blocking(world, Broken)


@breaks("a_changed_record_is_not_anonymized")
def no_second_look_before_anonymizing(world: MemoryWorld) -> None:
    class Broken(MemoryAnonymizer):
        def _one(self, ref: RecordRef) -> Answer:
            stored = self._store.get(DATA, ref.key)
            if stored is None or stored.anonymized:
                return Answer.not_found()
            stored.anonymized, stored.content = True, ""
            return Answer.done(How.RETURNING)

    anonymizing(world, Broken)


@breaks("repeating_is_harmless", "an_answer_tells_by_what_it_is_known")
def blocked_again_is_done_again(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _one(self, ref: RecordRef) -> Answer:
            answer = super()._one(ref)
            stored = self._store.get(DATA, ref.key)
            return Answer.done(How.RETURNING) if stored and stored.blocked else answer

    blocking(world, Broken)


@breaks("repeating_is_harmless")
def anonymized_again_and_differently(world: MemoryWorld) -> None:
    class Broken(MemoryAnonymizer):
        def _one(self, ref: RecordRef) -> Answer:
            answer = super()._one(ref)
            stored = self._store.get(DATA, ref.key)
            if stored and answer == Answer.not_found():
                stored.content += "."
            return answer

    anonymizing(world, Broken)


@breaks("a_record_that_is_gone_stops_nothing")
def gone_stops_the_rest(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _block(self, refs: Refs) -> list[Answer]:
            if any(ref.key not in self._store.datasets[DATA] for ref in refs):
                return [Answer.not_found()] * len(refs)
            return super()._block(refs)

    blocking(world, Broken)


@breaks("a_record_that_is_refused_stops_no_other")
def refused_stops_the_rest(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            if any(ref.key in self._store.refusing for ref in refs):
                raise ConnectorError("One of the records was refused.", "referenced")
            return super()._delete(refs)

    deleting(world, Broken)


@breaks("a_record_that_is_refused_stops_no_other")
def a_reason_in_the_words_of_the_driver(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _one(self, ref: RecordRef) -> Answer:
            answer = super()._one(ref)
            return replace(answer, code="violates foreign key") if answer.code else answer

    deleting(world, Broken)


@breaks("an_act_is_seen_by_readers_old_and_new")
def a_reader_of_a_moment_long_past(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def __init__(self, store: Any, options: Any, target: Target) -> None:
            super().__init__(store, options, target)
            self._seen = {key: super(Broken, self).present([self._ref(key)])[0] for key in self._all()}

        def present(self, refs: Refs) -> list[Presence]:
            return [self._seen.get(ref.key, Presence.ABSENT) for ref in refs]

    reading(world, Broken)


@breaks("an_act_leaves_the_fingerprint", "repeating_is_harmless")
def blocking_changes_what_decides(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _one(self, ref: RecordRef) -> Answer:
            answer = super()._one(ref)
            stored = self._store.get(DATA, ref.key)
            if stored is not None:
                stored.version += 1
            return answer

    blocking(world, Broken)


@breaks("an_empty_batch_is_harmless")
def no_condition_means_everything(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            if not refs:
                self._store.datasets[DATA].clear()
            return super()._delete(refs)

    deleting(world, Broken)


@breaks("an_empty_batch_is_harmless")
def an_answer_for_nothing(world: MemoryWorld) -> None:
    class Broken(MemoryAnonymizer):
        def _anonymize(self, refs: Refs) -> list[Answer]:
            if not refs:
                raise ConnectorError("There is nothing to do.", "refused")
            return super()._anonymize(refs)

    anonymizing(world, Broken)


@breaks("closing_a_role_twice_is_harmless")
def a_role_that_closes_once(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        closed = False

        def close(self) -> None:
            if self.closed:
                raise RuntimeError
            self.closed = True

    deleting(world, Broken)


@breaks("closing_a_role_twice_is_harmless")
def a_role_that_tidies_up_on_its_way_out(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def close(self) -> None:
            self._store.datasets[DATA].clear()

    blocking(world, Broken)


# ------------------------------------------------------------------------------------------------------ permits


def spending(world: MemoryWorld, spend: Callable[[Permit, Action, Target, Refs], None]) -> None:
    class Broken(MemoryDeleter):
        def _spend(self, action: Action, refs: Refs, permit: Permit) -> None:
            spend(permit, action, self.target, refs)

    deleting(world, Broken)


@breaks(
    "a_permit_is_spent_once",
    "acting_spends_the_permit",
    "a_permit_for_other_records_is_refused",
    "a_permit_for_another_target_is_refused",
    "a_permit_for_another_action_is_refused",
)
def a_permit_that_nobody_looks_at(world: MemoryWorld) -> None:
    spending(world, lambda _permit, _action, _target, _refs: None)


@breaks("acting_spends_the_permit")
def a_permit_that_is_looked_at_and_kept(world: MemoryWorld) -> None:
    def look(permit: Permit, action: Action, target: Target, refs: Refs) -> None:
        permit.spend(action, target, refs)
        permit._spent = False

    spending(world, look)


@breaks("an_act_on_a_system_out_of_reach_claims_nothing")
def not_found_where_nobody_answers(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            try:
                return super()._delete(refs)
            except ConnectorError:
                return [Answer.not_found() for _ in refs]

    world.connector = replace(world.connector, deleter=lambda _c, _o, target: _opened(Broken, world, target))


def _opened(kind: type[MemoryDeleter], world: MemoryWorld, target: Target) -> MemoryDeleter:
    """As of a system whose role opens without a word to it."""
    line, world.store.unreachable = world.store.unreachable, None
    try:
        return kind(world.store, target)
    finally:
        world.store.unreachable = line


@breaks("a_permit_is_spent_once")
def a_permit_that_is_good_for_ever(world: MemoryWorld) -> None:
    def renew(permit: Permit, action: Action, target: Target, refs: Refs) -> None:
        permit._spent = False
        permit.spend(action, target, refs)

    spending(world, renew)


@breaks("a_permit_for_other_records_is_refused")
def a_permit_for_any_records(world: MemoryWorld) -> None:
    def for_its_own(permit: Permit, action: Action, target: Target, _refs: Refs) -> None:
        permit.spend(action, target, [RecordRef(key, fingerprint=fingerprint) for key, fingerprint in permit._records])

    spending(world, for_its_own)


@breaks("a_permit_for_another_target_is_refused")
def a_permit_for_any_target(world: MemoryWorld) -> None:
    spending(world, lambda permit, action, _target, refs: permit.spend(action, permit._target, refs))


@breaks("a_permit_for_another_action_is_refused")
def a_permit_for_any_action(world: MemoryWorld) -> None:
    spending(world, lambda permit, _action, target, refs: permit.spend(permit._action, target, refs))


@breaks("a_permit_is_spent_once", "a_permit_for_another_target_is_refused")
def first_the_act_and_then_the_permit(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _spend(self, action: Action, refs: Refs, permit: Permit) -> None:
            self._delete(refs)
            super()._spend(action, refs, permit)

    deleting(world, Broken)


# ------------------------------------------------------------------------------------------------ whom and what


def about_by(world: MemoryWorld, like: Callable[[str, str], bool]) -> None:
    """Give the world a reader that finds a person by another comparison than being the same."""

    class Broken(MemoryReader):
        def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
            if person.kind not in self._options.subjects:
                return super().about(person)
            records = self._all().items()
            keys = [key for key, stored in records if any(like(one.value, person.value) for one in stored.subjects)]
            return paged([self._ref(key) for key in keys])

    reading(world, Broken)


def about_leaving_out(world: MemoryWorld, left_out: Callable[[RecordRef], bool]) -> None:
    """Give the world a reader that forgets some of a person's records."""

    class Broken(MemoryReader):
        def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
            return paged([ref for page in super().about(person) for ref in page if not left_out(ref)])

    reading(world, Broken)


@breaks("about_finds_exactly_the_records_of_a_person")
def a_person_by_a_part_of_the_identifier(world: MemoryWorld) -> None:
    about_by(world, lambda stored, asked: asked in stored)


@breaks("about_finds_exactly_the_records_of_a_person")
def a_person_by_the_beginning(world: MemoryWorld) -> None:
    about_by(world, lambda stored, asked: stored.startswith(asked))


@breaks("about_finds_exactly_the_records_of_a_person")
def a_person_by_wildcards(world: MemoryWorld) -> None:
    about_by(world, lambda stored, asked: fnmatchcase(stored, asked.replace("%", "*").replace("_", "?")))


@breaks("about_finds_exactly_the_records_of_a_person")
def a_person_by_letters_without_accents(world: MemoryWorld) -> None:
    def bare(text: str) -> bytes:
        return unicodedata.normalize("NFD", text).encode("ascii", "ignore")

    about_by(world, lambda stored, asked: bare(stored) == bare(asked))


@breaks("about_finds_exactly_the_records_of_a_person", "a_record_tells_the_same_person_wherever_it_is_told")
def a_person_as_it_is_written(world: MemoryWorld) -> None:
    class Raw(MemoryWorld):
        def change_person(self, key: Key, person: str) -> None:
            self.store.datasets[DATA][key].subjects = {Subject("email", person)}

    world.__class__ = Raw


@breaks("about_finds_exactly_the_records_of_a_person")
def a_person_found_twice(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
            for page in super().about(person):
                yield page
                yield page

    reading(world, Broken)


@breaks("about_finds_blocked_and_undated_and_young_records")
def blocked_records_are_forgotten(world: MemoryWorld) -> None:
    about_leaving_out(world, lambda ref: ref.blocked)


@breaks("about_finds_blocked_and_undated_and_young_records")
def undated_records_are_forgotten(world: MemoryWorld) -> None:
    about_leaving_out(world, lambda ref: not any(ref.dates.values()))


@breaks("about_finds_blocked_and_undated_and_young_records")
def young_records_are_forgotten(world: MemoryWorld) -> None:
    about_leaving_out(world, lambda ref: any(ref.dates.values()) and age(ref, "created") > datetime(2030, 1, 1, tzinfo=UTC))


@breaks("about_fills_several_pages")
def the_first_page_about_a_person(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
            yield from list(super().about(person))[:1]

    reading(world, Broken)


@breaks("about_changes_nothing")
def looking_for_a_person_leaves_a_trace(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
            for page in super().about(person):
                for ref in page:
                    self._all()[ref.key].content += f" (asked for {person.kind})"
                yield page

    reading(world, Broken)


@breaks("a_record_tells_the_same_person_wherever_it_is_told")
def a_search_that_does_not_tell_whom(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _shown(self, ref: RecordRef) -> RecordRef:
            return replace(ref, subjects=frozenset())

    reading(world, Broken)


@breaks("an_unknown_kind_of_identifier_is_an_error_and_no_empty_answer")
def nothing_about_a_kind_that_nobody_knows(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
            return super().about(person) if person.kind in self._options.subjects else iter(())

    reading(world, Broken)


@breaks("a_system_out_of_reach_is_an_error_and_no_empty_answer")
def nobody_is_known_where_nobody_answers(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def __init__(self, *given: Any) -> None:
            store = given[0]
            line, store.unreachable = store.unreachable, None
            super().__init__(*given)
            store.unreachable = line

        def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
            return iter(()) if self._store.unreachable else super().about(person)

    reading(world, Broken)


def deciding_without(world: MemoryWorld, **unchanged: object) -> None:
    """Give the world a fingerprint that is blind for something that decides, in reader and roles alike."""
    seen = memory.fingerprint

    def blind(stored: memory.Stored) -> str:
        return seen(replace(stored, **unchanged))  # type: ignore[arg-type]

    class Broken(Searching):
        def _ref(self, key: Key) -> RecordRef:
            return replace(super()._ref(key), fingerprint=blind(self._all()[key]))

    class BlindDeleter(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            return super()._delete(seeing(self._store, refs))

    class BlindBlocker(MemoryBlocker):
        def _block(self, refs: Refs) -> list[Answer]:
            return super()._block(seeing(self._store, refs))

    class BlindAnonymizer(MemoryAnonymizer):
        def _anonymize(self, refs: Refs) -> list[Answer]:
            return super()._anonymize(seeing(self._store, refs))

    def seeing(store: memory.MemoryStore, refs: Refs) -> Refs:
        there = store.datasets[DATA]
        same = [ref.key in there and blind(there[ref.key]) == ref.fingerprint for ref in refs]
        return [replace(ref, fingerprint=seen(there[ref.key])) if it else ref for ref, it in zip(refs, same, strict=True)]

    reading(world, Broken)
    deleting(world, BlindDeleter)
    blocking(world, BlindBlocker)
    anonymizing(world, BlindAnonymizer)


@breaks("the_fingerprint_covers_the_facts")
def facts_that_do_not_decide(world: MemoryWorld) -> None:
    deciding_without(world, facts={})


@breaks("the_fingerprint_covers_the_person")
def persons_that_do_not_decide(world: MemoryWorld) -> None:
    deciding_without(world, subjects=set())


@breaks("the_fingerprint_covers_who_else_holds_a_record")
def contests_that_do_not_decide(world: MemoryWorld) -> None:
    deciding_without(world, contested=False)


@breaks("the_facts_of_the_data_set_are_told")
def only_the_facts_that_are_known(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _shown(self, ref: RecordRef) -> RecordRef:
            return replace(ref, facts={name: fact for name, fact in ref.facts.items() if fact is not None})

    reading(world, Broken)


@breaks("the_facts_of_the_data_set_are_told")
def facts_that_are_always_unknown(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def _ref(self, key: Key) -> RecordRef:
            return replace(super()._ref(key), facts=dict.fromkeys(self._options.facts))

    reading(world, Broken)


@breaks("a_contested_record_is_told_as_contested")
def contested_is_not_told(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def _ref(self, key: Key) -> RecordRef:
            return replace(super()._ref(key), contested=False)

    reading(world, Broken)


@breaks("a_contested_record_is_told_as_contested")
def neighbours_are_contested_too(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def _ref(self, key: Key) -> RecordRef:
            return replace(super()._ref(key), contested=any(one.contested for one in self._all().values()))

    reading(world, Broken)


@breaks("a_contested_record_is_told_as_contested")
def contested_though_nobody_can_contest(world: MemoryWorld) -> None:
    neighbours_are_contested_too(world)

    class Alone(MemoryWorld):
        contest = World.contest

        def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
            key = super().put(number, moment, state)
            self.store.datasets[DATA][key].contested = True
            return key

    world.__class__ = Alone
    world.gaps = {**world.gaps, Gap.CONTESTED: "there is one data set only"}


@breaks("the_offer_agrees_with_the_roles")
def persons_that_are_not_offered(world: MemoryWorld) -> None:
    world.options = {**world.options, "subjects": []}


@breaks("the_offer_agrees_with_the_roles")
def facts_that_are_not_offered(world: MemoryWorld) -> None:
    world.options = {**world.options, "facts": []}


@breaks("the_offer_agrees_with_the_roles")
def worked_out_and_not_offered(world: MemoryWorld) -> None:
    world.options = {**world.options, "computed": ["last_heard"]}


# --------------------------------------------------------------------------------------------------- unblocking


def unblocking(world: MemoryWorld, unblock: Callable[[MemoryBlocker, Refs], list[Answer]]) -> None:
    """Give the world a blocker that gives records back in another way."""

    class Broken(MemoryBlocker):
        def _unblock(self, refs: Refs) -> list[Answer]:
            return unblock(self, refs)

    blocking(world, Broken)


@breaks("unblocks_exactly_what_it_is_given")
def neighbours_are_unblocked_too(world: MemoryWorld) -> None:
    def unblock(blocker: MemoryBlocker, refs: Refs) -> list[Answer]:
        answers = MemoryBlocker._unblock(blocker, refs)
        for key, stored in blocker._store.datasets[DATA].items():
            stored.blocked = stored.blocked and not any(key[0].startswith(ref.key[0]) for ref in refs)
        return answers

    unblocking(world, unblock)


@breaks("unblocks_exactly_what_it_is_given", "an_unblocked_record_is_what_it_was_before")
def unblocked_by_word_only(world: MemoryWorld) -> None:
    unblocking(world, lambda _blocker, refs: [Answer.done(How.RETURNING) for _ in refs])


@breaks("an_unblocked_record_is_what_it_was_before")
def an_unblock_that_changes_what_decides(world: MemoryWorld) -> None:
    def unblock(blocker: MemoryBlocker, refs: Refs) -> list[Answer]:
        answers = MemoryBlocker._unblock(blocker, refs)
        for ref in refs:
            blocker._store.datasets[DATA][ref.key].version += 1
        return answers

    unblocking(world, unblock)


@breaks("unblock_answers_for_each_record_in_order", "unblocking_again_is_harmless")
def done_though_nothing_was_blocked(world: MemoryWorld) -> None:
    def unblock(blocker: MemoryBlocker, refs: Refs) -> list[Answer]:
        nothing = Answer.not_found()
        return [Answer.done(How.RETURNING) if one == nothing else one for one in MemoryBlocker._unblock(blocker, refs)]

    unblocking(world, unblock)


@breaks("unblock_answers_for_each_record_in_order")
def unblocked_though_it_changed(world: MemoryWorld) -> None:
    def unblock(blocker: MemoryBlocker, refs: Refs) -> list[Answer]:
        there = blocker._store.datasets[DATA]
        now = [replace(ref, fingerprint=memory.fingerprint(there[ref.key])) if ref.key in there else ref for ref in refs]
        return MemoryBlocker._unblock(blocker, now)

    unblocking(world, unblock)


@breaks("a_record_that_is_refused_stays_blocked_and_stops_no_other")
def one_refused_unblock_refuses_all(world: MemoryWorld) -> None:
    def unblock(blocker: MemoryBlocker, refs: Refs) -> list[Answer]:
        refused = any(ref.key in blocker._store.refusing for ref in refs)
        return [Answer.failed("refused") for _ in refs] if refused else MemoryBlocker._unblock(blocker, refs)

    unblocking(world, unblock)


@breaks("unblock_on_a_system_out_of_reach_claims_nothing")
def not_blocked_where_nobody_answers(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def __init__(self, *given: Any) -> None:
            store = given[0]
            line, store.unreachable = store.unreachable, None
            super().__init__(*given)
            store.unreachable = line

        def _unblock(self, refs: Refs) -> list[Answer]:
            return [Answer.not_found() for _ in refs] if self._store.unreachable else super()._unblock(refs)

    blocking(world, Broken)


@breaks("what_cannot_be_unblocked_is_told_and_stays")
def an_unblock_that_nobody_declared_a_gap(world: MemoryWorld) -> None:
    unblocking(world, lambda _blocker, refs: [Answer.failed("unsupported") for _ in refs])


@breaks("what_cannot_be_unblocked_is_told_and_stays")
def an_unblock_that_is_no_gap(world: MemoryWorld) -> None:
    world.gaps = {**world.gaps, Gap.UNBLOCK: "nobody wants it tested"}


@breaks("what_cannot_be_unblocked_is_told_and_stays")
def unsupported_and_done_all_the_same(world: MemoryWorld) -> None:
    def unblock(blocker: MemoryBlocker, refs: Refs) -> list[Answer]:
        MemoryBlocker._unblock(blocker, refs)
        return [Answer.failed("unsupported") for _ in refs]

    unblocking(world, unblock)
    world.gaps = {**world.gaps, Gap.UNBLOCK: "it says so"}


@breaks("unblock_needs_its_own_permit", "unblocking_spends_the_permit")
def an_unblock_without_a_permit(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _spend(self, action: Action, refs: Refs, permit: Permit) -> None:
            if action is not Action.UNBLOCK:
                super()._spend(action, refs, permit)

    blocking(world, Broken)


@breaks("unblock_needs_its_own_permit")
def an_unblock_by_the_permit_to_block(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _spend(self, _action: Action, refs: Refs, permit: Permit) -> None:
            super()._spend(permit._action, refs, permit)

    blocking(world, Broken)


@breaks("unblock_needs_its_own_permit")
def first_the_unblock_and_then_the_permit(world: MemoryWorld) -> None:
    class Broken(MemoryBlocker):
        def _spend(self, action: Action, refs: Refs, permit: Permit) -> None:
            if action is Action.UNBLOCK:
                self._unblock(refs)
            super()._spend(action, refs, permit)

    blocking(world, Broken)


# ---------------------------------------------------------------------------------------------------- receipts


def proving(world: MemoryWorld, broken: type[memory.Remembering]) -> None:
    """Give all roles of the world another way to prove what they do."""
    deleting(world, type("BrokenDeleter", (broken, MemoryDeleter), {}))
    blocking(world, type("BrokenBlocker", (broken, MemoryBlocker), {}))
    anonymizing(world, type("BrokenAnonymizer", (broken, MemoryAnonymizer), {}))


@breaks("an_act_that_was_undone_has_no_receipt")
def a_receipt_written_outside_the_transaction(world: MemoryWorld) -> None:
    class Broken(memory.Remembering):
        def prove(self, refs: Refs, answers: Sequence[Answer]) -> None:
            super().prove(refs, answers)
            self._store.safe = list(self._store.receipts)  # type: ignore[attr-defined]

        def receipts(self, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
            receipts = super().receipts(batch, notes)
            written = [receipt for _, one, receipt in getattr(self._store, "safe", []) if one == batch]
            return receipts or [memory.known_by(receipt, How.RECEIPT) for receipt in written]

        def forget(self, batches: Sequence[str]) -> None:
            super().forget(batches)
            self._store.safe = list(self._store.receipts)  # type: ignore[attr-defined]

    @dataclass
    class Careless(memory.MemoryStore):
        safe: list[Any] = field(default_factory=list)

    world.store = Careless(proves=How.RECEIPT)
    world.connector = memory.memory_connector(world.store)
    proving(world, Broken)


@breaks(
    "what_was_refused_is_not_proven_as_done",
    "a_receipt_tells_each_answer_by_the_number_of_the_record",
)
def a_receipt_for_records_that_were_not_done(world: MemoryWorld) -> None:
    class Broken(memory.Remembering):
        def prove(self, refs: Refs, answers: Sequence[Answer]) -> None:
            super().prove(refs, [Answer.done(How.RETURNING) for _ in answers])

    proving(world, Broken)


@breaks("a_batch_that_never_happened_has_no_receipt", "an_act_that_was_undone_has_no_receipt")
def the_receipt_of_another_batch(world: MemoryWorld) -> None:
    class Broken(memory.Remembering):
        def receipts(self, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
            return super().receipts(batch, notes) or super().receipts(self._last(), notes)

        def _last(self) -> str:
            return self._store.receipts[-1][1] if self._store.receipts else "none"

    proving(world, Broken)


@breaks("a_receipt_names_the_batch_as_its_permit_does")
def a_receipt_that_counts_only_what_acted(world: MemoryWorld) -> None:
    class Broken(memory.Remembering):
        def receipts(self, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
            receipts = super().receipts(batch, notes)
            return None if receipts is None else [replace(one, count=len(one.answers)) for one in receipts]

    proving(world, Broken)


@breaks("a_receipt_tells_each_answer_by_the_number_of_the_record")
def a_receipt_that_counts_from_nought(world: MemoryWorld) -> None:
    class Broken(memory.Remembering):
        def receipts(self, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
            receipts = super().receipts(batch, notes)
            return None if receipts is None else [replace(one, answers=dict(enumerate(one.answers.values()))) for one in receipts]

    proving(world, Broken)


@breaks("forgetting_takes_away_just_the_receipts_of_these_batches")
def forgetting_all_of_them(world: MemoryWorld) -> None:
    class Broken(memory.Remembering):
        def forget(self, batches: Sequence[str]) -> None:
            del batches
            self._store.receipts.clear()

    proving(world, Broken)


@breaks("forgetting_takes_away_just_the_receipts_of_these_batches")
def forgetting_none_of_them(world: MemoryWorld) -> None:
    class Broken(memory.Remembering):
        def forget(self, batches: Sequence[str]) -> None:
            pass

    proving(world, Broken)


@breaks("forgetting_takes_away_just_the_receipts_of_these_batches")
def receipts_of_another_log(world: MemoryWorld) -> None:
    class Broken(memory.Remembering):
        def left_over(self, log: str) -> Sequence[str]:
            del log
            return [batch for _, batch, _ in self._store.receipts]

    proving(world, Broken)


@breaks(
    "a_receipt_tells_each_answer_by_the_number_of_the_record",
    "a_receipt_names_the_batch_as_its_permit_does",
    "a_batch_that_never_happened_has_no_receipt",
    "an_act_that_was_undone_has_no_receipt",
    "what_was_refused_is_not_proven_as_done",
    "forgetting_takes_away_just_the_receipts_of_these_batches",
)
def a_lack_of_receipts_that_nobody_declared(world: MemoryWorld) -> None:
    world.store.proves = None


# -------------------------------------------------------------------------------------------------- the kit runs


# ------------------------------------------------------------------------------------------------------ trouble


@breaks("a_question_that_is_put_off_is_an_error_or_answered_truly")
def a_busy_store_that_looks_empty(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
            if self._store.busy:
                self._store.busy = 0
                return
            yield from super().find(cutoff, awaiting)

        def __init__(self, store: MemoryStore, options: MemoryDataset, target: Target) -> None:
            busy, store.busy = store.busy, 0
            super().__init__(store, options, target)
            store.busy = busy

    reading(world, Broken)


@breaks("an_act_that_is_put_off_claims_nothing_and_can_be_done_later")
def an_act_that_was_put_off_and_is_told_as_done(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            try:
                return super()._delete(refs)
            except TransientConnectorError:
                return [Answer.done(How.RESPONSE)] * len(refs)

        def __init__(self, store: MemoryStore, target: Target) -> None:
            busy, store.busy = store.busy, 0
            super().__init__(store, target)
            store.busy = busy

    deleting(world, Broken)


@breaks("an_act_whose_answer_is_lost_is_never_told_as_not_done")
def a_lost_answer_that_is_worth_another_try(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            try:
                return super()._delete(refs)
            except OutcomeUnknownError:
                raise TransientConnectorError("Once more.") from None

    deleting(world, Broken)


@breaks("without_rights_nothing_is_empty_and_nothing_is_done")
def a_missing_right_that_looks_empty(world: MemoryWorld) -> None:
    class Broken(MemoryReader):
        def count(self) -> int:
            try:
                return super().count()
            except ConnectorError:
                return 0

        def __init__(self, store: MemoryStore, options: MemoryDataset, target: Target) -> None:
            lost, store.unreachable = store.unreachable, None
            super().__init__(store, options, target)
            store.unreachable = lost

    reading(world, Broken)


@breaks("a_huge_record_is_found_and_done_like_any_other")
def a_huge_record_that_is_passed_over(world: MemoryWorld) -> None:
    class Broken(Searching):
        def _admits(self, cutoff: Cutoff, ref: RecordRef) -> bool:
            return len(self._all()[ref.key].content) < 1_000_000 and super()._admits(cutoff, ref)

    reading(world, Broken)


@breaks("no_forbidden_call_reaches_the_system")
def a_call_that_would_empty_the_store(world: MemoryWorld) -> None:
    class Broken(MemoryDeleter):
        def _delete(self, refs: Refs) -> list[Answer]:
            sent.append("DELETE /records/")
            return super()._delete(refs)

    sent: list[str] = []
    deleting(world, Broken)
    world.forbidden = lambda: sent  # type: ignore[method-assign] # the world's own truth, spoilt for this test


def failing(sabotage: Sabotage, promises: Sequence[str]) -> set[str]:
    """The promises whose tests fail, each in a world of its own."""
    failed = set()
    for promise in promises:
        world = MemoryWorld()
        sabotage(world)
        try:
            getattr(ConformanceKit(), promise)(world)
        except Exception:  # noqa: BLE001 - whatever a broken connector raises fails a test
            failed.add(promise)
    return failed


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_kit_notices(name: str) -> None:
    sabotage, promises = SABOTAGES[name]
    assert failing(sabotage, promises) == set(promises)


def test_the_kit_finds_nothing_amiss_where_nothing_is() -> None:
    assert failing(lambda _world: None, ConformanceKit.promises()) == set()


def test_a_spoilable_search_that_is_not_spoilt_keeps_every_promise() -> None:
    assert failing(lambda world: reading(world, Searching), ConformanceKit.promises()) == set()


def test_each_promise_has_a_sabotage_of_its_own() -> None:
    assert len(SABOTAGES) >= 30
    assert {promise for _, promises in SABOTAGES.values() for promise in promises} == set(ConformanceKit.promises())


def test_a_world_whose_records_fit_into_one_page_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryWorld, "many", 2)
    assert "test_dates_that_tie_across_pages_lose_and_double_nothing" in failing(lambda _w: None, ConformanceKit.promises())
