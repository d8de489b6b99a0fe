"""Words replaced by what a masked language model puts in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.core.errors import HarnessError
from harness.data.augment.base import TextOperation, rate
from harness.data.augment.draws import Draws
from harness.data.augment.text import Pieces, Span, Text, is_negation, joined
from harness.data.augment.vocabulary import NUMBER_WORDS, STOP_WORDS
from harness.data.augment.words import WordOptions, changed_words, like
from harness.modeling.checkpoint import FILL, Checkpoint
from harness.modeling.inference.batching import scoring_batches
from harness.modeling.weights.positions import positions_of
from harness.training.augment.models import fingerprint, opened

if TYPE_CHECKING:
    import torch

TOKENS_AT_ONCE = 4096
NEGATING_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "mis", "anti")
"""Before a word they make its opposite."""
INFLECTION = 3
"""Letters at the end by which forms of one word differ."""


class MaskedWordsOptions(WordOptions):
    """Which model, and which of its words.

    Attributes:
        model: The folder of a masked language model, such as `harness pretrain -o` writes.
        top: The likeliest words that are drawn from, by their probabilities.
        probability: The least that a word must have.
        beside: Whether the model reads the text as it was before the masked one: for models that were pretrained on
            pairs of sentences.
    """

    rate: float = rate(0.1, "Of the words; at least one.")
    model: str = Field(min_length=1)
    top: int = Field(default=5, ge=1, le=1000)
    probability: float = Field(default=0.02, gt=0, le=1)
    beside: bool = False


class MaskedWords(TextOperation):
    """Words are replaced by what a masked language model says in their place.

    With the text as it was `beside`, as in LSBert, its meaning stays in sight; but the model knows what fits, not what
    means the same, so that labels are not safe. Candidates that negate, numbers, function words, other forms of the
    word, and the word with a negating prefix are left out.
    """

    Options = MaskedWordsOptions
    changes = "meaning"
    source = "Kobayashi 2018 (arXiv 1805.06201), Qiang et al. 2020 (arXiv 1907.06226)"

    def inputs(self) -> Mapping[str, str]:
        return {self.options.model: fingerprint(self.options.model, "masked-words")}

    def apply_all(self, texts: Sequence[Text], draws: Sequence[Draws]) -> Sequence[str | Pieces]:
        model = masked_model(self.options.model, "augment: masked-words")
        masked = [self._masked(text, drawn) for text, drawn in zip(texts, draws, strict=True)]
        candidates = _predicted(model, texts, masked, self.options)
        return [
            text.edited(self._edits(text, spans, ranked, drawn))
            for text, spans, ranked, drawn in zip(texts, masked, candidates, draws, strict=True)
        ]

    def _masked(self, text: Text, draws: Draws) -> list[Span]:
        words = [span for span in text.free if text[span].isalpha() and text[span].lower() not in STOP_WORDS]
        return sorted(draws.sample(words, changed_words(self.options.rate, len(text.words))))

    def _edits(
        self, text: Text, spans: Sequence[Span], ranked: Sequence[Sequence[tuple[str, float]]], draws: Draws
    ) -> list[tuple[Span, str]]:
        edits = []
        for span, words in zip(spans, ranked, strict=True):
            old = text[span].lower()
            left = [
                (word, probability)
                for word, probability in words
                if probability >= self.options.probability and not _is_related(old, word)
            ]
            if left := left[: self.options.top]:
                edits.append((span, like(text[span], _drawn(left, draws))))
        return edits


def _drawn(words: Sequence[tuple[str, float]], draws: Draws) -> str:
    place = draws.uniform() * sum(probability for _, probability in words)
    for word, probability in words:
        place -= probability
        if place < 0:
            return word
    return words[-1][0]


def _is_related(word: str, other: str) -> bool:
    """Whether one is the other, a form of it, or its opposite by a prefix."""
    short, long = sorted((word, other), key=len)
    begins = len(_common(short, long)) >= max(3, len(short) - INFLECTION)
    return begins or any(long == f"{prefix}{short}" for prefix in NEGATING_PREFIXES)


def _common(word: str, other: str) -> str:
    length = next((at for at, pair in enumerate(zip(word, other, strict=False)) if pair[0] != pair[1]), None)
    return word[: len(word) if length is None else length]


@dataclass(frozen=True)
class MaskedModel:
    """A masked language model, and the tokens (ids and words) that may stand in the place of a word."""

    checkpoint: Checkpoint
    allowed: torch.Tensor
    words: Sequence[str]

    @property
    def mask(self) -> str:
        """How its tokenizer writes a mask."""
        return str(self.checkpoint.tokenizer.mask_token)


@lru_cache(maxsize=1)
def masked_model(path: str, where: str) -> MaskedModel:
    """Raises HarnessError for a folder that holds none, and for a tokenizer that has no mask."""
    checkpoint = opened(path, where, FILL, "a masked language model")
    if checkpoint.tokenizer.mask_token is None:
        raise HarnessError(f"{where}: model {path}: its tokenizer has no mask token")
    return MaskedModel(checkpoint, *_whole_words(checkpoint.tokenizer, checkpoint.model))


def _predicted(
    model: MaskedModel, texts: Sequence[Text], masked: Sequence[Sequence[Span]], options: MaskedWordsOptions
) -> list[list[list[tuple[str, float]]]]:
    """Of each text and each of its masked words the likeliest words, with their probabilities; nothing for a text that
    is too long for the model.
    """
    written = [
        joined(text.text, text.edited([(span, model.mask) for span in spans])) if spans else ""
        for text, spans in zip(texts, masked, strict=True)
    ]
    beside = [text.text for text in texts] if options.beside else None
    return likeliest(model, written, [len(spans) for spans in masked], 2 * options.top, beside)


def likeliest(
    proposing: MaskedModel,
    texts: Sequence[str],
    masks: Sequence[int],
    count: int,
    beside: Sequence[str] | None = None,
) -> list[list[list[tuple[str, float]]]]:
    """What a masked language model says in the place of masks.

    Args:
        proposing: The model.
        texts: Texts with masks in them.
        masks: How many each has; nothing is said of a text with none, or with others beside them.
        count: So many words a mask at most.
        beside: What stands before each text, for a model that reads pairs.

    Returns:
        Of each text and each of its masks the likeliest whole words, with their probabilities; nothing for a text that
        is too long for the model.
    """
    import torch

    tokenizer, model = proposing.checkpoint.tokenizer, proposing.checkpoint.model
    allowed, words = proposing.allowed, proposing.words
    rows = [
        _encoded(tokenizer, text, None if beside is None else beside[index]) if masks[index] else None
        for index, text in enumerate(texts)
    ]
    limit = positions_of(model, "encoder") or 512
    ranked: list[list[list[tuple[str, float]]]] = [[[] for _ in range(number)] for number in masks]
    fitting = [index for index, row in enumerate(rows) if row is not None and len(row["input_ids"]) <= limit]
    lengths = [len(rows[index]["input_ids"]) for index in fitting]  # type: ignore[index]
    with torch.inference_mode():
        for batch in scoring_batches(lengths, TOKENS_AT_ONCE):
            chosen = [fitting[index] for index in batch]
            inputs = tokenizer.pad([rows[index] for index in chosen], return_tensors="pt").to(model.device)
            logits = model(**inputs).logits
            for place, index in enumerate(chosen):
                at = (inputs["input_ids"][place] == tokenizer.mask_token_id).nonzero().flatten()
                if len(at) != masks[index]:
                    continue
                probabilities = logits[place, at].double().softmax(-1)[:, allowed]
                values, places = probabilities.topk(min(count, len(words)))
                ranked[index] = [
                    [(words[word], value) for word, value in zip(*pair, strict=True)]
                    for pair in zip(places.tolist(), values.tolist(), strict=True)
                ]
    return ranked


def _encoded(tokenizer: Any, text: str, beside: str | None) -> Any:
    return tokenizer(text, verbose=False) if beside is None else tokenizer(beside, text, verbose=False)


def _whole_words(tokenizer: Any, model: Any) -> tuple[torch.Tensor, list[str]]:
    """The ids of tokens that are whole words which may stand in the place of others, and these words."""
    import torch

    tokens = tokenizer.convert_ids_to_tokens(range(min(len(tokenizer), model.config.vocab_size)))
    marked = {mark for mark in ("Ġ", "▁") if sum(token.startswith(mark) for token in tokens) > len(tokens) / 10}
    ids, words = [], []
    for number, token in enumerate(tokens):
        whole = token[:1] in marked if marked else not token.startswith("##")
        word = token[1:] if marked else token
        if whole and len(word) > 1 and word.isalpha() and word.islower() and not _has_a_task(word):
            ids.append(number)
            words.append(word)
    return torch.tensor(ids, dtype=torch.long), words


def _has_a_task(word: str) -> bool:
    """Whether it negates, counts, or holds a sentence together."""
    return word in STOP_WORDS or word in NUMBER_WORDS or is_negation(word)
