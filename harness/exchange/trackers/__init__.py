"""Trackers of experiments: where they keep runs, and how one is written."""
