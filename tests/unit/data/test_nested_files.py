"""Downloads whose rows lie in rows: SuperGLUE's MultiRC and ReCoRD, lists under keys, languages within names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.data import load

MULTIRC = {
    "idx": 0,
    "passage": {
        "text": "Bo met Al. Al left.",
        "questions": [
            {"question": "Who left?", "answers": [{"text": "Al", "label": 1}, {"text": "Bo", "label": 0}]},
            {"question": "Who met?", "answers": [{"text": "Bo", "label": 1}]},
        ],
    },
}
RECORD = {
    "passage": {"text": "Bo met Al. Bo left.", "entities": [{"start": 0, "end": 1}]},
    "qas": [
        {"idx": 1, "query": "@placeholder left", "answers": [{"text": "Bo", "start": 0}, {"text": "Bo", "start": 11}]}
    ],
}
WSC = {
    "idx": 0,
    "text": "Al saw Bo. He left.",
    "target": {"span1_index": 0, "span1_text": "Al", "span2_index": 3, "span2_text": "He"},
    "label": True,
}
Write = Callable[[str, "str | bytes"], Path]


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def both(write: Write, folder: str, content: str) -> str:
    """The path of a download with these rows to train and to score on."""
    write(f"{folder}/train.jsonl", content)
    return str(write(f"{folder}/val.jsonl", content).parents[1])


def test_an_answer_is_a_row_of_multirc(write: Write) -> None:
    dev = load(load_registry([]).task("multirc"), both(write, "MultiRC", lines(MULTIRC, MULTIRC))).splits["dev"]
    assert dev.fields["text_pair"] == ("Who left? Al", "Who left? Bo", "Who met? Bo") * 2
    assert dev.labels == (1, 0, 1) * 2


def test_a_query_is_a_row_of_record_and_its_answer_is_found(write: Write) -> None:
    dev = load(load_registry([]).task("record"), both(write, "ReCoRD", lines(RECORD))).splits["dev"]
    assert dict(dev.fields) == {"question": ("@placeholder left",), "context": ("Bo met Al. Bo left.",)}
    assert (dev.labels, dev.starts) == ((("Bo",),), ((0,),))


def test_texts_among_numbers_are_parts_of_a_column(write: Write) -> None:
    dev = load(load_registry([]).task("wsc"), both(write, "WSC", lines(WSC))).splits["dev"]
    assert (dev.fields["text_pair"], dev.labels) == (("He = Al",), (1,))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"idx": 3}, "val.jsonl:2: no 'passage'; found: idx"),
        ({"passage": "Bo"}, "val.jsonl:2: 'passage' should be an object, found str"),
        ({"passage": {"text": "Bo", "questions": [7]}}, "val.jsonl:2: no 'answers'; found: nothing"),
        ({"passage": {"text": 1, "questions": []}}, "val.jsonl:2: 'text' should be text, found int"),
        (
            {"passage": {"text": "Bo", "questions": [{"question": "?", "answers": [{"text": "Bo"}]}]}},
            "val.jsonl:2: no 'label', while others of the file have one",
        ),
    ],
)
def test_a_damaged_row_is_named(write: Write, row: Any, message: str) -> None:
    folder = both(write, "MultiRC", lines(MULTIRC, row))
    with pytest.raises(HarnessError) as error:
        load(load_registry([]).task("multirc"), folder, splits=["dev"])
    assert message in str(error.value)


def test_one_of_several_lists_of_a_file_is_read(write: Write) -> None:
    rows = {
        "sst2": [{"sentence": "fine", "label": 1, "idx": 0}],
        "rte": [{"sentence1": "p", "sentence2": "h", "label": 0}],
    }
    folder = str(write("advglue/dev.json", json.dumps(rows)).parents[1])
    registry = load_registry([])
    assert load(registry.task("advglue-sst2"), folder).splits["dev"].fields == {"text": ("fine",)}
    assert load(registry.task("advglue-rte"), folder).splits["dev"].labels == (0,)
    with pytest.raises(HarnessError, match=r"dev.json: no key 'qqp'; keys found: sst2, rte"):
        load(registry.task("advglue-qqp"), folder)


def test_a_language_may_be_named_before_the_ending(write: Write) -> None:
    for language, text in (("eng_Latn", "a bee\n"), ("deu_Latn", "eine Biene\n"), ("fra_Latn", "une abeille\n")):
        place = write(f"flores200_dataset/devtest/{language}.devtest", text)
    task = load_registry([]).task("flores-de-en")
    split = load(task, str(place.parents[2]), splits=["test"]).splits["test"]
    assert (split.fields, split.labels) == ({"source": ("eine Biene",)}, (("a bee",),))
