"""Placeholder."""

connector = None
