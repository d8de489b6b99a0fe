"""The Python API, as a notebook uses it: one process, no command line."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
from harness.core import plugins
from tests.unit.modeling.heads import given

ROWS = ["a lovely film", "superb acting", "great fun", "a boring plot", "dreadful", "a dull story"] * 10
CLASSES = ["good", "good", "good", "bad", "bad", "bad"] * 10


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch, machine_cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))


@pytest.fixture
def reviews():
    train = pd.DataFrame({"body": ROWS, "label": CLASSES})
    dev = pd.DataFrame({"body": [f"{text}, really" for text in ROWS[:30]], "label": CLASSES[:30]})
    return harness.Task(
        name="my-reviews", family="classification", train=train, dev=dev, fields={"text": "body"}, metrics=["accuracy"]
    )


@pytest.fixture
def pipeline():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(ROWS, CLASSES)


@pytest.mark.slow
def test_a_model_is_trained_measured_compressed_compared_and_gated_in_one_process(tmp_path):
    run = harness.run(task="sst2", models=["bert-tiny", "majority"], limit=60, epochs=1, executor="inline")
    assert run.ok and run.status == "done" and run.failures == ()
    assert {score.model for score in run.scores} == {"bert-tiny", "majority"}

    folder = run.model("bert-tiny", "sst2")
    small = harness.compress(folder, "int8", "small")
    assert small.runtime == "onnxruntime" and (tmp_path / "small" / "model.onnx").exists()
    assert small.record["after"]["bytes"] < small.record["before"]["bytes"]

    scored = harness.evaluate([folder, small.folder], task="sst2", limit=60)
    trained = next(score for score in run.scores if score.model == "bert-tiny")
    again = {score.model: score for score in scored.scores}
    named = again[folder.parent.name[:12]]  # by the cell, since the folder is called model as all are
    assert named.value == trained.value and named.n == 60
    assert again["small"].runtime == "onnxruntime"

    timing = harness.measure(folder, [small], batch=1, length=16, budget="15s", memory=False, allow_short=True)
    assert timing.verdict in ("VALID", "IMPRECISE", "INVALID") and timing.valid == (timing.verdict == "VALID")
    assert list(timing.to_pandas()["stage"]) == ["forward"], "also where the budget is over before there is a ratio"

    other = harness.run(task="sst2", models=["bert-tiny"], limit=60, epochs=2, executor="inline")
    comparison = harness.compare(run, other)
    assert {row.model for row in comparison.report.rows} == {"bert-tiny"}
    assert "bert-tiny" in comparison.to_markdown()

    same = harness.gate(run, harness.run(task="sst2", models=["bert-tiny", "majority"], limit=60, epochs=1))
    assert same.passed and same.exit_code == 0 and {row.verdict for row in same.report.rows} == {"IDENTICAL"}


def code_in(card: str) -> list[str]:
    return [block.partition("```")[0] for block in card.split("```python\n")[1:]]


@pytest.mark.parametrize("method", ["onnx", "int8-weight", "prune-magnitude:0.5"])
def test_the_card_of_a_question_answerer_asks_it_a_question(saved_answerer, method):
    harness.compress(saved_answerer, method, "small")
    names: dict = {}
    exec(code_in(Path("small", "README.md").read_text(encoding="utf-8"))[0].replace("FOLDER", "small"), names)
    (answer,) = harness.load("small").predict(["who sings"], contexts=["the small bird sings"])
    assert answer["answer"] in "the small bird sings"


@pytest.fixture
def saved_answerer(tmp_path) -> Path:
    given.model("AutoModelForQuestionAnswering", "bert", "wordpiece").save_pretrained(tmp_path / "answerer")
    given.tokenizer("wordpiece").save_pretrained(tmp_path / "answerer")
    return tmp_path / "answerer"


def optimum_python() -> str:
    """A Python with optimum's ONNX part, which wants an older `transformers` than ours and so has its own."""
    python = os.environ.get("OPTIMUM_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import optimum.onnxruntime"], capture_output=True, check=False).returncode:
        pytest.skip("no Python with optimum.onnxruntime; name one in $OPTIMUM_PYTHON")
    return python


