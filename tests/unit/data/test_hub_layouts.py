"""Every task that is downloaded from the hub, read from a mirror with one row a split in the columns of its dataset."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from harness.core.registry import load_registry
from harness.core.source_specs import HubSource
from tests.conftest import python_with_hub
from tests.unit.data.conftest import HubMirror

CONVERTED = "refs/convert/parquet"

COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""What the mirror has of datasets of which no commit is pinned."""

SCRIPTS = ("AI-Secure/adv_glue", "CogComp/trec", "eriktks/conll2003", "ybisk/piqa")
"""Datasets that are scripts, of which the hub has made parquet files."""

LOAD = """
import json, sys
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.data import load
registry = load_registry([])
read = {}
ONLY = {"flores-de-en": ["test"]}  # has nothing to train on
for name in json.loads(sys.argv[1]):
    try:
        split = next(iter(load(registry.task(name), "hub", splits=ONLY.get(name)).splits.values()))
        read[name] = [{field: values[0] for field, values in split.fields.items()}, split.labels[0]]
    except HarnessError as error:
        read[name] = str(error)
print(json.dumps(read))
"""


@dataclass(frozen=True)
class Layout:
    """Columns of a dataset with the values of one row, the names of integer classes, and what is read of the row."""

    row: Mapping[str, Any]
    fields: Mapping[str, str]
    label: Any
    classes: Mapping[str, list[str]] = field(default_factory=dict)


def of_text(label: int, classes: list[str], column: str = "label") -> Layout:
    return Layout({"text": "a text", column: label}, {"text": "a text"}, label, {column: classes})


def of_choices(row: Mapping[str, Any], question: str, key: Any = "B", column: str = "answerKey") -> Layout:
    return Layout({**row, column: key}, {"question": question, "choices": "a sun\na moon"}, 1)


LETTERED = {"text": ["a sun", "a moon"], "label": ["A", "B"]}


def of_words(names: list[str]) -> Layout:
    row = {"tokens": ["Ann", "left"], "ner_tags": [1, 0]}
    return Layout(row, {"tokens": "Ann left"}, ["B-PER O"], {"ner_tags": names})


def of_pair(row: Mapping[str, Any], fields: Mapping[str, str], classes: list[str], label: int = 1) -> Layout:
    return Layout({"idx": 0, **row, "label": label}, fields, label, {"label": classes})


BOOLEAN = ["False", "True"]
NLI = ["entailment", "neutral", "contradiction"]
PREMISE = {"premise": "p", "hypothesis": "h"}
ASKED = {"question": "Who?", "context": "Bees fly."}
QUESTION = Layout(
    {"id": "q1", "title": "Bees", **ASKED, "answers": {"text": ["Bees"], "answer_start": [0]}}, ASKED, ["Bees"]
)
SPANS = {"span1_text": "Mark", "span1_index": 0, "span2_text": "He", "span2_index": 3}


def translated(source: str, target: str) -> Layout:
    return Layout({"translation": {source: "a", target: "b"}}, {"source": "a"}, ["b"])


