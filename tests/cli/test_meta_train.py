"""`harness meta-train`, and model specs that are meta-trained in a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import read_json

RECIPE = """\
name: tiny
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64}
tokenizer: {kind: wordpiece, vocab_size: 600, corpus: pretraining}
pretraining: {objective: mlm, sentences: 300, steps: 0, block_size: 32, batch_size: 8}
training: {learning_rate: 1.0e-3, epochs: 1}
"""
META = "meta: {method: fomaml, tasks: [topics-how-1, topics-where-outdoors-1], steps: 4, episodes: 2, limit: 60, k: 4, queries: 2, inner_steps: 2}\n"


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    (tmp_path / "meta.yaml").write_text(RECIPE.replace("tiny", "tiny-meta") + META)
    return ("--include", "tiny.yaml", "--include", "meta.yaml")


def test_a_model_is_meta_trained_in_a_run_and_its_records_know_from_what(harness, tiny, tmp_path):
    tasks = ("--task", "topics-what-made-1", "--task", "topics-how-1", "--k-shot", "2", "--draws", "2", "--limit", "40")
    command = ("run", *tiny, "--model", "tiny-meta", *tasks, "--epochs", "1", "--executor", "inline", "--json")
    result = read_json(harness(*command).stdout)
    assert [cell["kind"] for cell in result["cells"]].count("meta") == 1, "one checkpoint for all draws and tasks"
    assert all(score["lineage"]["meta"] and score["lineage"]["pretrain"] for score in result["scores"])
    table = harness("leaderboard").stdout
    assert table.count("The checkpoint was meta-trained on") == 1
    assert "The checkpoint was meta-trained on topics-how-1, of other data" in table
    [leaked] = [cell for cell in result["cells"] if cell["kind"] == "contamination" and cell["task"] == "topics-how-1"]
    assert leaked["status"] == "done"
    shown = harness("meta-train", "tiny-meta", *tiny, "--json")
    record = read_json(shown.stdout)
    assert (record["method"], record["generator"]) == ("fomaml", False)
    assert [task["name"] for task in record["tasks"]] == ["topics-how-1", "topics-where-outdoors-1"]
    assert record["dropped"] == ["classifier.weight", "classifier.bias"]
    assert record["fit"]["episodes"] == 8 and record["fit"]["tokens"] > 0
    assert "pretraining first" not in shown.stderr, "the run made it"
    harness("leaderboard", "--html", "page.html")
    assert "fomaml" in (tmp_path / "page.html").read_text()


def test_a_checkpoint_can_be_made_of_any_folder_and_fine_tuned_from(harness, saved, tmp_path):
    options = (
        "--tasks",
        "topics-how-1,topics-where-outdoors-1",
        "--method",
        "anil",
        "--head",
        "generated",
        "--steps",
        "2",
        "--episodes",
        "1",
    )
    asked = ("meta-train", str(saved("bert")), *options, "--k", "3", "--queries", "2", "--inner-steps", "1")
    assert "anil on 2 tasks of synthetic, 2 steps of 1 episodes" in harness(*asked, "--dry-run").stdout
    assert "the generator of output layers" in harness(*asked, "-o", "made").stderr
    assert sorted(path.name for path in (tmp_path / "made").glob("*.safetensors")) == [
        "head_generator.safetensors", "model.safetensors",
    ]  # fmt: skip
    again = harness(*asked, "-o", "again")
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("made", "again"))
    assert first == second and again.stdout.strip() == "again"
    run = (
        "run",
        "--model",
        "made",
        "--task",
        "topics-what-made-1",
        "--k-shot",
        "2",
        "--draws",
        "1",
        "--epochs",
        "1",
        "--json",
    )
    [score] = read_json(harness(*run, "--executor", "inline").stdout)["scores"]
    assert score["data"]["k_shot"] == 2
    assert "made" in harness("show").stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("tiny",), "model spec tiny has no section meta; name the tasks with --tasks"),
        (("tfidf", "--tasks", "sst2"), "meta-training starts from a checkpoint, and it is neither pretrained nor"),
        (("tiny", "--tasks", "sst3"), "unknown task 'sst3' in model spec tiny: meta. Did you mean"),
        (("tiny", "--tasks", "sst2,stsb"), "episodes are of classes, and stsb (similarity) has none; leave it out"),
        (("tiny", "--tasks", "sst2,ax"), "ax has no training examples of its own; leave it out"),
        (("tiny", "--tasks", "sst2", "--method", "mamal"), "method: input should be 'reptile', 'fomaml', 'maml'"),
        (("tiny", "--tasks", "sst2", "--inner-rate", "0"), "inner_rate: input should be greater than 0"),
        (("tiny", "--tasks", "sst2", "--method", "multitask", "--inner-steps", "2"), "multitask adapts nothing"),
        (("gpt2-tiny-clm", "--tasks", "sst2"), "meta trains encoders, and gpt2 is none"),
        (("tiny", "--tasks", "sst2", "--k", "4000"), "has 0 classes of 4008 examples or more"),
    ],
)
def test_what_cannot_be_meta_trained_is_one_line(options, message, harness, tiny):
    stderr = harness("meta-train", *options, *tiny, code=2).stderr
    assert message in stderr and stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("meta: {tasks: []}", "meta: tasks: name the tasks or suites to train on"),
        ("meta: {tasks: [sst2], metod: maml}", "unknown key 'meta.metod'. Did you mean 'method'?"),
        ("meta: {tasks: [nothing]}", "unknown task 'nothing' in model spec tiny: meta"),
    ],
)
def test_a_section_that_is_wrong_is_named(section, message, harness, tmp_path):
    (tmp_path / "tiny.yaml").write_text(RECIPE + section + "\n")
    done = harness("run", "--model", "tiny.yaml", "--task", "sst2", "--dry-run", code=2)
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_random_controls_are_not_meta_trained_and_examples_alone_are_no_use(harness, tiny):
    command = (
        "run",
        *tiny,
        "--model",
        "tiny-meta",
        "--task",
        "topics-what-made-1",
        "--from-scratch",
        "--dry-run",
        "--json",
    )
    cells = read_json(harness(*command).stdout)["cells"]
    assert [cell["model"] for cell in cells if cell["kind"] == "meta"] == ["tiny-meta"]
    refused = harness("run", *tiny, "--model", "tiny-meta", "--task", "sst2@2-shot", code=2)
    assert "it is meta-trained, which leaves it no output layer over words" in refused.stderr
