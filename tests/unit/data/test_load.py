"""What holds for every source: which is read, splits and limits, fingerprints, states, and the shipped task files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.families import FAMILIES
from harness.core.registry import load_registry
from harness.core.specs import SuiteSpec, TaskSpec
from harness.core.strict_spec import load_spec, parse
from harness.core.strict_yaml import load_mapping
from harness.core.variants import expand_variants
from harness.data import load, state

ROOT = Path(__file__).parents[3]
TASKS = sorted((ROOT / "tasks").glob("*.yaml"))
SUITES = sorted((ROOT / "tasks" / "suites").glob("*.yaml"))

Make = Callable[..., TaskSpec]
Write = Callable[[str, "str | bytes"], Path]


@pytest.fixture
def mood(write: Write, tmp_path: Path) -> Path:
    write("train.csv", "text,label\na,good\nb,bad\nc,good\n")
    write("dev.csv", "text,label\nd,bad\ne,good\n")
    return tmp_path


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A synthetic world of one small template."""

    def build(shape: str) -> dict[str, dict[str, Any]]:
        return {
            split: {"id": ["p", "q"], "text": ["x", "y"], "label": ["good", "bad"], "oracle": ["good", "good"]}
            for split in ("train", "dev")
        }

    module = SimpleNamespace(build=build, SHAPES=("tiny",), WORLD_VERSION=7)
    monkeypatch.setattr("harness.data.synthetic_source.synthetic", module)


def test_the_embedded_world_brings_its_ids_and_oracle(world: None, task: Make) -> None:
    data = load(task(sources={"synthetic": "tiny"}), "synthetic")
    assert (data.source, data.location) == ("synthetic", "synthetic world v7")
    assert data.splits["dev"].ids == ("p", "q")
    assert data.splits["dev"].labels == (1, 0)
    assert data.splits["dev"].oracle == (1, 1)


def test_a_shape_or_split_the_world_lacks_is_named(world: None, task: Make) -> None:
    with pytest.raises(HarnessError, match=r"unknown synthetic template 'tini'.*Did you mean 'tiny'"):
        load(task(sources={"synthetic": "tini"}), "synthetic")
    with pytest.raises(HarnessError, match="no split 'test' of tiny; it has train, dev"):
        load(task(sources={"synthetic": "tiny"}, eval=["test"]), "synthetic")
    with pytest.raises(TaskAbsentError, match="no synthetic data"):
        load(task(), "synthetic")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("./nowhere", r"no such folder or file: \./nowhere; --data takes synthetic, hub, or a folder\."),
        ("", r"no such folder or file: ''; --data takes synthetic"),
        ("sythetic", r"sythetic; .*Did you mean 'synthetic'\?"),
        ("Hub", r"Did you mean 'hub'\?"),
    ],
)
def test_a_source_that_does_not_exist_is_named(task: Make, data: str, message: str) -> None:
    for call in (load, state):
        with pytest.raises(HarnessError, match=message) as raised:
            call(task(), data)
        assert not isinstance(raised.value, TaskAbsentError)


def test_only_the_splits_asked_for_are_read(task: Make, mood: Path) -> None:
    assert list(load(task(), str(mood)).splits) == ["train", "dev"]
    assert list(load(task(train_on="other"), str(mood)).splits) == ["dev"]
    (mood / "train.csv").write_bytes(b"\xff")
    assert list(load(task(), str(mood), splits=["dev"]).splits) == ["dev"]


def test_limit_keeps_the_first_rows_of_each_split(task: Make, mood: Path) -> None:
    data = load(task(), str(mood), limit=1)
    assert [split.fields["text"] for split in data.splits.values()] == [("a",), ("d",)]


def test_the_fingerprint_is_stable_and_sees_each_character_and_the_order(task: Make, mood: Path, write: Write) -> None:
    def fingerprint() -> str:
        return load(task(), str(mood)).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    content = (mood / "train.csv").read_text()
    seen = {first}
    for changed in (
        content.replace("c,good", "C,good"),
        content.replace("c,good", "c,bad"),
        "text,label\nb,bad\na,good\nc,good\n",
    ):
        write("train.csv", changed)
        assert fingerprint() not in seen
        seen.add(fingerprint())
    write("train.csv", content)
    assert fingerprint() == first


