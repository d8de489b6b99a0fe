"""Keeping of a corpus what passes rules, with the reason of each removal."""
