# ruff: noqa: S101 - the kit asserts; that is what it is for
"""What every reader promises about records it is asked for, and about failing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from retentiond.connector import Action, ConnectorError, Presence, Reader
from retentiond.testing.finding import FAR_ZONE, host_in
from retentiond.testing.world import REACHED, Bench, Gap, World


class LookingPromises:
    """What is told of records that are asked for, and how the reader fails."""

    def test_count_counts_every_record(self, world: World) -> None:
        """Young, undated and blocked records count as well; the share of a rule is taken of all of them."""
        bench = Bench(world)
        bench.put(1, 5_000)
        if not bench.lacks(Gap.UNDATED):
            world.put(2, None)
        if not bench.lacks(Gap.BLOCK):
            world.put(3, bench.moment(3), Presence.BLOCKED)
        with bench.reader() as reader:
            assert reader.count() == len(world.all_keys()), "the count is not the number of records"

    def test_count_falls_when_a_record_goes(self, world: World) -> None:
        """A record that is gone does not count, in the same session either."""
        bench = Bench(world)
        first, *_ = bench.put(1, 2, 3)
        with bench.reader() as reader:
            assert reader.count() == len(world.all_keys()), "the count is not the number of records"
            world.remove(first)
            assert reader.count() == len(world.all_keys()), "a record that is gone was counted"

    def test_present_answers_in_the_order_asked(self, world: World) -> None:
        """One answer for each record, in order, also where a record is asked for twice."""
        bench = Bench(world)
        refs = bench.refs(bench.put(1, 2, 3))
        world.remove(refs[1].key)
        there, gone = Presence.PRESENT, Presence.ABSENT
        assert bench.present([refs[1], refs[0], refs[2]]) == [gone, there, there], "not in the order asked"
        assert bench.present([refs[2], refs[1], refs[2]]) == [there, gone, there], "not in the order asked"
        assert bench.present([]) == [], "an answer without a question"

    def test_present_asks_anew_each_time(self, world: World) -> None:
        """A reader that saw a record a moment ago sees that it is gone now."""
        bench = Bench(world)
        (key,) = bench.put(1)
        refs = bench.refs([key])
        with bench.reader() as reader:
            assert reader.present(refs) == [Presence.PRESENT], "a record that is there is not seen"
            world.remove(key)
            assert reader.present(refs) == [Presence.ABSENT], "remembered instead of looked"

    def test_a_record_that_is_gone_is_absent(self, world: World) -> None:
        """What is there under another key says nothing about a record that is gone."""
        bench = Bench(world)
        gone, other = bench.refs(bench.put(1, 11))
        world.remove(gone.key)
        assert bench.present([gone, other]) == [Presence.ABSENT, Presence.PRESENT], "a record that is gone is not told as absent"

    def test_present_tells_the_state_that_a_record_is_in(self, world: World) -> None:
        """Blocked is told as blocked, anonymized as anonymized."""
        bench = Bench(world)
        for number, action in enumerate((Action.BLOCK, Action.ANONYMIZE), 1):
            if bench.lacks(action):
                continue
            key = world.put(number, bench.moment(number), REACHED[action])
            assert bench.present(bench.refs([key])) == [REACHED[action]], f"the state after {action} is not told"

    def test_a_changed_record_is_still_there(self, world: World) -> None:
        """What decides about it differs from what is asked for, and yet it is not gone."""
        bench = Bench(world)
        refs = bench.refs(bench.put(1, 2))
        world.change(refs[0].key)
        assert bench.present(refs) == [Presence.PRESENT] * 2, "a record that changed is told as gone"

    def test_explain_tells_a_known_record_as_find_does(self, world: World) -> None:
        """Key, dates, fingerprint, identity and block are those that a search tells."""
        bench = Bench(world)
        _, ref = bench.refs(bench.put(1, 2))
        with bench.reader() as reader:
            assert reader.explain(ref.key) == ref, "explained is another record than is found"

    def test_explain_tells_none_for_an_unknown_key(self, world: World) -> None:
        """A record that is gone is explained by nothing, and not by its neighbour."""
        bench = Bench(world)
        key, _ = bench.put(1, 11)
        world.remove(key)
        with bench.reader() as reader:
            assert reader.explain(key) is None, "a record that is gone was explained"

    def test_the_fingerprint_stays_as_long_as_nothing_changes(self, world: World) -> None:
        """Two searches by two readers tell the same fingerprint."""
        bench = Bench(world)
        bench.put(1, 2)
        first, second = ([ref.fingerprint for ref in bench.find()] for _ in range(2))
        assert first == second, "the fingerprint of an unchanged record differs"
        assert all(first), "a record has no fingerprint"

    def test_the_fingerprint_differs_after_a_change(self, world: World) -> None:
        """When something that decides changes so does the fingerprint, and no other record's."""
        bench = Bench(world)
        changed, kept = bench.refs(bench.put(1, 2))
        world.change(changed.key)
        with bench.reader() as reader:
            now, other = reader.explain(changed.key), reader.explain(kept.key)
        assert now is not None, "a changed record kept its key and is not explained"
        assert now.fingerprint != changed.fingerprint, "the fingerprint stayed though what decides changed"
        assert other is not None, "a record is gone"
        assert other.fingerprint == kept.fingerprint, "a change of one record shows in another one's fingerprint"

    def test_the_identity_stays_after_a_change(self, world: World) -> None:
        """By its identity a record is told from a stranger; one that changed would be taken for one, and so for gone."""
        bench = Bench(world)
        (ref,) = bench.refs(bench.put(1))
        world.change(ref.key)
        with bench.reader() as reader:
            now = reader.explain(ref.key)
        assert now is not None, "a changed record kept its key and is not explained"
        assert now.identity == ref.identity, "the identity differs after a change, so it is none"

    def test_the_fingerprint_is_a_digest(self, world: World) -> None:
        """Hex digits only, at least 128 bits, so nobody reads key or date in it."""
        bench = Bench(world)
        for ref in bench.refs(bench.put(1, 2)):
            digits = set(ref.fingerprint) <= set("0123456789abcdef")
            assert digits, "the fingerprint is no hex digest"
            assert len(ref.fingerprint) >= 32, "the fingerprint is too short to be a digest"  # noqa: PLR2004 - 128 bits

    def test_neither_key_nor_date_shows_in_the_repr(self, world: World) -> None:
        """What a traceback or a log line would show of a record names nobody."""
        bench = Bench(world)
        (ref,) = bench.refs(bench.put(1))
        for part in (*ref.key, str(ref.dates[bench.by]), ref.fingerprint):
            assert len(part) < 4 or part not in repr(ref), "the repr tells key, date or fingerprint"  # noqa: PLR2004 - `1` is everywhere
        assert repr(ref.key) not in repr(ref), "the repr tells the key"

    def test_odd_keys_survive_the_way_there_and_back(self, world: World) -> None:
        """A key with quotes, wildcards or blanks is found, seen, explained and deleted as it is, and nothing else is."""
        bench = Bench(world)
        if bench.lacks(Gap.ODD_KEYS):
            return
        keys = world.put_odd(bench.moment(1))
        (neighbour,) = bench.put(2)
        refs = bench.refs(keys)
        assert bench.present(refs) == [Presence.PRESENT] * len(refs), "a record with an odd key is not seen"
        with bench.reader() as reader:
            assert [reader.explain(key) for key in keys] == refs, "a record with an odd key is not explained"
        if bench.lacks(Gap.DELETE):
            return
        for number, ref in enumerate(refs, 1):
            bench.act(Action.DELETE, [ref])
            assert world.all_keys() == {neighbour, *keys[number:]}, "the delete of an odd key took another record, or none"

    def test_what_a_person_types_is_the_key(self, world: World) -> None:
        """The text of a key gives back its components."""
        bench = Bench(world)
        if bench.lacks(Gap.TYPED_KEYS):
            return
        for key in bench.put(1, 2):
            assert world.connector.key(world.typed(key)) == key, "the typed key is read as another one"

    def test_a_system_out_of_reach_is_an_error_and_no_empty_answer(self, world: World) -> None:
        """Opening, or else each question, raises `ConnectorError`: empty means empty."""
        bench = Bench(world)
        if bench.lacks(Gap.UNREACHABLE):
            return
        refs = bench.refs(bench.put(1))
        world.unreachable()
        questions: dict[str, Callable[[Reader], object]] = {
            "find": lambda reader: list(reader.find(bench.everything(), Action.DELETE)),
            "undated": lambda reader: list(reader.undated([bench.by])),
            "count": lambda reader: reader.count(),
            "present": lambda reader: reader.present(refs),
            "explain": lambda reader: reader.explain(refs[0].key),
        }
        if not bench.lacks(Gap.ABOUT):
            questions["about"] = lambda reader: list(reader.about(bench.person(world.ways[0])))
        for name, question in questions.items():
            try:
                with bench.reader() as reader:
                    question(reader)
            except ConnectorError:
                continue
            raise AssertionError(f"{name} answered though the system is out of reach")

    def test_the_clock_of_the_system_is_aware_utc_whatever_the_zone_of_the_host(self, world: World) -> None:
        """The system tells one and the same time on a host in Kathmandu and on one in UTC, or none."""
        bench = Bench(world)
        told = []
        for zone in (FAR_ZONE, "UTC"):
            with host_in(zone), bench.reader() as reader:
                told.append(reader.now())
        clocks = [now for now in told if now is not None]
        assert len(clocks) in {0, len(told)}, "the system has a clock in one zone only"
        assert all(now.utcoffset() == timedelta(0) for now in clocks), "the system's clock is no aware UTC"
        assert not clocks or max(clocks) - min(clocks) < timedelta(hours=1), "the system's clock follows the zone of the host"

    def test_closing_twice_is_harmless(self, world: World) -> None:
        """A reader may be closed again, and another one opened after it."""
        bench = Bench(world)
        bench.put(1)
        reader = bench.reader()
        reader.close()
        reader.close()
        assert len(bench.find()) == 1, "nothing is found after another reader was closed"

    def test_two_readers_do_not_disturb_each_other(self, world: World) -> None:
        """A reader goes on where it was while another one searches from the start."""
        bench = Bench(world)
        keys = world.put_many([bench.moment(number) for number in range(world.many)])
        with bench.reader() as reader:
            pages = reader.find(bench.everything(), Action.DELETE)
            found = [ref.key for ref in next(pages)]
            assert [ref.key for ref in bench.find()] == keys, "a second reader was disturbed"
            found += [ref.key for page in pages for ref in page]
        assert found == keys, "a reader was disturbed by another one"

    def test_the_offer_agrees_with_the_roles(self, world: World) -> None:
        """What is offered has a role, and the dates of the world are offered."""
        bench = Bench(world)
        for gap in Gap:
            bench.lacks(gap)
        connector = world.connector
        roles = {Action.DELETE: connector.deleter, Action.BLOCK: connector.blocker, Action.ANONYMIZE: connector.anonymizer}
        offer = bench.offer
        assert {action for action in offer.actions if roles[action] is None} == set(), "an action is offered without a role"
        dates = {name for name in (world.instant, world.day) if name is not None}
        assert dates <= offer.dates, "a date is not offered"
        assert offer.computed <= offer.dates, "a date is worked out and not offered"
        assert world.subject is None or world.subject in offer.subjects, "a kind of identifier is not offered"

    def test_preflight_of_a_sound_system_refuses_nothing(self, world: World) -> None:
        """Where every other promise is kept nothing has to be mended first."""
        bench = Bench(world)
        bench.put(1)
        with bench.reader() as reader:
            for action in bench.actions():
                refusing = [finding.what for finding in reader.preflight(action) if finding.refuses]
                assert refusing == [], f"a sound system is refused for {action}: {refusing}"
