"""Columns are those that pyarrow makes of the same values, to the byte of a file, and pandas is not imported for them."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.core.arrow_columns import arrow_column
from harness.core.predictions import read_predictions

VALUES = np.random.default_rng(0).random((7, 3))
COLUMNS = [
    ([3, None, -(2**63)], pa.int64()),
    (range(5), pa.int64()),
    ([], pa.int64()),
    ([1.5, 2, None, float("nan")], pa.float64()),
    (list(VALUES[:, 0].astype(np.float32)), pa.float64()),
    (["one", None, "", "ü–北"], pa.string()),
    ([], pa.string()),
    ([None, None], pa.string()),
    ([b"x" * 16, b"y" * 16], pa.binary(16)),
    (list(VALUES.astype(np.float32)), pa.list_(pa.float32())),
    ([], pa.list_(pa.float32())),
    ([["one", "two"], [], [None]], pa.list_(pa.string())),
    ([["one"], None], pa.list_(pa.string())),
    ([True, False], pa.bool_()),
    ([1, 2], None),
    ([0.5, float("inf")], None),
    (["one", "two"], None),
    ([["one"], ["two", "three"]], None),
    ([{"one": 1}, None], None),
    (list(np.arange(3, dtype=np.int32)), None),
]


def file_of(column: pa.Array) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"column": column}), file)
    return file.getvalue()


@pytest.mark.parametrize(("values", "kind"), COLUMNS)
def test_a_column_is_the_one_that_pyarrow_makes(values, kind):
    made, expected = arrow_column(values, kind), pa.array(list(values), kind)
    made.validate(full=True)
    assert made.type == expected.type and str(made) == str(expected) and made.null_count == expected.null_count
    assert file_of(made) == file_of(expected)


@pytest.mark.parametrize(
    ("values", "kind"),
    [(["one"], pa.int64()), ([1], pa.string()), ([b"x"], pa.binary(16))],
)
def test_what_pyarrow_refuses_is_refused(values, kind):
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        arrow_column(values, kind)


def test_a_file_of_predictions_is_written_without_pandas(tmp_path):
    code = (
        "import sys, numpy as np\nfrom pathlib import Path\n"
        "from harness.core.predictions import Predictions, write_predictions\n"
        "labels = np.array([0, 1, 1])\n"
        "predicted = Predictions(np.array([1, 1, 0]), {'logits': np.eye(3, 2, dtype=np.float32), 'n': [1, 2, 3]})\n"
        f"path = Path({str(tmp_path / 'predictions.parquet')!r})\n"
        "write_predictions(path, ['a', 'b', 'c'], predicted, labels, None)\n"
        "print('pandas' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert read_predictions(tmp_path / "predictions.parquet")[0].tolist() == [1, 1, 0]
