"""One's own files: any of the formats, carved dev splits, columns and labels as people spell them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.specs import TaskSpec
from harness.data import load
from harness.data.labels import infer_labels

Make = Callable[..., TaskSpec]
Write = Callable[[str, "str | bytes"], Path]

ROWS = [("a fine day", "good"), ('she said "no",\nand left', "bad"), ("mañana 🙂", "good")]


def write_rows(path: Path, rows: list[tuple[str, str]]) -> None:
    """The rows as the format of the file's name has them."""
    import csv

    import pyarrow
    import pyarrow.parquet

    records = [{"text": text, "label": label} for text, label in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records), encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize("below", ["mood", ""])
def test_every_format_gives_the_same_data(task: Make, tmp_path: Path, ending: str, below: str) -> None:
    write_rows(tmp_path / below / f"train.{ending}", ROWS)
    write_rows(tmp_path / below / f"validation.{ending}", ROWS[:1])
    data = load(task(), str(tmp_path))
    assert data.splits["train"].fields["text"] == tuple(text for text, _ in ROWS)
    assert data.splits["train"].labels == (1, 0, 1)
    assert data.splits["dev"].ids == ("dev-0",)
    assert data.notes == ()


def test_tsv_is_plain(task: Make, write: Write, tmp_path: Path) -> None:
    write("train.tsv", 'label\ttext\n1\t"quoted" and , comma\n0\t"open\n')
    write("dev.tsv", "label\ttext\n1\tx\n")
    assert load(task(), str(tmp_path)).splits["train"].fields["text"] == ('"quoted" and , comma', '"open')


@pytest.mark.parametrize("name", ["dev", "validation", "valid", "val", "trial", "Dev", "validation-00000-of-00001"])
def test_dev_goes_by_many_names(task: Make, tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / "train.csv", ROWS)
    write_rows(tmp_path / f"{name}.csv", ROWS[:2])
    assert len(load(task(), str(tmp_path)).splits["dev"]) == 2


@pytest.mark.parametrize("others", [("dev.csv", "valid.csv"), ("dev.csv", "dev.jsonl")])
def test_two_files_for_one_split_are_an_error(task: Make, tmp_path: Path, others: tuple[str, str]) -> None:
    for name in ("train.csv", *others):
        write_rows(tmp_path / name, ROWS)
    with pytest.raises(HarnessError, match="could be the split 'dev'; keep one"):
        load(task(), str(tmp_path))


@pytest.mark.parametrize("form", ["single file", "folder", "saved"])
def test_dev_is_carved_from_train_where_there_is_none(task: Make, tmp_path: Path, form: str) -> None:
    rows = [(f"text {number % 40}", "good" if number % 2 else "bad") for number in range(100)]
    path = tmp_path / "train.csv"
    write_rows(path, rows)
    if form == "saved":
        import datasets

        path = tmp_path / "saved"
        datasets.Dataset.from_list([{"text": text, "label": label} for text, label in rows]).save_to_disk(path)
    data = load(task(), str(path if form != "folder" else tmp_path))
    train, dev = data.splits["train"], data.splits["dev"]
    assert len(dev) in (8, 9, 10)
    assert sorted(train.ids + dev.ids) == sorted(f"train-{number}" for number in range(100))
    assert not set(train.fields["text"]) & set(dev.fields["text"])
    assert data.notes == (f"no dev split there: {len(dev)} rows of train serve as dev",)
    # Neither the splits asked for nor the order of the rows change what is in dev.
    alone = load(task(), str(path if form != "folder" else tmp_path), splits=["train"])
    assert alone.splits["train"].fingerprint == train.fingerprint
    write_rows(tmp_path / "other" / "train.csv", rows[::-1])
    turned = load(task(), str(tmp_path / "other"), splits=["dev"]).splits["dev"]
    assert sorted(turned.fields["text"]) == sorted(dev.fields["text"])


