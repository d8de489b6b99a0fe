"""What the readers learn of files of other tools, and what they refuse."""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.exchange.outcomes import Outcome, content_hash, same_score
from harness.exchange.reader import read_results, recognized
from harness.gating.engine import judge
from harness.gating.entries import of_tool
from harness.gating.settings import GateSpec
from tests.tools import (
    MOMENT,
    draws,
    inspect_log,
    label,
    question,
    write_csv,
    write_eee,
    write_inspect,
    write_lighteval,
    write_lm_eval,
    write_trainer,
)

SCORES = draws(40, 30)
Writer = Callable[[Path], Path]
WRITERS: dict[str, Writer] = {
    "csv": lambda folder: write_csv(folder / "m.csv", SCORES, texts=True),
    "eee": lambda folder: write_eee(folder / "m.json", SCORES),
    "inspect": lambda folder: write_inspect(folder / "m.eval", inspect_log(SCORES)),
    "lighteval": lambda folder: write_lighteval(folder, {"evens|5": SCORES}),
    "lm_eval": lambda folder: write_lm_eval(folder, {"evens": SCORES}),
}


def only(name: str) -> Outcome:
    (outcome,) = read_results(name).outcomes
    return outcome


@pytest.mark.parametrize("tool", WRITERS)
def test_each_example_comes_with_its_score_id_label_prediction_and_input(tool: str, tmp_path: Path):
    path = WRITERS[tool](tmp_path)
    assert recognized(str(path)) == f"{tool}:{path}"
    outcome = only(f"{tool}:{path}")
    examples = outcome.examples
    assert examples is not None and len(examples) == 40 and outcome.n == 40
    assert outcome.model in ("m", "org/m", "openai/m")
    assert examples.scores == (None if tool == "csv" else tuple(SCORES))
    if tool != "csv":
        assert outcome.score == pytest.approx(0.75) and outcome.mean == pytest.approx(0.75)
        assert outcome.stderr == pytest.approx(math.sqrt(0.75 * 0.25 / 39))
    assert examples.labels is not None and examples.labels[:2] == ("yes", "no")
    assert examples.predictions is not None and examples.inputs is not None
    assert [prediction == label for prediction, label in zip(examples.predictions, examples.labels, strict=True)] == [
        score == 1 for score in SCORES
    ]
    assert question(3) in examples.inputs[3]
    assert read_results(f"{tool}:{path}").unknown[-1] in ("lineage", "settings")


def test_lm_eval_has_tasks_metrics_and_filters_apart_and_groups_are_none(tmp_path: Path):
    tasks = {"a": SCORES, "g:exact_match,strict-match": SCORES, "g:exact_match,flexible-extract": draws(40, 20)}
    write_lm_eval(tmp_path, tasks, group_subtasks={"all": ["a", "g"], "a": []})
    path = next(tmp_path.rglob("results_*.json"))
    content = json.loads(path.read_text())
    content["results"]["all"] = {"acc,none": 0.5, "acc_stderr,none": "N/A", "alias": "all"}
    path.write_text(json.dumps(content))
    outcomes = read_results(f"lm_eval:{tmp_path}").outcomes
    assert [(outcome.task, outcome.metric, outcome.filter) for outcome in outcomes] == [
        ("a", "acc", ""), ("g", "exact_match", "strict-match"), ("g", "exact_match", "flexible-extract"),
    ]  # fmt: skip
    assert [outcome.mean for outcome in outcomes] == [0.75, 0.75, 0.5]
    assert outcomes[0].settings["num_fewshot"] == 5 and outcomes[0].version == "1.0"
    assert read_results(f"lm_eval:{path}").outcomes == outcomes


def test_the_newest_of_several_evaluations_of_a_model_is_read(tmp_path: Path):
    write_lm_eval(tmp_path, {"evens": SCORES}, samples=False)
    path = next(tmp_path.rglob("results_*.json"))
    newer = json.loads(path.read_text())
    newer["results"]["evens"]["acc,none"] = 0.5
    path.with_name("results_2027-01-01T00-00-00.json").write_text(json.dumps(newer))
    results = read_results(f"lm_eval:{tmp_path}")
    assert [outcome.score for outcome in results.outcomes] == [0.5]
    assert "1 older scores" in results.notes[0]


