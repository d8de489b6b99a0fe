"""Passes over documents that do not fit in memory: in pieces, sampled, counted, compared."""