def test_train_is_whole_where_dev_lies_beside_it(task: Make, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", ROWS)
    write_rows(tmp_path / "dev.csv", ROWS)
    assert len(load(task(), str(tmp_path), splits=["train"]).splits["train"]) == len(ROWS)


def test_carving_takes_one_row_at_least_and_2000_at_most(task: Make, tmp_path: Path) -> None:
    write_rows(tmp_path / "few.csv", ROWS[:2])
    assert len(load(task(), str(tmp_path / "few.csv")).splits["dev"]) == 1
    write_rows(tmp_path / "many.csv", [(f"text {number}", "good") for number in range(21_000)])
    assert len(load(task(), str(tmp_path / "many.csv")).splits["dev"]) == 2000
    write_rows(tmp_path / "same.csv", [("the same", "good")] * 5)
    with pytest.raises(HarnessError, match="a single text"):
        load(task(), str(tmp_path / "same.csv"))


def test_only_a_missing_dev_is_carved(task: Make, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", ROWS)
    with pytest.raises(HarnessError, match="no split 'test' for task 'mood'; found: train"):
        load(task(eval=["test"]), str(tmp_path))
    (tmp_path / "train.csv").rename(tmp_path / "dev.csv")
    with pytest.raises(HarnessError, match="no split 'train' for task 'mood'; found: dev"):
        load(task(), str(tmp_path))


def test_a_saved_datasets_folder_brings_its_class_names(task: Make, tmp_path: Path) -> None:
    import datasets

    names = datasets.ClassLabel(names=["worse", "better"])
    features = datasets.Features(text=datasets.Value("string"), label=names)
    splits = {
        "train": datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=features),
        "validation": datasets.Dataset.from_dict({"text": ["c"], "label": [1]}, features=features),
        "test": datasets.Dataset.from_dict({"text": ["d"], "label": [-1]}, features=features),
    }
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "mood")
    inferred = load(task(labels=None), str(tmp_path), splits=["train", "dev", "test"])
    assert inferred.labels == ("worse", "better")
    assert inferred.splits["dev"].labels == (1,)
    assert inferred.splits["test"].labels is None
    aliased = load(task(label_aliases={"worse": "bad", "better": "good"}), str(tmp_path / "mood"))
    assert aliased.labels == ("bad", "good")
    assert aliased.splits["train"].labels == (0, 1)
    with pytest.raises(HarnessError, match="unknown label 'worse'; known labels: bad, good"):
        load(task(), str(tmp_path))


def test_a_damaged_saved_folder_is_one_line(task: Make, write: Write, tmp_path: Path) -> None:
    write("mood/state.json", "{}")
    with pytest.raises(HarnessError, match="datasets cannot read it") as raised:
        load(task(), str(tmp_path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "label"),
    [("good", 1), ("GOOD", 1), ("Positive", 1), ("1", 1), (1, 1), (0, 0), (1.0, 1), (" bad ", 0)],
)
def test_labels_are_names_aliases_or_ids(task: Make, write: Write, tmp_path: Path, value: object, label: int) -> None:
    write("train.jsonl", json.dumps({"text": "a", "label": value}) + "\n")
    write("dev.jsonl", json.dumps({"text": "b", "label": value}) + "\n")
    data = load(task(label_aliases={"positive": "good"}), str(tmp_path))
    assert data.splits["train"].labels == data.splits["dev"].labels == (label,)


@pytest.mark.parametrize(
    ("labels", "train", "dev", "message"),
    [
        (["1", "2"], "01", "01", "labels are names and positions at once: '1' (in train) is a name"),
        (["1", "2", "3"], "123", "012", "train has 1, 2, 3, dev has 0, 1, 2"),
        (["bad", "good"], ["good", "1"], ["good"], "'1' (in train) can only be a position"),
        (["bad", "good"], ["good", "bad"], "01", "train has bad, good, dev has 0, 1"),
        (["bad", "good"], "12", "12", "train.csv:3: unknown label '2'; known labels: bad, good"),
    ],
)
def test_names_and_positions_do_not_mix(
    task: Make, write: Write, tmp_path: Path, labels: list[str], train: Any, dev: Any, message: str
) -> None:
    for name, values in (("train", train), ("dev", dev)):
        write(f"{name}.csv", "text,label\n" + "".join(f"{at},{value}\n" for at, value in enumerate(values)))
    with pytest.raises(HarnessError) as raised:
        load(task(labels=labels), str(tmp_path))
    assert message in str(raised.value)


