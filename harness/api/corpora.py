"""Corpora from Python: report, filter."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.core.registry import load_registry
from harness.core.strict_spec import parse
from harness.corpora.filter_spec import FilterSpec, load_filter
from harness.corpora.filtering import filter_corpus
from harness.corpora.prediction import Prediction, predict
from harness.corpora.settings import FilterSettings
from harness.data.corpus import open_corpus
from harness.data.document import Position
from harness.report.outcomes import FilteredCorpus

Watch = Callable[[int, int, Position], None]
"""Told the documents and bytes so far, and how far the files are read."""


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
    return FilteredCorpus(Path(output), manifest, funnel)


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


def _rules(rules: str | os.PathLike[str] | FilterSpec) -> tuple[FilterSpec, str]:
    if isinstance(rules, FilterSpec):
        return rules, "rules"
    return load_filter(os.fspath(rules)), os.fspath(rules)
