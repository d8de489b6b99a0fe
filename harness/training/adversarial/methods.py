"""The methods of adversarial training, each as the terms of a step's loss. Imports torch: import it inside functions.

A term is computed, and its gradients are taken, before the next is asked for: a method finds the gradient of a
perturbation in it then. Their sum is the loss of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch

from harness.modeling.inference.outputs import Outputs
from harness.training.adversarial.average import MovingAverage
from harness.training.adversarial.draws import Draws
from harness.training.adversarial.passes import Passes
from harness.training.adversarial.perturbation import Perturbation, unit, unit_largest, within, zeros

Term = Callable[[Passes], torch.Tensor]
Options = Mapping[str, Any]


def fgm(options: Options) -> Iterator[Term]:
    """L(x) + weight · L(x + ε g / ‖g‖), with g the gradient of L by the embeddings of an example."""
    return pgd({**options, "steps": 1, "step_size": options["epsilon"]})


def pgd(options: Options) -> Iterator[Term]:
    """L(x) + weight · L(x + δ), with δ ← Π(δ + step_size · g / ‖g‖) in the ball of radius ε, `steps` times from 0."""
    clean = Perturbation(zeros)
    yield lambda passes: passes.loss(clean)

    def ascended(at: Perturbation, gradient: torch.Tensor) -> Perturbation:
        return Perturbation(within(at.drawn + options["step_size"] * unit(gradient), options["epsilon"]))

    def last(passes: Passes) -> torch.Tensor:
        current = ascended(clean, clean.gradient())
        for _ in range(options["steps"] - 1):
            current = ascended(current, current.gradient(passes.loss(current)))
        loss: torch.Tensor = options["weight"] * passes.loss(current)
        return loss

    yield last


def freelb(options: Options, draws: Draws) -> Iterator[Term]:
    """The mean of L(x + δ) over `steps` ascents, whose gradients train the model as they come."""
    steps = options["steps"]
    current = Perturbation(draws.in_cube(options["start"]))
    for step in range(steps):
        yield partial(_part, current, steps)
        if step == steps - 1:
            return
        further = current.drawn + options["step_size"] * unit(current.gradient())
        current = Perturbation(within(further, options["epsilon"]))


def smart(options: Options, draws: Draws, average: MovingAverage | None) -> Iterator[Term]:
    """L(x) + weight · max d(f(x + δ), f(x)) over |δ| ≤ ε + proximal · d(f(x), f'(x)), with f' the moving average of f
    and d the symmetrized divergence.
    """

    def regularized(passes: Passes) -> torch.Tensor:
        clean = passes.outputs()
        current = Perturbation(draws.normal(options["start"]))
        for _ in range(options["steps"]):
            gradient = current.gradient(divergence(passes.outputs(current), _fixed(clean), symmetric=True))
            further = current.drawn + options["step_size"] * unit_largest(gradient)
            current = Perturbation(further.clamp(-options["epsilon"], options["epsilon"]))
        loss = clean.loss + options["weight"] * divergence(passes.outputs(current), clean, symmetric=True)
        if average is not None:
            with average.in_place_of(passes.model), torch.no_grad():
                usual = passes.outputs()
            loss = loss + options["proximal"] * divergence(clean, usual, symmetric=True)
        return loss

    yield regularized


def vat(options: Options, draws: Draws) -> Iterator[Term]:
    """L(x) + weight · KL(f(x) ‖ f(x + r)), with r of length ε in the direction in which it grows fastest; f(x) is taken
    as it is. Of texts without labels the divergence alone counts, and that of a text is as in the others' mean.
    """

    def regularized(passes: Passes) -> torch.Tensor:
        clean = passes.outputs()
        local = _local(passes, clean, options, draws)
        if passes.unlabelled is None:
            return clean.loss + options["weight"] * local
        others = passes.unlabelled
        with torch.no_grad():
            reference = others.outputs()
        both = local + _local(others, reference, options, draws)
        fraction = passes.examples / (passes.examples + others.examples)
        return clean.loss + options["weight"] * fraction * both

    yield regularized


def r_drop(options: Options) -> Iterator[Term]:
    """L + L' + weight · (KL(f ‖ f') + KL(f' ‖ f)) / 2, of two passes with different dropout."""

    def regularized(passes: Passes) -> torch.Tensor:
        first, second = passes.outputs(), passes.outputs(fresh=True)
        return first.loss + second.loss + options["weight"] * divergence(first, second, symmetric=True) / 2

    yield regularized


def terms(method: str, options: Options, draws: Draws, average: MovingAverage | None = None) -> Iterator[Term]:
    """The terms of a step's loss by a method's name."""
    if method in ("freelb", "vat"):
        return {"freelb": freelb, "vat": vat}[method](options, draws)
    if method == "smart":
        return smart(options, draws, average)
    return {"fgm": fgm, "pgd": pgd, "r-drop": r_drop}[method](options)


def count(method: str, options: Options) -> int:
    """How many terms there are."""
    return int(options["steps"]) if method == "freelb" else 2 if method in ("fgm", "pgd") else 1


def divergence(of: Outputs, reference: Outputs, symmetric: bool = False) -> torch.Tensor:
    """KL(reference ‖ of), with KL(of ‖ reference) where `symmetric`, and of numbers the squared difference: a scalar,
    each target counting as in the loss.
    """
    parts = [_divergence(*pair, symmetric) for pair in zip(of.logits, reference.logits, strict=True)]
    return of.scale * sum(parts, start=torch.zeros((), device=of.loss.device)) / len(parts)


def _divergence(of: torch.Tensor, reference: torch.Tensor, symmetric: bool) -> torch.Tensor:
    if of.ndim == 1:
        return (of - reference).pow(2).sum()
    logs, reference_logs = of.log_softmax(-1), reference.log_softmax(-1)
    difference = reference_logs - logs
    weights = reference_logs.exp() - logs.exp() if symmetric else reference_logs.exp()
    return (weights * difference).sum()


def _local(passes: Passes, clean: Outputs, options: Options, draws: Draws) -> torch.Tensor:
    """The divergence of a text from the worst one at the distance ε."""
    reference = _fixed(clean)
    draw = draws.normal(1.0)
    current = Perturbation(lambda shape, real: options["start"] * unit(draw(shape, real)))
    for step in range(options["steps"]):
        gradient = current.gradient(divergence(passes.outputs(current), reference))
        last = step == options["steps"] - 1
        current = Perturbation((options["epsilon"] if last else options["start"]) * unit(gradient))
    return divergence(passes.outputs(current), reference)


def _part(at: Perturbation, parts: int, passes: Passes) -> torch.Tensor:
    return passes.loss(at) / parts


def _fixed(outputs: Outputs) -> Outputs:
    return Outputs(outputs.loss.detach(), tuple(logits.detach() for logits in outputs.logits), outputs.scale)