def test_the_fingerprint_does_not_depend_on_the_format(task: Make, mood: Path, write: Write) -> None:
    first = load(task(), str(mood)).fingerprint
    write("train.csv", (mood / "train.csv").read_text().replace("\n", "\r\n"))
    (mood / "dev.csv").unlink()
    write("dev.jsonl", '{"label": "bad", "text": "d"}\n{"label": "good", "text": "e"}\n')
    assert load(task(), str(mood)).fingerprint == first


def test_the_state_changes_with_a_file_its_time_its_neighbours_and_the_task(
    task: Make, mood: Path, write: Write
) -> None:
    def now(**values: Any) -> str:
        return state(task(**values), str(mood))

    states = [now()]
    assert now() == states[0]
    assert now(metrics=["macro_f1"], description="other") == states[0]
    states.append(now(label_aliases={"nice": "good"}))
    write("dev.csv", "text,label\nd,bad\ne,bad\n")
    os.utime(mood / "dev.csv", ns=(1, 1))
    states.append(now())
    os.utime(mood / "dev.csv", ns=(1, 2))
    states.append(now())
    write("test.csv", "text\nx\n")
    states.append(now())
    write("mood/train.csv", "text,label\na,good\n")
    states.append(now())
    assert len(set(states)) == len(states)


def test_the_state_opens_no_file(task: Make, mood: Path) -> None:
    (mood / "train.csv").chmod(0)
    (mood / "dev.csv").write_bytes(b"\xff")
    assert state(task(), str(mood))


def test_an_absent_task_has_no_state(task: Make, tmp_path: Path) -> None:
    with pytest.raises(TaskAbsentError):
        state(task(), str(tmp_path))
    with pytest.raises(TaskAbsentError):
        state(task(), "synthetic")


def test_a_similarity_task_has_no_classes(task: Make, write: Write, tmp_path: Path) -> None:
    write("train.csv", "text,text_pair,label\na,b,1\nc,d,0.25\n")
    write("dev.csv", "text,text_pair,label\na,b,-1\n")
    fields = {"text": "text", "text_pair": "text_pair", "label": "label"}
    data = load(task(family="similarity", fields=fields, labels=None), str(tmp_path))
    assert data.labels == ()
    assert data.splits["train"].labels == (1.0, 0.25)
    assert data.splits["dev"].labels is None


CONVERTED = "refs/convert/parquet"
"""The branch the hub makes of every dataset; it moves, and pins nothing."""


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_shipped_task_is_complete(path: Path) -> None:
    for values in expand_variants(load_mapping(path), path.name):
        is_complete(parse(TaskSpec, values, path.name), path)


def is_complete(task: TaskSpec, path: Path) -> None:
    assert task.name == path.stem or path.stem.startswith(task.name.split("-")[0])
    assert task.description
    family = FAMILIES.get(task.family)
    family.check_fields(list(task.fields), path.name)
    assert (task.prompt is None) == (family.target is None or family.predictions == "tags" or bool(family.modalities))
    canonical = [f"{{{field}}}" for field in task.fields if field not in (family.target, family.choices)]
    for prompt in filter(None, (task.prompt, task.prompt_trained)):
        assert all(field in prompt for field in canonical)
    if task.sources.hub is not None and task.sources.hub.revision not in (None, CONVERTED):
        assert state(task, "hub")


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_a_shipped_suite_holds_shipped_tasks(path: Path) -> None:
    suite = load_spec(SuiteSpec, path)
    assert suite.name == path.stem
    assert {name.partition("@")[0] for name in suite.tasks} <= load_registry([]).tasks.keys()


def test_glue_averages_nine_tasks_and_leaves_the_diagnostics_out() -> None:
    glue = load_spec(SuiteSpec, ROOT / "tasks" / "suites" / "glue.yaml")
    assert len(glue.tasks) == 10
    assert set(glue.tasks) - set(glue.averaged) == {"ax"}
