"""Whether the register of holds is the one that the deletion log tells of: a store from an old backup knows no new hold."""

from __future__ import annotations

from retentiond.audit import Verification
from retentiond.engine.holding import ENDS_AFTER
from retentiond.errors import StateError
from retentiond.store import Store


def lost_holds(store: Store, told: Verification) -> list[str]:
    """Say what is amiss, as finished sentences: a hold that the log tells of and that the store has lost, lifted or changed.

    To be asked before what waits is written into the log. What cannot be read is told elsewhere, and nothing is done then.
    """
    try:
        known = {hold.hold: hold for hold in store.holds()}
        pending = [entry.fields for _, entry in store.pending() if entry.kind == "hold"]
    except StateError:
        return []
    lifted = {fields["hold"] for fields in pending if fields["op"] == "lifted"}
    lost = []
    for name, kind in told.holds.items():
        hold = known.get(name)
        stands = hold is not None and hold.kind.value == kind and hold.lifted_at is None
        if not stands and name not in lifted:
            lost.append(name)
    lost += [hold.hold for hold in known.values() if hold.expires is not None and hold.kind not in ENDS_AFTER]
    if not lost:
        return []
    names = ", ".join(sorted(set(lost)))
    return [
        (
            f"The deletion log tells of a hold that stands ({names}), and the store does not: it was lost, rolled back or "
            "changed by hand, so nothing is done. Restore the store; or place the hold anew, and close the lost one: "
            "`retentiond hold lift ID --lost --by STAFF-ID`."
        )
    ]
