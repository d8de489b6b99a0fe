"""Metrics by name: built in, from outside, through `evaluate`."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness import metrics
from harness.core import code_identity
from harness.core.errors import HarnessError
from harness.metrics import METRICS, Metric
from tests.unit.metrics.given import FREE, GROUPED, JUDGED, NUMBERS, TEXTUAL

ROOT = Path(__file__).resolve().parents[3]
BUILT_IN = sorted([*NUMBERS, *GROUPED, *TEXTUAL])

MODULE = """
from harness import register
from harness.metrics import Metric

metric = register("metric", "error_rate", Metric(
    name="error_rate", version=1, inputs="labels", low=0.0, high=1.0, greater_is_better=False,
    compute={compute}, chance=lambda references: 0.5,
))
"""


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def _forget_what_a_test_registers(monkeypatch):
    monkeypatch.setattr(METRICS, "_added", {})


def load(folder: Path, module: str, compute: str = "lambda p, r: float((p != r).mean())") -> Metric:
    path = folder / f"{module}.py"
    path.write_text(MODULE.format(compute=compute))
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded.metric


def test_the_built_in_metrics_have_the_name_they_are_asked_for():
    assert metrics.names() == BUILT_IN
    assert [metrics.get(name).name for name in BUILT_IN] == BUILT_IN


def test_names_and_code_versions_import_no_metric():
    code = """
import sys
from harness import metrics
print([metrics.code_version(name)[:4] for name in metrics.names()])
assert "harness.metrics.accuracy" not in sys.modules
heavy = {"numpy", "scipy", "sklearn", "evaluate", "datasets", "pandas", "torch"} & set(sys.modules)
assert not heavy, heavy
"""
    assert python(code)


def test_an_unknown_metric_is_named_with_the_closest_one():
    with pytest.raises(HarnessError, match=r"unknown metric 'acuracy'.*Did you mean 'accuracy'"):
        metrics.get("acuracy")


def test_a_metric_of_another_module_is_found_by_name(tmp_path):
    mine = load(tmp_path, "mine")
    assert metrics.get("error_rate") is mine
    assert metrics.source("error_rate") == tmp_path / "mine.py"
    assert mine.score(np.array([0, 1]), np.array([0, 0])) == 0.5


def test_registering_the_same_metric_again_is_harmless(tmp_path):
    load(tmp_path, "mine")
    again = load(tmp_path, "mine")
    assert metrics.get("error_rate") is again


def test_two_modules_cannot_share_a_name(tmp_path):
    """Also where both compute with one library function: the source is the module, not the function's."""
    load(tmp_path, "mine", compute="__import__('numpy').corrcoef")
    with pytest.raises(HarnessError, match=r"metric 'error_rate' is defined twice.*mine\.py.*yours\.py"):
        load(tmp_path, "yours", compute="__import__('numpy').corrcoef")


def test_a_built_in_name_is_taken(tmp_path):
    with pytest.raises(HarnessError, match="'accuracy' is already built in"):
        metrics.register(metrics.get("accuracy"))


def test_a_changed_module_changes_the_code_version(tmp_path):
    load(tmp_path, "mine")
    before = metrics.code_version("error_rate")
    load(tmp_path, "mine", compute="lambda p, r: 0.0")
    assert metrics.code_version("error_rate") != before
    assert len(before) == 64


def test_a_change_in_a_module_that_a_metric_imports_changes_its_code_version(monkeypatch, tmp_path):
    """Also at second hand: diversity imports translation; and no metric depends on a module that it does not import."""
    package = tmp_path / "harness"
    shutil.copytree(code_identity.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "builtin"))
    monkeypatch.setattr(code_identity, "PACKAGE", package)

    def versions() -> dict[str, str]:
        code_identity.forget()
        return {name: metrics.code_version(name) for name in BUILT_IN}

    before = versions()

    def touched(changed: str) -> set[str]:
        path = package / "metrics" / changed
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "\nCHANGED = 1\n", encoding="utf-8")
        after = versions()
        path.write_text(text, encoding="utf-8")
        return {name for name, version in after.items() if version != before[name]}

    assert touched("words.py") == {*JUDGED, *FREE} - {"bleu", "bleu_zh", "chrf"}
    assert touched("translation.py") == {"bleu", "bleu_zh", "chrf", *FREE}
    assert touched("resampling.py") == touched("base.py") == {*BUILT_IN}


def test_a_metric_without_a_file_has_no_code_version():
    code = MODULE.format(compute="lambda p, r: 0.0")
    exec(compile(code, "<notebook>", "exec"), {})
    assert metrics.get("error_rate")
    with pytest.raises(HarnessError, match="<notebook>, which is no file"):
        metrics.code_version("error_rate")


def test_a_score_that_is_not_finite_is_an_error(tmp_path):
    with pytest.raises(HarnessError, match="the score is nan"):
        load(tmp_path, "mine", compute="lambda p, r: float('nan')").score(np.zeros(2), np.zeros(2))


def test_scoring_imports_neither_evaluate_nor_torch():
    code = """
import sys
from harness import metrics
from tests.unit.metrics.given import data
for name in metrics.names():
    metrics.get(name).score(*data(name, 5))
heavy = {"evaluate", "datasets", "transformers", "torch"} & set(sys.modules)
assert not heavy, heavy
"""
    python(code)


@pytest.mark.slow
def test_every_metric_is_an_evaluate_metric_without_the_network(tmp_path):
    """Whole, and in batches, as `evaluate` is used in a loop over a data loader."""
    code = """
import json
import evaluate
from harness import metrics
from harness.core.grouped import groups_of
from harness.metrics.hf import load
from tests.unit.metrics.given import data
scores = {}
for name in metrics.names():
    metric, own = load(name), metrics.get(name)
    assert isinstance(metric, evaluate.Metric)
    predictions, references = data(name, 4)
    given = {"predictions": list(predictions)}
    if own.references != "unused":
        given["references"] = list(references)
    if own.counts_groups:
        given["groups"] = groups_of(references).tolist()
    scores |= metric.compute(**given)
    assert scores[name] == own.score(predictions, references)
    for part in slice(2), slice(2, 4):
        metric.add_batch(**{kind: values[part] for kind, values in given.items()})
    assert metric.compute() == {name: scores[name]}
print(json.dumps(scores))
"""
    printed = python(code, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1", HF_EVALUATE_OFFLINE="1")
    scores = json.loads(printed.splitlines()[-1])
    assert list(scores) == BUILT_IN
