"""The attacks once more, plainly: one example, one text at a time, nothing kept between calls but the count. Slow, and
written from the papers; what it shares with the package is what is no part of the attacks: how words are found in a
text, which stay, and what is drawn.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.data.augment.draws import Draws
from harness.data.augment.text import is_negation
from harness.data.augment.vocabulary import NUMBER_WORDS, STOP_WORDS
from tests.unit.attacks.given import probabilities

Spelt = Callable[[str, int, list[str]], list[str]]


class BudgetSpentError(Exception):
    pass


class Model:
    """Asks one text at a time, and never more different ones than the budget."""

    def __init__(self, budget: int) -> None:
        self.budget, self.seen = budget, set[str]()

    def __call__(self, text: str) -> list[float]:
        if text not in self.seen and len(self.seen) == self.budget:
            raise BudgetSpentError
        self.seen.add(text)
        return probabilities(text)


def cosine(left: str, right: str) -> float:
    counts = []
    for text in (left, right):
        padded = " " + " ".join(text.lower().split()) + " "
        counts.append(Counter(padded[at : at + 3] for at in range(len(padded) - 2)))
    dot = sum(counts[0][key] * counts[1][key] for key in counts[0])
    return dot / math.sqrt(sum(n * n for n in counts[0].values()) * sum(n * n for n in counts[1].values()))


def tokens(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"[^\W_]+", text)]


def may_change(word: str) -> bool:
    lower = word.lower()
    is_number = any(letter.isdigit() for letter in word) or lower in NUMBER_WORDS
    return not (is_number or lower in STOP_WORDS or is_negation(word))


def with_words(text: str, new: dict[int, str]) -> str:
    result, reached = "", 0
    for place, (start, end) in enumerate(tokens(text)):
        result += text[reached:start] + new.get(place, text[start:end])
        reached = end
    return result + text[reached:]


def without_word(text: str, place: int) -> str:
    start, end = tokens(text)[place]
    if start > 0 and text[start - 1].isspace():
        return text[: start - 1] + text[end:]
    return text[:start] + text[end + 1 :] if text[end : end + 1].isspace() else text[:start] + text[end:]


def deletion_scores(model: Model, text: str, label: int) -> Iterator[tuple[int, float]]:
    """Jin et al. 2020, equation 2."""
    for place, (start, end) in enumerate(tokens(text)):
        if not may_change(text[start:end]):
            continue
        whole, shorter = probabilities(text), model(without_word(text, place))
        other = shorter.index(max(shorter))
        score = whole[label] - shorter[label]
        yield place, score if other == label else score + shorter[other] - whole[other]


def combined_scores(model: Model, text: str, label: int) -> list[tuple[int, float]]:
    """Gao et al. 2018, section III: temporal head and temporal tail score."""
    spans = tokens(text)
    heads, tails = [0.5], [0.5]
    for place in range(len(spans)):
        heads.append(model(text if place == len(spans) - 1 else text[: spans[place][1]])[label])
    for place in reversed(range(len(spans))):
        tails.append(model(text if place == 0 else text[spans[place][0] :])[label])
    tails.reverse()
    changes = [(at, heads[at + 1] - heads[at] + tails[at] - tails[at + 1]) for at in range(len(spans))]
    return [(at, score) for at, score in changes if may_change(text[slice(*spans[at])])]


def attack(
    text: str,
    label: int,
    score: Callable[[Model, str, int], Sequence[tuple[int, float]] | Iterator[tuple[int, float]]],
    proposals: Callable[[str, dict[int, str], int], list[str]],
    prefers_similar: bool,
    budget: int,
    least: float,
    most_changed: float,
    most_edits: int | None = None,
) -> tuple[str, bool, int, int]:
    """The text as it becomes, whether it fools the model, the words changed, and the different texts asked."""
    model = Model(budget)
    best = model(text)
    new: dict[int, str] = {}
    scores = dict.fromkeys((at for at, span in enumerate(tokens(text)) if may_change(text[slice(*span)])), 0.0)
    try:
        for place, value in score(model, text, label):
            scores[place] = value
    except BudgetSpentError:
        pass
    for place in sorted(scores, key=lambda at: (-round(scores[at], 6), at)):
        if len(new) >= max(1, int(most_changed * len(tokens(text)) + 1e-9)):
            break
        fooling, lowest = [], None
        tried: set[str] = set()
        try:
            for word in proposals(text, new, place):
                changed = {**new, place: word}
                candidate = with_words(text, changed)
                if candidate in (text, with_words(text, new)) or candidate in tried:
                    continue
                if most_edits is not None and edit_distance(text, changed) > most_edits:
                    continue
                tried.add(candidate)
                similarity = round(cosine(text, candidate), 6)
                if similarity < least:
                    continue
                answer = model(candidate)
                if answer.index(max(answer)) != label:
                    fooling.append((-similarity if prefers_similar else answer[label], len(fooling), changed))
                if lowest is None or answer[label] < lowest[0]:
                    lowest = (answer[label], changed)
        except BudgetSpentError:
            pass
        if fooling:
            new = min(fooling)[2]
            return with_words(text, new), True, len(new), len(model.seen)
        if lowest is not None and lowest[0] < best[label]:
            best, new = model(with_words(text, lowest[1])), lowest[1]
    return with_words(text, new), False, len(new), len(model.seen)


def edit_distance(text: str, new: dict[int, str]) -> int:
    spans = tokens(text)
    return sum(levenshtein(text[slice(*spans[at])], word) for at, word in new.items())


def levenshtein(left: str, right: str) -> int:
    if not left or not right:
        return len(left) + len(right)
    if left[-1] == right[-1]:
        return levenshtein(left[:-1], right[:-1])
    return 1 + min(levenshtein(left[:-1], right), levenshtein(left, right[:-1]), levenshtein(left[:-1], right[:-1]))


def misspelt(name: str, seed: int) -> Callable[[str, dict[int, str], int], list[str]]:
    """A swap, a substitution, a deletion and an insertion, drawn as the package draws them."""

    def proposals(text: str, new: dict[int, str], place: int) -> list[str]:
        start, end = tokens(text)[place]
        word = text[start:end]
        if len(word) < 2:
            return []
        draws = Draws(seed, "DeepWordBug", name, start)
        first = 1 if len(word) > 2 else 0
        alphabet = "abcdefghijklmnopqrstuvwxyz"

        def somewhere() -> int:
            return first + draws.below(len(word) - first)

        def other(letter: str) -> str:
            drawn = draws.choice([one for one in alphabet if one != letter.lower()])
            return drawn.upper() if letter.isupper() else drawn

        at = somewhere()
        replaced = word[:at] + other(word[at]) + word[at + 1 :]
        at = somewhere()
        shorter = word[:at] + word[at + 1 :]
        at = somewhere()
        longer = word[:at] + other(word[at]) + word[at:]
        swaps = [i for i in range(first, len(word) - 1) if word[i] != word[i + 1]]
        if not swaps:
            return [replaced, shorter, longer]
        at = draws.choice(swaps)
        return [word[:at] + word[at + 1] + word[at] + word[at + 2 :], replaced, shorter, longer]

    return proposals


def filled_by(folder: Path, most: int) -> Callable[[str, dict[int, str], int], list[str]]:
    """What a masked language model says in a word's place, asked for one text alone."""
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForMaskedLM.from_pretrained(folder).eval()

    def proposals(text: str, new: dict[int, str], place: int) -> list[str]:
        masked = with_words(text, {**new, place: "[MASK]"})
        inputs = tokenizer(masked, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**inputs).logits[0]
        at = inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id)
        chances = logits[at].double().softmax(-1).tolist()
        words = []
        for number, chance in enumerate(chances):
            word = tokenizer.convert_ids_to_tokens(number)
            if len(word) > 1 and word.isalpha() and may_change(word):
                words.append((-round(chance, 6), word))
        old = text[slice(*tokens(text)[place])]
        kept = [word for _, word in sorted(words)[:most] if word != old.lower()]
        return [word.capitalize() if old[0].isupper() else word for word in kept]

    return proposals
