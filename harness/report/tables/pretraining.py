"""Pretrainings side by side: what was trained on what, for how long, and its scores on held-out text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.core.cell_records import HeldOutScore, PretrainRecord
from harness.core.hashing import hash_json, short
from harness.report.tables import formats
from harness.report.tables.plotting import figure, plain

NOTE = (
    "In brackets the 95 % interval over blocks of held-out text; bold: better than the interval of every other one. "
    "Only pretrainings of one objective on one corpus, with one tokenizer and blocks of one length, stand in one "
    "table: losses and perplexities of others are of other tokens."
)
LOSS = "loss"


@dataclass(frozen=True)
class Pretraining:
    """A pretraining: what the run calls it, the cell that made it, and what its record says.

    Attributes:
        seconds: Of the whole cell, in which the text is tokenized too.
        losses: The loss of each step; empty where it was not kept.
    """

    model: str
    cell: str
    seed: int
    parameters: int
    steps: int
    tokens: int
    epochs: float
    seconds: float
    precision: str
    device: str
    augmented_documents: int | None
    scores: Mapping[str, HeldOutScore]
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Pretrainings whose scores may be compared, the best first."""

    title: str
    objective: str
    corpus: str
    fingerprint: str
    rows: tuple[Pretraining, ...]


def build(records: Sequence[PretrainRecord], losses: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """Tables of pretrainings, of each corpus and objective by itself; `losses` are those of steps by cell."""
    groups: dict[str, list[PretrainRecord]] = {}
    for record in records:
        groups.setdefault(_group(record), []).append(record)
    comparisons = []
    for group in groups.values():
        first = group[0]
        title = f"{first.objective} on {first.data.location} (data {short(first.data.fingerprint)})"
        rows = sorted((_row(record, losses.get(record.cell, ())) for record in group), key=_order)
        comparisons.append(Comparison(title, first.objective, first.data.location, first.data.fingerprint, tuple(rows)))
    return comparisons


def _group(record: PretrainRecord) -> str:
    model, settings = record.spec.get("model") or {}, record.spec.get("pretraining") or {}
    return hash_json([record.objective, record.data.fingerprint, model.get("tokenizer"), settings.get("block_size")])


def _row(record: PretrainRecord, losses: Sequence[float]) -> Pretraining:
    fit = record.fit
    return Pretraining(
        model=record.model.name,
        cell=record.cell,
        seed=record.seed,
        parameters=record.model.parameters or 0,
        steps=fit.steps,
        tokens=fit.tokens,
        epochs=fit.epochs,
        seconds=record.timings.seconds,
        precision=fit.precision or "",
        device=fit.device or "",
        augmented_documents=record.data.augmented_documents,
        scores=record.scores,
        losses=tuple(losses),
    )


def _order(row: Pretraining) -> tuple[float, str, int]:
    score = next(iter(row.scores.values()), None)
    value = float("inf") if score is None else -score.value if score.greater_is_better else score.value
    return value, row.model, row.seed


def to_markdown(comparison: Comparison) -> str:
    """A row a pretraining, the scores behind what it took."""
    names = list(dict.fromkeys(name for row in comparison.rows for name in row.scores))
    header = ["model", "seed", "parameters", "steps", "tokens", "epochs", "seconds", "precision", *names, "blocks"]
    chances = {name: _chance(comparison, name) for name in names}
    body = [
        [formats.escaped(row.model), str(row.seed), f"{row.parameters:,}", f"{row.steps:,}", f"{row.tokens:,}",
         f"{row.epochs:g}", f"{row.seconds:.0f}", row.precision, *(_score(comparison, row, name) for name in names),
         str(max((score.n for score in row.scores.values()), default=0))]
        for row in comparison.rows
    ]  # fmt: skip
    if any(chances.values()):
        body.append(["*chance*", *[""] * 7, *(f"*{chances[name]}*" if chances[name] else "" for name in names), ""])
    return formats.markdown_table(comparison.title, header, body, [NOTE])


def _chance(comparison: Comparison, name: str) -> str:
    values = {row.scores[name].chance for row in comparison.rows if name in row.scores}
    value = values.pop() if len(values) == 1 else None
    return "" if value is None else f"{value:.4g}"


def _score(comparison: Comparison, row: Pretraining, name: str) -> str:
    score = row.scores.get(name)
    if score is None:
        return "–"
    text = f"{score.value:.4g} [{score.low:.4g}, {score.high:.4g}]"
    others = [other.scores[name] for other in comparison.rows if other is not row and name in other.scores]
    return f"**{text}**" if others and all(_is_better(score, other) for other in others) else text


def _is_better(score: HeldOutScore, other: HeldOutScore) -> bool:
    return score.low > other.high if score.greater_is_better else score.high < other.low


def to_json(comparisons: Sequence[Comparison]) -> str:
    """All of the tables, losses of steps included."""
    tables = [
        asdict(comparison)
        | {
            "rows": [
                {**vars(row), "scores": {name: score.as_json() for name, score in row.scores.items()}}
                for row in comparison.rows
            ]
        }
        for comparison in comparisons
    ]
    return json.dumps({"schema_version": 1, "tables": tables}, indent=1, ensure_ascii=False)


def plot(comparison: Comparison, path: Path) -> None:
    """The loss by tokens seen, a line a pretraining. The format follows the file's ending.

    Raises:
        HarnessError: matplotlib is not installed, or the ending is of no format.
    """
    with figure(path, 7, 4.5) as axes:
        for row in comparison.rows:
            if row.losses:
                per_step = row.tokens / max(1, len(row.losses))
                seen = [per_step * (step + 1) for step in range(len(row.losses))]
                axes.plot(seen, row.losses, label=plain(f"{row.model}, seed {row.seed}"), linewidth=1)
        axes.set_xlabel("tokens seen")
        axes.set_ylabel(f"training loss of {comparison.objective}")
        axes.set_title(plain(comparison.title))
        axes.legend()
