"""harness: from raw text to a decision about a language model."""

__version__ = "0.1.0"
