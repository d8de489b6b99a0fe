"""Leaderboards as JSON: everything, at full precision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from harness.report.tables.formats import PLAIN, SCHEMA_VERSION, notes, title
from harness.report.tables.layout import Layout
from harness.report.tables.report_format import ReportFormat
from harness.report.tables.table import Table

KEYS = {"is_primary": "headline", "primary_metrics": "headline"}
"""The keys of the format, where its words are older than those of the code."""


def _content(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {KEYS.get(name, name): value for name, value in items}


def to_json(tables: Sequence[Table], layout: Layout = PLAIN) -> str:
    """Everything, at full precision, scale 0…1."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "tables": [
                {"title": title(table), **asdict(table, dict_factory=_content), "notes": notes(table, layout)}
                for table in tables
            ],
        },
        indent=1,
        ensure_ascii=False,
    )


class Json(ReportFormat):
    """All tables as one object, with their titles and notes."""

    def render(self, tables: Sequence[Table], layout: Layout) -> str:
        return to_json(tables, layout)


FORMAT = Json()
