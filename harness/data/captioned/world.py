"""What may be shown in a generated world, which combinations are held out, and how meanings and captions are drawn.

Held out are, of all combinations, one in as many as there are kinds: a quality of a kind ("no red square"), an
arrangement of two kinds, and a number of a kind. Each kind and each quality, relation and number is seen in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.core.items import Item
from harness.data.captioned.grammar import Lexicon, caption
from harness.data.captioned.meaning import UNSAID, Group, Meaning
from harness.data.synthetic.rng import Rng

SINGLE, SEVERAL, PAIR, GROUPS = "single", "several", "pair", "groups"
FORMS = (SINGLE, SINGLE, SEVERAL, SEVERAL, PAIR, PAIR, PAIR, GROUPS)
"""What a meaning may be of, as often as it is drawn: one thing, several of a kind, two in a relation, two groups."""
RETRIEVED = (SINGLE, SEVERAL, PAIR, PAIR, PAIR, GROUPS, GROUPS)
"""Forms of what is retrieved, in these parts: few of one thing, of which there are not many to tell apart."""
COUNTS = ((1, 2), (2, 1), (2, 2), (1, 3), (3, 1))

BINDING, ARRANGEMENT, NUMBER = "binding", "arrangement", "number"
"""What is new in a held-out combination."""

MANNER_SAID, RELATION_UNSAID = 0.5, 0.1
VAGUE = 0.2
"""Of the groups in a corpus: of how many the kind, the quality, or both are left unsaid, a third of them each."""


@dataclass(frozen=True, eq=False)
class World:
    """A world of things of one modality.

    Attributes:
        name: What its items' identities begin with.
        modality: That of its items.
        kinds, qualities: As many of one as of the other.
        manners: Of one thing, and of several.
        relations: Of a pair, told from the group that comes first.
        group_relations: Of two groups of which one has several things; unsaid where they stand in none.
        lexicons: By language.
        show: The item that shows a meaning, given its label and whether it is for a task.
        forms, retrieved: What a corpus is of, and what is retrieved, as often as it is drawn.
    """

    name: str
    modality: str
    kinds: tuple[str, ...]
    qualities: tuple[str, ...]
    manners: tuple[tuple[str, ...], tuple[str, ...]]
    relations: tuple[str, ...]
    group_relations: tuple[str, ...]
    lexicons: Mapping[str, Lexicon]
    show: Callable[[Rng, Meaning, str, bool], Item]
    forms: tuple[str, ...] = FORMS
    retrieved: tuple[str, ...] = RETRIEVED

    def item(self, rng: Rng, meaning: Meaning, for_task: bool) -> Item:
        """An item that shows it, called by its full caption in English; none is both a task's and a corpus's."""
        return self.show(rng, meaning, caption(None, "en", self.lexicons["en"], meaning), for_task)

    def caption(self, rng: Rng | None, language: str, meaning: Meaning) -> str:
        """A caption in one of the ways to say it; without `rng` in the plainest."""
        return caption(rng, language, self.lexicons[language], meaning)

    def held_out(self, meaning: Meaning) -> set[str]:
        """What of it no training data has."""
        n = len(self.kinds)
        new = set()
        for group in meaning.groups:
            kind = self.kinds.index(group.kind)
            if (self.qualities.index(group.quality) + 3 * kind) % n == 2:
                new.add(BINDING)
            if group.number > 1 and (3 * group.number + kind) % n == 1:
                new.add(NUMBER)
        if meaning.relation != UNSAID:
            ordered = meaning if meaning.relation in self.relations else meaning.turned()
            first, second = (self.kinds.index(group.kind) for group in ordered.groups)
            if (first + 3 * second + 4 * self.relations.index(ordered.relation)) % n == 2:
                new.add(ARRANGEMENT)
        return new

    def draw(self, rng: Rng, form: str) -> Meaning:
        """A meaning of this form, held out or not."""
        if form in (SINGLE, SEVERAL):
            return Meaning((self._group(rng, 1 if form == SINGLE else 2 + rng.index(3)),))
        counts = rng.choice(COUNTS) if form == GROUPS else (1, 1)
        first, second = (self._group(rng, count) for count in counts)
        while (first.kind, first.quality) == (second.kind, second.quality):
            second = self._group(rng, counts[1])
        relations = self.group_relations if form == GROUPS else self.relations
        return Meaning((first, second), rng.choice(relations))

    def _group(self, rng: Rng, count: int) -> Group:
        manners = self.manners[count > 1]
        return Group(count, rng.choice(self.kinds), rng.choice(self.qualities), rng.choice(manners))

    def seen(self, rng: Rng, form: str = "") -> Meaning:
        """A meaning that training data may have, of this form or of any."""
        while True:
            meaning = self.draw(rng, form or rng.choice(self.forms))
            if not self.held_out(meaning):
                return meaning


def describe(rng: Rng, meaning: Meaning, vague: float = 0.0) -> Meaning:
    """What a caption says of it: manners and the relation at times, kinds and qualities but for a `vague` fraction of
    the groups, which stand in either order.
    """
    groups = tuple(_described(rng, group, vague) for group in meaning.groups)
    relation = UNSAID if len(groups) > 1 and rng.chance(RELATION_UNSAID) else meaning.relation
    description = Meaning(groups, relation)
    return description.turned() if len(groups) > 1 and rng.chance(0.5) else description


def _described(rng: Rng, group: Group, vague: float) -> Group:
    kind, quality = group.kind, group.quality
    if vague and rng.chance(vague):
        kind, quality = rng.choice(((UNSAID, quality), (kind, UNSAID), (UNSAID, UNSAID)))
    return Group(group.number, kind, quality, group.manner if rng.chance(MANNER_SAID) else UNSAID)
