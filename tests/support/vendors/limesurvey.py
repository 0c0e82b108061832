"""A fake of LimeSurvey's RemoteControl, which says everything with HTTP 200 and dates anonymous answers to 1980."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, sent, told
from support.webserver import Answered, Asked

USER, PASSWORD, SURVEY = "admin", "password-canary", 4711


@dataclass
class LimeSurvey(Fake):
    """The answers to one survey."""

    responses: dict[int, dict[str, Any]] = field(default_factory=dict)
    active: bool = True
    keys: set[str] = field(default_factory=set)
    """Sessions that are open."""
    permitted: bool = True

    def known(self, asked: Asked) -> bool:
        del asked
        return True  # who may do what is told inside

    def acts(self, asked: Asked) -> bool:
        return str(sent(asked)["method"]).startswith("delete")

    def routes(self) -> Mapping[str, Handler]:
        return {"POST /index.php/admin/remotecontrol": self._call}

    def put(self, key: int, submitted: str | None, started: str | None = None) -> None:
        """An answer."""
        self.responses[key] = {"id": str(key), "submitdate": submitted, "startdate": started, "datestamp": started, "q1": "Erika"}

    def _call(self, asked: Asked) -> Answered:
        call = sent(asked)
        return told({"id": call["id"], "result": self._result(call["method"], *call["params"]), "error": None})

    def _result(self, method: str, *params: Any) -> Any:
        if method == "get_session_key":
            if params[:2] != (USER, PASSWORD):
                return {"status": "Invalid user name or password"}
            self.keys.add(f"session{len(self.keys)}")
            return f"session{len(self.keys) - 1}"
        if method == "release_session_key":
            self.keys.discard(params[0])
            return "OK"
        if params[0] not in self.keys:
            return {"status": "Invalid session key"}
        if not self.permitted:
            return {"status": "No permission"}
        if params[1] != SURVEY:
            return {"status": "Error: Invalid survey ID"}
        match method:
            case "get_survey_properties":
                told = {"active": "Y" if self.active else "N", "ipaddr": "N", "anonymized": "Y"}
                return {name: told[name] for name in params[2]}
            case "export_responses":
                return self._export()
            case "delete_response":
                return {"status": "OK"} if self.responses.pop(params[2], None) else {"status": "Error: no such response"}
            case _:
                return {"status": "Invalid method"}

    def _export(self) -> Any:
        if not self.active:
            return {"status": "No Data, survey table does not exist."}
        if not self.responses:
            return {"status": "No Data, could not get max id."}
        return base64.b64encode(json.dumps({"responses": list(self.responses.values())}).encode()).decode()
