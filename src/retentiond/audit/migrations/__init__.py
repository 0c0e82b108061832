"""Migrations of the deletion log, run by `retentiond.database`."""
