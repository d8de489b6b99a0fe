"""This machine: what it is, and what a short probe says of it."""
