"""Measuring: what an original model and its candidates cost in time, memory, bytes and energy."""
