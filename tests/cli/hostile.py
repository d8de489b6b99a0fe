"""Good files of each kind made bad: values of other types, keys that are missing, texts that are no such files."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from harness.core.hashing import hash_json

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 10**9, 2**63, 10**30, -0.5, 1e308, "", "x", "\u00b2", "\x1b[31m", "../x", "/dev/zero", "~nobody",
    "a" * 5000, [], [None], ["x", 3], [[]], {}, {"x": {}}, {"": None}, DEEP,
)  # fmt: skip
TEXTS: tuple[bytes, ...] = (
    b"", b" ", b"null", b"[]", b"3", b'"x"', b"{", b"\xff\xfe\x00", b"\x00" * 100, b"[" * 100_000, b'{"a":' * 100_000,
    b"9" * 6000, b"NaN", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"\xef\xbb\xbf{}", b"a: !!int abc",
    b"a: &a [*a]", b"- " * 100_000, b"a: !!python/object:os.system x", b"{}", b"a,b\n" * 3, b",".join([b"c"] * 200_000),
)  # fmt: skip
"""Whole contents of files."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a document, its own left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, item in items:
        found += [(*path, key), *places(item, (*path, key))]
    return found


def changed(document: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    """A copy of a document, changed at a path by what gets the container and the key there."""
    copy = json.loads(json.dumps(document))
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    change(inside, path[-1])
    return copy


def removed(container: Any, key: Any) -> None:
    del container[key]


def replaced(value: Any) -> Callable[[Any, Any], None]:
    def change(container: Any, key: Any) -> None:
        container[key] = value

    return change


def documents(good: Any) -> st.SearchStrategy[Any]:
    """A good document with one value replaced or gone, or a key more."""
    paths = st.sampled_from(places(good))
    values = st.sampled_from(VALUES)
    return st.one_of(
        st.builds(lambda path, value: changed(good, path, replaced(value)), paths, values),
        st.builds(lambda path: changed(good, path, removed), paths),
        st.builds(lambda key, value: {**good, key: value}, st.sampled_from(["x", "nmae", "\x07", "a" * 3000]), values),
    )


def contents(good: Any, write: Callable[[Any], bytes]) -> st.SearchStrategy[bytes]:
    """The bytes of a file: of a changed document, cut off, with a byte changed, or of something else altogether."""
    whole = write(good)
    at = st.integers(0, len(whole) - 1)
    return st.one_of(
        documents(good).map(write),
        documents(good).map(write),
        st.sampled_from(TEXTS),
        at.map(lambda end: whole[:end]),
        st.builds(lambda at, byte: whole[:at] + bytes([byte]) + whole[at + 1 :], at, st.integers(0, 255)),
    )


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def as_parquet(document: Any) -> bytes:
    """Columns by their names, in JSON where Parquet has no type for what they hold."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = document if isinstance(document, dict) else {"column": document}
    arrays: dict[str, Any] = {}
    for name, values in columns.items():
        cells = values if isinstance(values, list) else [values]
        sink = pa.BufferOutputStream()
        try:
            array = pa.array(cells)
            pq.write_table(pa.table({"column": array}), sink)
        except (pa.ArrowException, OverflowError, RecursionError):
            array = pa.array([json.dumps(cell) for cell in cells])
        arrays[name] = array
    longest = max((len(cells) for cells in arrays.values()), default=0)
    whole = {
        name: pa.concat_arrays([cells, pa.nulls(longest - len(cells), cells.type)]) for name, cells in arrays.items()
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(whole), sink)
    return sink.getvalue().to_pybytes()


def packed(baseline: Any) -> Callable[[Any], bytes]:
    """Writes columns as the compressed ones of a baseline, whose checksum fits, however wrong they are."""

    def write(columns: Any) -> bytes:
        changed = json.loads(json.dumps(baseline))
        part, score = changed["parts"][0], changed["scores"][0]
        columns = columns if isinstance(columns, dict) else {"predictions": columns}
        for holder, name in ((part, "references"), (score, "predictions")):
            raw = json.dumps(columns.get(name)).encode()
            raw = raw * 3_000_000 if columns.get(name) == 2 else raw  # what unpacks to gigabytes
            holder[name] = base64.b64encode(zlib.compress(raw, 9)).decode()
        return with_checksum("sha256")(changed)

    return write


PLUGIN = """import numpy as np

import harness
from harness.metrics import Metric

VALUES = {values!r}


def compute(predictions, references):
    return VALUES["score"]


METRIC = Metric(
    name=VALUES["name"], version=VALUES["version"], inputs=VALUES["inputs"], low=VALUES["low"], high=VALUES["high"],
    compute=compute, chance=lambda references: VALUES["chance"], signature=VALUES["signature"],
)
harness.register(VALUES["kind"], VALUES["name"], METRIC)
"""


def as_plugin(document: Any) -> bytes:
    """The source of a plug-in with these values."""
    return PLUGIN.format(values=document).encode("utf-8", "surrogatepass")


def with_checksum(name: str) -> Callable[[Any], bytes]:
    """Writes a document with a checksum that fits it, however wrong the rest is."""

    def write(document: Any) -> bytes:
        kept = {key: value for key, value in document.items() if key != name}
        return json.dumps({**kept, name: hash_json(kept)}).encode()

    return write
