"""Adversarial training of real heads and objectives: what a step sees, and what several processes make of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.core.adversarial_spec import DEFAULTS, AdversarialSpec
from harness.core.errors import HarnessError
from harness.core.specs import ModelSpec, TokenizerSpec, TrainingSpec
from harness.modeling.heads import HEADS
from harness.modeling.inference.batching import DataCollator
from harness.training.adversarial.adversary import Adversary
from harness.training.adversarial.passes import Reader
from harness.training.adversarial.perturbation import Perturbation, embeddings_of, perturbed, zeros
from harness.training.encoder_layer import fused_layers
from harness.training.learners.transformer import LEARNER
from harness.training.objectives import check_objective
from tests.unit.modeling.heads.given import model, reader, split, task
from tests.unit.training.pretraining.settings import setting_of, spec, trained

METHODS = list(DEFAULTS)
SENTENCES = [f"the {a} {b} {c} the {d}" for a in ("old", "small") for b in ("bird", "tree") for c in ("is near", "is over")
             for d in ("river", "house")]  # fmt: skip
WHERE = [(text.split()[-1],) for text in SENTENCES]
HEADS_TO_TRAIN: dict[str, tuple[str, str, str, dict[str, Any], list[Any], dict[str, Any]]] = {
    "classes": ("classification", "sequence-classification", "bert", {"text": SENTENCES}, [0, 1] * 8, {}),
    "numbers": (
        "similarity", "sequence-classification", "bert", {"text": SENTENCES, "text_pair": SENTENCES[::-1]},
        [index / 4 for index in range(16)], {},
    ),
    "spans": (
        "question-answering", "question-answering", "bert", {"question": ["where is it?"] * 16, "context": SENTENCES},
        WHERE, {"starts": tuple((len(text) - len(text.split()[-1]),) for text in SENTENCES)},
    ),
    "encoder-decoder": ("translation", "seq2seq-lm", "t5", {"source": SENTENCES}, WHERE, {}),
    "decoder": ("translation", "causal-lm", "gpt2", {"source": SENTENCES}, WHERE, {}),
}  # fmt: skip
KINDS = {"bert": "wordpiece", "t5": "unigram", "gpt2": "bytebpe"}


def made(name: str) -> tuple[Any, dict[str, Any], Reader]:
    """A small random model, a batch of it, and how it is read."""
    family, head_name, model_type, fields, labels, more = HEADS_TO_TRAIN[name]
    head, of = HEADS.get(head_name), task(family)
    context = reader(of, KINDS[model_type], labels=("no", "yes") if family == "classification" else ())
    torch.manual_seed(0)
    outputs = {"num_labels": 1 if family == "similarity" else 2} if head_name == "sequence-classification" else {}
    trained_model = model(head.auto_class, model_type, KINDS[model_type], **outputs)
    encoded = head.encode(context, split(fields, labels, **more))
    batch = DataCollator.of(context.tokenizer, torch.device("cpu"))(encoded.rows(range(8)))
    return trained_model, batch, Reader(
        lambda of, rows: head.loss(of, rows, context), lambda of, rows: head.outputs(of, rows, context)
    )  # fmt: skip


def step(of: Any, batch: dict[str, Any], reads: Reader, method: str) -> tuple[float, list[torch.Tensor]]:
    of.zero_grad()
    torch.manual_seed(0)
    adversary = Adversary(AdversarialSpec.model_validate(method), reads, seed=0)
    loss = adversary.loss(lambda rows, term: term(of, rows), lambda term: term.backward(), of, batch, 0)
    loss.backward()
    return loss.item(), [weight.grad.clone() for weight in of.parameters() if weight.grad is not None]


@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_the_same_where_layers_are_one_function(method: str) -> None:
    of, batch, reads = made("classes")
    of.eval()
    loss, gradients = step(of, batch, reads, method)
    with fused_layers(of, first=True) as count:
        assert count
        fused, others = step(of, batch, reads, method)
    assert fused == pytest.approx(loss, rel=1e-5)
    largest = max(float(gradient.abs().max()) for gradient in gradients)
    near = 1e-4 if method == "vat" else 1e-5  # whose direction is the slope of a divergence of next to nothing
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=near * largest)


@pytest.mark.parametrize("name", list(HEADS_TO_TRAIN))
@pytest.mark.parametrize("method", ["freelb:steps=1,start=0", "vat:weight=1e-12", "smart:weight=1e-12,proximal=0"])
def test_without_a_perturbation_a_step_is_the_plain_one(name: str, method: str) -> None:
    of, batch, reads = made(name)
    of.zero_grad()
    torch.manual_seed(0)
    plain = reads.loss(of, dict(batch))
    plain.backward()
    gradients = [weight.grad.clone() for weight in of.parameters() if weight.grad is not None]
    loss, others = step(of, batch, reads, method)
    assert loss == pytest.approx(plain.item(), rel=1e-5)
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * one.abs().max().item() + 1e-5)


@pytest.mark.parametrize("name", list(HEADS_TO_TRAIN))
@pytest.mark.parametrize(
    "method", ["fgm:epsilon=0.01", "pgd:epsilon=0.01,step_size=0.01", "freelb:start=1e-6,step_size=0.01"]
)
def test_the_worst_text_near_by_has_a_larger_loss(name: str, method: str) -> None:
    of, batch, reads = made(name)
    of.eval()
    plain = reads.loss(of, dict(batch)).item()
    loss, _ = step(of, batch, reads, method)
    assert loss > (plain if method.startswith("freelb") else 2 * plain)


@pytest.mark.parametrize("name", list(HEADS_TO_TRAIN))
@pytest.mark.parametrize("method", ["vat:epsilon=0.5,steps=2", "smart:epsilon=0.02,step_size=0.02,proximal=0"])
def test_the_worst_text_near_by_changes_the_answer_most(name: str, method: str) -> None:
    """More than texts at the same distance in random directions do."""
    of, batch, reads = made(name)
    of.eval()
    plain = reads.loss(of, dict(batch)).item()
    worst = step(of, batch, reads, method)[0] - plain
    monkey = Perturbation.gradient
    random = torch.Generator().manual_seed(1)
    try:
        Perturbation.gradient = lambda self, loss=None: torch.randn(self.drawn.shape, generator=random)  # type: ignore[method-assign]
        drawn = [step(of, batch, reads, method)[0] - plain for _ in range(5)]
    finally:
        Perturbation.gradient = monkey  # type: ignore[method-assign]
    assert worst > max(drawn) > 0


def test_the_decoder_of_a_shared_embedding_is_not_perturbed() -> None:
    of, batch, reads = made("encoder-decoder")
    seen: list[int] = []
    embeddings = embeddings_of(of)
    embeddings.register_forward_hook(lambda module, given, embedded: seen.append(given[0].shape[1]))
    by = Perturbation(zeros)
    with perturbed(embeddings, by, batch):
        reads.loss(of, dict(batch)).backward()
    assert by.drawn.shape[:2] == batch["input_ids"].shape
    assert by.gradient().abs().sum() > 0
    assert (by.gradient()[batch["attention_mask"] == 0] == 0).all()


@pytest.mark.parametrize("name", ["mlm", "clm", "span-corruption"])
@pytest.mark.parametrize("method", METHODS)
def test_an_objective_is_trained_adversarially(name: str, method: str, tmp_path: Path) -> None:
    setting = setting_of(name)
    _, plain = trained(setting, tmp_path / "plain", spec(steps=4))
    outcome, weights = trained(setting, tmp_path / "other", spec(steps=4, adversarial=method))
    assert all(math.isfinite(loss) for loss in outcome.losses)
    assert any((weights[one] != plain[one]).any() for one in weights)


@pytest.mark.parametrize("method", ["freelb:steps=1,start=0", "vat:weight=1e-12", "smart:weight=1e-12"])
@pytest.mark.parametrize("name", ["mlm", "clm", "span-corruption"])
def test_an_objective_without_a_perturbation_is_trained_as_before(name: str, method: str, tmp_path: Path) -> None:
    setting = setting_of(name, dropout=False)
    before, _ = trained(setting, tmp_path / "plain", spec(steps=4))
    after, _ = trained(setting, tmp_path / "other", spec(steps=4, adversarial=method))
    assert after.losses == pytest.approx(before.losses, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_micro_batches_are_those_of_the_whole_batch(method: str, tmp_path: Path) -> None:
    setting = setting_of("mlm", dropout=False)
    whole, _ = trained(setting, tmp_path / "whole", spec(steps=4, adversarial=method))
    parts, _ = trained(setting, tmp_path / "parts", spec(steps=4, adversarial=method, accumulate=2))
    assert parts.losses == pytest.approx(whole.losses, abs=1e-4)


@pytest.mark.parametrize("method", ["fgm", "freelb", "smart", "vat"])
def test_a_pretraining_that_was_killed_goes_on_to_the_same_weights(method: str, tmp_path: Path) -> None:
    setting = setting_of("mlm")
    settings = spec(steps=6, adversarial=method, checkpoint_every=2)
    _, weights = trained(setting, tmp_path / "whole", settings)
    assert trained(setting, tmp_path / "killed", settings, stop_after=4) is None
    _, again = trained(setting, tmp_path / "killed", settings)
    assert all((weights[one] == again[one]).all() for one in weights)


@pytest.mark.parametrize("name", ["rtd", "token-order"])
def test_objectives_without_outputs_refuse(name: str) -> None:
    recipe = ModelSpec(
        name="tiny", learner="transformer", config={"model_type": "bert"}, tokenizer=TokenizerSpec(corpus="pretraining"),
        pretraining=spec(adversarial="vat").model_copy(update={"objective": name}),
    )  # fmt: skip
    with pytest.raises(HarnessError, match=f"objective {name} is not trained on perturbed embeddings"):
        check_objective(recipe)


def test_a_moving_average_is_no_part_of_a_pretraining() -> None:
    with pytest.raises(ValueError, match="which no checkpoint has"):
        spec(adversarial="smart:proximal=1")
    assert spec(adversarial="smart").adversarial.options["proximal"] == 0


def test_batches_that_are_changed_already_are_not_perturbed() -> None:
    recipe = ModelSpec(
        name="tiny", learner="transformer", pretrained="here",
        training=TrainingSpec.model_validate({"adversarial": "fgm", "augment": {"operations": ["mixup"]}}),
    )  # fmt: skip
    reason = LEARNER.cannot_train(task("classification"), recipe, "sequence-classification")
    assert reason is not None and "mixup changes batches" in reason
