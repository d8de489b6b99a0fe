"""Attacks that change one word after the other, the most important one first, until the model is fooled."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from harness.attacks.base import Answer, Attack, Request, Search, Target
from harness.data.augment.text import Span, joined
from harness.modeling.probabilities import DIGITS

Choice = Literal["drop", "similarity"]
Ask = Generator[Request, Sequence[Any], Any]


@dataclass(frozen=True)
class Candidate:
    """A changed text: its edits, and how similar it is to the original."""

    edits: Mapping[Span, str]
    text: str
    similarity: float


class WordByWord(Attack):
    """Ranks the words of a text by how much the model needs them, and gives each in turn what serves best.

    Attributes:
        chooses: Which text is taken of those that fool the model: that with the largest `drop` of the right class's
            probability, or the one with the highest `similarity` to the original. Where none does, the one with the
            largest drop is, if there is any.
    """

    chooses: ClassVar[Choice] = "similarity"

    def importance(self, target: Target) -> Ask:
        """How much each word that may be changed matters, in their order."""
        return (yield from by_deletion(target))

    def replacements(self, target: Target, span: Span) -> Ask:
        """What a word may become, the first one first; the search asks for some of them where the budget ends."""
        raise NotImplementedError

    def allowed(self, target: Target, edits: Mapping[Span, str]) -> bool:
        """Whether edits are within bounds of the attack's own."""
        return True

    def search(self, target: Target) -> Search:
        scores = yield from self.importance(target)
        ranked = sorted(zip(target.words, scores, strict=True), key=lambda pair: (-round(pair[1], DIGITS), pair[0]))
        for span, _ in ranked:
            if len(target.edits) == target.most_changed:
                return
            words = yield from self.replacements(target, span)
            candidates = yield from self._candidates(target, span, words)
            answers = yield Request("model", tuple(candidate.text for candidate in candidates))
            chosen = self._chosen(target, list(zip(candidates, answers, strict=False)))
            if chosen is not None:
                target.take(chosen[0].edits, chosen[1], chosen[0].similarity)
            if target.is_fooled:
                return

    def _candidates(self, target: Target, span: Span, words: Sequence[str]) -> Ask:
        """The texts with such words that are within all bounds, none twice."""
        texts: dict[str, Mapping[Span, str]] = {}
        for word in words:
            edits = {**target.edits, span: word}
            text = target.written(edits)
            if text not in (target.text.text, target.written(target.edits)) and self.allowed(target, edits):
                texts.setdefault(text, edits)
        if not texts:
            return []
        similarities = yield Request("similarity", tuple(texts))
        rounded = [round(similarity, DIGITS) for similarity in similarities]
        return [
            Candidate(edits, text, similarity)
            for (text, edits), similarity in zip(texts.items(), rounded, strict=True)
            if similarity >= self.least
        ]

    def _chosen(self, target: Target, answered: Sequence[tuple[Candidate, Answer]]) -> tuple[Candidate, Answer] | None:
        def confidence(pair: tuple[Candidate, Answer]) -> float:
            return pair[1].probabilities[target.label]

        fooling = [pair for pair in answered if pair[1].label != target.label]
        if fooling and self.chooses == "similarity":
            return max(fooling, key=lambda pair: pair[0].similarity)
        lowest = min(fooling or answered, key=confidence, default=None)
        return lowest if lowest and (fooling or confidence(lowest) < target.confidence) else None


def by_deletion(target: Target) -> Ask:
    """TextFooler's importance: what the right class loses without a word and, where another class wins then, what that
    has gained as well (Jin et al. 2020, equation 2). A word that is not asked about for want of budget has none.
    """
    texts = {span: joined(target.text.text, target.text.without([span])) for span in target.words}
    asked = [span for span, text in texts.items() if text.strip()]
    answers = yield Request("model", tuple(texts[span] for span in asked))
    scores = dict.fromkeys(target.words, 0.0)
    for span, answer in zip(asked, answers, strict=False):
        before, after, label = target.original.probabilities, answer.probabilities, target.label
        scores[span] = before[label] - after[label]
        if answer.label != label:
            scores[span] += after[answer.label] - before[answer.label]
    return [scores[span] for span in target.words]
