"""What the record of a score says of an attack, and of tests of behaviour."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.core.facts import Facts, Interval


class AttackFacts(Facts):
    """What an attack did to a model.

    Attributes:
        method: The attack.
        options: All of its options.
        read: The hashes of what it read, such as a model that proposes words, by what that is called.
        similarity_by: `encoder`, or `trigrams` of letters.
        least_similarity: What a changed text had to have.
        examples: Those that were drawn.
        attacked: Those of them that the model answers rightly; the others are left as they are.
        succeeded: Those of these that it answers wrongly after the attack.
        before: The accuracy on the examples as they are.
        after: That on what the attack makes of them.
        success_rate: The fraction of the attacked examples that fool the model.
        changed: Of these, the mean fraction of words that are changed.
        similarity: Of these, the mean similarity to the original.
        queries: Of the attacked examples, the mean number of texts that the model was asked about.
    """

    method: str
    options: dict[str, Any] = Field(default_factory=dict)
    read: dict[str, str] = Field(default_factory=dict)
    similarity_by: str = ""
    least_similarity: float = 0.0
    examples: int = 0
    attacked: int = 0
    succeeded: int = 0
    before: Interval | None = None
    after: Interval | None = None
    success_rate: Interval | None = None
    changed: Interval | None = None
    similarity: Interval | None = None
    queries: Interval | None = None


class CheckFacts(Facts):
    """A test of behaviour: `invariance`, or `directional`; how many examples it has, and on how many a model fails."""

    test: str
    kind: str
    examples: int
    failed: int
    failure_rate: Interval
