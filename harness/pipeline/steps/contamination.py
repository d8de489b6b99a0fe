"""The contamination cell: which examples of a scored split stand in what a model learned from, and what it scores
without and with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.core import code_identity
from harness.core.cached_facts import KnownOverlap
from harness.core.cell_records import CorpusFacts, CorpusPlace, ScoreRecord
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES, Family
from harness.core.hashing import hash_json
from harness.core.predictions import PREDICTIONS, read_predictions
from harness.core.runs import content_of
from harness.core.store import Store
from harness.corpora.contamination.examples import examples_in
from harness.corpora.contamination.index import ContaminationIndex
from harness.corpora.contamination.rows import plain_rows
from harness.corpora.contamination.scan import contamination, scan
from harness.data import corpus as corpora
from harness.data import pairs
from harness.data.document import TextsHash
from harness.data.frame import Split, TaskData
from harness.data.pair_corpus import Pair
from harness.pipeline.cells import Cell, ContaminationJob, TaskInput
from harness.pipeline.steps.inputs import task_data
from harness.stats.subsets import clean_and_dirty


def run(cell: Cell, store: Store, folder: Path, report: Callable[..., None]) -> dict[str, Any]:
    """Find the examples, score both parts, and return the record's body."""
    job = cell.job
    assert isinstance(job, ContaminationJob)
    loaded = task_data(job.inputs)
    split = loaded.splits[job.split]
    if job.tasks:
        facts = _in_tasks(job.tasks, split)
    else:
        facts = _in_train(job, loaded) if job.corpus is None else _in_corpus(job, job.corpus, split, store, report)
    first = store.read(job.scores[0])
    assert isinstance(first, ScoreRecord)
    dirty = frozenset(facts["dirty"])
    return {
        "task": first.task.as_json(),
        "split": cell.split,
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


def _in_tasks(tasks: Sequence[TaskInput], split: Split) -> dict[str, Any]:
    """The rows of the scored split that a task's training split has too, whatever the fields of their texts are called
    and whichever comes first.
    """
    known: set[tuple[str, ...]] = set()
    exact: set[tuple[str, ...]] = set()
    prints, names = [], []
    for part in tasks:
        train = task_data(part).splits[part.task.train]
        known |= {tuple(sorted(row)) for row in plain_rows(train)}
        exact |= {tuple(sorted(row)) for row in _rows(train)}
        prints.append(train.fingerprint)
        names.append(part.task.name)
    dirty = [tuple(sorted(row)) in known for row in plain_rows(split)]
    return {
        "of": "tasks",
        "location": ", ".join(names),
        "fingerprint": hash_json(prints),
        "dirty": [identity for identity, is_dirty in zip(split.ids, dirty, strict=True) if is_dirty],
        "exact": sum(tuple(sorted(row)) in exact for row in _rows(split)),
    }


def _rows(split: Split) -> list[tuple[str, ...]]:
    return list(zip(*(split.fields[field] for field in sorted(split.fields)), strict=True))


def _in_corpus(
    job: ContaminationJob, corpus: CorpusFacts, split: Split, store: Store, report: Callable[..., None]
) -> dict[str, Any]:
    """The examples of the scored split that stand in the corpus; looked for once for all models of one corpus."""
    body = {"of": "corpus", "location": corpus.location, "fingerprint": corpus.fingerprint, "dirty": []}
    if job.largest is not None and corpus.bytes > job.largest:
        size = f"{corpus.bytes / 1e6:,.0f} MB, more than {job.largest / 1e6:,.0f}"
        return {**body, "reason": f"the corpus is large ({size}); see --any-corpus"}
    code = code_identity.identity("harness.corpora.contamination.scan")
    key = hash_json(["contamination", corpus.fingerprint, split.fingerprint, job.inputs.task.name, code])
    try:
        return body | store.get_or_compute(key, lambda: _looked_for(job, corpus, split, report), KnownOverlap)
    except HarnessError as error:
        return {**body, "reason": str(error)}


def _looked_for(
    job: ContaminationJob, corpus: CorpusFacts, split: Split, report: Callable[..., None]
) -> dict[str, Any]:
    if corpus.asked is None:
        raise HarnessError(f"{corpus.location}: the record of the pretraining does not say how it was read")
    family = FAMILIES.get(job.inputs.task.family)
    if family.modalities:
        return _items_in(corpus, corpus.asked, split, family)
    source = corpora.open_corpus(corpus.asked.corpus, corpus.asked.sentences, corpus.asked.field)
    index = ContaminationIndex(list(examples_in(job.inputs.task.name, job.split, split)))
    hashed = TextsHash()
    stream = (document for document in source.read(False) if not document.is_blank and hashed.add(document.text))
    scanned = scan(stream, index, tell=lambda documents, size: report(min(1.0, size / max(1, corpus.bytes))))
    if hashed.hexdigest() != corpus.fingerprint:
        raise HarnessError(f"{corpus.location}: it is not the text any more that the model was pretrained on")
    [row] = contamination(index, scanned, "", {}).tasks
    return {"dirty": row.ids, "exact": row.exact, "not_judged": row.not_judged, "common": row.common_phrases}


def _items_in(corpus: CorpusFacts, asked: CorpusPlace, split: Split, family: Family) -> dict[str, Any]:
    """The examples whose item is one of those with captions, byte for byte; captions alone do not count."""
    field, modality = family.item_field, family.modality
    assert field is not None
    state = pairs.state(pairs.open_pairs(asked.corpus, modality, asked.sentences))
    read = _items_of if state else _items_of.__wrapped__
    fingerprint, known = read(asked.corpus, modality, asked.sentences, state)
    if fingerprint != corpus.fingerprint:
        raise HarnessError(f"{corpus.location}: read as {modality}, its items are not those of the pretraining")
    items = zip(split.ids, split.fields[field], strict=True)
    dirty = [identity for identity, item in items if str(item) in known]
    return {"dirty": dirty, "exact": len(dirty), "not_judged": 0, "common": 0}


@lru_cache(maxsize=1)
def _items_of(where: str, modality: str, size: int, state: str) -> tuple[str, frozenset[str]]:
    """The fingerprint of a corpus in this state and its items, kept for the next split that is looked at."""
    source, known = pairs.open_pairs(where, modality, size), set()

    def noted() -> Iterator[Pair]:
        for pair in source.read():
            known.add(str(pair.item))
            yield pair

    return str(pairs.facts(replace(source, read=noted))["fingerprint"]), frozenset(known)


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
