"""Tasks whose references are texts: parallel files, dialogues with several summaries, raw documents."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.source_specs import Sources
from harness.core.specs import TaskSpec
from harness.core.strict_spec import parse
from harness.data import load, state

Make = Callable[..., TaskSpec]
Shipped = Callable[[str], TaskSpec]
Write = Callable[[str, "str | bytes"], Path]

ARTICLES = " \n = Bee = \n \n Bees fly . \n \n = = Food = = \n \n Honey . \n \n = Cow = \n \n Cows eat . \n"


@pytest.fixture
def own_text(task: Make) -> TaskSpec:
    """A language-modelling task without a download of its own."""
    return task(family="language-modeling", fields={"text": "text"}, labels=None, eval=["test"])


def test_real_captions_are_pairs_of_lines(real_data: Path, shipped: Shipped) -> None:
    data = load(shipped("multi30k-en-fr"), str(real_data), splits=["train", "dev", "test"])
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 29000, "dev": 1014, "test": 1000}
    assert data.notes == ()
    test = data.splits["test"]
    assert test.fields["source"][0] == "A man in an orange hat starring at something."
    assert test.labels is not None
    assert test.labels[0] == ("Un homme avec un chapeau orange regardant quelque chose.",)
    assert len(load(shipped("multi30k-en-fr"), str(real_data / "multi30k"), limit=5).splits["train"]) == 5


def test_real_dialogues_have_one_summary_or_three(real_data: Path, shipped: Shipped) -> None:
    data = load(shipped("dialogsum"), str(real_data))
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 500, "test": 500}
    assert data.notes == ("train: read from dialogsum.dev.jsonl",)
    train, test = data.splits["train"].labels, data.splits["test"].labels
    assert train is not None and test is not None
    assert {len(texts) for texts in train} == {1}  # type: ignore[arg-type]
    assert {len(texts) for texts in test} == {3}  # type: ignore[arg-type]
    assert data.splits["test"].ids[:2] == ("test_0", "test_1")


def test_what_stands_in_for_train_is_not_scored(real_data: Path, shipped: Shipped) -> None:
    for name, file in (("dialogsum", "dialogsum.dev.jsonl"), ("wikitext", "valid.txt")):
        with pytest.raises(HarnessError, match=rf"{file}: serves as 'train', so that it cannot be 'dev'"):
            load(shipped(name), str(real_data), splits=["dev"])


def test_real_articles_are_cut_at_their_titles(real_data: Path, shipped: Shipped) -> None:
    data = load(shipped("wikitext"), str(real_data))
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 60, "test": 60}
    assert data.notes == ("train: read from valid.txt",)
    texts = data.splits["test"].fields["text"]
    assert texts[0].startswith(" = Robert <unk> = \n\n Robert <unk> is an English film")
    # Two formulas of the test set look like titles.
    assert sum("\n = 1 <unk> " in text for text in texts) == 1
    raw = (real_data / "wikitext-2" / "test.txt").read_text(encoding="utf-8")
    assert "".join(texts) == raw.removeprefix(" \n").replace("\n \n", "\n\n").replace("\n \n", "\n\n")


def test_tasks_that_are_not_there_are_absent(real_data: Path, shipped: Shipped) -> None:
    for name in ("xsum", "cnn_dailymail", "wmt14-en-fr", "wmt19-en-zh", "story-generation"):
        with pytest.raises(TaskAbsentError, match=f"has no folder {name} for task '{name}'"):
            load(shipped(name), str(real_data))
    for name in ("multi30k-en-fr", "dialogsum", "wikitext", "squad"):
        with pytest.raises(TaskAbsentError, match=rf"has no folder .* and lacks the files of task '{name}'"):
            load(shipped(name), str(real_data / "glue"))


@pytest.mark.parametrize("folder", ["multi30k/", "Multi30k/", "", "captions/"])
def test_parallel_files_are_found_by_their_languages(
    shipped: Shipped, write: Write, tmp_path: Path, folder: str
) -> None:
    write(f"{folder}train.en", "a dog\na\u2028cat\n")
    write(f"{folder}train.fr", "un chien\r\nun chat")
    write(f"{folder}test.en", "a cow\n")
    write(f"{folder}test.fr", "une vache\n")
    data = load(shipped("multi30k-en-fr"), str(tmp_path / folder))
    assert data.splits["train"].fields == {"source": ("a dog", "a\u2028cat")}
    assert data.splits["train"].labels == (("un chien",), ("un chat",))
    assert data.notes == ("test: read from test.en",)


def test_unequal_numbers_of_lines_name_both_files(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("multi30k/train.en", "a\nb\nc\n")
    write("multi30k/train.fr", "a\nb\n")
    message = r"lines must correspond, but \S*train\.en has 3 and \S*train\.fr has 2 lines"
    with pytest.raises(HarnessError, match=message):
        load(shipped("multi30k-en-fr"), str(tmp_path), splits=["train"])


def test_pairs_with_a_blank_line_are_left_out_and_counted(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("multi30k/train.en", "a\n \n\nd\ne\n")
    write("multi30k/train.fr", "a\nb\n\nd\n\n")
    data = load(shipped("multi30k-en-fr"), str(tmp_path), splits=["train"])
    assert data.splits["train"].fields["source"] == ("a", "d")
    assert data.splits["train"].ids == ("train-0", "train-3")
    assert data.notes == ("train: 3 pairs with a blank line left out",)


def test_a_language_alone_is_no_split(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("multi30k/train.en", "a\n")
    write("multi30k/test.en", "a\n")
    write("multi30k/test.fr", "a\n")
    with pytest.raises(HarnessError, match=r"no train\.en with train\.fr for the split 'train'"):
        load(shipped("multi30k-en-fr"), str(tmp_path))


def test_a_byte_that_is_no_utf8_names_its_language_and_line(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("multi30k/train.en", "a\nb\n")
    write("multi30k/train.fr", b"a\n\xe9t\xe9\n")
    with pytest.raises(HarnessError, match=r"train\.fr:2: not UTF-8"):
        load(shipped("multi30k-en-fr"), str(tmp_path), splits=["train"])


def test_the_state_and_the_fingerprint_see_both_languages(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    seen = set()
    for english, french in (("a dog", "un chien"), ("a cat", "un chien"), ("a dog", "un chat")):
        for number, (language, line) in enumerate([("en", english), ("fr", french)]):
            path = write(f"multi30k/train.{language}", f"{line}\n")
            os.utime(path, ns=(1, len(seen) + number))
        data = load(shipped("multi30k-en-fr"), str(tmp_path), splits=["train"])
        seen |= {state(shipped("multi30k-en-fr"), str(tmp_path)), data.fingerprint}
    assert len(seen) == 6
    path = tmp_path / "multi30k" / "train.fr"
    before = state(shipped("multi30k-en-fr"), str(tmp_path))
    os.utime(path, ns=(1, 99))
    assert state(shipped("multi30k-en-fr"), str(tmp_path)) != before


def test_parts_of_a_column_are_columns(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    rows = [{"translation": {"en": f"bee {number}", "fr": f"abeille {number}"}} for number in range(2)]
    write("multi30k-en-fr/train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    task = shipped("multi30k-en-fr")
    first = load(task, str(tmp_path), splits=["train"])
    assert first.splits["train"].fields == {"source": ("bee 0", "bee 1")}
    assert first.splits["train"].labels == (("abeille 0",), ("abeille 1",))

    import pyarrow
    import pyarrow.parquet

    (tmp_path / "multi30k-en-fr" / "train.jsonl").unlink()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "multi30k-en-fr" / "train.parquet")
    assert load(task, str(tmp_path), splits=["train"]).fingerprint == first.fingerprint
    write("multi30k-en-fr/test.jsonl", '{"translation": {"en": "a", "fr": "b"}}\n{"translation": "c"}\n')
    with pytest.raises(HarnessError, match=r"test\.jsonl:2: column 'translation\.en' should hold text, found nothing"):
        load(task, str(tmp_path), splits=["test"])


def test_a_dialogue_without_its_summary_names_its_line(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    rows = ['{"fname": "a", "dialogue": "x", "summary": "y"}', '{"fname": "b", "dialogue": "x", "summary": ""}']
    write("dialogsum/dialogsum.train.jsonl", "\n".join(rows))
    with pytest.raises(HarnessError, match=r"dialogsum\.train\.jsonl:2: no summary, while other rows"):
        load(shipped("dialogsum"), str(tmp_path), splits=["train"])


def test_titles_start_documents_and_sections_do_not(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("wikitext-2/wiki.train.tokens", ARTICLES)
    write("wikitext-2/wiki.test.tokens", " before . \n" + ARTICLES.replace("\n", "\r\n"))
    data = load(shipped("wikitext"), str(tmp_path))
    bee, cow = " = Bee = \n\n Bees fly . \n\n = = Food = = \n\n Honey . \n\n", " = Cow = \n\n Cows eat . \n"
    assert data.splits["train"].fields["text"] == (bee, cow)
    assert data.splits["test"].fields["text"] == (" before . \n\n", bee, cow)
    assert data.splits["test"].labels == ((" before . \n\n",), (bee,), (cow,))


def test_text_without_titles_is_cut_at_blank_lines(own_text: TaskSpec, write: Write, tmp_path: Path) -> None:
    write("train.txt", "\none\ntwo\n\n \nthree = four\n")
    write("test.md", "five")
    data = load(own_text, str(tmp_path))
    assert data.splits["train"].fields["text"] == ("one\ntwo", "three = four")
    assert data.splits["test"].fields["text"] == ("five",)
    alone = load(own_text, str(tmp_path / "train.txt"), splits=["train"])
    assert alone.splits["train"].fingerprint == data.splits["train"].fingerprint


def test_only_tasks_on_text_alone_read_raw_text(task: Make, write: Write, tmp_path: Path) -> None:
    path = write("mood/train.txt", "one\n")
    with pytest.raises(HarnessError, match="no file there is a split of task 'mood'"):
        load(task(), str(tmp_path))
    with pytest.raises(HarnessError, match=r"files of this kind are not read; it takes \.csv"):
        load(task(), str(path))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"glue": "SST-2", "folder": "sst"}, "glue and folder: give one or the other"),
        ({"folder": {"folder": "x", "format": "parallel"}}, "format parallel needs the language of each field"),
        ({"folder": {"folder": "x", "format": "tmx"}}, "format"),
        ({"folder": {"folder": []}}, "folder"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(sources: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(message)):
        parse(Sources, sources, "test")
