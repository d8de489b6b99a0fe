"""Files that the tools themselves wrote, of two small models on twelve questions: lighteval 0.13.0 (`--save-details`, a
model in a folder), lm_eval 0.4.13 (`--log_samples`), inspect_ai 0.3.285 (`.eval` and `.json`; models of its own tests).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from harness.exchange.outcomes import Outcome
from harness.exchange.reader import read_results, recognized
from harness.gating.consistency import check
from harness.gating.engine import judge
from harness.gating.entries import of_tool
from harness.gating.settings import GateSpec

REAL = Path(__file__).with_name("real")
FOUND = {
    "lighteval": {"capitals|0 acc": (5 / 12, 4 / 12), "saying|0 em": (0, 0)},
    "lm_eval": {
        "capitals acc": (5 / 12, 4 / 12),
        "capitals acc_norm": (3 / 12, 4 / 12),
        "saying exact_match,first-word": (0, 0),
        "saying exact_match,whole": (0, 0),
    },
    "inspect": {"capitals choice": (9 / 12, 10 / 12), "saying match": (13 / 24, 15 / 24)},
}


def unpacked(tool: str, folder: Path) -> list[str]:
    with zipfile.ZipFile(REAL / f"{tool}.zip") as archive:
        archive.extractall(folder)
    return sorted(str(each) for each in folder.iterdir())


@pytest.fixture(params=FOUND)
def sides(request, tmp_path: Path) -> tuple[str, list[str]]:
    """The reader, and the folders of both models."""
    if request.param == "inspect":
        pytest.importorskip("zstandard")
    return request.param, unpacked(request.param, tmp_path)


def named(name: str) -> dict[str, Outcome]:
    results = read_results(name)
    checked = check(results)
    assert checked.sound and all(one.recomputed is not None for one in checked.scores)
    return {f"{one.task} {one.metric}" + (f",{one.filter}" if one.filter else ""): one for one in results.outcomes}


def test_scores_come_with_every_example_and_hold(sides):
    tool, folders = sides
    before, after = (named(f"{tool}:{folder}") for folder in folders)
    assert set(before) == set(after) == set(FOUND[tool])
    for key, scores in FOUND[tool].items():
        assert (before[key].score, after[key].score) == pytest.approx(scores)
    for outcome in (*before.values(), *after.values()):
        assert outcome.n == 12 and outcome.examples is not None and len(outcome.examples) == 12
    for key, outcome in before.items():
        assert sorted(outcome.examples.ids) == sorted(after[key].examples.ids)
    assert [recognized(folder).partition(":")[0] for folder in folders] == [tool, tool]


def test_a_task_of_two_tools_is_one_where_only_marks_around_its_name_differ(tmp_path: Path):
    """The same checkpoint, the same questions: `capitals` of lm_eval and `capitals|0` of lighteval, among others."""
    names = [f"{tool}:{unpacked(tool, tmp_path / tool)[0]}" for tool in ("lm_eval", "lighteval")]
    report = judge(*map(of_tool, names), GateSpec())[0]
    (row,) = report.rows
    assert (row.task, row.metrics, row.verdict, row.n, row.base) == ("capitals", ("acc",), "IDENTICAL", 12, 5 / 12)
    assert any("no metric in common" in reason for reason in report.reasons)
