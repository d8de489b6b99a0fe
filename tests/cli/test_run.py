"""The line from data to leaderboard, through the command line, on small inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import SMALL, read_json


def cells(result: dict) -> dict[tuple, dict]:
    return {(cell["kind"], cell["task"], cell["split"], cell["model"], cell["seed"]): cell for cell in result["cells"]}


def test_a_run_ends_in_a_leaderboard_and_a_second_run_computes_nothing(small_run):
    harness, _, first = small_run
    assert "| majority" in first.stdout
    assert "| tfidf" in first.stdout
    assert "synthetic" in first.stdout.splitlines()[0]
    lines = first.stderr.strip().splitlines()
    assert lines[0].startswith("8 cells, 0 cached; 8 to compute")
    assert sum(line.startswith("[") for line in lines) == 8
    again = harness("run", *SMALL)
    assert again.stdout == first.stdout
    assert "8 cached" in again.stderr
    assert not any(line.startswith("[") for line in again.stderr.splitlines())


def test_every_score_says_what_it_rests_on(small_run):
    harness, _, _ = small_run
    result = read_json(harness("show", "--json").stdout)
    assert result["status"] == "done"
    assert len(result["scores"]) == 4
    for score in result["scores"]:
        assert score["n"] == 200
        assert score["seed"] == 0
        assert score["data"]["source"] == "synthetic"
        assert len(score["data"]["fingerprint"]) == 64
        assert len(score["lineage"]["finetune"]) == 64
        for one in score["scores"].values():
            assert one["low"] <= one["value"] <= one["high"]
            assert one["n"] == 200
            assert one["level"] == 0.95
            assert one["ceiling"]["low"] <= one["ceiling"]["value"] <= one["ceiling"]["high"]
            assert one["chance"] <= one["ceiling"]["value"]


def test_predictions_are_parquet_with_ids_labels_and_logits(small_run):
    import pyarrow.parquet as pq

    harness, folder, _ = small_run
    result = read_json(harness("show", "--json").stdout)
    score = next(one for one in result["scores"] if one["task"]["name"] == "cola" and one["model"]["name"] == "tfidf")
    table = pq.read_table(
        folder / "results" / "cells" / score["cell"][:2] / score["cell"] / "predictions.parquet"
    ).to_pandas()
    assert list(table.columns) == ["id", "prediction", "label", "oracle", "logits"]
    assert len(table) == 200
    assert table["id"].is_unique
    assert (table["logits"].map(lambda row: row.argmax()) == table["prediction"]).all()


def test_dry_run_computes_nothing_and_tells_the_cost(harness, tmp_path):
    done = harness("run", *SMALL, "--dry-run")
    assert "8 cells, 0 cached, 8 to compute: about" in done.stdout
    assert not list((tmp_path / "results" / "cells").iterdir())
    plan = read_json(harness("run", *SMALL, "--dry-run", "--json").stdout)
    assert len(plan["cells"]) == 8
    assert not any(cell["cached"] for cell in plan["cells"])
    assert read_json(harness("run", *SMALL, "--dry-run", "--json", "--workers", "3").stdout)["workers"] == 3


def test_a_changed_setting_recomputes_only_what_depends_on_it(harness, tmp_path):
    command = [
        "run",
        "--task",
        "cola",
        "--model",
        "majority",
        "--model",
        "bert-tiny",
        "--limit",
        "40",
        "--epochs",
        "1",
        "--json",
    ]
    harness(*command)
    after = cells(read_json(harness(*command, "--learning-rate", "0.002").stdout))
    assert (
        after["finetune", "cola", None, "majority", 0]["status"] == "done"
    )  # the model spec's training settings are part of its identity
    assert after["finetune", "cola", None, "bert-tiny", 0]["status"] == "done"
    again = cells(read_json(harness(*command).stdout))
    assert {cell["status"] for cell in again.values()} == {"cached"}


@pytest.mark.slow
def test_the_same_logits_at_any_number_of_workers(harness_process, tmp_path):
    import numpy as np
    import pyarrow.parquet as pq

    tasks = ["--task", "cola", "--task", "sst2", "--model", "bert-tiny"]
    command = ["run", *tasks, "--limit", "60", "--epochs", "2", "--json"]

    def logits(workers: int) -> list:
        out = f"with-{workers}"
        scores = read_json(harness_process(*command, "--workers", workers, "--out", out).stdout)["scores"]
        folders = [tmp_path / out / "cells" / one["cell"][:2] / one["cell"] for one in scores]
        tables = [pq.read_table(folder / "predictions.parquet") for folder in folders]
        return [np.stack(table.column("logits").to_pandas()) for table in tables]

    alone, together = logits(1), logits(2)
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))
    assert all(np.ptp(one) > 0 for one in alone)


def test_seeds_make_cells_of_their_own_except_where_they_change_nothing(harness, tmp_path):
    models = ["--model", "tfidf", "--model", "bert-tiny"]
    command = ["run", "--task", "stsb", *models, "--limit", "40", "--epochs", "1", "--seeds", "3"]
    result = read_json(harness(*command, "--json").stdout)
    seeds = {(score["model"]["name"], score["seed"]) for score in result["scores"]}
    assert seeds == {("tfidf", 0), ("bert-tiny", 0), ("bert-tiny", 1), ("bert-tiny", 2)}
    hashes = {score["predictions"]["sha256"] for score in result["scores"] if score["model"]["name"] == "bert-tiny"}
    assert len(hashes) > 1
    (table,) = read_json(harness("leaderboard", "--format", "json").stdout)["tables"]
    assert {row["label"]: row["seeds"] for row in table["rows"]} == {"tfidf": [1, 1], "bert-tiny": [3, 3]}


def test_the_best_epoch_is_kept_on_request_and_the_optimism_recorded(harness, tmp_path):
    command = [
        "run",
        "--task",
        "cola",
        "--model",
        "bert-tiny",
        "--limit",
        "120",
        "--epochs",
        "3",
        "--select",
        "best",
        "--json",
    ]
    score = read_json(harness(*command).stdout)["scores"][0]
    selection = score["selection"]
    assert selection["mode"] == "best"
    assert len(selection["history"]) == 3
    assert selection["history"][selection["epoch"] - 1] == max(selection["history"])
    assert "optimistic" in selection["note"]
    assert score["scores"]["matthews_correlation"]["value"] == pytest.approx(max(selection["history"]))
    assert "optimistic" in harness("show").stdout


def test_a_diagnostic_set_is_scored_with_the_model_of_its_task(harness, tmp_path):
    command = ["run", "--task", "mnli", "--task", "ax", "--model", "majority", "--limit", "50", "--json"]
    result = read_json(harness(*command).stdout)
    kinds = [(cell["kind"], cell["task"], cell["split"]) for cell in result["cells"]]
    assert kinds == [
        ("finetune", "mnli", None), ("score", "mnli", "dev_matched"), ("score", "mnli", "dev_mismatched"), ("score", "ax", "test"),
    ]  # fmt: skip


def test_a_failing_cell_leaves_the_others_alone_and_says_why(harness, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "bad.yaml").write_text(
        "name: bad\nlearner: transformer\nconfig: {model_type: bert, hidden_size: 30, num_attention_heads: 4}\ntokenizer: {vocab_size: 200}\n"
    )
    command = ["run", "--task", "cola", "--model", "bad", "--model", "majority", "--limit", "40", "--include", "mine"]
    done = harness(*command, code=1)
    assert "finetune cola bad seed 0: FAILED: " in done.stderr
    assert "score cola bad seed 0: skipped" in done.stderr
    assert "1 failed, 1 skipped, 2 done" in done.stderr
    assert "| majority" in done.stdout
    shown = harness("show").stdout
    assert "failures" in shown
    assert "hidden size" in shown.lower()
    again = harness(*command, code=1)
    assert "2 cached; 2 to compute" in again.stderr


def test_a_diverged_training_is_a_failure_with_its_cause(harness, tmp_path):
    command = [
        "run",
        "--task",
        "stsb",
        "--model",
        "bert-tiny",
        "--limit",
        "200",
        "--epochs",
        "4",
        "--learning-rate",
        "10",
    ]
    done = harness(*command, code=None)
    if done.returncode == 1:
        assert "diverged" in done.stderr or "not finite" in done.stderr
    else:
        assert done.returncode == 0


def test_score_recomputes_from_stored_predictions_and_finds_a_damaged_file(harness, tmp_path):
    result = read_json(harness("run", *SMALL, "--json").stdout)
    done = harness("score")
    assert done.stdout.count("same as stored") == 6
    other = harness("score", "--metric", "accuracy").stdout
    assert "accuracy" in other
    cell = result["scores"][0]["cell"]
    file = tmp_path / "results" / "cells" / cell[:2] / cell / "predictions.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    assert "predictions.parquet is damaged" in harness("score", code=2).stderr
    repaired = harness("run", *SMALL)
    assert "predictions.parquet is damaged" in repaired.stderr
    assert "1 to compute" in repaired.stderr
    harness("score")


def test_a_model_saved_by_transformers_is_loaded_fine_tuned_and_loads_again(harness, tmp_path):
    first = read_json(
        harness("run", "--task", "cola", "--model", "bert-tiny", "--limit", "60", "--epochs", "1", "--json").stdout
    )
    cell = next(cell for cell in first["cells"] if cell["kind"] == "finetune")["cell"]
    folder = tmp_path / "results" / "cells" / cell[:2] / cell / "model"
    assert not list(folder.glob("*.bin"))
    result = read_json(
        harness("run", "--task", "mnli", "--model", folder, "--limit", "60", "--epochs", "1", "--json").stdout
    )
    assert result["status"] == "done"
    assert result["scores"][0]["model"]["weights"]

    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.id2label == {0: "unacceptable", 1: "acceptable"}
    assert AutoTokenizer.from_pretrained(folder)("A b.")["input_ids"]


def test_a_run_file_has_the_same_keys_as_the_flags_and_flags_win(harness, tmp_path):
    (tmp_path / "run.yaml").write_text("task: [cola]\nmodel: majority\nlimit: 50\nseeds: 2\n")
    result = read_json(harness("run", "--config", "run.yaml", "--limit", "30", "--json").stdout)
    assert result["spec"]["limit"] == 30
    assert result["scores"][0]["n"] == 30


def test_leaderboards_come_in_four_formats_and_to_a_file(small_run):
    harness, folder, _ = small_run
    assert "| " in harness("leaderboard").stdout
    assert "\\begin{tabular}" in harness("leaderboard", "--format", "latex").stdout
    assert harness("leaderboard", "--format", "csv").stdout.count("\n") >= 6
    harness("leaderboard", "--format", "json", "--output", "board.json")
    assert json.loads((folder / "board.json").read_text())


def test_runs_on_different_amounts_of_data_are_never_in_one_table(harness, tmp_path):
    harness("run", "--task", "cola", "--model", "majority", "--limit", "50", "--quiet")
    harness("run", "--task", "cola", "--model", "tfidf", "--limit", "60", "--quiet")
    tables = harness("leaderboard").stdout.split("\n\n|")
    assert not any("majority" in table and "tfidf" in table for table in tables)


def test_quiet_says_nothing_and_json_prints_one_document(small_run):
    harness, _, _ = small_run
    done = harness("run", *SMALL, "--quiet")
    assert (done.stdout, done.stderr) == ("", "")
    assert read_json(harness("run", *SMALL, "--json").stdout)["status"] == "done"


def test_doctor_and_lists_tell_what_there_is(harness, tmp_path):
    facts = read_json(harness("doctor", "--json", HF_HUB_OFFLINE="1").stdout)
    assert facts["calibration"]["threads"] >= 1
    assert facts["hub"] != "reachable"
    for kind, name in (("tasks", "cola"), ("suites", "glue"), ("models", "bert-tiny"), ("metrics", "accuracy")):
        assert name in harness("list", kind).stdout
        assert name in [row["name"] for row in read_json(harness("list", kind, "--json").stdout)]


@pytest.mark.process
@pytest.mark.parametrize("verb", ["", "run", "leaderboard"])
def test_help_imports_nothing_heavy(harness, verb, tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-X", "importtime", "-m", "harness", *([verb] if verb else []), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert not imported & {
        "torch",
        "transformers",
        "datasets",
        "evaluate",
        "pandas",
        "numpy",
        "sklearn",
        "scipy",
        "pyarrow",
    }


@pytest.mark.process
def test_a_fully_cached_run_imports_no_model_code(small_run, machine_cache):
    import os
    import subprocess
    import sys

    _, folder, _ = small_run
    command = [sys.executable, "-X", "importtime", "-m", "harness", "run", *SMALL]
    environment = {**os.environ, "HARNESS_CACHE": str(machine_cache)}  # the machine is known by its calibration
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment)
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert imported & {"torch", "transformers", "datasets", "evaluate", "pandas", "sklearn", "scipy"} == set()


def test_any_csv_of_texts_and_labels_can_be_trained_on(harness, tmp_path, reviews):
    result = read_json(
        harness(
            "run", "--task", "text-classification", "--model", "tfidf", "--data", reviews / "train.csv", "--json"
        ).stdout
    )
    (score,) = result["scores"]
    assert score["n"] > 0
    assert "5 rows of train serve as dev" in " ".join(score["data"]["notes"])
    assert set(score["scores"]) == {"accuracy", "macro_f1"}


def test_a_split_without_labels_gets_predictions_and_no_score(harness, tmp_path):
    folder = tmp_path / "glue"
    (folder / "MNLI").mkdir(parents=True)
    (folder / "diagnostic").mkdir()
    labels = ["entailment", "neutral", "contradiction"]
    rows = "".join(f"{index}\tA man sleeps {index}.\tHe rests {index}.\t{labels[index % 3]}\n" for index in range(12))
    for name in ("train", "dev_matched", "dev_mismatched"):
        (folder / "MNLI" / f"{name}.tsv").write_text("index\tsentence1\tsentence2\tgold_label\n" + rows)
    (folder / "diagnostic" / "diagnostic.tsv").write_text(
        "index\tsentence1\tsentence2\n0\tA cat.\tAn animal.\n1\tA dog.\tA cat.\n"
    )
    done = harness("run", "--task", "mnli", "--task", "ax", "--model", "majority", "--data", folder)
    assert "Without labels, so predictions only: ax" in done.stdout
    assert "no labels; 2 predictions written" in harness("show").stdout


@pytest.mark.process
def test_shell_completion_knows_the_tasks(tmp_path):
    import os
    import subprocess
    import sys

    environment = {
        **os.environ,
        "_HARNESS_COMPLETE": "complete_bash",
        "COMP_WORDS": "harness run --task col",
        "COMP_CWORD": "3",
    }
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'harness'; from harness.cli.app import main; main()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split() == ["cola"]


@pytest.mark.nightly
@pytest.mark.process
@pytest.mark.slow
def test_the_whole_embedded_suite_stays_below_its_ceilings_and_within_memory(harness, machine_cache, tmp_path):
    """The main job, `harness run --suite glue`, with fewer epochs."""
    import contextlib
    import os
    import subprocess
    import sys

    import psutil

    environment = {**os.environ, "HARNESS_CACHE": str(machine_cache)}
    peak = 0
    with (tmp_path / "run.json").open("w") as output, (tmp_path / "errors.txt").open("w") as errors:
        command = [sys.executable, "-m", "harness", "run", "--suite", "glue", "--epochs", "2", "--json", "--quiet"]
        run = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=errors)
        while run.poll() is None:
            resident = 0
            for process in [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    resident += process.memory_info().rss
            peak = max(peak, resident)
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(0.5)
    assert run.returncode == 0, (tmp_path / "errors.txt").read_text()
    assert peak < 4 * 2**30
    result = read_json((tmp_path / "run.json").read_text())
    assert {score["task"]["name"] for score in result["scores"]} == set(result["suites"][0]["tasks"])
    assert {score["model"]["name"] for score in result["scores"]} == {"majority", "tfidf", "bert-tiny"}
    for score in result["scores"]:
        for name, one in score["scores"].items():
            assert one["value"] <= one["ceiling"]["high"], f"{score['task']['name']} {score['model']['name']} {name}"
    again = read_json(harness("run", "--suite", "glue", "--epochs", "2", "--json").stdout)
    assert {cell["status"] for cell in again["cells"]} == {"cached"}
