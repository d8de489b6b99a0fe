"""Ranks with ties: which models of a leaderboard the data do not separate, and how many examples would."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from harness.core.errors import HarnessError
from harness.report.tables import formats
from harness.report.tables.comparable import Draft
from harness.report.tables.leading import paired_measures
from harness.report.tables.pairs import Load
from harness.report.tables.table import Row, Score, Table
from harness.stats.aggregate import Estimate
from harness.stats.paired import mean_drop, paired_drop
from harness.stats.ranking import Difference, examples_needed, letters, ranks, two_sided
from harness.stats.significance import Drop, mcnemar_mid_p

SCHEMA_VERSION = 1
MOST = 40
"""Models that are ranked: 780 tests."""
AVERAGE = "average"
Z = 1.959964

Compare = Callable[[str, str, str], Difference | None]
"""From what is ranked by (a task, or the average) and the ids of two models to how much more the first scores; None
where their predictions are not at hand, or not of the same examples.
"""


@dataclass(frozen=True)
class RankedModel:
    """A model: its place's bounds, the groups it is in, its score, and what is known of it and the next one: how much
    less that scores, p of the two (two-sided, adjusted), and how many examples would separate them. None: no next one,
    or no number of examples would.
    """

    model: str
    lowest: int
    highest: int
    groups: str
    score: Estimate
    gap: float | None
    p: float | None
    needed: int | None


@dataclass(frozen=True)
class Ranking:
    """The models of a table by one score. `tests` is how many pairs were tested, `unpaired` how many of them by
    intervals alone; `left_out` are models beyond `MOST`. A `scale` of 100: scores are fractions.
    """

    title: str
    by: str
    n: int
    models: tuple[RankedModel, ...]
    tests: int
    unpaired: int
    left_out: int
    scale: int = 100


def of_table(table: Table, compare: Compare, most: int = MOST) -> list[Ranking]:
    """The rankings of a table: by the average, or by each task where there is none; none of less than two models."""
    rankings = (_ranking(table, by, compare, most) for by in _scores(table))
    return [ranking for ranking in rankings if ranking is not None]


def _scores(table: Table) -> list[str]:
    has_average = table.of_tasks > 1 and sum(row.average is not None for row in table.rows) > 1
    return [AVERAGE] if has_average else [column.task for column in table.columns]


def _ranking(table: Table, by: str, compare: Compare, most: int) -> Ranking | None:
    column = next((column for column in table.columns if column.task == by), None)
    sign = 1 if column is None or column.greater_is_better else -1
    scored = [(row, score.estimate) for row in table.rows if (score := _score(row, by)) is not None]
    scored.sort(key=lambda entry: (-sign * entry[1].value, entry[0].label))
    kept = scored[:most]
    if len(kept) < 2:
        return None
    n = _examples(table, _tasks(table, by))
    differences = {}
    for at, (row, estimate) in enumerate(kept):
        for place in range(at + 1, len(kept)):
            other, other_estimate = kept[place]
            paired = compare(by, row.model, other.model)
            differences[at, place] = paired or _unpaired(estimate, other_estimate, n)
    made = ranks(len(kept), {pair: difference.p for pair, difference in differences.items()})
    models = []
    for at, (row, estimate) in enumerate(kept):
        pair = (at, at + 1)
        following = differences.get(pair)
        models.append(
            RankedModel(
                model=row.label,
                lowest=made.lowest[at],
                highest=made.highest[at],
                groups=letters(made.groups, at),
                score=estimate,
                gap=abs(estimate.value - kept[at + 1][1].value) if following else None,
                p=made.adjusted[pair] if following else None,
                needed=examples_needed(following) if following else None,
            )
        )
    return Ranking(
        title=formats.title(table),
        by=by,
        n=n,
        models=tuple(models),
        tests=len(differences),
        unpaired=sum(not difference.is_paired for difference in differences.values()),
        left_out=len(scored) - len(kept),
        scale=100 if column is None else column.scale,
    )


def _tasks(table: Table, by: str) -> list[str]:
    return list(table.averaged) if by == AVERAGE else [by]


def _examples(table: Table, tasks: Sequence[str]) -> int:
    return sum(sum(column.n.values()) for column in table.columns if column.task in tasks)


def _score(row: Row, by: str) -> Score | None:
    return row.average if by == AVERAGE else row.scores.get(by)


def _unpaired(first: Estimate, second: Estimate, n: int) -> Difference:
    """By the half-widths of both intervals, as if of other examples: less is separated than by a paired test."""
    variance = sum(((estimate.high - estimate.low) / (2 * Z)) ** 2 for estimate in (first, second))
    drop = Drop(abs(first.value - second.value), variance)
    return Difference(drop, two_sided(drop.p_worse()) if variance > 0 else 1.0, n, is_paired=False)


def paired_comparer(table: Table, draft: Draft, load: Load) -> Compare:
    """Compares models of a table by their stored predictions, with the gate's statistics."""

    def compare(by: str, first: str, other: str) -> Difference | None:
        tasks = _tasks(table, by)
        n = _examples(table, tasks)
        try:
            pairs = [paired_measures(draft.models[first], draft.models[other], task, load) for task in tasks]
            known = [paired_drop(*pair) for pair in pairs if pair is not None]
        except HarnessError:  # predictions that are damaged, or metrics that are not here any more
            return None
        if not known or len(known) < len(tasks):
            return None
        drop = known[0].drop if len(known) == 1 else mean_drop(known)[0]
        is_counted = len(known) == 1 and known[0].flips is not None and len(known[0].per_seed) == 1
        p = mcnemar_mid_p(*known[0].flips) if is_counted and known[0].flips is not None else drop.p_worse()
        return Difference(drop, two_sided(p), n)

    return compare


