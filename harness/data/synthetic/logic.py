"""Quantifiers and connectives, decided by going through all small models."""

from __future__ import annotations

from functools import cache
from itertools import product

from harness.data.synthetic.meaning import (
    CONTRADICTION,
    ENTAILMENT,
    EQUAL,
    NARROWER,
    NEUTRAL,
    OPPOSED,
    WIDER,
)

QUANTIFIERS = ("every", "some", "no", "not_every")
CONNECTIVES = ("first", "second", "and", "or", "nor")

_MEMBERSHIPS: dict[int, tuple[tuple[bool, bool], ...]] = {
    EQUAL: ((True, True), (False, False)),
    WIDER: ((True, True), (False, True), (False, False)),
    NARROWER: ((True, True), (True, False), (False, False)),
    OPPOSED: ((True, False), (False, True), (False, False)),
}
"""In which of two sets an individual can be, by how the second set stands to the first; else in any."""
_ANY = ((True, True), (True, False), (False, True), (False, False))

Individual = tuple[tuple[bool, bool], tuple[bool, bool]]


def _holds(quantifier: str, model: list[Individual], position: int) -> bool:
    """Whether the statement is true; `position` picks its kind and its predicate, 0 for the premise's."""
    of_the_kind = [individual[1][position] for individual in model if individual[0][position]]
    if quantifier == "every":
        return all(of_the_kind)
    if quantifier == "some":
        return any(of_the_kind)
    return not any(of_the_kind) if quantifier == "no" else not all(of_the_kind)


@cache
def quantified_verdict(premise: str, hypothesis: str, kinds: int, predicates: int) -> str:
    """Two statements `QUANTIFIER KIND PREDICATE`, given how the hypothesis's kind and predicate stand to the premise's.

    There is taken to be something of both kinds.
    """
    individuals = list(product(_MEMBERSHIPS.get(kinds, _ANY), _MEMBERSHIPS.get(predicates, _ANY)))
    outcomes = set()
    for chosen in range(1, 2 ** len(individuals)):
        model = [individual for bit, individual in enumerate(individuals) if chosen >> bit & 1]
        if any(all(not individual[0][position] for individual in model) for position in (0, 1)):
            continue
        if _holds(premise, model, 0):
            outcomes.add(_holds(hypothesis, model, 1))
    return _from_outcomes(outcomes)


def _from_outcomes(outcomes: set[bool]) -> str:
    return ENTAILMENT if outcomes == {True} else CONTRADICTION if outcomes == {False} else NEUTRAL


_CONNECTED = {
    "first": lambda first, second: first,
    "second": lambda first, second: second,
    "and": lambda first, second: first and second,
    "or": lambda first, second: first or second,
    "nor": lambda first, second: not first and not second,
}


@cache
def connected_verdict(premise: str, hypothesis: str) -> str:
    """Two statements about the same two propositions."""
    worlds = product((True, False), repeat=2)
    return _from_outcomes({_CONNECTED[hypothesis](*world) for world in worlds if _CONNECTED[premise](*world)})
