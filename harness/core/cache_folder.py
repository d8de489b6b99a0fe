"""Where what is known of this machine is kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

CACHE_VARIABLE = "HARNESS_CACHE"


def cache_folder() -> Path:
    """Where facts about this machine are kept: $HARNESS_CACHE, else the user's cache folder."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nlp-harness"
    except RuntimeError:  # nobody's home, as in a container whose user has none
        return Path(tempfile.gettempdir()) / f"nlp-harness-{os.getuid()}"
