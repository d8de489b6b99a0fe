"""Verdicts on a candidate against an accepted baseline, and their reporters."""
