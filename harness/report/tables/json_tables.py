"""Leaderboards as JSON: everything, at full precision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from harness.report.tables.formats import PLAIN, SCHEMA_VERSION, notes, title
from harness.report.tables.layout import Layout
from harness.report.tables.report_format import ReportFormat
from harness.report.tables.table import Table


def to_json(tables: Sequence[Table], layout: Layout = PLAIN) -> str:
    """Everything, at full precision, scale 0…1."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "tables": [{"title": title(table), **asdict(table), "notes": notes(table, layout)} for table in tables],
        },
        indent=1,
        ensure_ascii=False,
    )


class Json(ReportFormat):
    """All tables as one object, with their titles and notes."""

    def render(self, tables: Sequence[Table], layout: Layout) -> str:
        return to_json(tables, layout)


FORMAT = Json()
