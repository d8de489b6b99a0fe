"""Beam search as `transformers` defines it, without the model: which beams go on with which tokens, which texts are
done, and what they are. Imports torch: import it inside functions.

A text is done when nothing can change it any more. Tokens are kept with the beam they follow, and the texts
put together once, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

NEVER = -1e9
"""The score of a beam that is none, as in `transformers`."""

CHUNK = 64
"""Scores of which the best is looked at first: the best k of all are in the k chunks with the best of their own."""


@dataclass(frozen=True)
class BeamRules:
    """How beams are scored: `most` tokens a text, the tokens that end one, those that are never written, and
    `length_penalty` and `early_stopping` as in `GenerationConfig`.
    """

    beams: int
    most: int
    ends: tuple[int, ...]
    never: tuple[int, ...] = ()
    length_penalty: float = 1.0
    early_stopping: bool | str = False

    @property
    def candidates(self) -> int:
        """How many continuations are looked at, so that enough go on even if all that can end do."""
        return max(2, 1 + len(self.ends)) * self.beams


@dataclass
class BeamSearch:
    """The beams of `count` texts. `step` is called with the scores of each next token until none is `going` on.

    Attributes:
        texts: (b,) the numbers of those that are still searched for.
        going: (b,) which of them may change.
    """

    rules: BeamRules
    count: int
    device: torch.device
    texts: torch.Tensor = field(init=False)
    going: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        beams, most = self.rules.beams, self.rules.most
        shape = (self.count, beams)
        self.texts = torch.arange(self.count, device=self.device)
        self.going = torch.ones(self.count, dtype=torch.bool, device=self.device)
        self._place = 0
        self._running = torch.zeros(shape, device=self.device)
        self._scores = torch.full(shape, NEVER, device=self.device)
        self._ended = torch.zeros(shape, dtype=torch.bool, device=self.device)
        self._improvable = torch.ones(self.count, dtype=torch.bool, device=self.device)
        self._last = torch.zeros((*shape, 3), dtype=torch.long, device=self.device)
        self._best = torch.zeros((self.count, 3), dtype=torch.long, device=self.device)
        self._parents = torch.zeros((most, *shape), dtype=torch.long, device=self.device)
        self._tokens = torch.zeros((most, *shape), dtype=torch.long, device=self.device)
        self._ends = torch.tensor(self.rules.ends, dtype=torch.long, device=self.device)

    def step(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The next tokens (b, k) of the beams and the beams (b, k) they follow, by logits (b, k, vocabulary) or, of the
        first token, (b, 1, vocabulary).
        """
        rules = self.rules
        scores = logits.float().log_softmax(-1)
        if rules.never:
            scores[..., list(rules.never)] = -float("inf")
        best, beam, token = best_of(scores, self._running[:, : scores.shape[1]], rules.candidates)
        ends = torch.isin(token, self._ends)
        if self._place == rules.most - 1:
            ends = torch.ones_like(ends)
        self._running, going = (best + ends * NEVER).topk(rules.beams)
        parents, tokens = beam.gather(1, going), token.gather(1, going)
        self._parents[self._place, self.texts], self._tokens[self._place, self.texts] = parents, tokens
        self._finish(best, beam, token, ends)
        self._place += 1
        done = ~self._may_improve() | ends.all(1)
        if rules.early_stopping is True:
            done |= self._ended.all(1)
        closing = self.going & done
        self._best[self.texts[closing]] = self._last[closing][:, 0]
        self.going &= ~done
        return tokens, parents

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows of the texts alone."""
        for name in ("texts", "going", "_running", "_scores", "_ended", "_improvable", "_last"):
            setattr(self, name, getattr(self, name)[rows])

    def _finish(self, best: torch.Tensor, beam: torch.Tensor, token: torch.Tensor, ends: torch.Tensor) -> None:
        """Put the texts that end among the best k into those that have ended, if they are better."""
        beams = self.rules.beams
        ended = ends.clone()
        ended[:, beams:] = False
        if not ended.any():
            return
        scores = best / ((self._place + 1) ** self.rules.length_penalty)
        barred = ~self._improvable.unsqueeze(1) | ~ended
        if self.rules.early_stopping is True:
            barred |= self._ended.all(1, keepdim=True)
        place = torch.full_like(token, self._place)
        last = torch.cat([self._last, torch.stack([place, beam, token], 2)], 1)
        self._scores, chosen = torch.cat([self._scores, scores + barred * NEVER], 1).topk(beams)
        self._ended = torch.cat([self._ended, ended], 1).gather(1, chosen)
        self._last = last.gather(1, chosen.unsqueeze(2).expand(-1, -1, 3))

    def _may_improve(self) -> torch.Tensor:
        """Whether the best running beam may still become better than the worst that has ended, by text."""
        penalty = self.rules.length_penalty
        length = self.rules.most if self.rules.early_stopping == "never" and penalty > 0 else self._place
        possible = self._running[:, :1] / (length**penalty)
        worst = torch.where(self._ended, self._scores.min(1, keepdim=True).values, NEVER)
        self._improvable = self._improvable & (possible > worst).any(1)
        return self._improvable

    def written(self) -> list[list[int]]:
        """The tokens of each text's best beam, with its end where it has one."""
        last, beam, token = self._best.unbind(1)
        texts = torch.zeros((self.count, self.rules.most), dtype=torch.long, device=self.device)
        numbers = torch.arange(self.count, device=self.device)
        texts[numbers, last] = token
        for place in range(int(last.max()) - 1, -1, -1):
            before = place < last
            texts[before, place] = self._tokens[place, numbers, beam][before]
            beam = torch.where(before, self._parents[place, numbers, beam], beam)
        return [row[: length + 1] for row, length in zip(texts.tolist(), last.tolist(), strict=True)]


