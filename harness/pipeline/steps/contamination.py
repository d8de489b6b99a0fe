"""The contamination cell: which examples of a scored split stand in what a model learned from, and what it scores
without and with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core import code_identity
from harness.core.cached_facts import KnownOverlap
from harness.core.cell_records import ScoreRecord
from harness.core.hashing import hash_json
from harness.core.predictions import PREDICTIONS, read_predictions
from harness.core.runs import content_of
from harness.core.store import Store
from harness.corpora.contamination.examples import examples_in
from harness.corpora.contamination.index import ContaminationIndex
from harness.corpora.contamination.rows import plain_rows
from harness.corpora.contamination.scan import contamination, scan
from harness.data import corpus as corpora
from harness.data.frame import Split, TaskData
from harness.pipeline.cells import Cell, ContaminationJob
from harness.pipeline.steps.inputs import task_data
from harness.stats.subsets import clean_and_dirty

MOST_BYTES = 200_000_000
"""Of a corpus; a larger one is not looked through for each score: `harness corpus report --against` does it once."""


def run(cell: Cell, store: Store, folder: Path, report: Callable[..., None]) -> dict[str, Any]:
    """Find the examples, score both parts, and return the record's body."""
    job = cell.job
    assert isinstance(job, ContaminationJob)
    loaded = task_data(job.inputs)
    split = loaded.splits[job.split]
    facts = _in_train(job, loaded) if job.corpus is None else _in_corpus(job, job.corpus, split, store)
    first = store.read(job.scores[0])
    assert isinstance(first, ScoreRecord)
    dirty = frozenset(facts["dirty"])
    return {
        "task": first.task.as_json(),
        "split": job.split,
        "model": content_of(job.model),
        "n": len(split),
        **facts,
        "scored": list(job.scores),
        "by_metric": _by_metric(job, split, dirty, store, list(first.scores)) if dirty else {},
    }


def _in_train(job: ContaminationJob, loaded: TaskData) -> dict[str, Any]:
    """The rows of the scored split that the training split has too."""
    name = job.inputs.task.train
    train, split = loaded.splits[name], loaded.splits[job.split]
    known, exact = (
        set(plain_rows(train)),
        set(zip(*(train.fields[field] for field in sorted(train.fields)), strict=True)),
    )
    return {
        "of": "train",
        "location": name,
        "fingerprint": train.fingerprint,
        "dirty": [identity for identity, row in zip(split.ids, plain_rows(split), strict=True) if row in known],
        "exact": sum(row in exact for row in _rows(split)),
    }


def _rows(split: Split) -> list[tuple[str, ...]]:
    return list(zip(*(split.fields[field] for field in sorted(split.fields)), strict=True))


def _in_corpus(job: ContaminationJob, facts: Mapping[str, Any], split: Split, store: Store) -> dict[str, Any]:
    """The examples of the scored split that stand in the corpus; looked for once for all models of one corpus."""
    body = {"of": "corpus", "location": facts["location"], "fingerprint": facts["fingerprint"]}
    if facts["bytes"] > MOST_BYTES:
        size = f"{facts['bytes'] / 1e6:,.0f} MB, more than {MOST_BYTES / 1e6:,.0f}"
        return {**body, "dirty": [], "reason": f"the corpus is large ({size}); see `harness corpus report --against`"}
    code = code_identity.identity("harness.corpora.contamination.scan")
    key = hash_json(["contamination", facts["fingerprint"], split.fingerprint, job.inputs.task.name, code])
    return {**body, **store.get_or_compute(key, lambda: _looked_for(job, split), KnownOverlap)}


def _looked_for(job: ContaminationJob, split: Split) -> dict[str, Any]:
    assert job.pretraining is not None
    corpus = corpora.open_corpus(job.pretraining.corpus, job.pretraining.sentences, job.pretraining.field)
    index = ContaminationIndex(list(examples_in(job.inputs.task.name, job.split, split)))
    [row] = contamination(index, scan(corpus.read(False), index), "", {})["tasks"]
    return {
        "dirty": row["ids"], "exact": row["exact"], "not_judged": row["not_judged"], "common": row["common_phrases"],
    }  # fmt: skip


def _by_metric(
    job: ContaminationJob, split: Split, dirty: frozenset[str], store: Store, metrics: Sequence[str]
) -> dict[str, Any]:
    is_dirty = [identity in dirty for identity in split.ids]
    seeds = []
    for key in job.scores:
        predictions, references, _ = read_predictions(store.file(key, PREDICTIONS))
        if references is not None:
            seeds.append((predictions, references))
    return clean_and_dirty(metrics, seeds, is_dirty) if seeds else {}
