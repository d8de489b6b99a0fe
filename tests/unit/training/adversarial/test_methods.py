"""Each method against its formula, worked out step by step on a model whose gradients are known in closed form."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from harness.core.adversarial_spec import DEFAULTS, AdversarialSpec
from harness.modeling.inference.outputs import Outputs
from harness.training.adversarial.adversary import Adversary
from harness.training.adversarial.draws import Draws
from harness.training.adversarial.methods import divergence
from harness.training.adversarial.passes import Reader

WIDTH = 3
FACTORS = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]])


class Linear(torch.nn.Module):
    """Logits (b, 2): the sum of a text's embeddings, by two rows of factors."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embeddings = torch.nn.Embedding(7, WIDTH, padding_idx=0, dtype=torch.float64)
        self.factors = torch.nn.Parameter(FACTORS.double())
        self.dropout = torch.nn.Dropout(0.0)
        self.config = SimpleNamespace(is_encoder_decoder=False)

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.embeddings

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        embedded = self.dropout(self.embeddings(input_ids))
        real = (input_ids != 0).unsqueeze(-1) if attention_mask is None else attention_mask.unsqueeze(-1)
        return torch.tanh((embedded * real).sum(1)) @ self.factors.T


IDS = torch.tensor([[1, 2, 3], [4, 5, 0]])
LABELS = torch.tensor([0, 1])
BATCH = {"input_ids": IDS, "attention_mask": (IDS != 0).long(), "labels": LABELS}


