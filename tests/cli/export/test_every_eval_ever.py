"""Results in the schema of Every Eval Ever, and as the hub reads them."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from harness.core.store import Store
from harness.exchange.reader import read_results
from harness.gating.estimates import UNPAIRED
from harness.report.export.eval_results import write_eval_results
from harness.report.export.source import find_model
from tests.conftest import Harness, call_harness, read_json

REQUIRED = {
    "schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library",
    "evaluation_results",
}  # fmt: skip
SAMPLE = {
    "schema_version", "evaluation_id", "model_id", "evaluation_name", "evaluation_result_id", "sample_id", "sample_hash",
    "interaction_type", "input", "output", "answer_attribution", "evaluation",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Harness, Path]:
    folder = tmp_path_factory.mktemp("eee")
    call = partial(call_harness, folder, machine_cache)
    call(
        "run",
        "--task",
        "sst2",
        "--task",
        "stsb",
        "--model",
        "tfidf",
        "--model",
        "majority",
        "--seeds",
        "2",
        "--limit",
        "60",
        "-q",
    )
    call("export", "eee", "--model", "tfidf", "--organization", "us", "-o", "mine")
    return call, folder


@pytest.mark.slow
def test_scores_and_examples_are_in_the_schemas_form(place):
    _, folder = place
    (path,) = (folder / "mine").rglob("*.json")
    content = json.loads(path.read_text())
    assert set(content) == REQUIRED | {"evaluation_timestamp", "detailed_evaluation_results"}
    assert content["source_metadata"]["source_organization_name"] == "us"
    for result in content["evaluation_results"]:
        config, details = result["metric_config"], result["score_details"]
        assert config["min_score"] <= details["score"] <= config["max_score"]
        assert details["uncertainty"]["num_samples"] == 60
        assert all(isinstance(value, str) for value in details["details"].values())
    lines = [json.loads(line) for line in path.with_name(f"{path.stem}_samples.jsonl").read_text().splitlines()]
    detailed = content["detailed_evaluation_results"]
    assert detailed["total_rows"] == len(lines)
    assert (folder / "mine" / detailed["file_path"]).read_bytes()
    assert re.fullmatch(
        r"data/nlp-harness/unknown/tfidf/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_samples\.jsonl",
        detailed["file_path"],
    )
    assert all(set(line) == SAMPLE for line in lines)
    assert {line["evaluation_id"] for line in lines} == {content["evaluation_id"]}
    assert {line["evaluation_result_id"] for line in lines} <= {
        result["evaluation_result_id"] for result in content["evaluation_results"]
    }


@pytest.mark.slow
def test_what_is_written_is_read_checked_and_identical(place):
    call, _ = place
    assert "nothing is wrong" in call("check", "mine").stdout
    content = read_json(call("compare", "latest", "eee:mine", "--model", "tfidf", "--format", "json").stdout)
    verdicts = {f"{row['task']} {row['metrics'][0]}": (row["verdict"], row["test"]) for row in content["rows"]}
    assert verdicts["sst2 accuracy"][0] == "IDENTICAL"
    assert verdicts["stsb:pearson pearson"][1] == UNPAIRED  # a score of all examples at once, which has none of each


@pytest.mark.slow
def test_each_seed_is_a_result_of_its_own(place):
    _, folder = place
    outcomes = [outcome for outcome in read_results(f"eee:{folder / 'mine'}").outcomes if outcome.task == "sst2"]
    assert {outcome.seed for outcome in outcomes} == {0} or {outcome.seed for outcome in outcomes} == {0, 1}
    assert all(outcome.mean == pytest.approx(outcome.score) for outcome in outcomes)


@pytest.mark.slow
def test_without_samples_there_is_one_file(place):
    call, folder = place
    done = call("export", "eee", "--model", "majority", "--no-samples", "-o", "bare")
    (path,) = filter(Path.is_file, (folder / "bare").rglob("*"))
    assert done.stdout.strip() == str(path.relative_to(folder))
    assert "give --model" in call("export", "eee", "-o", "x", code=2).stderr


@pytest.mark.slow
def test_the_hub_reads_what_is_written_for_it(place, tmp_path: Path):
    call, folder = place
    done = call("export", "eval-results", "tfidf:sst2", "--dataset", "nyu-mll/glue", "-o", "repo", code=2)
    assert "synthetic data, which is no benchmark of the hub" in done.stderr and not (folder / "repo").exists()
    model = find_model(Store(folder / "results"), "latest", "tfidf:sst2")
    record = model.first("sst2")
    for location, dataset in (("hub nyu-mll/glue:sst2@" + "0" * 40, None), ("folder", "nyu-mll/glue")):
        data = record.data.model_copy(update={"source": "hub" if dataset is None else "folder", "location": location})
        records = {"sst2": [record.model_copy(update={"data": data})]}
        changed = type(model)(model.name, model.run, records, model.metric_scores)
        (path,) = write_eval_results(changed, tmp_path / "repo", dataset, "sst2" if dataset else None, None)
        assert path == tmp_path / "repo" / ".eval_results" / "sst2.yaml"
        (entry,) = parse_eval_result_entries(yaml.safe_load(path.read_text()))
        assert (entry.dataset_id, entry.task_id) == ("nyu-mll/glue", "sst2")
        assert entry.dataset_revision == ("0" * 40 if dataset is None else None)
        assert entry.value == model.metric_scores["sst2"][0].estimate.value
        assert entry.notes is not None and "accuracy on dev, 60 examples" in entry.notes


@pytest.mark.slow
def test_two_tasks_are_no_single_benchmark(place):
    call, _ = place
    done = call("export", "eval-results", "tfidf", "--dataset", "a/b", "-o", "repo", code=2)
    assert "are of one task" in done.stderr and "tfidf:sst2" in done.stderr
