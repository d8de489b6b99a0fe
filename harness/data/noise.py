"""Typed noise: the texts of an evaluated split as people mistype them, labels unchanged.

A task named `sst2+typos` is trained as `sst2` and scored on the same examples with perturbed texts. The kinds:

- `typos`: of each word of four letters or more one in five (`TYPO_RATE`) has one slip of the keyboard, the four being
  equally likely: a letter replaced by its neighbour on a QWERTY keyboard, a neighbour typed before it, two letters
  swapped, a letter left out. The word's first letter stays. Source: Belinkov & Bisk 2018 (keyboard and swap noise),
  Pruthi et al. 2019 (the four edits, inside words of four letters or more).
- `case`: each example is, with equal chances, all lower case, ALL UPPER CASE, Each Word Capitalized, or has each word
  in one of these drawn anew. Source: Moradi & Samwald 2021.
- `punctuation`: of the marks one in three (`MARK_RATE`) is left out or doubled, and after one word in ten
  (`INSERTION_RATE`) a mark is inserted. Marks before a digit stay, since they are part of a number. Source: Moradi &
  Samwald 2021.

What is drawn depends on the kind and its version, the task's name, the example's id and the field, and on nothing else:
every model sees the same noise, with any source, limit and process. A change of what a kind does raises its version.
Labels stay: noise this light seldom changes what a text says. Where they are about the form of a text, as in CoLA, some
of the loss is that the label is no longer right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from harness.core.families import FAMILIES
from harness.core.specs import TaskSpec
from harness.data.frame import Split, TaskData

TYPO_RATE = 0.2
MARK_RATE = 1 / 3
INSERTION_RATE = 0.1

Draw = Callable[[], float]
"""Uniform in [0, 1): `random.Random(seed).random`, the only sequence that Python promises to keep."""

NEIGHBOURS = {
    "a": "qwsz", "b": "vghn", "c": "xdfv", "d": "serfcx", "e": "wsdr", "f": "drtgvc", "g": "ftyhbv", "h": "gyujnb",
    "i": "ujko", "j": "huikmn", "k": "jiolm", "l": "kop", "m": "njk", "n": "bhjm", "o": "iklp", "p": "ol", "q": "wa",
    "r": "edft", "s": "awedxz", "t": "rfgy", "u": "yhji", "v": "cfgb", "w": "qase", "x": "zsdc", "y": "tghu",
    "z": "asx",
}  # fmt: skip
"""Of a QWERTY keyboard."""

Case = Literal["lower", "upper", "title", "mixed"]
CASES: tuple[Case, ...] = ("lower", "upper", "title", "mixed")
IN_CASE: Mapping[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper, "title": str.capitalize}

WORD = re.compile(r"[^\W\d_]+")
MARK_OR_GAP = re.compile(r"(?P<mark>[.,;:!?'\"()\-](?!\d))|(?<=\w)(?P<gap> )")
INSERTED = ",.;:!?-"


def typos(text: str, draw: Draw) -> str:
    return WORD.sub(lambda word: mistyped(word[0], draw) if len(word[0]) >= 4 and draw() < TYPO_RATE else word[0], text)


def case(text: str, draw: Draw) -> str:
    return recased(text, CASES[int(4 * draw())], draw)


def recased(text: str, wanted: Case, draw: Draw) -> str:
    """All words in one case, or each in one that is drawn."""
    if wanted != "mixed":
        return WORD.sub(lambda word: IN_CASE[wanted](word[0]), text)
    cases = list(IN_CASE.values())
    return WORD.sub(lambda word: cases[int(3 * draw())](word[0]), text)


def punctuation(text: str, draw: Draw) -> str:
    def changed(match: re.Match[str]) -> str:
        if match["gap"]:
            return INSERTED[int(len(INSERTED) * draw())] + " " if draw() < INSERTION_RATE else " "
        if draw() >= MARK_RATE:
            return match[0]
        return "" if draw() < 0.5 else 2 * match[0]

    return MARK_OR_GAP.sub(changed, text)


def mistyped(word: str, draw: Draw) -> str:
    """A word of two letters or more with one slip after the first. A swap is of two letters that differ; what the
    keyboard lacks is left out.
    """
    slip = int(4 * draw())
    at = 1 + int((len(word) - 1) * draw())
    if slip == 0 and (swaps := [place for place in range(1, len(word) - 1) if word[place] != word[place + 1]]):
        at = swaps[int(len(swaps) * draw())]
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    near = NEIGHBOURS.get(word[at].lower())
    if slip == 1 or near is None:
        return word[:at] + word[at + 1 :]
    typed = near[int(len(near) * draw())]
    typed = typed.upper() if word[at].isupper() else typed
    return word[:at] + typed + (word[at:] if slip == 2 else word[at + 1 :])


@dataclass(frozen=True)
class Noise:
    """A kind of noise: what it does to a text, given a sequence of draws; and the version of that."""

    version: int
    perturb: Callable[[str, Draw], str]


NOISES: Mapping[str, Noise] = {
    "typos": Noise(1, typos),
    "case": Noise(1, case),
    "punctuation": Noise(1, punctuation),
}


def perturbed(data: TaskData, task: TaskSpec) -> TaskData:
    """The task's data with noise in the splits it is scored on; examples to learn from or to show stay clean."""
    assert task.noise is not None
    splits, notes = dict(data.splits), list(data.notes)
    for name in dict.fromkeys(data.stands_in.get(name, name) for name in task.eval):
        if name in splits:
            clean = splits[name]
            splits[name] = noisy = _perturbed(clean, task.noise, task.clean.name, FAMILIES.get(task.family).modalities)
            changed = sum(
                any(noisy.fields[field][index] != clean.fields[field][index] for field in clean.fields)
                for index in range(len(clean))
            )
            notes.append(f"{name}: {task.noise} in {changed} of {len(clean)} examples")
    return replace(data, task=task.name, splits=splits, notes=tuple(notes))


def _perturbed(split: Split, name: str, task: str, modalities: Container[str]) -> Split:
    noise = NOISES[name]

    def text_of(field: str, index: int) -> str:
        seed = "\0".join((name, str(noise.version), task, split.ids[index], field))
        return noise.perturb(split.fields[field][index], random.Random(seed).random)

    texts = [field for field in split.fields if field not in modalities]
    fields = {field: tuple(text_of(field, index) for index in range(len(split))) for field in texts}
    return replace(split, fields={**split.fields, **fields}, clean=split.fingerprint)
