"""Pairs of sentences: paraphrases, questions that ask the same, degrees of likeness, and whether a sentence answers."""

from __future__ import annotations

from harness.data.synthetic.changes import add, drop, fill, generalize, oppose, specify, swap
from harness.data.synthetic.english import ask, say
from harness.data.synthetic.invent import CIRCUMSTANCES_OF, Scope, combination, event, held_out
from harness.data.synthetic.meaning import (
    CIRCUMSTANCES,
    LOOSE,
    NARROWER,
    OPPOSED,
    PARTICIPANTS,
    UNRELATED,
    Event,
    Thing,
    entails,
    equivalent,
    relate_actions,
    relate_events,
    relate_manners,
    relate_places,
    relate_things,
    relate_times,
)
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row

_UNLIKE = (oppose, oppose, oppose, oppose, swap, add, drop, specify, generalize)


def _unlike(rng: Rng, original: Event, scope: Scope) -> Event | None:
    """Nearly the same event, but not the same."""
    other = rng.choice(_UNLIKE)(rng, original, scope)
    return other if other is not None and not equivalent(original, other) else None


def paraphrase(rng: Rng, scope: Scope, label: str) -> Row | None:
    original = event(rng, scope, transitive=True, circumstances=0.45)
    other = original if label == "equivalent" else _unlike(rng, original, scope)
    if other is None:
        return None
    first, second = say(rng, original, 0.5), say(rng, other, 0.15)
    if first == second:
        return None
    texts = (first, second) if rng.chance(0.5) else (second, first)
    truth = "equivalent" if equivalent(original, other) else "not_equivalent"
    return Row(texts, truth, (combination(original), combination(other)))


def _roles(happening: Event) -> list[str]:
    return [role for role in (*PARTICIPANTS, *CIRCUMSTANCES) if getattr(happening, role)]


def _open(happening: Event, role: str) -> Event:
    """The event with the asked role left open."""
    if role == "polar":
        return happening
    return happening.having(role, None if role in PARTICIPANTS else "")


def same_question(happening: Event, asked: str, other: Event, asked_of_other: str) -> bool:
    return asked == asked_of_other and equivalent(_open(happening, asked), _open(other, asked))


def question_paraphrase(rng: Rng, scope: Scope, label: str) -> Row | None:
    original = event(rng, scope, transitive=True, circumstances=0.45)
    roles = _roles(original)
    asked = "polar" if rng.chance(0.2) else rng.choice(roles)
    other, asked_of_other = original, asked
    if label == "not_duplicate":
        if rng.chance(0.35):
            asked_of_other = rng.choice(roles)
        else:
            changed = _unlike(rng, original, scope)
            if changed is None or not getattr(changed, asked if asked != "polar" else "agent"):
                return None
            other = changed
    truth = "duplicate" if same_question(original, asked, other, asked_of_other) else "not_duplicate"
    first, second = ask(rng, original, asked, 0.5), ask(rng, other, asked_of_other, 0.15)
    if first == second or truth != label:
        return None
    texts = (first, second) if rng.chance(0.5) else (second, first)
    return Row(texts, truth, (combination(original), combination(other)))


def _agreement(relation: int) -> float:
    if relation & (OPPOSED | UNRELATED):
        return 0.0
    return 0.25 if relation == LOOSE else 0.6 if relation else 1.0


def _similarity_of_things(thing: Thing | None, other: Thing | None) -> float:
    if thing is None or other is None:
        return 1.0 if thing is other else 0.0
    return _agreement(relate_things(thing, other))


def graded_similarity(happening: Event, other: Event) -> float:
    """0 to 5: the share of what the two say that they agree on; the action weighs most, then who takes part."""
    parts: list[tuple[float, float]] = [(2.0, _agreement(relate_actions(happening.action, other.action)))]
    for role, weight in (("agent", 1.0), ("patient", 1.5), ("partner", 0.75)):
        if getattr(happening, role) is not None or getattr(other, role) is not None:
            parts.append((weight, _similarity_of_things(getattr(happening, role), getattr(other, role))))
    for role, relate in (("place", relate_places), ("time", relate_times), ("manner", relate_manners)):
        if getattr(happening, role) or getattr(other, role):
            relation = relate(getattr(happening, role), getattr(other, role))
            parts.append((0.5, 0.5 if relation in (1, NARROWER) else _agreement(relation)))
    score = 5 * sum(weight * agreed for weight, agreed in parts) / sum(weight for weight, _ in parts)
    return round(score, 1)


def similarity(rng: Rng, scope: Scope, label: str) -> Row | None:
    original = event(rng, scope, transitive=True, circumstances=0.35)
    other = original
    form = rng.index(6)
    if form == 0:
        other = event(rng, scope, transitive=True, circumstances=0.35)
    elif form == 1:
        fresh = event(rng, scope, action=original.action, circumstances=0.35)
        other = fresh if rng.chance(0.5) else fresh._replace(patient=original.patient)
    elif form == 2:
        fresh = event(rng, scope, transitive=True, agent=original.agent, circumstances=0.35)
        if not combination_allowed(fresh, scope):
            return None
        other = fresh
    else:
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3))):
            other = rng.choice((oppose, oppose, add, drop, specify, generalize, swap))(rng, other, scope) or other
    if other.patient is not None and other.agent is not None and other.patient.key == other.agent.key:
        return None
    first, second = say(rng, original, 0.5), say(rng, other, 0.3)
    return (
        None
        if first == second
        else Row((first, second), graded_similarity(original, other), (combination(original), combination(other)))
    )


def combination_allowed(happening: Event, scope: Scope) -> bool:
    return scope.held_out is not False or not held_out(*combination(happening))


def answers(sentence: Event, question: Event, asked: str) -> bool:
    """The sentence says what the question takes for granted, and fills the role that it asks for."""
    return bool(getattr(sentence, asked)) and entails(relate_events(sentence, _open(question, asked)))


TRIES = 12


def _no_answer(rng: Rng, full: Event, asked: str, scope: Scope) -> Event | None:
    """The event without what is asked, but with as much else; or one that differs from what the question says."""
    if asked in CIRCUMSTANCES and rng.chance(0.8):
        missing = [role for role in CIRCUMSTANCES_OF[full.action] if not getattr(full, role)]
        without = _open(full, asked)
        return fill(rng, without, rng.choice(missing), scope) if missing else without
    return rng.choice((oppose, oppose, oppose, swap))(rng, full, scope)


def question_entailment(rng: Rng, scope: Scope, label: str) -> Row | None:
    """The question comes first, the sentence second."""
    full = event(rng, scope, transitive=True, circumstances=0.6)
    mentioned = [role for role in CIRCUMSTANCES if getattr(full, role)]
    asked = rng.choice(mentioned) if mentioned and rng.chance(0.65) else rng.choice(_roles(full))
    question = full
    for role in CIRCUMSTANCES:
        if role != asked and rng.chance(0.6):
            question = question.having(role, "")
    sentence: Event | None = full
    if label == "not_entailment":
        sentence = next((candidate for _ in range(TRIES) if (candidate := _no_answer(rng, full, asked, scope))), None)
    if sentence is None:
        return None
    truth = "entailment" if answers(sentence, question, asked) else "not_entailment"
    if truth != label:
        return None
    texts = (ask(rng, question, asked, 0.4), say(rng, sentence, 0.3))
    return Row(texts, truth, (combination(full), combination(sentence)))
