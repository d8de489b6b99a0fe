"""What a corpus report says, for a terminal."""

from __future__ import annotations

from typing import Any

from harness.core.text import size_text
from harness.corpora.reporting.facts import Consistency, Diversity, Reliability
from harness.corpora.reporting.report import CorpusReport
from harness.report.text.text import columns

MARKS = {2: "!", 1: "-", 0: " "}


def report_lines(report: CorpusReport) -> str:
    """What stands out, then a table of the numbers."""
    parts = [f"{report.location}: {report.documents:,} documents, {size_text(report.bytes)}"]
    if report.findings:
        parts.append("\n".join(f"{MARKS[item.weight]} {item.topic}: {item.text}" for item in report.findings))
    parts.append(columns(_rows(report), ("", "measure", "value")))
    if report.diversity.topics:
        rows = [(f"{100 * item.fraction:.0f} %", ", ".join(item.terms)) for item in report.diversity.topics]
        parts.append(columns(rows, ("of sample", "topics by their terms")))
    return "\n\n".join(parts)


def _rows(report: CorpusReport) -> list[tuple[str, str, str]]:
    rows = [
        *(("diversity", *row) for row in _diversity(report.diversity)),
        *(("consistency", *row) for row in _consistency(report.consistency)),
        *(("reliability", *row) for row in _reliability(report.reliability)),
    ]
    return [
        (part if at == 0 or rows[at - 1][0] != part else "", name, value) for at, (part, name, value) in enumerate(rows)
    ]


def _diversity(facts: Diversity) -> list[tuple[str, str]]:
    vocabulary, heaps, words = facts.vocabulary, facts.vocabulary.heaps, facts.lengths.words
    windows, alike = _shown(vocabulary.moving_type_token_ratio), facts.self_similarity
    median, most, longest = map(_shown, (words.median, words.q95, words.max))
    languages = [f"{item.language} {100 * item.fraction:.1f} %" for item in facts.languages[:5]]
    return [
        ("words", f"{vocabulary.words:,}, distinct {vocabulary.distinct:,}"),
        ("type–token ratio", f"{vocabulary.type_token_ratio} (windows of 500: {windows})"),
        ("Heaps' law", f"V = {heaps.k} n^{heaps.beta}" if heaps else "too little text"),
        ("entropy", ", ".join(f"{item.n}-grams {item.entropy_bits} bits" for item in facts.ngrams)),
        ("compression ratio", _shown(facts.compression_ratio)),
        ("words a document", f"median {median}, 95 % below {most}, longest {longest} (sample)"),
        ("languages", ", ".join(languages)),
        ("self-similarity", f"mean cosine {alike.mean_cosine}, to the likest {alike.mean_nearest_cosine}"
         if alike else "too few texts"),
    ]  # fmt: skip


def _consistency(facts: Consistency) -> list[tuple[str, str]]:
    copies = facts.duplicates
    recall = copies.banding.recall.items()
    compared = [f"{100 * fraction:.0f} % at similarity {value}" for value, fraction in recall]
    return [
        ("duplicates", f"exact {copies.exact:,}, near {copies.near:,}, in {copies.clusters:,} groups"),
        ("pairs compared", ", ".join(compared[1:4])),
        ("wrongly decoded", f"{facts.encoding.documents:,}"),
        ("boilerplate lines", f"{facts.boilerplate.lines:,}"),
    ]


def _reliability(facts: Reliability) -> list[tuple[str, str]]:
    gibberish, advertising = facts.gibberish, facts.advertising
    unlike = f"{gibberish.unlike_the_rest.count} of {gibberish.n} sampled" if gibberish else "too few texts"
    rows = [
        ("personal data", f"in {facts.personal_data.documents:,} documents"),
        ("repeat themselves", f"{facts.repetition.documents:,}"),
        ("unlike the rest", unlike),
        ("advertise", f"{advertising.count} of {advertising.n} sampled"),
    ]
    for name, values in facts.metadata.items():
        first = ", ".join(f"{value} {count:,}" for value, count in values.values[:6])
        rows.append((name, f"{values.distinct:,} values: {first}"))
    return rows


def _shown(value: Any) -> str:
    return "?" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
