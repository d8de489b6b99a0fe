"""Results in the form of lm-evaluation-harness, and its own code reading them."""

from __future__ import annotations

import json

import pytest

from harness.core.store import Store
from harness.report.export.lm_eval import results
from harness.report.export.source import find_model
from tests.conftest import read_json


@pytest.fixture(scope="module")
def content(small_run) -> dict:
    store = Store(small_run[1] / "results")
    return results(store, find_model(store, "latest", "tfidf"))


def test_every_task_has_its_scores_and_their_standard_errors(content, small_run):
    run = read_json(small_run[0]("show", "--json").stdout)
    mine = {one["task"]["name"]: one for one in run["scores"] if one["model"]["name"] == "tfidf"}
    assert set(content["results"]) == set(mine) == {"cola", "stsb"}
    mcc = mine["cola"]["scores"]["matthews_correlation"]
    assert content["results"]["cola"] == {
        "alias": "cola",
        "mcc,none": pytest.approx(mcc["value"]),
        "mcc_stderr,none": pytest.approx((mcc["high"] - mcc["low"]) / 3.92, rel=1e-3),
    }
    assert content["n-samples"]["cola"] == {"original": mcc["n"], "effective": mcc["n"]}
    assert content["higher_is_better"]["stsb"] == {"pearson": True, "spearman": True}
    assert content["configs"]["cola"]["metadata"]["data_fingerprint"] == mine["cola"]["data"]["fingerprint"]


def test_all_sections_speak_of_the_same_tasks(content):
    for section in ("configs", "versions", "n-shot", "higher_is_better", "n-samples", "group_subtasks"):
        assert set(content[section]) == set(content["results"]), section
    assert content["date"] > 1.7e9
    assert content["n-shot"] == {"cola": 0, "stsb": 0}


def test_the_command_writes_one_model_a_file(small_run, tmp_path):
    call = small_run[0]
    assert "give --model" in call("export", "lm-eval", code=2).stderr
    call("export", "lm-eval", "--model", "tfidf", "-o", tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text())["model_name"] == "tfidf"
    assert "Did you mean 'tfidf'" in call("export", "lm-eval", "--model", "tfidff", code=2).stderr


def test_its_own_table_shows_them(content):
    utils = pytest.importorskip("lm_eval.utils", reason="lm_eval is not installed: pip install nlp-harness[lm-eval]")
    pytest.importorskip("pytablewriter")
    table = utils.make_table(json.loads(json.dumps(content)))
    (line,) = [line for line in table.splitlines() if "cola" in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    value, error = content["results"]["cola"]["mcc,none"], content["results"]["cola"]["mcc_stderr,none"]
    assert cells[:5] == ["cola", "1", "none", "0", "mcc"]
    assert cells[6:] == [f"{value:.4f}", "±", f"{error:.4f}"]
