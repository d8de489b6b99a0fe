"""Fine-tuning and generation of a T5, harness against HF Seq2SeqTrainer, side by side in one process.

The same initial weights, texts, tokenizer, epochs, optimizer settings and thread count (one). Sides take turns, each
round in another order, and a ratio is the median over the rounds of their times. Each side also trains a model to the
end, whose losses and scores on the test set stand beside the ratios, and both write with one and the same model: their
texts must agree. The figures land in pytest-benchmark's `extra_info` and in $HARNESS_BENCHMARK_OUT, if set.
`HARNESS_BENCHMARK=full` takes as many texts as figures to quote need.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness import data, metrics
from harness.core.predictions import as_references
from harness.core.registry import load_registry
from harness.data import synthetic as embedded
from harness.data.corpus import TOKENIZER_SENTENCES as CORPUS_SENTENCES
from harness.data.frame import Split
from harness.modeling.heads import HEADS, EncodingContext, prompting
from harness.modeling.weights.building import build_config
from harness.training import tokenizers
from tests.benchmarks.hf_seq2seq import MODES, SOURCE_TOKENS, TARGET_TOKENS, HFSide
from tests.benchmarks.turns import Comparison, Spent, spent_by
from tests.conftest import SHARED

BEAMS = 4
GOALS = {"greedy": 3.0, "beams": 1.5}
SAME = 0.99
"""Fraction of the texts of one model that must be the same: sums in another order may turn a tie of two tokens."""

LOSS_NOISE = 1.15
"""Losses on the test set of one model trained in two ways differ by less than this factor."""


OPTIMIZER = {"optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.01}
"""Of both sides: that of the public examples, not the model spec's Adafactor, which their trainer has in another form."""


@dataclass(frozen=True)
class Scale:
    """Texts that a model learns from and for how many epochs, those of the timed trainings, those written greedily and
    by beams, the longest text in tokens, and how often each side is timed.
    """

    learned: int
    epochs: float
    timed: int
    greedy: int
    beamed: int
    longest: int
    rounds: int


SCALES = {
    "small": Scale(128, 1, 64, 32, 8, 24, 1),
    "full": Scale(6000, 4, 1280, 1000, 400, TARGET_TOKENS - 1, 5),
}


@dataclass
class Ours:
    """Harness's own trainer and decoder behind the methods of `hf_seq2seq.HFSide`."""

    reader: EncodingContext
    model_spec: Any

    def encode(self, split: Split) -> Any:
        return HEADS.get("seq2seq-lm").encode(self.reader, split)

    def train(self, model: Any, encoded: Any, epochs: float, seed: int) -> float:
        from harness.modeling.inference.batching import DataCollator
        from harness.training.trainer import fine_tune

        head = HEADS.get("seq2seq-lm")
        report = fine_tune(
            model,
            partial(DataCollator.of, self.reader.tokenizer),
            encoded,
            lambda current, batch: head.loss(current, batch, self.reader),
            head.targets(encoded),
            self.model_spec.training.model_copy(update={"epochs": epochs}),
            seed,
            lambda fraction: None,
        )
        return report.loss

    def generate(self, model: Any, encoded: Any, beams: int | None, longest: int) -> list[list[int]]:
        from harness.modeling.inference.generate import generate

        decoding = self.reader.task.decoding.model_copy(update={"num_beams": beams or 1, "max_new_tokens": longest})
        return generate(model, self.reader.tokenizer, encoded.columns["input_ids"], decoding)


def loss_on(model: Any, encoded: Any, reader: EncodingContext) -> float:
    """Nats a target of the test set, the same measure for every side."""
    import torch

    from harness.modeling.inference.batching import DataCollator

    head, padding = HEADS.get("seq2seq-lm"), DataCollator.of(reader.tokenizer, torch.device("cpu"))
    model.eval()
    with torch.inference_mode():
        total = sum(
            float(
                head.loss(model, padding([encoded[index] for index in range(at, min(at + 32, len(encoded)))]), reader)
            )
            for at in range(0, len(encoded), 32)
        )
    return total / sum(map(len, encoded.columns["labels"]))


