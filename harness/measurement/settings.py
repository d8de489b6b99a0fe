"""What `harness measure` is asked for."""

from __future__ import annotations

from harness.core.panels import MEASURING, WHAT, WHERE
from harness.core.run_spec import Device, Trackers, tracker_setting
from harness.core.strict_spec import Strict, setting
from harness.measurement.protocol import HALF_WIDTH, MARGINS


class MeasureSpec(Strict):
    """What one `harness measure` is asked for, beside the models."""

    batch: str = setting("1,8,32", "Rows of a call.", panel=WHAT, metavar="N,…")
    length: str = setting("32,128,512", "Tokens of a row.", panel=WHAT, metavar="N,…")
    task: str | None = setting(None, "Measure at this task's own lengths as well.", panel=WHAT)
    data: str = setting("synthetic", "Where the task's data is.", panel=WHAT, metavar="SOURCE")
    threads: int = setting(1, "Intra-op threads of each process.", panel=WHERE, ge=1, le=1024)
    device: Device = setting("auto", "`auto`: a GPU where there is one and all models are served there.", panel=WHERE)
    margin: float | None = setting(
        None,
        "A difference that matters; half of it is what A/A may be off.",
        panel=MEASURING,
        shown=f"{MARGINS['cpu']:g}, on a GPU {MARGINS['cuda']:g}",
    )
    precision: float = setting(HALF_WIDTH, "Half the width of an interval that is narrow enough.", panel=MEASURING)
    budget: str | None = setting(
        None, "Such as 5m; workloads that do not fit are left out.", panel=MEASURING, metavar="TIME"
    )
    seed: int = setting(0, "Of orders, token ids and the bootstrap.", panel=MEASURING, ge=0)
    memory: bool = setting(True, "Read peak memory as well.", panel=MEASURING)
    allow_short: bool = setting(
        False, "Measure also where the budget is too short for a valid result.", panel=MEASURING
    )
    track: Trackers = tracker_setting()
