"""Imported first of all by the process of which workers are copies: it ends when the one that started it is gone, even
amid imports that take seconds. Nor does it look for cycles among what it imports, a sixth of their time: a copy of it
does again, once that is set apart.
"""

from __future__ import annotations

import gc
import os
import threading

from harness.core.machine.processes import end_with

PARENT = "HARNESS_PARENT"
"""The variable that holds the id of the one that started it, which may be gone before this is imported."""

if PARENT in os.environ:
    gc.disable()
    threading.Thread(target=end_with, args=(int(os.environ[PARENT]),), daemon=True).start()
