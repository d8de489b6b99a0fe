"""The small synthetic tasks that are learned from before others."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.data import load, synthetic
from harness.data.synthetic.invent import Scope
from harness.data.synthetic.topics import FAMILIES, classes_of, takers, topic_of

REGISTRY = load_registry([])


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_task_of_each_family_has_balanced_classes_of_its_values_and_no_text_in_two_splits(family):
    splits = synthetic.build(f"topics-{family}-1")
    assert splits == synthetic.build(f"topics-{family}-1")
    classes = classes_of(family, 1)
    values = [value for group in classes.values() for value in group]
    assert len(set(values)) == len(values) and set(values) <= set(FAMILIES[family].values)
    for columns in splits.values():
        counts = [columns["label"].count(label) for label in classes]
        assert sum(counts) == len(columns["text"]) == 240 and max(counts) - min(counts) <= 3
        assert columns["label"] == columns["oracle"]
    assert not set(splits["train"]["text"]) & set(splits["dev"]["text"])


@pytest.mark.parametrize("family", [name for name, (_, role) in FAMILIES.items() if role in ("agent", "patient")])
def test_every_value_can_take_part_in_training_and_in_held_out_combinations(family):
    values, role = FAMILIES[family]
    assert all(takers(Scope(False, held_out), role, value) for value in values for held_out in (False, True))


def test_a_sentence_says_what_its_label_says():
    columns = synthetic.build("topics-when-days-1")["train"]
    for text, label in zip(columns["text"], columns["label"], strict=True):
        assert any(day in text.lower() for day in label.split("-"))


def test_numbers_make_different_tasks_and_other_names_are_none():
    assert len({tuple(classes_of("how", number)) for number in range(1, 9)}) > 6
    assert topic_of("topics-what-made-12") == ("what-made", 12)
    for name in ("topics-how", "topics-how-x", "topics-who-1", "topics-how-12345", "xtopics-how-1"):
        assert topic_of(name) is None
    with pytest.raises(HarnessError, match="unknown synthetic template"):
        synthetic.build("topics-who-1")


def test_the_suites_share_no_family_and_their_tasks_load():
    families = {}
    for suite in ("topics-train", "topics-held-out"):
        families[suite] = {name.removeprefix("topics-").rpartition("-")[0] for name in REGISTRY.suites[suite].tasks}
    assert not families["topics-train"] & families["topics-held-out"]
    assert families["topics-train"] | families["topics-held-out"] == set(FAMILIES)
    data = load(REGISTRY.task("topics-where-indoors-1"), "synthetic")
    assert sorted(data.labels) == sorted(classes_of("where-indoors", 1)) and data.location.startswith("synthetic world")
