"""References of examples that belong together, as the answers to one question do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@cache
def _array_in_groups() -> type[np.ndarray]:
    """The class of arrays that know groups; made when first asked for, since command lines import no numpy."""
    import numpy as np

    class Grouped(np.ndarray):
        """References (n,) of examples in groups; what is selected of them is in the same groups.

        `groups` (n,) are numbers, equal within a group; None of what was computed from references.
        """

        groups: np.ndarray | None

        def __array_finalize__(self, obj: Any) -> None:
            self.groups = None

        def __getitem__(self, index: Any) -> Any:
            chosen = super().__getitem__(index)
            if isinstance(chosen, Grouped) and self.groups is not None:
                chosen.groups = self.groups[index]
            return chosen

    return Grouped


def grouped(references: np.ndarray, groups: Sequence[Any] | np.ndarray) -> np.ndarray:
    """References (n,) with the groups (n,) of their examples, which numbers or texts name."""
    import numpy as np

    array: Any = np.array(references).view(_array_in_groups())
    array.groups = np.unique(np.asarray(groups), return_inverse=True)[1]
    result: np.ndarray = array
    return result


def groups_of(references: Any) -> np.ndarray | None:
    """The groups (n,) of examples, from 0 on; None where they are in none."""
    groups = getattr(references, "groups", None)
    if groups is None:
        return None
    import numpy as np

    numbers: np.ndarray = np.unique(groups, return_inverse=True)[1]
    return numbers


def twice(references: np.ndarray) -> np.ndarray:
    """References (2n,): all of them, and once more in groups of their own."""
    import numpy as np

    both = np.concatenate([np.asarray(references)] * 2)
    groups = groups_of(references)
    return both if groups is None else grouped(both, np.concatenate([groups, groups + groups.max() + 1]))
