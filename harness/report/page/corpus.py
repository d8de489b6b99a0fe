"""Pages about a corpus: what is in it, and what a filter removed of it. Plots are drawn here, no script is needed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.core.text import size_text
from harness.core.version import __version__
from harness.corpora.filtering.filtering import LEDGER, Funnel
from harness.corpora.reporting.report import CorpusReport, Finding
from harness.data.corpus_manifest import CorpusManifest
from harness.report.page.corpus_figures import (
    BELOW,
    HIGH,
    LEFT,
    WIDE,
    Bar,
    Figure,
    consistency_figures,
    contamination_figures,
    diversity_figures,
    label_figures,
    reliability_figures,
)
from harness.report.page.render import policy, static_text, templates

BAR = 220.0
"""The longest bar."""
LEDGER_LINES = 200_000
"""Lines of a ledger that are looked through for examples."""


@dataclass(frozen=True)
class Chapter:
    """A part of the page."""

    key: str
    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class CorpusPage:
    """All that a page shows."""

    title: str
    facts: str
    findings: tuple[Finding, ...]
    chapters: tuple[Chapter, ...]
    created: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    version: str = __version__


def corpus_page(report: CorpusReport) -> str:
    """The page of a report, as HTML that needs no other file and no network."""
    chapters = [
        Chapter("diversity", "Diversity", tuple(diversity_figures(report.diversity))),
        Chapter("consistency", "Consistency", tuple(consistency_figures(report.consistency))),
        Chapter("reliability", "Reliability", tuple(reliability_figures(report.reliability))),
    ]
    if report.labels is not None:
        chapters.insert(0, Chapter("labels", "Labels and splits", tuple(label_figures(report.labels))))
    if report.contamination is not None:
        chapters.append(Chapter("contamination", "Contamination", tuple(contamination_figures(report.contamination))))
    name = Path(report.location).name or report.location
    facts = f"{report.documents:,} documents, {size_text(report.bytes)}, fingerprint {report.fingerprint[:12]}"
    return _rendered(CorpusPage(f"Corpus: {name}", facts, report.findings, tuple(chapters)))


def funnel_page(folder: Path, manifest: CorpusManifest, funnel: Funnel) -> str:
    """The page of a filter: what each rule removed, with examples from the ledger in its folder."""
    total = max(1, funnel.documents)
    bars = [Bar("all", 1.0, f"{total:,} documents, {size_text(funnel.bytes)}")]
    for step in funnel.steps:
        text = f"{step.left:,} left, {step.removed:,} removed" + (f", {step.edited:,} edited" if step.edited else "")
        bars.append(Bar(step.rule, step.left / total, text))
    rows = tuple(
        (step.rule, reason, f"{count:,}", f"{100 * count / total:.2f} %")
        for step in funnel.steps
        for reason, count in step.reasons.items()
    )
    settings = tuple(
        (str(rule["rule"]), json.dumps({k: v for k, v in rule.items() if k != "rule"}, ensure_ascii=False))
        for rule in manifest.rules
    )
    figures = (
        Figure("What each rule left", tuple(bars)),
        Figure(
            "Reasons", rows=rows, header=("rule", "reason", "documents", "of all"), examples=_ledger(folder / LEDGER)
        ),
        Figure("Rules", rows=settings, header=("rule", "settings")),
    )
    sizes = f"{size_text(funnel.kept_bytes)} of {size_text(funnel.bytes)}"
    kept = f"kept {funnel.kept_documents:,} of {total:,} documents, {sizes}"
    name = Path(manifest.source.location).name or manifest.source.location
    return _rendered(CorpusPage(f"Filtered: {name}", kept, (), (Chapter("funnel", "Funnel", figures),)))


def _rendered(page: CorpusPage) -> str:
    from markupsafe import Markup

    style = "\n".join(static_text(name) for name in ("page.css", "parts.css", "corpus.css"))
    html = (
        templates()
        .get_template("corpus.html.j2")
        .render(
            page=page,
            style=Markup(style),  # noqa: S704 - our own file
            policy=policy(style, ""),
            wide=WIDE,
            high=HIGH,
            left=LEFT,
            below=BELOW,
            bar=BAR,
        )
    )
    return html.encode("utf-8", "replace").decode("utf-8")


def _ledger(path: Path, most: int = 4) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    grouped: dict[str, list[tuple[str, str]]] = {}
    with path.open(encoding="utf-8") as file:
        for _, line in zip(range(LEDGER_LINES), file, strict=False):
            entry = json.loads(line)
            kept = grouped.setdefault(f"{entry['rule']}: {entry['reason']}", [])
            if len(kept) < most:
                more = f" (kept: {entry['kept']})" if "kept" in entry else ""
                kept.append((entry["place"] + more, entry["text"]))
    return tuple((reason, tuple(examples)) for reason, examples in grouped.items())
