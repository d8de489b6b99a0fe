"""The hub: a real download from a local mirror, its cache, and failing in one line in time."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import TaskAbsentError
from harness.core.specs import TaskSpec
from harness.data import hub_reachable, load, state
from harness.data.hub_access import OFFLINE_SWITCHES
from tests.conftest import python_with_hub

ROOT = Path(__file__).parents[3]
COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"

LOAD = """
import json, sys, time
from pathlib import Path
from harness.data import load
from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.core.strict_spec import load_spec, parse
started = time.perf_counter()
task = load_spec(TaskSpec, Path(sys.argv[1]))
hub = {**task.sources.hub.model_dump(), **json.loads(sys.argv[2])}
task = parse(TaskSpec, {**task.model_dump(), "sources": {"hub": hub}}, "test")
try:
    data = load(task, "hub", **json.loads(sys.argv[3]))
except HarnessError as error:
    print(json.dumps({"error": str(error), "seconds": time.perf_counter() - started}))
else:
    splits = {name: [split.ids, dict(split.fields), split.labels] for name, split in data.splits.items()}
    starts = {name: split.starts for name, split in data.splits.items()}
    print(json.dumps({"splits": splits, "starts": starts, "labels": data.labels, "notes": data.notes, "location": data.location}))
"""


@pytest.fixture
def load_in_process(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Load a shipped task from the hub at `endpoint` in a fresh process: the endpoint is read at import."""

    def call(
        task: str, endpoint: str, hub: dict[str, Any] | None = None, limit: int | None = None, **environment: str
    ) -> dict[str, Any]:
        arguments = (str(ROOT / "tasks" / f"{task}.yaml"), json.dumps(hub or {}), json.dumps({"limit": limit}))
        return python_with_hub(LOAD, *arguments, endpoint=endpoint, folder=tmp_path, **environment)

    return call


def glue_files() -> dict[str, bytes]:
    """Four parquet files in the layout of the hub's GLUE, its card included."""
    import datasets

    def parquet(columns: dict[str, list[Any]], names: list[str]) -> bytes:
        features = {name: datasets.Value("string") for name in columns}
        features.update(label=datasets.ClassLabel(names=names), idx=datasets.Value("int32"))
        columns = {**columns, "idx": list(range(len(columns["label"])))}
        buffer = io.BytesIO()
        datasets.Dataset.from_dict(columns, features=datasets.Features(features)).to_parquet(buffer)
        return buffer.getvalue()

    judged = ["unacceptable", "acceptable"]
    nli = ["entailment", "neutral", "contradiction"]
    files = {}
    for split, sentences, labels in [
        ("train", ["They drank.", "Drank they the.", 'She said "so".'], [1, 0, 1]),
        ("validation", ["Who left?", "Left who the?"], [1, 0]),
        ("test", ["Nobody knows."], [-1]),
    ]:
        content = parquet({"sentence": sentences, "label": labels}, judged)
        files[f"cola/{split}-00000-of-00001.parquet"] = content
    for split in ("train", "validation_matched", "validation_mismatched"):
        columns = {"premise": [f"{split} p"], "hypothesis": [f"{split} h"], "label": [2]}
        files[f"mnli/{split}-00000-of-00001.parquet"] = parquet(columns, nli)
    card = ["---", "configs:"]
    for config in ("cola", "mnli"):
        card += [f"- config_name: {config}", "  data_files:"]
        for name in files:
            if name.startswith(config):
                split = name.removeprefix(f"{config}/").split("-")[0]
                card += [f"  - split: {split}", f"    path: {config}/{split}-*"]
    files["README.md"] = "\n".join([*card, "---", "# GLUE", ""]).encode()
    return files


