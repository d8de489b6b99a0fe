"""English words for the keys of `concepts`: synonyms, irregular forms, and which role each verb puts where."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from harness.data.synthetic.concepts import ALL_ACTIONS

SYNONYMS: dict[str, tuple[str, ...]] = {
    "child": ("child", "kid"),
    "doctor": ("doctor", "physician"),
    "garment": ("piece of clothing", "garment"),
    "food": ("piece of food",),
    "artwork": ("artwork", "work of art"),
    "furniture": ("piece of furniture",),
    "car": ("car", "automobile"),
    "bicycle": ("bicycle", "bike"),
    "coat": ("coat", "jacket"),
    "sofa": ("sofa", "couch"),
    "gift": ("gift", "present"),
    "instrument": ("musical instrument", "instrument"),
    "farmer": ("farmer", "grower"),
    "pupil": ("pupil", "schoolchild"),
}
"""Kinds said otherwise than by their key; the first is the plain word."""

PLURALS = {
    "man": "men",
    "woman": "women",
    "person": "people",
    "child": "children",
    "schoolchild": "schoolchildren",
    "sheep": "sheep",
    "fish": "fish",
    "salmon": "salmon",
    "trout": "trout",
    "carp": "carp",
    "goose": "geese",
    "piece of clothing": "pieces of clothing",
    "piece of food": "pieces of food",
    "piece of furniture": "pieces of furniture",
    "work of art": "works of art",
    "scarf": "scarves",
}

QUALITY_WORDS: dict[str, tuple[str, ...]] = {
    "big": ("big", "large"),
    "small": ("small", "little"),
    "rich": ("rich", "wealthy"),
    "happy": ("happy", "cheerful"),
    "sad": ("sad", "unhappy"),
    "brave": ("brave", "courageous"),
    "clever": ("clever", "smart"),
    "foolish": ("foolish", "silly"),
    "diligent": ("diligent", "hard-working"),
    "cheap": ("cheap", "inexpensive"),
    "expensive": ("expensive", "costly"),
    "famous": ("famous", "well-known"),
    "worn": ("worn", "shabby"),
    "beautiful": ("beautiful", "lovely"),
}

PLACE_WORDS: dict[str, tuple[str, ...]] = {
    "outdoors": ("outdoors", "outside"),
    "indoors": ("indoors", "inside"),
    "river": ("at the river",),
    "hill": ("on the hill",),
    "square": ("on the square",),
    "shop": ("in the shop", "in the store"),
    "harbour": ("at the harbour", "in the port"),
    "island": ("on the island",),
    "beach": ("on the beach",),
    "airport": ("at the airport",),
    "theatre": ("at the theatre",),
}
"""Places said otherwise than `in the KEY`."""

MANNER_WORDS: dict[str, tuple[str, ...]] = {
    "quickly": ("quickly", "rapidly"),
    "gladly": ("gladly", "happily"),
    "noisily": ("noisily", "loudly"),
    "reluctantly": ("reluctantly", "unwillingly"),
    "anxiously": ("anxiously", "nervously"),
}

NUMBER_WORDS: dict[str, tuple[str, ...]] = {
    "some": ("some", "several"),
    "exactly_two": ("exactly two",),
    "exactly_three": ("exactly three",),
    "exactly_four": ("exactly four",),
    "exactly_five": ("exactly five",),
    "exactly_six": ("exactly six",),
    "at_least_three": ("at least three",),
    "more_than_four": ("more than four",),
    "at_most_three": ("at most three",),
    "fewer_than_five": ("fewer than five",),
}

VERBS: dict[str, tuple[str, ...]] = {
    "sell": (
        "sell/sold agent patient to:partner",
        "buy/bought partner patient from:agent",
        "purchase partner patient from:agent",
    ),
    "give": (
        "give/gave/given agent patient to:partner",
        "hand agent patient to:partner",
        "receive partner patient from:agent",
    ),
    "lend": ("lend/lent agent patient to:partner", "borrow partner patient from:agent"),
    "show": ("show/showed/shown agent patient to:partner", "present agent patient to:partner"),
    "send": ("send/sent agent patient to:partner", "mail agent patient to:partner"),
    "throw": ("throw/threw/thrown agent patient to:partner", "toss agent patient to:partner"),
    "teach": ("teach/taught agent patient", "instruct agent patient", "learn patient from:agent"),
    "lead": ("lead/led agent patient", "guide agent patient", "follow patient agent"),
    "beat": ("defeat agent patient", "beat/beat/beaten agent patient", "lose/lost patient to:agent"),
    "employ": ("employ agent patient", "work patient for:agent"),
    "meet": ("meet/met agent patient", "meet/met patient agent", "encounter agent patient"),
    "marry": ("marry agent patient", "marry patient agent", "wed/wed agent patient"),
    "hug": ("hug agent patient", "embrace agent patient"),
    "chase": ("chase agent patient", "pursue agent patient", "flee/fled patient from:agent"),
    "help": ("help agent patient", "assist agent patient"),
    "thank": ("thank agent patient",),
    "greet": ("greet agent patient", "welcome agent patient"),
    "invite": ("invite agent patient",),
    "call": ("call agent patient", "phone agent patient"),
    "visit": ("visit agent patient",),
    "praise": ("praise agent patient", "compliment agent patient"),
    "criticize": ("criticize agent patient", "scold agent patient"),
    "love": ("love agent patient", "adore agent patient"),
    "hate": ("hate agent patient", "detest agent patient"),
    "trust": ("trust agent patient",),
    "distrust": ("distrust agent patient", "mistrust agent patient"),
    "open": ("open agent patient",),
    "close": ("close agent patient", "shut/shut agent patient"),
    "find": ("find/found agent patient", "discover agent patient"),
    "lose": ("lose/lost agent patient", "misplace agent patient"),
    "repair": ("repair agent patient", "fix agent patient", "mend agent patient"),
    "damage": ("damage agent patient", "break/broke/broken agent patient"),
    "build": ("build/built agent patient", "construct agent patient"),
    "destroy": ("destroy agent patient", "wreck agent patient"),
    "push": ("push agent patient", "shove agent patient"),
    "pull": ("pull agent patient",),
    "drag": ("drag agent patient",),
    "hide": ("hide/hid/hidden agent patient", "conceal agent patient"),
    "display": ("display agent patient", "exhibit agent patient"),
    "accept": ("accept agent patient",),
    "refuse": ("refuse agent patient", "reject agent patient"),
    "catch": ("catch/caught agent patient", "capture agent patient"),
    "release": ("release agent patient", "free/freed agent patient"),
    "eat": ("eat/ate/eaten agent patient", "consume agent patient"),
    "devour": ("devour agent patient",),
    "cook": ("cook agent patient", "prepare agent patient"),
    "wash": ("wash agent patient", "clean agent patient"),
    "paint": ("paint agent patient",),
    "write": ("write/wrote/written agent patient", "compose agent patient"),
    "read": ("read/read agent patient", "study agent patient"),
    "carry": ("carry agent patient", "transport agent patient"),
    "watch": ("watch agent patient", "observe agent patient"),
    "steal": ("steal/stole/stolen agent patient",),
    "feed": ("feed/fed agent patient",),
    "train": ("train agent patient",),
    "cut": ("cut/cut agent patient",),
    "sleep": ("sleep/slept agent",),
    "doze": ("doze agent",),
    "move": ("move agent",),
    "run": ("run/ran/run agent",),
    "sprint": ("sprint agent",),
    "walk": ("walk agent",),
    "stroll": ("stroll agent",),
    "swim": ("swim/swam/swum agent",),
    "laugh": ("laugh agent",),
    "giggle": ("giggle agent",),
    "cry": ("cry agent", "weep/wept agent"),
    "sob": ("sob agent",),
    "work": ("work agent", "labour agent"),
    "rest": ("rest agent", "relax agent"),
    "arrive": ("arrive agent",),
    "leave": ("leave/left agent", "depart agent"),
    "shout": ("shout agent", "yell agent"),
    "whisper": ("whisper agent",),
    "sing": ("sing/sang/sung agent",),
    "dance": ("dance agent",),
    "apologize": ("apologize agent to:partner",),
    "boast": ("boast agent to:partner", "brag agent to:partner"),
    "wait": ("wait agent",),
    "examine": ("examine agent patient", "inspect agent patient"),
    "rescue": ("rescue agent patient", "save agent patient"),
    "interview": ("interview agent patient",),
    "escort": ("escort agent patient", "accompany agent patient"),
    "load": ("load agent patient",),
    "unload": ("unload agent patient",),
    "steer": ("steer agent patient",),
    "photograph": ("photograph agent patient",),
    "ship": ("ship agent patient to:partner",),
    "perform": ("perform agent",),
    "board": ("board agent patient",),
}
"""Per action its ways of saying: base/past/participle, the role that is subject, that is object, preposition:role."""


class Verb(NamedTuple):
    base: str
    third: str
    past: str
    participle: str
    subject: str
    object: str
    preposition: str
    oblique: str


def _third(base: str) -> str:
    if base.endswith(("s", "sh", "ch", "x", "z", "o")):
        return base + "es"
    return base[:-1] + "ies" if base[-1] == "y" and base[-2] not in "aeiou" else base + "s"


_DOUBLED = frozenset(("hug", "sob", "drag", "ship", "brag"))


def _past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    if base[-1] == "y" and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    return base + base[-1] + "ed" if base in _DOUBLED else base + "ed"


def _verb(entry: str) -> Verb:
    forms, *roles = entry.split()
    base, *irregular = forms.split("/")
    past = irregular[0] if irregular else _past(base)
    slots = [role for role in roles if ":" not in role]
    preposition, _, oblique = next((role for role in roles if ":" in role), ":").partition(":")
    direct = slots[1] if len(slots) > 1 else ""
    return Verb(base, _third(base), past, irregular[-1] if irregular else past, slots[0], direct, preposition, oblique)


VERBS_OF: dict[str, tuple[Verb, ...]] = {action: tuple(map(_verb, VERBS[action])) for action in ALL_ACTIONS}


@cache
def noun_words(kind: str) -> tuple[str, ...]:
    return SYNONYMS.get(kind, (kind,))


@cache
def plural(noun: str) -> str:
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith(("s", "sh", "ch", "x")):
        return noun + "es"
    return noun[:-1] + "ies" if noun[-1] == "y" and noun[-2] not in "aeiou" else noun + "s"


@cache
def place_words(place: str) -> tuple[str, ...]:
    return PLACE_WORDS.get(place, (f"in the {place}",))


@cache
def time_words(time: str) -> tuple[str, ...]:
    return (f"on {time.capitalize()}",) if time.endswith("day") else (f"in {_month_or_season(time)}",)


_SEASONS = ("spring", "summer", "autumn", "winter")


def _month_or_season(time: str) -> str:
    return time if time in _SEASONS else time.capitalize()


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" and not word.startswith(("ewe", "unicorn")) else "a"
