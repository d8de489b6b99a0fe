"""Columns of files in parquet: read when asked for, in row groups, parts of a split and chosen rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.core.columns import LazyCells
from harness.core.errors import HarnessError
from harness.data import files
from harness.data.item_columns import read_items
from harness.data.readers import read_parquet

from .item_files import png


def write(path: Path, start: int, count: int, as_files: bool = True) -> Path:
    contents = [png(number) for number in range(start, start + count)]
    cells: list[Any] = [{"bytes": content, "path": f"{start}.png"} for content in contents] if as_files else contents
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"image": cells, "label": ["a"] * count}), path, row_group_size=3)
    return path


@pytest.mark.parametrize("as_files", [True, False])
def test_items_of_a_parquet_file_are_read_again_when_they_are_asked_for(tmp_path: Path, as_files: bool):
    table = read_parquet(write(tmp_path / "x" / "train.parquet", 0, 8, as_files))
    cells = table.read_column("image")
    assert isinstance(cells, LazyCells) and len(cells) == 8 and list(cells) == [cells[index] for index in range(8)]
    items = read_items(table, "image", "image")
    assert [item.content() for item in reversed(items)] == [png(number) for number in reversed(range(8))]
    assert [item.label for item in items[:2]] == (["0.png", "0.png"] if as_files else ["row 0", "row 1"])
    assert table.read_column("label") == ["a"] * 8


def test_rows_that_are_chosen_and_parts_that_are_joined_stay_so(tmp_path: Path):
    write(tmp_path / "x" / "train-00000-of-00002.parquet", 0, 4)
    first = write(tmp_path / "x" / "train-00001-of-00002.parquet", 4, 4).parent / "train-00000-of-00002.parquet"
    table = files.read_file(first)
    chosen = table.select([6, 1]).read_column("image")
    assert isinstance(table.read_column("image"), LazyCells) and isinstance(chosen, LazyCells)
    assert [cell["bytes"] for cell in chosen] == [png(6), png(1)] and chosen[1]["bytes"] == png(1)
    assert [item.content() for item in read_items(table, "image", "image")] == [png(number) for number in range(8)]
    with pytest.raises(IndexError):
        chosen[2]


def test_a_file_that_becomes_another_is_refused(tmp_path: Path):
    path = write(tmp_path / "x" / "train.parquet", 0, 4)
    items = read_items(read_parquet(path), "image", "image")
    write(path, 100, 4)
    with pytest.raises(HarnessError, match=r"train\.parquet, row 2: was changed while it was read"):
        items[2].content()
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(HarnessError, match=r"train\.parquet: column 'image': "):
        items[3].content()
