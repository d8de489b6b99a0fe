"""The verb `harness doctor`."""

from __future__ import annotations

from pathlib import Path

from harness.cli.options import Json, Out
from harness.core.text import emit
from harness.report.text import doctor as machine


def doctor(out: Out = None, as_json: Json = False) -> None:
    """Say what this machine offers: threads, instruction set, memory, versions, the hub, the calibration."""
    emit(machine.doctor(Path(out or "results"), as_json))
