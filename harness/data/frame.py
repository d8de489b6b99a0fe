"""What every source delivers: a task's splits in canonical fields, with a fingerprint of what was read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.core.columns import LazyCells, are_many, chosen
from harness.core.errors import HarnessError
from harness.core.hashing import canonical_json, hash_json

if TYPE_CHECKING:
    import numpy as np

Labels = tuple[int, ...] | tuple[float, ...] | tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Split:
    """One split of a task, by columns of equal length n.

    `fields` maps canonical field names (`text`, `text_pair`, `premise`, …) to n strings, which of many rows are in
    files and are read when they are asked for (`harness.core.columns`), as are their `ids`. `labels` holds n class
    ids (classification, nli), n floats (similarity) or n tuples of reference texts (the families that answer in
    words; an empty one is a question without an answer), and is None where the source has no labels. `oracle` holds
    the noise-free labels where the source knows them (the synthetic world), else None. `starts` holds, for extractive
    answers, where each reference begins in the context, in characters. `clean` is the fingerprint of the split that
    this one is with noise in its texts, or of which this one is the part that is attacked; `attack` is then the hash of
    how that is done, a part of the fingerprint: what the texts become depends on the model. `draws` names, where few
    examples were drawn by those who published the data, the draw that each row is of, as `draw_name` does. `groups`
    names what rows are scored together, such as the answers to one question.
    """

    ids: Sequence[str]
    fields: Mapping[str, Sequence[str]]
    labels: Labels | None = None
    oracle: tuple[int, ...] | tuple[float, ...] | None = None
    starts: tuple[tuple[int, ...], ...] | None = None
    clean: str | None = None
    draws: tuple[str, ...] | None = None
    attack: str | None = None
    groups: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        columns: list[Sequence[object]] = [*self.fields.values()]
        others = (self.labels, self.oracle, self.starts, self.draws, self.groups)
        columns += [column for column in others if column is not None]
        assert all(len(column) == len(self.ids) for column in columns), "columns of unequal length"

    def __len__(self) -> int:
        return len(self.ids)

    def head(self, limit: int | None) -> Split:
        """The first `limit` examples: all of them where limit is None, and of published draws."""
        return self if limit is None or limit >= len(self) or self.draws is not None else self.select(range(limit))

    def select(self, indices: Sequence[int]) -> Split:
        """The examples at `indices`, in that order."""

        def at(values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(values[index] for index in indices)

        def of_texts(column: Sequence[str]) -> Sequence[str]:
            return chosen(column, indices) if isinstance(column, LazyCells) and are_many(len(indices)) else at(column)

        return Split(
            ids=of_texts(self.ids),
            fields={name: of_texts(column) for name, column in self.fields.items()},
            labels=None if self.labels is None else at(self.labels),
            oracle=None if self.oracle is None else at(self.oracle),
            starts=None if self.starts is None else at(self.starts),
            draws=None if self.draws is None else at(self.draws),
            groups=None if self.groups is None else at(self.groups),
        )

    def folds(self, count: int) -> tuple[tuple[int, ...], ...]:
        """The examples of each of so many folds, the same for every model and seed. Identical texts are in one fold,
        and classes are spread evenly.

        Raises:
            HarnessError: there are fewer distinct texts.
        """
        alike: dict[bytes, list[int]] = {}
        for index, row in enumerate(zip(*(self.fields[name] for name in sorted(self.fields)), strict=True)):
            alike.setdefault(_draw(0, canonical_json(row)), []).append(index)
        if len(alike) < count:
            raise HarnessError(f"{count} folds of {len(alike)} distinct texts: take fewer")

        def kind(first: int) -> int:
            label = self.labels[first] if self.labels is not None else 0
            return label if isinstance(label, int) else 0

        dealt = sorted(alike, key=lambda digest: (kind(alike[digest][0]), digest))
        return tuple(
            tuple(sorted(index for digest in dealt[fold::count] for index in alike[digest])) for fold in range(count)
        )

    def without(self, indices: Sequence[int]) -> Split:
        """The examples that are not at `indices`."""
        left_out = set(indices)
        return self.select([index for index in range(len(self)) if index not in left_out])

    def sample(self, fraction: float, seed: int) -> Split:
        """A random fraction of the examples, at least one, in order; a smaller fraction is part of a larger one."""
        return self.select(sorted(self._shuffled(seed)[: max(1, round(fraction * len(self)))]))

    def draw(self, count: int, seed: int) -> Split:
        """So many examples at random, in random order; fewer are the first of more."""
        return self.select(self._shuffled(seed)[:count])

    def drawn_order(self, seed: int) -> list[int]:
        """Where the examples stand, in random order."""
        return self._shuffled(seed)

    def drawn_rows(self, count: int, seed: int) -> list[int]:
        """Where the examples of such a draw stand, in their own order."""
        return sorted(self._shuffled(seed)[:count])

    def few(self, k: int, seed: int) -> Split:
        """`k` examples of each class at random, in order, those of a smaller `k` among them; of published draws the one
        of that number.

        Raises:
            HarnessError: a class has fewer, or there is no such draw.
        """
        if self.draws is not None:
            rows = [index for index, name in enumerate(self.draws) if name == draw_name(k, seed)]
            if not rows:
                raise HarnessError(f"there is no draw {seed} of {k} examples a class")
            return self.select(rows)
        assert self.labels is not None
        of_class: dict[Any, list[int]] = {}
        for index in self._shuffled(seed):
            of_class.setdefault(self.labels[index], []).append(index)
        fewest = min(map(len, of_class.values()))
        if fewest < k:
            raise HarnessError(f"{k} examples a class: one of the classes has only {fewest}")
        return self.select(sorted(index for rows in of_class.values() for index in rows[:k]))

    def portion(self, fraction: float, k_shot: int | None, seed: int) -> Split:
        """What of it is trained on: so many examples of each class, a fraction, or all."""
        if k_shot is not None:
            return self.few(k_shot, seed)
        return self.sample(fraction, seed) if fraction < 1 else self

    def per_class(self) -> dict[str, int]:
        """Examples of each class, by its id; nothing where the labels are no classes."""
        counts = Counter(label for label in self.labels or () if isinstance(label, int))
        return {str(label): counts[label] for label in sorted(counts)}

    def _shuffled(self, seed: int) -> list[int]:
        if not are_many(len(self)):
            return sorted(range(len(self)), key=lambda index: _draw(seed, self.ids[index]))
        import numpy as np

        drawn = (int.from_bytes(_draw(seed, name), "big") for name in self.ids)
        order: list[int] = np.argsort(np.fromiter(drawn, dtype=np.uint64, count=len(self)), kind="stable").tolist()
        return order

    @property
    def distinct(self) -> int:
        """How many rows there are whose texts differ."""
        return len(set_of_rows(self.rows(), len(self)))

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Each row's texts, in the order of the fields' names."""
        return zip(*(self.fields[name] for name in sorted(self.fields)), strict=True)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over ids, fields, labels and starts, row by row in order."""
        digest = hashlib.sha256()
        names = sorted(self.fields)
        columns: list[Sequence[object]] = [self.fields[name] for name in names]
        if self.starts is not None:
            columns.append(self.starts)
        if self.draws is not None:
            columns.append(self.draws)
        if self.groups is not None:
            columns.append(self.groups)
        digest.update(canonical_json(names if self.attack is None else [names, self.attack]).encode())
        labels: Sequence[object] = self.labels if self.labels is not None else [None] * len(self)
        for row in zip(self.ids, labels, *columns, strict=True):
            digest.update(canonical_json(row).encode())
            digest.update(b"\n")
        return digest.hexdigest()


def set_of_rows(rows: Iterable[tuple[Any, ...]], count: int) -> set[Any] | np.ndarray:
    """Rows that differ: themselves, or of many the sorted hashes (64 bits) of their texts.

    Args:
        rows: The rows, each a tuple of texts or items.
        count: How many there are.

    Returns:
        A set, or an array.
    """
    if not are_many(count):
        return set(rows)
    import numpy as np

    return np.unique(_hashes(rows, count))


def count_in(rows: Iterable[tuple[Any, ...]], count: int, known: set[Any] | np.ndarray) -> int:
    """How many of so many rows are among others, which `set_of_rows` made."""
    if isinstance(known, set):
        return sum(row in known for row in rows)
    import numpy as np

    hashes = _hashes(rows, count)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return int((known[places] == hashes).sum())


def _hashes(rows: Iterable[tuple[Any, ...]], count: int) -> np.ndarray:
    import numpy as np

    drawn = (int.from_bytes(_draw(0, canonical_json(row)), "big") for row in rows)
    return np.fromiter(drawn, dtype=np.uint64, count=count)


def draw_name(k: int, draw: int) -> str:
    """What a published draw of `k` examples a class is called."""
    return f"{k}/{draw}"


def _draw(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()


@dataclass(frozen=True)
class TaskData:
    """A task's data as read from one source.

    `source` is `synthetic`, `folder` or `hub`; `location` says where exactly (a path, `hub id@revision`, the world's
    version); `labels` names the classes by id (empty for regression); `notes` are things a reader of the scores should
    know (rows dropped, a dev split carved from train). `stands_in` names the split that is scored for one that is not
    there. `dropped` counts, for splits that lack some, the rows left out and all there were.
    """

    task: str
    source: str
    location: str
    splits: Mapping[str, Split]
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    dropped: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    stands_in: Mapping[str, str] = field(default_factory=dict)

    def split(self, name: str) -> Split:
        """A split, or the one that stands in for it."""
        return self.splits[self.stands_in.get(name, name)]

    def head(self, limit: int | None) -> TaskData:
        """Every split cut to its first `limit` examples."""
        return replace(self, splits={name: split.head(limit) for name, split in self.splits.items()})

    def fingerprints(self) -> dict[str, dict[str, object]]:
        """`{split: {"n": rows, "fingerprint": hex, "labelled": bool}}`, what a record keeps of the data; `clean` too
        where a split has noise.
        """
        return {
            name: {"n": len(split), "fingerprint": split.fingerprint, "labelled": split.labels is not None}
            | ({"clean": split.clean} if split.clean else {})
            for name, split in self.splits.items()
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over all splits and the label names."""
        return hash_json([self.fingerprints(), list(self.labels)])
