"""Files as others leave them: parts of splits, JSON of several shapes, delimiters, line ends, and what is no header."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.specs import TaskSpec
from harness.data import load, state

ROWS = [{"text": f"a {word} film", "label": label} for word, label in
        (("good", "pos"), ("bad", "neg"), ("fine", "pos"), ("dull", "neg"), ("great", "pos"), ("poor", "neg"))]  # fmt: skip


def task(**fields: str) -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "name": "mine",
            "family": "classification",
            "fields": {"text": "text", "label": "label", **fields},
            "metrics": ["accuracy"],
        }
    )


def dev(folder: Path) -> None:
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[:2]))


def texts(folder: Path, of: TaskSpec | None = None) -> list[str]:
    return list(load(of or task(), str(folder)).splits["train"].fields["text"])


EXPECTED = [row["text"] for row in ROWS]


@pytest.mark.parametrize("place", ["", "data"])
@pytest.mark.parametrize("first", [0, 1])
def test_the_parts_of_a_split_are_read_in_order(tmp_path, place, first):
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    for number in range(3):
        name = f"train-{number + first:05d}-of-00003"
        pq.write_table(pa.Table.from_pylist(ROWS[2 * number : 2 * number + 2]), folder / f"{name}.parquet")
    dev(folder)
    assert texts(tmp_path) == EXPECTED
    (folder / f"train-{first + 1:05d}-of-00003.parquet").unlink()
    with pytest.raises(HarnessError, match="1 of 3 parts are missing, such as number"):
        texts(tmp_path)


def test_a_split_may_be_a_folder_of_parts(tmp_path):
    (tmp_path / "train").mkdir()
    for number in range(3):
        lines = [json.dumps(row) for row in ROWS[2 * number : 2 * number + 2]]
        (tmp_path / "train" / f"part-{number}.jsonl").write_text("\n".join(lines))
    dev(tmp_path)
    assert texts(tmp_path) == EXPECTED
    before = state(task(), str(tmp_path))
    (tmp_path / "train" / "part-2.jsonl").write_text('{"text": 7, "label": "pos"}\n')
    assert state(task(), str(tmp_path)) != before, "what lies in the folder is watched as well"
    with pytest.raises(HarnessError, match=r"part-2.jsonl:1.*should hold text, found int"):
        texts(tmp_path)
    (tmp_path / "train" / "more.csv").write_text("text,label\n")
    with pytest.raises(HarnessError, match=r"files of one kind, found .csv, .jsonl"):
        texts(tmp_path)


def test_parts_with_other_columns_are_refused(tmp_path):
    for number, name in enumerate(("text", "body")):
        pq.write_table(pa.table({name: ["a"], "label": ["pos"]}), tmp_path / f"train-{number}-of-2.parquet")
    dev(tmp_path)
    with pytest.raises(HarnessError, match="the columns of its parts differ"):
        texts(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        "\n".join(map(json.dumps, ROWS)),
        "\r".join(map(json.dumps, ROWS)),
        json.dumps({"data": ROWS}),
        json.dumps({"version": "1", "rows": ROWS}, indent=1),
        json.dumps({"text": EXPECTED, "label": [row["label"] for row in ROWS]}),
    ],
    ids=["list", "lines", "lines of CR", "data", "rows beside a version", "columns"],
)
def test_json_of_any_usual_shape_is_read(tmp_path, content):
    (tmp_path / "train.json").write_text(content)
    dev(tmp_path)
    assert texts(tmp_path) == EXPECTED


@pytest.mark.parametrize(
    "content", ['{"a": [{}], "b": [{}]}', "3", '"x"', "[1, 2]", '{"text": ["a"], "label": []}', "{\n{"]
)
def test_json_of_another_shape_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "train.json").write_text(content)
    dev(tmp_path)
    with pytest.raises(HarnessError, match=r"train.json") as refusal:
        texts(tmp_path)
    assert "\n" not in str(refusal.value)


def test_large_strings_inside_structs_are_parts_of_a_column(tmp_path):
    kind = pa.struct([("en", pa.large_string()), ("fr", pa.large_string())])
    column = pa.array([{"en": text, "fr": "x"} for text in EXPECTED], kind)
    pq.write_table(pa.table({"t": column, "label": [row["label"] for row in ROWS]}), tmp_path / "train.parquet")
    pq.write_table(pa.table({"t": column, "label": [row["label"] for row in ROWS]}), tmp_path / "dev.parquet")
    assert texts(tmp_path, task(text="t.en")) == EXPECTED


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_columns_are_found_whatever_parts_them_and_ends_their_lines(tmp_path, ending, end, delimiter):
    lines = ["text\tlabel" if ending == "tsv" else f"text{delimiter}label"]
    lines += [("\t" if ending == "tsv" else delimiter).join(row.values()) for row in ROWS]
    (tmp_path / f"train.{ending}").write_bytes(end.join(lines).encode() + end.encode())
    dev(tmp_path)
    assert texts(tmp_path) == EXPECTED


def test_a_comma_in_one_quoted_field_is_no_delimiter(tmp_path):
    (tmp_path / "train.csv").write_text('text;label\n"well, yes";pos\nno;neg\n')
    dev(tmp_path)
    assert texts(tmp_path) == ["well, yes", "no"]


def test_a_single_column_stays_one(tmp_path):
    (tmp_path / "train.csv").write_text("text\na; b\nc | d\n")
    dev(tmp_path)
    with pytest.raises(HarnessError, match="no column for 'label'; columns found: text"):
        texts(tmp_path)


@pytest.mark.parametrize("first", ["A plane is taking off.,4.5", "I liked this film very much,pos"])
def test_a_file_without_a_header_says_so(tmp_path, first):
    (tmp_path / "train.csv").write_text(f"{first}\na bad film,neg\n")
    dev(tmp_path)
    (tmp_path / "mine").mkdir()
    for file in list(tmp_path.glob("*.*")):
        file.rename(tmp_path / "mine" / file.name)
    with pytest.raises(HarnessError, match="The first line looks like a row: a file without a header needs one"):
        texts(tmp_path)


def test_a_folder_that_lacks_a_split_is_absent_and_says_why(tmp_path, shipped):
    (tmp_path / "QNLI").mkdir()
    (tmp_path / "QNLI" / "dev.tsv").write_text("index\tquestion\tsentence\tlabel\n0\twho?\tme.\tentailment\n")
    with pytest.raises(TaskAbsentError, match=r"QNLI: no train.tsv for the split 'train'"):
        load(shipped("qnli"), str(tmp_path))
