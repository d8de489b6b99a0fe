"""What a cell is expected to cost, and how a time is written."""

from __future__ import annotations

from harness.pipeline.cells import Cell

OVERHEAD_FLOPS = 5e9
"""What a cell costs besides its arithmetic, in the same currency: loading, saving, scoring."""
UNKNOWN_FLOPS = 1e12
SECOND_FLOPS = 1e10
"""What a second is worth of a cell whose cost is told in seconds."""


def cost(cell: Cell) -> float:
    """A cell's estimated cost in floating-point operations, its overhead included."""
    if cell.seconds is not None:
        return SECOND_FLOPS * cell.seconds[1]
    return (UNKNOWN_FLOPS if cell.flops is None else cell.flops) + OVERHEAD_FLOPS


def clock(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
