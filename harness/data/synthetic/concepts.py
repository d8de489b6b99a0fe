"""What there is in the world, as keys without any language: kinds, qualities, places, times, manners, actions, people.

The words for the keys are in `english_words`; another language adds a table of its own for the same keys.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


def listed(words: str) -> tuple[str, ...]:
    """What is named in a text, between spaces."""
    return tuple(words.split())


KINDS_BELOW = {
    "thing": "person animal food plant vehicle tool instrument garment furniture document artwork structure opening "
    "proposal",
    "person": "man woman child worker artist scholar medic official traveller",
    "child": "boy girl pupil",
    "worker": "farmer baker gardener tailor builder miner butcher",
    "artist": "painter singer poet dancer actor",
    "scholar": "teacher student professor librarian",
    "medic": "doctor nurse vet paramedic",
    "official": "judge mayor inspector diplomat minister",
    "traveller": "sailor pilot driver tourist",
    "animal": "dog horse bird cat fish sheep",
    "dog": "spaniel poodle terrier",
    "horse": "mare foal stallion",
    "bird": "robin owl goose sparrow",
    "cat": "kitten tomcat",
    "fish": "salmon trout carp",
    "sheep": "lamb ewe",
    "food": "fruit vegetable dessert",
    "fruit": "apple pear plum cherry",
    "vegetable": "carrot onion cabbage",
    "dessert": "cake pie pudding",
    "plant": "tree flower",
    "tree": "oak pine birch",
    "flower": "rose tulip lily",
    "vehicle": "car boat bicycle truck",
    "boat": "ferry canoe yacht",
    "car": "taxi limousine",
    "tool": "hammer saw shovel axe",
    "instrument": "violin flute drum guitar",
    "garment": "coat hat shirt scarf",
    "furniture": "table chair bench sofa",
    "document": "letter diary report map contract",
    "artwork": "mosaic statue drawing",
    "structure": "wall fence shed bridge",
    "opening": "door gate window",
    "proposal": "offer invitation plan gift",
}

QUALITY_PAIRS = {
    "person": "tall/short old/young rich/poor happy/sad brave/timid strong/weak clever/foolish kind/cruel "
    "polite/rude calm/nervous famous/unknown lazy/diligent",
    "animal": "big/small old/young strong/weak tame/wild clean/dirty fat/thin",
    "fish": "big/small fat/thin",
    "food": "big/small fresh/rotten sweet/sour cheap/expensive",
    "plant": "big/small old/young beautiful/ugly",
    "object": "big/small new/worn heavy/light clean/dirty cheap/expensive beautiful/ugly",
}
COLOURS = ("red", "blue", "green", "white", "black", "brown")

PLACES_BELOW = {
    "outdoors": "garden field river hill park orchard meadow square",
    "indoors": "kitchen barn classroom library cellar hall bakery shop",
}
AWAY_PLACES_BELOW = {
    "outdoors": "harbour island beach airport",
    "indoors": "theatre hospital cabin studio museum",
}

TIMES_BELOW = {
    "spring": "march april may",
    "summer": "june july august",
    "autumn": "september october november",
    "winter": "december january february",
}
FREE_TIMES = ("monday", "tuesday", "thursday", "saturday", "sunday")

MANNER_PAIRS = "quickly/slowly quietly/noisily carefully/carelessly gladly/reluctantly calmly/anxiously secretly/openly"

WOMEN = ["Anna", "Clara", "Emma", "Julia", "Kate", "Laura", "Maria", "Nina", "Rosa", "Sarah", "Vera", "Alice"]
MEN = [
    "Tom",
    "Paul",
    "Peter",
    "Simon",
    "David",
    "Martin",
    "Oscar",
    "Victor",
    "Hugo",
    "Felix",
    "Jack",
    "Robert",
]
AWAY_WOMEN = ["Ingrid", "Naomi", "Carmen", "Fatima", "Helga", "Yuki"]
AWAY_MEN = ["Pedro", "Ahmed", "Lars", "Dmitri", "Kenji", "Marco"]

AWAY_KINDS = [
    "sailor",
    "pilot",
    "surgeon",
    "dentist",
    "actor",
    "dancer",
    "nurse",
    "tourist",
    "detective",
    "ferry",
    "canoe",
    "yacht",
    "limousine",
]


class Action(NamedTuple):
    """Which kinds fill its roles, what it implies (`wider`), what it excludes of the same participants (`opposite`)."""

    agent: tuple[str, ...]
    patient: tuple[str, ...] = ()
    partner: tuple[str, ...] = ()
    wider: str = ""
    opposite: str = ""
    symmetric: bool = False


_PERSON = ("person",)
_ADULT = ("adult_name", "man", "woman", "worker", "artist", "scholar", "medic", "official", "traveller")
_ANIMAL = ("animal",)
_GOODS = ("animal", "vehicle", "tool", "instrument", "garment", "furniture", "artwork")
_LIGHT = ("tool", "instrument", "garment", "document", "fruit")
_MACHINE = ("vehicle", "instrument", "furniture", "tool")

ACTIONS: dict[str, Action] = {
    "sell": Action(_PERSON, _GOODS, _PERSON),
    "give": Action(_PERSON, (*_LIGHT, "flower"), _PERSON),
    "lend": Action(_PERSON, ("tool", "vehicle", "instrument", "garment"), _PERSON),
    "show": Action(_PERSON, ("artwork", "document", "animal", "garment"), _PERSON),
    "send": Action(_PERSON, ("document", "dessert", "flower"), _PERSON),
    "throw": Action(_PERSON, ("fruit", "hat", "hammer", "scarf"), _PERSON),
    "teach": Action(_PERSON, _PERSON),
    "lead": Action(_PERSON, _PERSON),
    "beat": Action(_PERSON, _PERSON),
    "employ": Action(_ADULT, _ADULT),
    "meet": Action(_PERSON, _PERSON, symmetric=True),
    "marry": Action(_ADULT, _ADULT, symmetric=True),
    "hug": Action(_PERSON, ("person", "dog", "cat")),
    "chase": Action(("dog", "cat", "goose", "person"), ("animal", "person")),
    "help": Action(_PERSON, _PERSON),
    "thank": Action(_PERSON, _PERSON),
    "greet": Action(_PERSON, _PERSON),
    "invite": Action(_PERSON, _PERSON),
    "call": Action(_PERSON, _PERSON),
    "visit": Action(_PERSON, _PERSON),
    "praise": Action(_PERSON, _PERSON, opposite="criticize"),
    "criticize": Action(_PERSON, _PERSON, opposite="praise"),
    "love": Action(_PERSON, ("person", "animal"), opposite="hate"),
    "hate": Action(_PERSON, ("person", "animal"), opposite="love"),
    "trust": Action(_PERSON, _PERSON, opposite="distrust"),
    "distrust": Action(_PERSON, _PERSON, opposite="trust"),
    "open": Action(_PERSON, ("opening",), opposite="close"),
    "close": Action(_PERSON, ("opening",), opposite="open"),
    "find": Action(_PERSON, (*_LIGHT, "animal"), opposite="lose"),
    "lose": Action(_PERSON, (*_LIGHT, "animal"), opposite="find"),
    "repair": Action(_PERSON, _MACHINE, opposite="damage"),
    "damage": Action(_PERSON, _MACHINE, opposite="repair"),
    "build": Action(_PERSON, ("structure", "boat", "furniture")),
    "destroy": Action(_PERSON, ("structure", "boat", "furniture")),
    "push": Action(_PERSON, ("vehicle", "furniture"), opposite="pull"),
    "pull": Action(_PERSON, ("vehicle", "furniture"), opposite="push"),
    "drag": Action(_PERSON, ("vehicle", "furniture"), wider="pull", opposite="push"),
    "hide": Action(_PERSON, ("artwork", "document", "tool"), opposite="display"),
    "display": Action(_PERSON, ("artwork", "document", "tool"), opposite="hide"),
    "accept": Action(_PERSON, ("proposal",), opposite="refuse"),
    "refuse": Action(_PERSON, ("proposal",), opposite="accept"),
    "catch": Action(("person", "cat"), ("fish", "bird", "horse", "dog"), opposite="release"),
    "release": Action(_PERSON, ("fish", "bird", "horse", "dog"), opposite="catch"),
    "eat": Action(("person", "dog", "horse", "bird", "sheep"), ("food",)),
    "devour": Action(("person", "dog", "horse", "bird", "sheep"), ("food",), wider="eat"),
    "cook": Action(_PERSON, ("vegetable", "dessert", "fish")),
    "wash": Action(_PERSON, ("garment", "vehicle", "animal", "fruit", "vegetable")),
    "paint": Action(_PERSON, ("structure", "furniture", "boat", "statue", "drum")),
    "write": Action(_PERSON, ("document",)),
    "read": Action(_PERSON, ("document",)),
    "carry": Action(_PERSON, ("tool", "furniture", "food", "instrument")),
    "watch": Action(("person", "cat", "owl"), ("animal", "person")),
    "steal": Action(_PERSON, _GOODS),
    "feed": Action(_PERSON, _ANIMAL),
    "train": Action(_PERSON, ("dog", "horse")),
    "cut": Action(_PERSON, ("tree", "vegetable", "dessert")),
    "sleep": Action(("person", "animal")),
    "doze": Action(("person", "animal"), wider="sleep"),
    "move": Action(("person", "animal")),
    "run": Action(("person", "dog", "horse", "cat", "sheep"), wider="move"),
    "sprint": Action(("person", "dog", "horse"), wider="run"),
    "walk": Action(("person", "dog", "horse", "sheep"), wider="move"),
    "stroll": Action(_PERSON, wider="walk"),
    "swim": Action(("person", "dog", "fish", "goose"), wider="move"),
    "laugh": Action(_PERSON, opposite="cry"),
    "giggle": Action(_PERSON, wider="laugh", opposite="cry"),
    "cry": Action(_PERSON, opposite="laugh"),
    "sob": Action(_PERSON, wider="cry", opposite="laugh"),
    "work": Action(_PERSON, opposite="rest"),
    "rest": Action(_PERSON, opposite="work"),
    "arrive": Action(_PERSON, opposite="leave"),
    "leave": Action(_PERSON, opposite="arrive"),
    "shout": Action(_PERSON, opposite="whisper"),
    "whisper": Action(_PERSON, opposite="shout"),
    "sing": Action(("person", "bird")),
    "dance": Action(_PERSON),
    "apologize": Action(_PERSON, (), _PERSON),
    "boast": Action(_PERSON, (), _PERSON),
    "wait": Action(("person", "dog", "cat", "horse")),
}

AWAY_ACTIONS: dict[str, Action] = {
    "examine": Action(_PERSON, ("person", "vehicle", "document", "artwork")),
    "rescue": Action(_PERSON, ("person", "animal")),
    "interview": Action(_PERSON, _PERSON),
    "escort": Action(_PERSON, _PERSON),
    "load": Action(_PERSON, ("vehicle",), opposite="unload"),
    "unload": Action(_PERSON, ("vehicle",), opposite="load"),
    "steer": Action(_PERSON, ("vehicle",)),
    "photograph": Action(_PERSON, ("person", "animal", "structure", "artwork")),
    "ship": Action(_PERSON, ("furniture", "vehicle", "instrument"), _PERSON),
    "perform": Action(_PERSON),
    "board": Action(_PERSON, ("ferry", "yacht")),
}
ALL_ACTIONS = ACTIONS | AWAY_ACTIONS


def _upwards(below: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """For each key all keys above it, nearest first."""
    parent = {child: up for up, children in below.items() for child in children.split()}
    chains: dict[str, tuple[str, ...]] = {}
    for key in [*below, *parent]:
        chain, up = [], parent.get(key)
        while up is not None:
            chain.append(up)
            up = parent.get(up)
        chains[key] = tuple(chain)
    return chains


KIND_ABOVE = _upwards(KINDS_BELOW)
PLACE_ABOVE = _upwards(PLACES_BELOW) | _upwards(AWAY_PLACES_BELOW)
TIME_ABOVE = _upwards(TIMES_BELOW) | dict.fromkeys(FREE_TIMES, ())
PLACES = tuple(place for places in PLACES_BELOW.values() for place in places.split())
AWAY_PLACES = tuple(place for places in AWAY_PLACES_BELOW.values() for place in places.split())
TIMES = tuple(time for times in TIMES_BELOW.values() for time in times.split()) + FREE_TIMES
GENDER = dict.fromkeys(["man", "boy"], "male") | dict.fromkeys(["woman", "girl"], "female")

_QUALITY_PAIRS = [pair.split("/") for pairs in QUALITY_PAIRS.values() for pair in pairs.split()]
OPPOSITE_QUALITY = {quality: opposite for pair in _QUALITY_PAIRS for quality, opposite in (pair, reversed(pair))}
_MANNER_PAIRS = [pair.split("/") for pair in MANNER_PAIRS.split()]
OPPOSITE_MANNER = {manner: opposite for pair in _MANNER_PAIRS for manner, opposite in (pair, reversed(pair))}
MANNERS = tuple(OPPOSITE_MANNER)


@cache
def is_a(kind: str, above: str) -> bool:
    return kind == above or above in KIND_ABOVE[kind]


@cache
def leaves(kind: str) -> tuple[str, ...]:
    """The most specific kinds under a kind."""
    below = KINDS_BELOW.get(kind)
    return (kind,) if below is None else tuple(leaf for child in below.split() for leaf in leaves(child))


@cache
def siblings(kind: str) -> tuple[str, ...]:
    above = KIND_ABOVE[kind]
    if not above or above[0] == "thing":
        return ()
    return tuple(other for other in KINDS_BELOW[above[0]].split() if other != kind)


@cache
def qualities_of(kind: str) -> tuple[str, ...]:
    domain = next((key for key in ("person", "fish", "animal", "food", "plant") if is_a(kind, key)), "object")
    paired = tuple(word for pair in QUALITY_PAIRS[domain].split() for word in pair.split("/"))
    if is_a(kind, "proposal"):
        return ("new",)
    return paired + COLOURS if domain == "object" and not is_a(kind, "document") else paired
