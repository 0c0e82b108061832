"""retentiond enforces retention rules: it deletes, blocks or anonymizes records when they are due, and proves it."""

__version__ = "0.1.0"