def test_pairs_of_label_and_prediction_are_answers_of_a_metric_of_all_examples(tmp_path: Path):
    write_lm_eval(tmp_path, {"evens": SCORES})
    for path in tmp_path.rglob("*.json*"):
        text = path.read_text().replace('"acc": 1.0', '"f1": [1, 1]').replace('"acc": 0.0', '"f1": [0, 1]')
        path.write_text(text.replace("acc,none", "f1,none").replace("acc_stderr", "f1_stderr"))
    examples = only(f"lm_eval:{tmp_path}").examples
    assert examples is not None and examples.scores is None
    assert set(zip(examples.labels or (), examples.predictions or (), strict=True)) == {("1", "1"), ("0", "1")}


def test_inspect_reads_both_forms_alike_and_leaves_out_what_was_not_scored(tmp_path: Path):
    log = inspect_log([1, 0, math.nan, 0.5], epochs=2)
    outcomes = [only(f"inspect:{write_inspect(tmp_path / name, log)}") for name in ("a.json", "a.eval")]
    assert outcomes[0] == outcomes[1]
    examples = outcomes[0].examples
    assert examples is not None and examples.ids == ("0", "1", "3") and examples.scores == (1, 0, 0.5)
    assert outcomes[0].n == 3
    assert "1 examples that were not scored are left out" in read_results(f"inspect:{tmp_path / 'a.json'}").notes[0]


def test_inspect_epochs_are_reduced_as_the_log_reduced_them(tmp_path: Path):
    log = inspect_log([1, 0], epochs=2)
    log["samples"][0]["scores"]["match"]["value"] = "I"
    path = write_inspect(tmp_path / "a.json", log)
    examples = only(f"inspect:{path}").examples
    assert examples is not None and examples.scores == (0.5, 0)
    log["results"]["scores"][0]["reducer"] = "max"
    log["reductions"] = [
        {"scorer": "match", "reducer": "max", "samples": [{"sample_id": 0, "value": 1}, {"sample_id": 1, "value": 0}]}
    ]
    path.write_text(json.dumps(log))
    examples = only(f"inspect:{path}").examples
    assert examples is not None and examples.scores == (1, 0)


def test_trainer_has_scores_of_the_evaluation_and_predictions_without_labels(tmp_path: Path):
    results = read_results(f"trainer:{write_trainer(tmp_path / 'out', SCORES, split='predict')}")
    (outcome,) = results.outcomes
    assert (outcome.metric, outcome.score, outcome.n, outcome.task) == ("accuracy", 0.75, 40, "out_predict")
    assert outcome.examples is not None and outcome.examples.labels is None
    assert "standard errors" in results.unknown


@pytest.mark.parametrize("header", ["index\tlabel\n", ""])
def test_labels_beside_predictions_of_trainer_make_examples_that_are_paired(header: str, tmp_path: Path):
    folders = [
        write_trainer(tmp_path / name, scores, split="predict") for name, scores in (("a", SCORES), ("b", SCORES[::-1]))
    ]
    for folder in folders:
        rows = [f"{at}\t{label(at)}\n" if header else f"{label(at)}\n" for at in range(40)]
        (folder / "predict_labels.txt").write_text(header + "".join(rows[::-1] if header else rows))
    outcome = only(f"trainer:{folders[0]}")
    assert outcome.examples is not None and outcome.examples.labels == tuple(map(label, range(40)))
    (row,) = judge(*(of_tool(f"trainer:{folder}") for folder in folders), GateSpec())[0].rows
    assert row.n == 40 and row.base == 0.75 and row.test == "McNemar mid-p"
    (folders[1] / "predict_labels.txt").write_text(header + "".join(rows[1:]))
    with pytest.raises(HarnessError, match=r"predict_labels\.txt: 39 labels of 40 predictions, not one each"):
        read_results(f"trainer:{folders[1]}")


