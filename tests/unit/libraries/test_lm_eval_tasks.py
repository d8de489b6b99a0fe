"""Names, groups and definitions of lm_eval's tasks."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from harness import data
from harness.core.errors import HarnessError
from harness.core.libraries import LIBRARIES
from harness.core.registry import load_registry
from harness.libraries import lm_eval_index, lm_eval_tasks, manners
from harness.libraries.lm_eval_index import index, known_names, tasks_folder
from tests.unit.libraries.lm_eval_rows import TASKS, arc, rows

TASK = """
task: mine
dataset_path: json
dataset_kwargs:
  data_files: {{test: {file}}}
output_type: multiple_choice
test_split: test
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{choices.label.index(answerKey)}}}}"
doc_to_choice: "{{{{choices.text}}}}"
metric_list:
  - metric: acc
"""


def write_task(folder: Path, count: int = 5, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(arc, count)))
    (folder / "mine.yaml").write_text(TASK.format(file=file) + more)
    return folder


def spec(folder: Path, name: str = "mine"):
    return load_registry([f"lm_eval:{folder}"]).task(f"lm_eval:{name}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lm_eval:hellaswg", "unknown task 'lm_eval:hellaswg'. Did you mean 'lm_eval:hellaswag'?"),
        ("lmeval:hellaswag", "unknown task library 'lmeval'. Did you mean 'lm_eval'?"),
        ("lm_eval:mmlu", "lm_eval:mmlu is a group of tasks; a single task is asked for here"),
        ("lm_eval:humaneval", "it runs the code that a model writes, which is not done here"),
        ("lm_eval:squadv2", "it is a program and no configuration of lm_eval, and is not run here"),
        ("lm_eval:truthfulqa_mc1@2-shot", "it is asked without examples shown, by its own definition"),
        ("lm_eval:hellaswag@two-shot", "after @ comes the number of examples shown"),
        ("lm_eval:hellaswag+typos", "noise goes with answers that are a class or a number"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(name, message):
    with pytest.raises(HarnessError) as raised:
        load_registry().task(name)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    lm_eval_index._kept.cache_clear()
    with pytest.raises(HarnessError, match=r"pip install 'nlp-harness\[lm-eval\]'"):
        load_registry().task("lm_eval:hellaswag")


def test_listing_names_imports_nothing_of_the_library():
    assert "lm_eval" in LIBRARIES.names()


def test_a_group_has_its_tasks_and_a_tag_too():
    registry = load_registry()
    assert len(registry.group("lm_eval:mmlu").tasks) == 57
    assert registry.group("lm_eval:ai2_arc").tasks == ["lm_eval:arc_challenge", "lm_eval:arc_easy"]
    assert registry.group("lm_eval:ai2_arc@5-shot").tasks[0] == "lm_eval:arc_challenge@5-shot"
    assert registry.group("lm_eval:hellaswag") is None
    assert registry.group("sst2") is None


def test_a_task_that_a_group_changes_is_another_one():
    registry = load_registry()
    inner = registry.task("lm_eval:openllm/arc_challenge")
    assert inner.sources.of("lm_eval")["num_fewshot"] == 25
    assert (
        inner.sources.of("lm_eval")["definition"]
        != registry.task("lm_eval:arc_challenge").sources.of("lm_eval")["definition"]
    )


def test_a_task_says_how_many_examples_it_shows():
    registry = load_registry()
    assert registry.task("lm_eval:gsm8k").sources.of("lm_eval")["num_fewshot"] == 5
    assert registry.task("lm_eval:gsm8k@0-shot").sources.of("lm_eval")["num_fewshot"] == 0
    assert registry.task("lm_eval:hellaswag").sources.of("lm_eval")["num_fewshot"] == 0
    assert registry.task("lm_eval:gsm8k").shots == 0, "it is never trained on"


def test_a_folder_adds_tasks_and_its_rows_are_pinned(tmp_path):
    folder = write_task(tmp_path / "tasks")
    task = spec(folder)
    first = data.load(task, "synthetic").splits["test"]
    assert len(first) == 5 and first.labels[0] == ("film opened",)
    state = data.state(task, "synthetic")
    assert state and data.state(task, "synthetic") == state
    write_task(folder, 6)
    assert data.state(task, "synthetic") != state
    assert data.load(task, "synthetic").splits["test"].fingerprint != first.fingerprint
    assert data.load(task, "synthetic", 2).splits["test"].ids == ("test-0", "test-1")


def test_what_a_task_says_is_part_of_its_identity(tmp_path):
    folder = write_task(tmp_path / "tasks")
    definition = spec(folder).sources.of("lm_eval")["definition"]
    write_task(folder, more="target_delimiter: ''\n")
    assert spec(folder).sources.of("lm_eval")["definition"] != definition
    write_task(folder, more="task_alias: another name\n")
    assert spec(folder).sources.of("lm_eval")["definition"] == definition


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("unsafe_code: true\n", "runs the code that a model writes"),
        ("doc_to_image: picture\n", "shows images or sounds"),
        ("output_type: dance\n", "output_type dance is none of"),
        ("metric_list: [{metric: x, aggregation: meen}]\n", "put together by 'meen', which is not known here"),
        ("no_such_key: 1\n", "its definition is none of lm_eval"),
        ("test_split: null\n", "names neither a test nor a validation split"),
    ],
)
def test_a_definition_that_cannot_be_done_is_refused(tmp_path, more, message):
    folder = write_task(tmp_path / "tasks")
    key = more.partition(":")[0]
    lines = (folder / "mine.yaml").read_text()
    kept = lines.partition("metric_list")[0] if key == "metric_list" else lines
    (folder / "mine.yaml").write_text(
        "".join(f"{line}\n" for line in kept.splitlines() if not line.startswith(key)) + more
    )
    with pytest.raises(HarnessError, match=message):
        spec(folder)


def test_a_function_of_a_folder_that_puts_values_together_is_refused(tmp_path):
    folder = write_task(tmp_path / "tasks")
    (folder / "of_mine.py").write_text("def middle(items):\n    return sorted(items)[0]\n")
    text = (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").write_text(text + "    aggregation: !function of_mine.middle\n")
    with pytest.raises(HarnessError, match="stored scores could not be computed again"):
        spec(folder)


def test_data_that_cannot_be_had_is_said_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(manners, "hub_reachable", lambda: "HF_HUB_OFFLINE is set")
    task = load_registry().task("lm_eval:medqa_4options")
    with pytest.raises(HarnessError, match="is not in the cache, and the hub cannot be asked: HF_HUB_OFFLINE is set"):
        data.load(task, "synthetic")
    folder = write_task(tmp_path / "tasks")
    task = spec(folder)
    (folder / "rows.jsonl").unlink()
    with pytest.raises(HarnessError, match=r"its dataset json cannot be read: .*rows\.jsonl"):
        data.load(task, "synthetic")


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(HarnessError, match="no such folder of lm_eval's tasks"):
        load_registry(["lm_eval:/no/such/folder"])


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_what_lm_evals_tests_ask_of_each_task(name):
    """Its tests/test_tasks.py: texts, targets and choices of the first examples are of the right types, and requests
    are made of all.
    """
    task = load_registry().task(f"lm_eval:{name}")
    loaded = lm_eval_tasks.load(task)
    docs = [doc for _, doc in loaded.doc_iterator(limit=2)]
    assert loaded.has_test_docs() or loaded.has_validation_docs()
    if loaded.has_training_docs():
        assert len(loaded.training_docs()) > 0
    for doc in docs:
        texts, target = loaded.doc_to_text(doc), loaded.doc_to_target(doc)
        assert isinstance(texts, int if loaded.multiple_input else str)
        if loaded.multiple_target:
            assert isinstance(target, list)
        if loaded.config.output_type == "multiple_choice":
            assert all(isinstance(choice, str) for choice in loaded.doc_to_choice(doc))
    split = data.load(task, "synthetic", 2).splits[task.eval[0]]
    requests = LIBRARIES.get("lm_eval").asking(task, split, 0).requests
    per_doc = len(loaded.doc_to_choice(docs[0])) if loaded.config.output_type == "multiple_choice" else 1
    assert len(split) == 2 and len(requests) >= per_doc


@pytest.mark.slow
def test_the_index_is_the_packages_own():
    from lm_eval.tasks._index import TaskIndex

    root = tasks_folder()
    assert root is not None
    mine, theirs = index(root), TaskIndex.build([root])
    kinds = {"TASK": ("task", "unsafe"), "PY_TASK": ("python",), "GROUP": ("group",), "TAG": ("tag",)}
    assert set(mine) == set(theirs)
    for name, entry in theirs.items():
        assert mine[name].kind in kinds[entry.kind.name], name
        assert mine[name].file is None or Path(mine[name].file) == entry.yaml_path
        assert mine[name].kind != "tag" or set(mine[name].members) == entry.tags


def test_names_are_kept_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr(lm_eval_index, "index", lambda folder: {"made-up": lm_eval_index.Named("task", None)})
    for _ in range(2):
        lm_eval_index._kept.cache_clear()
        assert list(known_names()) == ["made-up"]
        monkeypatch.setattr(lm_eval_index, "index", None)
    assert len(list(tmp_path.glob("lm_eval-tasks-*.json"))) == 1
    lm_eval_index._kept.cache_clear()
