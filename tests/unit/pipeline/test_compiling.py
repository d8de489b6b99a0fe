"""`compile: auto` is decided by the plan: from what compiling was measured to take and give on this machine, and what the
fit is estimated to take.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.machine import compiling as probe
from harness.core.machine.compiling import Compiled, of_width
from harness.core.registry import load_registry
from harness.core.run_spec import RunSpec
from harness.core.store import Store
from harness.pipeline.planner import compiling
from harness.pipeline.planner.plan import make_plan

MODEL = """
name: small
learner: transformer
config: {model_type: bert, hidden_size: 128, num_hidden_layers: 6, num_attention_heads: 2, intermediate_size: 512}
tokenizer: {kind: wordpiece, vocab_size: 300}
training: {epochs: 3, compile: COMPILE}
"""


def planned(folder: Path, asked: str, **settings: Any) -> tuple[Any, str]:
    """What the plan makes of `compile`, and the key of the fit."""
    (folder / f"{asked}.yaml").write_text(MODEL.replace("COMPILE", asked))
    run = RunSpec(task=["sst2"], model=[str(folder / f"{asked}.yaml")], limit=200, **settings)
    fit = make_plan(run, load_registry(()), Store.open(folder / "results")).cells[0]
    return fit.job.model_spec.training.compile, fit.key


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, machine_cache: Path) -> dict[str, float]:
    """What compiling is said to take and to give; how often it was asked for is counted."""
    facts = {"seconds": 20.0, "gain": 2.0, "asked": 0}

    def compiled() -> dict[int, Compiled]:
        facts["asked"] += 1
        return dict.fromkeys(probe.WIDTHS, Compiled(facts["seconds"], facts["gain"]))

    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    monkeypatch.setattr(compiling, "compiling", compiled)
    monkeypatch.setattr(compiling, "compiler_missing", lambda: None)
    return facts


def test_a_fit_is_compiled_where_it_saves_more_than_compiling_takes(measured: dict[str, float], tmp_path: Path):
    plain, eager = planned(tmp_path, "false")
    chosen, compiled = planned(tmp_path, "true")
    assert (plain, chosen, measured["asked"]) == (False, True, 0), "who says it waits for no probe"
    assert planned(tmp_path, "auto") == (False, eager)
    assert measured["asked"] == 1
    measured["seconds"] = 1e-4
    assert planned(tmp_path, "auto") == (True, compiled)
    measured["gain"] = 1.05  # less than the last layer at one position gains
    assert planned(tmp_path, "auto") == (False, eager)


def test_it_is_not_compiled_where_it_cannot_be(
    measured: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    measured["seconds"] = 1e-4
    monkeypatch.setattr(compiling, "compiler_missing", lambda: "none of g++")
    assert planned(tmp_path, "auto")[0] is False and measured["asked"] == 0


def test_longer_fits_and_larger_gains_pay_and_the_margin_is_kept():
    assert compiling.pays(1000, 6, Compiled(10, 1.5)) and not compiling.pays(100, 6, Compiled(10, 1.5))
    assert not compiling.pays(1e9, 2, Compiled(10, 1.4)), (
        "two layers lose 1.43 times by computing the last one whole, and more by single operations"
    )
    saved = 1000 * (1 - 1 / (1.5 * compiling.ONE_FUNCTION * 0.9))
    assert compiling.pays(1000, 6, Compiled(saved / 6 / compiling.MARGIN * 0.99, 1.5))
    assert not compiling.pays(1000, 6, Compiled(saved / 6 / compiling.MARGIN * 1.01, 1.5))


def test_between_two_widths_the_probe_is_read_between_them():
    measured = {128: Compiled(10, 1.0), 384: Compiled(30, 2.0)}
    assert of_width(64, measured) == measured[128] and of_width(1024, measured) == measured[384]
    between = of_width(222, measured)
    assert between.seconds == pytest.approx(20, abs=0.1) and between.gain == pytest.approx(1.5, abs=0.01)


@pytest.mark.slow
def test_the_steps_of_the_probe_are_compiled(monkeypatch: pytest.MonkeyPatch):
    """By a compiler that only traces: inductor takes a minute."""
    import torch

    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **options: real(model, backend="eager", **options))
    counters = pytest.importorskip("torch._dynamo.utils").counters
    for compiles in (False, True):
        counters.clear()
        probe._steps(128, "cpu", compiles)()
        assert counters["frames"]["ok"] == compiles and not counters["graph_break"]


@pytest.mark.nightly
@pytest.mark.slow
def test_the_probe_says_what_compiling_takes():
    if probe.compiler_missing() is not None:
        pytest.skip("no C++ compiler")
    measured = probe._read(probe._measure_in_fresh_process())
    assert all(one.seconds > 1 and 0.1 < one.gain < 10 for one in measured.values())


def test_the_probe_is_made_once_and_a_failure_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    calls = []

    def measure() -> dict[str, Any]:
        calls.append(1)
        return {str(width): {"seconds": 3.0, "gain": 1.25} for width in probe.WIDTHS}

    monkeypatch.setattr(probe, "_measure_in_fresh_process", measure)
    assert probe.compiling() == probe.compiling() == dict.fromkeys(probe.WIDTHS, Compiled(3.0, 1.25))
    assert len(calls) == 1
    monkeypatch.undo()
    monkeypatch.setattr(probe.sys, "executable", "/bin/false")
    with pytest.raises(HarnessError, match="compile: false"):
        probe._measure_in_fresh_process()
