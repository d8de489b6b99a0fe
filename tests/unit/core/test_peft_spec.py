from __future__ import annotations

from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.peft_spec import PeftSpec
from harness.core.run_spec import RunSpec
from harness.core.specs import TrainingSpec
from harness.core.strict_spec import parse


@pytest.mark.parametrize(
    "text", ["lora", "ia3", "dora:r=4", "lora:r=16,alpha=32,dropout=0.1", "lora:target_modules=query+value"]
)
def test_a_spec_is_its_text(text: str) -> None:
    spec = PeftSpec.model_validate(text)
    assert str(spec) == text
    assert PeftSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("lorra", "unknown method 'lorra'. Did you mean 'lora'?"),
        ("lora:q=3", "unknown key 'q'"),
        ("lora:drop=3", "unknown key 'drop'. Did you mean 'dropout'?"),
        ("lora:method=ia3", "unknown key 'method'"),
        ("lora:r", "'r' is no NAME=VALUE"),
        ("lora:r=0", "peft.r: input should be greater than or equal to 1"),
        ("lora:r=2.5", "peft.r"),
        ("ia3:r=3", "r goes with lora and dora"),
        ("lora:target_modules=", "is no NAME=VALUE"),
        ("lora:quantize_base=fp4", "peft.quantize_base: input should be 'nf4' or 'int8'"),
        ({"methd": "lora"}, "unknown key 'peft.methd'. Did you mean 'method'?"),
        ({"target_modules": []}, "target_modules: auto, or names of layers"),
        ({"r": True}, "a number is expected"),
    ],
)
def test_a_fault_is_named(value: Any, message: str) -> None:
    with pytest.raises(HarnessError) as error:
        parse(TrainingSpec, {"peft": value}, "the file")
    assert message in str(error.value)


def test_the_learning_rate_of_all_weights_is_none_of_an_adapter() -> None:
    run = parse(RunSpec, {"peft": "lora:r=4"}, "the command line")
    assert run.overrides() == {"peft": "lora:r=4"}
    training = run.training(TrainingSpec(learning_rate=2e-5, epochs=4))
    assert (training.learning_rate, training.epochs, training.peft) == (None, 4, PeftSpec(r=4))
    of_adapter = TrainingSpec(learning_rate=1e-3, peft="ia3")
    assert run.training(of_adapter).learning_rate == 1e-3
    given = parse(RunSpec, {"peft": "lora", "learning_rate": 5e-4}, "the command line")
    assert given.training(TrainingSpec(learning_rate=2e-5)).learning_rate == 5e-4
