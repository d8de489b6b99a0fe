"""Predictions of a split and their file, one row an example."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.arrow_columns import arrow_column
from harness.core.cell_records import ReadingFacts
from harness.core.errors import DamagedFileError
from harness.core.grouped import grouped, groups_of
from harness.core.hashing import canonical_json
from harness.core.text import clipped

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PREDICTIONS = "predictions.parquet"
AT_ONCE = 2**17
"""Predictions that are written together."""
GROUP = "group"
"""The column of the groups of examples, in files of tasks that have them."""


@dataclass(frozen=True)
class Reading:
    """How much of n examples a model with a tokenizer reads.

    Attributes:
        examples: n.
        truncated: Examples that were cut.
        max_length: The most tokens that are read of one.
        tokens: Tokens read, without padding.
        unknown: Those of them that stand for text the tokenizer has no token for.
    """

    examples: int
    truncated: int
    max_length: int
    tokens: int
    unknown: int

    @classmethod
    def of_parts(cls, parts: Sequence[Reading]) -> Reading:
        """Of all examples, from that of disjoint parts of them."""
        counts = ("examples", "truncated", "tokens", "unknown")
        sums = {name: sum(getattr(part, name) for part in parts) for name in counts}
        return cls(max_length=max(part.max_length for part in parts), **sums)


UNKNOWN_AT_MOST = 0.01
"""The fraction of unknown tokens above which a score says so."""


def reading_notes(read: ReadingFacts | None, split: str) -> list[str]:
    """What a reader of a score should know of how much of the texts the model has read.

    Args:
        read: What the score's record says of it.
        split: The split that was scored.

    Returns:
        Sentences without a full stop; none where all was read.
    """
    if not read:
        return []
    notes = []
    if read.truncated:
        notes.append(f"{read.truncated} of {read.examples} examples of {split} were cut to {read.max_length} tokens")
    unknown = read.unknown / max(1, read.tokens)
    if unknown > UNKNOWN_AT_MOST:
        notes.append(f"{100 * unknown:.3g} % of the tokens of {split} are unknown to the tokenizer")
    return notes


@dataclass(frozen=True)
class Predictions:
    """What a model says of n examples.

    `values` (n,) are what metrics receive: class ids (int64), floats, strings (object) or log-likelihoods. `columns`
    are kept beside them, n rows each: logits, confidences. `settings` says how they came about, for the record.
    `read` is how much of the texts the model read; None where it reads characters or words. `cautions` are sentences
    that a reader of the scores must know.
    """

    values: np.ndarray
    columns: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    read: Reading | None = None
    cautions: tuple[str, ...] = ()


def joined(parts: Sequence[Predictions], rows: Sequence[Sequence[int]]) -> Predictions:
    """Predictions of disjoint parts of a split as those of the whole; `rows` are where each part's examples stand."""
    import numpy as np

    order = np.argsort(np.concatenate([np.asarray(indices, dtype=np.int64) for indices in rows]))

    def column(name: str) -> Any:
        values = [part.columns[name] for part in parts]
        if all(isinstance(array, np.ndarray) for array in values):
            return np.concatenate(values)[order]
        flat = [value for array in values for value in array]
        return [flat[index] for index in order]

    values = np.concatenate([part.values for part in parts])[order]
    names = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    cautions = tuple(dict.fromkeys(caution for part in parts for caution in part.cautions))
    read = [part.read for part in parts if part.read is not None]
    whole = Reading.of_parts(read) if len(read) == len(parts) else None
    return Predictions(values, {name: column(name) for name in names}, parts[0].settings, whole, cautions)


def as_references(labels: Sequence[Any], groups: Sequence[str] | None = None) -> np.ndarray:
    """Labels as metrics take them, (n,): class ids, floats, or tuples of reference texts; of examples that are in
    groups with these.
    """
    import numpy as np

    if groups is not None:
        references: np.ndarray = grouped(np.asarray(labels), groups)
        return references

    if not labels or not isinstance(labels[0], tuple):
        return np.asarray(labels)
    references = np.empty(len(labels), dtype=object)
    for index, texts in enumerate(labels):
        references[index] = texts
    return references


