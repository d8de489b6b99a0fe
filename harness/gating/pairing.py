"""Which scores of a candidate stand beside which of its base, and why some cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.core.errors import did_you_mean
from harness.gating.run_results import Key, RunResults, Scored, TaskSplit

COMPRESSED = "+"
"""What stands between the name of a model and the method by which another was made of it."""
SAME_SCORE = 1e-6
"""A stored score that differs by more from what its predictions score now was computed by another metric."""


@dataclass(frozen=True)
class Pair:
    """A model on a task: the splits, what base and candidate predict there by pairs of seeds, and the seeds at which
    the candidate failed, with causes. `sides[split]` lists (base, candidate), one for each pair of seeds. With
    `one_candidate` a single seed of the candidate stands beside several of the base.
    """

    task: str
    base_model: str
    candidate_model: str
    task_splits: tuple[TaskSplit, ...]
    scored: Mapping[str, tuple[tuple[Scored, Scored], ...]]
    seeds: tuple[tuple[int, int], ...]
    failed: Mapping[int, str]
    candidate_splits: tuple[TaskSplit, ...] = ()
    one_candidate: bool = False

    def one_to_one(self) -> Pair:
        """Without seeds of the base beyond one for each of the candidate: for what is told of single examples."""
        if not self.one_candidate:
            return self
        at = next((at for at, (base, candidate) in enumerate(self.seeds) if base == candidate), 0)
        return self._at(at)

    def without_retraining(self) -> Pair:
        """Where the one candidate predicts just what a seed of the base does, the pair of these two."""
        for at in range(len(self.seeds)):
            both = [scored_pairs[at] for scored_pairs in self.scored.values()]
            if self.one_candidate and all(base.prediction_hash == other.prediction_hash for base, other in both):
                return self._at(at)
        return self

    def _at(self, at: int) -> Pair:
        scored = {split: scored_pairs[at : at + 1] for split, scored_pairs in self.scored.items()}
        return replace(self, seeds=self.seeds[at : at + 1], scored=scored, one_candidate=False)

    @property
    def model(self) -> str:
        same = self.base_model == self.candidate_model
        return self.candidate_model if same else f"{self.base_model} → {self.candidate_model}"


@dataclass
class Alignment:
    """The pairs; what cannot be compared, each with its reason; what a reader should know."""

    pairs: list[Pair] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def align(
    base: RunResults,
    candidate: RunResults,
    allow: tuple[str, ...] = (),
    seeds: int | None = None,
    models: Mapping[str, str] | None = None,
) -> Alignment:
    """Pair models as `models` says or by name (one on each side are a pair whatever they are called), tasks and splits
    by name, seeds by number, or in order where the two have no seed in common. With `seeds` 1, the candidate's first
    seed stands beside all of the base's.

    Reasons are: a model, task, split or metric of the base that the candidate lacks; another version of a task or
    metric; other data; another tokenizer or training data unless allowed; a base whose stored scores its predictions
    no longer give.
    """
    alignment = Alignment()
    for base_model, candidate_model in _models(base, candidate, models or {}, alignment).items():
        for task in base.tasks:
            if any(key[0] == base_model and key[1] == task for key in base.scored):
                _align_task(base, candidate, base_model, candidate_model, task, allow, seeds, alignment)
    extra = [task for task in candidate.tasks if task not in base.tasks]
    if extra:
        alignment.notes.append(f"not in the base, so not judged: {', '.join(extra)}")
    alignment.reasons = list(dict.fromkeys(alignment.reasons))
    alignment.notes = list(dict.fromkeys(alignment.notes))
    return alignment


def _models(base: RunResults, candidate: RunResults, given: Mapping[str, str], alignment: Alignment) -> dict[str, str]:
    if len(base.models) == len(candidate.models) == 1:
        return {base.models[0]: candidate.models[0]}
    pairs = {model: given.get(model, model) for model in base.models}
    for model, other in pairs.items():
        if other not in candidate.models:
            made_of_it = compressed(model, candidate.models)
            hint = (
                f" '{made_of_it[0]}' is made of it: --model '{model}={made_of_it[0]}' pairs the two."
                if made_of_it
                else did_you_mean(model, candidate.models)
            )
            alignment.reasons.append(f"model '{model}' of the base is not in the candidate.{hint}")
    extra = [model for model in candidate.models if model not in pairs.values()]
    if extra:
        alignment.notes.append(f"models not in the base, so not judged: {', '.join(extra)}")
    return {model: other for model, other in pairs.items() if other in candidate.models}


def compressed(model: str, models: Sequence[str]) -> list[str]:
    """Which of the models are named as compressed ones of this one."""
    return [name for name in models if name.startswith(f"{model}{COMPRESSED}")]


def _align_task(
    base: RunResults,
    candidate: RunResults,
    base_model: str,
    candidate_model: str,
    task: str,
    allow: tuple[str, ...],
    limit: int | None,
    alignment: Alignment,
) -> None:
    splits = [task_split for (name, _), task_split in base.task_splits.items() if name == task]
    before = len(alignment.reasons)
    present = any(key[0] == candidate_model and key[1] == task for key in (*candidate.scored, *candidate.failures))
    if not present:
        alignment.reasons.append(_vanished(base, candidate, candidate_model, task))
        return
    others = []
    for task_split in splits:
        other = candidate.task_splits.get((task, task_split.split))
        if other is None and any(key[1:3] == (task, task_split.split) for key in candidate.failures):
            continue
        if other is None:
            alignment.reasons.append(f"task {task}: the candidate has no split {task_split.split}")
            continue
        others.append(other)
        alignment.reasons += _mismatches(task_split, other)
    ours = base.seeds(base_model, task)
    theirs = candidate.seeds(candidate_model, task)
    one_candidate = limit == 1 and len(ours) > 1
    if one_candidate:
        pairs = [(seed, theirs[0]) for seed in ours]
        alignment.notes.append(
            f"{candidate_model}: seed {theirs[0]} alone is judged, as one more training beside the base's {len(ours)}"
        )
    else:
        ours = ours[:limit]
        pairs = _paired_seeds(ours, theirs)
    if set(ours).isdisjoint(theirs) and not one_candidate:
        alignment.notes.append(
            f"{candidate_model}: seeds {_listed(theirs)} stand beside the base's {_listed(ours)}, in order"
        )
    failed: dict[int, str] = {seed: "not in the candidate" for seed in ours if seed not in dict(pairs)}
    scored: dict[str, list[tuple[Scored, Scored]]] = {task_split.split: [] for task_split in splits}
    kept: list[tuple[int, int]] = []
    for mine, other_seed in pairs:
        keys: list[tuple[Key, Key]] = [
            ((base_model, task, task_split.split, mine), (candidate_model, task, task_split.split, other_seed))
            for task_split in splits
        ]
        causes = [candidate.failures.get(their, "not in the candidate") for _, their in keys
                  if their not in candidate.scored]  # fmt: skip
        if causes:
            failed[other_seed if one_candidate else mine] = causes[0]
        elif all(our in base.scored for our, _ in keys):
            kept.append((mine, other_seed))
            for our, their in keys:
                pair = base.scored[our], candidate.scored[their]
                alignment.reasons += _changes(task, candidate_model, *pair, allow, alignment)
                scored[our[2]].append(pair)
    if len(alignment.reasons) == before:
        for task_split in splits:
            alignment.reasons += _recomputed(
                base, task_split, [base_score for base_score, _ in scored[task_split.split]]
            )
    if len(alignment.reasons) == before:
        paired = {split: tuple(ones) for split, ones in scored.items()}
        made = Pair(
            task, base_model, candidate_model, tuple(splits), paired, tuple(kept), failed, tuple(others), one_candidate
        )
        alignment.pairs.append(made.without_retraining())


def _vanished(base: RunResults, candidate: RunResults, model: str, task: str) -> str:
    """Says which new task has the same examples: then it was renamed."""
    prints = {task_split.data for (name, _), task_split in base.task_splits.items() if name == task}
    renamed = [
        task_split.task
        for task_split in candidate.task_splits.values()
        if task_split.data in prints and task_split.task not in base.tasks
    ]
    if renamed:
        return f"task {task} is gone; {renamed[0]} has its examples: renamed? Accept a baseline of the new name"
    return f"task {task} of the base was not run with {model}"


def _mismatches(task_split: TaskSplit, other: TaskSplit) -> list[str]:
    where = f"task {task_split.task}, {task_split.split}"
    if task_split.version != other.version:
        return [f"task {task_split.task}: version {task_split.version} in the base, {other.version} in the candidate"]
    if task_split.data != other.data or task_split.ids_hash != other.ids_hash or task_split.n != other.n:
        sizes = "" if task_split.n == other.n else f" ({task_split.n} examples, now {other.n})"
        return [f"{where}: other data, fingerprint {task_split.data[:12]} in the base, {other.data[:12]} now{sizes}"]
    reasons = []
    for name, version in task_split.metrics.items():
        if name not in other.metrics:
            reasons.append(f"{where}: the candidate is not scored by {name}")
        elif other.metrics[name] != version:
            reasons.append(f"{where}: {name} has version {version} in the base, {other.metrics[name]} in the candidate")
        elif task_split.metric(name).version != version:
            reasons.append(f"{where}: {name} has version {version} in the base, {task_split.metric(name).version} here")
    return reasons


def _changes(
    task: str, model: str, base: Scored, candidate: Scored, allow: tuple[str, ...], alignment: Alignment
) -> list[str]:
    reasons = []
    for what, before, after in (
        ("tokenizer", base.tokenizer, candidate.tokenizer),
        ("training-data", base.trained_on, candidate.trained_on),
    ):
        if before == after:
            continue
        change = f"{model} on {task}: another {what.replace('-', ' ')} than the base's"
        if what in allow:
            alignment.notes.append(f"{change}, as allowed")
        else:
            reasons.append(f"{change}; if that is meant, allow it with --allow {what}")
    return reasons


def _recomputed(base: RunResults, task_split: TaskSplit, scores: list[Scored]) -> list[str]:
    for score in scores if task_split.is_paired else ():
        for name in task_split.primary_metrics:
            stored = score.scores[name]["value"]
            now = task_split.metric(name).score(score.predictions, task_split.references)
            if not math.isclose(stored, now, rel_tol=SAME_SCORE, abs_tol=SAME_SCORE):
                return [
                    f"task {task_split.task}, {task_split.split}: {name} of the base was {stored:.6f}, its predictions "
                    f"now score {now:.6f}: the metric or its library changed; accept the baseline again"
                ]
    return []


def _paired_seeds(ours: list[int], theirs: list[int]) -> list[tuple[int, int]]:
    if set(ours).isdisjoint(theirs):
        return list(zip(ours, theirs, strict=False))
    return [(seed, seed) for seed in ours if seed in theirs]


def _listed(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds))
