"""A secret in the settings: named by where it lies, never written there itself."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from retentiond.errors import ConfigurationError


class Secret(BaseModel):
    """A password or key kept outside the settings file: in a systemd credential, a file or an environment variable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    credential: str | None = None
    """Name of a systemd credential (`LoadCredential=`), read from the directory systemd hands over."""
    file: Path | None = None
    """A file that holds nothing but the secret; a last line break is dropped."""
    environment: str | None = None
    """Name of an environment variable. The weakest of the three: child processes inherit it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Secret:
        if sum(place is not None for place in (self.credential, self.file, self.environment)) != 1:
            raise ValueError("say exactly one of credential, file, environment")
        return self

    def reveal(self) -> str:
        """The secret's text; raise `ConfigurationError` naming the place, never the text, where it is not there."""
        if self.environment is not None:
            try:
                return os.environ[self.environment]
            except KeyError:
                raise ConfigurationError(
                    f"The environment variable {self.environment} is not set; the settings take a secret from it."
                ) from None
        path = self._path()
        try:
            return path.read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The secret in {path} cannot be read ({type(error).__name__}).") from None

    def _path(self) -> Path:
        if self.file is not None:
            return self.file
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if directory is None:
            raise ConfigurationError(f"The credential {self.credential} can only be had under systemd; use `file` elsewhere.")
        return Path(directory, str(self.credential))
