"""A model as weights: found, built, cut, saved with its settings."""