@pytest.mark.parametrize("head", ["sequence-classification", "question-answering"])
def test_the_code_for_optimum_gives_the_same_logits(tmp_path, saved, saved_answerer, head):
    python = optimum_python()
    harness.compress(saved("bert") if head == "sequence-classification" else saved_answerer, "int8", "small")
    ours, theirs = code_in(Path("small", "README.md").read_text(encoding="utf-8"))
    names: dict = {}
    exec(ours.replace("FOLDER", "small"), names)
    printed = "import json; print(json.dumps({name: one.tolist() for name, one in outputs.items()}))"
    code = f"{theirs}\n{printed}".replace("FOLDER", "small")
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    found = json.loads(done.stdout.splitlines()[-1])
    assert [np.asarray(one) for one in found.values()] == [pytest.approx(one, abs=1e-4) for one in names["outputs"]]


@pytest.mark.parametrize("method", ["int8", "prune-magnitude:0.5", "prune-structured:0.5", "int8-weight"])
def test_a_compressed_model_has_a_card_whose_code_loads_it(tmp_path, saved, method):
    options = {"task": "sst2", "limit": 20} if "structured" in method else {}
    small = harness.compress(saved("bert"), method, "small", **options)
    card = (tmp_path / "small" / "README.md").read_text(encoding="utf-8")
    record = json.loads((tmp_path / "small" / "compression-record.json").read_text(encoding="utf-8"))
    assert record["kind"] == "compress" and record["model"]["method"] == small.method == method
    assert record["compression"]["after"]["bytes"] == small.record["after"]["bytes"]
    assert "versions" in record["environment"] and f"{small.record['after']['bytes']:,}" in card
    assert str(tmp_path) not in card + json.dumps(record)
    code = code_in(card)[0].replace("FOLDER", "small")
    assert "harness.load" in code
    names: dict = {}
    exec(code, names)
    model = harness.load("small")
    logits = model.logits(["a red tree", "the old house"])
    assert logits.shape == (2, 2) and model.runtime == small.runtime
    if "outputs" in names:
        assert np.abs(names["outputs"][0] - model.logits(["a text"])).max() < 1e-4
    assert {one["kind"] for one in model.predict(["a red tree", "the old house"])} == {"text-classification"}
    with pytest.raises(harness.HarnessError, match="2 texts and 1 second"):
        model.logits(["a", "b"], ["c"])


def test_models_that_write_are_loaded_and_asked_again_and_again(saved):
    model = harness.load(saved("gpt2"))
    first, second = (model.predict(["the old"], max_new_tokens=3)[0]["generated"] for _ in range(2))
    assert first == second and model.kind == "text-generation"
    with pytest.raises(harness.HarnessError, match="logits are of a classifier"):
        model.logits(["a"])


@pytest.mark.slow
def test_a_budget_that_cannot_suffice_is_refused_before_anything_is_measured(saved):
    folder = saved("bert")
    with pytest.raises(harness.HarnessError, match=r"nothing would be valid; give --budget \d+m"):
        harness.measure(folder, [folder], batch=1, length=16, budget="1s", memory=False)


def test_a_map_says_which_class_of_an_object_is_which_of_the_task(reviews):
    from sklearn.dummy import DummyClassifier

    model = harness.wrap(DummyClassifier(strategy="most_frequent").fit(["a"] * 3, [1, 1, 0]), name="mine", version="1")
    with pytest.raises(harness.HarnessError, match="those of task my-reviews are bad, good"):
        run = harness.evaluate(model, task=reviews)
        raise harness.HarnessError(run.failures[0].cause)
    assert harness.evaluate(model, task=reviews, label_map={"1": "good", "0": "bad"}).scores[0].value == 0.5
    assert harness.evaluate(model, task=reviews, label_map={"1": "bad", "0": "good"}).scores[0].value == 0.5


def test_results_come_as_data_frame_json_markdown_and_html():
    run = harness.run(task=["sst2", "stsb"], models=["majority", "tfidf"], seeds=2, limit=50)
    frame = run.to_pandas()
    rows = frame.groupby(["model", "task", "split", "metric", "seed"]).size()
    assert len(frame) == 6 and set(rows) == {1}, "one row a model × task × split × metric × seed"
    assert list(frame.columns) == list(harness.Score.__dataclass_fields__)
    assert [row["value"] for row in json.loads(run.to_json())] == list(frame["value"])
    assert "| tfidf" in run.to_markdown() and run.to_markdown() == run.leaderboard().to_markdown()
    assert "<table" in run._repr_html_()
    loaded = harness.load_results("results")
    assert loaded.scores == run.scores and loaded.runs == (run.name,)
    with pytest.raises(AttributeError):
        run.scores[0].value = 1.0  # type: ignore[misc]


