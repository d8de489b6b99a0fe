"""Text before it is trained on: what is in a corpus, what of it is kept and why, and what of it leaked."""
