"""Tasks of a task library on the command line: lm_eval's, of a folder of one's own, so that no hub is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import zoo
from tests.unit.libraries import lm_eval_rows
from tests.unit.libraries.test_lm_eval_tasks import TASK

pytest.importorskip("lm_eval", reason="lm_eval is not installed")

WRITTEN = """
task: sums
dataset_path: json
dataset_kwargs:
  data_files: {{test: {file}, train: {file}}}
output_type: generate_until
training_split: train
test_split: test
num_fewshot: 1
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 4}}
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
filter_list:
  - {{name: strict, filter: [{{function: regex, regex_pattern: "#### ([0-9]+)"}}, {{function: take_first}}]}}
  - {{name: loose, filter: [{{function: regex, group_select: -1, regex_pattern: "([0-9]+)"}}, {{function: take_first}}]}}
"""
GROUP = """
group: both
task: [mine, other]
aggregate_metric_list:
  - {metric: acc, weight_by_size: true}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three tasks: one that is chosen from, a longer one of its kind, and one that is written; a group of the first."""
    tasks = tmp_path / "tasks"
    tasks.mkdir()

    def write(name: str, rows: list) -> Path:
        file = tasks / name
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return file

    few = write("few.jsonl", lm_eval_rows.rows(lm_eval_rows.arc, 12))
    many = write("many.jsonl", lm_eval_rows.rows(lm_eval_rows.arc, 36, 5))
    sums = write("sums.jsonl", lm_eval_rows.rows(lm_eval_rows.numbered, 6))
    (tasks / "mine.yaml").write_text(TASK.format(file=few))
    (tasks / "other.yaml").write_text(TASK.format(file=many).replace("task: mine", "task: other"))
    (tasks / "sums.yaml").write_text(WRITTEN.format(file=sums))
    (tasks / "both.yaml").write_text(GROUP)
    return tasks


@pytest.fixture
def gpt(tmp_path: Path) -> Path:
    return zoo.save(tmp_path / "gpt", "gpt2", n_positions=256)


def records(results: Path) -> list[dict]:
    return [json.loads(file.read_text()) for file in results.glob("cells/*/*/record.json")]


def test_a_model_is_scored_on_tasks_of_a_library_and_scores_are_kept(harness, folder, gpt, tmp_path):
    asked = ("evaluate", gpt, "--task", "lm_eval:mine", "--task", "lm_eval:sums", "--include", f"lm_eval:{folder}")
    done = harness(*asked)
    assert "2 done" in done.stderr and "lm_eval:mine" in done.stdout
    assert "2 cached" in harness(*asked).stderr
    scored = {record["task"]["name"]: record for record in records(tmp_path / "results") if record["kind"] == "score"}
    mine, sums = scored["lm_eval:mine"], scored["lm_eval:sums"]
    assert mine["n"] == 12 and mine["data"]["source"] == "lm_eval" and mine["data"]["splits"]["test"]["fingerprint"]
    assert set(mine["scores"]) == {"lm_eval:acc"}
    assert mine["scores"]["lm_eval:acc"]["signature"].endswith("|acc,none|aggregation:mean")
    assert set(sums["scores"]) == {"lm_eval:exact_match,strict", "lm_eval:exact_match,loose"}
    assert sums["decoding"]["num_fewshot"] == 1
    assert "same as stored" in harness("score").stdout


def test_another_definition_is_another_score(harness, folder, gpt):
    asked = ("evaluate", gpt, "--task", "lm_eval:mine", "--include", f"lm_eval:{folder}")
    harness(*asked)
    (folder / "mine.yaml").write_text((folder / "mine.yaml").read_text() + "target_delimiter: ''\n")
    assert "1 done" in harness(*asked).stderr


def test_a_group_is_a_suite_with_its_own_average(harness, folder, gpt, tmp_path):
    done = harness("evaluate", gpt, "--task", "lm_eval:both", "--include", f"lm_eval:{folder}")
    assert "The average weighs tasks by their examples." in done.stdout
    by_task = {
        record["task"]["name"]: record["scores"]["lm_eval:acc"]["value"] for record in records(tmp_path / "results")
    }
    expected = (12 * by_task["lm_eval:mine"] + 36 * by_task["lm_eval:other"]) / 48
    assert f"| {100 * expected:.1f} [" in done.stdout.replace("|  ", "| ").replace("|  ", "| ")


def test_two_models_are_compared_and_gated_on_their_examples(harness, folder, gpt, tmp_path):
    other = zoo.save(tmp_path / "other-gpt", "gpt2", n_positions=256, n_layer=1)
    asked = ("--task", "lm_eval:other", "--include", f"lm_eval:{folder}")
    runs = []
    for model in (gpt, other):
        harness("evaluate", f"m={model}", *asked)
        runs.append(json.loads(harness("show", "--json").stdout)["run"])
    compared = harness("compare", *runs, "--include", f"lm_eval:{folder}").stdout
    assert "lm_eval:other (lm_eval:acc)" in compared and "36 |" in compared
    assert "of 36" in compared and "Question: Which one" in compared
    assert '{"answer"' not in compared, "answers are shown, not how they are kept"
    harness("baseline", "accept", runs[0], "--name", "first")
    assert "lm_eval:other (lm_eval:acc)" in harness("gate", "--baseline", "first", code=None).stdout


@pytest.mark.slow
def test_a_compressed_model_answers_in_its_runtime(harness, folder, gpt, tmp_path):
    asked = (
        "--task",
        "lm_eval:mine",
        "--task",
        "lm_eval:sums",
        "--include",
        f"lm_eval:{folder}",
        "--executor",
        "inline",
    )
    harness("run", "--model", gpt, "--compress", "onnx", *asked)
    scored = [record for record in records(tmp_path / "results") if record["kind"] == "score"]
    assert {record["runtime"] for record in scored} == {None, "onnxruntime"}
    for name in ("lm_eval:mine", "lm_eval:sums"):
        hashes = {record["predictions"]["sha256"] for record in scored if record["task"]["name"] == name}
        assert len(hashes) == 1, "the same answers"


def test_the_page_shows_what_was_asked_and_answered(harness, folder, gpt, tmp_path):
    harness("evaluate", gpt, "--task", "lm_eval:mine", "--include", f"lm_eval:{folder}")
    page = tmp_path / "page.html"
    harness("leaderboard", "--html", page, "--include", f"lm_eval:{folder}")
    text = page.read_text()
    assert "Question: Which one" in text and "film opened" in text


def test_names_are_listed(harness, folder):
    listed = json.loads(
        harness("list", "tasks", "--source", "lm_eval", "--include", f"lm_eval:{folder}", "--json").stdout
    )
    kinds = {row["name"]: row["kind"] for row in listed}
    assert kinds["lm_eval:mine"] == "task" and kinds["lm_eval:both"] == "group" and kinds["lm_eval:hellaswag"] == "task"
    assert "lm_eval" in harness("list", "libraries").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "{gpt}", "--task", "lm_eval:hellaswg"], "Did you mean 'lm_eval:hellaswag'?"),
        (["evaluate", "{gpt}", "--task", "lm_evl:hellaswag"], "Did you mean 'lm_eval'?"),
        (["evaluate", "{gpt}", "--task", "lm_eval:humaneval"], "runs the code that a model writes"),
        (["evaluate", "{gpt}", "--task", "lm_eval:mine", "--test", "x.csv"], "says itself what is read and scored"),
        (["run", "--task", "lm_eval:mine", "--model", "tfidf"], "nothing to run"),
        (["run", "--task", "sst2", "--data", "lm_eval", "--model", "tfidf"], "it is the data of lm_eval's own tasks"),
        (["list", "suites", "--source", "lm_eval"], "a task library has tasks, not suites"),
        (["list", "tasks", "--source", "lm_evl"], "Did you mean 'lm_eval'?"),
        (["list", "tasks", "--include", "lm_eval:/no/where"], "no such folder of lm_eval's tasks"),
    ],
)
def test_what_cannot_be_done_is_a_line(harness, folder, gpt, arguments, message):
    given = [argument.format(gpt=gpt) for argument in arguments]
    failed = harness(*given, *(() if "--include" in given else ("--include", f"lm_eval:{folder}")), code=2)
    assert message in failed.stderr and "Traceback" not in failed.stderr
