"""Whether evaluation examples stand in a corpus."""
