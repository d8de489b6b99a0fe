"""Adapters in place of whole weights: trained for every head, kept apart, served on one base, merged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.specs import ModelSpec, TaskSpec
from harness.data.frame import Split
from harness.modeling.checkpoint import load as load_checkpoint
from harness.modeling.merging import write_merged
from harness.modeling.size import weights_of
from harness.modeling.weights import adapters
from harness.modeling.weights.settings import read_settings
from harness.training.defaults import learning_rate_for
from harness.training.learners import kept_models
from harness.training.learners.base import FitRequest, PredictRequest
from harness.training.learners.transformer import LEARNER
from tests import zoo
from tests.unit.modeling.heads import given

peft = pytest.importorskip("peft")

BASES = {
    "bert": ("AutoModelForMaskedLM", "wordpiece"),
    "gpt2": ("AutoModelForCausalLM", "bytebpe"),
    "t5": ("AutoModelForSeq2SeqLM", "unigram"),
}
CHOICES = TaskSpec.model_validate(
    {
        "name": "choices",
        "family": "multiple-choice",
        "fields": {"question": "question", "choices": "choices", "label": "label"},
        "metrics": ["accuracy"],
    }
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Checkpoints with random weights, none of which has a head for a task."""
    root = tmp_path_factory.mktemp("bases")

    def of(kind: str) -> Path:
        folder = root / kind
        if not folder.exists():
            auto_class, tokens = BASES[kind]
            given.model(auto_class, kind, tokens).save_pretrained(folder)
            given.tokenizer(tokens).save_pretrained(folder)
        return folder

    return of


def task_and_data(name: str) -> tuple[TaskSpec, tuple[str, ...], Split, Split]:
    if name == "choices":
        questions = {"question": ("the bird", "a stone") * 4, "choices": ("sings\nwalks", "is red\nis green") * 4}
        split = given.split(questions, [0, 1] * 4)
        return CHOICES, ("0", "1"), split, split
    task, data = zoo._task_and_data(name, 24)
    train, dev = data.splits["train"], data.splits[task.eval[0]]
    return task, data.labels, train.select(range(24)), dev.select(range(min(12, len(dev))))


def fitted(base: Path, kind: str, task_name: str, folder: Path, seed: int = 0, **training: Any) -> dict[str, Any]:
    task, labels, train, _ = task_and_data(task_name)
    values = {"epochs": 2, "learning_rate": 1e-2, "max_length": 64, **training}
    spec = {"name": kind, "learner": "transformer", "pretrained": str(base), "training": values}
    (folder / "model").mkdir(parents=True)
    (folder / "scratch").mkdir()
    request = FitRequest(
        task, labels, train, ModelSpec.model_validate(spec), seed, folder / "model", folder / "scratch", pretrained=base
    )
    return LEARNER.fit(request)


def predicted(folder: Path, task_name: str) -> Any:
    task, labels, _, dev = task_and_data(task_name)
    kept_models.forget()
    return LEARNER.predict(PredictRequest(task, labels, dev, folder))


@pytest.mark.parametrize(
    ("kind", "task_name", "method"),
    [
        ("bert", "reviews", "dora"),
        pytest.param("bert", "stsb", "lora", marks=pytest.mark.slow),
        pytest.param("bert", "squad", "lora", marks=pytest.mark.slow),
        pytest.param("bert", "entities", "ia3", marks=pytest.mark.slow),
        ("bert", "choices", "lora"),
        ("gpt2", "reviews", "lora"),
        pytest.param("gpt2", "entities", "dora", marks=pytest.mark.slow),
        ("t5", "reviews", "lora"),
    ],
)
def test_an_adapter_of_every_head_is_small_and_merges_into_the_same_outputs(
    bases: Callable[[str], Path], tmp_path: Path, kind: str, task_name: str, method: str
) -> None:
    import numpy as np
    from safetensors.numpy import load_file

    base = bases(kind)
    before = {file.name: file.read_bytes() for file in base.iterdir()}
    record = fitted(base, kind, task_name, tmp_path / "fit", peft=method)
    model = tmp_path / "fit" / "model"
    assert record["peft"] == method
    assert 0 < record["trainable_parameters"] < record["parameters"]
    assert sorted(model.glob("*.safetensors")) == [model / "adapter_model.safetensors"]
    stored = sum(tensor.size for tensor in load_file(model / "adapter_model.safetensors").values())
    assert stored == record["trainable_parameters"]
    assert {file.name: file.read_bytes() for file in base.iterdir()} == before

    beside = predicted(model, task_name)
    whole = tmp_path / "whole"
    whole.mkdir()
    write_merged(model, whole)
    assert read_settings(whole).is_plain and not (whole / "adapter_config.json").exists()
    merged = predicted(whole, task_name)
    untrained = load_file(base / "model.safetensors")
    kept = load_file(whole / "model.safetensors")
    embedding = next(
        name for name in untrained if "word_embeddings" in name or "wte" in name or name.startswith("shared")
    )
    assert (kept[embedding] == untrained[embedding]).all()
    if "logits" in beside.columns:
        most = np.abs(beside.columns["logits"]).max()
        assert np.abs(beside.columns["logits"] - merged.columns["logits"]).max() <= 1e-3 * max(most, 1.0)
        assert np.ptp(beside.columns["logits"]) > 0
    else:
        assert list(map(str, beside.values)) == list(map(str, merged.values))


