"""GLUE submissions: the official files, headers and labels, from a folder in the layout of the GLUE download."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest

from harness import data
from harness.core.registry import load_registry
from harness.report.export.glue import FILES
from tests.conftest import call_harness

TRAIN, DEV, TEST = 60, 20, 12
OFFICIAL = {
    "CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "STS-B.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "QNLI.tsv", "QQP.tsv", "RTE.tsv",
    "WNLI.tsv", "AX.tsv",
}  # fmt: skip
NLI = {"entailment", "neutral", "contradiction"}
TWO = {"entailment", "not_entailment"}
ALLOWED = {
    "CoLA.tsv": {"0", "1"}, "SST-2.tsv": {"0", "1"}, "MRPC.tsv": {"0", "1"}, "QQP.tsv": {"0", "1"},
    "WNLI.tsv": {"0", "1"}, "MNLI-m.tsv": NLI, "MNLI-mm.tsv": NLI, "AX.tsv": NLI, "QNLI.tsv": TWO, "RTE.tsv": TWO,
}  # fmt: skip
"""As the server's own sample submission spells them."""


def write_download(root: Path) -> None:
    """The embedded world's examples in the files of the GLUE download, tests without labels."""
    registry = load_registry()
    places = {
        "cola": "CoLA", "sst2": "SST-2", "mrpc": "MRPC", "stsb": "STS-B", "qqp": "QQP", "mnli": "MNLI", "qnli": "QNLI",
        "rte": "RTE", "wnli": "WNLI", "ax": "diagnostic",
    }  # fmt: skip
    for name, place in places.items():
        task = registry.task(name)
        (root / place).mkdir(parents=True)
        ids_as_labels = {"cola", "sst2", "mrpc", "qqp", "wnli"}
        splits = {"train": TRAIN, "dev": DEV, "test": TEST} if name != "mnli" else {
            "train": TRAIN, "dev_matched": DEV, "dev_mismatched": DEV, "test_matched": TEST, "test_mismatched": TEST,
        }  # fmt: skip
        for split, count in splits.items() if name != "ax" else [("test", TEST)]:
            source = split if name != "mnli" else split.replace("test", "dev")
            loaded = data.load(task, "synthetic", None, [source])
            found = loaded.splits[source].head(count)
            with_labels = not split.startswith("test")
            own = task.sources.glue.columns if task.sources.glue and task.sources.glue.header else {}
            names = [own.get(field) or task.fields[field] for field in found.fields]
            header = [one if isinstance(one, str) else one[0] for one in names]
            rows = [list(texts) for texts in zip(*found.fields.values(), strict=True)]
            if with_labels:
                labels = [
                    str(label) if name in ids_as_labels or name == "stsb" else loaded.labels[label]
                    for label in found.labels
                ]
                given = own.get("label") or task.fields["label"]
                header = [*header, given if isinstance(given, str) else given[0]]
                rows = [[*row, label] for row, label in zip(rows, labels, strict=True)]
            else:
                header = ["index", *header]
                rows = [[str(index), *row] for index, row in enumerate(rows)]
            if name == "cola" and with_labels:
                header, rows = [], [["gj04", row[1], "", row[0]] for row in rows]
            file = "diagnostic.tsv" if name == "ax" else f"{split}.tsv"
            lines = ["\t".join(row) for row in ([header] if header else []) + rows]
            (root / place / file).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory, machine_cache):
    """A folder with the download and a run of a small model on all of it: the command line, and the folder."""
    folder = tmp_path_factory.mktemp("glue")
    write_download(folder / "data")

    def call(*arguments, **more):
        return call_harness(folder, machine_cache, *arguments, **more)

    call("run", "--suite", "glue", "--model", "tfidf", "--data", "data", "--quiet")
    return call, folder


def read_zip(path: Path) -> dict[str, list[list[str]]]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {
            name: list(csv.reader(io.StringIO(archive.read(name).decode()), delimiter="\t", quoting=csv.QUOTE_NONE))
            for name in archive.namelist()
        }


@pytest.mark.slow
def test_a_submission_has_the_official_files_headers_and_labels(run):
    call, folder = run
    call("export", "glue-submission", "tfidf", "-o", "submission.zip", "--allow-other-data")
    found = read_zip(folder / "submission.zip")
    assert set(found) == OFFICIAL == {file.name for file in FILES}
    for name, (header, *rows) in found.items():
        assert header == ["index", "prediction"], name
        assert [index for index, _ in rows] == [str(index) for index in range(TEST)], name
        predictions = {prediction for _, prediction in rows}
        if name == "STS-B.tsv":
            assert all(0 <= float(one) <= 5 for one in predictions)
        else:
            assert predictions <= ALLOWED[name], name
    assert len({prediction for _, prediction in found["MNLI-m.tsv"][1:]}) > 1, "a model that learned something"


@pytest.mark.slow
def test_the_same_predictions_give_the_same_bytes(run):
    call, folder = run
    for name in ("one.zip", "two.zip"):
        call("export", "glue-submission", "tfidf", "-o", name, "--allow-other-data")
    assert (folder / "one.zip").read_bytes() == (folder / "two.zip").read_bytes()


@pytest.mark.slow
def test_test_sets_of_other_sizes_are_named_and_nothing_is_written(run):
    call, folder = run
    said = call("export", "glue-submission", "tfidf", "-o", "no.zip", code=2).stderr
    assert f"CoLA.tsv {TEST} of 1063" in said
    assert "not GLUE's test sets" in said
    assert not (folder / "no.zip").exists()
    assert "takes a .zip" in call("export", "glue-submission", "tfidf", "-o", "no.tar", code=2).stderr
    assert "Did you mean 'tfidf'" in call("export", "glue-submission", "tfidff", "-o", "no.zip", code=2).stderr


@pytest.mark.slow
def test_a_missing_test_set_and_missing_tasks_are_named(run):
    call, folder = run
    test = folder / "data" / "QQP" / "test.tsv"
    kept = test.read_bytes()
    test.unlink()
    said = call("export", "glue-submission", "tfidf", "-o", "no.zip", "--allow-other-data", code=2).stderr
    test.write_bytes(kept)
    assert said.startswith("error: QQP.tsv: ")
    call("run", "--task", "cola", "--model", "tfidf", "--data", "data", "--quiet", "--out", "some")
    said = call("export", "glue-submission", "tfidf", "-o", "no.zip", "--out", "some", code=2).stderr
    assert "all 11 files" in said
    assert "SST-2.tsv, MRPC.tsv" in said
    assert "CoLA.tsv" not in said
    assert not (folder / "no.zip").exists()


def test_embedded_data_is_not_glue(small_run):
    said = small_run[0]("export", "glue-submission", "tfidf", "-o", "no.zip", code=2).stderr
    assert "synthetic data, which is not GLUE" in said
