"""Every verb reports to trackers: a run a cell, once, and nothing is lost where a tracker fails."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.core.store import Store
from tests.cli.test_pretrainings import SPEC
from tests.conftest import call_harness
from tests.unit.exchange.test_trackers import scalars

TINY = """
name: tiny
learner: transformer
config: {model_type: bert, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16}
tokenizer: {kind: wordpiece, vocab_size: 150}
training: {epochs: 1, batch_size: 8, learning_rate: 0.01, max_length: 16}
"""
RUN = (
    "run", "--include", "tiny.yaml", "--task", "sst2", "--model", "tiny", "--model", "majority", "--limit", "40",
    "--seeds", "2", "--executor", "inline",
)  # fmt: skip
MINE = """
import json
from pathlib import Path
import harness
from harness.exchange.trackers.base import RunWriter, Tracker, TrackerPlace

class Writer(RunWriter):
    def __init__(self, path, run):
        self.path, self.lines = path, [{"name": run.name, "kind": run.kind, "config": run.config}]
    def log(self, values, step):
        self.lines.append({"step": step, **values})
    def finish(self):
        with self.path.open("a") as file:
            file.write(json.dumps(self.lines) + chr(10))

class Place(TrackerPlace):
    def __init__(self, place, root):
        self.path, self.marks = Path(place or root / "mine.jsonl"), root / "marks"
    def begin(self, run, from_step=0):
        %s
        return Writer(self.path, run)

class Mine(Tracker):
    def open(self, place, root):
        return Place(place, root)

harness.register("tracker", "mine", Mine())
"""


@pytest.fixture(scope="module")
def tracked(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run that was reported to TensorBoard."""
    pytest.importorskip("tensorboard")
    folder = tmp_path_factory.mktemp("tracked")
    (folder / "tiny.yaml").write_text(TINY)
    call = partial(call_harness, folder, machine_cache)
    call(*RUN, "--compress", "int8", "--track", "tensorboard:logs")
    return call, folder


def test_each_cell_of_a_run_is_a_tracked_run(tracked: Any) -> None:
    _, folder = tracked
    runs = scalars(folder / "logs")
    assert set(runs) == {
        *(f"sst2/tiny/seed-{seed}/{kind}" for seed in (0, 1) for kind in ("finetune", "score-dev")),
        *(f"sst2/tiny+int8/seed-{seed}/{kind}" for seed in (0, 1) for kind in ("compress", "score-dev")),
        "sst2/majority/seed-0/finetune", "sst2/majority/seed-0/score-dev",
        *(f"sst2/{model}/score-dev/summary" for model in ("tiny", "tiny+int8", "majority")),
    }  # fmt: skip
    training = runs["sst2/tiny/seed-0/finetune"]
    steps = [step for step, _ in training["loss"]]
    assert steps == [1, 2, 3, 4, 5] and [step for step, _ in training["learning_rate"]] == steps
    rates = [rate for _, rate in training["learning_rate"]]
    assert max(rates) <= 0.01 + 1e-9 and rates[-1] == min(rates[1:])
    assert training["tokens"][0][0] == 5 and training["seconds"][0][1] > 0
    compression = runs["sst2/tiny+int8/seed-0/compress"]
    assert compression["bytes"][0][1] > 0 and compression["bytes"] != compression["bytes_before"]


def test_scores_and_means_over_seeds_are_those_of_the_store(tracked: Any) -> None:
    _, folder = tracked
    runs, store = scalars(folder / "logs"), Store.open(folder / "results")
    values = []
    for cell in store.run("latest").cells:
        if cell.kind == "score" and cell.model == "tiny":
            score = store.read(cell.cell).scores["accuracy"]  # type: ignore[attr-defined]
            sent = runs[f"sst2/tiny/seed-{cell.seed}/score-dev"]
            for part, value in (("", score.value), ("/low", score.low), ("/high", score.high), ("/n", score.n)):
                assert sent[f"score/accuracy{part}"] == [(0, pytest.approx(value))]
            values.append(score.value)
    summary = runs["sst2/tiny/score-dev/summary"]
    mean = sum(values) / 2
    assert summary["score/accuracy/mean"] == [(0, pytest.approx(mean))]
    assert summary["score/accuracy/sd"] == [(0, pytest.approx((2 * (values[0] - mean) ** 2) ** 0.5, abs=1e-7))]
    assert summary["seeds"] == [(0, 2.0)]
    assert "score/accuracy/sd" not in runs["sst2/majority/score-dev/summary"], "one seed has no spread"


def test_what_was_reported_is_not_reported_again_and_what_was_not_is(tracked: Any) -> None:
    call, folder = tracked
    before = scalars(folder / "logs")
    files = sorted((folder / "logs").rglob("events*"))
    call(*RUN, "--compress", "int8", "--track", "tensorboard:logs")
    assert sorted((folder / "logs").rglob("events*")) == files and scalars(folder / "logs") == before
    call(*RUN, "--compress", "int8", "--track", "tensorboard:others", "--json")
    assert scalars(folder / "others") == before, "cached cells are reported where they were not"


def test_what_is_sent_names_no_place_of_the_machine(tracked: Any) -> None:
    _, folder = tracked
    for path in (folder / "logs").rglob("*"):
        if path.is_file():
            assert str(folder).encode() not in path.read_bytes(), path


