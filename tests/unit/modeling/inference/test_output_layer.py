"""Log-likelihoods by parts of the vocabulary, against the log-softmax of all logits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.modeling.inference import output_layer
from harness.modeling.inference.output_layer import OutputLayer, Reads

BIASES = {
    "near zero": (0.0, 0.0),
    "far below": (-500.0, -500.0),
    "far above": (500.0, 500.0),
    "above the first part by more than exponentials hold": (0.0, 200.0),
    "below the first part by as much": (0.0, -200.0),
    "a first part that is never written": (-float("inf"), 0.0),
}
"""What is added to the logits of the first part of a vocabulary, and to those of the others."""


@pytest.mark.parametrize("name", BIASES)
def test_likelihoods_are_those_of_all_logits_wherever_they_lie(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(output_layer.WORDS, "cpu", 7)
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 40)
    first, others = BIASES[name]
    with torch.inference_mode():
        layer.weight[30] = layer.weight[3]  # equally likely, and later
        layer.bias.copy_(torch.tensor([first] * 7 + [others] * 33))
        hidden = 3 * torch.randn(1, 50, 8)
        logits = layer(hidden)[0].double()
        likeliest = logits.argmax(-1)
        positions = np.repeat(np.arange(50), 3)
        tokens = np.stack([likeliest.numpy(), np.full(50, 30), np.arange(50) % 33 + 7], 1).reshape(-1)
        output = OutputLayer(SimpleNamespace(get_output_embeddings=lambda: layer), len(tokens), with_greedy=True)
        reads = Reads(positions, tokens, np.arange(len(tokens)))
        output.read(lambda: SimpleNamespace(logits=layer(hidden)), torch.arange(50), reads)
        output.finish()
        expected = logits.log_softmax(-1)[positions, tokens]
    np.testing.assert_allclose(output.nats, expected, rtol=1e-6, atol=1e-4)
    assert output.greedy.tolist() == (likeliest.numpy()[positions] == tokens).tolist()
    assert output.greedy[::3].all()
