# ruff: noqa: S101 - the kit asserts; that is what it is for
"""What every blocker promises of giving a record back, or of not being able to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retentiond.connector import RULED, Action, Answered, ConnectorError, Permit, Presence, RecordRef, Target
from retentiond.errors import PermitError
from retentiond.model.record import CLAIMS, FAILURE_CODES, How
from retentiond.testing.acting import said
from retentiond.testing.world import Bench, Gap, Key, World


class UnblockingPromises:
    """Exactly what was blocked and asked for goes back to normal work, or all of it stays blocked."""

    def test_unblocks_exactly_what_it_is_given(self, world: World) -> None:
        """The given records are there again for whoever looks; neighbours under similar keys stay blocked, byte for byte."""
        bench = Bench(world)
        if self._lacking(bench):
            return
        keys = blocked(bench, 1, 11, 2, 12, 111, 21)
        refs = bench.refs([keys[0], keys[3]])
        before = bench.snapshot()
        assert said(bench.act(Action.UNBLOCK, refs)) == [Answered.DONE] * 2, "a blocked record was not unblocked"
        after = bench.snapshot()
        others = set(keys) - {ref.key for ref in refs}
        assert {key: after.get(key) for key in others} == {key: before[key] for key in others}, "unblock hit a neighbour"
        assert after.keys() == before.keys(), "a record came or went by an unblock"
        assert [world.state(ref.key) for ref in refs] == [Presence.PRESENT] * 2, "unblock said done, and it is not"
        assert bench.present(refs) == [Presence.PRESENT] * 2, "the read-back does not see an unblocked record as present"
        assert not any(bench.explained(ref.key).blocked for ref in refs), "an unblocked record is told as blocked"

    def test_an_unblocked_record_is_what_it_was_before(self, world: World) -> None:
        """Blocking and unblocking leave the record as it was, and it can be blocked again."""
        bench = Bench(world)
        if self._lacking(bench):
            return
        refs = bench.refs(bench.put(1, 2), Action.BLOCK)
        before = bench.snapshot()
        for action in (Action.BLOCK, Action.UNBLOCK):
            assert said(bench.act(action, refs)) == [Answered.DONE] * 2, f"{action} was not done"
        assert bench.snapshot() == before, "a record that was blocked and unblocked is another one than before"
        assert bench.find(awaiting=Action.BLOCK) == refs, "an unblocked record is found as another one, or not at all"
        assert said(bench.act(Action.BLOCK, refs)) == [Answered.DONE] * 2, "an unblocked record cannot be blocked again"

    def test_unblock_answers_for_each_record_in_order(self, world: World) -> None:
        """Changed, done, gone and never blocked ones are answered where they stand, and what changed is left alone."""
        bench = Bench(world)
        if self._lacking(bench):
            return
        refs = bench.refs([*blocked(bench, 1, 2, 3, 4), *bench.put(5)])
        world.remove(refs[1].key)
        world.change(refs[2].key)
        left = {ref.key: world.content(ref.key) for ref in (refs[2], refs[4])}
        answers = bench.act(Action.UNBLOCK, [refs[2], refs[3], refs[1], refs[4], refs[0]])
        none = Answered.NOT_FOUND
        expected = [Answered.CHANGED, Answered.DONE, none, none, Answered.DONE]
        assert said(answers) == expected, "the answers of unblock are not those of the records"
        assert {one.how for one in answers if one.said is Answered.DONE} <= CLAIMS, "done, and nobody says how"
        assert {one.how for one in answers if one.said is none} == {How.NOT_FOUND}, "an act is claimed where there was none"
        assert {key: world.content(key) for key in left} == left, "unblock hit a record that had changed or was not blocked"

    def test_unblocking_again_is_harmless(self, world: World) -> None:
        """Asked a second time, or for nothing, there is nothing to do and nothing is done."""
        bench = Bench(world)
        if self._lacking(bench):
            return
        refs = bench.refs(blocked(bench, 1, 2))
        bench.act(Action.UNBLOCK, refs)
        before = bench.snapshot()
        assert said(bench.act(Action.UNBLOCK, refs)) == [Answered.NOT_FOUND] * 2, "unblock was claimed a second time"
        assert bench.act(Action.UNBLOCK, []) == [], "unblock of nothing has an answer"
        assert bench.snapshot() == before, "unblock changed something a second time"

    def test_a_record_that_is_refused_stays_blocked_and_stops_no_other(self, world: World) -> None:
        """The store refuses one: it is told with a known word, left as it is, and the others are unblocked."""
        bench = Bench(world)
        if self._lacking(bench) or bench.lacks(Gap.REFUSE):
            return
        refs = bench.refs(blocked(bench, 1, 2, 3))
        world.refuse(refs[1].key)
        before = world.content(refs[1].key)
        answers = bench.act(Action.UNBLOCK, refs)
        assert said(answers) == [Answered.DONE, Answered.FAILED, Answered.DONE], "unblock: a refused record"
        assert answers[1].code in FAILURE_CODES, "the reason is not one of the known words"
        assert world.content(refs[1].key) == before, "a record that was refused has changed"

    def test_unblock_on_a_system_out_of_reach_claims_nothing(self, world: World) -> None:
        """Opening the blocker, or else acting, raises `ConnectorError`, or every record has failed."""
        bench = Bench(world)
        if self._lacking(bench) or bench.lacks(Gap.UNREACHABLE):
            return
        refs = bench.refs(blocked(bench, 1, 2))
        world.unreachable()
        try:
            answers = bench.act(Action.UNBLOCK, refs)
        except ConnectorError:
            return
        assert set(said(answers)) == {Answered.FAILED}, "unblock claimed something though the system is out of reach"

    def test_what_cannot_be_unblocked_is_told_and_stays(self, world: World) -> None:
        """A blocker that cannot undo it says `unsupported` of every record and changes nothing; one that can never does."""
        bench = Bench(world)
        if bench.lacks(Gap.BLOCK):
            return
        refs = bench.refs([*blocked(bench, 1, 2), *bench.put(3)])
        before = bench.snapshot()
        codes = {answer.code for answer in bench.act(Action.UNBLOCK, refs)}
        if bench.lacks(Gap.UNBLOCK):
            assert codes == {"unsupported"}, "the gap unblock is declared, and an answer was another one than unsupported"
            assert bench.snapshot() == before, "unblock is unsupported and changed something"
        else:
            assert "unsupported" not in codes, "neither offered nor declared as a gap: unblock"

    def test_unblock_needs_its_own_permit(self, world: World) -> None:
        """Spent, or for another action, target, or other records: nothing happens."""
        bench = Bench(world)
        if bench.lacks(Gap.BLOCK):
            return
        refs = bench.refs(blocked(bench, 1, 2))
        before = bench.snapshot()
        for what, permit in _false_permits(bench, refs).items():
            refused = False
            try:
                bench.act(Action.UNBLOCK, refs, permit)
            except PermitError:
                refused = True
            assert refused, f"records were unblocked by a permit that is {what}"
            assert bench.snapshot() == before, f"unblock changed something by a permit that is {what}"

    def test_unblocking_spends_the_permit(self, world: World) -> None:
        """Once records were unblocked the permit is good for nothing any more."""
        bench = Bench(world)
        if bench.lacks(Gap.BLOCK):
            return
        refs = bench.refs(blocked(bench, 1))
        permit = bench.permit(Action.UNBLOCK, refs)
        bench.act(Action.UNBLOCK, refs, permit)
        try:
            permit.spend(Action.UNBLOCK, world.target, refs)
        except PermitError:
            return
        raise AssertionError("unblock did not spend its permit")

    @staticmethod
    def _lacking(bench: Bench) -> bool:
        return bench.lacks(Gap.BLOCK) or bench.lacks(Gap.UNBLOCK)


def blocked(bench: Bench, *numbers: int) -> list[Key]:
    """Put records that are blocked, each a day younger than the one before."""
    return [bench.world.put(number, bench.moment(number), Presence.BLOCKED) for number in numbers]


def _false_permits(bench: Bench, refs: Sequence[RecordRef]) -> dict[str, Permit]:
    target = bench.world.target
    spent = bench.permit(Action.UNBLOCK, refs)
    spent.spend(Action.UNBLOCK, target, refs)
    return {
        "spent": spent,
        "for a record less": bench.permit(Action.UNBLOCK, refs[:1]),
        "for other fingerprints": bench.permit(Action.UNBLOCK, [replace(refs[0], fingerprint="0" * 64), *refs[1:]]),
        "for another target": Permit("kit.1", Action.UNBLOCK, Target("kit", "others"), refs),
        **{f"for {action}": bench.permit(action, refs) for action in RULED},
    }