@pytest.fixture
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """Accepts connections and never answers: its address, and the connections that were made."""
    connections: list[socket.socket] = []

    def accept(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connections.append(server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", connections
        server.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in OFFLINE_SWITCHES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.slow
def test_a_task_is_read_from_a_hub_and_then_from_its_cache(
    hub_mirror: Callable[..., Any], load_in_process: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    mirror = hub_mirror("nyu-mll/glue", COMMIT, glue_files())
    # A folder of the dataset's name in the working directory must not be taken for it.
    (tmp_path / "nyu-mll" / "glue").mkdir(parents=True)
    (tmp_path / "nyu-mll" / "glue" / "train.csv").write_text("sentence,label\nwrong,0\n")

    cola = load_in_process("cola", mirror.url)
    assert cola.get("error") is None
    assert cola["location"] == f"hub nyu-mll/glue:cola@{COMMIT}"
    assert cola["labels"] == ["unacceptable", "acceptable"]
    assert cola["splits"]["train"] == [
        ["train-0", "train-1", "train-2"],
        {"text": ["They drank.", "Drank they the.", 'She said "so".']},
        [1, 0, 1],
    ]
    assert cola["splits"]["dev"][2] == [1, 0]

    mnli = load_in_process("mnli", mirror.url)
    assert mnli["splits"]["dev_mismatched"][1] == {
        "premise": ["validation_mismatched p"],
        "hypothesis": ["validation_mismatched h"],
    }

    asked = len(mirror.requests)
    assert load_in_process("cola", mirror.url, HF_HUB_OFFLINE="1") == cola
    assert load_in_process("cola", "http://127.0.0.1:9") == cola
    assert len(mirror.requests) == asked

    other = load_in_process("cola", mirror.url, {"revision": "f" * 40})
    assert "Revision" in other["error"] or "revision" in other["error"]
    assert "\n" not in other["error"]
    config = load_in_process("cola", mirror.url, {"name": "colla"})
    assert "colla" in config["error"]
    assert "\n" not in config["error"]
    absent = load_in_process("cola", mirror.url, {"path": "nyu-mll/glu"})
    assert "doesn't exist" in absent["error"]

    # Without the repository, `datasets` would quietly take the commit in its cache for the one that is pinned.
    elsewhere = hub_mirror("other/dataset", COMMIT, {})
    lost = load_in_process("cola", elsewhere.url, {"revision": "f" * 40})
    assert f"its cache only have {COMMIT}" in lost["error"]

    unpinned = load_in_process("cola", mirror.url, {"revision": None})
    assert unpinned["notes"] == [f"the task pins no commit of nyu-mll/glue; it was {COMMIT}"]
    kept = load_in_process("cola", "http://127.0.0.1:9", {"revision": None})
    assert kept["splits"] == cola["splits"]
    assert "the hub cannot be reached" in kept["notes"][0]


def hub_files(splits: dict[str, dict[str, list[Any]]], config: str, features: Any = None) -> dict[str, bytes]:
    """A repository of one config: a parquet file a split, and the card that names them."""
    import datasets

    files = {}
    card = ["---", "configs:", f"- config_name: {config}", "  data_files:"]
    for split, columns in splits.items():
        buffer = io.BytesIO()
        datasets.Dataset.from_dict(columns, features=features).to_parquet(buffer)
        files[f"data/{split}-00000-of-00001.parquet"] = buffer.getvalue()
        card += [f"  - split: {split}", f"    path: data/{split}-*"]
    return {**files, "README.md": "\n".join([*card, "---", ""]).encode()}


@pytest.mark.slow
def test_questions_are_read_from_a_hub(
    hub_mirror: Callable[..., Any], load_in_process: Callable[..., dict[str, Any]], shipped: Callable[[str], TaskSpec]
) -> None:
    import datasets

    answers = datasets.Sequence({"text": datasets.Value("string"), "answer_start": datasets.Value("int32")})
    text = datasets.Value("string")
    features = datasets.Features(id=text, title=text, context=text, question=text, answers=answers)

    def rows(*questions: tuple[str, list[str], list[int]]) -> dict[str, list[Any]]:
        return {
            "id": [key for key, _, _ in questions],
            "title": ["Bees"] * len(questions),
            "context": ["Bees fly."] * len(questions),
            "question": [f"{key}?" for key, _, _ in questions],
            "answers": [{"text": texts, "answer_start": starts} for _, texts, starts in questions],
        }

    splits = {"train": rows(("q", ["Bees"], [0])), "validation": rows(("r", ["fly", "fly."], [5, 5]), ("s", [], []))}
    pinned = shipped("squad_v2").sources.hub
    assert pinned is not None and pinned.revision is not None
    mirror = hub_mirror(pinned.path, pinned.revision, hub_files(splits, "squad_v2", features))
    data = load_in_process("squad_v2", mirror.url)
    assert data.get("error") is None
    assert data["splits"]["dev"] == [
        ["r", "s"],
        {"question": ["r?", "s?"], "context": ["Bees fly."] * 2},
        [["fly", "fly."], []],
    ]
    assert data["starts"]["dev"] == [[5, 5], []]


@pytest.mark.slow
def test_translations_are_parts_of_a_column_and_a_limit_reads_no_more(
    hub_mirror: Callable[..., Any], load_in_process: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    import datasets

    features = datasets.Features(translation=datasets.Translation(languages=["zh", "en"]))
    pairs = [{"zh": f"蜜蜂{number}", "en": f"bee {number}"} for number in range(3)]
    broken = [*pairs[:2], {"zh": None, "en": None}]
    files = hub_files({"train": {"translation": pairs}, "validation": {"translation": broken}}, "zh-en", features)
    mirror = hub_mirror("wmt/wmt19", COMMIT, files)
    data = load_in_process("wmt19-en-zh", mirror.url, limit=2)
    assert data.get("error") is None
    assert data["splits"]["dev"] == [
        ["dev-0", "dev-1"],
        {"source": ["bee 0", "bee 1"]},
        [["蜜蜂0"], ["蜜蜂1"]],
    ]
    assert data["notes"] == [f"the task pins no commit of wmt/wmt19; it was {COMMIT}"]
    whole = load_in_process("wmt19-en-zh", mirror.url)
    assert "row 2: column 'translation.en' should hold text, found nothing" in whole["error"]


@pytest.mark.slow
def test_summaries_of_one_dialogue_are_its_references(
    hub_mirror: Callable[..., Any], load_in_process: Callable[..., dict[str, Any]]
) -> None:
    def rows(*triples: tuple[str, str, str]) -> dict[str, list[Any]]:
        names = ("id", "dialogue", "summary")
        return {name: [triple[place] for triple in triples] for place, name in enumerate(names)}

    splits = {
        "train": rows(("train_0", "#Person1#: Hi.", "They greet."), ("train_1", "#Person1#: Bye.", "They part.")),
        "test": rows(
            ("test_0_1", "#Person1#: Hello.", "A greeting."),
            ("test_0_2", "#Person1#: Hello.", "They meet."),
            ("test_1_1", "#Person1#: Go.", "A command."),
        ),
    }
    data = load_in_process("dialogsum", hub_mirror("knkarthick/dialogsum", COMMIT, hub_files(splits, "default")).url)
    assert data.get("error") is None
    assert data["splits"]["test"] == [
        ["test_0_1", "test_1_1"],
        {"text": ["#Person1#: Hello.", "#Person1#: Go."]},
        [["A greeting.", "They meet."], ["A command."]],
    ]
    assert data["splits"]["train"][2] == [["They greet."], ["They part."]]

    limited = load_in_process(
        "dialogsum", hub_mirror("knkarthick/dialogsum", COMMIT, hub_files(splits, "default")).url, limit=1
    )
    assert limited["splits"]["test"][2] == [["A greeting.", "They meet."]]


@pytest.mark.slow
def test_a_dataset_that_is_a_script_is_read_as_the_hub_converted_it(
    hub_mirror: Callable[..., Any], load_in_process: Callable[..., dict[str, Any]]
) -> None:
    texts = {"document": ["The mayor opened a bridge."], "summary": ["A bridge is open."], "id": ["35232142"]}
    files = {
        name.replace("data/", "default/"): content
        for name, content in hub_files({"train": texts, "test": texts}, "default").items()
        if name != "README.md"
    }
    mirror = hub_mirror("EdinburghNLP/xsum", COMMIT, files)
    data = load_in_process("xsum", mirror.url)
    assert data.get("error") is None
    assert data["splits"]["test"] == [["35232142"], {"text": texts["document"]}, [texts["summary"]]]
    assert any("refs%2Fconvert%2Fparquet" in request for request in mirror.requests)
    assert data["notes"] == [f"the task pins no commit of EdinburghNLP/xsum; it was {COMMIT}"]


@pytest.mark.slow
def test_articles_are_put_together_from_lines(
    hub_mirror: Callable[..., Any], load_in_process: Callable[..., dict[str, Any]], shipped: Callable[[str], TaskSpec]
) -> None:
    lines = ["", " = Bee = \n", "", " Bees fly . \n", "", " = Cow = \n", "", " = = Food = = \n", "", " Grass . \n"]
    pinned = shipped("wikitext").sources.hub
    assert pinned is not None and pinned.revision is not None
    files = hub_files({"train": {"text": lines}, "test": {"text": lines}}, pinned.name or "")
    data = load_in_process("wikitext", hub_mirror(pinned.path, pinned.revision, files).url, limit=1)
    assert data.get("error") is None
    assert data["splits"]["test"][1] == {"text": [" = Bee = \n\n Bees fly . \n\n"]}


def test_an_unreachable_hub_is_one_line_with_the_other_sources(
    load_in_process: Callable[..., dict[str, Any]],
) -> None:
    refused = load_in_process("cola", "http://127.0.0.1:9")
    assert "cannot be reached" in refused["error"]
    assert "refused" in refused["error"]
    assert "--data synthetic" in refused["error"]
    assert "--data FOLDER" in refused["error"]
    assert "\n" not in refused["error"]
    assert refused["seconds"] < 10


def test_a_hub_that_never_answers_is_asked_once_and_given_up(
    load_in_process: Callable[..., dict[str, Any]], silent_server: tuple[str, list[socket.socket]]
) -> None:
    endpoint, connections = silent_server
    hanging = load_in_process("cola", endpoint)
    assert "does not answer within 5 s" in hanging["error"]
    assert len(connections) == 1


def test_offline_without_a_cache_names_the_switch(load_in_process: Callable[..., dict[str, Any]]) -> None:
    offline = load_in_process("cola", "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set" in offline["error"]


def test_name_resolution_that_hangs_is_given_up_in_time(online: pytest.MonkeyPatch) -> None:
    online.setenv("HF_ENDPOINT", "http://hub.invalid")
    given_up = threading.Event()
    waited_for: list[bool] = []

    def hang(*_: Any, **__: Any) -> list[Any]:
        waited_for.append(given_up.wait(30))
        return []

    online.setattr(socket, "getaddrinfo", hang)
    assert "does not answer within 0.3 s" in (hub_reachable(timeout=0.3) or "")
    assert not waited_for
    given_up.set()


def test_a_hub_that_answers_is_reachable(online: pytest.MonkeyPatch, hub_mirror: Callable[..., Any]) -> None:
    online.setenv("HF_ENDPOINT", hub_mirror("a/b", COMMIT, {}).url)
    assert hub_reachable() is None


def test_only_a_pinned_commit_has_a_state(shipped: Callable[[str], TaskSpec], task: Callable[..., TaskSpec]) -> None:
    assert state(shipped("cola"), "hub") != state(shipped("sst2"), "hub") != ""
    assert state(task(sources={"hub": "a/b"}), "hub") == ""
    assert state(task(sources={"hub": "a/b@main"}), "hub") == ""


def test_a_task_without_a_hub_dataset_is_absent_there(shipped: Callable[[str], TaskSpec]) -> None:
    with pytest.raises(TaskAbsentError, match="text-classification"):
        load(shipped("text-classification"), "hub")
    with pytest.raises(TaskAbsentError):
        state(shipped("sick"), "hub")
