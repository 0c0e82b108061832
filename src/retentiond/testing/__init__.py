"""For writers of connectors: a store in memory with a connector of its own."""

from retentiond.testing.memory import MemoryStore, When, memory_connector

__all__ = ["MemoryStore", "When", "memory_connector"]
