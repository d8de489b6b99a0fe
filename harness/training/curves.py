"""The losses of a training, step by step, in a file beside its record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LOSSES = "losses.parquet"


def write_losses(path: Path, losses: Sequence[float], tokens_a_step: int | None = None) -> None:
    """Columns: step (from 1), loss of the step, and tokens seen where each step sees as many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    steps = range(1, len(losses) + 1)
    columns = {"step": pa.array(steps, pa.int64()), "loss": pa.array(losses, pa.float64())}
    if tokens_a_step is not None:
        columns["tokens"] = pa.array([step * tokens_a_step for step in steps], pa.int64())
    pq.write_table(pa.table(columns), path)
