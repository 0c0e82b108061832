"""The conformance kit: inherit from `ConformanceKit`, give it a world, and every promise of a connector is tested."""

from __future__ import annotations

import inspect

from retentiond.testing.acting import ActingPromises, PermitPromises
from retentiond.testing.finding import FindingPromises
from retentiond.testing.looking import LookingPromises
from retentiond.testing.proving import ProvingPromises
from retentiond.testing.telling import TellingPromises
from retentiond.testing.troubling import TroublePromises
from retentiond.testing.unblocking import UnblockingPromises


class ConformanceKit(
    FindingPromises,
    LookingPromises,
    TellingPromises,
    ActingPromises,
    UnblockingPromises,
    ProvingPromises,
    TroublePromises,
    PermitPromises,
):
    """All promises. A test class inherits from it; each test takes a `world`, empty and its own, from a fixture."""

    @classmethod
    def promises(cls) -> list[str]:
        """The names of the test methods."""
        return sorted(name for name, _ in inspect.getmembers(cls, inspect.isfunction) if name.startswith("test_"))
