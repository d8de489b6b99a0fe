from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.search_spec import Range, TuneSpec, checked_space, read_space, with_values
from harness.core.specs import TrainingSpec
from harness.core.strict_spec import parse
from harness.training.search_space import default_space

LORA = TrainingSpec(peft="lora")


def test_a_space_has_ranges_and_choices(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("learning_rate: {low: 1.0e-5, high: 1.0e-3, log: true}\nbatch_size: [16, 32, 16]\npeft.r: [4, 8]\n")
    space = read_space(file, LORA)
    assert space == {"learning_rate": Range(low=1e-5, high=1e-3, log=True), "batch_size": (16, 32), "peft.r": (4, 8)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learnin_rate": [1]}, "no training value is called 'learnin_rate'. Did you mean 'learning_rate'?"),
        ({"peft.rr": [4]}, "no training value is called 'peft.rr'. Did you mean 'peft.r'?"),
        ({"augment": ["eda"]}, "no training value is called 'augment'"),
        ({"epochs": {"low": 3, "high": 1}}, "epochs: low is 3 and high 1"),
        ({"epochs": {"low": 1, "high": 3, "lgo": True}}, "unknown key 'lgo'. Did you mean 'lo"),
        ({"learning_rate": {"low": 0, "high": 1, "log": True}}, "log: low must be above 0"),
        ({"epochs": 3}, "epochs: a range {low: …, high: …} or a list of choices is expected"),
        ({"epochs": []}, "a list of choices is expected"),
        ({"epochs": [-1]}, "epochs: input should be greater than 0"),
        ({"batch_size": {"low": 8.5, "high": 32}}, "batch_size: input should be a valid integer"),
        ({"schedule": ["linear", "cosin"]}, "schedule: input should be"),
        ({"peft.r": [4]}, "the model trains no adapter; add --peft lora"),
    ],
)
def test_a_fault_of_a_space_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError) as error:
        checked_space(values, TrainingSpec(), "space.yaml")
    assert str(error.value).startswith("space.yaml") and message in str(error.value)


def test_an_adapter_of_the_space_has_options_of_the_space() -> None:
    space = checked_space({"peft": ["lora", "dora:dropout=0.1"], "peft.r": {"low": 2, "high": 16}}, TrainingSpec(), "s")
    assert space["peft.r"] == Range(low=2, high=16)
    made = with_values(with_values(TrainingSpec(), {"peft": "dora:dropout=0.1"}, "s"), {"peft.r": 4}, "s")
    assert str(made.peft) == "dora:r=4,dropout=0.1"


def test_values_replace_those_of_the_training_and_no_others() -> None:
    training = TrainingSpec(epochs=3, learning_rate=1e-4, weight_decay=0.1)
    assert with_values(training, {"epochs": 5}, "s") == TrainingSpec(epochs=5, learning_rate=1e-4, weight_decay=0.1)


@pytest.mark.parametrize("rungs", ["1,0.5", "0.5", "0.5,0.5,1", "0,1", "0.5,2"])
def test_rungs_rise_to_one(rungs: str) -> None:
    with pytest.raises(HarnessError, match="rungs"):
        parse(TuneSpec, {"rungs": rungs}, "the command line")


def test_the_usual_space_of_bert_base_holds_the_grid_of_its_paper() -> None:
    space = default_space(TrainingSpec(), 110_000_000, False, 10_000)
    rate = space["learning_rate"]
    assert isinstance(rate, Range) and rate.log and rate.low <= 2e-5 and rate.high >= 5e-5
    assert space["epochs"] == (2, 3, 4) and space["batch_size"] == (16, 32)
    assert "peft.r" not in space


def test_the_usual_space_of_an_adapter_has_its_rank_and_its_rate() -> None:
    space = default_space(LORA, 110_000_000, False, 10_000)
    rate = space["learning_rate"]
    assert isinstance(rate, Range) and rate.low < 3e-4 < rate.high
    assert 8 in space["peft.r"]  # type: ignore[operator]
    assert "peft.r" not in default_space(TrainingSpec(peft="ia3"), 110_000_000, False, 10_000)
