"""What computing costs before it is done: the arithmetic of a fit or of predictions, and the seconds of all else.

The constants were measured in CPU seconds of one core on one machine (`tests/unit/training/cost_cases.json` has runs of
it). On another one arithmetic goes by its GEMM rate, all else by how long a small encoder's training step takes there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness.core.specs import ModelSpec, TaskSpec
from harness.training.defaults import LENGTH_AT_MOST, epochs_for

REFERENCE_STEP = 0.0496
"""Seconds of the small encoder's training step on the reference machine."""
REFERENCE_FLOPS, REFERENCE_BF16_FLOPS = 63e9, 144e9
"""Its rates of matrix products, a second."""
PIECE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]|\w{1,8}|[^\w\s]")
"""About what a tokenizer makes of a text: a character of Chinese, Japanese or Korean, eight of a word, a sign."""
GROUPS = 16
SPECIAL_TOKENS = 3
PROMPT_TOKENS = 8
"""What an instruction adds to a text."""
WIDTHS = ("hidden_size", "d_model", "dim", "n_embd")
LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "encoder_layers", "num_layers")
DECODER_LAYERS = ("num_decoder_layers", "decoder_layers")
INNER = ("intermediate_size", "d_ff", "hidden_dim", "n_inner", "encoder_ffn_dim")
VOCABULARY = 30_000

ELEMENTWISE = {"bf16": 0.12e-6, "fp32": 0.085e-6, "forward": 0.033e-6}
"""Seconds a token, layer and unit of width take beside matrix products: training in a precision, and predicting."""
SLOW_ELEMENTWISE = {"t5": 1.6, "mt5": 1.6}
"""Models whose attention is not fused."""
VOCABULARY_SECONDS = {"fit": 5e-9, "predict": 1.2e-9}
"""Of a token's distribution over the vocabulary, an entry."""
STEP_SECONDS, LAYER_STEP_SECONDS = 0.007, 0.0025
"""Of a step of the optimizer, and of each layer in it: calls into torch, whatever the batch."""
PARAMETER_SECONDS = {"adamw": 1e-9, "adafactor": 4e-9}
"""Of a step, a parameter."""
DECODE_STEP_SECONDS, DECODE_LAYER_SECONDS = 0.004, 0.0015
"""Of a token that is generated for a batch."""
GENERATED_BATCH = 64
LOAD_SECONDS, LOAD_PARAMETER_SECONDS = 0.25, 4e-9
"""Of opening a model, or saving it, and of each of its parameters."""
TEXT_METRIC_SECONDS, METRIC_SECONDS = 0.0011, 0.08
"""Of a metric with its interval: an example of a metric of texts, and one of classes or numbers as a whole."""
PIECE_SECONDS = 4e-6
"""Of a subword token that is found by a tokenizer, or trained on."""


@dataclass(frozen=True)
class Work:
    """Floating-point operations in float32 and in bfloat16, and seconds of all else on the reference machine."""

    flops: float = 0.0
    bf16_flops: float = 0.0
    seconds: float = 0.0

    @property
    def nominal(self) -> float:
        """CPU seconds on the reference machine."""
        return self.flops / REFERENCE_FLOPS + self.bf16_flops / REFERENCE_BF16_FLOPS + self.seconds

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bf16_flops + other.bf16_flops, self.seconds + other.seconds)

    def times(self, factor: float) -> Work:
        """So many times as much."""
        return Work(factor * self.flops, factor * self.bf16_flops, factor * self.seconds)


@dataclass(frozen=True)
class Sizes:
    """A split as it costs: its examples, the subword tokens of their texts (means of `GROUPS` equal groups in order of
    length), and those of an answer in words.
    """

    examples: int
    inputs: tuple[float, ...]
    answer: float = 0.0

    def tokens(self, limit: int, more: float = 0.0) -> float:
        """Of all examples, each with `more` tokens and cut at `limit`."""
        return self.examples * sum(min(pieces + more, limit) for pieces in self.inputs) / max(1, len(self.inputs))

    def scaled(self, fraction: float) -> Sizes:
        """Of a fraction of the examples."""
        return Sizes(round(fraction * self.examples), self.inputs, self.answer)


