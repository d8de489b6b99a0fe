"""A step of adversarial training. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from harness.core.adversarial_spec import AdversarialSpec
from harness.training.adversarial.average import MovingAverage
from harness.training.adversarial.draws import Draws
from harness.training.adversarial.methods import count, terms
from harness.training.adversarial.passes import Batch, DropoutState, Passes, Reader
from harness.training.adversarial.unlabelled import UnlabelledBatches

Whole = Callable[[Any, dict[str, Any]], torch.Tensor]
"""A model and a batch to a term of the loss."""


class Adversary:
    """Computes the loss of a training step, and all of its gradients but those of the last term.

    The model may be wrapped, by what exchanges gradients or shards weights: `evaluate` is given the term as a function
    of the model itself and a batch, and must compute it in one pass through the wrapper.
    """

    def __init__(
        self, spec: AdversarialSpec, reader: Reader, seed: int, unlabelled: UnlabelledBatches | None = None
    ) -> None:
        self.spec = spec
        self._options = spec.options
        self._reader, self._seed, self._unlabelled = reader, seed, unlabelled
        self._average = MovingAverage(self._options["momentum"]) if self._options.get("proximal") else None

    def loss(
        self,
        evaluate: Callable[[dict[str, Any], Whole], torch.Tensor],
        backward: Callable[[torch.Tensor], None],
        model: Any,
        batch: Batch,
        step: int,
        part: tuple[int, int] = (0, 1),
    ) -> torch.Tensor:
        """The loss of a batch, whose `backward` is still to be called.

        Args:
            evaluate: Computes a term of it through the wrapped model.
            backward: Takes the gradients of a term.
            model: The model itself.
            batch: Inputs (b, t) and targets.
            step: The number of the batch.
            part: The number of its first example in the whole batch, and how far the next ones are apart.

        Returns:
            A scalar: with the value of all terms, and the gradients of the last.
        """
        draws = Draws(self._seed, step, *part)
        if self._average is not None:
            self._average.follow(model)
        unlabelled = None if self._unlabelled is None else self._unlabelled.at(step, part)
        dropout = DropoutState()
        total = torch.zeros(())
        last = count(self.spec.method, self._options) - 1
        for number, term in enumerate(terms(self.spec.method, self._options, draws, self._average)):

            def whole(of: Any, batch: Any, term: Any = term) -> torch.Tensor:
                loss: torch.Tensor = term(Passes(of, batch, self._reader, dropout, unlabelled))
                return loss

            loss = evaluate(dict(batch), whole)
            if number < last:
                backward(loss)
                total = total.to(loss.device) + loss.detach()
        return loss + total.to(loss.device)
