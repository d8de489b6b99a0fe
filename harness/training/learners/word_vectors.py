"""Word vectors learned from the task, pooled by their mean (CBOW) or by convolutions over them (TextCNN, Kim 2014).

The mean is the bag-of-words baseline of GLUE; the convolutions are those of Kim, *Convolutional Neural Networks for
Sentence Classification* (2014): filters of several widths, the maximum of each over the text, dropout, a linear layer.
A pair (a, b) is described by a, b, |a − b| and a ∘ b.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.families import Labelling
from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec
from harness.training.learners.base import FitRequest, Learner, PredictRequest, Rates

if TYPE_CHECKING:
    import torch

OPTIONS: dict[str, Any] = {
    "encoder": "cnn",
    "dim": 300,
    "widths": [3, 4, 5],
    "filters": 100,
    "dropout": 0.5,
    "min_count": 1,
}
ENCODERS = ("cnn", "mean")
WORD = re.compile(r"\w+|[^\w\s]")
PADDING, UNKNOWN = 0, 1
MOST_WORDS = 512
"""Words of a text that are read."""


class WordVectors(Learner):
    rates = Rates(1e-4, 1e-5)

    def check(self, model_spec: ModelSpec) -> None:
        self._refuse_options(model_spec, tuple(OPTIONS))
        options = OPTIONS | model_spec.options
        where = f"model spec {model_spec.name}"
        if options["encoder"] not in ENCODERS:
            raise HarnessError(f"{where}: encoder is {' or '.join(ENCODERS)}, found {options['encoder']!r}")
        widths = options["widths"]
        if not isinstance(widths, list) or not widths or not all(_is_count(width) for width in widths):
            raise HarnessError(f"{where}: widths are numbers of words, e.g. [3, 4, 5], found {widths!r}")
        for name in ("dim", "filters", "min_count"):
            if not _is_count(options[name]):
                raise HarnessError(f"{where}: {name} is a whole number from 1 on, found {options[name]!r}")
        if not isinstance(options["dropout"], int | float) or not 0 <= options["dropout"] < 1:
            raise HarnessError(f"{where}: dropout is from 0 to below 1, found {options['dropout']!r}")

    def fit(self, request: FitRequest) -> dict[str, Any]:
        import torch
        from safetensors.torch import save_file

        options, training = OPTIONS | request.model_spec.options, request.model_spec.training
        texts = request.family.texts(request.train)
        vocabulary = _vocabulary(texts, options["min_count"])
        examples = _numbered(texts, vocabulary)
        family = request.family
        assert isinstance(family, Labelling)
        kind = torch.float32 if family.predictions == "values" else torch.int64
        targets = torch.tensor(list(request.train.labels or ()), dtype=kind)
        generator = torch.Generator().manual_seed(request.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(request.seed)
            model = _model(options, len(vocabulary) + 2, texts[1] is not None, family.outputs(request.labels))
            rate = training.learning_rate or 1e-3
            vectors = list(model.encoder.vectors.parameters())
            others = [weights for weights in model.parameters() if weights is not vectors[0]]
            optimizers = [
                torch.optim.SparseAdam(vectors, lr=rate),  # a batch has few of the words
                torch.optim.AdamW(others, lr=rate, weight_decay=training.weight_decay),
            ]
            epochs = max(1, round(training.epochs or 10))
            for epoch in range(epochs):
                model.train()
                order = torch.randperm(len(targets), generator=generator)
                for rows in order.split(training.batch_size):
                    logits = model(*_batch(examples, rows.tolist(), options))
                    loss = family.loss(logits, targets[rows]) / len(rows)
                    model.zero_grad(set_to_none=True)
                    loss.backward()
                    torch.nn.utils.clip_grad_norm_(others, training.max_grad_norm)
                    for optimizer in optimizers:
                        optimizer.step()
                request.report((epoch + 1) / epochs)
        save_file(dict(model.state_dict()), request.directory / "model.safetensors")
        saved = {"options": options, "vocabulary": list(vocabulary), "outputs": family.outputs(request.labels)}
        (request.directory / "word_vectors.json").write_text(json.dumps(saved, ensure_ascii=False), encoding="utf-8")
        parameters = sum(p.numel() for p in model.parameters())
        return {"parameters": parameters, "vocabulary": len(vocabulary), "precision": "fp32"}

    def predict(self, request: PredictRequest) -> Predictions:
        import torch
        from safetensors.torch import load_file

        saved = json.loads((request.directory / "word_vectors.json").read_text(encoding="utf-8"))
        options, family = saved["options"], request.family
        vocabulary = {word: number for number, word in enumerate(saved["vocabulary"], start=UNKNOWN + 1)}
        texts = family.texts(request.split)
        examples = _numbered(texts, vocabulary)
        model = _model(options, len(vocabulary) + 2, texts[1] is not None, saved["outputs"])
        model.load_state_dict(load_file(request.directory / "model.safetensors"))
        model.eval()
        order = sorted(range(len(request.split)), key=lambda row: len(examples[0][row]))
        logits = torch.empty(len(order), saved["outputs"])
        with torch.inference_mode():
            for start in range(0, len(order), 256):
                rows = order[start : start + 256]
                logits[rows] = model(*_batch(examples, rows, options))
        return self.of_logits(family, logits.numpy())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())[:MOST_WORDS]


def _vocabulary(texts: tuple[Sequence[str], Sequence[str] | None], least: int) -> dict[str, int]:
    """The words of a training split by their numbers, the most frequent first."""
    counts = Counter(word for column in texts if column is not None for text in column for word in _words(text))
    kept = sorted((word for word, count in counts.items() if count >= least), key=lambda word: (-counts[word], word))
    return {word: number for number, word in enumerate(kept, start=UNKNOWN + 1)}


def _numbered(texts: tuple[Sequence[str], Sequence[str] | None], vocabulary: dict[str, int]) -> list[list[list[int]]]:
    """For each text of the examples their words by number."""
    return [[[vocabulary.get(word, UNKNOWN) for word in _words(text)] for text in column] for column in texts if column]


def _batch(examples: Sequence[Sequence[list[int]]], rows: Sequence[int], options: dict[str, Any]) -> Iterator[Any]:
    """Word numbers (b, words) of each text, padded to the longest and to the widest filter."""
    import torch

    for column in examples:
        texts = [column[row] for row in rows]
        size = max(*map(len, texts), *options["widths"], 1)
        yield torch.tensor([[*text, *[PADDING] * (size - len(text))] for text in texts])


def _model(options: dict[str, Any], words: int, pairs: bool, outputs: int) -> Any:
    import torch
    from torch import nn

    class Encoder(nn.Module):
        """A text (b, words) as a vector (b, size)."""

        def __init__(self) -> None:
            super().__init__()
            self.vectors = nn.Embedding(words, options["dim"], padding_idx=PADDING, sparse=True)
            nn.init.uniform_(self.vectors.weight[UNKNOWN:], -0.25, 0.25)
            is_cnn = options["encoder"] == "cnn"
            widths = options["widths"] if is_cnn else []
            self.filters = nn.ModuleList(nn.Conv1d(options["dim"], options["filters"], width) for width in widths)
            self.size = options["filters"] * len(widths) if is_cnn else options["dim"]

        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            vectors = self.vectors(numbers)
            if self.filters:
                read = vectors.transpose(1, 2)
                return torch.cat([layer(read).relu().amax(2) for layer in self.filters], dim=1)
            return vectors.sum(1) / (numbers != PADDING).sum(1, keepdim=True).clamp(min=1)

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = Encoder()
            self.dropout = nn.Dropout(options["dropout"])
            self.linear = nn.Linear(self.encoder.size * (4 if pairs else 1), outputs)

        def forward(self, *columns: torch.Tensor) -> torch.Tensor:
            texts = [self.encoder(numbers) for numbers in columns]
            if pairs:
                a, b = texts
                texts = [a, b, (a - b).abs(), a * b]
            return self.linear(self.dropout(torch.cat(texts, dim=1)))

    return Classifier()


LEARNER = WordVectors()
