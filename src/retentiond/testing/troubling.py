# ruff: noqa: S101 - the kit asserts; that is what it is for
"""What every connector promises where a system is busy, loses an answer, takes away a right, or holds a very large record."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from retentiond.connector import (
    Answer,
    Answered,
    ConnectorError,
    OutcomeUnknownError,
    Presence,
    Reader,
    RecordRef,
    TransientConnectorError,
)
from retentiond.testing.acting import each_action, said
from retentiond.testing.world import REACHED, Bench, Gap, World

LOOKS: dict[str, Callable[[Bench, Reader, Sequence[RecordRef]], object]] = {
    "count": lambda _bench, reader, _refs: reader.count(),
    "find": lambda bench, reader, _refs: [
        ref.key for page in reader.find(bench.everything(), bench.actions()[0]) for ref in page
    ],
    "present": lambda _bench, reader, refs: reader.present(refs),
    "explain": lambda _bench, reader, refs: reader.explain(refs[0].key),
    "undated": lambda bench, reader, _refs: [ref.key for page in reader.undated([bench.by]) for ref in page],
}
"""Each question that an empty answer could lie about."""


class TroublePromises:
    """What cannot be done now is said so, and never looks like nothing to do."""

    def test_a_question_that_is_put_off_is_an_error_or_answered_truly(self, world: World) -> None:
        """A system that is busy for a moment is worth another try; nothing counts as absent because of it."""
        bench = Bench(world)
        if bench.lacks(Gap.STUMBLE):
            return
        refs = bench.refs(bench.put(1, 2))
        for name, look in LOOKS.items():
            with bench.reader() as reader:
                truth = look(bench, reader, refs)
            world.stumble()
            try:
                with bench.reader() as reader:
                    told = look(bench, reader, refs)
            except TransientConnectorError:
                with bench.reader() as reader:
                    told = look(bench, reader, refs)
            assert told == truth, f"{name} told something else because the system was busy"

    def test_an_act_that_is_put_off_claims_nothing_and_can_be_done_later(self, world: World) -> None:
        """Refused for a moment: whatever is not answered as done is as it was, and a later try does it."""
        if Bench(world).lacks(Gap.STUMBLE):
            return
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2), action)
            before = bench.snapshot()
            world.stumble()
            try:
                answers = bench.act(action, refs)
            except TransientConnectorError:
                assert bench.snapshot() == before, f"{action} was put off, and something changed"
                answers = []
            self._true(bench, refs, answers, before)
            left = [ref for ref in refs if world.state(ref.key) is not REACHED[action]]
            if left:
                assert said(bench.act(action, left)) == [Answered.DONE] * len(left), f"{action} could not be done later"

    def test_an_act_whose_answer_is_lost_is_never_told_as_not_done(self, world: World) -> None:
        """It happened, and nobody was told: that is in doubt, or found out; it is no failure, and nothing to repeat blindly."""
        if Bench(world).lacks(Gap.LOST_ANSWER):
            return
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2), action)
            before = bench.snapshot()
            world.lose_answer()
            try:
                answers = bench.act(action, refs)
            except OutcomeUnknownError:
                answers = []
            except ConnectorError:
                assert bench.snapshot() == before, f"{action} happened, and is told as not done"
                answers = []
            self._true(bench, refs, answers, before)
            again = said(bench.act(action, refs))
            assert set(again) <= {Answered.DONE, Answered.NOT_FOUND}, f"{action} was not completed by another try"
            assert bench.present(refs) == [REACHED[action]] * len(refs), f"{action} is not seen after another try"

    def test_without_rights_nothing_is_empty_and_nothing_is_done(self, world: World) -> None:
        """An account that may no longer read or act is told so, in new sessions and in those that were open."""
        bench = Bench(world)
        if bench.lacks(Gap.RIGHTS):
            return
        world.put_many([bench.moment(number) for number in range(world.many)])
        asked = [(action, bench.find(awaiting=action)) for action in bench.actions()]
        refs = asked[0][1]
        before = bench.snapshot()
        with bench.reader() as reader:
            pages = reader.find(bench.everything(), asked[0][0])
            found = [ref.key for ref in next(iter(pages))]
            world.lose_rights()
            whole = True
            try:
                found += [ref.key for page in pages for ref in page]
            except ConnectorError:
                whole = False
            assert not whole or len(found) == len(refs), "the search ended early, as if there was nothing more"
        for name, look in LOOKS.items():
            raised = False
            try:
                with bench.reader() as reader:
                    look(bench, reader, refs)
            except ConnectorError:
                raised = True
            assert raised, f"{name} answered though the account may not read"
        for action, these in asked:
            try:
                answers = bench.act(action, these)
            except ConnectorError:
                continue
            assert set(said(answers)) == {Answered.FAILED}, f"{action} claimed something without the right to it"
        assert bench.snapshot() == before, "something changed though the right to it was gone"

    def test_a_huge_record_is_found_and_done_like_any_other(self, world: World) -> None:
        """Some megabytes in one record hinder nothing."""
        if Bench(world).lacks(Gap.HUGE):
            return
        for bench, action in each_action(world):
            key = world.put_huge(1, bench.moment(1))
            refs = bench.refs([key, *bench.put(2)], action)
            assert said(bench.act(action, refs)) == [Answered.DONE] * 2, f"{action} of a huge record was not done"
            assert world.state(key) is REACHED[action], f"{action} of a huge record is said to be done, and it is not"

    def test_no_forbidden_call_reaches_the_system(self, world: World) -> None:
        """Neither looking nor acting uses a call that would hit more than the records it is meant for."""
        for bench, action in each_action(world):
            refs = bench.refs(bench.put(1, 2, 3), action)
            world.remove(refs[2].key)
            with bench.reader() as reader:
                reader.preflight(action)
                for look in LOOKS.values():
                    look(bench, reader, refs)
            bench.act(action, refs)
            bench.act(action, refs)
            bench.present(refs)
            assert list(world.forbidden()) == [], f"{action} sent a forbidden call"

    @staticmethod
    def _true(bench: Bench, refs: Sequence[RecordRef], answers: Sequence[Answer], before: dict[tuple[str, ...], object]) -> None:
        for ref, answer in zip(refs, answers, strict=False):
            match answer.said:
                case Answered.DONE:
                    assert bench.present([ref]) != [Presence.PRESENT], "a record is told as done and is as it was"
                case Answered.FAILED:
                    assert bench.world.content(ref.key) == before[ref.key], "a record is told as failed, and it has changed"
                case Answered.NOT_FOUND | Answered.CHANGED:
                    raise AssertionError("a record that was there and as found is told as gone, or changed")
