"""What `harness augment` gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.core.cell_records import AugmentFacts


@dataclass(frozen=True)
class Copy:
    """A row that augmentation made.

    Attributes:
        by: The operations that changed it; none where nothing could be done.
        texts: Its texts by field.
    """

    by: tuple[str, ...]
    texts: Mapping[str, str]


@dataclass(frozen=True)
class AugmentedExample:
    """An example and what was made of it.

    Attributes:
        id: The example's.
        texts: Its texts by field.
        copies: What was made of it.
    """

    id: str
    texts: Mapping[str, str]
    copies: tuple[Copy, ...]


@dataclass(frozen=True)
class AugmentedData:
    """What a training would see.

    Attributes:
        facts: How many copies were made, by which operations.
        examples: The first examples with their copies.
        output: The file that was written, of JSON lines.
    """

    facts: AugmentFacts
    examples: tuple[AugmentedExample, ...]
    output: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "schema_version": 1,
            **self.facts.as_json(),
            "shown": [asdict(example) for example in self.examples],
            "output": None if self.output is None else str(self.output),
        }
