"""Results of other tools through the command line and the Python API."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import harness as api
from tests.conftest import Harness, call_harness, read_json
from tests.tools import draws, inspect_log, write_csv, write_inspect, write_lm_eval

BASE, WORSE = draws(200, 180), draws(200, 120, seed=5)


@pytest.fixture(scope="module")
def place(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Harness, Path]:
    """A folder with a run, results of lm-evaluation-harness, a log and tables."""
    folder = tmp_path_factory.mktemp("tools")
    call = partial(call_harness, folder, machine_cache)
    call("run", "--task", "sst2", "--model", "tfidf", "--limit", "100", "-q")
    call("baseline", "accept", "--name", "mine")
    write_lm_eval(folder / "lm", {"evens": BASE, "odds": BASE})
    write_lm_eval(folder / "worse", {"evens": BASE, "odds": WORSE})
    write_inspect(folder / "log.eval", inspect_log(WORSE))
    write_csv(folder / "evens.csv", BASE)
    return call, folder


def test_two_folders_are_compared_and_gated(place):
    call, _ = place
    text = call("compare", "lm_eval:lm", "lm_eval:worse").stdout
    assert "| **REGRESSED** |  odds (accuracy) | org/m | 90.0 |      60.0 |" in text
    assert "IDENTICAL" in text and "right→wrong" in text
    assert "Task odds: 200 examples matched by id; 0 of lm_eval:lm and 0 of lm_eval:worse" in text
    assert "Not known of lm_eval:lm: training seed, data fingerprint, lineage." in text
    content = read_json(
        call("gate", "--baseline", "lm_eval:lm", "--candidate", "lm_eval:worse", "--json", code=1).stdout
    )
    assert [(row["task"], row["verdict"]) for row in content["rows"]] == [("evens", "IDENTICAL"), ("odds", "REGRESSED")]
    done = call("gate", "--baseline", "lm_eval:worse", "--candidate", "lm_eval:worse")
    assert "passed" in done.stdout


def test_a_task_alone_is_judged_where_it_is_named(place):
    call, _ = place
    sides = ("--baseline", "lm_eval:lm", "--candidate", "lm_eval:worse", "--json")
    content = read_json(call("gate", *sides, "--task", "evens", code=0).stdout)
    assert [(row["task"], row["verdict"]) for row in content["rows"]] == [("evens", "IDENTICAL")]
    call("gate", "--baseline", "lm_eval:lm", "--candidate", "csv:evens.csv", code=4)  # has no odds
    call("gate", "--baseline", "lm_eval:lm", "--candidate", "csv:evens.csv", "--task", "evens", code=0)
    text = call("compare", "lm_eval:lm", "lm_eval:worse", "--task", "odds").stdout
    assert "REGRESSED" in text and "evens" not in text
    done = call("compare", "lm_eval:lm", "lm_eval:worse", "--task", "odd", code=2)
    assert "unknown task 'odd' in lm_eval:lm and lm_eval:worse" in done.stderr and "odds" in done.stderr


def test_another_tool_stands_beside_a_table_and_slices_and_files_are_written(place):
    call, folder = place
    text = call("compare", "csv:evens.csv", "inspect:log.eval", "--by", "slice").stdout
    assert "### slices" in text and "label yes" in text
    call(
        "gate",
        "--baseline",
        "csv:evens.csv",
        "--candidate",
        "inspect:log.eval",
        "--junit",
        "j.xml",
        "--comment",
        "c.md",
        code=1,
    )
    assert "REGRESSED" in (folder / "c.md").read_text()


def test_a_table_stands_beside_a_run_and_beside_its_baseline(place):
    call, folder = place
    path = next((folder / "results" / "cells").rglob("predictions.parquet"))
    rows = pq.read_table(path).to_pylist()
    names = ("negative", "positive")
    lines = ["id,prediction,label", *(f"{row['id']},{names[row['prediction']]},{names[row['label']]}" for row in rows)]
    (folder / "sst2.csv").write_text("\n".join(lines))
    for base in ("latest", "mine"):
        content = read_json(call("compare", base, "csv:sst2.csv", "--format", "json").stdout)
        assert [(row["verdict"], row["n"], row["metrics"]) for row in content["rows"]] == [
            ("IDENTICAL", len(rows), ["accuracy"])
        ]
    wrong = {"negative": "positive", "positive": "negative", "prediction": "prediction"}
    flipped = [
        ",".join([name, wrong.get(label, "prediction"), label])
        for name, _, label in (line.split(",") for line in lines)
    ]
    (folder / "sst2.csv").write_text("\n".join(flipped))
    done = call("gate", "--baseline", "mine", "--candidate", "csv:sst2.csv", "--report", "r.json", code=1)
    assert "REGRESSED" in done.stdout
    flips = json.loads((folder / "r.json").read_text())["flips"][0]["examples"]
    assert flips and all(flip["candidate"] != flip["label"] for flip in flips)


def test_ids_of_another_numbering_are_matched_by_the_texts_of_the_run(place):
    call, folder = place
    path = next((folder / "results" / "cells").rglob("predictions.parquet"))
    rows = pq.read_table(path).to_pylist()
    content = read_json(call("show", "latest", "--json").stdout)
    assert content
    from harness.core.registry import load_registry
    from harness.data import load

    split = load(load_registry().task("sst2"), "synthetic", 100, ["dev"]).splits["dev"]
    texts = dict(zip(split.ids, split.fields["text"], strict=True))
    names = ("negative", "positive")
    lines = ["id,prediction,label,text"]
    lines += [
        f'x{at},{names[row["prediction"]]},{names[row["label"]]},"{texts[row["id"]]}"' for at, row in enumerate(rows)
    ]
    (folder / "renumbered.csv").write_text("\n".join(lines))
    text = call("compare", "latest", "csv:renumbered.csv").stdout
    assert f"{len(rows)} examples matched by content" in text and "IDENTICAL" in text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("csv:evens.csv", "csv:missing.csv"), "csv:missing.csv: no such file or folder: 'missing.csv'"),
        (("csv:evens.csv", "cvs:evens.csv"), "no reader 'cvs'. Did you mean 'csv'?"),
        (("lm_eval:results", "csv:evens.csv"), "no results_*.json in it"),
        (("csv:evens.csv", "inspect:evens.csv"), "evens.csv, line 1: not JSON"),
        (("csv:evens.csv", "latest"), "nothing to compare: task evens: no example of one is in the other"),
    ],
)
def test_what_cannot_be_read_or_compared_is_one_line_and_exit_2(place, names: tuple[str, str], message: str):
    call, _ = place
    done = call("compare", *names, code=2)
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_layers_of_what_has_no_model_are_refused(place):
    call, _ = place
    done = call("compare", "csv:evens.csv", "inspect:log.eval", "--by", "layer", code=2)
    assert done.stderr.count("\n") == 1 and "evens" in done.stderr


def test_a_difference_of_baselines_is_of_runs(place):
    call, _ = place
    done = call("baseline", "diff", "mine", "csv:evens.csv", code=2)
    assert "csv:evens.csv is of another tool; `harness compare mine csv:evens.csv`" in done.stderr


def test_reports_name_no_place(place):
    call, folder = place
    text = call("compare", f"csv:{folder / 'evens.csv'}", f"inspect:{folder / 'log.eval'}", "--format", "json").stdout
    assert str(folder) not in text


def test_readers_are_listed_and_one_of_ones_own_is_registered(place):
    call, folder = place
    assert {row["name"] for row in read_json(call("list", "readers", "--json").stdout)} >= {"csv", "lm_eval", "inspect"}
    (folder / "mine.py").write_text(
        "import harness\nfrom harness.exchange.outcomes import Examples, Outcome, ToolResults\n"
        "from harness.exchange.reader import ResultReader\n\n\nclass Mine(ResultReader):\n    def read(self, path):\n"
        "        scores = tuple(float(line) for line in path.read_text().split())\n"
        "        examples = Examples(tuple(map(str, range(len(scores)))), scores)\n"
        "        return ToolResults('mine', str(path), (Outcome('m', 'evens', 'accuracy', None, examples=examples),))\n\n\n"
        "harness.register('reader', 'mine', Mine())\n"
    )
    (folder / "scores.txt").write_text("\n".join(map(str, WORSE)))
    text = call("compare", "csv:evens.csv", "mine:scores.txt", "--include", "mine.py").stdout
    assert "| **REGRESSED** | evens (accuracy) |" in text


def test_the_python_api_takes_them_as_well(place):
    _, folder = place
    comparison = api.compare(f"csv:{folder / 'evens.csv'}", f"inspect:{folder / 'log.eval'}")
    assert comparison.report.rows[0].verdict == "REGRESSED"
    assert comparison.flips[0].worse - comparison.flips[0].better == 60
    report = api.gate(f"lm_eval:{folder / 'lm'}", f"lm_eval:{folder / 'worse'}", margin=0.5, ok_margin=0.6)
    assert report.passed
    report = api.gate(f"lm_eval:{folder / 'lm'}", f"csv:{folder / 'evens.csv'}", task="evens")
    assert report.passed and [row.task for row in report.report.rows] == ["evens"]