def in_turns(
    names: Iterable[str], call: Callable[[str], Any], rounds: int
) -> tuple[dict[str, list[Spent]], dict[str, Any]]:
    """What is spent, and the last results of `call` on each name, the order turned by one place from round to round."""
    turned = list(names)
    taken: dict[str, list[Spent]] = {name: [] for name in turned}
    results = {}

    def on(name: str) -> None:
        results[name] = call(name)

    for _ in range(rounds):
        for name in turned:
            taken[name].append(spent_by(lambda name=name: on(name)))
        turned = turned[1:] + turned[:1]
    return taken, results


def ratios(taken: dict[str, list[Spent]]) -> dict[str, Any]:
    """How many times the processor time of harness the others take, in each round and by the median."""
    by_side = {
        name: [theirs.cpu / ours.cpu for theirs, ours in zip(times, taken["harness"], strict=True)]
        for name, times in taken.items()
        if name != "harness"
    }
    return {
        "ratio": {name: round(statistics.median(values), 2) for name, values in by_side.items()},
        "ratios": {name: [round(value, 2) for value in values] for name, values in by_side.items()},
        "seconds": {name: [round(each.cpu, 2) for each in times] for name, times in taken.items()},
    }


@dataclass
class Contest:
    """The sides, the parts of the data as each takes them (`encoded[side][part]`), and weights to start from."""

    name: str
    scale: Scale
    report: dict[str, Any]
    reader: EncodingContext
    fresh: Any
    sides: dict[str, Any]
    encoded: dict[str, dict[str, Any]]
    references: Any
    comparisons: list[Comparison] = field(default_factory=list)

    def train(self) -> dict[str, Any]:
        """Report how long trainings take; a model a side, trained to the end."""
        models = {side: copy.deepcopy(self.fresh) for side in self.sides}

        def whole(side: str) -> float:
            return self.sides[side].train(models[side], self.encoded[side]["train"], self.scale.epochs, 0)

        def an_epoch(side: str) -> float:
            return self.sides[side].train(copy.deepcopy(self.fresh), self.encoded[side]["timed"], 1, 0)

        an_epoch("harness")  # first calls load modules, for all sides
        self.report["epoch"] = ratios(in_turns(self.sides, an_epoch, self.scale.rounds)[0])
        self.report["training"] = ratios(in_turns(self.sides, whole, 1)[0])
        return {side: self._plain(model) for side, model in models.items()}

    def _plain(self, trained: Any) -> Any:
        """Without the autocast that a trainer leaves around a model."""
        model = copy.deepcopy(self.fresh)
        model.load_state_dict(trained.state_dict())
        return model.eval()

    def write(self, model: Any, kind: str, beams: int | None, part: str) -> None:
        """Report how long writing with one and the same model takes, and how much of it is the same."""

        def written(side: str) -> list[list[int]]:
            return self.sides[side].generate(model, self.encoded[side][part], beams, self.scale.longest)

        taken, texts = in_turns(self.sides, written, self.scale.rounds)
        self.comparisons.append(
            Comparison(
                area="Generation",
                subject=f"{self.name}: {len(texts['harness'])} texts by a T5 of 2 + 2 layers, {kind}",
                peer="Seq2SeqTrainer tuned: batches of 64 sorted by length",
                precision="fp32",
                goal=GOALS[kind],
                ours=taken["harness"],
                theirs=taken["tuned"],
                note="the same texts, to the letter",
            )
        )
        self.report[kind] = ratios(taken) | {
            "texts": len(texts["harness"]),
            "mean_tokens": round(statistics.mean(map(len, texts["harness"])), 1),
            "same": {
                side: sum(map(list.__eq__, theirs, texts["harness"])) / len(theirs)
                for side, theirs in texts.items()
                if side != "harness"
            },
        }

    def score(self, models: dict[str, Any]) -> None:
        """Report each side's loss and score on the test set."""
        metric = metrics.get(self.reader.task.metrics[0])
        losses = {side: loss_on(model, self.encoded["harness"]["test"], self.reader) for side, model in models.items()}
        written = {
            side: self.sides[side].generate(model, self.encoded[side]["test"], None, self.scale.longest)
            for side, model in models.items()
        }
        texts = {side: prompting.in_words(self.reader, ids, 0).values for side, ids in written.items()}
        self.report["test_loss"] = {side: round(loss, 4) for side, loss in losses.items()}
        self.report[metric.name] = {side: round(metric.score(one, self.references), 4) for side, one in texts.items()}