def to_markdown(ranking: Ranking) -> str:
    """A table with a line a model; ends with a newline."""
    header, body = cells(ranking)
    escaped = [[formats.escaped(cell) for cell in line] for line in body]
    title = f"Ranks by {ranking.by}: {ranking.title}"
    return formats.markdown_table(title, [formats.escaped(head) for head in header], escaped, notes(ranking))


def cells(ranking: Ranking) -> tuple[list[str], list[list[str]]]:
    """The header, and a line a model; not escaped."""
    header = ["rank", "group", "model", ranking.by, "to the next", "p adj.", "examples to separate them"]
    body = []
    for row in ranking.models:
        score = formats.number(row.score, ranking.scale)
        body.append([_place(row), row.groups, row.model, score, *_next(row, ranking)])
    return header, body


def _place(row: RankedModel) -> str:
    return str(row.lowest) if row.lowest == row.highest else f"{row.lowest}–{row.highest}"


def _next(row: RankedModel, ranking: Ranking) -> list[str]:
    if row.gap is None or row.p is None:
        return [formats.NONE] * 3
    p = "<0.0001" if row.p < 0.0001 else f"{row.p:.4f}"
    needed = formats.NONE if row.needed is None else f"{row.needed:,}"
    return [formats.scaled(row.gap, ranking.scale), p, needed]


def notes(ranking: Ranking) -> list[str]:
    """How to read it, what was tested, and what is left out."""
    groups = sorted(
        {group for row in ranking.models for group in row.groups.split()}, key=lambda group: (len(group), group)
    )
    alone = all(row.lowest == row.highest for row in ranking.models)
    sentences = [
        f"Rank: from one more than the models that are better to the models that are not worse, by {ranking.tests} "
        f"pairwise tests over {ranking.n} examples, two-sided, adjusted over all of them (Holm). Models that share a "
        "letter are not separated."
    ]
    sentences.append(
        "Every two models are separated."
        if alone
        else f"{len(groups)} group{'s' if len(groups) > 1 else ''} of {len(ranking.models)} models."
    )
    sentences.append(
        "Examples to separate two neighbours: with 80 % power, if they differ by what was seen, in that test alone; "
        f"there are {ranking.n}. {formats.NONE}: no number would, since they are level or the spread between seeds "
        "hides the difference."
    )
    if ranking.unpaired:
        sentences.append(
            f"{ranking.unpaired} of {ranking.tests} tests are of intervals alone, unpaired: predictions of the same "
            "examples are not at hand."
        )
    if ranking.left_out:
        sentences.append(f"{ranking.left_out} models with lower scores are left out.")
    return sentences


def to_json(rankings: Sequence[Ranking]) -> str:
    """Everything, at full precision, in fractions."""
    content = {"schema_version": SCHEMA_VERSION, "rankings": [asdict(ranking) for ranking in rankings]}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