def test_peft_and_transformers_alone_read_what_is_written(bases: Callable[[str], Path], tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = bases("bert")
    fitted(base, "bert", "reviews", tmp_path / "fit", peft="lora")
    folder = tmp_path / "fit" / "model"
    write_merged(folder, tmp_path)
    inputs = AutoTokenizer.from_pretrained(tmp_path)(["an awful film"], return_tensors="pt")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    theirs = peft.PeftModel.from_pretrained(AutoModelForSequenceClassification.from_pretrained(base), folder).eval()
    ours = load_checkpoint(folder)
    with torch.no_grad():
        logits = [model(**inputs).logits for model in (plain, theirs, ours.model)]
    torch.testing.assert_close(logits[0], logits[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits[1], logits[2], rtol=1e-4, atol=1e-5)
    assert ours.about["parameters"] == sum(parameter.numel() for parameter in ours.model.parameters())


def test_several_adapters_on_one_base_load_it_once_and_leave_it_alone(
    bases: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    base = bases("bert")
    for seed, (method, task) in enumerate([("lora", "reviews"), ("dora", "reviews"), ("ia3", "stsb")]):
        fitted(base, "bert", task, tmp_path / str(seed), seed, peft=method)
    loads: list[Path] = []
    load = adapters.load_weights
    monkeypatch.setattr(adapters, "load_weights", lambda *args, **more: loads.append(args[1]) or load(*args, **more))
    adapters._kept_base.cache_clear()
    order = [("0", "reviews"), ("1", "reviews"), ("2", "stsb"), ("0", "reviews")]
    logits = [predicted(tmp_path / name / "model", task).columns["logits"] for name, task in order]
    assert loads == [base]
    assert (logits[0] == logits[3]).all() and not np.allclose(logits[0], logits[1])
    for name, task in order[:3]:
        adapters._kept_base.cache_clear()
        alone = predicted(tmp_path / name / "model", task).columns["logits"]
        assert (alone == logits[int(name)]).all()


@pytest.mark.slow
def test_a_seed_gives_the_same_bytes(bases: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("first", "second"):
        fitted(bases("bert"), "bert", "reviews", tmp_path / name, peft="lora:dropout=0.1")
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name / "model").iterdir()} for name in ("first", "second")
    )
    assert first == second


def test_a_base_that_is_gone_or_another_is_an_error(bases: Callable[[str], Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for file in bases("bert").iterdir():
        (base / file.name).write_bytes(file.read_bytes())
    fitted(base, "bert", "reviews", tmp_path / "fit", peft="lora")
    given.model("AutoModelForMaskedLM", "bert", "wordpiece", hidden_dropout_prob=0.2).save_pretrained(base)
    with pytest.raises(HarnessError, match="has other weights than the adapter was trained on"):
        predicted(tmp_path / "fit" / "model", "reviews")
    base.rename(tmp_path / "elsewhere")
    with pytest.raises(HarnessError, match="an adapter whose base is not there"):
        predicted(tmp_path / "fit" / "model", "reviews")


def foreign(base: Path, folder: Path, **settings: Any) -> Any:
    """An adapter as peft alone saves it, away from zero."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    config = peft.LoraConfig(
        task_type="SEQ_CLS", target_modules=["query", "value"], **{"modules_to_save": ["pooler"], **settings}
    )
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
    model = peft.get_peft_model(model, config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    model.eval().save_pretrained(folder)
    return model


def test_an_adapter_made_by_others_is_served_with_the_tokenizer_of_its_base(
    bases: Callable[[str], Path], tmp_path: Path
) -> None:
    import torch

    model = foreign(bases("bert"), tmp_path / "theirs")
    assert not (tmp_path / "theirs" / "config.json").exists()
    settings = read_settings(tmp_path / "theirs")
    assert settings.head == "sequence-classification" and settings.adapter is not None
    loaded = load_checkpoint(tmp_path / "theirs")
    inputs = loaded.tokenizer(["an awful film"], return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(**inputs).logits, model(**inputs).logits)
    weights = weights_of(tmp_path / "theirs", settings)
    assert weights["files"] == ["adapter_model.safetensors", "model.safetensors"]


def test_an_adapter_that_lacks_what_its_base_lacks_is_refused(bases: Callable[[str], Path], tmp_path: Path) -> None:
    foreign(bases("bert"), tmp_path, modules_to_save=["classifier"])
    with pytest.raises(HarnessError, match=r"adapter_model\.safetensors lacks bert\.pooler\.dense"):
        load_checkpoint(tmp_path)


def test_an_adapter_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "PREFIX_TUNING"}))
    with pytest.raises(HarnessError, match="an adapter of kind PREFIX_TUNING"):
        read_settings(tmp_path)


@pytest.mark.parametrize("target", ["querry", "pooler.dense", "classifier"])
def test_a_layer_that_gets_no_adapter_is_no_target(bases: Callable[[str], Path], tmp_path: Path, target: str) -> None:
    with pytest.raises(HarnessError, match=rf"target_modules: no linear layer is called '{target}'"):
        fitted(bases("bert"), "bert", "reviews", tmp_path, peft={"target_modules": [target]})


def test_an_adapter_learns_at_up_to_ten_times_the_rate_of_all_weights() -> None:
    def rate(parameters: int, **training: Any) -> float:
        spec = ModelSpec.model_validate(
            {"name": "m", "learner": "transformer", "pretrained": "p", "training": training}
        )
        return learning_rate_for(spec.training, parameters, False)

    assert rate(110_000_000, peft="lora") == pytest.approx(10 * rate(110_000_000)) == pytest.approx(3e-4)
    assert rate(1_000_000, peft="dora") == pytest.approx(5e-4)
    assert rate(110_000_000, peft="ia3") == pytest.approx(3e-3)
    assert rate(110_000_000, peft="lora", learning_rate=1e-4) == 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "package"), [("nf4", "bitsandbytes"), ("int8", "torchao")])
def test_an_adapter_is_trained_on_weights_in_few_bits(tmp_path: Path, bits: str, package: str) -> None:
    pytest.importorskip(package)
    base = tmp_path / "base"  # of layers as wide as a block of nf4
    given.model("AutoModelForMaskedLM", "bert", "wordpiece", hidden_size=64).save_pretrained(base)
    given.tokenizer("wordpiece").save_pretrained(base)
    whole = fitted(base, "bert", "reviews", tmp_path / "whole", peft="lora")
    record = fitted(base, "bert", "reviews", tmp_path / "few", peft=f"lora:quantize_base={bits}")
    assert record["trainable_parameters"] == whole["trainable_parameters"]
    assert record["parameters"] == whole["parameters"] and record["loss"] != whole["loss"]
    assert any(bits in caution for caution in record["cautions"])
    assert predicted(tmp_path / "few" / "model", "reviews").columns["logits"].shape == (12, 2)


def test_few_bits_without_their_package_are_an_error_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "bitsandbytes" else object())
    spec = ModelSpec.model_validate(
        {"name": "m", "learner": "transformer", "pretrained": "p", "training": {"peft": "lora:quantize_base=nf4"}}
    )
    with pytest.raises(HarnessError, match=r"bitsandbytes is not installed; pip install 'nlp-harness\[qlora\]'"):
        LEARNER.cannot_train(task_and_data("reviews")[0], spec, "sequence-classification")


@pytest.mark.parametrize(
    "change",
    [
        {"peft_type": 3},
        {"peft_type": None},
        {"base_model_name_or_path": None},
        {"base_model_name_or_path": "no/where/at/all"},
        {"base_model_name_or_path": ["a"]},
        {"task_type": "FEATURE_EXTRACTION"},
        {"r": "many"},
        {"target_modules": ["nothing"]},
        {"target_modules": {"query": 1}},
    ],
)
def test_a_bad_adapter_file_is_an_error_in_a_line(
    bases: Callable[[str], Path], tmp_path: Path, change: dict[str, Any]
) -> None:
    foreign(bases("bert"), tmp_path)
    file = tmp_path / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(HarnessError) as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)


def test_damaged_adapter_weights_are_an_error_in_a_line(bases: Callable[[str], Path], tmp_path: Path) -> None:
    foreign(bases("bert"), tmp_path)
    weights = tmp_path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(HarnessError, match=r"cannot (read|load)"):
        load_checkpoint(tmp_path)
