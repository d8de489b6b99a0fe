"""Scores under attack, through the command line, on cheap models."""

from __future__ import annotations

import shutil
from functools import partial

import pyarrow.parquet as pq
import pytest

from tests.conftest import call_harness, read_json

ATTACKED = (
    *("run", "--task", "sst2", "--task", "mnli", "--model", "tfidf", "--model", "majority", "--limit", "120"),
    *("--attack", "deepwordbug:examples=30,queries=60"),
)


@pytest.fixture(scope="module")
def attacked_run(machine_cache, tmp_path_factory):
    """The command line in the folder of one finished run under attack, that folder, and what the run printed."""
    folder = tmp_path_factory.mktemp("attacked-run")
    call = partial(call_harness, folder, machine_cache)
    return call, folder, call(*ATTACKED)


def records_of(harness) -> dict:
    scores = read_json(harness("show", "--json").stdout)["scores"]
    return {(one["task"]["name"], one["model"]["name"], one["split"]): one for one in scores}


def test_a_record_says_how_a_model_was_attacked_and_what_came_of_it(attacked_run):
    harness, folder, _ = attacked_run
    records = records_of(harness)
    clean, attacked = records["sst2", "tfidf", "dev"], records["sst2+deepwordbug", "tfidf", "dev"]
    assert attacked["lineage"]["finetune"] == clean["lineage"]["finetune"]
    assert attacked["data"]["splits"]["dev"]["clean"] == clean["data"]["splits"]["dev"]["fingerprint"]
    facts = attacked["attack"]
    assert (facts["method"], facts["options"]["queries"], facts["examples"]) == ("deepwordbug", 60, 30)
    assert facts["attacked"] > facts["succeeded"] > 0
    assert facts["after"]["value"] == attacked["scores"]["accuracy"]["value"]
    for name in ("before", "after", "success_rate", "changed", "similarity", "queries"):
        assert facts[name]["low"] <= facts[name]["value"] <= facts[name]["high"]
    (path,) = folder.glob(f"results/cells/*/{attacked['cell']}/predictions.parquet")
    rows = pq.read_table(path).to_pylist()
    assert len(rows) == 30 and max(row["queries"] for row in rows) <= 60
    for row in rows:
        assert (row["attack"] == "skipped") == (row["before"] != row["label"])
        assert (row["attack"] == "succeeded") == (row["before"] == row["label"] != row["prediction"])
        assert row["attacked"] != row["original"] or row["attack"] != "succeeded"
    majority = records["sst2+deepwordbug", "majority", "dev"]["attack"]
    assert majority["succeeded"] == 0 and "changed" not in {key for key, value in majority.items() if value is not None}


def test_attacked_tasks_are_diagnostics_and_cached_like_any(attacked_run):
    harness, _, first = attacked_run
    assert "sst2+deepwordbug †" in first.stdout and "mnli+deepwordbug †" in first.stdout
    assert "16 cells: 16 cached" in harness(*ATTACKED).stderr
    other = read_json(harness(*ATTACKED[:-1], "deepwordbug:examples=30,queries=61", "--dry-run", "--json").stdout)
    assert {cell["task"] for cell in other["cells"] if not cell["cached"]} == {
        "sst2+deepwordbug", "mnli+deepwordbug",
    }  # fmt: skip


@pytest.mark.slow
def test_parts_of_an_attack_are_shared_by_workers_and_kept(machine_cache, tmp_path):
    asked = (*ATTACKED[:3], "--model", "tfidf", "--limit", "120", "--attack", "deepwordbug:examples=120,queries=60")

    def cells_of(folder):
        return {path.parent: read_json(path.read_text()) for path in folder.glob("results/cells/*/*/record.json")}

    files = []
    for workers in ("1", "2"):
        folder = tmp_path / workers
        folder.mkdir()
        call = partial(call_harness, folder, machine_cache)
        call(*asked, "--workers", workers)
        files.append({record["cell"]: record.get("files") for record in cells_of(folder).values()})
    assert files[0] == files[1]
    records = cells_of(folder)
    parts = {record["first"]: path for path, record in records.items() if record["kind"] == "attack"}
    assert {first: records[path]["n"] for first, path in parts.items()} == {0: 40, 40: 40, 80: 40}
    (score,) = (path for path, record in records.items() if record.get("attack"))
    whole = records[score]["attack"]
    assert whole["succeeded"] == sum(records[path]["succeeded"] for path in parts.values()) > 0
    assert f"{records[parts[40]]['succeeded']} of 40 examples, from number 41 on, fool it" in call("show").stdout
    shutil.rmtree(parts[40])
    assert ": 3 cached" in call(*asked).stderr, "what a score was made of need not be there"
    shutil.rmtree(score)
    assert ": 2 done, 4 cached" in call(*asked).stderr
    assert {record["cell"]: record.get("files") for record in cells_of(folder).values()} == files[0]


def test_robustness_has_a_table_of_attacks(attacked_run):
    harness, _, _ = attacked_run
    text = harness("leaderboard", "--robustness").stdout
    assert text.startswith("### attacks on synthetic data, generated: not GLUE")
    content = read_json(harness("leaderboard", "--robustness", "--format", "json").stdout)
    (table,) = content["attacks"]
    assert content["tables"] == []
    rows = {(row["task"], row["split"], row["model"]): row for row in table["rows"]}
    assert set(rows) == {
        (task, split, model)
        for task, split in (("sst2", "dev"), ("mnli", "dev_matched"), ("mnli", "dev_mismatched"))
        for model in ("tfidf", "majority")
    }
    fooled, holds = rows["sst2", "dev", "tfidf"], rows["sst2", "dev", "majority"]
    assert fooled["after"]["value"] < fooled["before"]["value"]
    assert holds["after"]["value"] == holds["before"]["value"] and holds["similarity"] is None


