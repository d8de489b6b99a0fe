"""What predictions say of a compression is found once for each pair of predictions, and kept whole."""

from __future__ import annotations

import numpy as np

from harness.core.store import Store
from harness.report.tables.judging import judged
from harness.report.text.judging import judge_reader
from tests.unit.report.records import all_typed, record

LABELS = np.array([0, 1] * 30)
LOGITS = {
    name: np.where(np.eye(2)[np.where(np.arange(60) < hits, LABELS, 1 - LABELS)] == 1, 1.5, -1.5)
    for name, hits in {"base": 50, "small": 45}.items()
}


def pair_of(sha: str = "1", metric: str | None = None):
    sides = record("a", "base", 0.8), record("a", "small", 0.75)
    for side in sides:
        side.update(cell=f"cell-{side['model']['name']}", created="2026", predictions={"sha256": sha})
        if metric is not None:
            side["scores"] = {metric: {**next(iter(side["scores"].values())), "bounds": [-1, 1]}}
            side["task"]["headline"] = [metric]
    return {(0, "dev"): tuple(all_typed(sides))}


def test_it_is_read_from_predictions_once_and_is_the_same_from_the_cache(tmp_path):
    loads = []

    def load(one):
        loads.append(one.model.name)
        return LOGITS[one.model.name].argmax(axis=1), LABELS

    def load_logits(one):
        return [str(n) for n in range(60)], LABELS, LOGITS[one.model.name]

    store = Store.open(tmp_path)
    fresh = judged(pair_of(), load, load_logits)
    assert fresh.flips is not None and (fresh.flips.lost, fresh.flips.won, fresh.flips.n) == (5, 0, 60)
    assert fresh.calibration.change.value != 0
    loads.clear()
    first = judge_reader(store, load, load_logits)(pair_of())
    assert loads == ["base", "small"]
    again = judge_reader(store, load, load_logits)(pair_of())
    assert loads == ["base", "small"], "the second came from the cache"
    assert fresh == first == again
    judge_reader(store, load, load_logits)(pair_of("2"))
    assert loads == ["base", "small"] * 2, "other predictions are judged anew"


def test_a_reason_and_what_is_absent_come_back_as_they_were(tmp_path):
    def load(one):
        return LOGITS[one.model.name][:, 0], LABELS.astype(float)

    pairs = pair_of(metric="pearson")
    judge = judge_reader(Store.open(tmp_path), load, lambda one: None)
    first, again = judge(pairs), judge(pairs)
    assert first == again
    assert first.agreement is None and first.calibration == "no logits of classes with labels"
