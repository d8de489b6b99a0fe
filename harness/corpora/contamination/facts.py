"""What a report says of the evaluation examples that stand in a corpus."""

from __future__ import annotations

from pydantic import Field

from harness.core.facts import Facts


class FoundExample(Facts):
    """An example, and the best of the places where it stands."""

    id: str
    text: str
    place: str
    snippet: str = Field(alias="found")
    overlap: float
    documents: int
    with_answer: bool


class TaskContamination(Facts):
    """The examples of a split of a task: how many are dirty, with Wilson's interval, and which."""

    task: str
    split: str
    n: int
    not_judged: int
    dirty: int
    fraction: float
    interval: tuple[float, float]
    exact: int
    thirteen_grams: int
    with_answer: int
    common_phrases: int
    ids: list[str]
    examples: list[FoundExample]


class Needed(Facts):
    """Lengths of examples, and the part of their weight that must be in a document; between them it falls evenly."""

    words: tuple[int, int]
    overlap: tuple[float, float]


class Method(Facts):
    """How examples are looked for."""

    ngram: int
    shortest_words: int
    needed: Needed


class Contamination(Facts):
    """Of the tasks whose examples were looked for what was found, of the others why they were not."""

    data: str
    tasks: list[TaskContamination]
    absent: dict[str, str]
    method: Method