ODD = ["-", "+", "n/a", "None", "nan", "null", "1.0", "001", "1", "True", "true", "A", "a", "Ａ", "-1", "[1]"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "json", "parquet", "saved"])
def test_a_label_is_text_as_written_in_every_format(task: Make, tmp_path: Path, ending: str) -> None:
    rows = [{"text": f"text {at}", "label": label} for at, label in enumerate(ODD)]
    frame = pd.DataFrame(rows)
    if ending == "saved":
        split = datasets.Dataset.from_list(rows)
        datasets.DatasetDict({"train": split, "dev": split}).save_to_disk(str(tmp_path))
    for name in ("train", "dev") if ending != "saved" else ():
        path = tmp_path / f"{name}.{ending}"
        if ending == "parquet":
            frame.to_parquet(path)
        elif ending in ("csv", "tsv"):
            frame.to_csv(path, index=False, sep="," if ending == "csv" else "\t")
        else:
            frame.to_json(path, orient="records", lines=ending == "jsonl")
    data = load(task(labels=None), str(tmp_path))
    assert set(data.labels) == set(ODD) and len(data.labels) == len(ODD)
    assert data.splits["dev"].labels == tuple(data.labels.index(label) for label in ODD)
    assert data.notes == ()


def test_whole_numbers_with_a_point_are_written_alike_in_every_format(task: Make, write: Write, tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a", "b"], "label": [0.0, 1.0]}).to_parquet(tmp_path / "train.parquet")
    write("dev.csv", "text,label\na,1.0\nb,0.0\n")
    data = load(task(labels=None), str(tmp_path))
    assert data.labels == ("0.0", "1.0") and data.splits["dev"].labels == (1, 0)


@pytest.mark.parametrize("value", [["joy"], ["joy", "fear"], [], {"joy": 1}])
def test_several_labels_for_one_text_are_refused(task: Make, write: Write, tmp_path: Path, value: object) -> None:
    for name in ("train", "dev"):
        write(
            f"{name}.jsonl",
            json.dumps({"text": "a", "label": "joy"}) + "\n" + json.dumps({"text": "b", "label": value}),
        )
    with pytest.raises(HarnessError, match=r"train\.jsonl:2: the label is a (list|dict), .*multi-label"):
        load(task(labels=None), str(tmp_path))


@pytest.mark.parametrize("value", ["null", "NaN", '""', '" "'])
def test_nothing_is_no_label(task: Make, write: Write, tmp_path: Path, value: str) -> None:
    for name in ("train", "dev"):
        write(f"{name}.jsonl", f'{{"text": "a", "label": "x"}}\n{{"text": "b", "label": {value}}}\n')
    with pytest.raises(HarnessError, match=r"train\.jsonl:2: no label, while other rows of the split have one"):
        load(task(labels=None), str(tmp_path))


@pytest.mark.parametrize(
    ("train", "dev"),
    [("ab", "AB"), ("01", "12"), (["yes", "no"], ["Yes", "no"]), ("12", "１2"), (["0", "1"], ["0.0", "1.0"])],
)
def test_splits_that_spell_inferred_labels_differently_are_refused_with_both_sets(
    task: Make, write: Write, tmp_path: Path, train: Any, dev: Any
) -> None:
    for name, values in (("train", train), ("dev", dev)):
        write(f"{name}.csv", "text,label\n" + "".join(f"{at},{value}\n" for at, value in enumerate(values)))
    with pytest.raises(HarnessError) as raised:
        load(task(labels=None), str(tmp_path))
    message = str(raised.value)
    assert "train has " in message and all(f"{value}," in message for value in train)
    assert f", dev has {', '.join(infer_labels(dev))};" in message


def test_rows_that_the_task_calls_unlabelled_are_left_out_and_counted(task: Make, write: Write, tmp_path: Path) -> None:
    write("train.csv", "text,label\na,good\nb,?\nc,bad\nd,\n")
    write("dev.csv", "text,label\na,good\n")
    data = load(task(missing_labels=["?", ""]), str(tmp_path))
    assert data.splits["train"].fields["text"] == ("a", "c")
    assert data.dropped == {"train": (2, 4)}
    assert data.notes == ("train: 2 rows without a label dropped",)


def test_an_unknown_label_names_its_line_and_the_known_ones(task: Make, write: Write, tmp_path: Path) -> None:
    write("train.csv", 'text,label\n"two\nlines",good\nb,goood\n')
    write("dev.csv", "text,label\na,good\n")
    with pytest.raises(
        HarnessError, match=r"train\.csv:4: unknown label 'goood'; known labels: bad, good\. Did you mean 'good'\?"
    ):
        load(task(), str(tmp_path))


@pytest.mark.parametrize(
    ("values", "labels"),
    [(["b", "a", "b"], ("a", "b")), (["10", "9", "-1"], ("-1", "9", "10")), (["10", "x"], ("10", "x"))],
)
def test_labels_are_inferred_in_sorted_order(
    task: Make, write: Write, tmp_path: Path, values: list[str], labels: tuple[str, ...]
) -> None:
    write("train.csv", "text,label\n" + "".join(f"{index},{value}\n" for index, value in enumerate(values)))
    write("dev.csv", f"text,label\nx,{values[0]}\n")
    data = load(task(labels=None), str(tmp_path), splits=["dev"])
    assert data.labels == labels
    assert data.splits["dev"].labels == (labels.index(values[0]),)


def test_a_label_of_dev_that_train_lacks_is_an_error(task: Make, write: Write, tmp_path: Path) -> None:
    write("train.csv", "text,label\na,x\nb,y\n")
    write("dev.csv", "text,label\na,x\nb,z\n")
    with pytest.raises(
        HarnessError, match=r"dev\.csv:3: the label 'z' is none of the training split's: train has x, y, dev has x, z"
    ):
        load(task(labels=None), str(tmp_path))


@pytest.mark.parametrize("content", ["text\na\nb\n", "text,label\na,-1\nb,-1\n", "text,label\na,\nb,\n"])
def test_a_test_split_may_have_no_labels(task: Make, write: Write, tmp_path: Path, content: str) -> None:
    write("test.csv", content)
    assert load(task(), str(tmp_path), splits=["test"]).splits["test"].labels is None


@pytest.mark.parametrize("missing", ["", "-1"])
def test_labels_on_some_rows_only_are_an_error(task: Make, write: Write, tmp_path: Path, missing: str) -> None:
    write("test.csv", f"text,label\na,good\nb,{missing}\n")
    with pytest.raises(HarnessError, match=r"test\.csv:3: no label"):
        load(task(), str(tmp_path), splits=["test"])


def test_a_training_split_needs_labels(task: Make, write: Write, tmp_path: Path) -> None:
    write("train.csv", "text,label\na,-1\nb,-1\n")
    with pytest.raises(HarnessError, match="the training split has no labels"):
        load(task(), str(tmp_path))


def test_columns_that_do_not_fit_make_the_task_absent_from_a_bare_folder(
    task: Make, write: Write, tmp_path: Path
) -> None:
    path = write("train.csv", "sentense,label\na,good\n")
    for place in (path, tmp_path):
        with pytest.raises(
            TaskAbsentError, match=r"no column for 'text' .*columns found: sentense, label.*'sentense'\?"
        ):
            load(task(), str(place))
    write("mood/train.csv", "sentense,label\na,good\n")
    with pytest.raises(HarnessError, match="no column for 'text'") as raised:
        load(task(), str(tmp_path))
    assert not isinstance(raised.value, TaskAbsentError)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.csv", "text,label\na,good\nb\n", r"train\.csv:3: 1 fields where the header has 2"),
        ("train.csv", 'text,label\na,good\n"b,good\n', r"train\.csv:3: not CSV"),
        ("train.tsv", "text\tlabel\na\tgood\nb\n", r"train\.tsv:3: 1 fields where the first line has 2"),
        ("train.jsonl", '{"text": "a", "label": 1}\n{"text": "b"', r"train\.jsonl:2: not JSON"),
        ("train.jsonl", '{"text": "a", "label": 1}\n[1]\n', r"train\.jsonl:2: expected an object"),
        (
            "train.jsonl",
            '{"text": null, "label": 1}\n',
            r"train\.jsonl:1: column 'text' should hold text, found nothing",
        ),
        ("train.jsonl", '{"text": 3, "label": 1}\n', r"train\.jsonl:1: column 'text' should hold text, found int"),
        ("train.jsonl", '{"text": "\\ud83d", "label": 1}\n', r"train\.jsonl:1: .*surrogate"),
        ("train.json", '{"text": "a"}', r"train\.json: expected a list of objects"),
        ("train.json", "[\n{,}]", r"train\.json:2: not JSON"),
        ("train.parquet", "PAR1 nothing", r"train\.parquet: not a parquet file"),
        ("train.csv", "", r"train\.csv: the file is empty"),
        ("train.csv", "text,label\n", r"train\.csv: holds no rows"),
        ("train.csv", "text,text,label\na,b,good\n", r"train\.csv: column 'text' is there twice"),
        ("train.csv", b"text,label\nok,good\ncaf\xe9,good\n", r"train\.csv:3: not UTF-8 \(byte 0xe9 at offset 22\)"),
    ],
)
def test_a_malformed_file_is_one_line_with_its_place(
    task: Make, write: Write, name: str, content: str | bytes, message: str
) -> None:
    path = write(f"mood/{name}", content)
    with pytest.raises(HarnessError, match=message) as raised:
        load(task(), str(path.parent.parent))
    assert "\n" not in str(raised.value)


