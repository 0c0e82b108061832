"""The settings file: where policies, state and systems are, when runs start, and how far the guards reach."""

from retentiond.settings.anchors import (
    AnchorSettings,
    FileAnchor,
    MailAnchor,
    S3Anchor,
    TimestampAnchor,
    WitnessAnchor,
)
from retentiond.settings.load import DEFAULT_PLACE, PLACE_VARIABLE, load_settings
from retentiond.settings.values import Guards, Log, Retry, Settings, SystemSettings

__all__ = [
    "DEFAULT_PLACE",
    "PLACE_VARIABLE",
    "AnchorSettings",
    "FileAnchor",
    "Guards",
    "Log",
    "MailAnchor",
    "Retry",
    "S3Anchor",
    "Settings",
    "SystemSettings",
    "TimestampAnchor",
    "WitnessAnchor",
    "load_settings",
]
