"""Accepted baselines: whole, compact, and named when they are damaged."""

from __future__ import annotations

import base64
import json
import zlib

import numpy as np
import pytest

from harness.core.errors import HarnessError, IncompatibleError
from harness.core.grouped import grouped, groups_of
from harness.core.hashing import hash_json
from harness.gating import baseline, baseline_file
from harness.gating.engine import judge
from harness.gating.settings import GateSpec
from tests.unit.gating.synthetic import answers, classes, evidence


def several_kinds():
    """Classes, numbers, texts with references of several lengths, and log-likelihoods."""
    references = classes(300)
    random = np.random.default_rng(0)
    numbers = random.random(300) * 5
    texts = np.fromiter(((f"answer {n}",) * (n % 3) for n in range(300)), dtype=object, count=300)
    replies = np.array([f"answer {n + n % 2}" for n in range(300)], dtype=object)
    whole = np.fromiter(((f"text {n}",) for n in range(300)), dtype=object, count=300)
    return evidence(
        {
            "cola": (["matthews_correlation"], references, [answers(references, random.random(300) < 0.8)] * 2),
            "multirc": (
                ["f1", "question_exact_match"],
                grouped(references, np.arange(300) // 4),
                [answers(references, random.random(300) < 0.9)],
            ),
            "stsb": (["pearson", "spearman"], numbers, [numbers + random.normal(0, 1, 300)]),
            "squad": (["exact_match", "squad_f1"], texts, [replies]),
            "wikitext": (["bits_per_byte"], whole, [-random.random(300)]),
        }
    )


def test_a_baseline_gives_back_what_was_accepted(tmp_path):
    before = several_kinds()
    path = baseline.accept(before, "demo", tmp_path)
    after = baseline.load(path)
    assert after.task_splits.keys() == before.task_splits.keys()
    for key, part in before.task_splits.items():
        assert list(after.task_splits[key].references) == list(part.references)
        assert repr(groups_of(after.task_splits[key].references)) == repr(groups_of(part.references))
        assert after.task_splits[key].ids is None
        assert after.task_splits[key].ids_hash == part.ids_hash
    for key, one in before.scored.items():
        assert (after.scored[key].predictions == one.predictions).all()
        assert after.scored[key].predictions.dtype.kind == one.predictions.dtype.kind
        assert after.scored[key].scores == one.scores
    report, _ = judge(after, before, GateSpec())
    assert {row.verdict for row in report.rows} == {"IDENTICAL"}
    assert report.exit_code == 0


def test_a_baseline_is_compact(tmp_path):
    references = classes(5000)
    right = np.random.default_rng(0).random(5000) < 0.8
    found = evidence({f"t{n}": (["accuracy"], references, [answers(references, right)]) for n in range(10)})
    assert baseline.accept(found, "demo", tmp_path).stat().st_size < 50_000


def test_writing_leaves_no_other_file_and_replaces_the_old_one(tmp_path):
    baseline.accept(several_kinds(), "demo", tmp_path)
    baseline.accept(several_kinds(), "demo", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


@pytest.mark.parametrize("name", ["../up", "", "latest", "a/b", ".hidden"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(HarnessError, match="--name"):
        baseline.accept(several_kinds(), name, tmp_path)


def test_a_run_with_failures_is_not_accepted(tmp_path):
    references = classes(10)
    found = evidence({"cola": (["accuracy"], references, [references, None])})
    with pytest.raises(HarnessError, match="encoder on cola dev seed 1: the loss diverged"):
        baseline.accept(found, "demo", tmp_path)


def changed(path, change) -> None:
    """Change the content and make the checksum fit again."""
    content = json.loads(path.read_text())
    content.pop("sha256")
    change(content)
    path.write_text(json.dumps({**content, "sha256": hash_json(content)}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "is damaged: not a whole JSON file"),
        (lambda text: text.replace('"seed": 0', '"seed": 5', 1), "is damaged: its content does not fit its checksum"),
        (
            lambda text: text.replace('"schema_version": 2', '"schema_version": 9'),
            "has schema 9, this harness reads up to 2",
        ),
        (lambda text: "[]", "is no baseline"),
        (lambda text: "\x00\xff", "is damaged"),
    ],
)
def test_a_damaged_baseline_is_incompatible_and_named(tmp_path, damage, message):
    path = baseline.accept(several_kinds(), "demo", tmp_path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(IncompatibleError, match=message) as caught:
        baseline.load(path)
    assert "demo.json" in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["parts"][0].pop("data"),
        lambda content: content["scores"][0].update(predictions="!"),
        lambda content: content["scores"][0].update(predictions=base64.b64encode(zlib.compress(b"[0, 1]")).decode()),
        lambda content: content["scores"][0].update(task="gone"),
        lambda content: content["parts"][1].update(groups=content["parts"][2]["references"]),
        lambda content: content["parts"][1].update(groups="!"),
        lambda content: content["scores"][0].update(
            predictions=content["scores"][1]["predictions"], prediction_hash="0"
        ),
        lambda content: content.update(parts=None),
        lambda content: content["scores"][0].update(
            predictions=base64.b64encode(zlib.compress(b"[" * 10)[:8]).decode()
        ),
    ],
)
def test_a_baseline_that_fits_its_checksum_but_not_its_schema_is_incompatible(tmp_path, change):
    path = baseline.accept(several_kinds(), "demo", tmp_path)
    changed(path, change)
    with pytest.raises(IncompatibleError, match=r"demo\.json is damaged"):
        baseline.load(path)


def test_a_baseline_of_the_first_schema_is_still_read(tmp_path):
    path = baseline.accept(several_kinds(), "demo", tmp_path)

    def as_it_was(content):
        content["schema_version"] = 1
        content.pop("margins")
        for score in content["scores"]:
            score.pop("cell")
            score.pop("files")

    changed(path, as_it_was)
    report, _ = judge(baseline.load(path), several_kinds(), GateSpec())
    assert report.exit_code == 0 and {row.verdict for row in report.rows} == {"IDENTICAL"}


def test_a_column_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(baseline_file, "UNPACKED_AT_MOST", 1000)
    with pytest.raises(ValueError, match="too large"):
        baseline_file.unpack(base64.b64encode(zlib.compress(b"[" + b"0," * 10_000 + b"0]")).decode())


def test_a_missing_baseline_names_one_like_it(tmp_path):
    baseline.accept(several_kinds(), "glue-main", tmp_path)
    with pytest.raises(IncompatibleError, match="Did you mean 'glue-main'"):
        baseline.find("glue-man", tmp_path)
    with pytest.raises(IncompatibleError, match="There is none"):
        baseline.find("glue", tmp_path / "nowhere")
