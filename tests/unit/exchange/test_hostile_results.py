"""Whatever is in a file of another tool, reading and comparing it ends in a report or in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from harness.core.errors import HarnessError
from harness.gating.engine import judge
from harness.gating.entries import of_tool
from harness.gating.flips import flips_of, texts_of
from harness.gating.settings import GateSpec
from harness.report.text.gate_formats import table, to_json
from tests.cli.hostile import TEXTS, as_json, as_parquet, contents
from tests.tools import inspect_log, write_csv, write_eee, write_inspect, write_lighteval, write_lm_eval, write_trainer

SCORES = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]


def as_lines(document: Any) -> bytes:
    values = list(document.values()) if isinstance(document, dict) else [document]
    return b"\n".join(as_json(value) for value in values)


def lines_of(path: Path) -> dict[str, Any]:
    return {str(at): json.loads(line) for at, line in enumerate(path.read_text().splitlines())}


def as_csv(document: Any) -> bytes:
    rows = document.values() if isinstance(document, dict) else [document]
    return "\n".join(",".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows).encode(
        "utf-8", "replace"
    )


Kind = tuple[str, Callable[[Path], Path], str, Callable[[Path], Any], Callable[[Any], bytes]]
READ_JSON = lambda path: json.loads(path.read_text())  # noqa: E731
KINDS: dict[str, Kind] = {
    "lm_eval results": ("lm_eval", lambda folder: write_lm_eval(folder, {"evens": SCORES}), "results_", READ_JSON, as_json),
    "lm_eval samples": ("lm_eval", lambda folder: write_lm_eval(folder, {"evens": SCORES}), "samples_", lines_of, as_lines),
    "inspect": ("inspect", lambda folder: write_inspect(folder / "a.json", inspect_log(SCORES)), "a.json", READ_JSON, as_json),
    "lighteval results": ("lighteval", lambda folder: write_lighteval(folder, {"evens": SCORES}), "results_", READ_JSON, as_json),
    "lighteval details": (
        "lighteval", lambda folder: write_lighteval(folder, {"evens": SCORES}), "details_", lambda path: pq.read_table(path).to_pydict(), as_parquet,
    ),
    "eee": ("eee", lambda folder: write_eee(folder / "a.json", SCORES), "a.json", READ_JSON, as_json),
    "eee samples": ("eee", lambda folder: write_eee(folder / "a.json", SCORES), "a_samples", lines_of, as_lines),
    "trainer": ("trainer", lambda folder: write_trainer(folder / "out", SCORES), "all_results", READ_JSON, as_json),
    "csv": (
        "csv", lambda folder: write_csv(folder / "a.csv", SCORES), "a.csv",
        lambda path: {str(at): line.split(",") for at, line in enumerate(path.read_text().splitlines())}, as_csv,
    ),
}  # fmt: skip


def ends_well(tool: str, good: str, path: Path) -> None:
    with suppress(HarnessError):
        base, candidate = of_tool(good), of_tool(f"{tool}:{path}")
        report, pairs = judge(base, candidate, GateSpec())
        for pair in pairs:
            flips_of(pair, texts_of(base, candidate, []))
        table(report)
        json.loads(to_json(report, []))


def try_out(name: str, folder: Path, examples: int) -> None:
    tool, write, beginning, read, dump = KINDS[name]
    for part in ("good", "bad"):
        (folder / part).mkdir()
    good = f"{tool}:{write(folder / 'good')}"
    path = write(folder / "bad")
    file = next(
        file for file in sorted((folder / "bad").rglob("*")) if file.name.startswith(beginning) and file.is_file()
    )
    document = read(file)

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(contents(document, dump))
    def tried(content: bytes) -> None:
        file.write_bytes(content)
        ends_well(tool, good, path)

    file.write_bytes(dump(document))
    ends_well(tool, good, path)
    tried()
    for text in TEXTS:
        file.write_bytes(text)
        ends_well(tool, good, path)


@pytest.mark.parametrize("name", KINDS)
def test_a_few_bad_files_of_each_tool(name: str, tmp_path: Path):
    try_out(name, tmp_path, 8)


@pytest.mark.slow
@pytest.mark.random
@pytest.mark.parametrize("name", KINDS)
def test_many_bad_files_of_each_tool(name: str, tmp_path: Path):
    try_out(name, tmp_path, 200)
