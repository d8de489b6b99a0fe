"""Cost against size: examples, tasks, records and text, each at three sizes or more, with the exponent of the growth.

    pytest tests/benchmarks/test_scale.py -m "" --benchmark-enable
    HARNESS_BENCHMARK=full pytest tests/benchmarks/test_scale.py -m "" --benchmark-enable

Each size is a process of its own (`tests/benchmarks/scale.py`). The exponent is of the increments: what does not grow,
such as what a process does first, is no part of it. Linear is 1.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.benchmarks.record_store import make_store
from tests.benchmarks.scale import TASK, write_corpus, write_examples
from tests.conftest import ROOT

FULL = os.environ.get("HARNESS_BENCHMARK") == "full"
MODEL = {
    "name": "small", "learner": "transformer", "tokenizer": {"vocab_size": 300},
    "config": {"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
               "intermediate_size": 64, "max_position_embeddings": 64},
    "training": {"epochs": 1, "max_length": 64, "learning_rate": 1e-3, "precision": "fp32"},
}  # fmt: skip
LINEAR = 1.1
NOISE = 0.15
"""What an exponent of three sizes may be off on a machine that others use."""

SETTLE = 2.5
"""Seconds after which a record may be indexed."""

SHORT = 5.0

Prepare = Callable[[Path, int], Sequence[str]]
"""Writes what work of a size needs into a folder; gives the arguments of `scale.py`."""


def examples(what: str, train: int | None, dev: int | None) -> Prepare:
    """A run of a small model; None is the size."""

    def prepare(folder: Path, size: int) -> Sequence[str]:
        write_examples(folder / "data", train or size, dev or size)
        if what == "read":
            return ["read", str(folder / "data")]
        return _run(folder, 1, "small")

    return prepare


def tasks(*flags: str) -> Prepare:
    """A run of the majority class on so many tasks of the same few examples."""

    def prepare(folder: Path, size: int) -> Sequence[str]:
        write_examples(folder / "data", 100, 100)
        return [*_run(folder, size, "majority"), *flags]

    return prepare


def _run(folder: Path, count: int, model: str) -> list[str]:
    specs = folder / "specs"
    specs.mkdir()
    names = [f"t{number}" for number in range(count)]
    for name in names:
        (specs / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **TASK}))
    (specs / "small.yaml").write_text(yaml.safe_dump(MODEL))
    asked = folder / "run.yaml"
    asked.write_text(yaml.safe_dump({"task": names, "model": [model], "data": str(folder / "data"),
                                     "include": [str(specs)], "executor": "inline"}))  # fmt: skip
    return ["harness", "run", "--config", str(asked), "--results", str(folder / "results"), "--quiet"]


def records(folder: Path, size: int) -> Sequence[str]:
    store = make_store(folder / "store", size)
    time.sleep(SETTLE)
    _spent(["table", str(store.root)])  # makes the index
    return ["table", str(store.root)]


def corpus(what: str) -> Prepare:
    def prepare(folder: Path, size: int) -> Sequence[str]:
        write_corpus(folder / "corpus.txt", size)
        return [what, str(folder / "corpus.txt")]

    return prepare


@dataclass(frozen=True)
class Scaled:
    """Work whose size grows: in what unit, at which sizes by default and in full."""

    unit: str
    prepare: Prepare
    sizes: tuple[int, ...]
    full: tuple[int, ...]
    grows: bool = False
    """Its memory may grow with the size."""
    starts: bool = True
    """A good part of its time is the same for all sizes. Where none is, the whole of the last two sizes is compared,
    which a machine that others use disturbs less than their increments.
    """
    each: int | None = None
    """Bytes that a unit more may take between the last two of the full sizes; None where nothing is promised."""


WORK = {
    "read and fingerprint examples": Scaled(
        "examples",
        examples("read", None, 100),
        (16_000, 64_000, 256_000),
        (16_000, 64_000, 256_000, 1_000_000),
        True,
        each=100,
    ),
    "fine-tune an epoch": Scaled(
        "examples",
        examples("run", None, 100),
        (4_000, 16_000, 64_000),
        (16_000, 64_000, 256_000, 1_000_000),
        True,
        each=100,
    ),
    "score": Scaled(
        "examples",
        examples("run", 200, None),
        (8_000, 32_000, 128_000),
        (16_000, 64_000, 256_000, 1_000_000),
        True,
        each=100,
    ),
    "plan": Scaled("tasks", tasks("--dry-run"), (10, 40, 160), (10, 100, 1_000), True),
    "plan, compute and store": Scaled("tasks", tasks(), (10, 40, 160), (10, 100, 1_000), True),
    "table from the index": Scaled(
        "records", records, (1_000, 2_000, 4_000), (2_500, 5_000, 10_000, 40_000), True, False
    ),
    "hash a corpus": Scaled("MB", corpus("hash"), (4, 16, 64), (10, 100, 1_000)),
    "tokenize a corpus": Scaled("MB", corpus("tokenize"), (1, 4, 16), (4, 16, 64, 256)),
}


def _spent(arguments: Sequence[str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.scale", *arguments],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    spent: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return spent


def _least(arguments: Sequence[str]) -> dict[str, float]:
    """Short work three times: of what else runs on the machine, the least."""
    spent = [_spent(arguments)]
    if spent[0]["seconds"] < SHORT and arguments[0] != "harness":  # a run leaves its results, and is done once
        spent += [_spent(arguments) for _ in range(2)]
    return min(spent, key=lambda cost: cost["seconds"])


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Of the last three sizes: how the increment of the cost grows with that of the size."""
    (first, second), (low, high) = (
        [after - before for before, after in itertools.pairwise(values[-3:])] for values in (sizes, costs)
    )
    return math.log(max(high, 1e-9) / max(low, 1e-9)) / math.log(second / first)


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("name", WORK)
def test_costs_grow_no_faster_than_the_work(name: str, benchmark: Any, tmp_path: Path) -> None:
    work = WORK[name]
    sizes = work.full if FULL else work.sizes

    def measured() -> list[dict[str, float]]:
        found = []
        for size in sizes:
            (tmp_path / str(size)).mkdir()
            found.append(_least(work.prepare(tmp_path / str(size), size)))
        return found

    costs = benchmark.pedantic(measured, rounds=1)
    seconds = [cost["seconds"] for cost in costs]
    grown = exponent(sizes, seconds) if work.starts else math.log(seconds[-1] / seconds[-2], sizes[-1] / sizes[-2])
    each = (costs[-1]["bytes"] - costs[-2]["bytes"]) / (sizes[-1] - sizes[-2])
    benchmark.extra_info["scale"] = {
        "work": name, "unit": work.unit, "sizes": sizes, "exponent": round(grown, 2), "bytes_each": round(each),
        "seconds": [round(cost["seconds"], 2) for cost in costs],
        "megabytes": [round(cost["bytes"] / 1e6) for cost in costs],
    }  # fmt: skip
    assert grown <= LINEAR + (0 if FULL else NOISE)
    assert work.each is None or not FULL or each <= work.each
    if not work.grows:
        assert costs[-1]["bytes"] < 1.2 * costs[0]["bytes"] + 20e6


def test_the_exponent_is_of_what_grows() -> None:
    sizes = [10.0, 40.0, 160.0]
    assert exponent(sizes, [5 + size for size in sizes]) == pytest.approx(1.0)
    assert exponent(sizes, [5 + size**2 for size in sizes]) > 1.9
    assert exponent(sizes, [5 + size * math.log(size) for size in sizes]) > 1.1
