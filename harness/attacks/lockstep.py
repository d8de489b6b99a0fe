"""Many searches at once: what they ask for is gathered, asked once, and given back, round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.attacks.base import Answer, Attack, Request, Search, Target

ORDER = ("proposals", "similarity", "model")
"""What is answered first: the model last, so that it is asked for all examples at once."""
Ask = Callable[[Sequence[tuple[int, str]]], Sequence[Answer]]
"""What the model says of texts, each put in the place of the attacked text of an example."""


@dataclass
class Running:
    """A search that waits for an answer.

    Attributes:
        known: What the model has said of texts, the original among them: the queries so far.
    """

    number: int
    target: Target
    search: Search
    known: dict[str, Answer]
    request: Request = field(init=False)

    @property
    def queries(self) -> int:
        """Texts that the model was asked about."""
        return len(self.known)

    def affordable(self, budget: int) -> tuple[str, ...]:
        """Of the texts that are asked for the first ones that the budget allows; those asked before cost nothing."""
        new = 0
        for place, text in enumerate(dict.fromkeys(self.request.items)):
            new += text not in self.known
            if self.queries + new > budget:
                return tuple(list(dict.fromkeys(self.request.items))[:place])
        return self.request.items

    def is_spent(self, budget: int) -> bool:
        """Whether the budget allows nothing of what is asked for."""
        return self.request.of == "model" and not self.affordable(budget)


def attack_all(attack: Attack, targets: Sequence[Target], ask: Ask) -> list[int]:
    """Change all targets, until each fools the model, has spent its budget, or has nothing left to try.

    Args:
        attack: What is tried.
        targets: The examples, which the model answers rightly; they are changed.
        ask: The model. The number is that of the target.

    Returns:
        How many texts the model was asked about of each, the original among them; never more than the budget.
    """
    everyone = [
        Running(number, target, attack.search(target), {target.text.text: target.original})
        for number, target in enumerate(targets)
    ]
    waiting = [running for running in everyone if _advance(running, None)]
    while waiting := [running for running in waiting if not running.is_spent(attack.options.queries)]:
        kind = next(kind for kind in ORDER if any(running.request.of == kind for running in waiting))
        asking = [running for running in waiting if running.request.of == kind]
        answers = _of_model(attack, asking, ask) if kind == "model" else _of_attack(attack, asking, kind)
        waiting = [
            running
            for running in waiting
            if running.number not in answers or _advance(running, answers[running.number])
        ]
    return [running.queries for running in everyone]


def _advance(running: Running, answers: Sequence[Any] | None) -> bool:
    """Give a search its answers; whether it asks for more."""
    try:
        request = next(running.search) if answers is None else running.search.send(answers)
        while not request.items:
            request = running.search.send([])
    except StopIteration:
        return False
    running.request = request
    return True


def _of_model(attack: Attack, asking: Sequence[Running], ask: Ask) -> dict[int, Sequence[Answer]]:
    """What the model says, by the number of the target."""
    by_number = {running.number: running for running in asking}
    affordable = {running.number: running.affordable(attack.options.queries) for running in asking}
    new = [
        (number, text)
        for number, texts in affordable.items()
        for text in dict.fromkeys(texts)
        if text not in by_number[number].known
    ]
    for (number, text), answer in zip(new, ask(new) if new else (), strict=True):
        by_number[number].known[text] = answer
    return {number: [by_number[number].known[text] for text in texts] for number, texts in affordable.items()}


def _of_attack(attack: Attack, asking: Sequence[Running], kind: str) -> dict[int, Sequence[Any]]:
    """Similarities, or what the attack proposes, by the number of the target."""
    items = [(running.target.text.text, item) for running in asking for item in running.request.items]
    results: Sequence[Any] = (
        attack.measure.of(items) if kind == "similarity" else attack.propose([item for _, item in items])
    )
    given, place = {}, 0
    for running in asking:
        given[running.number] = results[place : place + len(running.request.items)]
        place += len(running.request.items)
    return given
