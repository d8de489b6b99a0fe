"""Tests of behaviour: what is changed in texts, and what a model must not do then; labels are not looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.checks_spec import Change, ChecksSpec
from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.core.registry import load_registry
from harness.core.specs import TaskSpec
from harness.core.strict_spec import load_spec, parse
from harness.data.behaviour import Changing, checks_identity, to_be_checked
from harness.data.frame import Split, TaskData
from harness.pipeline.planner.behaviour import builtin_checks
from harness.pipeline.steps.checks import checked
from harness.pipeline.steps.score import Asked

TEXTS = ("Anna saw 12 films in Rome.", "It isn't good.", "Peter paid 7 euros.", "a dull story")
CLASSES = ("negative", "positive")


def checks(*tests: dict[str, Any], **more: Any) -> TaskSpec:
    task = load_registry([]).task("sst2")
    spec = parse(ChecksSpec, {"name": "mine", "tests": list(tests), **more}, "mine.yaml")
    return task.model_copy(update={"name": "sst2+mine", "checks": spec})


def changed(task: TaskSpec, texts: tuple[str, ...] = TEXTS, labels: Any = None) -> Split:
    split = Split(tuple(f"e{number}" for number in range(len(texts))), {"text": texts}, labels)
    return to_be_checked(TaskData("sst2", "folder", "here", {"dev": split}, CLASSES), task).splits["dev"]


def outcome(task: TaskSpec, says: Any, texts: tuple[str, ...] = TEXTS) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Failures by test, and the facts, of a model that says the probability of the second class."""
    split = changed(task, texts)

    def answers(part: Split) -> Predictions:
        positive = np.asarray([says(text) for text in part.fields["text"]])
        logits = np.log(np.stack([1 - positive, positive], axis=1)).astype(np.float32)
        return Predictions(logits.argmax(axis=1), {"logits": logits})

    predicted, more = checked(Asked(task, CLASSES, split, answers, lambda fraction: None))
    failed = {facts["test"]: facts["failed"] for facts in more["checks"]}
    for name, count in failed.items():
        rows = [value for value, test in zip(predicted.values, predicted.columns["test"], strict=True) if test == name]
        assert rows.count(0) == count
    return failed, more["checks"]


@pytest.mark.parametrize(
    ("change", "text", "wanted"),
    [
        ({"append": "It rains."}, "a film ", "a film It rains."),
        ({"prepend": "Well,"}, " a film", "Well, a film"),
        ({"swap": ["Rome", "Paris"]}, "Rome, not Romeo", "Paris, not Romeo"),
        ({"swap": ["New York", "York"]}, "in New York", "in York"),
        ({"numbers": True}, "5 of x7 in 1,200 or 3.5", None),
        ({"operation": {"contractions": {"mode": "expand"}}}, "It isn't.", "It is not."),
        ({"swap": ["Rome", "Paris"]}, "in Berlin", "in Berlin"),
    ],
)
def test_a_change_does_what_it_says(change: dict[str, Any], text: str, wanted: str | None) -> None:
    made = Changing(parse(Change, change, "test"), "test").of(text, 0, "name")
    if wanted is not None:
        assert made == wanted
        return
    assert made != text and len(made) == len(text) and "x7" in made


def test_each_number_becomes_another_of_as_many_digits() -> None:
    change = Changing(parse(Change, {"numbers": True}, "test"), "test")
    for number in ("0", "9", "10", "99", "500", "999999"):
        made = {change.of(number, seed, number) for seed in range(300)}
        assert number not in made and all(len(new) == len(number) for new in made)
        assert len(made) >= 9 or len(number) > 2


def test_examples_are_those_that_change_each_test_of_its_own_and_labels_are_not_needed() -> None:
    task = checks(
        {"name": "places", "change": {"swap": ["Rome", "Paris"]}}, {"name": "numbers", "change": {"numbers": True}},
        {"name": "more", "change": {"append": "It rains."}}, most=3,
    )  # fmt: skip
    split = changed(task)
    by_test = {name: [one for one in split.ids if one.startswith(f"{name}/")] for name in ("places", "numbers", "more")}
    assert by_test["places"] == ["places/e0"] and by_test["numbers"] == ["numbers/e0", "numbers/e2"]
    assert len(by_test["more"]) == 3 and set(split.labels or ()) == {1}
    assert split.fingerprint == changed(task, labels=(0, 1, 0, 1)).fingerprint
    again = changed(replace_seed(task, 1))
    assert len(again) == len(split) and again.fingerprint != split.fingerprint