@pytest.mark.process
def test_the_command_line_and_the_api_leave_the_same_records():
    asked = ["--task", "sst2", "--model", "tfidf", "--model", "bert-tiny", "--limit", "40", "--epochs", "1"]
    environment = {**os.environ, "COLUMNS": "200"}
    command = [sys.executable, "-m", "harness", "run", *asked, "--out", "by-command"]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    run = harness.run(task="sst2", models=["tfidf", "bert-tiny"], limit=40, epochs=1, out="by-api")
    command_line = harness.load_results("by-command")
    own = {(score.cell, score.model, score.metric): score.value for score in run.scores}
    assert {(score.cell, score.model, score.metric): score.value for score in command_line.scores} == own

    def predictions(root: str) -> list[bytes]:
        from pathlib import Path

        return [path.read_bytes() for path in sorted(Path(root).glob("cells/*/*/predictions.parquet"))]

    assert predictions("by-command") == predictions("by-api")


def test_a_task_made_of_data_frames_is_learned_and_its_data_is_in_the_key(reviews):
    run = harness.run(task=reviews, models=["tfidf", "majority"])
    assert run.ok and {score.task for score in run.scores} == {"my-reviews"}
    assert harness.run(task=reviews, models=["tfidf", "majority"]).scores == run.scores
    flipped = {"good": "bad", "bad": "good"}
    changed = reviews.train.assign(label=[flipped[label] for label in reviews.train["label"]])
    other = harness.Task(
        name="my-reviews", family="classification", train=changed, dev=reviews.dev, fields={"text": "body"},
        metrics=["accuracy"],
    )  # fmt: skip
    by_model = {score.model: score.value for score in harness.run(task=other, models=["tfidf"]).scores}
    assert by_model["tfidf"] != next(score.value for score in run.scores if score.model == "tfidf")


def test_a_task_of_data_frames_stands_beside_tasks_by_name(reviews):
    run = harness.run(task=[reviews, "cola"], models=["tfidf", "majority"], limit=60)
    assert run.ok and {(score.task, score.source) for score in run.scores} == {
        ("my-reviews", "folder"), ("cola", "synthetic"),
    }  # fmt: skip
    assert {score.n for score in run.scores if score.task == "my-reviews"} == {30}, "all its rows, whatever cola has"
    assert "my-reviews" in run.to_markdown() and "cola" in run.to_markdown()
    alone = harness.run(task=reviews, models=["tfidf", "majority"], limit=60)
    assert {score.value for score in alone.scores} == {
        score.value for score in run.scores if score.task == "my-reviews"
    }
    assert len(list(Path("results/cells").glob("*/*/record.json"))) == 8, "nothing was computed twice"

    wrong = harness.wrap(lambda texts: ["bad"] * len(texts), name="gloomy")
    finished = harness.evaluate(wrong, task=[reviews, "sst2"], limit=10, label_map={"bad": "negative"})
    assert {score.task for score in finished.scores} == {"my-reviews", "sst2"}


def test_flips_of_a_task_of_data_frames_have_their_texts_beside_tasks_by_name(reviews):
    base, candidate = (harness.run(task=[reviews, "cola"], models=model, limit=60) for model in ("tfidf", "majority"))
    comparison = harness.compare(base, candidate, models=["tfidf=majority"])
    texts = {flips.task: [flip.text for flip in flips.examples] for flips in comparison.flips}
    assert texts["my-reviews"] and all("really" in str(text) for text in texts["my-reviews"])
    assert texts["cola"] and None not in texts["cola"]


def test_a_task_file_may_say_where_its_data_is():
    folder = Path("mine")
    (folder / "rows").mkdir(parents=True)
    rows = "".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in zip(ROWS, CLASSES, strict=True))
    for split in ("train", "dev"):
        (folder / "rows" / f"{split}.jsonl").write_text(rows)
    (folder / "mine.yaml").write_text(
        "{name: mine, family: classification, metrics: [accuracy], reading: {source: rows}, "
        "fields: {text: text, label: label}}"
    )
    run = harness.run(task=["mine", "cola"], models="majority", include=["mine"], limit=50)
    assert run.ok and {(score.task, score.n) for score in run.scores} == {("mine", 50), ("cola", 50)}


