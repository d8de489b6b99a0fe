"""Pretrainings side by side: what was trained on what, for how long, and its scores on held-out text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from harness.core.cell_records import HeldOutScore, PretrainRecord
from harness.core.hashing import hash_json, short
from harness.report.tables import formats
from harness.report.tables.plotting import figure, plain
from harness.stats.aggregate import Estimate, over_seeds

NOTE = (
    "In brackets the 95 % interval over blocks of held-out text and, of several seeds, over those too; ± the standard "
    "deviation over seeds; seconds are their mean. Bold: better than the interval of every other one. "
    "Only pretrainings of one objective on one corpus, with one tokenizer and blocks of one length, stand in one "
    "table: losses and perplexities of others are of other tokens."
)
CHANCE = "chance"


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
class PretrainedModel:
    """The seeds of one pretraining, and its scores over them, with intervals."""

    seeds: tuple[Pretraining, ...]
    scores: Mapping[str, Estimate]

    @property
    def model(self) -> str:
        return self.seeds[0].model


@dataclass(frozen=True)
class Comparison:
    """Pretrainings whose scores may be compared, the best first."""

    title: str
    objective: str
    corpus: str
    fingerprint: str
    models: tuple[PretrainedModel, ...]

    @property
    def rows(self) -> tuple[Pretraining, ...]:
        """Each seed by itself."""
        return tuple(row for model in self.models for row in model.seeds)


def build(records: Sequence[PretrainRecord], losses: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """Tables of pretrainings, of each corpus and objective by itself; `losses` are those of steps by cell."""
    groups: dict[str, list[PretrainRecord]] = {}
    for record in records:
        groups.setdefault(_group(record), []).append(record)
    comparisons = []
    for group in groups.values():
        first = group[0]
        title = f"{first.objective} on {first.data.location} (data {short(first.data.fingerprint)})"
        seeds: dict[str, list[Pretraining]] = {}
        for record in group:
            seeds.setdefault(_but_for_its_seed(record), []).append(_row(record, losses.get(record.cell, ())))
        models = sorted(map(_over_seeds, seeds.values()), key=lambda model: _order(model))
        comparisons.append(
            Comparison(title, first.objective, first.data.location, first.data.fingerprint, tuple(models))
        )
    return comparisons


def _but_for_its_seed(record: PretrainRecord) -> str:
    """What tells a pretraining from others of the same table, whatever its seed, its code and its machine."""
    spec = {key: value for key, value in record.spec.items() if key not in ("seed", "code", "machine")}
    settings = {key: value for key, value in (spec.get("pretraining") or {}).items() if key != "seed"}
    return hash_json([record.model.name, spec | {"pretraining": settings}])


def _over_seeds(rows: Sequence[Pretraining]) -> PretrainedModel:
    names = dict.fromkeys(name for row in rows for name in row.scores)
    scores = {
        name: over_seeds(
            [(row.scores[name].value, row.scores[name].low, row.scores[name].high) for row in having], (0, None)
        )
        for name in names
        if (having := [row for row in rows if name in row.scores])
    }
    return PretrainedModel(tuple(sorted(rows, key=lambda row: row.seed)), scores)


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


def _order(model: PretrainedModel) -> tuple[float, str, int]:
    name = next(iter(model.scores), None)
    value = float("inf") if name is None else model.scores[name].value * (-1 if _greater_is_better(model, name) else 1)
    return value, model.model, model.seeds[0].seed


def _greater_is_better(model: PretrainedModel, name: str) -> bool:
    return next(row.scores[name].greater_is_better for row in model.seeds if name in row.scores)


def header_and_lines(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The table as text: a line a model, the scores behind what they took, then what chance scores."""
    names = list(dict.fromkeys(name for model in comparison.models for name in model.scores))
    header = ["model", "seeds", "parameters", "steps", "tokens", "epochs", "seconds", "precision", *names, "blocks"]
    chances = {name: _chance(comparison, name) for name in names}
    lines = [
        [model.model, ", ".join(str(row.seed) for row in model.seeds), _same(model, "parameters"),
         _same(model, "steps"), _same(model, "tokens"), _same(model, "epochs"),
         f"{fmean(row.seconds for row in model.seeds):.0f}", model.seeds[0].precision,
         *(_score(comparison, model, name) for name in names),
         str(max((score.n for row in model.seeds for score in row.scores.values()), default=0))]
        for model in comparison.models
    ]  # fmt: skip
    if any(chances.values()):
        lines.append([CHANCE, *[""] * 7, *(chances[name] for name in names), ""])
    return header, lines


def _same(model: PretrainedModel, name: str) -> str:
    """A number of all seeds, their mean where they differ, as they do under a wall-clock budget."""
    mean = fmean(getattr(row, name) for row in model.seeds)
    return f"{mean:g}" if name == "epochs" else f"{mean:,.0f}"


def to_markdown(comparison: Comparison) -> str:
    """A row a model, the scores behind what it took."""
    header, lines = header_and_lines(comparison)
    body = [
        [f"*{text}*" if text else "" for text in line] if line[0] == CHANCE else [formats.escaped(line[0]), *line[1:]]
        for line in lines
    ]
    return formats.markdown_table(comparison.title, header, body, [NOTE])


def _chance(comparison: Comparison, name: str) -> str:
    values = {row.scores[name].chance for row in comparison.rows if name in row.scores}
    value = values.pop() if len(values) == 1 else None
    return "" if value is None else f"{value:.4g}"


def _score(comparison: Comparison, model: PretrainedModel, name: str) -> str:
    score = model.scores.get(name)
    if score is None:
        return formats.NONE
    spread = "" if score.sd is None else f" ± {score.sd:.3g}"
    text = f"{score.value:.4g}{spread} [{score.low:.4g}, {score.high:.4g}]"
    others = [other.scores[name] for other in comparison.models if other is not model and name in other.scores]
    greater = _greater_is_better(model, name)
    return f"**{text}**" if others and all(_is_better(score, other, greater) for other in others) else text


def _is_better(score: Estimate, other: Estimate, greater: bool) -> bool:
    return score.low > other.high if greater else score.high < other.low


def to_json(comparisons: Sequence[Comparison]) -> str:
    """All of the tables, losses of steps included."""
    tables = [
        {
            "title": comparison.title,
            "objective": comparison.objective,
            "corpus": comparison.corpus,
            "fingerprint": comparison.fingerprint,
            "models": [
                {
                    "model": model.model,
                    "seeds": [row.seed for row in model.seeds],
                    "scores": {name: asdict(score) for name, score in model.scores.items()},
                }
                for model in comparison.models
            ],
            "rows": [
                {**vars(row), "scores": {name: score.as_json() for name, score in row.scores.items()}}
                for row in comparison.rows
            ],
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