def sizes_of(texts: Sequence[Sequence[str]], answers: Sequence[Any] | None) -> dict[str, Any]:
    """The sizes of a split, as JSON.

    Args:
        texts: The columns of its texts.
        answers: Its labels; tuples of texts where the answer is one.

    Returns:
        What `Sizes` is made of.
    """
    lengths = sorted(sum(pieces(text) for text in row) for row in zip(*texts, strict=True))
    bounds = [round(index * len(lengths) / GROUPS) for index in range(GROUPS + 1)]
    groups = [lengths[low:high] for low, high in pairwise(bounds)]
    words = [pieces(answer[0]) for answer in answers or () if isinstance(answer, tuple) and answer]
    return {
        "examples": len(lengths),
        "inputs": [round(sum(group) / len(group), 1) for group in groups if group],
        "answer": round(sum(words) / len(words), 1) if words else 0.0,
    }


def pieces(text: str) -> int:
    """About how many subword tokens a text has."""
    return sum(1 for _ in PIECE.finditer(text))


@dataclass(frozen=True)
class Shape:
    """What of a transformer's config its cost depends on."""

    width: int
    inner: int
    layers: int
    decoder_layers: int
    vocabulary: int
    kind: str

    @property
    def depth(self) -> int:
        return self.layers + self.decoder_layers

    @property
    def weights(self) -> int:
        """Of an encoder's layer."""
        return 4 * self.width**2 + 2 * self.width * self.inner

    @property
    def parameters(self) -> int:
        return self.depth * self.weights + self.decoder_layers * 4 * self.width**2 + self.vocabulary * self.width


def shape_of(config: Mapping[str, Any], vocabulary: int | None = None) -> Shape | None:
    """The shape of a model; None where the config does not say."""

    def value(names: Sequence[str]) -> int | None:
        return next((int(config[name]) for name in names if config.get(name)), None)

    width, layers = value(WIDTHS), value(LAYERS)
    if not width or not layers:
        return None
    kind = str(config.get("model_type", ""))
    both = bool(config.get("is_encoder_decoder")) or kind in SLOW_ELEMENTWISE
    decoder = (value(DECODER_LAYERS) or layers) if both else 0
    size = vocabulary or int(config.get("vocab_size") or VOCABULARY)
    return Shape(width, value(INNER) or 4 * width, layers, decoder, size, kind)


def passes(shape: Shape, tokens: float, length: float, precision: str | None, decoding: bool = False) -> Work:
    """Tokens through the layers, once forward or, in a precision of training, forward and backward.

    Args:
        shape: The model.
        tokens: How many, of all texts.
        length: Of a text.
        precision: bf16 or fp32 of training; None of predicting.
        decoding: Through the decoder of a model that has two stacks.

    Returns:
        The work.
    """
    layers = shape.decoder_layers if decoding else shape.layers
    weights = shape.weights + (4 * shape.width**2 if decoding else 0)
    flops = tokens * layers * (2 * weights + 4 * length * shape.width) * (1 if precision is None else 3)
    slow = SLOW_ELEMENTWISE.get(shape.kind, 1.0) * (1.4 if decoding else 1.0)
    seconds = slow * tokens * layers * shape.width * ELEMENTWISE[precision or "forward"]
    return Work(0.0, flops, seconds) if precision == "bf16" else Work(flops, 0.0, seconds)


def distributions(shape: Shape, tokens: float, precision: str | None) -> Work:
    """So many distributions over the vocabulary, with their loss where they are trained."""
    flops = tokens * 2 * shape.width * shape.vocabulary * (1 if precision is None else 3)
    seconds = tokens * shape.vocabulary * VOCABULARY_SECONDS["predict" if precision is None else "fit"]
    return Work(0.0, flops, seconds) if precision == "bf16" else Work(flops, 0.0, seconds)


def steps(shape: Shape, count: float, optimizer: str) -> Work:
    """So many steps of an optimizer, beside what its examples cost."""
    update = shape.parameters * PARAMETER_SECONDS.get(optimizer, PARAMETER_SECONDS["adamw"])
    return Work(seconds=count * (STEP_SECONDS + LAYER_STEP_SECONDS * shape.depth + update))


def loading(shape: Shape) -> Work:
    """A model that is opened or saved."""
    return Work(seconds=LOAD_SECONDS + LOAD_PARAMETER_SECONDS * shape.parameters)


def scoring(task: TaskSpec, examples: int, in_words: bool) -> Work:
    """The task's metrics with their intervals."""
    count = len(task.metrics)
    return Work(seconds=count * (METRIC_SECONDS + (TEXT_METRIC_SECONDS * examples if in_words else 0.0)))