METRIC = """
from harness import register
from harness.metrics import Metric

register("metric", "mine", Metric(
    name="mine", version=1, inputs="labels", low=0.0, high=1.0, compute=lambda predictions, references: {value},
    chance=lambda references: 0.0, greater_is_better=True,
))
"""


@pytest.fixture
def _registry_as_before():
    before = plugins.snapshot()
    yield
    plugins.restore(before)


@pytest.mark.usefixtures("_registry_as_before")
def test_plug_ins_of_a_call_are_registered_for_its_time_alone(reviews):
    for name, value in (("first", 0.25), ("second", 0.75)):
        Path(name).mkdir()
        (Path(name) / "metric.py").write_text(METRIC.format(value=value))
    harness.register("metric", "before", harness.lookup("metric", "accuracy"))
    task = dataclasses.replace(reviews, metrics=["accuracy", "mine"])
    runs = [harness.run(task=task, models="majority", include=[name]) for name in ("first", "second", "first")]
    values = [next(score.value for score in run.scores if score.metric == "mine") for run in runs]
    assert values == [0.25, 0.75, 0.25], "two folders may define the same name, and each has its own cells"
    assert "| majority" in runs[0].to_markdown() and len(harness.load_results().scores) == 4
    with pytest.raises(harness.HarnessError, match="unknown metric 'mine'"):
        harness.lookup("metric", "mine")
    assert harness.lookup("metric", "before").name == "accuracy", "what was registered before the call stays"


