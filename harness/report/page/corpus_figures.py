"""The plots and tables of a page about a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.text import size_text
from harness.corpora.contamination.facts import Contamination
from harness.corpora.reporting.facts import Consistency, Diversity, LabelFacts, LanguageFacts, Reliability
from harness.corpora.streams.counting import Excerpt

WIDE, HIGH, LEFT, BELOW = 520.0, 220.0, 56.0, 34.0
"""Of a plot of lines, in units of its drawing: width, height, and the room for the axes."""


@dataclass(frozen=True)
class Bar:
    """A row of a plot of bars: its length as a fraction of the longest, and its number as text."""

    label: str
    length: float
    text: str


@dataclass(frozen=True)
class Line:
    """A plot of points joined by a line, on axes of powers of ten."""

    path: str
    dots: tuple[tuple[float, float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_title: str
    y_title: str


@dataclass(frozen=True)
class Figure:
    """A plot or a table of facts, with notes and examples that open on a click."""

    title: str
    bars: tuple[Bar, ...] = ()
    line: Line | None = None
    rows: tuple[tuple[str, ...], ...] = ()
    header: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    examples: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


def bars_of(values: Iterable[tuple[str, float, str]]) -> tuple[Bar, ...]:
    """Bars whose longest one is whole."""
    rows = list(values)
    longest = max((value for _, value, _ in rows), default=0.0) or 1.0
    return tuple(Bar(label, value / longest, text) for label, value, text in rows)


def line_of(points: Sequence[tuple[float, float]], x_title: str, y_title: str) -> Line | None:
    """A line on axes of powers of ten; None of fewer than two points."""
    points = [(x, y) for x, y in points if x > 0 and y > 0]
    if len(points) < 2:
        return None
    x_axis, y_axis = _axis([x for x, _ in points]), _axis([y for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        at = LEFT + (WIDE - LEFT - 10) * (math.log10(x) - x_axis[0]) / (x_axis[1] - x_axis[0])
        up = (HIGH - BELOW - 10) * (math.log10(y) - y_axis[0]) / (y_axis[1] - y_axis[0])
        return round(at, 1), round(HIGH - BELOW - up, 1)

    places = [place(x, y) for x, y in points]
    dots = tuple((*at, f"{x:,.0f}: {y:,.0f}") for at, (x, y) in zip(places, points, strict=True))
    return Line(
        "M" + "L".join(f"{x} {y}" for x, y in places),
        dots,
        tuple((place(10.0**power, points[0][1])[0], _power(power)) for power in range(x_axis[0], x_axis[1] + 1)),
        tuple((place(points[0][0], 10.0**power)[1], _power(power)) for power in range(y_axis[0], y_axis[1] + 1)),
        x_title,
        y_title,
    )


def _axis(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _power(power: int) -> str:
    return (
        size_text(10**power)
        .replace(" B", "")
        .replace(" kB", "k")
        .replace(" MB", "M")
        .replace(" GB", "G")
        .replace(".0", "")
    )


def _shown(examples: Iterable[Excerpt]) -> tuple[tuple[str, str], ...]:
    return tuple((item.place, item.text) for item in examples)


def _with_bounds(item: LanguageFacts) -> str:
    low, high = map(_percent, item.interval)
    return f"{_percent(item.fraction)} [{low}, {high}] of {item.n:,}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def diversity_figures(facts: Diversity) -> Iterable[Figure]:
    words, heaps = facts.vocabulary, facts.vocabulary.heaps
    law = (f"Heaps' law: V = {heaps.k} n^{heaps.beta}",) if heaps else ()
    yield Figure(
        "Vocabulary growth",
        line=line_of(words.growth, "words", "distinct words"),
        notes=(f"{words.words:,} words, {words.distinct:,} distinct", *law),
    )
    lengths = facts.lengths.by_power_of_two
    yield Figure(
        "Words a document",
        bars_of((f"{2**at:,}–{2 ** (at + 1) - 1:,}", count, f"{count:,}") for at, count in enumerate(lengths)),
    )
    yield Figure(
        "Languages",
        bars_of((item.language, item.fraction, _with_bounds(item)) for item in facts.languages[:12]),
    )
    topics = facts.topics
    if topics:
        yield Figure(
            "Topics",
            bars_of((", ".join(item.terms[:5]), item.fraction, _percent(item.fraction)) for item in topics),
            notes=(f"k-means of {facts.sampled:,} sampled documents at most; their number is set, not found",),
            examples=tuple((", ".join(item.terms), _shown(item.examples)) for item in topics),
        )
    names = ("median", "q25", "q75", "q95", "mean")
    rows = tuple(
        (name.replace("_", " "), *(f"{getattr(values, item) or 0:g}" for item in names))
        for name, values in facts.style.items()
    )
    yield Figure("Style of the sample", rows=rows, header=("", *names))
    entropies = ", ".join(f"{item.n}-grams {item.entropy_bits} bits" for item in facts.ngrams)
    alike = facts.self_similarity
    measures = [
        ("type–token ratio", str(words.type_token_ratio)),
        ("type–token ratio in windows of 500", str(words.moving_type_token_ratio)),
        ("entropy", entropies),
        ("compression ratio", str(facts.compression_ratio)),
    ]
    if alike:
        measures += [
            ("mean cosine of pairs", str(alike.mean_cosine)),
            ("mean cosine to the likest", str(alike.mean_nearest_cosine)),
            ("with a text above cosine 0.8", _percent(alike.nearest_above)),
        ]
    yield Figure("Measures", rows=tuple(measures), header=("measure", "value"))


def consistency_figures(facts: Consistency) -> Iterable[Figure]:
    duplicates, encoding, lines = facts.duplicates, facts.encoding, facts.boilerplate
    recall = ", ".join(f"{100 * value:.0f} % at {name}" for name, value in duplicates.banding.recall.items())
    yield Figure(
        "Duplicates",
        bars_of(
            (name, count, f"{count:,}")
            for name, count in (
                ("distinct", duplicates.distinct),
                ("exact copies", duplicates.exact),
                ("near copies", duplicates.near),
            )
        ),
        notes=(f"{duplicates.clusters:,} groups; pairs of that similarity that the banding compares: {recall}",),
        examples=tuple((f"{item.size:,} alike", _shown(item.members)) for item in duplicates.largest),
    )
    yield Figure(
        "Wrongly decoded",
        bars_of((name, count, f"{count:,}") for name, count in encoding.faults.items()),
        notes=(f"in {encoding.documents:,} documents; {facts.blank_documents:,} more are blank",),
        examples=(("examples", _shown(encoding.examples)),) if encoding.examples else (),
    )
    yield Figure(
        "Boilerplate",
        bars_of((item.text[:60], item.documents, f"{item.documents:,}") for item in lines.most_frequent),
        notes=(f"{lines.lines:,} lines stand in {lines.at_least:,} documents or more",),
    )


def reliability_figures(facts: Reliability) -> Iterable[Figure]:
    for name, values in facts.metadata.items():
        yield Figure(
            f"Metadata: {name}",
            bars_of((str(value), count, f"{count:,}") for value, count in values.values[:20]),
            notes=(f"{values.distinct:,} values of {values.known:,} documents",),
        )
    personal, gibberish = facts.personal_data, facts.gibberish
    yield Figure(
        "Personal data",
        bars_of((kind, count, f"{count:,}") for kind, count in personal.counts.items()),
        notes=(f"in {personal.documents:,} documents; all but the first letters are hidden",),
        examples=tuple((kind, _shown(examples)) for kind, examples in personal.examples.items() if examples),
    )
    if gibberish:
        kinds = (("unlike the rest", gibberish.unlike_the_rest), ("too predictable", gibberish.too_predictable))
        yield Figure(
            "Gibberish and templates",
            bars_of((name, outliers.count, f"{outliers.count} of {gibberish.n}") for name, outliers in kinds),
            notes=(f"by a model of characters; median {gibberish.median_bits_per_character} bits a character",),
            examples=tuple((name, _shown(outliers.examples)) for name, outliers in kinds if outliers.examples),
        )
    repetition, advertising = facts.repetition, facts.advertising
    yield Figure(
        "Repetition",
        bars_of((name, count, f"{count:,}") for name, count in repetition.reasons.items()),
        notes=(f"{repetition.documents:,} documents; {repetition.rule}",),
        examples=(("examples", _shown(repetition.examples)),) if repetition.examples else (),
    )
    yield Figure(
        "Advertising",
        notes=(f"{advertising.count} of {advertising.n:,} sampled documents",),
        examples=(("examples", _shown(advertising.examples)),) if advertising.examples else (),
    )


def label_figures(facts: LabelFacts) -> Iterable[Figure]:
    for split, balance in facts.balance.items():
        counts = balance.counts
        total = sum(counts.values())
        yield Figure(
            f"Classes of {split}",
            bars_of(
                (name, count, f"{count:,} ({_percent(count / total)})") for name, count in list(counts.items())[:30]
            ),
        )
    rows = tuple(
        (
            f"{item.of} in {item.within}",
            f"{item.rows:,}",
            f"{item.exact_rows:,}",
            f"{item.plain_rows:,}",
            ", ".join(f"{name} {count:,}" for name, count in item.texts.items()),
        )
        for item in facts.overlap
    )
    if rows:
        yield Figure(
            "Overlap of splits",
            rows=rows,
            header=("rows", "all", "exact", "but for case and punctuation", "texts anywhere"),
            examples=tuple(
                (f"{item.of} in {item.within}", _shown(item.examples)) for item in facts.overlap if item.examples
            ),
        )
    drift = tuple(
        (
            " and ".join(item.between),
            f"{item.words_divergence:g}",
            f"{item.words_divergence_by_chance:g}",
            " / ".join(f"{value:g}" for value in item.median_words),
            f"{_or_nan(item.labels_divergence):g}",
            f"{_or_nan(item.labels_divergence_by_chance):g}",
        )
        for item in facts.drift
    )
    if drift:
        header = ("splits", "words, bits", "by chance", "median words", "labels, bits", "by chance")
        yield Figure("Drift between splits", rows=drift, header=header)
    for split, item in facts.duplicates.items():
        against = item.contradictory
        examples = tuple((text.text[:80], tuple(text.labels)) for text in against.examples)
        yield Figure(
            f"Duplicates in {split}",
            notes=(f"{item.rows:,} rows stood before; {against.texts:,} texts have several labels",),
            examples=examples,
        )
    for split, noise in facts.label_noise.items():
        wrong = tuple((item.label, item.by_model, f"{item.probability:.2f}", item.text) for item in noise.examples)
        right = _percent(noise.model_accuracy)
        note = f"{noise.suspect:,} of {noise.n:,} by confident learning; the model is right on {right}"
        yield Figure(
            f"Labels of {split} that look wrong",
            rows=wrong,
            header=("label", "by the model", "probability", "text"),
            notes=(note,),
        )


def contamination_figures(facts: Contamination) -> Iterable[Figure]:
    """Which evaluation examples stand in the corpus."""
    names = ("n", "dirty", "exact", "thirteen_grams", "with_answer", "common_phrases", "not_judged")
    rows = tuple(
        (row.task, row.split, *(f"{getattr(row, name):,}" for name in names), " to ".join(map(_percent, row.interval)))
        for row in facts.tasks
    )
    header = (
        "task",
        "split",
        "examples",
        "dirty",
        "exact",
        "13-gram",
        "with answer",
        "common",
        "not judged",
        "interval",
    )
    examples = tuple(
        (f"{row.task} {row.split}", tuple(
            (f"{item.id}, in {item.place}, overlap {item.overlap}", f"{item.text}\n— {item.snippet}")
            for item in row.examples))
        for row in facts.tasks if row.examples
    )  # fmt: skip
    absent = tuple(f"{task}: {reason}" for task, reason in facts.absent.items())
    title = "Evaluation examples that stand in the corpus"
    yield Figure(title, rows=rows, header=header, notes=absent, examples=examples)