def outputs(model: Any, batch: dict[str, Any]) -> Outputs:
    labels = batch.pop("labels")
    logits = model(**batch)
    return Outputs(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"), (logits,))


READER = Reader(lambda model, batch: outputs(model, batch).loss, outputs)


def step(model: Any, method: Any, number: int = 0, adversary: Adversary | None = None) -> float:
    """The loss of a step; its gradients are in the model."""
    adversary = adversary or Adversary(AdversarialSpec.model_validate(method), READER, seed=0)
    loss = adversary.loss(lambda batch, term: term(model, batch), lambda term: term.backward(), model, BATCH, number)
    loss.backward()
    return loss.item()


def at(model: Linear, delta: torch.Tensor) -> torch.Tensor:
    """Logits of the embeddings with something added."""
    real = (IDS != 0).unsqueeze(-1)
    return torch.tanh(((model.embeddings(IDS) + delta) * real).sum(1)) @ model.factors.T


def loss_at(model: Linear, delta: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(at(model, delta), LABELS, reduction="sum")


def slope(value: Any, delta: torch.Tensor) -> torch.Tensor:
    delta = delta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(delta), delta)
    return gradient * (IDS != 0).unsqueeze(-1)


def normed(values: torch.Tensor) -> torch.Tensor:
    """Each example's by the root of the sum of squares, written as a loop."""
    rows = []
    for example in values:
        length = math.sqrt(sum(float(value) ** 2 for value in example.flatten()))
        rows.append(example / length)
    return torch.stack(rows)


def gradients(model: Linear) -> list[torch.Tensor]:
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def expect(model: Linear, method: Any, wanted: torch.Tensor) -> None:
    """The step's loss is `wanted`, and its gradients are those of it."""
    expected = torch.autograd.grad(wanted, list(model.parameters()), retain_graph=True)
    model.zero_grad()
    assert step(model, method) == pytest.approx(wanted.item(), rel=1e-6)
    for got, right in zip(gradients(model), expected, strict=True):
        torch.testing.assert_close(got, right, rtol=1e-5, atol=1e-7)


ZERO = torch.zeros(2, 3, WIDTH, dtype=torch.float64)


def test_fgm_adds_the_loss_one_step_along_the_gradient() -> None:
    model = Linear()
    worst = 0.5 * normed(slope(lambda delta: loss_at(model, delta), ZERO))
    expect(model, "fgm:epsilon=0.5,weight=2", loss_at(model, ZERO) + 2 * loss_at(model, worst))


def test_pgd_goes_up_in_steps_and_stays_in_the_ball() -> None:
    model = Linear()
    delta = ZERO
    for _ in range(3):
        delta = delta + 0.4 * normed(slope(lambda at: loss_at(model, at), delta))
        delta = torch.stack([each * min(1.0, 0.6 / float(each.norm())) for each in delta])
    assert float(delta[0].norm()) == pytest.approx(0.6)
    expect(model, "pgd:epsilon=0.6,steps=3,step_size=0.4", loss_at(model, ZERO) + loss_at(model, delta))


def test_freelb_is_the_mean_of_the_losses_at_all_steps_from_a_random_start() -> None:
    model = Linear()
    starts: list[torch.Tensor] = []
    hook = model.dropout.register_forward_hook(
        lambda _, given, out: starts.append((given[0] - model.embeddings.weight[IDS]).detach())
    )
    step(model, "freelb:steps=3,epsilon=0.25,step_size=0.1,start=0.2")
    hook.remove()
    first = starts[0]
    for example, tokens in zip(first, (3, 2), strict=True):
        assert float(example.abs().max()) <= 0.2 / math.sqrt(tokens * WIDTH)
        assert float(example.abs().max()) > 0
    assert first[1, 2].abs().max() == 0  # padding
    delta, losses = first, []
    for _ in range(3):
        losses.append(loss_at(model, delta))
        delta = delta + 0.1 * normed(slope(lambda at: loss_at(model, at), delta))
        delta = torch.stack([each * min(1.0, 0.25 / float(each.norm())) for each in delta])
    expect(model, "freelb:steps=3,epsilon=0.25,step_size=0.1,start=0.2", torch.stack(losses).mean())


def kl(reference: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    p, q = reference.softmax(-1), of.softmax(-1)
    return (p * (p / q).log()).sum()


def recorded(model: Linear, method: str) -> list[torch.Tensor]:
    """The perturbations of a step's passes, in order."""
    seen: list[torch.Tensor] = []
    hook = model.dropout.register_forward_hook(
        lambda _, given, out: seen.append((given[0] - model.embeddings.weight[IDS]).detach())
    )
    step(model, method)
    hook.remove()
    return seen


def test_smart_adds_the_symmetrized_divergence_from_the_worst_text_in_a_box() -> None:
    model, method = Linear(), "smart:epsilon=0.02,steps=2,step_size=0.015,start=0.01,weight=3,proximal=0"
    clean, start, *_ = recorded(model, method)
    assert float(clean.abs().max()) < 1e-12 < float(start.abs().max())

    def symmetric(delta: torch.Tensor) -> torch.Tensor:
        logits, plain = at(model, delta), at(model, ZERO).detach()
        return kl(logits, plain) + kl(plain, logits)

    delta = start
    for _ in range(2):
        gradient = slope(symmetric, delta)
        largest = torch.stack([each / each.abs().max() for each in gradient])
        delta = (delta + 0.015 * largest).clamp(-0.02, 0.02)
    both = kl(at(model, delta), at(model, ZERO)) + kl(at(model, ZERO), at(model, delta))
    expect(model, method, loss_at(model, ZERO) + 3 * both)


def test_smart_stays_near_the_moving_average_of_the_model() -> None:
    model, method = Linear(), "smart:proximal=2,momentum=0.75,weight=1e-9"
    adversary = Adversary(AdversarialSpec.model_validate(method), READER, seed=0)
    first = model.factors.detach().clone()
    at_first = step(model, method, 0, adversary)
    assert at_first == pytest.approx(loss_at(model, ZERO).item(), abs=1e-6)  # it is its own average
    second = first + 0.4
    with torch.no_grad():
        model.factors.copy_(second)
    average = 0.75 * first + 0.25 * second
    logits = at(model, ZERO)
    usual = (torch.tanh((model.embeddings(IDS) * (IDS != 0).unsqueeze(-1)).sum(1)) @ average.T).detach()
    wanted = loss_at(model, ZERO) + 2 * (kl(usual, logits) + kl(logits, usual))
    expected = torch.autograd.grad(wanted, model.factors)[0]
    model.zero_grad()
    assert step(model, method, 1, adversary) == pytest.approx(wanted.item(), abs=1e-6)
    torch.testing.assert_close(model.factors.grad, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.factors.detach(), second)


def test_vat_adds_the_divergence_in_the_direction_that_changes_most() -> None:
    model, method = Linear(), "vat:epsilon=0.5,steps=2,start=0.1,weight=2"
    _, start, *_ = recorded(model, method)
    for example in start:
        assert float(example.norm()) == pytest.approx(0.1)
    plain = at(model, ZERO).detach()
    delta = start
    for length in (0.1, 0.5):
        delta = length * normed(slope(lambda at_: kl(plain, at(model, at_)), delta))
    expect(model, method, loss_at(model, ZERO) + 2 * kl(plain, at(model, delta)))


def test_vat_finds_the_worst_of_all_directions() -> None:
    """Of 2,000 directions at random none changes the answer more, after enough steps: those of power iteration."""
    model = Linear()
    seen = recorded(model, "vat:epsilon=0.001,steps=8,start=0.001")
    plain = at(model, ZERO).detach()

    def change(delta: torch.Tensor, row: int) -> float:
        return kl(plain[row : row + 1], at(model, delta)[row : row + 1]).item()

    random = torch.Generator().manual_seed(1)
    others = [
        0.001 * normed(torch.randn(2, 3, WIDTH, generator=random, dtype=torch.float64) * (IDS != 0).unsqueeze(-1))
        for _ in range(2000)
    ]
    for row in range(2):
        assert change(seen[-1], row) >= 0.999 * max(change(other, row) for other in others)


def test_vat_of_texts_without_labels_is_a_mean_over_all_texts() -> None:
    model = Linear()
    apart = Reader(READER.loss, lambda of, batch: Outputs(torch.zeros(()), (of(**batch),)))
    unlabelled = {"input_ids": IDS[:, [0, 1]], "attention_mask": torch.ones(2, 2).long()}
    adversary = Adversary(
        AdversarialSpec.model_validate("vat:epsilon=0.5,weight=4"),
        Reader(READER.loss, lambda of, batch: outputs(of, batch) if "labels" in batch else apart.outputs(of, batch)),
        seed=0,
        unlabelled=SimpleNamespace(at=lambda step, part: unlabelled),  # type: ignore[arg-type]
    )
    seen: list[torch.Tensor] = []
    hook = model.dropout.register_forward_hook(
        lambda _, given, out: seen.append((given[0] - model.embeddings.weight[_ids(given[0])]).detach())
    )

    def _ids(embedded: torch.Tensor) -> torch.Tensor:
        return IDS if embedded.shape[1] == 3 else unlabelled["input_ids"]

    loss = adversary.loss(lambda batch, term: term(model, batch), lambda term: term.backward(), model, BATCH, 0)
    hook.remove()
    labelled, others = (
        [each for each in seen if each.shape[1] == width and each.abs().max() > 1e-9][-1] for width in (3, 2)
    )
    plain, local = at(model, ZERO).detach(), 0.0
    local = kl(plain, at(model, labelled)).item()
    bare = model(unlabelled["input_ids"]).detach()
    shifted = torch.tanh((model.embeddings(unlabelled["input_ids"]) + others).sum(1)) @ model.factors.T
    local += kl(bare, shifted).item()
    assert loss.item() == pytest.approx(loss_at(model, ZERO).item() + 4 * (2 / 4) * local, rel=1e-6)


def test_r_drop_compares_two_dropout_masks() -> None:
    model = Linear()
    model.dropout.p = 0.5
    torch.manual_seed(3)
    first = model(IDS, BATCH["attention_mask"])
    second = model(IDS, BATCH["attention_mask"])
    losses = [torch.nn.functional.cross_entropy(each, LABELS, reduction="sum") for each in (first, second)]
    wanted = losses[0] + losses[1] + 1.5 * (kl(first, second) + kl(second, first)) / 2
    torch.manual_seed(3)
    assert step(model, "r-drop:weight=1.5") == pytest.approx(wanted.detach().item(), rel=1e-6)


@pytest.mark.parametrize("method", [name for name in DEFAULTS if name != "r-drop"])
def test_dropout_is_the_same_in_all_passes(method: str) -> None:
    model = Linear()
    model.dropout.p = 0.5
    masks: list[torch.Tensor] = []
    hook = model.dropout.register_forward_hook(lambda _, given, out: masks.append((out == 0).detach()))
    step(model, method)
    hook.remove()
    assert len(masks) > 1
    assert all((mask == masks[0]).all() for mask in masks)


@pytest.mark.parametrize("method", list(DEFAULTS))
def test_steps_are_functions_of_their_number(method: str) -> None:
    model = Linear()
    first, second, again = step(model, method, 0), step(model, method, 1), step(model, method, 0)
    assert first == again
    if method in ("freelb", "smart", "vat"):
        assert first != second


def test_numbers_are_compared_by_their_squared_difference() -> None:
    one, other = (Outputs(torch.zeros(()), (torch.tensor(values),), 0.5) for values in ([1.0, 2.0], [0.0, 4.0]))
    assert divergence(one, other).item() == 0.5 * (1 + 4)


def test_several_distributions_count_by_their_mean() -> None:
    same, apart = torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 0.0]])
    one, other = Outputs(torch.zeros(()), (same, same)), Outputs(torch.zeros(()), (same, apart))
    assert divergence(one, other).item() == pytest.approx(kl(apart, same).item() / 2)


