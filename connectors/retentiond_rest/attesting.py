"""Tells how the settings of a vendor stand now. What the vendor does not say is not told, and never taken for `off`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retentiond.connector import Attested, Attestor
from retentiond_rest.places import pointed
from retentiond_rest.session import Session


class RestAttestor(Attestor):
    """Asks each setting of a kind anew; settings that one answer tells are asked for once."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def attest(self) -> Sequence[Attested]:
        """The settings whose values have a meaning."""
        answers: dict[str, Any] = {}
        found = []
        for name, setting in self._session.kind.attest.items():
            asked = setting.model_dump_json(include={"method", "path", "query", "data", "headers"})
            if asked not in answers:
                answers[asked] = self._session.ask(setting, {}).json()
            told = setting.told(pointed(answers[asked], setting.at))
            if told is not None:
                found.append(Attested(name, told))
        return found
