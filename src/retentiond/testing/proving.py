# ruff: noqa: S101 - the kit asserts; that is what it is for
"""What every acting role promises of its receipts, where it gives any: they are true, or they are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retentiond.connector import Action, Answer, Answered, ConnectorError, Permit, Receipt, RecordRef
from retentiond.connector.receipt import PROVEN
from retentiond.testing.acting import each_action, said
from retentiond.testing.world import REACHED, Bench, Gap, World

COUNT, ITEMS, LOG = 40, "0f" * 32, "kit.example/retentiond/kit"
"""What the permits of these promises say of the batch that their records are a part of."""


class ProvingPromises:
    """A batch whose answer was lost is told from one that never happened, record by record."""

    def test_a_receipt_tells_each_answer_by_the_number_of_the_record(self, world: World) -> None:
        """Done, changed and gone ones stand in it as they were answered, under their number in the batch, however few acted."""
        for bench, action in proving(world):
            refs = bench.refs(bench.put(1, 2, 3, 4), action)
            world.remove(refs[1].key)
            world.change(refs[2].key)
            answers, told = acted(bench, action, refs)
            assert {number: answer.said for number, answer in told.items()} == dict(enumerate(said(answers), 5)), (
                f"the receipt of {action} tells other answers than were given"
            )
            assert {answer.how for answer in told.values() if answer.said is Answered.DONE} <= PROVEN, f"{action}: proven how?"
            assert [one.rows for one in told.values()] == [one.rows for one in answers], (
                f"{action}: the receipt counts other rows"
            )

    def test_a_receipt_names_the_batch_as_its_permit_does(self, world: World) -> None:
        """It repeats how many records the whole batch has, and the digest over them: by these it is known as ours."""
        for bench, action in proving(world):
            batch, _, notes = acting(bench, action, bench.refs(bench.put(1, 2), action))
            receipts = bench.receipts(action, batch, notes)
            assert receipts, f"{action} left no receipt"
            assert {(one.count, one.items) for one in receipts} == {(COUNT, ITEMS)}, (
                f"the receipt of {action} is of another batch"
            )

    def test_a_batch_that_never_happened_has_no_receipt(self, world: World) -> None:
        """The receipts of other batches on the same data set are not given for it."""
        for bench, action in proving(world):
            acting(bench, action, bench.refs(bench.put(1, 2), action))
            never = bench.permit(action, []).batch
            assert not bench.receipts(action, never), f"{action}: a batch that never happened has a receipt"

    def test_an_act_that_was_undone_has_no_receipt(self, world: World) -> None:
        """Act and receipt are there together, or neither is; and the next try of the same batch has one of its own."""
        for bench, action in proving(world):
            refs = bench.refs(bench.put(1, 2), action)
            before = bench.snapshot()
            world.undo()
            notes: list[bytes] = []
            permit = batch_permit(bench, action, refs, notes)
            undone = False
            try:
                bench.act(action, refs, permit)
            except ConnectorError:
                undone = True
            assert undone, "the world was to undo the act, and it was answered"
            assert bench.snapshot() == before, "the world was to undo the act, and something of it is left"
            assert not together(bench.receipts(action, permit.batch, notes)), f"{action} was undone, and its receipt was not"
            again = batch_permit(bench, action, refs, notes, permit.batch)
            assert said(bench.act(action, refs, again)) == [Answered.DONE] * 2, f"{action} could not be tried again"
            told = together(bench.receipts(action, permit.batch, notes))
            assert said(list(told.values())) == [Answered.DONE] * 2, f"the second try of {action} has no receipt"

    def test_what_was_refused_is_not_proven_as_done(self, world: World) -> None:
        """A record that the store refused stands in no receipt as done."""
        if Bench(world).lacks(Gap.REFUSE):
            return
        for bench, action in proving(world):
            refs = bench.refs(bench.put(1, 2, 3), action)
            world.refuse(refs[1].key)
            _, told = acted(bench, action, refs)
            done = [number for number, answer in told.items() if answer.said is Answered.DONE]
            assert done == [5, 7], f"{action}: the receipt says done of what was refused"
            assert world.state(refs[1].key) is not REACHED[action], f"{action} did what it had refused"

    def test_forgetting_takes_away_just_the_receipts_of_these_batches(self, world: World) -> None:
        """Nothing is left over of them, those of other batches are as they were, and doing it again is harmless."""
        for bench, action in proving(world):
            one, other = (acting(bench, action, [ref]) for ref in bench.refs(bench.put(1, 2), action))
            with bench.role(action) as role:
                left = role.left_over(LOG)
                kept = together(role.receipts(other[0], other[2]))
                assert kept, f"{action} left no receipt"
                role.forget([one[0]])
                role.forget([one[0]])
                assert list(role.left_over(LOG)) == [batch for batch in left if batch != one[0]], f"{action}: not just this one"
                assert together(role.receipts(other[0], other[2])) == kept, f"{action}: another batch was forgotten"
                assert not role.left_over("other.example/retentiond/other"), "receipts of another log are told as of this one"
                if one[0] in left:
                    assert not role.receipts(one[0], one[2]), f"{action}: a receipt outlived being forgotten"


def proving(world: World) -> Iterator[tuple[Bench, Action]]:
    """The actions that are no gap, each in an empty world; none where the lack of receipts is one."""
    if not Bench(world).lacks(Gap.RECEIPTS):
        yield from each_action(world)


def acting(bench: Bench, action: Action, refs: Sequence[RecordRef]) -> tuple[str, list[Answer], list[bytes]]:
    """Act on the records as number 5 and following of a larger batch: its id, the answers, and what was noted."""
    notes: list[bytes] = []
    permit = batch_permit(bench, action, refs, notes)
    return permit.batch, bench.act(action, refs, permit), notes


def acted(bench: Bench, action: Action, refs: Sequence[RecordRef]) -> tuple[list[Answer], dict[int, Answer]]:
    """Act on the records as number 5 and following of a larger batch: the answers, and what is proven by a new role."""
    batch, answers, notes = acting(bench, action, refs)
    return answers, together(bench.receipts(action, batch, notes))


def batch_permit(bench: Bench, action: Action, refs: Sequence[RecordRef], notes: list[bytes], batch: str | None = None) -> Permit:
    """The right to act on some records of a larger batch; what is noted is added to `notes`."""
    numbers = [5 + place for place in range(len(refs))]
    name = batch or bench.permit(action, refs).batch
    target = bench.world.target
    return Permit(name, action, target, refs, numbers=numbers, count=COUNT, items=ITEMS, log=LOG, note=notes.append)


def together(receipts: Sequence[Receipt] | None) -> dict[int, Answer]:
    """What the receipts of all parts tell, in the order of the numbers."""
    told = {number: answer for receipt in receipts or () for number, answer in receipt.answers.items()}
    return {number: told[number] for number in sorted(told)}
