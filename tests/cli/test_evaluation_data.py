"""What a run scores on: splits that are there, a file, a fraction of train, or each training row by cross-validation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

TASK = "name: mine\nfamily: classification\nfields: {text: text, label: label}\nmetrics: [accuracy]\n"
ASKED = ("--include", "mine.yaml", "--task", "mine", "--model", "tfidf")


@pytest.fixture
def rows(reviews, tmp_path) -> Path:
    """48 rows to train on, 16 with the labels to test on, and no dev."""
    (tmp_path / "mine.yaml").write_text(TASK)
    (reviews / "dev.csv").rename(reviews / "test.csv")
    return reviews


def run(harness, *arguments: str) -> dict:
    return json.loads(harness("run", *ASKED, *arguments, "--json").stdout)


def only(printed: dict) -> dict:
    (score,) = printed["scores"]
    return score


def test_a_labelled_test_split_is_scored_where_there_is_no_dev(harness, rows):
    done = harness("run", *ASKED, "--data", "reviews", "--json")
    score = only(json.loads(done.stdout))
    assert (score["split"], score["n"]) == ("test", 16) and score["data"]["splits"]["train"]["n"] == 48
    assert "mine: no dev split there, so that test is scored" in done.stderr
    assert "no dev split there: test is scored" in score["data"]["notes"]
    for name in ("validation", "dev"):  # each goes first
        (rows / f"{name}.csv").write_text("text,label\na great show,good\na poor show,bad\n")
        assert (only(run(harness, "--data", "reviews"))["split"], score["n"]) == ("dev", 16)
        (rows / f"{name}.csv").unlink()


def test_a_test_split_without_labels_is_not_scored(harness, rows):
    (rows / "test.csv").write_text("text\na great show\n")
    score = only(run(harness, "--data", "reviews"))
    assert score["split"] == "dev" and score["data"]["splits"]["train"]["n"] + score["n"] == 48


def test_noise_and_the_api_know_the_split_that_stands_in(harness, rows):
    scores = run(harness, "--data", "reviews", "--noise", "typos")["scores"]
    assert {(one["task"]["name"], one["split"], one["n"]) for one in scores} == {
        ("mine", "test", 16), ("mine+typos", "test", 16)
    }  # fmt: skip


@pytest.mark.parametrize("option", ["--dev-fraction", "--dev-share"])
def test_a_fraction_of_train_serves_as_dev(harness, rows, option):
    score = only(run(harness, "--data", "reviews", option, "0.25"))
    assert (score["split"], score["n"]) == ("dev", 12) and score["data"]["splits"]["train"]["n"] == 36
    (rows / "dev.csv").write_text("text,label\na great show,good\n")
    refusal = harness("run", *ASKED, "--data", "reviews", option, "0.25", code=2).stderr
    assert "has a dev split; leave it out" in refusal


def test_a_file_is_scored(harness, rows, tmp_path):
    (tmp_path / "held-out.csv").write_text("text,label\na great dog,good\na poor cat,bad\n")
    score = only(run(harness, "--data", "reviews", "--test", "held-out.csv"))
    assert (score["split"], score["n"]) == ("test", 2) and score["data"]["splits"]["train"]["n"] == 48
    (tmp_path / "held-out.csv").write_text("text,label\na great dog,\n")
    refusal = harness("run", *ASKED, "--data", "reviews", "--test", "held-out.csv", code=2).stderr
    assert "its rows have no label" in refusal
    assert "no such folder or file" in harness("run", *ASKED, "--data", "reviews", "--test", "x.csv", code=2).stderr


def test_finished_models_are_scored_on_all_rows_of_a_file(harness, rows):
    harness("run", *ASKED[:4], "--model", "bert-tiny", "--epochs", "1", "--data", "reviews")
    (folder,) = Path(rows.parent).glob("results/cells/*/*/model")
    score = only(
        json.loads(harness("evaluate", str(folder), *ASKED[:4], "--data", "reviews/train.csv", "--json").stdout)
    )
    assert (score["split"], score["n"]) == ("test", 48)


def test_each_training_row_is_scored_once_by_a_model_that_did_not_see_it(harness, rows, tmp_path):
    printed = run(harness, "--data", "reviews", "--folds", "4", "--seeds", "2", "--model", "majority")
    assert [one["kind"] for one in printed["cells"]].count("finetune") == 8, "of neither does the seed change anything"
    for score in printed["scores"]:
        assert (score["split"], score["n"]) == ("4-fold", 48) and score["data"]["splits"]["train"]["n"] == 48
        table = pq.read_table(tmp_path / "results/cells" / score["cell"][:2] / score["cell"] / "predictions.parquet")
        assert table.column("id").to_pylist() == [f"train-{row}" for row in range(48)]
    accuracy = {one["model"]["name"]: one["scores"]["accuracy"] for one in printed["scores"]}
    assert accuracy["tfidf"]["value"] > 0.9 and accuracy["majority"]["low"] < 0.5 < accuracy["majority"]["high"]
    assert "16 cells" not in harness("leaderboard").stdout


def in_process(cell: str, root: Path) -> dict:
    return json.loads((root / "results/cells" / cell[:2] / cell / "record.json").read_text())


@pytest.mark.slow
def test_the_models_of_folds_are_compressed_each_and_scored_as_one(harness, rows, tmp_path):
    asked = ("--data", "reviews", "--folds", "3", "--epochs", "1", "--model", "bert-tiny")
    methods = ("--compress", "prune-magnitude:0.5", "--compress", "distill:layers=1")
    printed = json.loads(harness("run", *ASKED[:4], *asked, *methods, "--json").stdout)
    kinds = [one["kind"] for one in printed["cells"]]
    assert [kinds.count(kind) for kind in ("finetune", "compress", "score")] == [3, 6, 3]
    scores = {one["model"]["name"]: one for one in printed["scores"]}
    small = scores["bert-tiny+prune-magnitude:0.5"]
    assert (small["split"], small["n"]) == ("3-fold", 48)
    assert len({fold["compress"] for fold in small["lineage"]["folds"]}) == 3
    fits = [fold["finetune"] for fold in scores["bert-tiny"]["lineage"]["folds"]]
    assert [fold["finetune"] for fold in small["lineage"]["folds"]] == fits
    (table,) = json.loads(harness("leaderboard", "--compression", "--format", "json").stdout)["tables"]
    assert {card["model"] for card in table["cards"]} == {small["model"]["name"], "bert-tiny+distill:layers=1"}
    assert all(card["original"] == "bert-tiny" and card["n"] == 48 for card in table["cards"])
    sizes = harness("leaderboard", "--show", "size").stdout
    assert "MB" in sizes
    harness("leaderboard", "--html", "page.html")
    assert "the first of 3 folds" in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_a_student_learns_from_the_rows_that_its_fold_leaves(harness, rows, tmp_path, monkeypatch):
    from harness.pipeline.steps import compress

    seen = []
    original = compress._examples

    def examples(job, inputs):
        seen.append(original(job, inputs))
        return seen[-1]

    monkeypatch.setattr(compress, "_examples", examples)
    asked = ("--data", "reviews", "--folds", "3", "--epochs", "1", "--model", "bert-tiny")
    harness("run", *ASKED[:4], *asked, "--compress", "distill:layers=1")
    assert [len(one.train) for one in seen] == [32, 32, 32]
    left = [{f"train-{row}" for row in range(48)} - set(one.train.ids) for one in seen]
    assert len(set.union(*left)) == 48 and all(len(one) == 16 for one in left)


def test_under_noise_a_row_is_scored_by_the_model_that_did_not_see_it_without(harness, rows, tmp_path):
    printed = run(harness, "--data", "reviews", "--folds", "4", "--noise", "typos")
    scores = {one["task"]["name"]: one for one in printed["scores"]}
    clean, noisy = scores["mine"], scores["mine+typos"]
    assert [one["kind"] for one in printed["cells"]].count("finetune") == 4
    assert noisy["lineage"] == clean["lineage"] and (noisy["split"], noisy["n"]) == ("4-fold", 48)
    assert "typos" in harness("leaderboard", "--robustness").stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--data", "reviews", "--folds", "3"),
        ("--data", "reviews", "--folds", "3", "--noise", "typos"),
        ("--data", "reviews", "--test", "held-out.csv"),
        ("--data", "reviews", "--dev-fraction", "0.25"),
        ("--data", "renamed", "--text-column", "body", "--label-column", "verdict", "--delimiter", "semicolon"),
    ],
)
def test_texts_are_read_again_as_the_run_read_them(harness, rows, tmp_path, options):
    """On the page, and where predictions flip."""
    (tmp_path / "held-out.csv").write_text("text,label\n" + "a great dog,good\na poor cat,bad\n" * 3)
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for file in rows.glob("*.csv"):
        text = file.read_text().replace("text,label", "body,verdict").replace(",", ";")
        (renamed / file.name).write_text(text)
    asked = ("run", *ASKED[:4], *options, "--model", "majority", "--model", "tfidf", "--json")
    name = json.loads(harness(*asked).stdout)["run"]
    harness("leaderboard", "--html", "page.html")
    reasons = re.findall('texts not at hand[^<"]*', (tmp_path / "page.html").read_text())
    assert reasons == []
    pair = ("--model", "tfidf=majority")
    compared = json.loads(harness("compare", name, name, *pair, "--format", "json").stdout)
    flips = [example for report in compared["flips"] for example in report["examples"]]
    assert flips and all(example["text"] for example in flips)


def test_the_epoch_of_a_fold_is_chosen_by_another_fold(harness, rows, tmp_path):
    asked = ("--data", "reviews", "--folds", "3", "--epochs", "2", "--model", "bert-tiny", "--select", "best")
    printed = json.loads(harness("run", *ASKED[:4], *asked, "--json").stdout)
    score = only(printed)
    assert score["selection"]["mode"] == "best" and "note" not in score["selection"]
    fits = [in_process(fold["finetune"], tmp_path) for fold in score["lineage"]["folds"]]
    assert [fit["record"]["data"]["trained_on"] if "record" in fit else fit["data"]["trained_on"] for fit in fits] == [
        16
    ] * 3


def test_the_first_fold_s_models_are_timed(harness, rows, tmp_path):
    asked = ("--data", "reviews", "--folds", "2", "--epochs", "1", "--model", "bert-tiny", "--compress", "bf16")
    plan = json.loads(harness("run", *ASKED[:4], *asked, "--measure", "--dry-run", "--json").stdout)
    (measured,) = [cell for cell in plan["cells"] if cell["kind"] == "measure"]
    assert measured["model"] == "bert-tiny"


def test_seeds_of_folds_are_scores_of_their_own(harness, rows):
    asked = ("--data", "reviews", "--folds", "2", "--seeds", "2", "--epochs", "1", "--model", "bert-tiny")
    printed = json.loads(harness("run", *ASKED[:4], *asked, "--json").stdout)
    assert [(one["seed"], one["n"]) for one in printed["scores"]] == [(0, 48), (1, 48)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--folds", "4", "--test", "x.csv"), "test and folds: give one or the other"),
        (("--folds", "2", "--select", "best"), "folds: select best takes three or more"),
        (("--folds", "4", "--task", "ax"), "task ax is scored with the model of mnli"),
        (("--folds", "4", "--no-train"), "folds does not go with models that are not trained"),
        (("--folds", "1"), "folds"),
        (("--task", "sst2", "--test", "reviews/test.csv"), "--test is of one task; the run has mine, sst2"),
        (("--text-column", "a", "--text-column", "b"), "task mine has 1 of them: text"),
        (("--text-column", "texd=a"), "the texts of task mine are text"),
        (("--text-column", "body"), "body"),
        (("--delimiter", "semi"), "give auto, comma, semicolon, tab, pipe, or one character"),
    ],
)
def test_what_does_not_go_together_is_said(harness, rows, options, message):
    assert message in harness("run", *ASKED, "--data", "reviews", *options, code=2).stderr


def test_there_are_not_more_folds_than_texts(harness, rows):
    done = harness("run", *ASKED, "--data", "reviews", "--folds", "49", code=2)
    assert "49 folds of 48 distinct texts" in done.stderr


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("said", [(), ("--delimiter", "auto")])
def test_columns_and_delimiters_are_found_or_named(harness, rows, delimiter, said):
    for file in rows.glob("*.csv"):
        lines = file.read_text().replace("text,label", "body,stars").splitlines()
        file.write_text("\n".join(line.replace(",", delimiter) for line in lines) + "\n")
    asked = ("--data", "reviews", "--text-column", "body", "--label-column", "stars", *said)
    assert only(run(harness, *asked))["n"] == 16


def test_a_delimiter_that_is_named_holds(harness, rows):
    for file in rows.glob("*.csv"):
        file.write_text(file.read_text().replace(",", ":"))
    assert only(run(harness, "--data", "reviews", "--delimiter", ":"))["n"] == 16


def test_an_incomplete_folder_is_absent_and_does_not_end_the_suite(harness, tmp_path):
    rows = "".join(f"a {word} film\t{label}\n" for word, label in (("good", 1), ("bad", 0)) for _ in range(4))
    for folder, files in (("SST-2", ("train", "dev")), ("QNLI", ("dev",))):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for file in files:
            head = "sentence\tlabel\n" if folder == "SST-2" else "index\tquestion\tsentence\tlabel\n"
            (tmp_path / "data" / folder / f"{file}.tsv").write_text(head + rows)
    done = harness("run", "--suite", "glue", "--data", "data", "--model", "majority")
    assert "absent: qnli: " in done.stderr and "no train.tsv for the split 'train'" in done.stderr
    assert "No score here:" in done.stdout and "qnli" in done.stdout


def test_a_results_folder_remembers_the_specs_it_was_given_and_runs_no_code_of_them(harness, rows, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "mine.yaml").rename(tmp_path / "more" / "mine.yaml")
    (tmp_path / "more" / "plugin.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    asked = ("run", "--task", "mine", "--model", "majority", "--data", "reviews")
    refusal = harness(*asked, code=2).stderr
    assert "unknown task 'mine'; one of your own comes with --include PATH" in refusal
    harness(*asked, "--include", "more")
    (tmp_path / "ran").unlink()
    assert "2 cached" in harness(*asked).stderr, "the folder remembers where its tasks are"
    assert not (tmp_path / "ran").exists()
    harness("leaderboard", "--html", "page.html")
    assert "a great show" in (tmp_path / "page.html").read_text(), "the page finds the texts"
    (tmp_path / "more" / "mine.yaml").unlink()
    assert "comes with --include PATH" in harness(*asked, code=2).stderr


@pytest.mark.slow
def test_what_a_results_folder_remembers_is_known_to_compress_and_pretrain(harness, rows, saved, tmp_path):
    tiny = (
        "name: small-words\nlearner: transformer\n"
        "config: {model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, "
        "intermediate_size: 32}\n"
        "tokenizer: {kind: wordpiece, vocab_size: 300, corpus: pretraining}\n"
        "pretraining: {objective: mlm, sentences: 100, steps: 4, block_size: 16, batch_size: 4}\n"
        "training: {epochs: 1}\n"
    )
    (tmp_path / "small-words.yaml").write_text(tiny)
    refusal = harness("pretrain", "small-words", code=2).stderr
    assert "unknown model 'small-words'; one of your own comes with --include PATH" in refusal
    model = ("--model", "small-words.yaml", "--model", "mini=small-words.yaml")
    asked = ("--include", "mine.yaml", "--task", "mine", "--data", "reviews")
    harness("run", *asked, *model, "--limit", "16")
    assert harness("pretrain", "small-words").stdout.strip().endswith("model")
    compress = ("--method", "prune-movement:0.5", "--task", "mine", "--data", "reviews", "--limit", "16")
    folder = saved("bert", num_labels=2)
    made = json.loads(harness("compress", folder, *compress, "-o", "small", "--json").stdout)
    assert made["output"] == "small"
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "results").rename(elsewhere)
    refusal = harness("compress", folder, *compress, "-o", "smaller", code=2).stderr
    assert "unknown task 'mine'; one of your own comes with --include PATH" in refusal
    fitted = next((elsewhere / "cells").glob("*/*/predictions.parquet"), None)
    assert fitted is not None
    models = [path.parent for path in (elsewhere / "cells").glob("*/*/model") if (path / "harness.json").exists()]
    trained = next(path for path in models if json.loads((path / "record.json").read_text())["kind"] == "finetune")
    done = harness("compress", trained, "--method", "prune-movement:0.5", "-o", "smaller", "--json")
    assert json.loads(done.stdout)["output"] == "smaller", "the folder that the model lies in knows its task"


def test_an_unknown_plug_in_names_the_way_to_give_one(harness):
    refusal = harness("compress", "model", "--method", "quantum-folding", "-o", "small", code=2).stderr
    assert "unknown compressor 'quantum-folding'" in refusal and "comes with --include PATH" in refusal
