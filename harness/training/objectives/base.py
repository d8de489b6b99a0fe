"""What an objective is: how blocks of text are corrupted, what is predicted of them, and how well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.strict_spec import Strict
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

Batch = Mapping[str, "torch.Tensor"]
Ratios = dict[str, tuple["np.ndarray", "np.ndarray"]]
"""By name of a score: numerators and denominators (b,), whose sums' quotient is the score."""


@dataclass(frozen=True)
class Tokens:
    """What an objective must know of a vocabulary of `size` tokens; None where the tokenizer has no such token.

    `start` opens a block (`[CLS]`), `separator` ends a segment (`[SEP]`), `end` stands between documents. By id, arrays
    (size,): `special` says whether a token is no text, `bytes` how many UTF-8 bytes of text it stands for, `inside`
    whether it continues a word, `stops` whether it ends a sentence. `vocabulary` is a hash of all tokens in order.
    """

    size: int
    pad: int
    end: int
    start: int | None
    separator: int | None
    mask: int | None
    sentinels: tuple[int, ...]
    special: np.ndarray
    bytes: np.ndarray
    inside: np.ndarray
    stops: np.ndarray
    vocabulary: str = ""


class NoOptions(Strict):
    """An objective that has none."""


class Objective(ABC):
    """Made once for a pretraining: `Objective(options, tokens, block_size)`. One subclass a module.

    Every example must count alike, whatever its batch: `loss` is the mean over examples, so that micro-batches and
    processes that share a batch in equal parts average to the loss of the whole.
    """

    Options: ClassVar[type[Strict]] = NoOptions
    tokenizers: ClassVar[tuple[str, ...]] = ("wordpiece", "bytebpe", "unigram")
    """The kinds of tokenizer it works with."""
    perplexities: ClassVar[frozenset[str]] = frozenset()
    """Scores that are `exp` of their quotient."""
    lower_is_better: ClassVar[frozenset[str]] = frozenset()

    auto_class: ClassVar[str | None] = None
    """The class of `transformers` that its models are of; None of one that builds models of its own."""
    from_checkpoint: ClassVar[bool] = False
    """Whether it trains a checkpoint of `auto_class` further."""
    modality: ClassVar[str] = "text"
    """What it learns from: text, or items of another modality, with captions or without."""
    unit: ClassVar[str] = "tokens"
    """What its speed counts."""
    whole_batch: ClassVar[bool] = False
    """Its loss compares all examples of a batch: it gives `vectors` of each part, and a loss of those of all."""
    causal: ClassVar[bool] = False
    """Whether each token is predicted from those before it alone."""

    def __init__(self, options: Any, tokens: Tokens, block_size: int) -> None:
        self.options = options
        self.tokens = tokens
        self.block_size = block_size
        self.prepare()

    @classmethod
    def inputs(cls, options: Any) -> dict[str, str]:
        """Fingerprints of what the options name beside the corpus, such as another model. Raises HarnessError."""
        return {}

    @classmethod
    def at_random(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options, as they are written, of a random-init control that `build` gives random weights."""
        return dict(options)

    def prepare(self) -> None:  # noqa: B027 - most objectives have something to check, not all
        """Check the settings against the tokenizer. Raises HarnessError."""

    @property
    def raw_size(self) -> int:
        """Tokens of text that make one example."""
        return self.block_size

    @property
    def example_size(self) -> int:
        """How many of its `unit` an example holds."""
        return self.block_size

    @abstractmethod
    def corrupt(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        """Arrays of n rows each, the inputs and targets of `loss`, from blocks (n, raw_size) of token ids."""

    def held_out(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        """As `corrupt`, of blocks that are scored and not trained on."""
        return self.corrupt(blocks, random)

    def build(self, config: PretrainedConfig) -> torch.nn.Module:
        """A model with random weights; by default of the class `auto_class`."""
        import transformers

        assert self.auto_class is not None
        model: torch.nn.Module = getattr(transformers, self.auto_class).from_config(config)
        return model

    def try_out(self, model: Any) -> None:  # noqa: B027 - most objectives take any model that was built
        """Look at what a built model does, before it is trained. Raises HarnessError where it will not do."""

    @abstractmethod
    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        """The mean loss over the examples of a batch, a scalar."""

    def outputs(self, model: Any, batch: Batch) -> Outputs:
        """The same loss, and the logits it is made of; of an objective that is trained adversarially."""
        raise NotImplementedError

    @classmethod
    def can_be_perturbed(cls) -> bool:
        """Whether it is trained adversarially: `outputs` are those of its own loss, not of one it replaces."""
        return "outputs" in vars(next(kind for kind in cls.__mro__ if "loss" in vars(kind)))

    def vectors(self, model: Any, batch: Batch) -> torch.Tensor:
        """What the loss of a whole batch compares, (b, …) in float32: of an objective that is `whole_batch`."""
        raise NotImplementedError

    def loss_of(self, model: Any, vectors: torch.Tensor) -> torch.Tensor:
        """The mean loss over all examples of a batch, from their vectors."""
        raise NotImplementedError

    def after_step(self, model: Any) -> None:  # noqa: B027 - most objectives leave the weights as they are
        """Hold the weights within bounds, after a step of the optimizer."""

    @abstractmethod
    def measure(self, model: Any, batch: Batch) -> Ratios:
        """Scores of held-out text, by example. Called without gradients, in eval mode."""

    def measure_few(self, model: Any, blocks: np.ndarray) -> Ratios:
        """Scores too dear for all held-out text, by block; `blocks` (n, raw_size) are the first few."""
        return {}

    def export(self, model: Any) -> PreTrainedModel:
        """The part of the model that a checkpoint holds."""
        return model

    def chance(self, scores: Mapping[str, float]) -> dict[str, float]:
        """What guessing scores, by name of a score; from the scores themselves where it depends on the text."""
        return {}

    def _need(self, name: str) -> int:
        """The id of a token the objective cannot do without."""
        value = getattr(self.tokens, name)
        if value is None:
            raise HarnessError(f"objective {type(self).__name__}: the tokenizer has no {name} token")
        return value


class EncoderOptions(Strict):
    """A fraction `pairs` of the blocks is laid out as two segments, cut after a sentence where there is one."""

    pairs: float = Field(default=0.5, ge=0, le=1)


def laid_out(
    blocks: np.ndarray, tokens: Tokens, size: int, pairs: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, size) as an encoder reads texts later, `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`, and
    their segments (n, size).

    Without separators inside, a model would first meet one between the sentences of a pair when it is fine-tuned.
    """
    import numpy as np

    assert tokens.start is not None and tokens.separator is not None
    n = len(blocks)
    rows = np.empty((n, size), dtype=np.int64)
    rows[:, 0], rows[:, 1:-1], rows[:, -1] = tokens.start, blocks[:, : size - 2], tokens.separator
    segments = np.zeros_like(rows)
    if size < 6:
        return rows, segments
    keys = random.random((n, size)) + tokens.stops[rows]
    keys[:, :2] = keys[:, -3:] = -1
    cuts = keys.argmax(axis=1) + 1
    for row in np.flatnonzero(random.random(n) < pairs):
        cut = cuts[row]
        rows[row, cut + 1 : -1] = rows[row, cut:-2].copy()
        rows[row, cut] = tokens.separator
        segments[row, cut + 1 :] = 1
    return rows, segments