def test_three_pretrainings_are_three_runs_with_held_out_scores_by_step(harness: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "narrow.yaml").write_text(SPEC.format(name="narrow", width=8))
    asked = ("pretrain", "narrow", "--include", "narrow.yaml", "--checkpoint-every", "1")
    for seed in ("0", "1", "2"):
        harness(*asked, "--seed", seed, "--report-to", "tensorboard")
    runs = scalars(tmp_path / "results/tracking/tensorboard")
    assert set(runs) == {f"narrow/seed-{seed}/pretrain" for seed in (0, 1, 2)}
    store = Store.open(tmp_path / "results")
    for name in store.run_names():
        (cell,) = store.run(name).cells
        sent, record = runs[f"narrow/seed-{cell.seed}/pretrain"], store.read(cell.cell)
        assert [step for step, _ in sent["loss"]] == [1, 2, 3]
        for score, facts in record.scores.items():  # type: ignore[attr-defined]
            by_step = sent[f"held_out/{score}"]
            assert [step for step, _ in by_step] == [1, 2, 3]
            assert by_step[-1][1] == pytest.approx(facts.value)
            assert sent[f"held_out/{score}/n"] == [(3, facts.n)]
    harness(*asked, "--seed", "2", "--track", "tensorboard")
    assert scalars(tmp_path / "results/tracking/tensorboard") == runs


def test_tracking_changes_nothing_of_a_pretraining(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "narrow.yaml").write_text(SPEC.format(name="narrow", width=8))
    (tmp_path / "mine.py").write_text(MINE % "pass")
    asked = (
        "pretrain",
        "narrow",
        "--include",
        "narrow.yaml",
        "--include",
        "mine.py",
        "--checkpoint-every",
        "1",
        "--json",
    )
    plain = json.loads(harness(*asked, "--results", "a").stdout)
    tracked = json.loads(harness(*asked, "--results", "b", "--track", "mine").stdout)
    assert plain["cell"] == tracked["cell"] and plain["scores"] == tracked["scores"]
    weights = [next((tmp_path / folder).glob("cells/*/*/model/model.safetensors")).read_bytes() for folder in "ab"]
    assert weights[0] == weights[1]


def test_a_tracker_of_ones_own_gets_every_cell_of_worker_processes(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE % "pass")
    harness(
        "run", "--include", "mine.py", "--task", "sst2", "--model", "majority", "--limit", "40", "--track",
        "mine:told.jsonl", "--executor", "local", "--workers", "2",
    )  # fmt: skip
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert sorted(lines[0]["kind"] for lines in told) == ["finetune", "score", "summary"]


@pytest.mark.parametrize("fault", ["raise OSError('no network')", "raise SystemExit(3)", "print('noise'); 1 / 0"])
def test_a_tracker_that_fails_costs_a_line_and_no_cell(harness: Any, tmp_path: Path, fault: str) -> None:
    (tmp_path / "mine.py").write_text(MINE % fault)
    ran = harness(
        "run", "--include", "mine.py", "--task", "sst2", "--model", "majority", "--limit", "40", "--track", "mine",
        "--executor", "inline", "--json", code=0,
    )  # fmt: skip
    warnings = [line for line in ran.stderr.splitlines() if line.startswith("tracker mine: ")]
    assert len(warnings) == 1 and "nothing more is reported to it" in warnings[0]
    assert {cell["status"] for cell in json.loads(ran.stdout)["cells"]} == {"done"}


@pytest.mark.parametrize(
    "verb",
    [
        ("run", "--task", "sst2", "--model", "majority"),
        ("evaluate", "nowhere", "--task", "sst2"),
        ("pretrain", "bert-tiny-mlm"),
        ("measure", "a", "b"),
    ],
)
def test_an_unknown_tracker_is_refused_before_anything_is_computed(harness: Any, tmp_path: Path, verb: Any) -> None:
    refused = harness(*verb, "--track", "tensorbord", code=2)
    assert "unknown tracker 'tensorbord' in --track. Did you mean 'tensorboard'?" in refused.stderr
    assert not list((tmp_path / "results").glob("cells/*")) if (tmp_path / "results").exists() else True


def test_a_config_file_names_trackers_too(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("task: sst2\nmodel: majority\nlimit: 40\ntrack: tensorbord\n")
    assert "unknown tracker 'tensorbord'" in harness("run", "--config", "run.yaml", code=2).stderr


@pytest.mark.slow
def test_compress_and_measure_report_what_they_made(harness: Any, trained: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    model = trained("bert").folder
    harness("compress", str(model), "-m", "int8", "-o", "small", "--task", "sst2", "--track", "tensorboard:logs")
    ((name, values),) = scalars(tmp_path / "logs").items()
    assert name.endswith("/compress-int8") and values["bytes"][0][1] != values["bytes_before"][0][1]
    harness(
        "measure", str(model), "small", "--batch", "1", "--length", "8", "--budget", "1s", "--allow-short", "--no-memory",
        "--track", "tensorboard:logs", code=None,
    )  # fmt: skip
    (measured,) = (values for name, values in scalars(tmp_path / "logs").items() if "/measure-" in name)
    assert any(tag.endswith("/small/seconds") for tag in measured) and "bytes/small" in measured
