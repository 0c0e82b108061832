# ruff: noqa: S101 - the kit asserts; that is what it is for
"""What every deleter, blocker and anonymizer promises, one test method for each promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from retentiond.connector import RULED, Action, Answer, Answered, ConnectorError, Permit, Presence, RecordRef, Target
from retentiond.errors import PermitError
from retentiond.model.record import FAILURE_CODES, How
from retentiond.testing.world import REACHED, Bench, Gap, World


def said(answers: Sequence[Answer]) -> list[Answered]:
    """What was said about each record."""
    return [answer.said for answer in answers]


def each_action(world: World) -> Iterator[tuple[Bench, Action]]:
    """The actions that are no gap, each in an empty world."""
    bench = Bench(world)
    for action in bench.actions():
        world.empty()
        yield bench, action


class ActingPromises:
    """Exactly what was asked, or nothing, and the truth about it."""

    def test_acts_on_exactly_what_it_is_given(self, world: World) -> None:
        """The given records change, and neighbours under similar keys stay byte for byte what they were."""
        for bench, action in each_action(world):
            keys = bench.put(1, 11, 2, 12, 111, 21)
            refs = bench.refs([keys[0], keys[3]], action)
            before = bench.snapshot()
            assert said(bench.act(action, refs)) == [Answered.DONE] * 2, f"{action} was not done"
            after = bench.snapshot()
            others = set(keys) - {ref.key for ref in refs}
            assert {key: after.get(key) for key in others} == {key: before[key] for key in others}, f"{action} hit a neighbour"
            assert [world.state(ref.key) for ref in refs] == [REACHED[action]] * 2, f"{action} said done, and it is not"

    def test_deleted_is_really_gone(self, world: World) -> None:
        """The truth, asked past the connector, knows nothing of the record any more."""
        bench = Bench(world)
        if bench.lacks(Gap.DELETE):
            return
        (ref,) = bench.refs(bench.put(1))
        bench.act(Action.DELETE, [ref])
        assert ref.key not in world.all_keys(), "a deleted record is still there"
        assert world.state(ref.key) is Presence.ABSENT, "a deleted record is still there"

    def test_blocked_is_really_blocked(self, world: World) -> None:
        """The truth, asked past the connector, says blocked, and the record is kept."""
        bench = Bench(world)
        if bench.lacks(Gap.BLOCK):
            return
        (ref,) = bench.refs(bench.put(1), Action.BLOCK)
        bench.act(Action.BLOCK, [ref])
        assert world.state(ref.key) is Presence.BLOCKED, "a blocked record is not blocked"
        assert ref.key in world.all_keys(), "a blocked record is gone"

    def test_anonymized_is_really_anonymized(self, world: World) -> None:
        """The truth, asked past the connector, says anonymized, and the record is kept."""
        bench = Bench(world)
        if bench.lacks(Gap.ANONYMIZE):
            return
        (ref,) = bench.refs(bench.put(1), Action.ANONYMIZE)
        bench.act(Action.ANONYMIZE, [ref])
        assert world.state(ref.key) is Presence.ANONYMIZED, "an anonymized record is not anonymized"
        assert ref.key in world.all_keys(), "an anonymized record is gone"

    def test_blocked_and_anonymized_records_can_be_deleted(self, world: World) -> None:
        """What was blocked or anonymized before goes like any other."""
        bench = Bench(world)
        if bench.lacks(Gap.DELETE):
            return
        states = [REACHED[action] for action in bench.actions() if action is not Action.DELETE]
        keys = [world.put(number, bench.moment(number), state) for number, state in enumerate(states, 1)]
        refs = bench.refs(keys)
        assert said(bench.act(Action.DELETE, refs)) == [Answered.DONE] * len(refs), "a blocked record could not be deleted"
        assert world.all_keys() == set(), "a blocked or anonymized record outlived its delete"

    def test_a_blocked_record_can_be_anonymized(self, world: World) -> None:
        """What was blocked first is found for anonymizing, and is anonymized for whoever looks."""
        bench = Bench(world)
        if bench.lacks(Gap.BLOCK) or bench.lacks(Gap.ANONYMIZE):
            return
        refs = bench.refs([world.put(1, bench.moment(1), Presence.BLOCKED)], Action.ANONYMIZE)
        assert said(bench.act(Action.ANONYMIZE, refs)) == [Answered.DONE], "a blocked record could not be anonymized"
        assert [world.state(ref.key) for ref in refs] == [Presence.ANONYMIZED], "said done, and it is not anonymized"
        assert bench.present(refs) == [Presence.ANONYMIZED], "a record that is blocked and anonymized is told as something else"

    def test_a_whole_batch_is_done_at_once(self, world: World) -> None:
        """As many records as the connector says one call may hold are all done by one call."""
        for bench, action in each_action(world):
            world.put_many([bench.moment(number) for number in range(world.connector.batch_size)])
            refs = bench.find(awaiting=action)
            assert len(refs) == world.connector.batch_size, "records of a batch were lost or doubled"
            assert set(said(bench.act(action, refs))) == {Answered.DONE}, f"{action}: a whole batch was not done"
            assert set(bench.present(refs)) == {REACHED[action]}, f"{action}: a part of the batch is seen to be left"
            some = [*refs[:: len(refs) // 5 or 1], refs[-1]]
            assert {world.state(ref.key) for ref in some} == {REACHED[action]}, f"{action}: a part of the batch was left"

    def test_one_answer_for_each_record_in_order(self, world: World) -> None:
        """Done, changed and gone records are answered where they stand."""
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2, 3, 4), action)
            world.remove(refs[1].key)
            world.change(refs[2].key)
            mixed = [refs[2], refs[3], refs[1], refs[0]]
            expected = [Answered.CHANGED, Answered.DONE, Answered.NOT_FOUND, Answered.DONE]
            assert said(bench.act(action, mixed)) == expected, f"the answers of {action} are not those of the records"

    def test_an_answer_tells_by_what_it_is_known(self, world: World) -> None:
        """Done says how it is known; what a store cannot have said is not claimed."""
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2), action)
            answers = [*bench.act(action, refs), *bench.act(action, refs)]
            assert {answer.how for answer in answers[:2]}.isdisjoint({How.NONE, How.NOT_FOUND, How.PROBE}), f"{action}: how?"
            assert {answer.how for answer in answers[2:]} == {How.NOT_FOUND}, f"{action} again: how?"
            assert [answer.code for answer in answers] == [None] * 4, f"{action} gave a reason for a failure that was none"

    def test_a_changed_record_is_not_deleted(self, world: World) -> None:
        """What decides differs from what was found, so the record is left as it is."""
        self._leaves_a_changed_record(world, Action.DELETE)

    def test_a_changed_record_is_not_blocked(self, world: World) -> None:
        """What decides differs from what was found, so the record is left as it is."""
        self._leaves_a_changed_record(world, Action.BLOCK)

    def test_a_changed_record_is_not_anonymized(self, world: World) -> None:
        """What decides differs from what was found, so the record is left as it is."""
        self._leaves_a_changed_record(world, Action.ANONYMIZE)

    @staticmethod
    def _leaves_a_changed_record(world: World, action: Action) -> None:
        bench = Bench(world)
        if bench.lacks(action):
            return
        refs = bench.refs(bench.put(1, 2), action)
        world.change(refs[0].key)
        before = world.content(refs[0].key)
        assert said(bench.act(action, refs)) == [Answered.CHANGED, Answered.DONE], f"{action}: a change went unnoticed"
        assert world.content(refs[0].key) == before, f"{action} hit a record that had changed"

    def test_repeating_is_harmless(self, world: World) -> None:
        """Asked a second time there is nothing to do, nothing is done, and the answer says so."""
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2), action)
            bench.act(action, refs)
            before = bench.snapshot()
            assert said(bench.act(action, refs)) == [Answered.NOT_FOUND] * 2, f"{action} was claimed a second time"
            assert bench.snapshot() == before, f"{action} changed something a second time"

    def test_a_record_that_is_gone_stops_nothing(self, world: World) -> None:
        """Somebody else took it: that is answered, and the rest is done."""
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2, 3), action)
            world.remove(refs[0].key)
            answers = said(bench.act(action, refs))
            assert answers == [Answered.NOT_FOUND, Answered.DONE, Answered.DONE], f"{action}: a record that is gone"
            assert [world.state(ref.key) for ref in refs[1:]] == [REACHED[action]] * 2, f"{action}: the rest was not done"

    def test_a_record_that_is_refused_stops_no_other(self, world: World) -> None:
        """The store refuses one: it is told with a known word, left as it is, and the others are done."""
        if Bench(world).lacks(Gap.REFUSE):
            return
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2, 3), action)
            world.refuse(refs[1].key)
            before = world.content(refs[1].key)
            answers = bench.act(action, refs)
            assert said(answers) == [Answered.DONE, Answered.FAILED, Answered.DONE], f"{action}: a refused record"
            assert answers[1].code in FAILURE_CODES, f"{action}: the reason is not one of the known words"
            assert world.content(refs[1].key) == before, f"{action}: a record that was refused has changed"
            assert [world.state(refs[i].key) for i in (0, 2)] == [REACHED[action]] * 2, f"{action}: the others were not done"

    def test_an_act_on_a_system_out_of_reach_claims_nothing(self, world: World) -> None:
        """Opening the role, or else acting, raises `ConnectorError`: neither done nor gone nor changed is known then."""
        bench = Bench(world)
        if bench.lacks(Gap.UNREACHABLE):
            return
        bench.put(1, 2)
        asked = [(action, bench.find(awaiting=action)) for action in bench.actions()]
        world.unreachable()
        for action, refs in asked:
            try:
                answers = bench.act(action, refs)
            except ConnectorError:
                continue
            assert set(said(answers)) == {Answered.FAILED}, f"{action} claimed something though the system is out of reach"

    def test_paging_stays_correct_while_each_page_is_deleted(self, world: World) -> None:
        """Records that go while the search runs neither hide others nor come twice."""
        bench = Bench(world)
        if bench.lacks(Gap.DELETE):
            return
        keys = world.put_many([bench.moment(number // 3) for number in range(world.many)])
        found = []
        with bench.reader() as reader:
            for page in reader.find(bench.everything(), Action.DELETE):
                found += [ref.key for ref in page]
                answers = bench.act(Action.DELETE, page)
                assert said(answers) == [Answered.DONE] * len(page), "a record of the page was not deleted"
        assert sorted(found) == sorted(keys), "records were lost or doubled while pages were deleted"
        assert world.all_keys() == set(), "records were left"

    def test_an_act_is_seen_by_readers_old_and_new(self, world: World) -> None:
        """When the role answers it has happened: for a reader that was open all along, and for a new one."""
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2), action)
            with bench.reader() as reader:
                assert reader.present(refs) == [Presence.PRESENT] * 2, "a record that is there is not seen"
                bench.act(action, refs[:1])
                assert reader.present(refs) == [REACHED[action], Presence.PRESENT], f"{action} is not seen by an open reader"
            assert bench.present(refs) == [REACHED[action], Presence.PRESENT], f"{action} is not seen by a new reader"

    def test_an_act_leaves_the_fingerprint(self, world: World) -> None:
        """A record that was blocked or anonymized is told from a changed one: its fingerprint stays."""
        for bench, action in each_action(world):
            if action is Action.DELETE:
                continue
            (ref,) = bench.refs(bench.put(1), action)
            bench.act(action, [ref])
            answers = bench.act(action, [ref])
            assert said(answers) == [Answered.NOT_FOUND], f"after {action} the record counts as changed"

    def test_an_empty_batch_is_harmless(self, world: World) -> None:
        """Nothing to do is done: no answer, no change."""
        for bench, action in each_action(world):
            bench.put(1, 2)
            before = bench.snapshot()
            assert bench.act(action, []) == [], f"{action} of nothing has an answer"
            assert bench.snapshot() == before, f"{action} of nothing changed something"

    def test_closing_a_role_twice_is_harmless(self, world: World) -> None:
        """A role may be closed again; opening and closing one changes nothing."""
        for bench, action in each_action(world):
            bench.put(1)
            before = bench.snapshot()
            connector = world.connector
            factory = {
                Action.DELETE: connector.deleter,
                Action.BLOCK: connector.blocker,
                Action.ANONYMIZE: connector.anonymizer,
            }[action]
            assert factory is not None, f"{action} is offered and has no role"
            role = factory(bench.connection, bench.options, world.target)
            assert role.target == world.target, f"the role of {action} is for another target"
            role.close()
            role.close()
            assert bench.snapshot() == before, f"opening or closing the role of {action} changed something"


class PermitPromises:
    """Nothing happens without the very permit for it."""

    def test_a_permit_is_spent_once(self, world: World) -> None:
        """The same permit a second time is refused, and nothing happens."""

        def spent(bench: Bench, action: Action, refs: list[RecordRef]) -> Permit:
            permit = bench.permit(action, refs)
            permit.spend(action, world.target, refs)
            return permit

        self._refused(world, spent)

    def test_acting_spends_the_permit(self, world: World) -> None:
        """Once it was acted on the permit is good for nothing any more."""
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1), action)
            permit = bench.permit(action, refs)
            bench.act(action, refs, permit)
            try:
                permit.spend(action, world.target, refs)
            except PermitError:
                continue
            raise AssertionError(f"{action} did not spend its permit")

    def test_a_permit_for_other_records_is_refused(self, world: World) -> None:
        """The permit names a record less, one more, or another fingerprint: nothing happens."""
        self._refused(world, lambda bench, action, refs: bench.permit(action, refs[:1]))
        self._refused(world, lambda bench, action, refs: bench.permit(action, [*refs, *refs]))
        self._refused(
            world,
            lambda bench, action, refs: bench.permit(action, [replace(refs[0], fingerprint="0" * 64), *refs[1:]]),
        )

    def test_a_permit_for_another_target_is_refused(self, world: World) -> None:
        """The permit is for another data set: nothing happens."""
        self._refused(world, lambda _bench, action, refs: Permit("kit.1", action, Target("kit", "others"), refs))

    def test_a_permit_for_another_action_is_refused(self, world: World) -> None:
        """The permit is for another action: nothing happens."""
        for other in RULED:

            def permit(bench: Bench, _action: Action, refs: list[RecordRef], other: Action = other) -> Permit:
                return bench.permit(other, refs)

            self._refused(world, permit, but=other)

    @staticmethod
    def _refused(world: World, permit: Callable[[Bench, Action, list[RecordRef]], Permit], *, but: Action | None = None) -> None:
        for bench, action in each_action(world):
            if action is but:
                continue
            refs = bench.refs(bench.put(1, 2), action)
            before = bench.snapshot()
            refused = False
            try:
                bench.act(action, refs, permit(bench, action, refs))
            except PermitError:
                refused = True
            assert refused, f"{action} was done without the permit for it"
            assert bench.snapshot() == before, f"{action} changed something without the permit for it"
