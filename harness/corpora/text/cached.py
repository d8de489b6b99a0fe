"""What a function gives of each text, computed once; bounded, by forgetting all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

ValueT = TypeVar("ValueT")


class CachedValues(dict[str, ValueT]):
    """The values of a function, looked up at the speed of a dictionary.

    Args:
        function: Gives the value of a text.
        most: Values that are held at once. Those of texts of more than `LONGEST` characters are not.
    """

    LONGEST = 64

    def __init__(self, function: Callable[[str], ValueT], most: int) -> None:
        super().__init__()
        self._function = function
        self._most = most

    def __missing__(self, text: str) -> ValueT:
        if len(self) >= self._most:
            self.clear()
        value = self._function(text)
        if len(text) <= self.LONGEST:
            self[text] = value
        return value
