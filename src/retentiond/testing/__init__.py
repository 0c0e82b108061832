"""For writers of connectors: the conformance kit, and a store in memory with a connector of its own."""

from retentiond.testing.conformance import ConformanceKit
from retentiond.testing.memory import MemoryStore, When, memory_connector
from retentiond.testing.memory_world import MemoryWorld
from retentiond.testing.world import Gap, World

__all__ = ["ConformanceKit", "Gap", "MemoryStore", "MemoryWorld", "When", "World", "memory_connector"]