LAYOUTS = {
    "lambada": Layout({"text": "He saw the sea"}, {"text": "He saw the sea"}, ["He saw the sea"]),
    "copa": of_choices(
        {"premise": "It shone.", "choice1": "a sun", "choice2": "a moon", "question": "cause", "idx": 0},
        "It shone. What was the cause?",
        1,
        "label",
    ),
    "hellaswag": of_choices(
        {"ind": 1, "activity_label": "Sky", "ctx": "It is", "endings": ["a sun", "a moon"]}, "Sky: It is", "1", "label"
    ),
    "arc-easy": of_choices({"id": "q", "question": "Who?", "choices": LETTERED}, "Who?"),
    "commonsense_qa": of_choices({"id": "q", "question": "Who?", "choices": LETTERED}, "Who?"),
    "openbookqa": of_choices({"id": "q", "question_stem": "Who?", "choices": LETTERED}, "Who?"),
    "piqa": of_choices({"goal": "Who?", "sol1": "a sun", "sol2": "a moon"}, "Who?", 1, "label"),
    "blimp-passive_1": Layout(
        {"sentence_good": "It was.", "sentence_bad": "Was it.", "UID": "passive_1"},
        {"good": "It was.", "bad": "Was it."},
        ["It was."],
    ),
    "conll2003": of_words(["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]),
    "wikiann-sw": of_words(["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]),
    "boolq": of_pair({"question": "is it", "passage": "It is."}, {"text": "is it", "text_pair": "It is."}, BOOLEAN),
    "cb": of_pair(PREMISE, PREMISE, ["entailment", "contradiction", "neutral"]),
    "multirc": of_pair(
        {"paragraph": "P.", "question": "Who?", "answer": "Bo", "idx": {"paragraph": 3, "question": 0, "answer": 1}},
        {"text": "P.", "text_pair": "Who? Bo"},
        BOOLEAN,
    ),
    "record": Layout(
        {"passage": "Bo won.", "query": "@placeholder won", "entities": ["Bo"], "answers": ["Bo"]},
        {"question": "@placeholder won", "context": "Bo won."},
        ["Bo"],
    ),
    "wic": of_pair(
        {"word": "bank", "sentence1": "A bank.", "sentence2": "The bank."},
        {"text": "bank: A bank.", "text_pair": "The bank."},
        BOOLEAN,
    ),
    "wsc": of_pair(
        {"text": "Mark said. He left.", **SPANS}, {"text": "Mark said. He left.", "text_pair": "He = Mark"}, BOOLEAN
    ),
    "xnli-sw": of_pair(PREMISE, PREMISE, NLI),
    "xnli-en-to-sw": of_pair(PREMISE, PREMISE, NLI),
    "paws-x-de": of_pair({"id": 1, "sentence1": "a", "sentence2": "b"}, {"text": "a", "text_pair": "b"}, ["0", "1"]),
    "anli-r2": of_pair({"uid": "u", **PREMISE, "reason": "r"}, PREMISE, NLI),
    "ag-news": of_text(3, ["World", "Sports", "Business", "Sci/Tech"]),
    "trec": of_text(4, ["ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"], "coarse_label"),
    "imdb": of_text(1, ["neg", "pos"]),
    "yelp-polarity": of_text(1, ["1", "2"]),
    "yelp-full": of_text(4, ["1 star", "2 star", "3 stars", "4 stars", "5 stars"]),
    "mr": of_text(1, ["neg", "pos"]),
    "subj": Layout({"text": "a text", "label": 1, "label_text": "subjective"}, {"text": "a text"}, 1),
    "cr": Layout({"text": "a text", "label": 1, "label_text": "positive"}, {"text": "a text"}, 1),
    "banking77": of_text(2, ["activate_my_card", "age_limit", "apple_pay_or_google_pay"]),
    "xquad-th": QUESTION,
    "cmrc2018": QUESTION,
    "tydiqa": QUESTION,
    "samsum": Layout({"id": "1", "dialogue": "A: hi", "summary": "A greets."}, {"text": "A: hi"}, ["A greets."]),
    "multi30k-en-de": Layout({"en": "a", "de": "b"}, {"source": "a"}, ["b"]),
    "flores-de-en": Layout({"eng_Latn": "b", "deu_Latn": "a", "fra_Latn": "c"}, {"source": "a"}, ["b"]),
    "opus100-zh-en": translated("zh", "en"),
    "advglue-sst2": of_pair({"sentence": "s"}, {"text": "s"}, ["negative", "positive"]),
    "advglue-qqp": of_pair(
        {"question1": "a", "question2": "b"}, {"text": "a", "text_pair": "b"}, ["not_duplicate", "duplicate"]
    ),
    "advglue-mnli-mm": of_pair(PREMISE, PREMISE, NLI),
    "advglue-qnli": of_pair(
        {"question": "q", "sentence": "s"}, {"premise": "q", "hypothesis": "s"}, ["entailment", "not_entailment"]
    ),
    "advglue-rte": of_pair({"sentence1": "p", "sentence2": "h"}, PREMISE, ["entailment", "not_entailment"]),
}


def parquet(layout: Layout) -> bytes:
    """One row in the features of the hub."""
    import datasets

    features = datasets.Dataset.from_list([dict(layout.row)]).features
    for name, names in layout.classes.items():
        label = datasets.ClassLabel(names=names)
        features[name] = datasets.Sequence(label) if isinstance(layout.row[name], list) else label
    buffer = io.BytesIO()
    datasets.Dataset.from_list([dict(layout.row)], features=features).to_parquet(buffer)
    return buffer.getvalue()


def repository(source: HubSource, content: bytes, splits: list[str]) -> dict[str, bytes]:
    """The files of a config; those that the hub made of a script lie in folders and have no card."""
    config = source.name or "default"
    if source.path in SCRIPTS:
        return {f"{config}/{split}/0000.parquet": content for split in splits}
    card = ["---", "configs:", f"- config_name: {config}", "  data_files:"]
    for split in splits:
        card += [f"  - split: {split}", f"    path: {config}/{split}-*"]
    files = {f"{config}/{split}-00000-of-00001.parquet": content for split in splits}
    return {**files, "README.md": "\n".join([*card, "---", ""]).encode()}


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub with the datasets of all layouts."""
    registry = load_registry([])
    mirrors: dict[str, HubMirror] = {}
    for name, layout in LAYOUTS.items():
        source = registry.task(name).sources.hub
        assert source is not None
        splits = list(dict.fromkeys([*source.splits.values(), "train", "test"]))
        splits = ["devtest"] if name.startswith("flores") else splits
        commit = COMMIT if source.revision in (None, "refs/convert/parquet") else str(source.revision)
        files = repository(source, parquet(layout), splits)
        mirror = mirrors.get(source.path)
        if mirror is None:
            mirrors[source.path] = HubMirror(source.path, commit, files)
            continue
        cards = [files.pop("README.md", b""), mirror.files.get("README.md", b"")]
        mirror.files |= files
        configs = cards[0].partition(b"configs:\n")[2]
        if configs and configs.removesuffix(b"---\n") not in cards[1]:
            mirror.files["README.md"] = cards[1].removesuffix(b"---\n") + configs

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            asked = [
                mirror for repository, mirror in mirrors.items() if f"/{repository}/" in f"{path.partition('?')[0]}/"
            ]
            next(iter([*asked, *mirrors.values()])).answer(self)

        do_HEAD = do_POST = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    for mirror in mirrors.values():
        mirror.close()


@pytest.mark.slow
def test_the_datasets_of_the_hub_are_read_by_their_columns(hub: str, tmp_path: Path) -> None:
    read = python_with_hub(LOAD, json.dumps(list(LAYOUTS)), endpoint=hub, folder=tmp_path)
    assert read == {name: [dict(layout.fields), layout.label] for name, layout in LAYOUTS.items()}


def test_the_layout_of_every_dataset_is_told() -> None:
    """Those read by tests of their own are the tasks of before; a file for several tasks is tried by one of them."""
    registry = load_registry([])
    files = {registry.origins["task", name] for name in LAYOUTS}
    elsewhere = {
        "glue",
        "squad",
        "squad_v2",
        "wmt14",
        "wmt19",
        "xsum",
        "cnn_dailymail",
        "dialogsum",
        "wikitext",
        "TinyStories",
    }
    missing = [
        name
        for name, task in registry.tasks.items()
        if task.sources.hub is not None
        and registry.origins["task", name] not in files
        and task.sources.hub.path.rpartition("/")[2] not in elsewhere
    ]
    assert not missing


PINS = """
import json, sys
from dataclasses import replace
from harness.core.registry import load_registry
from tests.nightly.pins import task_problems
registry = load_registry([])
tasks = {name: registry.task(name) for name in json.loads(sys.argv[1])}
lost = tasks["boolq"].sources.hub.model_copy(update={"revision": "f" * 40})
tasks["boolq"] = tasks["boolq"].model_copy(update={"sources": tasks["boolq"].sources.model_copy(update={"hub": lost})})
tasks["mr"] = tasks["mr"].model_copy(update={"fields": {"text": "sentence", "label": "label"}})
print(json.dumps(list(task_problems(replace(registry, tasks=tasks)))))
"""


@pytest.mark.slow
def test_pins_that_lead_nowhere_are_told(hub: str, tmp_path: Path) -> None:
    lines = python_with_hub(PINS, json.dumps(list(LAYOUTS)), endpoint=hub, folder=tmp_path)
    wrong = [line for line in lines if "pins no commit" not in line]
    assert len(wrong) == 2
    assert wrong[0].startswith("task boolq: aps/super_glue: RevisionNotFound")
    assert wrong[1] == "task mr: cornell-movie-review-data/rotten_tomatoes: no column for text; there are text, label"
    unpinned = {line.split(":")[0].removeprefix("task ") for line in lines} - {"boolq", "mr"}
    assert unpinned == {
        name for name in LAYOUTS if load_registry([]).task(name).sources.hub.revision in (None, CONVERTED)
    }
