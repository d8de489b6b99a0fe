"""Pairs that turn on one phenomenon each: quantifiers, coordination, numbers, negation, voice, word meaning."""

from __future__ import annotations

from harness.data.synthetic.changes import add, generalize, oppose, specify, swap
from harness.data.synthetic.concepts import (
    ALL_ACTIONS,
    KIND_ABOVE,
    KINDS_BELOW,
    OPPOSITE_QUALITY,
    is_a,
    listed,
    qualities_of,
)
from harness.data.synthetic.english import Plan, Word, clause, quality_word, say, text
from harness.data.synthetic.english_words import VERBS_OF, noun_words, plural
from harness.data.synthetic.invent import Scope, actions, agents, combination, event
from harness.data.synthetic.logic import CONNECTIVES, QUANTIFIERS, connected_verdict, quantified_verdict
from harness.data.synthetic.meaning import (
    COUNTS,
    Event,
    Thing,
    actions_above,
    relate_actions,
    relate_kinds,
    verdict,
)
from harness.data.synthetic.meaning import relate_qualities as compare_qualities
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row

TRIES = 20

_KINDS = (
    "dog",
    "horse",
    "bird",
    "cat",
    "sheep",
    "animal",
    "spaniel",
    "mare",
    "foal",
    "owl",
    "kitten",
    "lamb",
    "poodle",
)
_PEOPLE = (
    "worker",
    "artist",
    "medic",
    "official",
    "scholar",
    "child",
    "farmer",
    "painter",
    "singer",
    "judge",
    "teacher",
    "pupil",
    "boy",
)
_DOINGS = listed(
    "sleep doze run sprint move walk swim laugh giggle cry sob sing dance wait arrive leave shout whisper work rest"
)


def _near_kinds(kind: str) -> list[str]:
    """The kind, some above it, and some below it."""
    above = [up for up in KIND_ABOVE[kind] if up not in ("thing", "person")]
    return [kind, kind, *above, *KINDS_BELOW.get(kind, "").split()]


def _near_actions(action: str) -> list[str]:
    below = [key for key in _DOINGS if action in actions_above(key)]
    opposite = ALL_ACTIONS[action].opposite
    return [action, action, *actions_above(action), *below, *([opposite] if opposite else [])]


def _quantified(rng: Rng, quantifier: str, kind: str, predicate: str) -> str:
    noun = rng.choice(noun_words(kind))
    many = quantifier == "some" or (quantifier == "every" and rng.chance(0.4))
    if quantifier == "every":
        subject = f"all {plural(noun)}" if many else f"every {noun}"
    else:
        subject = {"some": f"some {plural(noun)}", "no": f"no {noun}", "not_every": f"not every {noun}"}[quantifier]
    if predicate in ALL_ACTIONS:
        verb_phrase = rng.choice(VERBS_OF[predicate]).past
    else:
        verb_phrase = f"{'were' if many else 'was'} {quality_word(rng, predicate)}"
    return text([Word(f"{subject} {verb_phrase}", "")])


def quantifiers(rng: Rng, scope: Scope, label: str) -> Row | None:
    kind = rng.choice(_KINDS + _PEOPLE)
    if rng.chance(0.35):
        predicate = rng.choice([quality for quality in qualities_of(kind) if quality in OPPOSITE_QUALITY])
        near = [predicate, predicate, predicate, OPPOSITE_QUALITY[predicate]]
    else:
        able = [key for key in _DOINGS if any(is_a(kind, agent_kind) for agent_kind in ALL_ACTIONS[key].agent)]
        predicate = rng.choice(able or ["sleep", "move"])
        near = [key for key in _near_actions(predicate) if key in able] or [predicate]
    quantifier = rng.choice(QUANTIFIERS)
    for _ in range(TRIES):
        other, kind_of_other, other_predicate = rng.choice(QUANTIFIERS), rng.choice(_near_kinds(kind)), rng.choice(near)
        kinds = relate_kinds(Thing(kind_of_other), Thing(kind))
        predicates = (
            relate_actions(other_predicate, predicate)
            if other_predicate in ALL_ACTIONS
            else compare_qualities(other_predicate, predicate)
        )
        if (other, kind_of_other, other_predicate) == (quantifier, kind, predicate):
            continue
        if quantified_verdict(other, quantifier, kinds, predicates) == label:
            texts = (
                _quantified(rng, other, kind_of_other, other_predicate),
                _quantified(rng, quantifier, kind, predicate),
            )
            pairs = ((kind, predicate), (kind_of_other, other_predicate))
            return Row(texts, label, tuple(pair for pair in pairs if pair[1] in ALL_ACTIONS), "quantifiers")
    return None