@dataclass(frozen=True)
class Reading:
    """How a model reads a split: texts or windows of them, tokens of all, tokens of a text, answers in words."""

    examples: float
    tokens: float
    length: float
    answers: float


def reading(task: TaskSpec, sizes: Sizes, limit: int, head: str) -> Reading:
    """What a head reads of a split.

    Args:
        task: The task.
        sizes: Of the split.
        limit: Tokens read at once.
        head: The head; one that extracts answers or tags words reads long texts in windows, one that
            writes reads a prompt.

    Returns:
        How it is read.
    """
    more = SPECIAL_TOKENS + (PROMPT_TOKENS if head in ("causal-lm", "seq2seq-lm") else 0)
    if head not in ("question-answering", "token-classification"):
        tokens = sizes.tokens(limit, more)
        if head == "masked-lm":  # a copy of each text for each of its tokens
            tokens *= tokens / max(1, sizes.examples)
        return Reading(sizes.examples, tokens, tokens / max(1, sizes.examples), sizes.answer or 3.0)
    whole = sizes.tokens(10**9, more)
    stride = max(1, min(task.decoding.doc_stride, limit // 2))
    windows = sizes.examples * sum(
        1 if pieces <= limit else 1 + (pieces - limit) / stride for pieces in sizes.inputs
    ) / max(1, len(sizes.inputs))  # fmt: skip
    tokens = min(windows * limit, whole + (windows - sizes.examples) * (limit - stride))
    return Reading(windows, tokens, tokens / max(1.0, windows), 0.0)


def fit_work(model_spec: ModelSpec, shape: Shape, task: TaskSpec, sizes: Sizes, limit: int, head: str) -> Work:
    """The fine-tuning of a transformer on a split."""
    training = model_spec.training
    precision = "bf16" if training.precision == "bf16" else "fp32"
    read = reading(task, sizes, limit, head)
    epochs = epochs_for(training, round(read.examples))
    passes_a_step = 1.0 if training.adversarial is None else training.adversarial.cost
    work = _read(shape, read, precision, head).times(epochs * passes_a_step)
    work += steps(shape, epochs * max(1.0, read.examples / training.batch_size), training.optimizer)
    return work + loading(shape) + Work(seconds=read.tokens * PIECE_SECONDS)


def predict_work(shape: Shape, task: TaskSpec, sizes: Sizes, limit: int, head: str, in_words: bool) -> Work:
    """The predictions of a transformer on a split, and their scores."""
    read = reading(task, sizes, limit, head)
    work = loading(shape) + Work(seconds=read.tokens * PIECE_SECONDS) + scoring(task, sizes.examples, in_words)
    if head not in ("causal-lm", "seq2seq-lm"):
        return work + passes(shape, read.tokens, read.length, None)
    if not in_words:  # each label's words are read
        return work + _read(shape, read, None, head).times(max(1, len(task.labels or ())))
    most = float(task.decoding.max_new_tokens)
    written = sizes.examples * most
    batches = max(1.0, sizes.examples / GENERATED_BATCH)
    calls = batches * most * (DECODE_STEP_SECONDS + DECODE_LAYER_SECONDS * (shape.decoder_layers or shape.layers))
    through = passes(shape, written, read.length, None, shape.decoder_layers > 0) + distributions(shape, written, None)
    return work + passes(shape, read.tokens, read.length, None) + through + Work(seconds=calls)


def _read(shape: Shape, read: Reading, precision: str | None, head: str) -> Work:
    """Texts, and the answers of a model that writes."""
    if head not in ("causal-lm", "seq2seq-lm"):
        return passes(shape, read.tokens, read.length, precision)
    answers = read.examples * read.answers
    if shape.decoder_layers:
        decoded = passes(shape, answers, read.answers, precision, decoding=True)
        return passes(shape, read.tokens, read.length, precision) + decoded + distributions(shape, answers, precision)
    tokens = read.tokens + answers
    return passes(shape, tokens, read.length, precision) + distributions(shape, answers, precision)


def limit_of(model_spec: ModelSpec, config: Mapping[str, Any], fitted: int | None = None) -> int:
    """Tokens read at once: of a finished model what it was fitted with."""
    positions = next(
        (int(config[name]) for name in ("max_position_embeddings", "n_positions") if config.get(name)), LENGTH_AT_MOST
    )
    return min(fitted or model_spec.training.max_length or positions, positions)
