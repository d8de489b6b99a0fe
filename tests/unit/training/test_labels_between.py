"""Classes of one task as those of another one whose model is scored."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.predictions import Predictions
from harness.core.specs import TaskSpec
from harness.training.learners.classes import labels_between, relabelled


def task(labels: list[str], aliases: dict[str, str] | None = None, family: str = "classification") -> TaskSpec:
    fields = (
        {"tokens": "words", "tags": "tags"} if family == "token-classification" else {"text": "text", "label": "label"}
    )
    return TaskSpec(
        name="t", family=family, fields=fields, labels=labels, label_aliases=aliases or {}, metrics=["accuracy"]
    )


def between(trained: TaskSpec, scored: TaskSpec, label_map: dict[str, str] | None = None) -> dict[str, str]:
    return labels_between(trained, trained.labels or [], scored, scored.labels or [], label_map or {})


@pytest.mark.parametrize(
    ("trained", "scored", "label_map", "expected"),
    [
        (task(["a", "b"]), task(["a", "b"]), {}, {}),
        (task(["b", "a"]), task(["a", "b"]), {}, {"a": "a", "b": "b"}),
        (task(["B", "A"]), task(["a", "b"]), {}, {"A": "a", "B": "b"}),
        (task(["bad", "good"]), task(["neg", "pos"], {"bad": "neg", "good": "pos"}), {}, {"bad": "neg", "good": "pos"}),
        (task(["bad", "good"], {"neg": "bad", "pos": "good"}), task(["pos", "neg"]), {}, {"bad": "neg", "good": "pos"}),
        (task(["e", "n", "c"]), task(["e", "x"]), {"n": "x", "c": "x"}, {"e": "e", "n": "x", "c": "x"}),
        (task(["0", "1"]), task(["1", "0"]), {}, {"0": "0", "1": "1"}),
    ],
)
def test_classes_are_the_same_by_name_by_an_alias_of_either_task_or_by_a_map(trained, scored, label_map, expected):
    assert between(trained, scored, label_map) == expected


@pytest.mark.parametrize(
    ("trained", "scored", "label_map"),
    [
        (task(["a", "b"]), task(["a", "c"]), {}),
        (task(["a", "b"]), task(["a", "b", "c"]), {}),
        (task(["a", "b", "c"]), task(["a", "b"]), {}),
        (task(["a", "b"]), task(["a", "b", "c"]), {"b": "c"}),
        (task(["b", "a"]), task(["a", "b"]), {"a": "b"}),
    ],
)
def test_other_classes_are_refused_with_both_sets(trained, scored, label_map):
    with pytest.raises(HarnessError, match=r"trained on t|label-map a=b|label-map b=c"):
        between(trained, scored, label_map)


def test_probabilities_of_one_class_are_added_and_ids_without_them_renamed():
    family, by = FAMILIES.get("classification"), {"n": "x", "e": "e", "c": "x"}
    logits = np.log(np.array([[0.3, 0.4, 0.3], [0.1, 0.8, 0.1]], dtype=np.float32))
    predicted = relabelled(family, Predictions(np.array([1, 1]), {"logits": logits}), ["n", "e", "c"], ["e", "x"], by)
    assert predicted.values.tolist() == [1, 0]
    assert np.exp(predicted.columns["logits"]) == pytest.approx(np.array([[0.4, 0.6], [0.8, 0.2]]))
    plain = relabelled(family, Predictions(np.array([0, 1, 2])), ["n", "e", "c"], ["e", "x"], by)
    assert plain.values.tolist() == [1, 0, 1]


def test_tags_are_renamed_word_by_word():
    trained, scored = (
        task(["O", "B-PER", "B-MISC"], family="token-classification"),
        task(["O", "B-PER"], family="token-classification"),
    )
    with pytest.raises(HarnessError, match="B-MISC"):
        between(trained, scored)
    by = between(trained, scored, {"B-MISC": "O"})
    values = np.empty(1, dtype=object)
    values[:] = ["B-MISC B-PER O"]
    renamed = relabelled(
        FAMILIES.get("token-classification"), Predictions(values), trained.labels or [], scored.labels or [], by
    )
    assert renamed.values.tolist() == ["O B-PER O"]
