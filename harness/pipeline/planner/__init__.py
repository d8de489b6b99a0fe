"""From a run spec to its cells."""
