"""Premise and hypothesis. The hypothesis is drawn before the label is looked at, so alone it tells nothing of it;
then a premise is sought by changes that ought to give the label, and kept when the semantics agrees."""

from __future__ import annotations

from harness.data.synthetic import phenomena
from harness.data.synthetic.changes import add, drop, generalize, oppose, specify, swap
from harness.data.synthetic.concepts import ALL_ACTIONS, OPPOSITE_QUALITY, is_a, qualities_of
from harness.data.synthetic.english import clause, plan, pronoun, say, text
from harness.data.synthetic.invent import CIRCUMSTANCES_OF, Scope, actions, combination, event
from harness.data.synthetic.meaning import (
    CONTRADICTION,
    ENTAILMENT,
    NEUTRAL,
    Event,
    Meaning,
    State,
    Thing,
    verdict,
)
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row

TRIES = 12
_MORE = (add, add, add, specify)
"""Changes to a hypothesis that give a premise that says more."""
_LESS = (drop, drop, generalize)


def _hypothesis(rng: Rng, scope: Scope) -> Meaning:
    happened = event(rng, scope, circumstances=0.35, quality=0.3)
    if rng.chance(0.3):
        happened = generalize(rng, happened, scope) or happened
    thing = happened.agent if rng.chance(0.5) or happened.patient is None else happened.patient
    if rng.chance(0.15) and thing is not None and not thing.name and not is_a(thing.kind, "proposal"):
        quality = rng.choice([quality for quality in qualities_of(thing.kind) if quality in OPPOSITE_QUALITY])
        return State(thing._replace(quality="", definite=True), quality, rng.chance(0.3))
    if happened.patient is not None and rng.chance(0.12) and happened.partner is None:
        happened = happened._replace(agent=None) if ALL_ACTIONS[happened.action].patient else happened
    return _denied(happened) if rng.chance(0.3) else happened


def _denied(happened: Event) -> Event:
    """Denied, and what it is about made definite: with an indefinite the scope of the denial would be open."""
    patient = happened.patient._replace(definite=True) if happened.patient is not None else None
    return happened._replace(negated=True, patient=patient)


def _enriched(rng: Rng, happened: Event, scope: Scope) -> Event:
    for _ in range(rng.choice((1, 1, 2))):
        happened = rng.choice(_MORE)(rng, happened, scope) or happened
    return happened


def _elsewhere(rng: Rng, happened: Event, scope: Scope) -> Event | None:
    """Another thing that the same agent did."""
    agent = happened.agent
    if agent is None:
        return None
    key = rng.choice(actions(scope, happened.patient is not None))
    frame = ALL_ACTIONS[key]
    patient = happened.patient
    if not _may_be(agent, frame.agent) or frame.partner:
        return None
    if patient is not None and not _may_be(patient, frame.patient):
        return None
    kept = {role: getattr(happened, role) for role in CIRCUMSTANCES_OF[key]}
    return Event(key, agent, patient, **kept)


def _premise_against(rng: Rng, goal: Event, scope: Scope) -> Event | None:
    """A premise from which the denial of the goal follows: the goal or something wider denied, or the opposite done.

    Another agent, place or time would do by the convention of one situation, but readers would not agree.
    """
    opposite = ALL_ACTIONS[goal.action].opposite
    if opposite and rng.chance(0.6):
        opposed = goal._replace(action=opposite)
        return _enriched(rng, opposed, scope)
    denied = goal if rng.chance(0.3) else rng.choice((drop, generalize))(rng, goal, scope)
    return _denied(denied) if denied is not None else None


def _premise_of_event(rng: Rng, goal: Event, scope: Scope, label: str) -> Event | None:
    """A premise for a goal that is not denied."""
    if label == ENTAILMENT:
        return _enriched(rng, goal, scope)
    if label == CONTRADICTION:
        if rng.chance(0.3):
            denied = goal if rng.chance(0.5) else rng.choice(_LESS)(rng, goal, scope)
            return _denied(denied) if denied is not None else None
        opposed = rng.choice((oppose, oppose, oppose, swap))(rng, goal, scope)
        return _enriched(rng, opposed, scope) if opposed is not None else None
    form = rng.index(10)
    if form < 3:
        return _denied(_enriched(rng, goal, scope))
    less = _elsewhere(rng, goal, scope) if form < 6 else rng.choice(_LESS)(rng, goal, scope)
    return _enriched(rng, less, scope) if less is not None else None


