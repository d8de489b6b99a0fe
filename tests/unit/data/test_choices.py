"""Answers to choose from in every form that sources have, and which of them is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.data import load

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def quiz(task: Callable[..., Any]) -> Callable[..., Any]:
    def make(**values: Any) -> Any:
        fields = {"question": "question", "choices": ["choices", "a", "b", "c"], "label": ["label", "answerKey"]}
        return task(**{"family": "multiple-choice", "fields": fields, "labels": None, **values})

    return make


LETTERED = {"text": ["sun", "moon", "sea"], "label": ["1", "2", "3"]}
FORMS = [
    ({"choices": ["sun", "moon", "sea"], "label": 1}, 3),
    ({"choices": ["sun", "moon", "sea"], "label": "1"}, 3),
    ({"choices": ["sun", "moon", "sea"], "label": "B"}, 3),
    ({"choices": ["sun", "moon", "sea"], "label": "b"}, 3),
    ({"choices": ["sun", "moon", "sea"], "label": "moon"}, 3),
    ({"choices": LETTERED, "answerKey": "2"}, 3),
    ({"choices": [{"text": "sun", "label": "A"}, {"text": "moon", "label": "B"}], "answerKey": "B"}, 2),
    ({"a": "sun", "b": "moon", "c": "sea", "label": 1}, 3),
    ({"a": "sun", "b": "moon", "label": 1}, 2),
]


@pytest.mark.parametrize(("row", "count"), FORMS)
def test_every_form_is_read(row: dict[str, Any], count: int, write: Write, tmp_path: Path, quiz: Any) -> None:
    for split in ("train", "dev"):
        write(f"{split}.jsonl", json.dumps({"question": "What shines at night?", **row}) + "\n")
    data = load(quiz(), str(tmp_path))
    dev = data.splits["dev"]
    assert dev.fields["choices"] == ("\n".join(["sun", "moon", "sea"][:count]),)
    assert dev.labels == (1,)
    assert data.labels == ("A", "B", "C")[:count]


def test_questions_may_have_different_numbers_of_answers(write: Write, tmp_path: Path, quiz: Any) -> None:
    rows = [
        {"question": "q", "choices": ["sun", "moon"], "label": 0},
        {"question": "r", "choices": ["a\nb", "c", "d", "e"], "label": 3},
    ]
    for split in ("train", "dev"):
        write(f"{split}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    data = load(quiz(), str(tmp_path))
    assert data.labels == ("A", "B", "C", "D")
    assert data.splits["train"].fields["choices"][1] == "a b\nc\nd\ne"
    assert data.splits["train"].labels == (0, 3)


def test_declared_labels_are_the_positions_in_order(write: Write, tmp_path: Path, quiz: Any) -> None:
    for split in ("train", "dev"):
        write(f"{split}.csv", "question,a,b,label\nq,sun,moon,2\n")
    assert load(quiz(labels=["1", "2"]), str(tmp_path)).splits["dev"].labels == (1,)
    with pytest.raises(HarnessError, match='the label "2" is none of the 2 answers'):
        load(quiz(), str(tmp_path))


def test_a_split_whose_labels_are_withheld_has_none(write: Write, tmp_path: Path, quiz: Any) -> None:
    row = {"question": "q", "choices": ["sun", "moon"]}
    write("train.jsonl", json.dumps({**row, "label": 0}) + "\n")
    write("dev.jsonl", json.dumps({**row, "label": 1}) + "\n")
    write("test.jsonl", json.dumps({**row, "label": ""}) + "\n")
    assert load(quiz(), str(tmp_path), splits=["test"]).splits["test"].labels is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"choices": ["sun"], "label": 0}, "train.jsonl:1: 1 answers to choose from; give 2 to 26"),
        ({"choices": ["sun", ""], "label": 0}, 'an answer to choose from is "", no text'),
        ({"choices": ["sun", 7], "label": 0}, "an answer to choose from is '7', no text"),
        ({"choices": "sun or moon", "label": 0}, "column 'choices' should hold a list of answers, found str"),
        ({"choices": None, "label": 0}, "should hold a list of answers, found nothing"),
        ({"choices": ["sun", "moon"], "label": 2}, "the label '2' is none of the 2 answers (A to B, or 0 to 1)"),
        ({"choices": LETTERED, "label": "C"}, "the label 'C' is none of the 3 answers"),
        ({"label": 0}, "no column for 'choices'"),
    ],
)
def test_what_is_no_choice_is_one_line(row: Any, reason: str, write: Write, tmp_path: Path, quiz: Any) -> None:
    write("train.jsonl", json.dumps({"question": "q", **row}) + "\n")
    write("dev.jsonl", json.dumps({"question": "q", "choices": ["sun", "moon"], "label": 0}) + "\n")
    with pytest.raises(HarnessError) as caught:
        load(quiz(), str(tmp_path), splits=["train"])
    assert reason.replace("'", '"') in str(caught.value).replace("'", '"')
    assert "\n" not in str(caught.value)
