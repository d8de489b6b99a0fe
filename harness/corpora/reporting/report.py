"""What is in a corpus or in labelled data: one pass, then a sample, then what stands out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.core.atomic import scratch_folder
from harness.core.facts import Facts
from harness.corpora.contamination.facts import Contamination
from harness.corpora.contamination.index import ContaminationIndex, Example
from harness.corpora.contamination.scan import contamination, scan
from harness.corpora.reporting.consistency import consistency
from harness.corpora.reporting.diversity import diversity
from harness.corpora.reporting.facts import Consistency, Diversity, LabelFacts, Reliability
from harness.corpora.reporting.label_facts import label_facts
from harness.corpora.reporting.labelled import LabelledData
from harness.corpora.reporting.reliability import reliability
from harness.corpora.reporting.survey import Survey, cluster_examples, survey
from harness.corpora.text.minhash import Banding, require_rensa
from harness.data.document import Corpus, Document

SCHEMA_VERSION = 1
TELLS = 0.5
"""Of the errors that naming the largest class makes, the fraction that a model must avoid before its doubts count."""


@dataclass(frozen=True)
class Finding:
    """Something that stands out.

    Attributes:
        topic: `labels`, `splits`, `duplicates`, `encoding`, `boilerplate`, `personal data`, `languages`, `gibberish`,
            `repetition`, `advertising` or `contamination`.
        text: What it is, in a sentence with its numbers.
        weight: 2: it can change what is learned or scored. 1: to be looked at.
    """

    topic: str
    text: str
    weight: int = 1


@dataclass(frozen=True)
class Against:
    """Evaluation examples that are looked for.

    Attributes:
        examples: The examples.
        data: Where they are from.
        absent: Of tasks whose data are not there the reason.
    """

    examples: list[Example]
    data: str
    absent: dict[str, str]


@dataclass(frozen=True)
class CorpusReport:
    """What is in a corpus or in labelled data.

    Attributes:
        location: Where it is.
        documents: Documents that are not blank; of labelled data rows.
        bytes: UTF-8 bytes of their texts.
        fingerprint: SHA-256 of the texts, each after its length.
        findings: What stands out, the heaviest first.
        diversity: Vocabulary, n-grams, lengths, style, languages, topics, self-similarity.
        consistency: Faults of encoding, boilerplate, duplicates.
        reliability: Metadata, personal data, gibberish, advertising, repetition.
        labels: Of labelled data: balance, contradictions, label noise, overlap and drift between splits. Else None.
        contamination: Which evaluation examples stand in it, where they were looked for. Else None.
        settings: Banding, sample and seed.
    """

    location: str
    documents: int
    bytes: int
    fingerprint: str
    findings: tuple[Finding, ...]
    diversity: Diversity = field(repr=False)
    consistency: Consistency = field(repr=False)
    reliability: Reliability = field(repr=False)
    labels: LabelFacts | None = field(repr=False)
    contamination: Contamination | None = field(repr=False)
    settings: dict[str, Any] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """The fields, with a schema version."""
        parts = {name: value.as_json() for name, value in vars(self).items() if isinstance(value, Facts)}
        findings = [asdict(finding) for finding in self.findings]
        return {"schema_version": SCHEMA_VERSION, **vars(self), "findings": findings, **parts}


def report(
    source: Corpus | LabelledData,
    *,
    sample: int = 5_000,
    seed: int = 0,
    workers: int = 1,
    banding: Banding | None = None,
    against: Against | None = None,
    tell: Callable[[int, int], None] = lambda documents, size: None,
) -> CorpusReport:
    """Report on a corpus or on labelled data.

    Args:
        source: What is read. A corpus is read twice where it has duplicates, the second time for their texts.
        sample: Distinct documents that are looked at for what is not counted of all.
        seed: Of the sample and of what is drawn from it.
        workers: Processes that count.
        banding: How near duplicates are found.
        against: Evaluation examples that are looked for.
        tell: Called now and then with the documents and bytes so far.

    Raises:
        HarnessError: there is no document, or it cannot be read.
    """
    banding = banding or Banding()
    if banding.signatures == "rensa":
        require_rensa()

    def documents() -> Iterable[Document]:
        return source.documents() if isinstance(source, LabelledData) else source.read(True)

    with scratch_folder() as scratch:
        result = survey(
            documents(), scratch, banding=banding, sample=sample, seed=seed, workers=workers, where=source.location,
            tell=tell,
        )  # fmt: skip
    assert result.duplicates is not None
    if len(result.duplicates.clusters()):
        result.clusters = cluster_examples(documents(), result.duplicates)
    parts = (diversity(result, seed), consistency(result, banding), reliability(result))
    labels = label_facts(source, seed) if isinstance(source, LabelledData) else None
    leaked = None
    if against is not None:
        index = ContaminationIndex(against.examples)
        leaked = contamination(index, scan(documents(), index, workers, tell), against.data, against.absent)
    settings = {"sample": sample, "seed": seed, "banding": banding.model_dump()}
    findings = [
        *(_of_labels(labels) if labels is not None else ()),
        *_of_text(result, *parts),
        *(_of_contamination(leaked) if leaked is not None else ()),
    ]
    findings.sort(key=lambda item: -item.weight)
    return CorpusReport(
        source.location,
        result.documents,
        result.bytes,
        result.fingerprint,
        tuple(findings),
        *parts,
        labels,
        leaked,
        settings,
    )


def _of_labels(labels: LabelFacts) -> list[Finding]:
    result = []
    for split, balance in labels.balance.items():
        counts = ", ".join(f"{name} {count:,}" for name, count in list(balance.counts.items())[:6])
        uneven = balance.majority >= 0.8 or (len(balance.counts) > 1 and balance.evenness < 0.6)
        text = f"{split}: {100 * balance.majority:.1f} % of the labels are one class ({counts})"
        result.append(Finding("labels", text if uneven else f"{split}: labels {counts}", 2 if uneven else 0))
    for item in labels.overlap:
        if item.plain_rows:
            text = (
                f"{item.plain_rows:,} of {item.rows:,} rows of {item.of} ({100 * item.fraction:.1f} %) are in "
                f"{item.within}, {item.exact_rows:,} of them letter for letter"
            )
            result.append(Finding("splits", text, 2))
        shared = {name: count for name, count in item.texts.items() if count > item.plain_rows}
        if shared:
            texts = ", ".join(f"{count:,} of the field {name}" for name, count in shared.items())
            result.append(Finding("splits", f"texts of {item.of} that stand somewhere in {item.within}: {texts}", 2))
    for split, repeated in labels.duplicates.items():
        if (against := repeated.contradictory).texts:
            text = f"{split}: {against.texts:,} texts have several labels ({against.rows:,} rows)"
            result.append(Finding("labels", text, 2))
    for split, noise in labels.label_noise.items():
        tells = (noise.model_accuracy - noise.majority) / max(1e-9, 1 - noise.majority)
        if noise.fraction >= 0.02 and tells >= TELLS:
            text = (
                f"{split}: {noise.suspect:,} of {noise.n:,} labels ({100 * noise.fraction:.1f} %) look wrong "
                f"to a simple model (right on {100 * noise.model_accuracy:.0f} % of them)"
            )
            result.append(Finding("labels", text, 1))
    for drift in labels.drift:
        first, second = drift.between
        for what, value, chance in (
            ("words", drift.words_divergence, drift.words_divergence_by_chance),
            ("labels", drift.labels_divergence or 0.0, drift.labels_divergence_by_chance or 0.0),
        ):
            if value > 1.5 * chance and value > 0.005:
                text = (
                    f"{what} of {first} and {second} differ more than by chance ({value:.3f} bits, chance {chance:.3f})"
                )
                result.append(Finding("splits", text, 1))
    return result


def _of_contamination(contamination: Contamination) -> list[Finding]:
    result = []
    for row in contamination.tasks:
        low, high = (f"{100 * bound:.1f}" for bound in row.interval)
        text = (
            f"{row.dirty:,} of {row.n:,} examples of {row.task} {row.split} stand in it "
            f"({100 * row.fraction:.1f} % [{low}, {high}]), {row.exact:,} word for word"
        )
        result.append(Finding("contamination", text, 2 if row.dirty else 0))
    return result


def _of_text(survey: Survey, diversity: Diversity, consistency: Consistency, reliability: Reliability) -> list[Finding]:
    n = survey.documents
    result = []
    duplicates = consistency.duplicates
    if duplicates.exact or duplicates.near:
        text = (
            f"{duplicates.exact:,} of {n:,} documents ({100 * duplicates.exact_fraction:.1f} %) equal an earlier "
            f"one, {duplicates.near:,} more resemble one ({100 * duplicates.near_fraction:.1f} %)"
        )
        many = duplicates.exact_fraction + duplicates.near_fraction > 0.05
        result.append(Finding("duplicates", text, 2 if many else 1))
    if survey.faulty:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in survey.faults.most_common())
        result.append(Finding("encoding", f"{survey.faulty:,} documents were decoded wrongly ({kinds})", 1))
    if survey.blank:
        result.append(Finding("encoding", f"{survey.blank:,} documents are blank", 1))
    if lines := consistency.boilerplate.lines:
        least = consistency.boilerplate.at_least
        result.append(Finding("boilerplate", f"{lines:,} lines stand in {least} documents or more", 1))
    if survey.with_pii:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in survey.pii.most_common())
        result.append(Finding("personal data", f"{survey.with_pii:,} documents have personal data ({kinds})", 1))
    languages = diversity.languages
    if len(languages) > 1 and languages[0].fraction < 0.95:
        mix = ", ".join(f"{item.language} {100 * item.fraction:.0f} %" for item in languages[:5])
        result.append(Finding("languages", f"the languages are mixed: {mix}", 1))
    gibberish = reliability.gibberish
    if gibberish and (count := gibberish.unlike_the_rest.count):
        text = f"{count} of {gibberish.n} sampled documents are unlike the rest by their characters"
        result.append(Finding("gibberish", text, 1))
    if reliability.repetition.fraction > 0.01:
        text = f"{reliability.repetition.documents:,} documents repeat themselves beyond Gopher's thresholds"
        result.append(Finding("repetition", text, 1))
    if count := reliability.advertising.count:
        text = f"{count} of {reliability.advertising.n} sampled documents advertise"
        result.append(Finding("advertising", text, 1))
    return result
