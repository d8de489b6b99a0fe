"""Corpora from Python: report, filter."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.core.atomic import write_atomically
from harness.core.reading import expanded, is_file, is_folder
from harness.core.registry import Registry, load_registry, scoped_plugins
from harness.core.source_names import SYNTHETIC
from harness.core.strict_spec import parse
from harness.corpora.contamination.examples import evaluation_examples, tasks_against
from harness.corpora.filtering.filtering import filter_corpus
from harness.corpora.filtering.prediction import Prediction, predict
from harness.corpora.filtering.spec import FilterSpec, load_filter
from harness.corpora.reporting.labelled import LabelledData, labelled_data, of_task
from harness.corpora.reporting.report import Against, CorpusReport, report
from harness.corpora.settings import FilterSettings, ReportSettings
from harness.corpora.text.minhash import Banding
from harness.data.corpus import open_corpus
from harness.data.document import Corpus, Position
from harness.report.outcomes import FilteredCorpus
from harness.report.page.corpus import funnel_page

Watch = Callable[[int, int, Position], None]
"""Told the documents and bytes so far, and how far the files are read."""


@scoped_plugins()
def corpus_filter(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    rules: str | os.PathLike[str] | FilterSpec = "clean",
    include: Sequence[str | os.PathLike[str]] = (),
    watch: Watch = lambda documents, size, position: None,
    **settings: Any,
) -> FilteredCorpus:
    """Keep of a corpus what passes the rules, with the reason of each removal.

    Args:
        source: `synthetic`, a file or folder of text, or `hub:ID`.
        output: The folder to write to; it must not exist.
        rules: A preset (`c4`, `clean`, `fineweb`, `gopher`), a YAML file, or a spec.
        include: Files and folders of plug-ins.
        watch: Told how far it is.
        **settings: Settings of `FilterSettings`: `field`, `sentences`, `workers`.

    Returns:
        The folder, its manifest, and what each rule removed.

    Raises:
        HarnessError: an unknown rule, a corpus that cannot be read, nothing kept, or an output that is there already.
    """
    load_registry(include)
    spec, where = _rules(rules)
    chosen = parse(FilterSettings, settings, "corpus_filter")
    corpus = open_corpus(os.fspath(source), chosen.sentences, chosen.field)
    manifest, funnel = filter_corpus(
        corpus, spec, Path(output), workers=chosen.workers, where=where, include=[os.fspath(path) for path in include],
        tell=lambda documents, size: watch(documents, size, corpus.position),
    )  # fmt: skip
    write_atomically(Path(output) / "funnel.html", funnel_page(Path(output), manifest, funnel))
    return FilteredCorpus(Path(output), manifest, funnel)


@scoped_plugins()
def predict_filter(
    source: str | os.PathLike[str],
    *,
    rules: str | os.PathLike[str] | FilterSpec = "clean",
    include: Sequence[str | os.PathLike[str]] = (),
    watch: Watch = lambda documents, size, position: None,
    **settings: Any,
) -> Prediction:
    """Predict by a sample what a filter would remove.

    Args:
        source: As `corpus_filter` takes it.
        rules: As `corpus_filter` takes them.
        include: Files and folders of plug-ins.
        watch: Told how far it is.
        **settings: Settings of `FilterSettings`: `sample`, `seed`, `field`, `sentences`.

    Returns:
        What each rule would remove, with intervals.

    Raises:
        HarnessError: an unknown rule, or a corpus that cannot be read.
    """
    load_registry(include)
    spec, where = _rules(rules)
    chosen = parse(FilterSettings, settings, "predict_filter")
    corpus = open_corpus(os.fspath(source), chosen.sentences, chosen.field)
    tell = lambda documents, size: watch(documents, size, corpus.position)  # noqa: E731
    return predict(corpus, spec, chosen.sample, chosen.seed, where, tell)


@scoped_plugins()
def corpus_report(
    source: str | os.PathLike[str],
    *,
    include: Sequence[str | os.PathLike[str]] = (),
    watch: Watch = lambda documents, size, position: None,
    **settings: Any,
) -> CorpusReport:
    """Say what is in a corpus, or in labelled data.

    Args:
        source: A file or folder of text, `hub:ID`, `synthetic`; a file or folder of labelled data; a task's name.
        include: Files and folders of plug-ins and tasks.
        watch: Told how far it is.
        **settings: Settings of `ReportSettings`: `against`, `data`, `text`, `label`, `field`, `sample`, `seed`,
            `signatures`, `workers`.

    Returns:
        What stands out, and all that was counted.

    Raises:
        HarnessError: nothing there that can be read, or no text in it.
    """
    registry = load_registry(include)
    chosen = parse(ReportSettings, settings, "corpus_report")
    opened = _opened(os.fspath(source), chosen, registry)
    position = opened.position if isinstance(opened, Corpus) else Position()
    against = None
    if chosen.against:
        examples, absent = evaluation_examples(tasks_against(registry, chosen.against), chosen.against_data)
        against = Against(examples, chosen.against_data, absent)
    return report(
        opened, against=against, banding=Banding(signatures=chosen.signatures), sample=chosen.sample,
        seed=chosen.seed, workers=chosen.workers,
        tell=lambda documents, size: watch(documents, size, position),
    )  # fmt: skip


def _opened(source: str, chosen: ReportSettings, registry: Registry) -> Corpus | LabelledData:
    """A task's data by its name or by that of its folder, labelled data by their columns, else a corpus."""
    path = expanded(source)
    there = is_file(path) or is_folder(path)
    if chosen.data is not None or (not there and source in registry.tasks):
        return of_task(registry.task(source), chosen.data or SYNTHETIC)
    if there and chosen.text is None and chosen.label is None:
        for task in registry.tasks.values():
            folders = task.sources.download.folder if task.sources.download else ()
            if path.name.casefold() in [name.casefold() for name in folders] and is_folder(path):
                return of_task(task, source)
    labelled = labelled_data(source, chosen.text, chosen.label) if there else None
    return labelled if labelled is not None else open_corpus(source, chosen.sentences, chosen.field)


def _rules(rules: str | os.PathLike[str] | FilterSpec) -> tuple[FilterSpec, str]:
    if isinstance(rules, FilterSpec):
        return rules, "rules"
    return load_filter(os.fspath(rules)), os.fspath(rules)
