"""harness: from raw text to a decision about a language model."""

from harness.core.version import __version__

__all__ = ["__version__"]
