"""Which rows a fold's model is trained on, which choose its epoch, and which it scores."""

from __future__ import annotations

import pytest

from harness import data
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.pipeline.cells import TaskInput
from harness.pipeline.steps.inputs import parts_of_fold, rows_of_folds
from tests.unit.pipeline.known import known_data


def test_under_noise_folds_are_those_of_the_rows_without_it():
    task = load_registry().task("sst2+typos").model_copy(update={"eval": ["train"]})
    noisy = data.load(task, "synthetic", 60).splits["train"]
    clean = data.load(task.clean, "synthetic", 60).splits["train"]
    facts = known_data(train=noisy.fingerprint)
    inputs = TaskInput(task, "synthetic", 60, facts, ("train",))
    assert rows_of_folds(inputs, noisy, "train", 3) == clean.folds(3) != noisy.folds(3)
    assert rows_of_folds(TaskInput(task.clean, "synthetic", 60, facts, ("train",)), clean, "train", 3) == clean.folds(3)
    with pytest.raises(HarnessError, match="changed since the run was planned"):
        rows_of_folds(inputs, clean, "train", 3)


@pytest.mark.parametrize("selects", [False, True])
def test_a_fold_s_rows_are_trained_on_scored_or_choose_the_epoch(selects):
    train = data.load(load_registry().task("sst2"), "synthetic", 60).splits["train"]
    scored, choosing = set(), []
    for fold in range(3):
        own, held_out = parts_of_fold(train, (fold, 3), selects)
        left = {train.ids[row] for row in train.folds(3)[fold]}
        choosing_ids = set(held_out.ids) if held_out is not None else set()
        assert (held_out is not None) == selects
        assert set(own.ids) | left | choosing_ids == set(train.ids)
        assert len(own) + len(left) + len(choosing_ids) == len(train)
        scored |= left
        choosing += sorted(choosing_ids)
    assert scored == set(train.ids) and len(choosing) == len(set(choosing)) == (len(train) if selects else 0)
