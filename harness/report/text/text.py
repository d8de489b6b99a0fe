"""Text tables shared by the views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

GAP = "  "
"""Between two columns."""


def columns(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Rows under a header, aligned by spaces; the last column is not padded."""
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header) - 1)]
    lines = [header, ["-" * len(title) for title in header], *rows]
    return "\n".join(
        GAP.join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )


def cell_text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
