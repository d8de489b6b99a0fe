"""Columns of Arrow made of Python values. `pyarrow.array` imports pandas when it is first called, a third of a second
in each process that writes a file; the columns of this module are the same ones without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERS = {"int64": "int64", "double": "float64", "float": "float32"}
"""Types of Arrow, and those of NumPy that are the same."""
LARGEST = 2**31 - 1
"""Bytes of texts in one column, whose places are numbers of 32 bits."""


def arrow_column(values: Iterable[Any], kind: pa.DataType | None = None) -> pa.Array:
    """What `pyarrow.array` makes of the same: of numbers, texts, bytes, lists of these, and None.

    Args:
        values: One for each row.
        kind: The type; left out it is inferred.

    Raises:
        pyarrow.ArrowException: a value is of another type.
    """
    import pyarrow as pa

    values = list(values)
    kind = _inferred(values) if kind is None else kind
    try:
        made = None if kind is None else _made(values, kind)
    except (TypeError, ValueError, AttributeError, OverflowError):  # what cannot be made so is pyarrow's to refuse
        made = None
    return pa.array(values, kind) if made is None else made


def _inferred(values: list[Any]) -> pa.DataType | None:
    """The type of values that all have one; None where that is not found here."""
    import pyarrow as pa

    kinds = {type(value) for value in values}
    if kinds == {list}:
        inner = _inferred([value for row in values for value in row])
        return None if inner is None else pa.list_(inner)
    plain = {str: pa.string(), int: pa.int64(), float: pa.float64(), bytes: pa.binary()}
    return plain.get(kinds.pop()) if len(kinds) == 1 else None


def _made(values: list[Any], kind: pa.DataType) -> pa.Array | None:
    """None where it is not made here."""
    import numpy as np
    import pyarrow as pa

    missing = [value is None for value in values]
    is_there = pa.py_buffer(np.packbits(~np.asarray(missing), bitorder="little")) if any(missing) else None
    places: pa.Buffer | None = None
    if (name := NUMBERS.get(str(kind))) is not None:
        numbers = np.asarray([0 if value is None else value for value in values] or np.empty(0, name))
        if numbers.ndim != 1 or numbers.dtype.kind not in ("iu" if name == "int64" else "iuf"):
            return None
        return pa.Array.from_buffers(kind, len(values), [is_there, pa.py_buffer(numbers.astype(name))])
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        encode = str.encode if pa.types.is_string(kind) else bytes
        parts = [b"" if value is None else encode(value) for value in values]
        if (places := _places(parts)) is not None:
            return pa.Array.from_buffers(kind, len(values), [is_there, places, pa.py_buffer(b"".join(parts))])
    elif is_there is not None:
        return None
    elif pa.types.is_fixed_size_binary(kind) and all(len(value) == kind.byte_width for value in values):
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(b"".join(values))])
    elif pa.types.is_list(kind) and (places := _places(values)) is not None:
        inner = arrow_column([value for row in values for value in row], kind.value_type)
        return pa.Array.from_buffers(kind, len(values), [None, places], children=[inner])
    return None


def _places(parts: Sequence[Any]) -> pa.Buffer | None:
    """Where each of the parts begins and the last one ends; None where that is too far."""
    import numpy as np
    import pyarrow as pa

    places = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    return None if places[-1] > LARGEST else pa.py_buffer(places.astype(np.int32))
