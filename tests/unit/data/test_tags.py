"""Words with tags: CoNLL's columns, WikiANN's prefixes, lists in rows, numbers with and without names, and refusals."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.data import load

Write = Callable[[str, str | bytes], Path]

TRAIN = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
German JJ B-NP B-MISC
call NN I-NP O

Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER

"""
DEV = "-DOCSTART- -X- O O\n\n# NN I-NP O\nLeeds NNP B-NP B-LOC\n"


@pytest.fixture
def ner(task: Callable[..., TaskSpec]) -> Callable[..., TaskSpec]:
    """A task of one's own, whose tags are those of the training split."""

    def make(**values: Any) -> TaskSpec:
        fields = {"tokens": ["tokens", "words"], "tags": ["tags", "ner_tags"]}
        given = {"family": "token-classification", "fields": fields, "labels": None, "metrics": ["seqeval_f1"]}
        return task(**{**given, **values})

    return make


def test_conll_columns_are_read_where_its_files_lie(write: Write, tmp_path: Path, shipped: Any) -> None:
    write("conll2003/eng.train", TRAIN)
    write("conll2003/eng.testa", DEV)
    write("conll2003/eng.testb", DEV.replace("Leeds", "York"))
    data = load(shipped("conll2003"), str(tmp_path), splits=["train", "dev", "test"])
    assert data.splits["train"].fields["tokens"] == ("EU rejects German call", "Peter Blackburn")
    assert data.splits["train"].labels == (("B-ORG O B-MISC O",), ("B-PER I-PER",))
    assert data.splits["dev"].fields["tokens"] == ("# Leeds",)
    assert data.splits["test"].labels == (("O B-LOC",),)
    assert data.labels[:3] == ("O", "B-PER", "I-PER")


def test_a_prefix_of_the_language_and_comments_are_no_words(write: Write, tmp_path: Path, ner: Any) -> None:
    write("train.conll", "# id 7 domain=en\nen:York\tB-LOC\nen::\tO\n\nen:it\tO\n")
    write("dev.conll", "en:York\tB-LOC\n")
    data = load(ner(), str(tmp_path))
    assert data.splits["train"].fields["tokens"] == ("York :", "it")
    assert data.labels == ("O", "B-LOC", "I-LOC")
    write("train.conll", "en:York\tB-LOC\nYork\tB-LOC\n")
    assert load(ner(), str(tmp_path)).splits["train"].fields["tokens"] == ("en:York York",)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_lists_and_texts_with_spaces_are_the_same(ending: str, write: Write, tmp_path: Path, ner: Any) -> None:
    for split in ("train", "dev"):
        if ending == "csv":
            write(f"{split}.csv", "words,ner_tags\nin York,O B-LOC\n")
        elif ending == "jsonl":
            write(f"{split}.jsonl", json.dumps({"words": ["in", "York"], "ner_tags": ["O", "B-LOC"]}) + "\n")
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            buffer = io.BytesIO()
            pq.write_table(pa.table({"words": [["in", "York"]], "ner_tags": [["O", "B-LOC"]]}), buffer)
            write(f"{split}.parquet", buffer.getvalue())
    data = load(ner(), str(tmp_path))
    assert data.splits["dev"].fields["tokens"] == ("in York",)
    assert data.splits["dev"].labels == (("O B-LOC",),)


def test_numbers_are_positions_of_declared_labels(write: Write, tmp_path: Path, ner: Any) -> None:
    for split in ("train", "dev"):
        write(f"{split}.jsonl", json.dumps({"tokens": ["in", "York"], "tags": [0, 1]}) + "\n")
    assert load(ner(labels=["O", "B-LOC"]), str(tmp_path)).splits["train"].labels == (("O B-LOC",),)
    with pytest.raises(HarnessError, match=r"train.jsonl:1: the tag '0' is a number, whose name nobody says"):
        load(ner(), str(tmp_path))


def test_tags_that_training_lacks_are_noted_and_no_reason_to_stop(write: Write, tmp_path: Path, ner: Any) -> None:
    write("train.conll", "York B-LOC\n")
    write("dev.conll", "York I-LOC\n\nAnn B-PER\n")
    data = load(ner(), str(tmp_path))
    assert data.labels == ("O", "B-LOC", "I-LOC")
    assert data.notes == ("dev: B-PER are no tags of the training split; no model can learn them",)
    with pytest.raises(HarnessError, match=r"dev.conll:3: unknown label 'B-PER'"):
        load(ner(labels=["O", "B-LOC", "I-LOC"]), str(tmp_path))


def test_rows_without_words_are_left_out_and_counted(write: Write, tmp_path: Path, ner: Any) -> None:
    row = json.dumps({"tokens": ["York"], "tags": ["B-LOC"]})
    for split in ("train", "dev"):
        write(f"{split}.jsonl", f'{row}\n{{"tokens": [], "tags": []}}\n')
    data = load(ner(), str(tmp_path))
    assert len(data.splits["dev"]) == 1
    assert data.dropped["dev"] == (1, 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("York LOC", "train.conll:1: the tag 'LOC' is no IOB tag: those are O, or B-, I-, E- or S- and a type"),
        ("York U-LOC", "train.conll:1: the tag 'U-LOC' is no IOB tag: those are O, or B-, I-, E- or S- and a type. What is U- there is S- here."),
        ("York B-LOC x", "train.conll:2: 3 columns, expected 2 columns as in the first"),
        ("York", "train.conll:2: 1 columns"),
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_named(line: str, said: str, write: Write, tmp_path: Path, ner: Any) -> None:
    write("train.conll", f"in O\n{line}\n")
    write("dev.conll", "in O\n")
    with pytest.raises(HarnessError) as caught:
        load(ner(), str(tmp_path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "train.jsonl:1: 1 tags for 2 words"),
        ({"tokens": ["New York"], "tags": ["O"]}, "the word 'New York' has a space in it"),
        ({"tokens": ["a", 1], "tags": ["O", "O"]}, "column 'tokens' should hold words, found int"),
        ({"tokens": 7, "tags": ["O"]}, "column 'tokens' should hold a list of words, found int"),
        ({"tokens": ["a"], "tags": None}, "column 'tags' should hold a list of tags, found nothing"),
    ],
)
def test_a_row_that_is_none_is_named(row: Any, said: str, write: Write, tmp_path: Path, ner: Any) -> None:
    write("train.jsonl", json.dumps(row) + "\n")
    write("dev.jsonl", json.dumps({"tokens": ["a"], "tags": ["O"]}) + "\n")
    with pytest.raises(HarnessError) as caught:
        load(ner(), str(tmp_path))
    assert said in str(caught.value)


def test_a_test_split_without_tags_is_read(write: Write, tmp_path: Path, ner: Any) -> None:
    write("train.conll", "in O\n")
    write("dev.conll", "in O\n")
    write("test.jsonl", json.dumps({"tokens": ["a"]}) + "\n")
    assert load(ner(), str(tmp_path), splits=["test"]).splits["test"].labels is None


def test_declared_labels_are_iob_tags(write: Write, tmp_path: Path, ner: Any) -> None:
    write("train.conll", "in O\n")
    with pytest.raises(HarnessError, match="labels: 'PER' is no IOB tag"):
        load(ner(labels=["O", "PER"]), str(tmp_path), splits=["train"])
