"""A step of adversarial training. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from harness.core.adversarial_spec import AdversarialSpec
from harness.training.adversarial.average import MovingAverage
from harness.training.adversarial.methods import count, terms
from harness.training.adversarial.passes import Batch, DropoutState, Passes, Reader

SEED = 5
"""Beside the training's own, of what perturbations begin with."""

Whole = Callable[[Any, dict[str, Any]], torch.Tensor]
"""A model and a batch to a term of the loss."""


class Adversary:
    """Computes the loss of a training step, and all of its gradients but those of the last term.

    The model may be wrapped, by what exchanges gradients or shards weights: `evaluate` is given the term as a function
    of the model itself and a batch, and must compute it in one pass through the wrapper.
    """

    def __init__(self, spec: AdversarialSpec, reader: Reader, seed: int, process: int = 0) -> None:
        self.spec = spec
        self._options = spec.options
        self._reader, self._seed, self._process = reader, seed, process
        self._average = MovingAverage(self._options["momentum"]) if self._options.get("proximal") else None

    def loss(
        self,
        evaluate: Callable[[dict[str, Any], Whole], torch.Tensor],
        backward: Callable[[torch.Tensor], None],
        model: Any,
        batch: Batch,
        step: int,
        unlabelled: Mapping[str, Any] | None = None,
    ) -> torch.Tensor:
        """The loss of a batch, whose `backward` is still to be called.

        Args:
            evaluate: Computes a term of it through the wrapped model.
            backward: Takes the gradients of a term.
            model: The model itself.
            batch: Inputs (b, t) and targets.
            step: The number of the batch.
            unlabelled: Inputs of texts without labels.

        Returns:
            A scalar: with the value of all terms, and the gradients of the last.
        """
        random = torch.Generator()
        entropy = np.random.SeedSequence([SEED, self._seed, step, self._process])
        random.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> 1))
        if self._average is not None:
            self._average.follow(model)
        dropout = DropoutState()
        total = torch.zeros(())
        last = count(self.spec.method, self._options) - 1
        for number, term in enumerate(terms(self.spec.method, self._options, random, self._average)):

            def whole(of: Any, batch: Any, term: Any = term) -> torch.Tensor:
                loss: torch.Tensor = term(Passes(of, batch, self._reader, dropout, unlabelled))
                return loss

            loss = evaluate(dict(batch), whole)
            if number < last:
                backward(loss)
                total = total.to(loss.device) + loss.detach()
        return loss + total.to(loss.device)