def set_up(name: str, scale_name: str, folder: Path) -> Contest:
    import torch
    from transformers import AutoModelForSeq2SeqLM

    from harness.training.devices import pick_device, pick_precision

    scale, registry = SCALES[scale_name], load_registry()
    task, recipe = registry.task(name), registry.model_spec("t5-tiny")
    assert recipe.tokenizer is not None
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update=OPTIMIZER)})
    decoding = task.decoding.model_copy(update={"max_new_tokens": TARGET_TOKENS - 1, "num_beams": 1})
    task = task.model_copy(update={"decoding": decoding})
    source = str(SHARED) if name == "multi30k-en-fr" and (SHARED / "multi30k").is_dir() else "synthetic"
    loaded = data.load(task, source, max(scale.learned, scale.greedy))
    tokenizer = tokenizers.train(recipe.tokenizer, list(embedded.corpus(CORPUS_SENTENCES)), SOURCE_TOKENS)
    reader = EncodingContext(task, loaded.labels, tokenizer, SOURCE_TOKENS)
    torch.manual_seed(0)
    fresh = AutoModelForSeq2SeqLM.from_config(build_config(recipe, tokenizer))
    precision = pick_precision(recipe.training.precision, pick_device())

    train = loaded.splits[task.train].head(scale.learned)
    test = loaded.splits[task.eval[0]].head(scale.greedy)
    parts = {"train": train, "timed": train.head(scale.timed), "test": test, "beamed": test.head(scale.beamed)}
    words = {
        part: (prompting.prompts(reader, split), prompting.answers(reader, split)) for part, split in parts.items()
    }
    ours = Ours(reader, recipe)
    theirs = {mode: HFSide(mode, tokenizer, recipe.training, precision, folder) for mode in MODES}
    encoded = {"harness": {part: ours.encode(split) for part, split in parts.items()}} | {
        mode: {part: side.encode(*texts) for part, texts in words.items()} for mode, side in theirs.items()
    }
    report = {"task": name, "source": Path(source).name, "scale": scale_name, "precision": precision}
    sides = {"harness": ours, **theirs}
    return Contest(name, scale, report, reader, fresh, sides, encoded, as_references(test.labels))


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("name", ["multi30k-en-fr", "dialogsum"], ids=["translation", "summarization"])
def test_seq2seq_against_hf_trainer(benchmark, name, tmp_path):
    """Asserts that the sides learn alike and write the same; the ratios are reported, not asserted."""
    import torch

    torch.set_num_threads(1)
    contest = set_up(name, os.environ.get("HARNESS_BENCHMARK", "small"), tmp_path)
    for column in ("input_ids", "labels"):
        ours = contest.encoded["harness"]["train"].columns[column]
        assert list(contest.encoded["examples"]["train"][column]) == ours, "the sides read different texts"

    def measured() -> None:
        models = contest.train()
        model = models["harness"]
        contest.write(model, "greedy", None, "test")
        contest.write(model, "beams", BEAMS, "beamed")
        contest.score(models)

    benchmark.pedantic(measured, rounds=1, iterations=1)
    report = contest.report
    benchmark.extra_info.update(report)
    for comparison in contest.comparisons:
        comparison.record(benchmark)
    if os.environ.get("HARNESS_BENCHMARK_OUT"):
        Path(os.environ["HARNESS_BENCHMARK_OUT"]).with_suffix(f".{name}.json").write_text(json.dumps(report, indent=1))
    for kind in ("greedy", "beams"):
        assert min(report[kind]["same"].values()) >= SAME, report[kind]
    assert report["test_loss"]["harness"] <= report["test_loss"]["tuned"] * LOSS_NOISE, report["test_loss"]