def test_a_file_of_another_kind_says_which_are_read(task: Make, write: Write) -> None:
    with pytest.raises(HarnessError, match=r"\.csv, \.json, \.jsonl, \.parquet, \.tsv"):
        load(task(), str(write("reviews.xlsx", "x")))


def test_ids_given_twice_are_an_error(task: Make, write: Write, tmp_path: Path) -> None:
    source = {"glue": {"folder": "Mood", "id": "key"}}
    write("Mood/train.tsv", "key\ttext\tlabel\n7\ta\tgood\n8\tb\tbad\n")
    train = load(task(sources=source), str(tmp_path), splits=["train"]).splits["train"]
    assert train.ids == ("7", "8")
    write("Mood/train.tsv", "key\ttext\tlabel\n7\ta\tgood\n7\tb\tbad\n")
    with pytest.raises(HarnessError, match=r"train\.tsv:3: id '7' is already that of .*train\.tsv:2"):
        load(task(sources=source), str(tmp_path), splits=["train"])


@pytest.mark.parametrize("form", ["parquet", "saved"])
def test_single_precision_scores_are_those_of_a_text_file(task: Make, tmp_path: Path, form: str) -> None:
    import datasets

    features = datasets.Features(
        text=datasets.Value("string"), text_pair=datasets.Value("string"), label=datasets.Value("float32")
    )
    columns = {"text": ["a", "b"], "text_pair": ["c", "d"], "label": [3.8, 0.1]}
    dataset = datasets.Dataset.from_dict(columns, features=features)
    if form == "saved":
        dataset.save_to_disk(tmp_path)
    else:
        dataset.to_parquet(tmp_path / "train.parquet")
    fields = {"text": "text", "text_pair": "text_pair", "label": "label"}
    pairs = task(family="similarity", fields=fields, labels=None, eval=["test"])
    assert load(pairs, str(tmp_path), splits=["train"]).splits["train"].labels == (3.8, 0.1)
