"""What the manifests of all runs have in common, whichever verb began them."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from harness.core.machine.environment import describe
from harness.core.store import Store


def free_name(store: Store, started: float, topic: str, prefix: str = "") -> str:
    """A name that no run of the store has: when it began, and what it is of."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(started))
    while True:
        name = re.sub(r"[^A-Za-z0-9._-]", "-", f"{prefix}{stamp}-{topic}-{uuid.uuid4().hex[:4]}")
        if not store.has_run(name):
            return name


def circumstances(started: float, threads: int) -> dict[str, Any]:
    """When a run began, how long it has taken, and on what machine."""
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "environment": describe(threads),
        "timings": {"seconds": round(time.time() - started, 3)},
    }
