"""A fake of bunny.net: Edge Storage, which deletes a whole directory for one slash, and the account's pull zones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, told
from support.webserver import Answered, Asked

PASSWORD, ZONE = "storage-canary", "logs"


@dataclass
class Storage(Fake):
    """Files by their path within one storage zone."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def known(self, asked: Asked) -> bool:
        return asked.headers.get("accesskey") == PASSWORD

    def problem(self, status: int) -> Answered:
        return told({"HttpCode": status, "Message": "Erika"}, status)

    def routes(self) -> Mapping[str, Handler]:
        return {
            f"GET /{ZONE}/((?:.*/)?)": lambda _, folder: self._list(folder),
            f"DESCRIBE /{ZONE}/(.*[^/])": lambda _, path: told(self.files[path]) if path in self.files else self.problem(404),
            f"DELETE /{ZONE}/((?:.*/)?)": lambda _, folder: self._delete_all(folder),
            f"DELETE /{ZONE}/(.*[^/])": lambda _, path: told({}) if self.files.pop(path, None) else self.problem(404),
        }

    def put(self, path: str, changed: str) -> None:
        """A file."""
        folder, _, name = path.rpartition("/")
        self.files[path] = {
            "Guid": f"guid-{path}",
            "StorageZoneName": ZONE,
            "Path": f"/{ZONE}/{folder}/" if folder else f"/{ZONE}/",
            "ObjectName": name,
            "Length": 1,
            "LastChanged": changed,
            "DateCreated": changed,
            "IsDirectory": False,
        }

    def _list(self, folder: str) -> Answered:
        below = [path.removeprefix(folder) for path in self.files if path.startswith(folder)]
        if not below and folder:
            return self.problem(404)
        folders = sorted({path.split("/")[0] for path in below if "/" in path})
        files = [self.files[folder + path] for path in below if "/" not in path]
        return told([{"Guid": f"guid-{name}", "ObjectName": name, "IsDirectory": True} for name in folders] + files)

    def _delete_all(self, folder: str) -> Answered:
        self.files = {path: file for path, file in self.files.items() if not path.startswith(folder)}
        return told({})


ACCOUNT = "account-canary"


@dataclass
class Account(Fake):
    """The pull zones of an account, as the core API tells them."""

    zones: dict[str, dict[str, Any]] = field(default_factory=dict)

    def known(self, asked: Asked) -> bool:
        return asked.headers.get("accesskey") == ACCOUNT

    def routes(self) -> Mapping[str, Handler]:
        return {
            r"GET /pullzone/(\d+)": lambda _, key: told(self.zones[key]) if key in self.zones else self.problem(404),
            r"POST /pullzone/(\d+)": lambda _, key: told(self.zones[key]),
        }

    def put(self, key: int, **settings: object) -> None:
        """A pull zone as it is made, with some of its settings changed."""
        self.zones[str(key)] = {
            "Id": key,
            "Name": "web",
            "EnableLogging": True,
            "LoggingIPAnonymizationEnabled": True,
            "LogAnonymizationType": 0,
            "LoggingSaveToStorage": False,
            "LogForwardingEnabled": False,
            "LogForwardingToken": "Erika Canaria",
            **settings,
        }
