"""Whole fine-tune-and-score sweeps, harness against HF Trainer, side by side in one run: wall-time ratios.

Both sides are whole commands on the same files, with the same models, tokenizer vocabularies, epochs and
hyperparameters: what a user waits for, with imports, tokenization and scoring. Rounds alternate the order. The figures
land in pytest-benchmark's `extra_info` and in $HARNESS_BENCHMARK_OUT, if set.

By default a small sweep that ends within minutes; `HARNESS_BENCHMARK=full` is the one the README quotes: CoLA, SST-2,
STS-B and SICK for three epochs, bert-tiny on all of each, a 6-layer, 384-wide encoder on the first 640 examples of
each.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import data
from harness.core.machine.calibrate import calibration
from harness.core.registry import load_registry
from harness.core.specs import ModelSpec, TaskSpec
from harness.training import tokenizers
from harness.training.learners import LEARNERS
from tests.conftest import ROOT

TASKS = ("cola", "sst2", "stsb", "sick")


@dataclass(frozen=True)
class Sweep:
    """What is trained: (model spec, limit) pairs on tasks, for `epochs`, with `seeds` on the sides cheap enough to
    repeat.
    """

    tasks: tuple[str, ...]
    models: tuple[tuple[str, int | None], ...]
    epochs: float
    seeds: int


SWEEPS = {
    "small": Sweep(("cola",), (("bert-tiny", 320),), 1, 1),
    "full": Sweep(TASKS, (("bert-tiny", None), ("bert-6l-384h", 640)), 3, 2),
}


@dataclass
class Side:
    """Measured seconds a round, and scores by (task, model), one a seed."""

    seconds: list[float] = field(default_factory=list)
    scores: dict[tuple[str, str], list[float]] = field(default_factory=dict)


def export(folder: Path, source: Path, prune: Sweep) -> Path:
    """The work file of the HF side: jsonl splits, tokenizers, settings: all that harness makes for itself, made
    beforehand.
    """
    registry = load_registry()
    jobs = []
    for model, limit in prune.models:
        recipe = registry.model_spec(model)
        assert recipe.tokenizer is not None
        for name in prune.tasks:
            task = registry.task(name)
            loaded = data.load(task, str(source), limit)
            place = folder / f"{name}-{model}"
            place.mkdir(parents=True)
            texts: list[str] = []
            for split, target in ((task.train, "train"), (task.eval[0], "dev")):
                fields = [loaded.splits[split].fields[key] for key in task.fields if key != "label"]
                keys = ("text", "text_pair")[: len(fields)]
                labels = loaded.splits[split].labels
                assert labels is not None
                rows = [
                    dict(zip(keys, row, strict=True)) | {"label": label}
                    for *row, label in zip(*fields, labels, strict=True)
                ]
                (place / f"{target}.jsonl").write_text("\n".join(map(json.dumps, rows)))
                if target == "train":
                    texts = [text for column in fields for text in column]
            tokenizers.train(recipe.tokenizer, texts, recipe.training.max_length).save_pretrained(place / "tokenizer")
            jobs.append(
                {
                    "task": name,
                    "model": model,
                    "train": str(place / "train.jsonl"),
                    "dev": str(place / "dev.jsonl"),
                    "labels": list(loaded.labels),
                    "regression": task.family == "similarity",
                    "metric": task.metrics[0],
                    "config": recipe.config,
                    "tokenizer": str(place / "tokenizer"),
                    "training": {**recipe.training.model_dump(), "epochs": prune.epochs},
                }
            )
    (folder / "work.json").write_text(json.dumps(jobs))
    return folder / "work.json"


def timed(command: list[str], cwd: Path) -> float:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "MKL_", "TOKENIZERS_"))
    }
    environment["PYTHONPATH"] = str(ROOT)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr[-2000:]
    return seconds


def run_baseline(work: Path, mode: str, seed: int, side: Side) -> None:
    out = work.with_name(f"{mode}-{seed}.json")
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.hf_baseline",
        str(work),
        "--mode",
        mode,
        "--seed",
        str(seed),
        "--out",
        str(out),
    ]
    side.seconds.append(timed(command, ROOT))
    for result in json.loads(out.read_text()):
        side.scores.setdefault((result["task"], result["model"]), []).append(result["score"])


def run_harness(folder: Path, source: Path, prune: Sweep, seed: int, side: Side) -> None:
    """One seed a call, in a fresh results folder. Models with different limits are different runs, so they run one
    after the other.
    """
    total = 0.0
    for model, limit in prune.models:
        out = folder / f"harness-{seed}-{model}"
        tasks = [part for task in prune.tasks for part in ("--task", task)]
        command = [
            sys.executable,
            "-m",
            "harness",
            "run",
            *tasks,
            "--model",
            model,
            "--data",
            str(source),
            "--out",
            str(out),
            "--quiet",
        ]
        command += ["--epochs", str(prune.epochs), "--first-seed", str(seed)] + (
            ["--limit", str(limit)] if limit else []
        )
        total += timed(command, folder)
        for path in out.glob("cells/*/*/record.json"):
            record = json.loads(path.read_text())
            if record["kind"] == "score":
                value = next(iter(record["scores"].values()))["value"]
                side.scores.setdefault((record["task"]["name"], model), []).append(value)
    side.seconds.append(total)


def flops(source: Path, prune: Sweep) -> float:
    """Arithmetic of the sweep's real (non-pad) tokens, by the learner's own estimate."""
    registry = load_registry()
    total = 0.0
    for model, limit in prune.models:
        recipe: ModelSpec = registry.model_spec(model)
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": prune.epochs})})
        for name in prune.tasks:
            task: TaskSpec = registry.task(name)
            train = data.load(task, str(source), limit).splits[task.train]
            words = sum(len(text.split()) for column in train.fields.values() for text in column)
            total += LEARNERS.get(recipe.learner).estimate(recipe, None, len(train), words) or 0.0
    return total


@pytest.mark.slow
@pytest.mark.nightly
def test_sweep_against_hf_trainer(benchmark, real_data, tmp_path):
    """The benchmark itself. Asserts that both sides learn alike; the ratios are reported, not asserted."""
    name = os.environ.get("HARNESS_BENCHMARK", "small")
    prune = SWEEPS[name]
    source = real_data
    work = export(tmp_path / "hf", source, prune)
    calibration()
    sides = {"harness": Side(), "tuned": Side(), "run_glue": Side()}

    def rounds() -> None:
        for seed in range(prune.seeds):
            order = ["harness", "tuned"] if seed % 2 == 0 else ["tuned", "harness"]
            for side in order + (["run_glue"] if seed == 0 else []):
                if side == "harness":
                    run_harness(tmp_path, source, prune, seed, sides[side])
                else:
                    run_baseline(work, side, seed, sides[side])

    benchmark.pedantic(rounds, rounds=1, iterations=1)
    ours = statistics.median(sides["harness"].seconds)
    gemm = max(calibration()["gemm_gflops"].values())
    report = {
        "sweep": name,
        "seconds": {side: [round(value, 1) for value in one.seconds] for side, one in sides.items()},
        "ratio_run_glue": round(sides["run_glue"].seconds[0] / ours, 2),
        "ratio_tuned": round(statistics.median(sides["tuned"].seconds) / ours, 2),
        "gemm_share": round(flops(source, prune) / ours / (gemm * 1e9), 3),
        "scores": {
            f"{task} {model}": {
                side: [round(value, 4) for value in one.scores[task, model]] for side, one in sides.items()
            }
            for task, model in sides["harness"].scores
        },
    }
    benchmark.extra_info.update(report)
    if os.environ.get("HARNESS_BENCHMARK_OUT"):
        Path(os.environ["HARNESS_BENCHMARK_OUT"]).write_text(json.dumps(report, indent=1))
    for side, one in sides.items():
        assert set(one.scores) == set(sides["harness"].scores), f"{side} did not score everything"