def best_of(scores: torch.Tensor, before: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The best so many sums of `scores` (b, k, vocabulary) and `before` (b, k), best first: themselves, their beam and
    their token, each (b, count).
    """
    texts, beams, vocabulary = scores.shape
    chunks = vocabulary // CHUNK
    if chunks * beams <= count:
        best, index = (scores + before.unsqueeze(2)).flatten(1).topk(count)
        return best, index // vocabulary, index % vocabulary
    whole = scores[..., : chunks * CHUNK].unflatten(2, (chunks, CHUNK))
    highest = (whole.amax(3) + before.unsqueeze(2)).flatten(1)
    chunk = highest.topk(count, sorted=False).indices
    beam = chunk // chunks
    start = chunk % chunks * CHUNK
    numbers = torch.arange(texts, device=scores.device).unsqueeze(1)
    values = whole[numbers, beam, chunk % chunks] + before.gather(1, beam).unsqueeze(2)
    beams_of = beam.unsqueeze(2).expand(-1, -1, CHUNK)
    tokens_of = start.unsqueeze(2) + torch.arange(CHUNK, device=scores.device)
    rest = vocabulary - chunks * CHUNK
    left = (scores[..., chunks * CHUNK :] + before.unsqueeze(2)).flatten(1)
    left_index = torch.arange(beams * rest, device=scores.device).expand(texts, -1)
    best, index = torch.cat([values.flatten(1), left], 1).topk(count)
    beam = torch.cat([beams_of.flatten(1), left_index // max(1, rest)], 1).gather(1, index)
    token = torch.cat([tokens_of.flatten(1), left_index % max(1, rest) + chunks * CHUNK], 1).gather(1, index)
    return best, beam, token


def rules_for(settings: Any, ends: Sequence[int], never: Sequence[int]) -> BeamRules:
    """The rules that a `GenerationConfig` states."""
    penalty, stopping = settings.length_penalty, settings.early_stopping
    return BeamRules(
        settings.num_beams,
        settings.max_new_tokens,
        tuple(ends),
        tuple(never),
        1.0 if penalty is None else penalty,
        False if stopping is None else stopping,
    )
