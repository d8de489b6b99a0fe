"""Whatever is in a file that a command reads, the command ends soon with a documented exit code and one short line."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from harness.core.hashing import hash_file
from harness.core.store import Store
from harness.measurement.benchmark_json import as_benchmarks
from tests.cli.hostile import DEEP, TEXTS, as_json, as_parquet, as_plugin, contents, packed, with_checksum
from tests.command_line import Harness, call_harness
from tests.unit.data.item_files import png, put
from tests.unit.gating.measurements import measurement

SECONDS, BYTES, LONGEST = 10, 2**30, 500
DOCUMENTED = {
    "run": (0, 2),
    "show": (0, 2),
    "leaderboard": (0, 2),
    "score": (0, 1, 2),
    "predict": (0, 2),
    "pretrain": (0, 2),
    "baseline": (0, 4),
}
GATE = (0, 1, 2, 3, 4, 5)
MODEL = {
    "name": "mine",
    "learner": "transformer",
    "config": {
        "model_type": "bert",
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    },
    "tokenizer": {"kind": "wordpiece", "vocab_size": 300, "corpus": "pretraining"},
    "pretraining": {"objective": "mlm", "options": {}, "steps": 1, "sentences": 200},
    "training": {"epochs": 1, "learning_rate": 0.001, "schedule": "linear"},
    "options": {},
}
TASK = {
    "name": "mine",
    "family": "classification",
    "fields": {"text": "text", "label": ["label", "stars"]},
    "labels": ["good", "bad"],
    "label_aliases": {"1": "good"},
    "sources": {"folder": {"folder": ["mine"], "columns": {"text": "text"}}},
    "eval": ["dev"],
    "metrics": ["accuracy", "f1"],
    "primary_metrics": ["accuracy"],
    "prompt": "{text} Is it good?",
    "verbalizers": {"good": "yes"},
    "decoding": {"max_new_tokens": 4},
}
SUITE = {
    "name": "mine",
    "tasks": ["cola", "rte"],
    "average": ["cola"],
    "models": ["majority"],
    "limit": 20,
    "margins": {"margin": 0.1},
}
RUN = {
    "task": ["cola"],
    "model": ["majority"],
    "limit": 20,
    "seeds": 2,
    "threads": 1,
    "train_fractions": [0.5],
    "out": "other",
}
CHECKS = {
    "name": "mine",
    "description": "what must not matter",
    "tests": [
        {"name": "typos", "change": {"operation": {"typos": {"rate": 0.5}}}},
        {"name": "words", "change": {"swap": ["the", "a"]}},
        {
            "name": "more",
            "change": {"append": ["It rains."]},
            "label": "acceptable",
            "direction": "not-lower",
            "tolerance": 0.1,
        },
    ],
    "most": 5,
    "seed": 1,
    "field": "text",
}
GATE_SPEC = {
    "margin": 0.01,
    "tasks": {"cola": 0.1},
    "metrics": {"matthews_correlation": 0.1},
    "seeds": 1,
    "allow": ["tokenizer"],
}


METRIC = {
    "kind": "metric",
    "name": "mine",
    "version": 1,
    "inputs": "labels",
    "low": 0.0,
    "high": 1.0,
    "score": 0.5,
    "chance": 0.5,
    "signature": "",
}
CAPTIONS = {
    "images": [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "pictures/a.png", "filepath": ""}],
    "annotations": [{"id": 1, "image_id": 7, "caption": "a square"}, {"id": 2, "image_id": 9, "caption": "it is grey"}],
    "info": {"year": 2014},
}
SPLITS_OF_CAPTIONS = {
    "images": [{"filename": "a.png", "split": "restval", "sentences": [{"raw": "a square"}, {"raw": "grey"}]}],
    "dataset": "coco",
}
SETTINGS = {
    "head": "sequence-classification",
    "max_length": 64,
    "fitted": {},
    "runtime": "torch",
    "shapes": {"parameters": {"classifier.bias": [2]}, "attributes": {"classifier": {"out_features": 2}}},
    "compression": [{"method": "prune-structured"}],
}


def as_yaml(document: Any) -> bytes:
    return yaml.safe_dump(document).encode()


@dataclass(frozen=True)
class Door:
    """A kind of file: where it lies, a good one, how it is written, and the commands that read it."""

    path: str
    good: Any
    write: Callable[[Any], bytes]
    commands: Sequence[Sequence[str]]
    results: str | None = None
    fit: Callable[[Path], None] = lambda path: None
    """Makes what names the file believe in it."""


@pytest.fixture(scope="module")
def place(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory, saved) -> tuple[Harness, Path]:
    """A folder with a run, a baseline of it, data and a model."""
    folder = tmp_path_factory.mktemp("hostile")
    call = partial(call_harness, folder, machine_cache)
    call("run", "--task", "cola", "--model", "majority", "--limit", "30", "--results", "good")
    call("baseline", "accept", "latest", "--name", "good", "--results", "good")
    shutil.copytree(saved("bert"), folder / "model")
    (folder / "data").mkdir()
    rows = "text,label\n" + "a fine film,good\na poor film,bad\n" * 10
    for split in ("train", "dev"):
        (folder / "data" / f"{split}.csv").write_text(rows)
    call("compress", "model", "--method", "prune-magnitude", "-o", "small")
    put(folder, "pictures/a.png", png(7))
    (folder / "plug").mkdir()
    (folder / "plug" / "scored.yaml").write_bytes(
        as_yaml({**TASK, "name": "scored", "metrics": ["mine"], "primary_metrics": ["mine"]})
    )
    return call, folder


def doors(folder: Path) -> dict[str, Door]:
    store = Store(folder / "good")
    run = store.run_names()[0]
    key = next(cell.cell for cell in store.run(run).cells if cell.kind == "score")
    record = store.folder(key) / "record.json"
    in_copy = ("--results", "copy")
    timed = measurement().content
    measured, benchmarks = timed.as_json(), as_benchmarks(timed, "0")
    gate = ("gate", "--baseline", "good", "--candidate", "good")
    read = (
        ("show", *in_copy),
        ("leaderboard", *in_copy),
        ("score", "latest", *in_copy),
        ("gate", "--baseline", "good", *in_copy),
    )
    dry = ("--dry-run", "--limit", "10", "--results", "dry")
    return {
        "model spec": Door("mine.yaml", MODEL, as_yaml, [("run", "--task", "cola", "--model", "mine", "--include", "mine.yaml", *dry)]),
        "task": Door("mine.yaml", TASK, as_yaml, [("run", "--task", "mine", "--data", "data", "--model", "majority", "--include", "mine.yaml", *dry)]),
        "suite": Door("mine.yaml", SUITE, as_yaml, [("run", "--suite", "mine", "--include", "mine.yaml", *dry)]),
        "run": Door("run.yaml", RUN, as_yaml, [("run", "--config", "run.yaml", "--dry-run")]),
        "checks": Door("checks.yaml", CHECKS, as_yaml, [("run", "--task", "cola", "--model", "majority", "--checks", "checks.yaml", *dry)]),
        "gate": Door("gate.yaml", GATE_SPEC, as_yaml, [(*gate, "--config", "gate.yaml")]),
        "baseline": Door(
            "baseline.json", json.loads((folder / "baselines" / "accepted" / "good.json").read_text()), with_checksum("sha256"),
            [("gate", "--baseline", "baseline.json", "--candidate", "good"), ("baseline", "show", "baseline.json")],
        ),
        "measured": Door("measured.json", {**measured, "samples": {}}, as_json, [(*gate, "--measured", "measured.json")]),
        "benchmarks": Door("b.json", benchmarks, as_json, [("gate", "--benchmark-json", "b.json", "b.json")]),
        "manifest": Door(f"runs/{run}.json", json.loads((store.root / "runs" / f"{run}.json").read_text()), with_checksum("checksum"), read, "copy"),
        "record": Door(str(record.relative_to(store.root)), json.loads(record.read_text()), with_checksum("checksum"), read, "copy"),
        "config.json": Door(
            "model/config.json", json.loads((folder / "model" / "config.json").read_text()), as_json,
            [("predict", "model", "--text", "a film"), ("run", "--task", "cola", "--model", "./model", *dry), ("run", "--no-train", "--task", "cola", "--model", "./model", *dry)],
        ),
        "harness.json": Door(
            "model/harness.json", SETTINGS, as_json,
            [("predict", "model", "--text", "a film"), ("run", "--no-train", "--task", "cola", "--model", "./model", *dry)],
        ),
        "jsonl": Door(
            "data/train.jsonl", {"text": "a fine film", "label": "good", "more": [1, {"a": 2}]}, lambda one: b"\n".join([as_json(one)] * 3),
            [("run", "--task", "text-classification", "--data", "data/train.jsonl", "--model", "majority", *dry)],
        ),
        "csv": Door(
            "data/train.csv", {"text": "a fine film", "label": "good"},
            lambda one: "\n".join([",".join(map(str, one)), *[",".join(map(str, one.values()))] * 4]).encode("utf-8", "surrogatepass"),
            [("run", "--task", "text-classification", "--data", "data/train.csv", "--model", "majority", *dry)],
        ),
        "parquet": Door(
            "data/train.parquet", {"text": ["a fine film", "a poor film"] * 3, "label": ["good", "bad"] * 3, "more": [[1, 2]] * 6}, as_parquet,
            [("run", "--task", "text-classification", "--data", "data/train.parquet", "--model", "majority", *dry)],
        ),
        "images": Door(
            "images.jsonl", {"image": "pictures/a.png", "label": "good", "more": {"path": "pictures/a.png", "bytes": None}},
            lambda one: b"\n".join([as_json(one)] * 3),
            [("run", "--task", "image-classification", "--data", "images.jsonl", "--model", "majority", *dry)],
        ),
        "captions": Door("captions.json", CAPTIONS, as_json, [("pretrain", "clip-tiny", "--corpus", "captions.json", "--dry-run", "--results", "dry")]),
        "splits of captions": Door(
            "captions.json", SPLITS_OF_CAPTIONS, as_json,
            [("pretrain", "clip-tiny", "--corpus", "captions.json", "--dry-run", "--results", "dry")],
        ),
        "predictions": Door(
            str((record.parent / "predictions.parquet").relative_to(store.root)),
            pyarrow.parquet.read_table(record.parent / "predictions.parquet").to_pydict(), as_parquet, read, "copy", believed,
        ),
        "compression.json": Door(
            "small/compression.json", json.loads((folder / "small" / "compression.json").read_text()), as_json,
            [("predict", "small", "--text", "a film"), ("run", "--no-train", "--task", "cola", "--model", "./small", *dry)],
        ),
        "plug-in": Door(
            "plug/mine.py", METRIC, as_plugin,
            [("run", "--task", "scored", "--data", "data", "--model", "majority", "--include", "plug", "--limit", "10", "--results", "dry")],
        ),
        "columns": Door(
            "baseline.json", {"references": [0, 1] * 15, "predictions": [1] * 30}, packed(json.loads((folder / "baselines" / "accepted" / "good.json").read_text())),
            [("gate", "--baseline", "baseline.json", "--candidate", "good"), ("baseline", "show", "baseline.json")],
        ),
    }  # fmt: skip


KINDS = (
    "model spec", "task", "suite", "run", "checks", "gate", "baseline", "measured", "benchmarks", "manifest", "record", "config.json", "harness.json",
    "jsonl", "csv", "parquet", "predictions", "compression.json", "plug-in", "columns",
    "images", "captions", "splits of captions",
)  # fmt: skip
SLOW = ("images", "splits of captions")


def believed(predictions: Path) -> None:
    """Gives the record of a cell the checksum of the predictions beside it."""
    record = predictions.parent / "record.json"
    content = json.loads(record.read_text())
    facts = {"bytes": predictions.stat().st_size, "sha256": hash_file(predictions)}
    content["files"] = {**content["files"], predictions.name: facts}
    record.write_bytes(with_checksum("checksum")(content))


def assert_ends_well(call: Harness, folder: Path, door: Door, content: bytes) -> None:
    if door.results is not None and not (folder / door.results).exists():
        shutil.copytree(folder / "good", folder / door.results)
    path = folder / (door.results or "") / door.path
    before = path.read_bytes() if path.exists() else None
    path.write_bytes(content)
    door.fit(path)
    try:
        for command in door.commands:
            start, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            done = call(*command, code=None)
            said = f"{' '.join(command)}\n{content[:3000]!r}\n{done.returncode}\n{done.stderr[:2000]}"
            assert done.returncode in (GATE if command[0] == "gate" else DOCUMENTED[command[0]]), said
            assert time.process_time() - start < SECONDS, said
            assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) < BYTES, said
            lines = done.stderr.splitlines()
            assert all(len(line) <= LONGEST for line in lines), said
            if done.returncode == 2 or (done.returncode and not done.stdout):
                assert sum(line.startswith("error: ") for line in lines) == 1, said
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
            door.fit(path)
        shutil.rmtree(folder / "dry", ignore_errors=True)


def try_out(place: tuple[Harness, Path], kind: str, examples: int) -> None:
    call, folder = place
    door = doors(folder)[kind]
    assert_ends_well(call, folder, door, door.write(door.good))

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(contents(door.good, door.write))
    def ends_well(content: bytes) -> None:
        assert_ends_well(call, folder, door, content)

    ends_well()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind for kind in KINDS]
)
def test_a_few_bad_files_of_each_kind(kind, place):
    try_out(place, kind, 5)


@pytest.mark.slow
@pytest.mark.random
@pytest.mark.parametrize("kind", KINDS)
def test_many_bad_files_of_each_kind(kind, place):
    try_out(place, kind, int(os.environ.get("HARNESS_BAD_FILES", "20")))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_whole_contents_of_another_kind(kind, place):
    call, folder = place
    for text in TEXTS:
        assert_ends_well(call, folder, doors(folder)[kind], text)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


def unreadable(path: Path) -> None:
    path.write_text("a: b\n")
    path.chmod(0)


PLACES: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a folder for a plug-in": ("mine.py", Path.mkdir),
    "a pipe for a plug-in": ("mine.py", fifo),
    "a loop for a plug-in": ("mine.py", loop),
    "a plug-in that leads nowhere": ("mine.py", lambda path: path.symlink_to("nowhere")),
    "a pipe for a spec": ("mine.yaml", fifo),
    "a loop for a spec": ("mine.yaml", loop),
    "a folder for a spec": ("mine.yaml", Path.mkdir),
    "a pipe for a folder of specs": ("tasks", fifo),
    "a loop for a folder of specs": ("tasks", loop),
    "a plug-in of gigabytes": ("mine.py", lambda path: os.truncate(path.touch() or path, 2**33)),
    "a plug-in that imports itself": ("mine.py", lambda path: path.write_text("import mine\n")),
    "a plug-in without end of recursion": ("mine.py", lambda path: path.write_text("def f(): f()\nf()\n")),
    "a plug-in that exits": ("mine.py", lambda path: path.write_text("raise SystemExit(0)\n")),
    "a plug-in that is interrupted": ("mine.py", lambda path: path.write_text("raise KeyboardInterrupt\n")),
    "a plug-in that raises what has no text": (
        "mine.py", lambda path: path.write_text("class E(Exception):\n    def __str__(self): raise ValueError\nraise E\n"),
    ),
    "a plug-in of nothing": ("mine.py", lambda path: path.write_text("import harness\nharness.register('metric', None, None)\n")),
    "a plug-in of another kind": ("mine.py", lambda path: path.write_text("import harness\nharness.register([], {}, 3)\n")),
    "a plug-in with a long message": ("mine.py", lambda path: path.write_text("raise ValueError('a\\n' * 10**6)\n")),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_whatever_lies_in_a_folder_of_plug_ins(name, place):
    call, folder = place
    file, make = PLACES[name]
    plug = folder / "strange"
    plug.mkdir()
    make(plug / file)
    try:
        for included in ("strange", f"strange/{file}"):
            start = time.process_time()
            done = call(
                "run",
                "--task",
                "cola",
                "--model",
                "majority",
                "--include",
                included,
                "--dry-run",
                "--results",
                "dry",
                code=None,
            )
            said = f"{included}\n{done.returncode}\n{done.stderr[:2000]}"
            assert done.returncode in ((0, 2, 130) if "interrupted" in name else (0, 2)), said
            assert time.process_time() - start < SECONDS, said
            assert all(len(line) <= LONGEST for line in done.stderr.splitlines()), said
            if done.returncode == 2:
                assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1, said
    finally:
        shutil.rmtree(plug, ignore_errors=True)
        shutil.rmtree(folder / "dry", ignore_errors=True)


def test_cached_facts_of_another_shape_are_found_again(place):
    call, folder = place
    asked = ("run", "--task", "cola", "--model", "./model", "--dry-run", "--limit", "10", "--results", "dry", "--json")
    try:
        plan = json.loads(call(*asked).stdout)
        kept = list((folder / "dry" / "cache").glob("*.json"))
        assert len(kept) > 2
        for value in (None, 3, [], {}, {"splits": 3}, {"architecture": []}, {"problem": 3}, DEEP):
            for file in kept:
                file.write_bytes(with_checksum("checksum")({"value": value}))
            assert json.loads(call(*asked).stdout)["cells"] == plan["cells"]
        for file in kept:
            file.write_bytes(with_checksum("checksum")({"other": 3}))
        assert json.loads(call(*asked).stdout)["cells"] == plan["cells"]
    finally:
        shutil.rmtree(folder / "dry", ignore_errors=True)
