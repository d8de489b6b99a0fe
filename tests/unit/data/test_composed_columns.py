"""Fields put together of several columns, and cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.data import load, state

FIELDS = {"text": "{question} ({year}): {answer}", "label": "label"}


def test_a_text_is_put_together_of_columns(task: Callable[..., TaskSpec], write: Callable[..., Path]) -> None:
    rows = '{"question": "who?", "answer": "me", "year": 2001, "label": "good"}\n'
    write("train.jsonl", rows)
    folder = write("dev.jsonl", rows).parent
    assert load(task(fields=FIELDS), str(folder)).splits["dev"].fields["text"] == ("who? (2001): me",)


def test_a_row_that_lacks_a_part_is_named(task: Callable[..., TaskSpec], write: Callable[..., Path]) -> None:
    rows = '{"question": "who?", "answer": "me", "year": 1, "label": "good"}\n'
    write("train.jsonl", rows)
    folder = write("dev.jsonl", rows + '{"question": "who?", "answer": null, "year": 1, "label": "bad"}\n').parent
    with pytest.raises(HarnessError, match=r"dev.jsonl:2: column '\{question\}.*' should hold text, found nothing"):
        load(task(fields=FIELDS), str(folder))


def test_a_column_that_is_not_there_is_named(task: Callable[..., TaskSpec], write: Callable[..., Path]) -> None:
    write("train.csv", "question,label\nwho?,good\n")
    folder = write("dev.csv", "question,label\nwho?,good\n").parent
    with pytest.raises(HarnessError, match=r"no column for 'text' \(looked for \{question\}.*columns found: question"):
        load(task(fields=FIELDS), str(folder))


@pytest.mark.parametrize("name", ["{text}", "a{", "{}"])
def test_a_column_with_braces_in_its_name_is_that_column(
    task: Callable[..., TaskSpec], write: Callable[..., Path], name: str
) -> None:
    write("train.csv", f"{name},label\nfine,good\n")
    folder = write("dev.csv", f"{name},label\nfine,good\n").parent
    assert load(task(fields={"text": name, "label": "label"}), str(folder)).splits["dev"].fields["text"] == ("fine",)


def test_a_card_is_no_part_of_the_data(task: Callable[..., TaskSpec], write: Callable[..., Path]) -> None:
    folder = str(write("dev.csv", "text,label\nfine,good\n").parent)
    published = {"model": "BERT-base", "metric": "accuracy", "score": 0.9, "source": "https://example.org"}
    described = task(card={"licence": "CC BY 4.0", "size": {"dev": 1}, "published": [published]})
    assert state(described, folder) == state(task(), folder)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"size": {"dev": 0}}, "dev: the number of examples is at least 1"),
        ({"homepage": "example.org"}, "card.homepage: string should match"),
        ({"published": [{"model": "m", "metric": "f1", "score": 1, "source": "http://a.b"}]}, "not among metrics: f1"),
        ({"licence": "MIT", "license": "MIT"}, "unknown key 'card.license'. Did you mean 'licence'?"),
    ],
)
def test_a_card_that_cannot_be_is_refused(task: Callable[..., TaskSpec], card: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError) as error:
        task(card=card)
    assert message in str(error.value)