def _premise_of_state(rng: Rng, goal: State, scope: Scope, label: str) -> Meaning | None:
    """An event with the thing in it: with the quality, with the opposite one, or with none or one of another sort."""
    opposite = OPPOSITE_QUALITY.get(goal.quality, "")
    rest = [quality for quality in qualities_of(goal.thing.kind) if quality not in (goal.quality, opposite)]
    quality = goal.quality if label == ENTAILMENT else opposite if label == CONTRADICTION else rng.choice(rest)
    thing = goal.thing._replace(quality=quality)
    if rng.chance(0.5):
        doers = [key for key in actions(scope) if _may_be(thing, ALL_ACTIONS[key].agent)]
        if doers:
            return event(rng, scope, rng.choice(doers), agent=thing, circumstances=0.3)
    fitting = [key for key in actions(scope, True) if _may_be(thing, ALL_ACTIONS[key].patient)]
    return event(rng, scope, rng.choice(fitting), circumstances=0.3)._replace(patient=thing) if fitting else None


def _may_be(thing: Thing, kinds: tuple[str, ...]) -> bool:
    return any(is_a(thing.kind, kind) for kind in kinds)


def _done_by_someone(rng: Rng, hypothesis: Event, scope: Scope) -> Event:
    """What the hypothesis affirms or denies, with an agent where it names none."""
    agent = hypothesis.agent or event(rng, scope, hypothesis.action).agent
    return hypothesis._replace(negated=False, agent=agent)


_FLIPPED = {ENTAILMENT: CONTRADICTION, CONTRADICTION: ENTAILMENT, NEUTRAL: NEUTRAL}


def premise_for(rng: Rng, hypothesis: Meaning, scope: Scope, label: str) -> Meaning | None:
    """A premise under which the hypothesis has the label, or None if none was found soon."""
    wanted = _FLIPPED[label] if hypothesis.negated else label
    for _ in range(TRIES):
        premise: Meaning | None
        if isinstance(hypothesis, State):
            premise = _premise_of_state(rng, hypothesis, scope, wanted)
        elif label == ENTAILMENT and hypothesis.negated:
            premise = _premise_against(rng, _done_by_someone(rng, hypothesis, scope), scope)
        else:
            premise = _premise_of_event(rng, _done_by_someone(rng, hypothesis, scope), scope, wanted)
        if (
            premise is not None
            and premise != hypothesis
            and _plausible(premise)
            and verdict(premise, hypothesis) == label
        ):
            return premise
    return None


def _plausible(meaning: Meaning) -> bool:
    if isinstance(meaning, State):
        return True
    keys = [thing.key for thing in (meaning.agent, meaning.patient, meaning.partner) if thing is not None]
    return len(set(keys)) == len(keys)


def _combinations(*meanings: Meaning) -> tuple[tuple[str, str], ...]:
    return tuple(
        combination(meaning) for meaning in meanings if isinstance(meaning, Event) and meaning.agent is not None
    )


def make(rng: Rng, scope: Scope, label: str) -> Row | None:
    if rng.chance(0.2):
        return phenomena.any_of_them(rng, scope, label)
    hypothesis = _hypothesis(rng, scope)
    premise = premise_for(rng, hypothesis, scope, label)
    if premise is None:
        return None
    texts = (say(rng, premise, 0.4), say(rng, hypothesis, 0.6))
    return Row(texts, verdict(premise, hypothesis), _combinations(premise, hypothesis))


def make_in_genre(rng: Rng, scope: Scope, label: str) -> Row | None:
    """In the mismatched genre, which has other people, places and doings, half the premises are reported speech."""
    row = make(rng, scope, label)
    if row is None or not scope.away or rng.chance(0.5):
        return row
    premise = row.texts[0]
    speaker = rng.choice([name for name in scope.names if name not in premise])
    spoken = f'"{premise[:-1]}," said {speaker}.' if rng.chance(0.5) else f'{speaker} said, "{premise}"'
    return row._replace(texts=(spoken, row.texts[1]))


def two_events(rng: Rng, scope: Scope, label: str) -> Row | None:
    """Two sentences about the same person, and a hypothesis that follows from one of them or from neither."""
    hypothesis = _hypothesis(rng, scope)
    wanted = ENTAILMENT if label == "entailment" else rng.choice((NEUTRAL, CONTRADICTION))
    premise = premise_for(rng, hypothesis, scope, wanted)
    if not isinstance(premise, Event) or premise.agent is None:
        return None
    other = event(rng, scope, agent=premise.agent._replace(quality=""), circumstances=0.3)
    if not _plausible(other) or not _may_be(premise.agent, ALL_ACTIONS[other.action].agent):
        return None
    truth = (
        "entailment" if ENTAILMENT in (verdict(premise, hypothesis), verdict(other, hypothesis)) else "not_entailment"
    )
    if truth != label:
        return None
    pronouns = ("agent",) if pronoun(premise.agent, subject=True) else ()
    first, second = (premise, other) if rng.chance(0.5) else (other, premise)
    second_words = clause(rng, second, plan(rng, second, 1.0 if pronouns else 0.5, pronouns))
    texts = (f"{say(rng, first, 0.5)} {text(second_words)}", say(rng, hypothesis, 0.6))
    return Row(texts, truth, _combinations(premise, other, hypothesis))
