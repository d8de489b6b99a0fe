"""The learners over word vectors: what they learn, keep and refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.specs import ModelSpec, TaskSpec
from harness.data.frame import Split
from harness.training.learners import FitRequest, PredictRequest
from harness.training.learners.word_vectors import LEARNER

TASK = TaskSpec(name="mood", family="classification", fields={"text": "text", "label": "label"}, metrics=["accuracy"])
PAIRS = TaskSpec(
    name="alike",
    family="similarity",
    fields={"text": "a", "text_pair": "b", "label": "label"},
    metrics=["pearson"],
)
GOOD, BAD = ["fine", "lovely", "superb", "warm"], ["dull", "poor", "awful", "slow"]
TEXTS = tuple(f"a {word} film , {other}" for words in (GOOD, BAD) for word in words for other in ("yes", "no", "so"))
LABELS = (1,) * 12 + (0,) * 12


def model(**options: Any) -> ModelSpec:
    settings = {"dim": 16, "filters": 8, "dropout": 0.0, **options}
    training = {"epochs": 60, "batch_size": 8, "learning_rate": 0.01}
    return ModelSpec.model_validate({"name": "m", "learner": "word-vectors", "options": settings, "training": training})


def fit(folder: Path, split: Split, task: TaskSpec, labels: tuple[str, ...], seed: int = 0, **options: Any) -> dict:
    folder.mkdir(exist_ok=True)
    return LEARNER.fit(FitRequest(task, labels, split, model(**options), seed, folder, folder))


@pytest.mark.parametrize("encoder", ["cnn", "mean"])
def test_words_that_tell_the_class_are_learned(tmp_path: Path, encoder: str) -> None:
    train = Split(tuple(map(str, range(24))), {"text": TEXTS}, LABELS)
    facts = fit(tmp_path / "m", train, TASK, ("bad", "good"), encoder=encoder)
    texts = ("a superb film , never", "a awful film , never", "", "unknownword")
    asked = Split(("a", "b", "c", "d"), {"text": texts})
    predicted = LEARNER.predict(PredictRequest(TASK, ("bad", "good"), asked, tmp_path / "m"))
    assert predicted.values[:2].tolist() == [1, 0]
    assert predicted.columns["logits"].shape == (4, 2) and np.isfinite(predicted.columns["logits"]).all()
    assert facts["vocabulary"] == 14


def test_a_seed_gives_the_same_model_and_another_another(tmp_path: Path) -> None:
    train = Split(tuple(map(str, range(24))), {"text": TEXTS}, LABELS)
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        fit(tmp_path / name, train, TASK, ("bad", "good"), seed=seed)
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_a_pair_is_described_by_both_texts(tmp_path: Path) -> None:
    words = [*GOOD, *BAD]
    rows = [(a, b, 5.0 if a == b else 0.0) for a in words for b in words]
    train = Split(
        tuple(map(str, range(len(rows)))),
        {"text": tuple(a for a, _, _ in rows), "text_pair": tuple(b for _, b, _ in rows)},
        tuple(value for _, _, value in rows),
    )
    fit(tmp_path / "m", train, PAIRS, (), encoder="mean")
    asked = Split(("a", "b"), {"text": ("warm", "warm"), "text_pair": ("warm", "dull")})
    same, other = LEARNER.predict(PredictRequest(PAIRS, (), asked, tmp_path / "m")).values
    assert same > other + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "rnn"}, "encoder is cnn or mean, found 'rnn'"),
        ({"widths": []}, r"widths are numbers of words, e.g. \[3, 4, 5\], found \[\]"),
        ({"widths": [0]}, "widths are numbers of words"),
        ({"filters": True}, "filters is a whole number from 1 on, found True"),
        ({"dropout": 1.0}, "dropout is from 0 to below 1"),
        ({"dims": 3}, "no option 'dims'. Did you mean 'dim'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        LEARNER.check(model(**options))
