"""Download folders in GLUE's layout: every quirk on a small file, and the real files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.specs import TaskSpec
from harness.data import load

Shipped = Callable[[str], TaskSpec]
Write = Callable[[str, "str | bytes"], Path]

MRPC_HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"


def rows(count: int, line: str) -> str:
    return "".join(line.format(index) + "\n" for index in range(count))


@pytest.mark.parametrize(
    ("below", "task", "splits"),
    [
        ("glue", "sst2", {"train": 6920, "dev": 872}),
        ("glue", "cola", {"train": 8551, "dev": 1043}),
        ("glue", "stsb", {"train": 5749, "dev": 1500}),
        ("", "sst2", {"train": 6920, "dev": 872}),
        ("", "cola", {"train": 8551, "dev": 1043}),
        ("", "stsb", {"train": 5749, "dev": 1500}),
        ("", "sick", {"train": 4500, "test": 4927}),
    ],
)
def test_real_downloads_have_their_known_numbers_of_rows(
    real_data: Path, shipped: Shipped, below: str, task: str, splits: dict[str, int]
) -> None:
    data = load(shipped(task), str(real_data / below))
    assert {name: len(split) for name, split in data.splits.items()} == splits
    assert data.source == "folder"
    assert data.notes == ()
    assert all(split.labels is not None for split in data.splits.values())


def test_a_real_task_folder_itself_may_be_given(real_data: Path, shipped: Shipped) -> None:
    assert len(load(shipped("cola"), str(real_data / "glue" / "CoLA")).splits["dev"]) == 1043
    sick = load(shipped("sick"), str(real_data / "sick"), splits=["dev", "test"])
    assert [len(split) for split in sick.splits.values()] == [500, 4927]
    assert sick.splits["dev"].ids[:3] == ("4", "24", "105")
    # test.tsv has Windows line endings, and its labels are in capitals
    assert sick.splits["test"].labels is not None
    assert [sick.splits["test"].labels.count(label) for label in range(3)] == [1414, 2793, 720]


def test_real_quotes_are_characters(real_data: Path, shipped: Shipped) -> None:
    train = load(shipped("stsb"), str(real_data)).splits["train"]
    raw = (real_data / "glue" / "STS-B" / "train.tsv").read_text(encoding="utf-8")
    quotes = sum(text.count('"') for column in train.fields.values() for text in column)
    assert quotes == raw.count('"') == 743


def test_real_tasks_that_are_not_there_are_absent(real_data: Path, shipped: Shipped) -> None:
    for name in ("mrpc", "qqp", "mnli", "qnli", "rte", "wnli", "ax", "sick"):
        with pytest.raises(TaskAbsentError, match=f"has no folder .* for task '{name}'"):
            load(shipped(name), str(real_data / "glue"))


def test_a_damaged_copy_of_a_real_file_names_its_line(
    real_data: Path, shipped: Shipped, write: Write, tmp_path: Path
) -> None:
    content = (real_data / "glue" / "CoLA" / "train.tsv").read_bytes()
    write("CoLA/dev.tsv", (real_data / "glue" / "CoLA" / "dev.tsv").read_bytes())
    write("CoLA/train.tsv", content[: content.rindex(b"\t") - 1])
    with pytest.raises(HarnessError, match=r"train\.tsv:8551: the last line is cut off"):
        load(shipped("cola"), str(tmp_path))
    damaged = bytearray(content)
    damaged[1000] = 0xFF
    write("CoLA/train.tsv", bytes(damaged))
    line = content.count(b"\n", 0, 1000) + 1
    with pytest.raises(HarnessError, match=rf"train\.tsv:{line}: not UTF-8 .*offset 1000"):
        load(shipped("cola"), str(tmp_path))


def test_cola_has_no_header_but_its_test_does(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("CoLA/train.tsv", "gj04\t1\t\tThey drank.\ngj04\t0\t*\tDrank they the.\n")
    write("CoLA/test.tsv", "index\tsentence\n0\tNobody knows.\n")
    data = load(shipped("cola"), str(tmp_path), splits=["train", "test"])
    assert data.splits["train"].fields["text"] == ("They drank.", "Drank they the.")
    assert data.splits["train"].labels == (1, 0)
    assert data.splits["train"].ids == ("train-0", "train-1")
    assert data.splits["test"].fields["text"] == ("Nobody knows.",)
    assert data.splits["test"].labels is None


def test_windows_line_endings_marks_and_odd_separators_leave_texts_alone(
    shipped: Shipped, write: Write, tmp_path: Path
) -> None:
    text = 'an "unclosed quote,\u2028 a line separator\x85 and \x0c'
    write("SST-2/train.tsv", f"\ufeffsentence\tlabel\r\n{text}\t1\r\nlast\t0")
    train = load(shipped("sst2"), str(tmp_path), splits=["train"]).splits["train"]
    assert train.fields["text"] == (text, "last")
    assert train.labels == (1, 0)


def test_a_cut_off_last_line_is_an_error(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("SST-2/train.tsv", rows(300, "sentence{}\t1").replace("sentence0\t1", "sentence\tlabel") + "half a sen")
    with pytest.raises(HarnessError, match=r"train\.tsv:301: the last line is cut off \(1 of 2 fields"):
        load(shipped("sst2"), str(tmp_path), splits=["train"])


def test_a_few_rows_with_missing_fields_are_dropped_and_counted(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    good = rows(200, "{0}\t1\t2\tWhat is {0}?\tWho is {0}?\t1")
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    write("QQP/train.tsv", header + "97\t1\t2\tHow\n" + good)
    data = load(shipped("qqp"), str(tmp_path), splits=["train"])
    assert len(data.splits["train"]) == 200
    assert data.splits["train"].ids[0] == "train-1"
    assert data.notes == ("train: 1 rows with missing fields dropped",)


def test_many_rows_with_missing_fields_are_an_error(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write(
        "QNLI/train.tsv", "index\tquestion\tsentence\tlabel\n" + "0\tWhy?\n" * 203 + rows(200, "{}\ta\tb\tentailment")
    )
    with pytest.raises(HarnessError, match=r"train\.tsv:2: 203 of 403 rows do not have the 4 fields"):
        load(shipped("qnli"), str(tmp_path), splits=["train"])


def test_a_missing_column_lists_those_found(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("RTE/train.tsv", "index\tsentence1\tsentense2\tlabel\n0\ta\tb\tentailment\n")
    with pytest.raises(HarnessError, match=r"no column for 'hypothesis'.*Did you mean 'sentense2'\?"):
        load(shipped("rte"), str(tmp_path), splits=["train"])


def test_wnli_labels_are_ids(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("WNLI/dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n1\tc\td\t0\n")
    data = load(shipped("wnli"), str(tmp_path), splits=["dev"])
    assert data.splits["dev"].labels == (1, 0)
    assert data.labels == ("not_entailment", "entailment")


def test_mnli_has_two_devs_and_drops_pairs_without_majority(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    header = "index\tsentence1\tsentence2\tlabel1\tgold_label\n"
    write("MNLI/train.tsv", header + "0\ta\tb\tneutral\tneutral\n")
    write("MNLI/dev_matched.tsv", header + "0\tc\td\tneutral\t-\n1\te\tf\tneutral\tcontradiction\n")
    write("MNLI/dev_mismatched.tsv", header + "0\tg\th\tneutral\tentailment\n")
    write("MNLI/test_matched.tsv", "index\tsentence1\tsentence2\n0\ti\tj\n")
    data = load(shipped("mnli"), str(tmp_path))
    assert list(data.splits) == ["train", "dev_matched", "dev_mismatched"]
    assert data.splits["dev_matched"].fields["premise"] == ("e",)
    assert data.splits["dev_matched"].ids == ("dev_matched-1",)
    assert data.notes == ("dev_matched: 1 rows without a label dropped",)
    assert load(shipped("mnli"), str(tmp_path), splits=["test_matched"]).splits["test_matched"].labels is None


def test_mrpc_is_read_from_its_ready_made_files(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("MRPC/train.tsv", "\ufeff" + MRPC_HEADER + '1\t1\t2\tHe said "no.\tHe said no"\n')
    write("MRPC/dev.tsv", MRPC_HEADER + "0\t3\t4\ta\tb\n")
    write("MRPC/test.tsv", "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t5\t6\tc\td\n")
    write("MRPC/msr_paraphrase_train.txt", "not looked at")
    data = load(shipped("mrpc"), str(tmp_path), splits=["train", "dev", "test"])
    assert data.splits["train"].fields == {"text": ('He said "no.',), "text_pair": ('He said no"',)}
    assert data.splits["test"].labels is None
    assert data.notes == ()


def test_mrpc_original_files_are_split_by_dev_ids(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write(
        "MRPC/msr_paraphrase_train.txt", "\ufeff" + MRPC_HEADER + "1\t1\t2\ta\tb\r\n0\t3\t4\tc\td\r\n1\t5\t6\te\tf\r\n"
    )
    write("MRPC/msr_paraphrase_test.txt", "\ufeff" + MRPC_HEADER + "1\t7\t8\tg\th\n")
    write("MRPC/mrpc_dev_ids.tsv", "3\t4\n")
    data = load(shipped("mrpc"), str(tmp_path), splits=["train", "dev", "test"])
    assert data.splits["train"].fields["text"] == ("a", "e")
    assert data.splits["dev"].fields["text"] == ("c",)
    assert data.splits["test"].labels == (1,)
    assert any("mrpc_dev_ids.tsv" in note for note in data.notes)


def test_mrpc_original_test_serves_as_dev_where_nothing_splits_train(
    shipped: Shipped, write: Write, tmp_path: Path
) -> None:
    write("MRPC/msr_paraphrase_train.txt", "\ufeff" + MRPC_HEADER + "1\t1\t2\ta\tb\n0\t3\t4\tc\td\n")
    write("MRPC/msr_paraphrase_test.txt", "\ufeff" + MRPC_HEADER + "1\t7\t8\tg\th\n")
    data = load(shipped("mrpc"), str(tmp_path))
    assert len(data.splits["train"]) == 2
    assert data.splits["dev"].labels == (1,)
    assert "dev: read from msr_paraphrase_test.txt" in data.notes


@pytest.mark.parametrize(
    ("name", "content", "labels"),
    [
        ("diagnostic/diagnostic.tsv", "index\tsentence1\tsentence2\n0\ta\tb\n", None),
        ("AX/AX.tsv", "index\tsentence1\tsentence2\n0\ta\tb\n", None),
        ("diagnostic/diagnostic-full.tsv", "Logic\tDomain\tPremise\tHypothesis\tLabel\n\tNews\ta\tb\tneutral\n", (1,)),
    ],
)
def test_diagnostics_come_with_and_without_labels(
    shipped: Shipped, write: Write, tmp_path: Path, name: str, content: str, labels: tuple[int] | None
) -> None:
    write(name, content)
    data = load(shipped("ax"), str(tmp_path))
    assert list(data.splits) == ["test"]
    assert data.splits["test"].fields == {"premise": ("a",), "hypothesis": ("b",)}
    assert data.splits["test"].labels == labels


@pytest.mark.parametrize("folder", ["SST-2", "sst-2", "glue/SST-2", "GLUE/SST-2", "sst2"])
def test_a_task_folder_is_found_whatever_its_place_and_case(
    shipped: Shipped, write: Write, tmp_path: Path, folder: str
) -> None:
    path = write(f"{folder}/dev.tsv", "sentence\tlabel\nfine\t1\n")
    data = load(shipped("sst2"), str(tmp_path), splits=["dev"])
    assert data.location == str(path.parent)


def test_a_download_without_dev_is_absent_and_not_carved(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("SST-2/train.tsv", "sentence\tlabel\n" + rows(30, "text {}\t1"))
    with pytest.raises(HarnessError, match=re.escape("SST-2: no dev.tsv for the split 'dev'")) as raised:
        load(shipped("sst2"), str(tmp_path))
    assert isinstance(raised.value, TaskAbsentError)


def test_a_task_folder_without_any_split_is_absent(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("SST-2/readme.txt", "nothing")
    with pytest.raises(HarnessError, match="no file there is a split of task 'sst2'") as raised:
        load(shipped("sst2"), str(tmp_path))
    assert isinstance(raised.value, TaskAbsentError)


@pytest.mark.parametrize(
    ("score", "message"),
    [("nan", "not a finite number"), ("good", "not a number"), ("5.2", "not between 0 and 5"), ("", "no label")],
)
def test_similarity_scores_are_checked(
    shipped: Shipped, write: Write, tmp_path: Path, score: str, message: str
) -> None:
    write("STS-B/train.tsv", f"index\tsentence1\tsentence2\tscore\n0\ta\tb\t5.000\n1\tc\td\t{score}\n")
    with pytest.raises(HarnessError, match=rf"train\.tsv:3: .*{message}"):
        load(shipped("stsb"), str(tmp_path), splits=["train"])
