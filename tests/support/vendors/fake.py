"""What all fakes of vendors share: who may ask, how trouble is made, and what was asked. Misbehaving is left to each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from support.webserver import Answered, Asked, serving

Handler = Callable[..., Answered]


def told(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answered:
    """An answer in JSON."""
    return Answered(status, json.dumps(body).encode(), headers=headers or {})


@dataclass
class Fake:
    """A vendor. Each one has `routes`, tells who is known, and what its errors look like."""

    seen: list[Asked] = field(default_factory=list)
    stumbling: int = 0
    """So many of the next requests are put off."""
    losing: bool = False
    """The answer of the next act is lost."""
    lost: frozenset[str] = frozenset()
    """What was taken from the account: `rights` for answers of 403, `sight` for empty lists and 404."""
    refused: set[str] = field(default_factory=set)
    """Ends of the addresses of which no act is taken."""
    page: str = ""
    """A web page that is answered instead of everything."""

    def routes(self) -> Mapping[str, Handler]:
        """`METHOD pattern` to what answers; the groups of the pattern are given after the request."""
        raise NotImplementedError

    def known(self, asked: Asked) -> bool:
        """True where the credentials are right."""
        raise NotImplementedError

    def problem(self, status: int) -> Answered:
        """How this vendor says so."""
        return told({"message": "no"}, status)

    def acts(self, asked: Asked) -> bool:
        """True for a request that may change something."""
        return asked.method not in {"GET", "HEAD", "DESCRIBE"}

    def __call__(self, asked: Asked) -> Answered:
        self.seen.append(asked)
        if self.page:
            return Answered(200, self.page.encode(), "text/html")
        if self.stumbling:
            self.stumbling -= 1
            return replace(self.problem(429), headers={"Retry-After": "7"})
        if not self.known(asked):
            return self.problem(401)
        if "rights" in self.lost:
            return self.problem(403)
        if self.acts(asked) and any(asked.path.endswith(end) for end in self.refused):
            return self.problem(409)
        answer = self._routed(asked)
        if self.losing and self.acts(asked):
            self.losing = False
            return replace(answer, hang_up=True)
        return answer

    def _routed(self, asked: Asked) -> Answered:
        for route, handler in self.routes().items():
            method, pattern = route.split(" ", 1)
            match = re.fullmatch(pattern, asked.path)
            if method == asked.method and match:
                return handler(asked, *map(unquote, match.groups()))
        return self.problem(404)

    @contextmanager
    def served(self) -> Iterator[str]:
        """The address where it answers."""
        with serving(self) as url:
            yield url


def parameters(asked: Asked) -> dict[str, str]:
    """The query, of each name the last value."""
    return dict(asked.query)


def sent(asked: Asked) -> Any:
    """The body."""
    return json.loads(asked.body)
