"""Results of other tools as results that can be compared: examples are matched by id, else by content.

What both have becomes parts of the same examples. A score without single examples stays one, with its standard error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from harness.core.hashing import hash_json
from harness.core.libraries import LIBRARIES
from harness.core.predictions import prediction_hash
from harness.core.specs import LIBRARY_MARK
from harness.core.text import shown
from harness.exchange.outcomes import content_hash
from harness.gating.entries import Entry, class_ids, class_names, entries_of, with_contents, with_ids
from harness.gating.flips import reader
from harness.gating.matched_splits import SPLIT, mean_metric, represented, split_of
from harness.gating.run_results import Key, RunResults, Scored, TaskSplit, TaskSplitKey

if TYPE_CHECKING:
    import numpy as np

Group = tuple[str, str, str]
"""A task, a metric by its name here, and a filter."""
SHOWN = 3


@dataclass
class Matched:
    """Two results of the same examples, why tasks could not be matched, and what a reader should know."""

    task_splits: tuple[dict[TaskSplitKey, TaskSplit], dict[TaskSplitKey, TaskSplit]] = field(
        default_factory=lambda: ({}, {})
    )
    scored: tuple[dict[Key, Scored], dict[Key, Scored]] = field(default_factory=lambda: ({}, {}))
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def matched(base: RunResults, candidate: RunResults) -> tuple[RunResults, RunResults, list[str], list[str]]:
    """Both as they are where neither is of another tool. Else what both have, reasons why the rest cannot be compared,
    and notes: how many examples were matched, and what is not known.
    """
    if not base.tool and not candidate.tool:
        return base, candidate, [], []
    both = (base, candidate)
    ours, others = (_groups(entries_of(results)) for results in both)
    result = Matched()
    pairs = _paired_groups(ours, others, result, [results.name for results in both])
    metrics_of_task = Counter((mine[0], theirs[0]) for mine, theirs in pairs)
    for mine, theirs in pairs:
        name = mine[0] if metrics_of_task[mine[0], theirs[0]] == 1 else _name(mine)
        _match(name, ours[mine], others[theirs], both, result)
    for results in both:
        if results.tool:
            result.notes += [*results.notes, f"not known of {results.name}: {', '.join(results.unknown) or 'nothing'}"]
    made = [
        replace(results, task_splits=task_splits, scored=scored, suites={}, margins={}, failures={}, outcomes=())
        for results, task_splits, scored in zip(both, result.task_splits, result.scored, strict=True)
    ]
    return made[0], made[1], result.reasons, result.notes


def _name(group: Group) -> str:
    task, metric, kept = group
    return f"{task}:{metric},{kept}" if kept else f"{task}:{metric}"


def _groups(entries: Sequence[Entry]) -> dict[Group, list[Entry]]:
    groups: dict[Group, list[Entry]] = {}
    for entry in entries:
        outcome = entry.outcome
        groups.setdefault((outcome.task, outcome.canonical, outcome.filter), []).append(entry)
    return groups


def _paired_groups(
    base: Mapping[Group, list[Entry]], candidate: Mapping[Group, list[Entry]], result: Matched, names: Sequence[str]
) -> list[tuple[Group, Group]]:
    """Tasks by name, a single one on each side whatever it is called; metrics by name, a single one as well."""
    tasks = [list(dict.fromkeys(group[0] for group in groups)) for groups in (base, candidate)]
    renamed = _only_tasks(base, candidate, tasks) or _same_but_for_marks(tasks)
    for task, other in renamed.items():
        result.notes.append(f"the tasks are taken for the same: {task} in the base, {other} in the candidate")
    pairs: list[tuple[Group, Group]] = []
    for task in tasks[0]:
        other = renamed.get(task, task)
        mine = [group for group in base if group[0] == task]
        theirs = [group for group in candidate if group[0] == other]
        if not theirs:
            result.reasons.append(f"task {task} of {names[0]} is not in {names[1]}")
            continue
        same = [(group, (other, *group[1:])) for group in mine if (other, *group[1:]) in theirs]
        if not same and len(mine) == len(theirs) == 1:
            same = [(mine[0], theirs[0])]
            result.notes.append(f"task {task}: {_name(mine[0])} in the base stands beside {_name(theirs[0])}")
        if not same:
            listed = [", ".join(_name(group).partition(":")[2] for group in groups) for groups in (mine, theirs)]
            result.reasons.append(f"task {task}: no metric in common: {listed[0]} in the base, {listed[1]}")
        pairs += same
    if extra := [task for task in tasks[1] if task not in tasks[0] and task not in renamed.values()]:
        result.notes.append(f"not in the base, so not judged: {', '.join(extra)}")
    return pairs


def _only_tasks(
    base: Mapping[Group, list[Entry]], candidate: Mapping[Group, list[Entry]], tasks: Sequence[Sequence[str]]
) -> dict[str, str]:
    """Where one has a single task, it stands beside the only one of the other, or the only one that has examples there,
    whatever it is called.
    """
    if 1 not in map(len, tasks) or set(tasks[0]) & set(tasks[1]):
        return {}
    chosen = []
    for names, groups in zip(tasks, (base, candidate), strict=True):
        with_examples = {group[0] for group, entries in groups.items() if all(len(entry.examples) for entry in entries)}
        chosen.append(list(names) if len(names) == 1 else [name for name in names if name in with_examples])
    return {chosen[0][0]: chosen[1][0]} if len(chosen[0]) == len(chosen[1]) == 1 else {}


def _same_but_for_marks(tasks: Sequence[Sequence[str]]) -> dict[str, str]:
    """Tasks of one side that are those of the other but for what a tool writes around a name: lighteval's suite and
    number of examples (`leaderboard|arc_easy|25`), a task library's name (`lm_eval:arc_easy`).
    """
    alone = [[name for name in names if name not in others] for names, others in (tasks, tasks[::-1])]
    by_bare: list[dict[str, list[str]]] = [{}, {}]
    for names, by_name in zip(alone, by_bare, strict=True):
        for name in names:
            by_name.setdefault(_bare(name), []).append(name)
    return {
        mine[0]: by_bare[1][bare][0]
        for bare, mine in by_bare[0].items()
        if len(mine) == len(by_bare[1].get(bare, ())) == 1
    }


def _bare(name: str) -> str:
    parts = name.split("|")
    if len(parts) > 1 and parts[-1].isdecimal():
        name = parts[-2]
    library, mark, rest = name.partition(LIBRARY_MARK)
    return rest if mark and library in LIBRARIES.names() else name


def _match(
    task: str, mine: list[Entry], theirs: list[Entry], both: tuple[RunResults, RunResults], result: Matched
) -> None:
    """One task by one metric, on both sides."""
    versions = [{entry.outcome.version for entry in entries if entry.outcome.version} for entries in (mine, theirs)]
    same_tool = both[0].tool == both[1].tool
    if same_tool and all(versions) and versions[0] != versions[1]:
        listed = [", ".join(sorted(group)) for group in versions]
        result.reasons.append(f"task {task}: version {listed[0]} in the base, {listed[1]} in the candidate")
        return
    entries = [*mine, *theirs]
    without = next((entry for entry in entries if not len(entry.examples)), None)
    if without is not None:
        where = both[0] if without in mine else both[1]
        _unpaired(task, mine, theirs, result, f"{where.name} has no single examples of it")
        return
    entries = [with_ids(entry, entries) for entry in entries]
    rows, how = _rows(entries, len(mine), both)
    if rows is None:
        result.reasons.append(f"task {task}: {how}")
        return
    if conflict := _conflict(entries, rows, same_tool):
        result.reasons.append(f"task {task}: {conflict}")
        return
    made = represented(task, entries, rows)
    if isinstance(made, str):
        _unpaired(task, mine, theirs, result, made)
        return
    count = len(rows[0])
    left_out = [max(len(entry.examples) for entry in group) - count for group in (mine, theirs)]
    result.notes.append(
        f"task {task}: {count} examples matched by {how}; {left_out[0]} of {both[0].name} and {left_out[1]} of "
        f"{both[1].name} are in that one alone, and left out"
    )
    for at, (entry, predictions) in enumerate(zip(entries, made.predictions, strict=True)):
        of_candidate = at >= len(mine)
        task_split = made.task_split(task, entries, rows)
        result.task_splits[of_candidate][task, SPLIT] = task_split
        value = task_split.metric(made.metric.name).score(predictions, task_split.references)
        result.scored[of_candidate][entry.outcome.model, task, SPLIT, entry.seed] = _scored(
            entry, predictions, {made.metric.name: _point(value)}, made.answers(entry, rows[at])
        )


def _unpaired(task: str, mine: list[Entry], theirs: list[Entry], result: Matched, why: str) -> None:
    """Scores with their variances, and no examples."""
    import numpy as np

    entries = [*mine, *theirs]
    name = mine[0].outcome.metric
    if any(entry.score is None for entry in entries):
        result.reasons.append(f"task {task}: {why}, and no score was reported")
        return
    outcome = mine[0].outcome
    scores = [entry.score or 0.0 for entry in entries]
    metric = mean_metric(name, scores, outcome.greater_is_better)
    result.notes.append(f"task {task}: not paired, since {why}: the interval is of scores and standard errors alone")
    n = min((entry.outcome.n or 0 for entry in entries), default=0)
    task_split = split_of(task, metric, n, np.zeros(0), is_paired=False)
    for at, (entry, score) in enumerate(zip(entries, scores, strict=True)):
        result.task_splits[at >= len(mine)][task, SPLIT] = task_split
        scored = _scored(entry, np.zeros(0), {metric.name: _point(score)}, None)
        # of equal length, a hash of its own: scores without examples are never identical
        scored = replace(scored, variance=entry.variance, prediction_hash=hash_json([at, score]))
        result.scored[at >= len(mine)][entry.outcome.model, task, SPLIT, entry.seed] = scored


def _point(value: float) -> dict[str, float]:
    return {"value": value, "low": value, "high": value}


def _rows(
    entries: Sequence[Entry], count: int, both: tuple[RunResults, RunResults]
) -> tuple[list[list[int]] | None, str]:
    """For each entry where the common examples stand in it, in the order of the first; and by what they were matched,
    or why they were not. The first `count` entries are the base's.
    """
    places = [{name: at for at, name in enumerate(entry.examples.ids)} for entry in entries]
    common = _in_all(places)
    if common:
        return [[place[name] for name in common] for place in places], "id"
    texts = [reader(results.how_read) for results in both if not results.tool]
    columns = [_content_columns(with_contents(entry, texts[0]) if texts else entry) for entry in entries]
    ids = " and ".join(f"{', '.join(map(shown, entry.examples.ids[:SHOWN]))}" for entry in (entries[0], entries[-1]))
    if not all(columns):
        return None, f"no example of one is in the other by its id ({ids} …), and their texts are not known"
    best: list[list[int]] = []
    for mine, theirs in product(range(len(columns[0])), range(len(columns[-1]))):
        taken = [
            of_entry[min(mine if at < count else theirs, len(of_entry) - 1)] for at, of_entry in enumerate(columns)
        ]
        if len(common := _in_all(taken)) > (len(best[0]) if best else 0):
            best = [[place[key] for key in common] for place in taken]
    if not best:
        return None, f"no example of one is in the other, by id ({ids} …) or by content: these are other examples"
    return best, "content"


def _content_columns(entry: Entry) -> list[Mapping[Any, int]]:
    """Where each content stands, by the hashes that tools may agree in: of the whole example, of what was asked, and of
    that with the answer.
    """
    examples = entry.examples
    columns = [examples.contents] if examples.contents is not None else []
    if examples.inputs is not None:
        columns.append(tuple(content_hash([asked]) for asked in examples.inputs))
        if examples.labels is not None:
            pairs = zip(examples.inputs, examples.labels, strict=True)
            columns.append(tuple(content_hash([asked, label]) for asked, label in pairs))
    return [_places_of_contents(column) for column in columns]


def _in_all(places: Sequence[Mapping[Any, int]]) -> list[Any]:
    return [key for key in places[0] if all(key in place for place in places[1:])]


def _places_of_contents(contents: Iterable[str]) -> dict[tuple[str, int, int], int]:
    """Where each content stands; of several equal ones the k-th of n, which matches the k-th of n alone."""
    listed = list(contents)
    totals, seen = Counter(listed), Counter[str]()
    places = {}
    for at, content in enumerate(listed):
        places[content, seen[content], totals[content]] = at
        seen[content] += 1
    return places


def _conflict(entries: Sequence[Entry], rows: Sequence[Sequence[int]], same_tool: bool) -> str:
    """Why matched examples are not the same after all; empty where they are."""
    count = len(rows[0])
    if same_tool and all(entry.examples.contents for entry in entries):
        differ = sum(
            len({(entry.examples.contents or ())[at] for entry, at in zip(entries, of_row, strict=True)}) > 1
            for of_row in zip(*rows, strict=True)
        )
        if differ:
            return f"{differ} of {count} examples have the same id and other texts: these are other examples"
    names = class_names(entries)
    known = [(entry, row) for entry, row in zip(entries, rows, strict=True) if entry.examples.labels]
    if names is None or len(known) < 2 or not (same_tool or any(entry.task_split for entry in entries)):
        return ""
    labels = [class_ids([(entry.examples.labels or ())[at] for at in row], names, None) for entry, row in known]
    if any(ids is None for ids in labels):
        return ""
    differ = sum(
        len(set(of_row)) > 1 for of_row in zip(*[ids.tolist() for ids in labels if ids is not None], strict=True)
    )
    return f"{differ} of {count} matched examples have other labels: these are other examples" if differ else ""


def _scored(
    entry: Entry, predictions: np.ndarray, scores: dict[str, dict[str, float]], answers: tuple[str, ...] | None
) -> Scored:
    """What a run of our own knows beside is kept where it cannot differ from what the other does not know."""
    ours = entry.scored
    return Scored(
        predictions=predictions, prediction_hash=prediction_hash(predictions), scores=scores,
        model_id=entry.outcome.model, learner="", weights=None, parameters=None, tokenizer=None, trained_on="",
        settings=entry.outcome.settings if ours is None else {}, answers=answers,
        partial_weights=ours.partial_weights if ours else "", contamination=ours.contamination if ours else "",
        cell=ours.cell if ours else None, files=ours.files if ours else None,
    )  # fmt: skip