def test_the_gate_judges_a_score_under_attack_and_refuses_another_attack(attacked_run):
    harness, _, _ = attacked_run
    harness("baseline", "accept", "latest", "--name", "attacked")
    same = harness("gate", "--baseline", "attacked", code=None)
    assert "sst2+deepwordbug" in same.stdout and "IDENTICAL" in same.stdout
    other = (*ATTACKED[:-1], "deepwordbug:examples=30,queries=30")
    harness(*other, "--quiet")
    refused = harness("gate", "--baseline", "attacked", code=None)
    assert "other data" in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "sst2", "--attack", "deepwordbg"), "unknown attack 'deepwordbg' in --attack. Did you mean"),
        (("--task", "sst2", "--attack", "typos"), "that is noise, not an attack; give --noise typos"),
        (("--task", "sst2", "--noise", "bae"), "that is an attack, not noise; give --attack bae"),
        (("--task", "sst2+deepwordbag",), "Did you mean 'deepwordbug'?"),
        (("--task", "stsb", "--attack", "deepwordbug"), "no task of the run has texts and answers with a class of its own"),
        (("--task", "squad+deepwordbug",), "ask for squad"),
        (("--task", "sst2", "--attack", "deepwordbug:queries"), "'queries' is no NAME=VALUE"),
        (("--task", "sst2", "--attack", "deepwordbug:budget=3"), "unknown key 'budget'"),
        (("--task", "sst2", "--attack", "deepwordbug:queries=0"), "queries"),
        (("--task", "sst2", "--attack", "bae"), "key 'model' is missing"),
        (("--task", "sst2", "--attack", "bae:model=nowhere"), "nowhere is no folder of a model"),
        (("--task", "sst2", "--attack", "textfooler:synonyms=no.tsv"), "no such file"),
        (("--task", "sst2", "--attack", "textfooler", "--attack", "textfooler:queries=9"), "textfooler is given twice"),
        (("--task", "sst2", "--attack", "deepwordbug:encoder=nowhere"), "nowhere is no folder of a model"),
        (("--task", "sst2", "--attack", "deepwordbug:field=premise"), "sst2 has no such text, only text"),
        (("--task", "sst2", "--attack", "deepwordbug", "--folds", "3"), "does not go with --folds"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(harness, arguments, message):
    done = harness("run", "--model", "tfidf", "--limit", "50", *arguments, code=2)
    assert len(done.stderr.strip().splitlines()) == 1
    assert message in done.stderr


def test_a_run_file_names_attacks_by_mappings(harness, tmp_path):
    (tmp_path / "run.yaml").write_text(
        "task: [sst2]\nmodel: [tfidf]\nlimit: 60\nattack: [{deepwordbug: {examples: 10, protect: [film, story]}}]\n"
    )
    harness("run", "--config", "run.yaml", "--quiet")
    facts = records_of(harness)["sst2+deepwordbug", "tfidf", "dev"]["attack"]
    assert facts["options"]["protect"] == ["film", "story"] and facts["examples"] == 10


@pytest.mark.slow
def test_one_worker_and_two_find_the_same(harness_process, tmp_path):
    made = []
    for workers in ("1", "2"):
        folder = f"by-{workers}"
        harness_process(*ATTACKED, "--executor", "local", "--workers", workers, "--results", folder, "--quiet")
        paths = sorted((tmp_path / folder).glob("cells/*/*/predictions.parquet"))
        made.append({path.parent.name: path.read_bytes() for path in paths})
    assert len(made[0]) >= 6 and made[0] == made[1]


def test_behaviour_is_tested_by_a_file_and_failing_examples_are_listed(harness, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "name: mine\ntests:\n- {name: bad end, change: {append: It was awful.}}\n"
        "- {name: praise, change: {append: It was superb.}, label: positive, direction: not-higher, tolerance: 0.001}\n"
    )
    asked = ("run", "--task", "sst2", "--task", "stsb", "--model", "tfidf", "--limit", "80", "--checks", "mine.yaml")
    assert "sst2+mine †" in harness(*asked).stdout
    record = records_of(harness)["sst2+mine", "tfidf", "dev"]
    assert set(record["scores"]) == {"pass_rate"} and record["scores"]["pass_rate"]["chance"] is None
    (table,) = read_json(harness("leaderboard", "--robustness", "--format", "json").stdout)["checks"]
    rows = {row["test"]: row for row in table["rows"]}
    assert rows["bad end"]["kind"] == "invariance" and rows["praise"]["kind"] == "directional"
    passed = record["scores"]["pass_rate"]["value"]
    failed = sum(row["failure_rate"]["value"] * row["examples"] for row in rows.values())
    assert failed == pytest.approx((1 - passed) * record["n"]) and failed > 0
    example = rows["praise"]["failing"][0]
    assert example["changed"] == f"{example['original']} It was superb."
    assert "It was superb.” is" in harness("leaderboard", "--robustness").stdout
    assert "cached" in harness(*asked).stderr
    for given, message in (
        (("--checks", "sentimant"), "unknown checks 'sentimant' in --checks. Did you mean 'sentiment'?"),
        (("--checks", "no.yaml"), "--checks no.yaml: no such file"),
        (("--checks", "mine.yaml", "--checks", "mine.yaml"), "there are two of the name mine"),
        (("--checks", "mine.yaml", "--folds", "2"), "do not go with --folds"),
    ):
        done = harness("run", "--task", "sst2", "--model", "tfidf", "--limit", "80", *given, code=2)
        assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    done = harness("run", "--task", "stsb", "--model", "tfidf", "--limit", "80", "--checks", "mine.yaml", code=2)
    assert "no task of the run has texts and answers with a class of its own" in done.stderr
