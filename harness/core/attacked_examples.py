"""Examples after an attack, as the file of predictions keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import DamagedFileError
from harness.core.predictions import read_columns

TEXTS, NUMBERS = ("id", "attack", "original", "attacked"), ("before", "prediction", "changed", "words", "queries")
RESULTS = ("succeeded", "failed", "skipped")


@dataclass(frozen=True)
class AttackedExample:
    """An example before and after.

    Attributes:
        id: Its id.
        result: `succeeded`: the model is fooled; `failed`; or `skipped`, as it was wrong before.
        original: The text as it was.
        attacked: The text as the attack left it.
        label: The right class, by number.
        before: What the model says of the text as it was.
        after: What it says of the text as it became.
        words: Words of the text.
        changed: Those that are changed.
        similarity: Of both texts.
        queries: Texts that the model was asked about.
    """

    id: str
    result: str
    original: str
    attacked: str
    label: int
    before: int
    after: int
    words: int
    changed: int
    similarity: float
    queries: int


def read_attacked(path: Path) -> list[AttackedExample]:
    """The examples of a score under an attack. Raises DamagedFileError where the file is none of such."""
    columns = read_columns(path, (*TEXTS, "label", *NUMBERS, "similarity"))
    examples = []
    for row in columns.to_pylist():
        sound = (
            all(isinstance(row[name], str) for name in TEXTS)
            and all(isinstance(row[name], int) for name in (*NUMBERS, "label"))
            and isinstance(row["similarity"], float)
            and row["attack"] in RESULTS
        )
        if not sound:
            raise DamagedFileError(f"{path} is damaged: its columns are not those of an attack")
        examples.append(
            AttackedExample(
                row["id"], row["attack"], row["original"], row["attacked"], row["label"], row["before"],
                row["prediction"], row["words"], row["changed"], row["similarity"], row["queries"],
            )
        )  # fmt: skip
    return examples