def test_a_csv_says_which_models_tasks_and_seeds_its_lines_are_of(tmp_path: Path):
    path = tmp_path / "all.tsv"
    path.write_text(
        "id\tscore\tmodel\ttask\tseed\n"
        + "".join(f"{at % 2}\t{at % 3}\tm{at // 4}\tt\t{at // 2 % 2}\n" for at in range(8))
    )
    outcomes = read_results(f"csv:{path}").outcomes
    assert [(outcome.model, outcome.seed) for outcome in outcomes] == [("m0", 0), ("m0", 1), ("m1", 0), ("m1", 1)]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


BAD = {
    "lm_eval: truncated results": ("lm_eval", "results_", truncate, "not JSON"),
    "lm_eval: truncated samples": ("lm_eval", "samples_", truncate, "line 40: not JSON"),
    "lm_eval: NaN": ("lm_eval", "samples_", replaced('"acc": 0.0', '"acc": NaN'), "a finite number is expected, found nan"),
    "lm_eval: an infinite score": ("lm_eval", "results_", replaced('"acc,none": 0.75', '"acc,none": Infinity'), "found inf"),
    "lm_eval: an id twice": ("lm_eval", "samples_", replaced('"doc_id": 7,', '"doc_id": 8,'), "the id '8' stands there twice"),
    "lm_eval: no ids": ("lm_eval", "samples_", replaced('"doc_id"', '"number"'), "no doc_id"),
    "lm_eval: no results": ("lm_eval", "results_", replaced('"results"', '"rows"'), "no object 'results'"),
    "eee: truncated": ("eee", "m.json", truncate, "not JSON"),
    "eee: truncated samples": ("eee", "m_samples", truncate, "line 40: not JSON"),
    "eee: NaN": ("eee", "m_samples", replaced('"score": 0.0', '"score": NaN'), "a finite number is expected"),
    "eee: an id twice": ("eee", "m_samples", replaced("evens-7", "evens-8"), "stands there twice"),
    "eee: no results": ("eee", "m.json", replaced("evaluation_results", "results"), "no list 'evaluation_results'"),
    "lighteval: truncated table": ("lighteval", "details_", truncate, "no whole Parquet file"),
    "lighteval: NaN": ("lighteval", "results_", replaced('"em": 0.75', '"em": NaN'), "a finite number is expected"),
    "lighteval: truncated": ("lighteval", "results_", truncate, "not JSON"),
    "inspect: truncated": ("inspect", "m.eval", truncate, "no whole zip archive"),
    "csv: no id": ("csv", "m.csv", replaced('"id"', '"idx"'), "no column 'id'"),
    "csv: no label": ("csv", "m.csv", replaced('"label"', '"labell"'), "no column 'label', and no column 'score' either"),
    "csv: an id twice": ("csv", "m.csv", replaced('"7"', '"8"'), "the id '8' stands there twice"),
    "csv: a field too many": ("csv", "m.csv", replaced('"7",', '"7","7",'), "line 9: 5 fields, the header has 4"),
    "csv: NaN": ("csv", "m.csv", replaced('"prediction","label"', '"score","x"'), "a finite number is expected, found 'yes'"),
    "csv: truncated": ("csv", "m.csv", truncate, "line 41"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_place_and_what_is_wrong(name: str, tmp_path: Path):
    tool, beginning, change, message = BAD[name]
    path = WRITERS[tool](tmp_path)
    change(next(file for file in tmp_path.rglob("*") if file.name.startswith(beginning)))
    with pytest.raises(HarnessError) as error:
        read_results(f"{tool}:{path}")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_an_archive_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path: Path):
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("header.json", '{"status": "success", "eval": {}, "x": "' + " " * 2**24 + '"}')
    with pytest.raises(HarnessError, match=r"header.json is refused: it unpacks to more than [\d,]+ bytes from"):
        read_results(f"inspect:{path}")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_journal/start.json", "{}")
    with pytest.raises(HarnessError, match=r"the evaluation did not end"):
        read_results(f"inspect:{path}")


def zstandard_archive(path: Path, log: dict, broken: bool = False) -> Path:
    """A log as inspect_ai packs it today: each file by Zstandard, in two frames, which a zip calls method 93."""
    zstandard = pytest.importorskip("zstandard")
    plain = write_inspect(path.with_name("plain.eval"), log)
    index, offset = b"", 0
    with zipfile.ZipFile(plain) as archive, path.open("wb") as file:
        names = archive.namelist()
        for name in names:
            content, encoded = archive.read(name), name.encode()
            half = len(content) // 2
            packed = b"".join(zstandard.compress(part) for part in (content[:half], content[half:]))
            crc = zlib.crc32(content) ^ (1 if broken and name == "header.json" else 0)
            facts = struct.pack("<5H3L2H", 45, 0, 93, 0, 33, crc, len(packed), len(content), len(encoded), 0)
            file.write(b"PK\x03\x04" + facts + encoded + packed)
            index += b"PK\x01\x02" + struct.pack("<H", 45) + facts + struct.pack("<3H2L", 0, 0, 0, 0, offset) + encoded
            offset = file.tell()
        file.write(index + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, len(names), len(names), len(index), offset, 0))
    return path