def test_texts_of_a_file_need_no_labels_and_are_a_part_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("one in Rome\ntwo in Oslo\n\nthree in Rome\n")
    task = checks({"name": "places", "change": {"swap": ["Rome", "Paris"]}}, texts=str(path))
    split = changed(task)
    assert split.fields["text"] == ("one in Paris", "three in Paris") and set(split.labels or ()) == {1}
    assert task.checks is not None
    before = checks_identity(task.checks)
    path.write_text("four in Rome\n")
    assert checks_identity(task.checks) != before and changed(task).fields["original"] == ("four in Rome",)
    with pytest.raises(HarnessError, match=r"checks mine: texts: .*no such file"):
        changed(checks({"name": "places", "change": {"swap": ["Rome", "Paris"]}}, texts=str(tmp_path / "no.txt")))


def replace_seed(task: TaskSpec, seed: int) -> TaskSpec:
    assert task.checks is not None
    return task.model_copy(update={"checks": task.checks.model_copy(update={"seed": seed})})


def test_an_invariance_test_fails_where_the_class_turns_and_only_there() -> None:
    task = checks(
        {"name": "places", "change": {"swap": ["Rome", "Paris"]}}, {"name": "link", "change": {"append": "x"}}
    )
    failed, facts = outcome(task, lambda text: 0.9 if "Rome" in text else 0.2)
    assert failed == {"places": 1, "link": 0}
    assert [one["kind"] for one in facts] == ["invariance", "invariance"]
    assert facts[1]["failure_rate"]["low"] == 0 < facts[1]["failure_rate"]["high"] < 1


@pytest.mark.parametrize(
    ("direction", "after", "fails"),
    [
        ("not-lower", 0.41, False), ("not-lower", 0.39, True), ("not-lower", 0.9, False),
        ("not-higher", 0.59, False), ("not-higher", 0.61, True), ("not-higher", 0.1, False),
    ],
)  # fmt: skip
def test_a_directional_test_fails_beyond_its_tolerance(direction: str, after: float, fails: bool) -> None:
    test = {"name": "d", "change": {"append": "Great."}, "label": "positive", "direction": direction}
    failed, facts = outcome(checks(test), lambda text: after if "Great" in text else 0.5)
    assert failed["d"] == (len(TEXTS) if fails else 0) and facts[0]["kind"] == "directional"


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ([{"name": "a", "change": {"append": "x", "numbers": True}}], "not numbers and append"),
        ([{"name": "a", "change": {}}], "not none"),
        ([{"name": "a", "change": {"append": "x"}}] * 2, "two tests are called 'a'"),
        ([{"name": "a", "change": {"append": "x"}, "labels": "b"}], "unknown key 'tests.0.labels'"),
        ([{"name": "a", "change": {"swap": ["one"]}}], "tests.0.change.swap"),
        ([], "tests"),
    ],
)
def test_a_file_that_cannot_be_is_a_line(tests: list[Any], message: str) -> None:
    with pytest.raises(HarnessError) as error:
        checks(*tests)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ({"change": {"append": "x"}, "label": "positiv"}, "unknown class 'positiv' in checks mine: a. Did you mean"),
        ({"change": {"operation": "typo"}}, "unknown augmentation 'typo'"),
        ({"change": {"operation": {"typos": {"rat": 1}}}}, "unknown key 'rat'"),
        ({"change": {"operation": "mixup"}}, "makes no new text"),
        ({"change": {"swap": ["Oslo", "Bern"]}}, "none of its tests changes any of the 4 texts"),
    ],
)
def test_what_does_not_fit_the_task_is_a_line(test: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError) as error:
        changed(checks({"name": "a", **test}))
    assert message in str(error.value)


def test_the_files_that_come_with_the_package_are_read_and_their_code_is_known() -> None:
    for path in builtin_checks().values():
        spec = load_spec(ChecksSpec, Path(path))
        assert spec.name == path.stem and spec.description
        assert checks_identity(spec)["code"] and {test.kind for test in spec.tests} == {"invariance", "directional"}


def test_a_pair_has_its_last_text_changed_or_the_one_that_is_named() -> None:
    task = load_registry([]).task("mnli")
    spec = parse(ChecksSpec, {"name": "mine", "tests": [{"name": "a", "change": {"append": "x"}}]}, "mine.yaml")
    pair = Split(("e",), {"premise": ("one",), "hypothesis": ("two",)})
    data = TaskData("mnli", "folder", "here", {task.eval[0]: pair}, tuple(task.labels or ()))
    for field, wanted in ((None, ("one", "two x")), ("premise", ("one x", "two"))):
        asked = task.model_copy(update={"checks": spec.model_copy(update={"field": field})})
        fields = to_be_checked(data, asked).splits[task.eval[0]].fields
        assert (fields["premise"][0], fields["hypothesis"][0]) == wanted
    assert replace(pair, labels=None).labels is None
    with pytest.raises(HarnessError, match="field text: mnli has no such text, only premise, hypothesis"):
        to_be_checked(data, task.model_copy(update={"checks": spec.model_copy(update={"field": "text"})}))
