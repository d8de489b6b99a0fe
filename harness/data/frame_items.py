"""Images and sounds in data frames: paths from the working folder, bytes, and images of Pillow."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.data.modalities.pictures import rgb


def with_item_cells(rows: Any, column: str, modality: str, where: str) -> Any:
    """Rows whose cells of a column are mappings of `bytes` and `path`, as those of `datasets`; paths are absolute.

    Args:
        rows: A pandas DataFrame, a `datasets.Dataset`, or a list of mappings.
        column: The column of items.
        modality: What they are.
        where: What messages call the rows.

    Raises:
        HarnessError: a cell is of another kind.
    """
    if hasattr(rows, "features") and hasattr(rows, "cast_column"):  # datasets.Dataset
        feature = rows.features.get(column)
        return rows.cast_column(column, type(feature)(decode=False)) if getattr(feature, "decode", False) else rows
    if hasattr(rows, "itertuples") and column in rows:  # pandas.DataFrame
        return rows.assign(**{column: [_cell(value, where, modality) for value in rows[column]]})
    if isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows):
        return [
            {**row, column: _cell(row[column], where, modality)} if row.get(column) is not None else row for row in rows
        ]
    return rows


def _cell(value: Any, where: str, modality: str) -> Any:
    if value is None or isinstance(value, Mapping):
        return value
    if isinstance(value, bytes):
        return {"bytes": value, "path": None}
    if isinstance(value, str | os.PathLike):
        return {"bytes": None, "path": str(Path(value).absolute())}
    if modality == "image" and hasattr(value, "convert") and hasattr(value, "mode"):
        pixels = rgb(value, where)
        height, width = pixels.shape[:2]
        content = b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes()  # the same bytes on every machine
        return {"bytes": content, "path": None}
    raise HarnessError(
        f"{where}: {type(value).__name__} is no {modality} that is read; give a path, bytes"
        f"{', or an image of Pillow' if modality == 'image' else ''}"
    )
