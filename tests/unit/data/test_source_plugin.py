"""A data source of one's own is one module with one registered object."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness import data
from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.data.source import asked_source, data_argument

MINE = """
from harness import register
from harness.core.errors import HarnessError, TaskAbsentError
from harness.data.assemble import Reading
from harness.data.source import Source
from harness.data.table import table_of

LABELS = ["bad", "good", "good"]


class Mine(Source):
    def read(self, task, rest, splits, limit):
        settings = task.sources.of("mine")
        if settings is None:
            raise TaskAbsentError(f"task '{task.name}' is not mine")
        columns = {"text": [f"{settings['word']} {rest} {n}" for n in range(len(LABELS))], "label": LABELS}
        tables = {split: table_of(columns, f"mine ({split})") for split in splits}
        return Reading("a shelf", tables, task.fields)

    def state(self, task, rest):
        if task.sources.of("mine") is None:
            raise TaskAbsentError(f"task '{task.name}' is not mine")
        return "always the same"

    def check(self, settings, where):
        if set(settings) != {"word"}:
            raise HarnessError(f"{where}: the source mine takes word alone")


register("source", "mine", Mine())
"""
TASK = """\
name: mood
family: classification
fields: {text: text, label: label}
labels: [bad, good]
metrics: [accuracy]
sources: {mine: {word: hello}}
"""


@pytest.fixture
def mine(tmp_path, monkeypatch, machine_cache):
    """A folder with the plug-in and a task of it; gone from the registry after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    before = plugins.snapshot()
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "mood.yaml").write_text(TASK)
    yield folder
    plugins.restore(before)


def run(mine: Path, source: str = "mine") -> harness.RunResult:
    return harness.run(task="mood", models="majority", data=source, include=[mine])


def test_it_is_run_and_named_in_results(mine):
    (score,) = run(mine).scores
    assert score.value == pytest.approx(2 / 3) and score.source == "mine"
    (of_rest,) = run(mine, "mine:there").scores
    assert of_rest.source == "mine:there" and of_rest.fingerprint != score.fingerprint
    assert "on mine: a shelf (data" in run(mine).to_markdown()


def test_editing_its_file_makes_the_result_stale(mine):
    before = run(mine)
    assert before.ok, before.failures
    assert run(mine).scores == before.scores
    task = load_registry([mine]).task("mood")
    state = data.state(task, "mine")
    assert data.state(task, "mine") == state != data.state(task, "mine:there")

    (mine / "mine.py").write_text(MINE.replace('["bad", "good", "good"]', '["good", "good", "good", "bad"]'))
    after = run(mine)
    assert data.state(task, "mine") != state
    assert after.scores[0].cell != before.scores[0].cell and after.scores[0].value == pytest.approx(3 / 4)

    (mine / "mine.py").write_text(MINE)
    assert run(mine).scores == before.scores


def test_a_comment_in_its_file_does_not(mine):
    before = run(mine)
    task = load_registry([mine]).task("mood")
    state = data.state(task, "mine")
    (mine / "mine.py").write_text("# a shelf\n" + MINE)
    assert run(mine).scores == before.scores and data.state(task, "mine") == state


def test_a_source_that_nothing_pins_has_no_state(mine):
    (mine / "mine.py").write_text(MINE.replace('return "always the same"', "return None"))
    assert data.state(load_registry([mine]).task("mood"), "mine") == ""
    assert run(mine).scores == run(mine).scores


def test_a_task_it_lacks_is_absent(mine):
    result = harness.run(task=["mood", "sst2"], models="majority", data="mine", include=[mine])
    assert set(result.absent) == {"sst2"} and {score.task for score in result.scores} == {"mood"}


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ("{mine: {words: a}}", "mood.yaml: the source mine takes word alone"),
        ("{mien: {word: a}}", "unknown source 'mien' in .*mood.yaml.* Did you mean 'mine'"),
        ("{gleu: SST-2}", "gleu: settings of a source are a mapping"),
        ("{gleu: {folder: SST-2}}", "unknown source 'gleu'.* Did you mean 'glue'"),
    ],
)
def test_what_a_task_says_of_it_is_checked_by_it(mine, sources, said):
    (mine / "mood.yaml").write_text(TASK.replace("{mine: {word: hello}}", sources))
    with pytest.raises(HarnessError, match=said):
        load_registry([mine])


def test_a_misspelled_source_is_told_from_a_path(mine):
    load_registry([mine])
    with pytest.raises(
        HarnessError,
        match=r"no such folder or file: mien:x; --data takes synthetic, hub, mine, or a folder\. Did you mean 'mine'\?",
    ):
        data.load(load_registry([mine]).task("mood"), "mien:x")
    with pytest.raises(HarnessError, match="the source synthetic takes nothing after its name"):
        data.load(load_registry([mine]).task("sst2"), "synthetic:x")


def test_what_a_record_names_can_be_asked_for_again(mine):
    load_registry([mine])
    for asked in ("mine", "mine:there", "hub", "synthetic"):
        assert data_argument(asked_source(asked).recorded, "somewhere") == asked
    assert data_argument(asked_source("./a:b").recorded, "/place") == "/place"
    assert data_argument("embedded", "embedded world v1") == "synthetic"
    assert asked_source("folder").is_path and asked_source("folder:x") == asked_source("x")
