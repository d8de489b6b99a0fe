"""The source `synthetic`: data that the package generates, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import starmap

from harness.core import code_identity
from harness.core.errors import HarnessError, TaskAbsentError, unknown
from harness.core.lazy import lazy
from harness.core.source_names import SYNTHETIC
from harness.core.specs import TaskSpec
from harness.data import synthetic
from harness.data.assemble import Reading
from harness.data.document import Corpus, CorpusOptions, Document
from harness.data.pair_corpus import Pair, PairCorpus
from harness.data.source import Source, refuse_rest
from harness.data.synthetic.topics import topic_of
from harness.data.table import table_of

captioned = lazy("harness.data.captioned")


class Synthetic(Source):
    """The synthetic world, by the template that a task's `sources.synthetic` names."""

    def read(self, task: TaskSpec, rest: str, splits: Sequence[str], limit: int | None) -> Reading:
        """Raises HarnessError where the template is unknown or has no such split, else as `Source.read` does."""
        template = _template(task, rest)
        known = (*synthetic.SHAPES, *captioned.TEMPLATES)
        if template not in known and topic_of(template) is None:
            raise unknown("synthetic template", template, known, f"task '{task.name}'")
        location = f"synthetic world v{synthetic.WORLD_VERSION}"
        built = captioned.build(template) if template in captioned.TEMPLATES else synthetic.build(template)
        missing = [split for split in splits if split not in built]
        if missing:
            raise HarnessError(
                f"task '{task.name}': {location} has no split '{missing[0]}' of {template}; it has {', '.join(built)}"
            )
        return Reading(
            location=location,
            tables={split: table_of(built[split], f"{location} ({template}/{split})") for split in splits},
            columns={name: name for name in task.fields},
            id="id",
            oracle="oracle",
        )

    def corpus(self, rest: str, options: CorpusOptions) -> Corpus:
        """`options.sentences` sentences of the synthetic world."""
        refuse_rest(SYNTHETIC, rest)
        size = options.sentences
        location = f"synthetic world v{synthetic.WORLD_VERSION}, {size} sentences"
        pin = [SYNTHETIC, size, code_identity.identity("harness.data.synthetic")]
        return Corpus(SYNTHETIC, location, partial(_documents, size), pin)

    def pairs(self, rest: str, modality: str, size: int) -> PairCorpus:
        """Scenes or sounds with captions: in the language that `rest` names, or each in any of the three."""
        languages = rest or ", ".join(captioned.LANGUAGES)
        captioned.pairs(modality, rest, 0)
        return PairCorpus(
            SYNTHETIC,
            f"synthetic world v{captioned.VERSION}, {size} {modality} with captions ({languages})",
            modality,
            partial(_pairs, modality, rest, size),
            [SYNTHETIC, modality, rest, size, code_identity.identity("harness.data.captioned")],
        )

    def state(self, task: TaskSpec, rest: str) -> object | None:
        _template(task, rest)
        return SYNTHETIC


SOURCE = Synthetic()


def _documents(sentences: int, lenient: bool) -> Iterator[Document]:
    return (Document(text, f"document {number}") for number, text in enumerate(synthetic.corpus(sentences), start=1))


def _pairs(modality: str, language: str, size: int) -> Iterator[Pair]:
    return starmap(Pair, captioned.pairs(modality, language, size))


def _template(task: TaskSpec, rest: str) -> str:
    refuse_rest(SYNTHETIC, rest)
    if task.sources.synthetic is None:
        raise TaskAbsentError(f"task '{task.name}' has no synthetic data (its sources name no synthetic template)")
    return task.sources.synthetic.template