def test_choices_that_a_question_does_not_have_count_nothing() -> None:
    absent = torch.tensor([[0.3, -1e4]])
    assert divergence(Outputs(torch.zeros(()), (absent,)), Outputs(torch.zeros(()), (absent + 0.5,)), True).item() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fgmm", "unknown method 'fgmm'. Did you mean 'fgm'"),
        ("fgm:steps=2", "steps goes with pgd, freelb, smart, vat; fgm has none"),
        ("fgm:epsilon", "'epsilon' is no NAME=VALUE"),
        ("fgm:epsilom=1", "unknown key 'epsilom'. Did you mean 'epsilon'"),
        ("vat:start=0", "at a distance above 0"),
        ("fgm:epsilon=0", "greater than 0"),
        ("fgm:epsilon=nan", "finite"),
    ],
)
def test_what_is_asked_wrongly_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AdversarialSpec.model_validate(text)


def test_a_method_is_read_from_its_own_text() -> None:
    spec = AdversarialSpec.model_validate("freelb:steps=3,epsilon=0.5")
    assert AdversarialSpec.model_validate(str(spec)) == spec
    assert spec.options == DEFAULTS["freelb"] | {"steps": 3, "epsilon": 0.5}


@pytest.mark.parametrize(
    ("text", "cost"),
    [("fgm", 2), ("pgd:steps=3", 10 / 3), ("freelb:steps=4", 4), ("smart:proximal=0", 8 / 3), ("vat", 8 / 3)],
)
def test_a_step_costs_as_many_passes_as_it_takes(text: str, cost: float) -> None:
    """A pass forward is a third of a plain step, and so are one backward to inputs and one to weights."""
    assert AdversarialSpec.model_validate(text).cost == pytest.approx(cost)


def test_an_example_is_perturbed_the_same_in_any_part_of_a_batch_and_with_any_padding() -> None:
    real = torch.ones(4, 5, 1)
    real[2, 3:] = 0
    for draw in (lambda draws: draws.normal(0.5), lambda draws: draws.in_cube(0.5)):
        whole = draw(Draws(3, 7))((4, 5, WIDTH), real)
        odd = draw(Draws(3, 7, 1, 2))((2, 5, WIDTH), real[1::2])
        short = draw(Draws(3, 7, 2))((1, 3, WIDTH), real[2:3, :3])
        assert (odd == whole[1::2]).all()
        torch.testing.assert_close(short, whole[2:3, :3])
        assert (whole[2, 3:] == 0).all()
        others = Draws(3, 7)
        assert (draw(others)((4, 5, WIDTH), real) != draw(others)((4, 5, WIDTH), real)).any()
