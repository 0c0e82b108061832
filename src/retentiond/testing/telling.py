# ruff: noqa: S101 - the kit asserts; that is what it is for
"""What every reader promises to tell of a record beside its dates: whom it is about, its facts, and who else holds it."""

from __future__ import annotations

from collections.abc import Callable

from retentiond.connector import Answered, ConnectorError, Presence, Subject
from retentiond.testing.acting import each_action, said
from retentiond.testing.world import Bench, Gap, Key, World


class TellingPromises:
    """Exactly the person asked for, and everything that decides within the fingerprint."""

    def test_about_finds_exactly_the_records_of_a_person(self, world: World) -> None:
        """However the identifier is written, and never by a part of it; wildcards and quotes stand for themselves."""
        bench = Bench(world)
        if bench.lacks(Gap.ABOUT):
            return
        persons = [bench.person(text) for text in (world.ways[0], *world.others)]
        assert {bench.person(way) for way in world.ways} == {persons[0]}, "the world's ways name more than one person"
        assert len(set(persons)) == len(persons), "the world's persons are not all different"
        keys = [world.put_about(n, bench.moment(n), text) for n, text in enumerate((*world.ways, *world.others, " "))]
        expected = {persons[0]: set(keys[: len(world.ways)])}
        expected |= {one: {key} for one, key in zip(persons[1:], keys[len(world.ways) :], strict=False)}
        for person, whose in expected.items():
            found = [ref.key for ref in bench.about(person)]
            assert len(found) == len(set(found)), "a record was found twice"
            assert set(found) <= whose, "a record of somebody else was found"
            assert set(found) == whose, "a record of the person was not found"

    def test_about_finds_blocked_and_undated_and_young_records(self, world: World) -> None:
        """A person's records are all of them, whatever their state and whatever their dates."""
        bench = Bench(world)
        if bench.lacks(Gap.ABOUT):
            return
        keys = [world.put_about(number, bench.moment(number), world.ways[0]) for number in (1, 5_000)]
        if not bench.lacks(Gap.UNDATED):
            keys.append(world.put_about(2, None, world.ways[0]))
        if not bench.lacks(Gap.BLOCK):
            keys.append(world.put_about(3, bench.moment(3), world.ways[0], Presence.BLOCKED))
        refs = bench.about(bench.person(world.ways[0]))
        assert {ref.key for ref in refs} == set(keys), "a record that is blocked, undated or young was not found"
        blocked = [key for key in keys if world.state(key) is Presence.BLOCKED]
        assert [ref.key for ref in refs if ref.blocked] == blocked, "a blocked record is not told as blocked"

    def test_about_fills_several_pages(self, world: World) -> None:
        """Nothing is lost or doubled where one page does not hold it all."""
        bench = Bench(world)
        if bench.lacks(Gap.ABOUT):
            return
        persons = (world.ways[0], world.others[0])
        keys = [world.put_about(n, bench.moment(n // 4), persons[n % 2]) for n in range(2 * world.many)]
        pages = bench.about_pages(bench.person(world.ways[0]))
        assert len(pages) > 1, "the records of a person fit into one page; the world has too few"
        assert all(pages), "a page is empty"
        assert sorted(ref.key for page in pages for ref in page) == sorted(keys[::2]), "records were lost or doubled"

    def test_about_changes_nothing(self, world: World) -> None:
        """Looking for a person leaves everything as it was."""
        bench = Bench(world)
        if bench.lacks(Gap.ABOUT):
            return
        for number, text in enumerate((*world.ways, *world.others)):
            world.put_about(number, bench.moment(number), text)
        before = bench.snapshot()
        for text in (world.ways[0], *world.others):
            bench.about(bench.person(text))
        assert bench.snapshot() == before, "looking for a person changed something"

    def test_a_record_tells_the_same_person_wherever_it_is_told(self, world: World) -> None:
        """Found by its date, found by its person, or explained it is the same, and names nobody when shown."""
        bench = Bench(world)
        if bench.lacks(Gap.ABOUT):
            return
        keys = [world.put_about(number, bench.moment(number), text) for number, text in enumerate(world.ways)]
        person = bench.person(world.ways[0])
        for ref in bench.refs(keys):
            assert ref.subjects == {person}, "a record does not tell whom it is about, normalized"
            assert bench.explained(ref.key) == ref, "explained is another record than is found"
            assert ref in bench.about(person), "found by its person is another record than is found by its date"
            assert person.value not in repr(ref), "the repr names a person"

    def test_an_unknown_kind_of_identifier_is_an_error_and_no_empty_answer(self, world: World) -> None:
        """A kind that the data set does not know raises `unsupported`: empty means that there is no record."""
        bench = Bench(world)
        bench.put(1)
        for kind in {"kit-unknown", "email", "customer-number"} - bench.offer.subjects:
            code, told = None, ""
            try:
                bench.about(Subject(kind, "anna@person.example"))
            except ConnectorError as error:
                code, told = error.code, str(error)
            assert code == "unsupported", f"about answered for a kind that it does not know, or raised {code}"
            assert "anna" not in told, "the error names a person"

    def test_the_fingerprint_covers_the_person(self, world: World) -> None:
        """A record that is somebody else's now is left alone."""
        if Bench(world).lacks(Gap.ABOUT):
            return

        def put(bench: Bench, number: int) -> Key:
            return world.put_about(number, bench.moment(number), world.ways[0])

        self._decides(world, lambda key: world.change_person(key, world.others[0]), put)

    def test_the_facts_of_the_data_set_are_told(self, world: World) -> None:
        """Every fact that is offered is told by each record, None where it is unknown, and no other."""
        bench = Bench(world)
        for ref in bench.refs(bench.put(1, 2)):
            assert ref.facts.keys() == bench.offer.facts, "the facts are not those that are offered"
            assert all(isinstance(fact, bool | int | str | None) for fact in ref.facts.values()), "a fact is no plain value"
        if bench.lacks(Gap.FACTS):
            return
        changed, kept = bench.refs(bench.put(3, 4))
        world.change_fact(changed.key)
        assert bench.explained(changed.key).facts != changed.facts, "a fact that changed is told as it was"
        assert bench.explained(kept.key) == kept, "a fact of one record shows in another one"

    def test_the_fingerprint_covers_the_facts(self, world: World) -> None:
        """A record of which a fact changed is left alone."""
        if not Bench(world).lacks(Gap.FACTS):
            self._decides(world, world.change_fact)

    def test_a_contested_record_is_told_as_contested(self, world: World) -> None:
        """Only the one that another data set holds, too, by search and by explanation."""
        bench = Bench(world)
        if bench.lacks(Gap.CONTESTED):
            assert not any(ref.contested for ref in bench.refs(bench.put(1, 2))), "a record is contested though none can be"
            return
        contested, kept = bench.put(1, 11)
        world.contest(contested)
        refs = bench.refs([contested, kept])
        assert [ref.contested for ref in refs] == [True, False], "the contested record is not told, or another one is"
        assert bench.explained(contested) == refs[0], "explained is another record than is found"

    def test_the_fingerprint_covers_who_else_holds_a_record(self, world: World) -> None:
        """A record that has become contested is left alone."""
        if not Bench(world).lacks(Gap.CONTESTED):
            self._decides(world, world.contest)

    @staticmethod
    def _decides(world: World, change: Callable[[Key], None], put: Callable[[Bench, int], Key] | None = None) -> None:
        for bench, action in each_action(world):
            keys = bench.put(1, 2) if put is None else [put(bench, number) for number in (1, 2)]
            refs = bench.refs(keys, action)
            change(keys[0])
            assert bench.explained(keys[0]).fingerprint != refs[0].fingerprint, "the fingerprint stayed"
            assert bench.explained(keys[0]).identity == refs[0].identity, "the identity differs after a change, so it is none"
            before = world.content(keys[0])
            assert said(bench.act(action, refs)) == [Answered.CHANGED, Answered.DONE], f"{action}: a change went unnoticed"
            assert world.content(keys[0]) == before, f"{action} hit a record that had changed"