def test_a_task_may_be_a_dataset_with_named_classes():
    import datasets

    features = datasets.Features(
        {"body": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    numbers = [["bad", "good"].index(label) for label in CLASSES]
    rows = datasets.Dataset.from_dict({"body": ROWS, "label": numbers}, features=features)
    task = harness.Task(
        name="named", family="classification", train=rows, dev=rows, fields={"text": "body"}, metrics=["accuracy"]
    )
    seen: list[str] = []

    def answer(texts):
        seen.extend(texts)
        return CLASSES

    assert harness.evaluate(harness.wrap(answer, name="oracle"), task=task).scores[0].value == 1.0
    assert seen == ROWS


def test_a_scikit_learn_pipeline_is_scored_with_its_probabilities(reviews, pipeline):
    run = harness.evaluate(harness.wrap(pipeline, name="mine", version="1"), task=reviews)
    (score,) = run.scores
    expected = (pipeline.predict(list(reviews.dev["body"])) == np.array(CLASSES[:30])).mean()
    assert score.value == pytest.approx(expected) and score.n == 30 and score.low <= score.value <= score.high


def test_a_plain_function_is_scored_whatever_it_answers(reviews):
    names = harness.wrap(lambda texts: ["bad" if "d" in text else "good" for text in texts], name="names")
    scores = harness.wrap(lambda texts: np.array([[0.9, 0.1]] * len(texts)), name="scores")
    values = harness.wrap(lambda pairs: [5.0 * (one == other) for one, other in pairs], name="values")
    texts = harness.wrap(lambda questions: ["in Paris" for question, context in questions], name="texts")
    found = harness.evaluate([names, scores], task=reviews)
    expected = np.mean(
        [
            ("bad" if "d" in text else "good") == label
            for text, label in zip(reviews.dev["body"], CLASSES[:30], strict=True)
        ]
    )
    assert {score.model: score.value for score in found.scores} == {"names": pytest.approx(expected), "scores": 0.5}
    assert {score.metric for score in harness.evaluate(values, task="stsb", limit=30).scores} == {"pearson", "spearman"}
    assert {score.metric for score in harness.evaluate(texts, task="squad", limit=20).scores} == {
        "exact_match",
        "squad_f1",
    }


def test_a_transformers_model_is_scored_with_its_tokenizer_by_the_names_of_its_classes():
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = harness.run(task="sst2", models=["bert-tiny"], limit=60, epochs=1)
    folder = run.model("bert-tiny", "sst2")
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    own = harness.evaluate(harness.wrap(model, name="own", tokenizer=tokenizer, max_length=128), task="sst2", limit=60)
    assert own.scores[0].value == run.scores[0].value

    swapped = AutoModelForSequenceClassification.from_pretrained(folder)
    swapped.config.id2label = {0: model.config.id2label[1], 1: model.config.id2label[0]}
    with_swapped_names = harness.evaluate(
        harness.wrap(swapped, name="swapped", tokenizer=tokenizer, max_length=128), task="sst2", limit=60
    )
    assert with_swapped_names.scores[0].value == pytest.approx(1 - own.scores[0].value), "names count, not positions"

    swapped.config.id2label = {0: "LABEL_0", 1: "LABEL_1"}
    nameless = harness.evaluate(harness.wrap(swapped, name="nameless", tokenizer=tokenizer), task="sst2", limit=60)
    assert not nameless.ok and "LABEL_0, LABEL_1" in nameless.failures[0].cause


def test_an_object_without_a_version_is_never_cached_and_one_with_a_version_is(reviews):
    calls: list[int] = []

    def answer(texts):
        calls.append(len(texts))
        return ["good"] * len(texts)

    for _ in range(2):
        harness.evaluate(harness.wrap(answer, name="without"), task=reviews)
    assert len(calls) == 2
    for _ in range(2):
        harness.evaluate(harness.wrap(answer, name="with", version="1"), task=reviews)
    assert len(calls) == 3
    harness.evaluate(harness.wrap(answer, name="with", version="2"), task=reviews)
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (lambda texts: ["superb"] * len(texts), "'superb' is no class of task my-reviews: bad, good"),
        (lambda texts: ["good"], "1 answers to 30 examples"),
        (lambda texts: np.zeros((len(texts), 3)), "scores of 3 classes, the task has 2"),
        (lambda texts: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_wrong_answers_are_a_failure_that_says_what_was_wrong(answers, said, reviews):
    run = harness.evaluate(harness.wrap(answers, name="wrong"), task=reviews)
    assert not run.ok and said in run.failures[0].cause


def test_what_cannot_be_asked_for_is_an_error_before_anything_is_computed(reviews, pipeline):
    own = harness.wrap(pipeline, name="mine")
    for ask, said in [
        (lambda: harness.run(task="sst", models="majority"), "Did you mean"),
        (lambda: harness.run(task="sst2", models="majority", limits=3), "unknown key 'limits'"),
        (lambda: harness.run(task="sst2", models="majority", executor="inlin"), "Did you mean 'inline'"),
        (lambda: harness.run(task=reviews, models=own, executor="local"), "inline"),
        (lambda: harness.evaluate("tfidf", task="sst2"), "it has to be trained before"),
        (lambda: harness.evaluate("./nowhere", task="sst2"), "no such folder"),
        (lambda: harness.wrap(pipeline, name="no name"), "letters, digits"),
        (lambda: harness.wrap(3, name="three"), "cannot be called"),
        (lambda: harness.evaluate(harness.wrap(pipeline, name="tfidf"), task=reviews), "choose another name"),
        (lambda: harness.run(task="sst2", models=pipeline), "harness.wrap"),
        (lambda: harness.load_results("nowhere"), "no results folder"),
        (
            lambda: harness.Task(name="x", family="classificatoin", metrics=["accuracy"], dev=[{}]).spec(),
            "Did you mean",
        ),
    ]:
        with pytest.raises(harness.HarnessError, match=said):
            ask()


def test_pretraining_gives_a_folder_that_can_be_fine_tuned():
    checkpoint = harness.pretrain("bert-tiny-mlm", steps=3, sentences=200, output="first", checkpoint_every=10)
    assert checkpoint.record["fit"]["steps"] == 3 and (checkpoint.folder / "model.safetensors").exists()
    assert harness.run(task="sst2", models=checkpoint.folder, limit=40, epochs=1).ok


def test_importing_harness_imports_nothing_heavy():
    code = "import sys, harness; print(*sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'numpy', 'pandas', 'pydantic', 'transformers'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_public_name_is_there_and_documented():
    for name in harness.__all__:
        public = getattr(harness, name)
        assert name.startswith("__") or public.__doc__, name
    assert set(harness.__all__) <= set(dir(harness))
