"""One session with a system: who we are, what is never sent, and whether an answer is what it says."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from datetime import datetime

from retentiond.connector import ConnectorError, OutcomeUnknownError, Target, TransientConnectorError
from retentiond.connector.http import Http, Reply
from retentiond_rest.kinds import Kind
from retentiond_rest.manifest import Auth, Basic, Bearer, Header, Login
from retentiond_rest.options import RestConnection, RestOptions, kind_of
from retentiond_rest.places import pointed
from retentiond_rest.requests import Request
from retentiond_rest.templates import Values, filled, filled_data, filled_path


class Session:
    """Asks what the manifest says. One that may not act sends nothing but questions."""

    def __init__(self, connection: RestConnection, options: RestOptions, target: Target, *, acts: bool = False) -> None:
        """Opens no connection yet. Raises `ConfigurationError` where a secret or certificate cannot be read."""
        self.target, self.options, self.connection = target, options, connection
        self.manifest = connection.manifest.manifest
        told = {**connection.values, **options.values}
        self.kind: Kind = kind_of(connection, options).zoned(told)
        self.clock: datetime | None = None
        """The system's own clock at its last answer; None where it told none."""
        self._acts = acts
        self._values = {f"values.{name}": text for name, text in told.items()}
        self._secret = connection.secret.reveal()
        self._token: str | None = None
        if connection.requests_per_minute is None and self.manifest.requests_per_minute is not None:
            connection = connection.model_copy(update={"requests_per_minute": self.manifest.requests_per_minute})
        named = {name: filled(text, self._values) for name, text in self.manifest.headers.items()}
        account = f"{connection.manifest.name} {connection.user} {connection.secret!r}"
        headers = {**named, **credentials(self.manifest.auth, connection.user, self._secret)}
        self._http = Http(connection, f"The system of {target}", headers, account=account)

    def close(self) -> None:
        """End the session; harmless when repeated."""
        auth, token = self.manifest.auth, self._token
        self._token = None
        try:
            if isinstance(auth, Login) and auth.logout is not None and token is not None:
                self._send(auth.logout, {"session": token}, {}, (), None)
        except ConnectorError:
            pass  # a session that could not be ended ends by itself
        finally:
            self._http.close()

    def ask(
        self,
        request: Request,
        values: Values,
        *,
        query: Mapping[str, str | int] | None = None,
        expect: Collection[int] = (200,),
        errors: bool = True,
        path: str | None = None,
    ) -> Reply:
        """Send the request with its holes filled, and give back an answer that is expected and holds no error inside.

        Whatever else comes is raised as `Http.ask` does. `path` stands in place of the request's own, encoded already.
        """
        if not request.reading and not self._acts:
            raise ConnectorError(f"A reader of {self.target} was to change something; nothing was sent.", "unsupported")
        known = {**values, **self._values}
        if isinstance(self.manifest.auth, Login):
            known["session"] = self._logged_in(self.manifest.auth)
        reply = self._send(request, known, query or {}, expect, path)
        if errors and reply.status < 300:  # noqa: PLR2004 - the numbers of HTTP
            self.refuse_errors(reply, reads=request.reading)
        return reply

    def see(self) -> None:
        """Raise `ConnectorError` unless we see what has to be seen: without that, nothing found means nothing."""
        sight = self.kind.sight or self.manifest.sight
        reply = self.ask(sight, {})
        if not sight.holds.fits(reply.json()):
            raise ConnectorError(
                f"{self.target} cannot be believed: what its manifest holds against blindness (`sight`) is not seen either. "
                f"The credentials may lack a right, or `values` name what is not there.",
                "forbidden",
            )

    def spared(self, key: tuple[str, ...]) -> bool:
        """True for a record that is kept whatever its age, because by it we see."""
        return any(filled(text, self._values) == key[-1] for text in self.kind.spares)

    def _send(
        self, request: Request, values: Values, query: Mapping[str, str | int], expect: Collection[int], path: str | None
    ) -> Reply:
        address = path if path is not None else filled_path(request.path, values)
        bare = address.split("?")[0]
        for never in self.manifest.never:
            if never.fits(request.method, bare):
                raise ConnectorError(
                    f"{self.target}: a request that is never sent was asked for; nothing was sent.", "unsupported"
                )
        told = {**{name: filled(text, values) for name, text in request.query.items()}, **query}
        reply = self._http.ask(
            request.method,
            address,
            query=None if path is not None else told or None,
            data=None if request.data is None else filled_data(request.data, values),
            headers={name: filled(text, values) for name, text in request.headers.items()},
            expect=expect or (200,),
            reads=request.reading,
        )
        self.clock = reply.date or self.clock
        return reply

    def _logged_in(self, auth: Login) -> str:
        if self._token is None:
            values = {"user": self.connection.user, "secret": self._secret, **self._values}
            reply = self._send(auth.request, values, {}, (), None)
            token = pointed(reply.json(), auth.token)
            if not isinstance(token, str) or not token:
                raise ConnectorError(
                    f"The system of {self.target} refuses the credentials. Are they right, and still valid?", "forbidden"
                )
            self._token = token
        return self._token

    def refuse_errors(self, reply: Reply, *, reads: bool) -> None:
        """Raise what an error inside of the answer means."""
        if not self.manifest.errors:
            return
        try:
            body = json.loads(reply.body)
        except ValueError:
            return  # whoever needs JSON says so
        for shape in self.manifest.errors:
            if shape.fits(body):
                raise self._inside(shape.means, reads=reads)

    def _inside(self, means: str, *, reads: bool) -> ConnectorError:
        told = f"The system of {self.target} answers with an error inside of an answer that looks like a success."
        if means == "unavailable":
            return TransientConnectorError(told) if reads else OutcomeUnknownError(told, "unavailable")
        return ConnectorError(told, means)


def credentials(auth: Auth, user: str, secret: str) -> dict[str, str]:
    """The headers by which we are known."""
    match auth:
        case Bearer():
            return {"Authorization": f"Bearer {secret}"}
        case Basic():
            return {"Authorization": f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode('ascii')}"}
        case Header(name=name, value=value):
            return {name: filled(value, {"user": user, "secret": secret})}
        case Login():
            return {}