def _coordinated(rng: Rng, connective: str, first: Event, second: Event) -> str:
    if connective in ("first", "second"):
        return say(rng, first if connective == "first" else second, 1.0)
    assert first.agent is not None
    assert second.agent is not None
    names = (first.agent.name, second.agent.name) if rng.chance(0.5) else (second.agent.name, first.agent.name)
    pattern = {
        "and": rng.choice(("{} and {}", "both {} and {}")),
        "or": rng.choice(("{} or {}", "either {} or {}")),
    }
    subject = pattern.get(connective, "neither {} nor {}").format(*names)
    marked = first._replace(agent=Thing("man", subject))
    return text(clause(rng, marked, Plan(VERBS_OF[first.action][0], plain_words=True)))


_SINGLE = ("first", "second")
"""Never against one another: one person instead of another is what the convention of one situation excludes."""


def conjunction(rng: Rng, scope: Scope, label: str) -> Row | None:
    """Of two people both, either, or neither did it."""
    key = rng.choice([key for key in actions(scope) if key != "marry"])
    people = [thing for thing in agents(key, scope) if thing.name]
    if len(people) < 2:
        return None
    first, second = rng.sample(people, 2)
    original = event(rng, scope, key, first, circumstances=0.25)
    if any(thing is not None and thing.key == second.key for thing in (original.patient, original.partner)):
        return None
    other = original._replace(agent=second)
    hypothesis = rng.choice(("first", "first", "second", "and", "or", "nor"))
    premises = [known for known in CONNECTIVES if known != hypothesis and connected_verdict(known, hypothesis) == label]
    if hypothesis in _SINGLE:
        premises = [known for known in premises if known not in _SINGLE]
    if not premises:
        return None
    texts = (_coordinated(rng, rng.choice(premises), original, other), _coordinated(rng, hypothesis, original, other))
    return Row(texts, label, (combination(original), combination(other)), "conjunction")


_EXPLICIT_COUNTS = [count for count in COUNTS if "_" in count]


def numbers(rng: Rng, scope: Scope, label: str) -> Row | None:
    """Only counts that say themselves whether more are excluded."""
    happened = event(rng, scope, circumstances=0.3)
    role = "agent" if happened.agent is not None and not happened.agent.name else "patient"
    thing: Thing | None = getattr(happened, role)
    if thing is None or thing.name or happened.action == "marry":
        return None
    hypothesis = happened.having(role, thing._replace(number=rng.choice(_EXPLICIT_COUNTS), quality="", definite=False))
    for _ in range(TRIES):
        premise = happened.having(role, thing._replace(number=rng.choice(_EXPLICIT_COUNTS), quality="", definite=False))
        if premise != hypothesis and verdict(premise, hypothesis) == label:
            texts = (say(rng, premise, 0.5), say(rng, hypothesis, 0.5))
            return Row(texts, label, (combination(happened),), "numbers")
    return None


def _pair(rng: Rng, premise: Event | None, hypothesis: Event, label: str, note: str, plain: float = 0.7) -> Row | None:
    if premise is None or verdict(premise, hypothesis) != label:
        return None
    texts = (say(rng, premise, plain), say(rng, hypothesis, plain))
    return Row(texts, label, (combination(premise), combination(hypothesis)), note) if texts[0] != texts[1] else None


def negation(rng: Rng, scope: Scope, label: str) -> Row | None:
    original = event(rng, scope, indefinite=0.0)
    other = rng.choice((add, specify, generalize))(rng, original, scope) if rng.chance(0.8) else original
    if other is None:
        return None
    denied, open_ = original._replace(negated=rng.chance(0.7)), other._replace(negated=rng.chance(0.6))
    premise, hypothesis = (denied, open_) if rng.chance(0.5) else (open_, denied)
    return _pair(rng, premise, hypothesis, label, "negation") if premise.negated or hypothesis.negated else None


def voice(rng: Rng, scope: Scope, label: str) -> Row | None:
    """Active and passive, and verbs that turn the roles round."""
    hypothesis = event(rng, scope, transitive=True, indefinite=0.0)
    if len(VERBS_OF[hypothesis.action]) == 1 or hypothesis.patient is None:
        return None
    change = rng.choice((add, add, swap, swap, oppose, generalize))
    return _pair(rng, change(rng, hypothesis, scope), hypothesis, label, "voice", plain=0.0)


def lexical(rng: Rng, scope: Scope, label: str) -> Row | None:
    """Wider and narrower words, and opposites."""
    premise = event(rng, scope, circumstances=0.25)
    hypothesis = rng.choice((generalize, generalize, specify, oppose))(rng, premise, scope)
    if hypothesis is None:
        return None
    if rng.chance(0.5):
        premise, hypothesis = hypothesis, premise
    return _pair(rng, premise, hypothesis, label, "lexical")


def any_of_them(rng: Rng, scope: Scope, label: str) -> Row | None:
    """For training: those that the general pairs do not hold anyway."""
    row = rng.choice((quantifiers, quantifiers, conjunction, numbers))(rng, scope, label)
    return row._replace(note="") if row else None


PHENOMENA = (negation, quantifiers, voice, lexical, conjunction, numbers)


def make(rng: Rng, scope: Scope, label: str) -> Row | None:
    phenomenon = rng.choice(PHENOMENA)
    return next((row for _ in range(TRIES) if (row := phenomenon(rng, scope, label))), None)
