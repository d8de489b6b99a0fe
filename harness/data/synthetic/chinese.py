"""Chinese grammar (simplified characters): from a meaning to sentences, in the perspective of the English one.

Order: subject, time, negation or aspect, place, manner, companion, verb, 了 or 过, objects. A past event has 了 and is
denied by 没有, a past state of affairs has 过, a future has 会, a present that lasts and has no time has 正在.
"""

from __future__ import annotations

from harness.data.synthetic.chinese_verbs import VERBS_OF, Verb
from harness.data.synthetic.chinese_words import MANNERS, NAMES, NOUNS, NUMBERS, PLACES, TIMES, quality_of
from harness.data.synthetic.concepts import is_a
from harness.data.synthetic.meaning import Event, Meaning, State, Thing

_NO_TITLES = ("man", "woman", "boy", "girl", "child", "person")
"""Kinds of people that are no professions: one who is known has 那个 before it, as things have."""


def references(meaning: Meaning, subject: str = "agent") -> tuple[str, ...]:
    """The plain sentence and, where there is one, another that says the same.

    The other has another verb, else the time in front, else the short negation or 在 for 正在.
    """
    if isinstance(meaning, State):
        return (predication(meaning) + "。",)
    verbs = verbs_of(meaning, subject)
    plain = clause(meaning, verbs[0])
    if len(verbs) > 1:
        other = clause(meaning, verbs[1])
    elif meaning.time:
        other = f"{TIMES[meaning.time]}，{clause(meaning._replace(time=''), verbs[0], timed=True)}"
    else:
        other = plain.replace("没有", "没").replace("正在", "在")
    return tuple(f"{sentence}。" for sentence in dict.fromkeys((plain, other)))


def verbs_of(event: Event, subject: str) -> list[Verb]:
    kind = event.patient.kind if event.patient is not None else ""
    special = [key for key in VERBS_OF if key.startswith(event.action + " ") and is_a(kind, key.split()[1])]
    return [verb for verb in VERBS_OF[special[0] if special else event.action] if verb.subject == subject]


def noun_phrase(thing: Thing) -> str:
    if thing.name:
        return NAMES[thing.name]
    measure, noun = NOUNS[thing.kind].split()
    described = attribute(thing.quality, thing.kind, noun) + noun
    if thing.plural and thing.number == "some":
        return ("那些" if thing.definite else "一些") + described
    if thing.plural or not thing.definite:
        return ("那" if thing.definite else "") + NUMBERS[thing.number] + measure + described
    titled = is_a(thing.kind, "person") and thing.kind not in _NO_TITLES
    return described if titled else "那" + measure + described


def attribute(quality: str, kind: str, noun: str) -> str:
    """The quality before a noun, with 的 where it cannot stand alone or would repeat how the noun begins."""
    if not quality:
        return ""
    word = quality_of(quality, kind).partition("/")[0]
    bare = word.strip("+=")
    return bare if word.endswith("+") and not noun.startswith(bare) else bare + "的"


def clause(event: Event, verb: Verb, timed: bool = False) -> str:
    """Without the full stop; `timed` says that a time was told before it."""
    place = PLACES[event.place] if event.place else ""
    marker, aspect = _aspect(event, verb, timed or bool(event.time))
    oblique = verb.frame.replace("~", noun_phrase(getattr(event, verb.oblique))) if verb.oblique else ""
    return "".join(
        (
            noun_phrase(getattr(event, verb.subject)),
            TIMES[event.time] if event.time else "",
            marker,
            place if not place or marker == "正在" else "在" + place,
            MANNERS[event.manner] if event.manner else "",
            oblique,
            verb.head + aspect + verb.tail,
            *(noun_phrase(getattr(event, role)) for role in verb.objects),
        )
    )


def _aspect(event: Event, verb: Verb, timed: bool) -> tuple[str, str]:
    """What stands before the circumstances and what behind the verb."""
    if event.tense == "future":
        return ("不会" if event.negated else "会"), ""
    if event.tense == "present":
        return ("不" if event.negated else "正在" if verb.lasting and not timed else ""), ""
    experience = "过" if verb.stative else ""
    return ("没有", experience) if event.negated else ("", experience or "了")


def predication(state: State) -> str:
    """A degree with 很 or 不, or membership with 是 or 不是: `那匹马不是白色的`."""
    word = quality_of(state.quality, state.thing.kind).rpartition("/")[2]
    bare = word.strip("+=")
    if word.startswith("="):
        predicate = ("不是" if state.negated else "是") + bare + "的"
    else:
        predicate = ("不" if state.negated else "很") + bare
    return noun_phrase(state.thing) + predicate