def write_predictions(
    path: Path,
    ids: Sequence[str],
    predicted: Predictions,
    references: np.ndarray | None,
    oracle: np.ndarray | None,
) -> None:
    """Columns: id, prediction, label and oracle (null where unknown), the group of examples in groups, and the
    predictions' own, such as logits (a list of float32).
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = {"i": pa.int64(), "u": pa.int64(), "f": pa.float64()}.get(predicted.values.dtype.kind, pa.string())
    in_words = references is not None and references.dtype.kind == "O"
    known = pa.list_(pa.string()) if in_words else kind
    groups = groups_of(references)

    def is_table(values: Any) -> bool:
        return isinstance(values, np.ndarray) and values.ndim == 2

    kinds = {name: pa.list_(pa.float32()) for name, values in predicted.columns.items() if is_table(values)}
    if len(ids) > AT_ONCE:  # parts of a column are to be of one type
        others = {name: values for name, values in predicted.columns.items() if name not in kinds}
        kinds |= {name: pa.infer_type(list(values)) for name, values in others.items()}

    def part(rows: slice) -> pa.Table:
        count = len(range(*rows.indices(len(ids))))
        true: Any = None if references is None else references[rows]
        labels = [list(texts) for texts in true] if in_words and true is not None else true
        columns = {
            "id": arrow_column(ids[rows], pa.string()),
            "prediction": arrow_column(predicted.values[rows].tolist(), kind),
            "label": pa.nulls(count, known) if labels is None else arrow_column(labels, known),
            "oracle": pa.nulls(count, known) if oracle is None else arrow_column(oracle[rows], known),
        }
        if groups is not None:
            columns[GROUP] = arrow_column(groups[rows], pa.int64())
        for name, values in predicted.columns.items():
            columns[name] = arrow_column(values[rows], kinds.get(name))
        return pa.table(columns)

    first = part(slice(0, AT_ONCE))
    if len(ids) <= AT_ONCE:
        pq.write_table(first, path)
        return
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for start in range(AT_ONCE, len(ids), AT_ONCE):
            writer.write_table(part(slice(start, start + AT_ONCE)))


def read_predictions(path: Path, count: int | None = None) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Predictions, and references and oracle where there are any: (n,) each. Raises DamagedFileError where the file is
    none of `count` predictions.
    """
    import numpy as np
    import pyarrow as pa

    table = read_columns(path, ("prediction", "label", "oracle"), (GROUP,))
    if count is not None and len(table) != count:
        raise DamagedFileError(f"{path} is damaged: {len(table)} predictions, its record says {count}")

    def column(name: str) -> np.ndarray | None:
        values = table.column(name)
        if values.null_count:
            return None
        kind = values.type
        if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
            listed = values.to_pylist()
            if any(texts is None or None in texts for texts in listed):
                raise DamagedFileError(f"{path} is damaged: its column {name} lacks texts")
            return as_references(tuple(tuple(texts) for texts in listed))
        if pa.types.is_string(kind):
            return np.asarray(values.to_pylist(), dtype=object)
        if not (pa.types.is_int64(kind) or pa.types.is_float64(kind)):
            raise DamagedFileError(f"{path} is damaged: its column {name} is of {clipped(str(kind))}")
        numbers = values.to_numpy()
        if not np.isfinite(numbers).all():
            raise DamagedFileError(f"{path} is damaged: its column {name} has numbers that are not finite")
        return np.asarray(numbers)

    predictions = column("prediction")
    if predictions is None:
        raise DamagedFileError(f"{path} is damaged: some predictions are missing")
    references = column("label")
    if GROUP in table.column_names and references is not None:
        groups = column(GROUP)
        if groups is None or groups.dtype.kind != "i":
            raise DamagedFileError(f"{path} is damaged: its column {GROUP} does not number groups")
        references = grouped(references, groups)
    return predictions, references, column("oracle")


def read_ids(path: Path) -> tuple[str, ...]:
    """The ids of the examples. Raises DamagedFileError as `read_predictions`."""
    ids = read_columns(path, ("id",)).column("id").to_pylist()
    if not all(isinstance(name, str) for name in ids):
        raise DamagedFileError(f"{path} is damaged: its column id holds others than texts")
    return tuple(ids)


def read_logits(path: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray] | None:
    """Ids, labels (n,) and logits (n, k) of predictions that are classes; None where labels or logits are missing.
    Raises DamagedFileError as `read_predictions`.
    """
    import numpy as np
    import pyarrow as pa

    table = read_columns(path)
    labels = table.column("label")
    if "logits" not in table.column_names or not pa.types.is_integer(labels.type) or labels.null_count:
        return None
    try:
        logits = np.asarray(table.column("logits").to_pylist(), dtype=np.float64)
    except (TypeError, ValueError):
        logits = np.empty(0)
    references = labels.to_numpy()
    of_classes = logits.ndim == 2 and logits.shape[1] > 0 and len(references) > 0
    if not of_classes or references.min() < 0 or references.max() >= logits.shape[1] or not np.isfinite(logits).all():
        raise DamagedFileError(f"{path} is damaged: its logits are not those of classes")
    return read_ids(path), references, logits


def read_columns(path: Path, names: tuple[str, ...] = (), where_there: tuple[str, ...] = ()) -> pa.Table:
    """Columns of a file, all where none is named; it has `id` and `label`. Raises DamagedFileError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            there = set(file.schema_arrow.names)
            lacking = {"id", "label", *names} - there
            if lacking:
                raise DamagedFileError(f"{path} is damaged: it has no column {min(lacking)}")
            return file.read([*names, *(name for name in where_there if name in there)] if names else None)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DamagedFileError(f"{path} is damaged: {clipped(' '.join(str(error).split()), 200)}") from None


def prediction_hash(predictions: np.ndarray) -> str:
    """Of the predictions alone: equal hashes mean equal behaviour on the split."""
    digest = hashlib.sha256(b"[")
    for start in range(0, len(predictions), AT_ONCE):
        listed = canonical_json(predictions[start : start + AT_ONCE].tolist())[1:-1]
        digest.update(f"{',' if start else ''}{listed}".encode())
    digest.update(b"]")
    return digest.hexdigest()
