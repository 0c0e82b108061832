"""Deletes, blocks and anonymizes: looks anew at each record, then sends the one request for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from retentiond.connector import (
    Anonymizer,
    Answer,
    Blocker,
    ConnectorError,
    Deleter,
    How,
    OutcomeUnknownError,
    Presence,
    RecordRef,
    TransientConnectorError,
)
from retentiond.connector.http import Reply
from retentiond_rest.listing import listed
from retentiond_rest.looking import key_values, looked, table_of
from retentiond_rest.places import Told
from retentiond_rest.records import Seen
from retentiond_rest.requests import Act, Awaited, Purge
from retentiond_rest.session import Session
from retentiond_rest.templates import Values

REFUSALS = frozenset({400, 402, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 426, 428, 451})
"""Statuses by which a system refuses one request, and another one may be served; 404 is what the manifest says it is."""

Ready = Callable[[Seen], Answer | None]
"""What is answered without doing anything; None where the record is to be acted on."""


class Acting:
    """One batch on one session."""

    def __init__(
        self,
        session: Session,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self._sleep, self._clock = sleep, clock
        self._touched = False

    def act(self, refs: Sequence[RecordRef], act: Act, ready: Ready, before: Sequence[Purge] = ()) -> list[Answer]:
        """One answer for each record. Raises only where nothing of the batch was done, or where nobody knows what was."""
        self._touched = False
        by_list = self.session.kind.get is None
        once = looked(self.session, [ref.key for ref in refs]) if by_list else {}
        table = table_of(self.session)
        answers: list[Answer] = []
        for ref in refs:
            try:
                now = (once if by_list else looked(self.session, [ref.key], table))[ref.key]
            except ConnectorError as error:
                if error.code != "unsupported":  # else a key that is no step of an address, which concerns no other record
                    return self._given_up(error, answers, len(refs))
                answers.append(Answer.failed(error.code))
                continue
            try:
                answers.append(self._one(ref, now, act, ready, before))
            except OutcomeUnknownError:
                raise
            except TransientConnectorError as error:
                return self._given_up(error, answers, len(refs))
            except ConnectorError as error:
                answers.append(Answer.failed(error.code))
        return answers

    def _given_up(self, error: ConnectorError, answers: list[Answer], count: int) -> list[Answer]:
        """The answers where the rest of a batch was not done; raises `error` where nothing of it was."""
        if not self._touched:
            raise error
        return [*answers, *[Answer.failed(error.code)] * (count - len(answers))]

    def _one(self, ref: RecordRef, now: Seen | None, act: Act, ready: Ready, before: Sequence[Purge]) -> Answer:
        if now is None:
            return Answer.not_found()
        told = ready(now)
        if told is not None:
            return told
        if now.ref.fingerprint != ref.fingerprint or now.ref.identity != ref.identity:
            return Answer.changed()
        values = key_values(ref.key)
        rows = 1
        for purge in before:
            rows += self._purge(purge, values)
        return self._do(act, values, rows if before else None)

    def _purge(self, purge: Purge, values: Values) -> int:
        """Delete what lies within a record; how many there were. Raises `ConnectorError` where something is left."""
        inside = self._inside(purge, values)
        for child in inside:
            answer = self._do(purge.delete, {**values, "child": child}, None)
            if answer.code is not None:
                raise ConnectorError(f"A part of a record of {self.session.target} was not deleted.", answer.code)
        if inside and self._inside(purge, values):
            raise ConnectorError(f"Parts of a record of {self.session.target} are still there after their delete.", "refused")
        return len(inside)

    def _inside(self, purge: Purge, values: Values) -> list[str]:
        ids = [Told(told.body).at(purge.id) for told in listed(self.session, purge.list_, values)]
        if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in ids):
            raise ConnectorError(f"{self.session.target} tells a part of a record without its key.", "malformed")
        return [str(one) for one in ids]

    def _do(self, act: Act, values: Values, rows: int | None) -> Answer:
        reply = self.session.ask(act, values, expect=(*act.accept, *act.gone, *REFUSALS))
        if reply.status in act.accept:
            self._touched = True
            self._confirmed(act, reply)
            if act.awaits is not None:
                self._await(act.awaits, values)
            return Answer.done(How.RESPONSE, rows)
        if reply.status in act.gone:
            return Answer.not_found()
        return Answer.failed("refused")

    def _confirmed(self, act: Act, reply: Reply) -> None:
        if act.confirms is None:
            return
        try:
            body = reply.json()
        except ConnectorError as error:
            raise OutcomeUnknownError(str(error), error.code) from None
        if not act.confirms.fits(body):
            raise OutcomeUnknownError(
                f"{self.session.target} accepts an act and does not confirm it as its manifest says (`confirms`).", "malformed"
            )

    def _await(self, awaited: Awaited, values: Values) -> None:
        """Wait until an act that was merely accepted has come to its end."""
        latest = self._clock() + awaited.most
        while True:
            try:
                reply = self.session.ask(awaited, values, expect=(200, 404))
                if awaited.until.fits(reply.json()):
                    return
            except ConnectorError as error:
                raise OutcomeUnknownError(f"{error} What was accepted before may have been done.", error.code) from None
            if self._clock() >= latest:
                raise OutcomeUnknownError(f"{self.session.target} accepted an act and did not finish it in time.", "timeout")
            self._sleep(awaited.every)


class RestDeleter(Deleter):
    """Deletes records, and what lies within them first."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.target)
        self._acting = Acting(session)

    def close(self) -> None:
        """End the session."""
        self._acting.session.close()

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        act = self._acting.session.kind.delete
        if act is None:
            return [Answer.failed("unsupported")] * len(refs)
        return self._acting.act(refs, act, lambda _now: None, act.before)


class RestBlocker(Blocker):
    """Blocks records, and gives them back where the manifest says how."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.target)
        self._acting = Acting(session)

    def close(self) -> None:
        """End the session."""
        self._acting.session.close()

    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        act = self._acting.session.kind.block
        if act is None:
            return [Answer.failed("unsupported")] * len(refs)
        return self._acting.act(refs, act, lambda now: None if now.state is Presence.PRESENT else Answer.not_found())

    def _unblock(self, refs: Sequence[RecordRef]) -> list[Answer]:
        act = self._acting.session.kind.unblock
        if act is None:
            return [Answer.failed("unsupported")] * len(refs)
        return self._acting.act(refs, act, lambda now: None if now.state is Presence.BLOCKED else Answer.not_found())


class RestAnonymizer(Anonymizer):
    """Anonymizes records."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.target)
        self._acting = Acting(session)

    def close(self) -> None:
        """End the session."""
        self._acting.session.close()

    def _anonymize(self, refs: Sequence[RecordRef]) -> list[Answer]:
        act = self._acting.session.kind.anonymize
        if act is None:
            return [Answer.failed("unsupported")] * len(refs)
        return self._acting.act(refs, act, lambda now: Answer.not_found() if now.state is Presence.ANONYMIZED else None)
