"""The losses of a training, step by step, in a file beside its record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from harness.core.arrow_columns import arrow_column

LOSSES = "losses.parquet"


def write_losses(
    path: Path, losses: Sequence[float], tokens_a_step: int | None = None, rates: Sequence[float] | None = None
) -> None:
    """Columns: step (from 1), loss of the step, its learning rate, and tokens seen where each step sees as many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    steps = range(1, len(losses) + 1)
    columns = {"step": arrow_column(steps, pa.int64()), "loss": arrow_column(losses, pa.float64())}
    if rates is not None:
        columns["learning_rate"] = arrow_column(rates, pa.float64())
    if tokens_a_step is not None:
        columns["tokens"] = arrow_column([step * tokens_a_step for step in steps], pa.int64())
    pq.write_table(pa.table(columns), path)


def read_losses(path: Path) -> list[float]:
    """The loss of each step."""
    import pyarrow.parquet as pq

    losses: list[float] = pq.read_table(path, columns=["loss"]).column("loss").to_pylist()
    return losses


def read_curve(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Each step with what is known of it: loss, and learning rate and tokens where they were kept."""
    import pyarrow.parquet as pq

    rows: list[dict[str, float]] = pq.read_table(path).to_pylist()
    return [
        (int(row["step"]), {name: value for name, value in row.items() if name != "step" and value is not None})
        for row in rows
    ]


MOVED = 0.97
"""A loss that ends above this fraction of where it began has not moved."""
STEPS_TO_TELL = 10


def cautions_of(losses: Sequence[float]) -> list[str]:
    """What a reader of a score must know of the training behind it: that its loss has not moved.

    Args:
        losses: Of each step of the optimizer.

    Returns:
        Sentences without a full stop; none where the loss fell, or where there are too few steps to tell.
    """
    if len(losses) < STEPS_TO_TELL:
        return []
    tenth = max(1, len(losses) // 10)
    first, last = fmean(losses[:tenth]), fmean(losses[-tenth:])
    if last <= MOVED * first:
        return []
    return [f"the training loss has not moved in {len(losses)} steps ({first:.3g} at first, {last:.3g} in the end)"]
