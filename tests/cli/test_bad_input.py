"""Bad input of every kind: exit code 2, one clear line that names the place and what to do, no traceback, nothing
written.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TASK = """\
name: mine
family: classification
fields: {text: text, label: label}
metrics: [accuracy]
"""

MODEL = """\
name: mine
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}
tokenizer: {kind: wordpiece, vocab_size: 300, corpus: task}
"""

COMMAND_LINE = {
    "unknown verb": (["rn"], "No such command 'rn'"),
    "unknown flag": (["run", "--sute", "glue"], "No such option: --sute"),
    "nothing to run": (["run"], "give --suite"),
    "unknown suite": (["run", "--suite", "gleu"], "unknown suite 'gleu'. Did you mean 'glue'?"),
    "unknown task": (["run", "--task", "colla"], "unknown task 'colla'. Did you mean 'cola'?"),
    "unknown model": (
        ["run", "--task", "cola", "--model", "bert-tny"],
        "unknown model 'bert-tny'. Did you mean 'bert-tiny'?",
    ),
    "model folder missing": (["run", "--task", "cola", "--model", "./nowhere"], "no such folder"),
    "no such data folder": (["run", "--task", "cola", "--data", "./nowhere"], "nowhere"),
    "misspelled source": (["run", "--task", "cola", "--data", "sythetic"], "synthetic"),
    "seeds not positive": (
        ["run", "--task", "cola", "--seeds", "0"],
        "seeds: input should be greater than or equal to 1, found 0",
    ),
    "threads negative": (["run", "--task", "cola", "--threads", "-1"], "threads: input should be greater than"),
    "threads of a pretraining": (
        ["pretrain", "bert-tiny-mlm", "--threads", "0"],
        "threads: input should be greater than or equal to 1",
    ),
    "a tracker that is a path": (
        ["pretrain", "bert-tiny-mlm", "--report-to", "../x"],
        "unknown tracker '../x' in --track; one of your own comes with --include PATH. Known: mlflow, tensorboard, "
        "trackio, wandb.",
    ),
    "a limit beyond any number": (
        ["run", "--task", "cola", "--limit", "1" + "0" * 30],
        "limit: a number of at most 64 bits",
    ),
    "a budget of more than a year": (
        ["pretrain", "bert-tiny-mlm", "--budget", "9" * 400 + "h"],
        "give a time of at most a year",
    ),
    "shots that are no digits": (["run", "--task", "cola@²-shot"], "task.0: string should match pattern"),
    "more shots than anybody shows": (["run", "--task", f"cola@{'9' * 5000}-shot"], "after @ comes the number"),
    "a very long name of a model": (["run", "--task", "cola", "--model", "a" * 5000], "unknown model 'aaaa"),
    "a very long path of a model": (
        ["run", "--task", "cola", "--model", "./" + "a" * 5000],
        "a save_pretrained folder or a hub id",
    ),
    "a home that nobody has": (["run", "--task", "cola", "--model", "~nobody-here/x"], "no such folder"),
    "data in a home that nobody has": (["run", "--task", "cola", "--data", "~nobody-here/x"], "no such folder or file"),
    "data of a very long name": (["run", "--task", "cola", "--data", "a" * 5000], "no such folder or file"),
    "a run of a very long name": (["show", "a" * 5000, "--out", "a" * 5000], "File name too long"),
    "out below a file": (["run", "--task", "cola", "--out", "file.txt/results"], "choose another with --results"),
    "a config that is a folder": (["run", "--config", "."], "cannot read .: a folder"),
    "a config that is a device": (
        ["gate", "--baseline", "b", "--config", "/dev/zero"],
        "cannot read /dev/zero: no regular file",
    ),
    "seeds no number": (["run", "--task", "cola", "--seeds", "many"], "Input should be a valid integer"),
    "limit negative": (["run", "--task", "cola", "--limit", "-1"], "limit: input should be greater than"),
    "learning rate zero": (
        ["run", "--task", "cola", "--learning-rate", "0"],
        "learning_rate: input should be greater than 0",
    ),
    "unknown optimizer": (
        ["run", "--task", "cola", "--optimizer", "adam"],
        "optimizer: input should be 'adamw' or 'adafactor', found 'adam'",
    ),
    "unknown optimizer of a pretraining": (
        ["pretrain", "bert-tiny-mlm", "--optimizer", "adam"],
        "optimizer: input should be 'adamw' or 'adafactor', found 'adam'",
    ),
    "unknown selection": (
        ["run", "--task", "cola", "--select", "luckiest"],
        "select: input should be 'last' or 'best'",
    ),
    "config missing": (["run", "--config", "nowhere.yaml"], "cannot read nowhere.yaml"),
    "include missing": (["run", "--task", "cola", "--include", "nowhere"], "--include nowhere: no such file or folder"),
    "out is a file": (["run", "--task", "cola", "--out", "file.txt"], "choose another with --results"),
    "unknown kind to list": (["list", "recipes"], "recipes"),
    "show without results": (["show"], "no results in results"),
    "leaderboard without results": (["leaderboard", "--out", "elsewhere"], "no results in elsewhere"),
    "unknown format": (["leaderboard", "--format", "xml"], "--include PATH. Known: csv, html, json"),
}

FILES = {
    "config with an unknown key": ("run.yaml", "suite: glue\nseed: 3\n", "unknown key 'seed'. Did you mean 'seeds'?"),
    "config with a duplicate key": ("run.yaml", "suite: glue\nsuite: nli\n", "run.yaml, line 2: duplicate key 'suite'"),
    "config that is a list": ("run.yaml", "- glue\n", "expected a mapping"),
    "config that is no YAML": ("run.yaml", "suite: [glue\n", "run.yaml, line"),
    "config with a Python object": ("run.yaml", "suite: !!python/name:os.system\n", "could not determine a constructor"),
    "task with an unknown key": ("mine.yaml", TASK + "metrcs: [f1]\n", "unknown key 'metrcs'. Did you mean 'metrics'?"),
    "task with an unknown family": ("mine.yaml", TASK.replace("classification", "clasification"), "Did you mean 'classification'?"),
    "task with an unknown metric": ("mine.yaml", TASK.replace("accuracy", "acuracy"), "unknown metric 'acuracy'"),
    "task with a field its family lacks": ("mine.yaml", TASK.replace("text: text", "txt: text"), "has no field 'txt'"),
    "task without its label field": ("mine.yaml", TASK.replace(", label: label", ""), "needs the field 'label'"),
    "task with a wrong type": ("mine.yaml", TASK + "version: new\n", "version: input should be a valid integer"),
    "task with a label twice": ("mine.yaml", TASK + "labels: [a, a]\n", "labels: a name is given twice"),
    "task whose name is taken": ("mine.yaml", TASK.replace("mine", "cola"), "task 'cola' is defined twice"),
    "spec of no kind": ("mine.yaml", "name: mine\n", "neither a task (key family)"),
    "suite with an unknown task": ("mine.yaml", "name: mine\ntasks: [cola, qqqp]\n", "unknown task 'qqqp'"),
    "recipe with an unknown learner": ("mine.yaml", "name: mine\nlearner: transfomer\n", "Did you mean 'transformer'?"),
    "recipe without a model": ("mine.yaml", "name: mine\nlearner: transformer\n", "needs config (train from scratch) or pretrained"),
    "recipe with two origins": (
        "mine.yaml", "name: mine\nlearner: transformer\npretrained: a/b\nconfig: {model_type: bert}\n", "either pretrained or config"
    ),
    "model of a key that is misspelled": (
        "mine.yaml", MODEL.replace("hidden_size", "hiden_size"), "unknown key 'hiden_size' in the config of bert. Did you mean 'hidden_size'?"
    ),
    "model of negative layers": ("mine.yaml", MODEL.replace("layers: 1", "layers: -1"), "num_hidden_layers: input should be greater"),
    "model of a thousand million layers": ("mine.yaml", MODEL.replace("layers: 1", "layers: 1000000000"), "num_hidden_layers: input should be less"),
    "model larger than the machine": ("mine.yaml", MODEL.replace("size: 32", "size: 200000"), "GB of memory"),
    "model of layers in words": ("mine.yaml", MODEL.replace("layers: 1", "layers: x"), "num_hidden_layers: input should be a valid integer"),
    "model of a kind that nobody knows": ("mine.yaml", MODEL.replace("bert", "brt"), "unknown model_type 'brt'. Did you mean 'bert'?"),
    "a causal objective on a model that reads both ways": (
        "mine.yaml",
        MODEL.replace("task", "pretraining") + "pretraining: {objective: clm, steps: 1}\n",
        "bert reads in both directions, and would see the tokens it is to predict",
    ),
    "task with a metric of numbers on classes": (
        "mine.yaml", TASK.replace("accuracy", "pearson"), "metric pearson scores values, family classification predicts labels; metrics of these: accuracy"
    ),
    "plug-in that ends the program": ("mine.py", "import sys\nsys.exit(0)\n", "plug-in mine.py tried to end the program: sys.exit(0)"),
    "plug-in that ends the command": ("mine.py", "import typer\nraise typer.Exit(0)\n", "plug-in mine.py tried to end the program: Exit"),
    "recipe with an unknown option": ("mine.yaml", "name: mine\nlearner: tfidf\noptions: {ngram: 3}\n", "Did you mean 'ngrams'?"),
    "plug-in that does not import": ("mine.py", "import nothing_of_this_name\n", "does not import: ModuleNotFoundError"),
    "plug-in that takes a built-in name": (
        "mine.py",
        "from harness.training.learners import LEARNERS\nfrom harness.training.learners.majority import Majority\nLEARNERS.register('majority', Majority())\n",
        "already built in",
    ),
}  # fmt: skip


def assert_one_clear_line(done, expected: str) -> None:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert expected in lines[0], lines[0]
    assert len(lines[0]) <= 500
    assert done.stdout == ""


@pytest.mark.parametrize("case", COMMAND_LINE)
def test_bad_command_line(case, harness, tmp_path):
    (tmp_path / "file.txt").write_text("")
    arguments, expected = COMMAND_LINE[case]
    assert_one_clear_line(harness(*arguments, code=2), expected)
    assert not list((tmp_path / "results").rglob("*.json")) if (tmp_path / "results").exists() else True


@pytest.mark.parametrize("case", FILES)
def test_bad_file(case, harness, tmp_path):
    name, content, expected = FILES[case]
    (tmp_path / name).write_text(content)
    flag = "--config" if name == "run.yaml" else "--include"
    asked = ["--model", "mine"] if content.startswith("name: mine\nlearner") else []
    assert_one_clear_line(harness("run", flag, name, "--task", "cola", *asked, code=2), expected)


def save_model(folder: Path, **files: str) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def test_a_model_that_is_a_pickle_is_refused(harness, tmp_path):
    save_model(tmp_path / "model", config__json="{}", pytorch_model__bin="pickle")
    done = harness("run", "--task", "cola", "--model", "./model", code=2)
    assert_one_clear_line(done, "pytorch_model.bin, a pickle, which can run code when loaded")


def test_a_model_folder_without_a_config_is_refused(harness, tmp_path):
    save_model(tmp_path / "model", readme__md="")
    assert_one_clear_line(harness("run", "--task", "cola", "--model", "./model", code=2), "no config.json")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text,label\na,good\nb\n", "train.csv"),
        ("body,stars\na,5\nb,1\n", "stars"),
        ("text,label\n", "train"),
        ('{"text": "a", "label": "x"\n', "train"),
    ],
    ids=["a row too short", "columns that do not fit", "no rows", "another format than its ending says"],
)
def test_bad_data_files(content, expected, harness, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text(content)
    assert_one_clear_line(harness("run", "--task", "text-classification", "--data", "data", code=2), expected)


def test_an_unreachable_hub_is_one_line_that_names_the_other_sources(harness_process, tmp_path):
    done = harness_process(
        "run",
        "--task",
        "cola",
        "--data",
        "hub",
        code=2,
        timeout=30,
        HF_ENDPOINT="http://127.0.0.1:9",
        HF_HOME=str(tmp_path / "hf"),
    )
    assert_one_clear_line(done, "--data synthetic")
    assert "--data FOLDER" in done.stderr


def test_an_unreachable_model_is_one_line(harness_process, tmp_path):
    done = harness_process(
        "run", "--task", "cola", "--model", "bert-base-uncased", code=2, timeout=30,
        HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path / "hf"),
    )  # fmt: skip
    assert_one_clear_line(done, "can't be reached")
