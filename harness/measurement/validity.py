"""Whether what was measured counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Validity(StrEnum):
    """Whether a ratio counts. IMPRECISE: nothing speaks against it, but its interval is wider than was asked for. Only
    VALID ones may be judged by.
    """

    VALID = "VALID"
    IMPRECISE = "IMPRECISE"
    INVALID = "INVALID"

    @classmethod
    def worst(cls, standings: Iterable[Validity]) -> Validity:
        """That of the whole; VALID of nothing."""
        order = list(cls)
        return max(standings, key=order.index, default=cls.VALID)


@dataclass(frozen=True)
class Verdict:
    """Whether a ratio counts. `reason` says why not; `note` what else to know of it."""

    standing: Validity
    reason: str = ""
    note: str = ""

    @property
    def is_valid(self) -> bool:
        return self.standing is Validity.VALID