def test_inspect_reads_archives_that_are_packed_by_zstandard(tmp_path: Path):
    path = zstandard_archive(tmp_path / "a.eval", inspect_log(SCORES))
    assert {info.compress_type for info in zipfile.ZipFile(path).infolist()} == {93}
    assert only(f"inspect:{path}") == only(f"inspect:{tmp_path / 'plain.eval'}")
    path = zstandard_archive(tmp_path / "b.eval", inspect_log(SCORES), broken=True)
    with pytest.raises(HarnessError, match=r"header\.json cannot be unpacked: its checksum does not fit"):
        read_results(f"inspect:{path}")
    log = {**inspect_log(SCORES), "error": " " * 2**24}
    with pytest.raises(HarnessError, match=r"header\.json is refused: it unpacks to more than"):
        read_results(f"inspect:{zstandard_archive(tmp_path / 'c.eval', log)}")


def test_a_file_whose_bytes_do_not_fit_its_checksum_is_refused(tmp_path: Path):
    path = write_eee(tmp_path / "m.json", SCORES)
    content = json.loads(path.read_text())
    content["detailed_evaluation_results"] = {
        "format": "jsonl", "file_path": "data/evens/org/m/m_samples.jsonl", "hash_algorithm": "sha256", "checksum": "00",
    }  # fmt: skip
    path.write_text(json.dumps(content))
    with pytest.raises(HarnessError, match="do not fit the checksum"):
        read_results(f"eee:{path}")


@pytest.mark.parametrize("name", ["csv:", "csv:missing.csv", "lm_eval:nowhere"])
def test_what_is_not_there_is_said(name: str):
    with pytest.raises(HarnessError, match="no such file or folder"):
        read_results(name)


def test_a_path_that_no_reader_knows_is_refused_with_their_names(tmp_path: Path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(HarnessError, match=r"no reader recognizes it; say which: NAME:.*csv, eee, inspect"):
        recognized(str(tmp_path / "x.json"))
    with pytest.raises(HarnessError, match=r"Did you mean 'lm_eval'"):
        recognized("lm_evl:folder")


def test_scores_are_the_same_to_the_digits_that_were_reported():
    assert same_score(0.6667, 2 / 3) and not same_score(0.6657, 2 / 3)
    assert same_score(2 / 3, 2 / 3 + 1e-9) and not same_score(2 / 3, 0.66667)


def test_a_content_is_the_same_in_other_order_and_spacing():
    assert content_hash(["a  b", "c\n"]) == content_hash(["c", "a b", ""]) != content_hash(["a", "b c"])


def test_samples_of_another_moment_are_not_read(tmp_path: Path):
    write_lm_eval(tmp_path, {"evens": SCORES})
    path = next(tmp_path.rglob("samples_*"))
    path.rename(path.with_name(path.name.replace(MOMENT, "2025-01-01T00-00-00")))
    assert only(f"lm_eval:{tmp_path}").examples is None
