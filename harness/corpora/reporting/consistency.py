"""Regularities that a corpus should not have: faults of encoding, boilerplate, duplicates."""

from __future__ import annotations

from harness.corpora.reporting.facts import (
    BandingFacts,
    Boilerplate,
    CommonLine,
    Consistency,
    DuplicateFacts,
    EncodingFacts,
)
from harness.corpora.reporting.survey import Survey
from harness.corpora.text.minhash import Banding

BOILERPLATE = 0.001
"""Of all documents; a line in more of them, and in five at least, is boilerplate."""


def consistency(survey: Survey, banding: Banding) -> Consistency:
    """What a report says of a corpus's consistency, by its survey."""
    n = survey.documents
    duplicates = survey.duplicates
    assert duplicates is not None
    exact, near = len(duplicates.exact), len(duplicates.near)
    recall = {f"{value:.2f}": round(banding.recall(value), 4) for value in (0.6, 0.7, 0.8, 0.9, 0.95)}
    return Consistency(
        encoding=EncodingFacts(
            documents=survey.faulty,
            fraction=round(survey.faulty / n, 5),
            faults=dict(survey.faults.most_common()),
            examples=survey.examples.by_kind.get("faults", []),
        ),
        blank_documents=survey.blank,
        boilerplate=boilerplate(survey),
        duplicates=DuplicateFacts(
            exact=exact,
            exact_fraction=round(exact / n, 5),
            near=near,
            near_fraction=round(near / n, 5),
            distinct=n - exact - near,
            clusters=len(duplicates.clusters()),
            largest=survey.clusters,
            banding=BandingFacts(**banding.model_dump(), recall=recall),
        ),
    )


def boilerplate(survey: Survey) -> Boilerplate:
    """Lines that stand in many documents; counted of documents of several lines, each line once a document."""
    least = max(5, round(BOILERPLATE * survey.documents))
    frequent = survey.repeated_lines
    lines = sorted(
        ((line, count) for line, count in frequent.counts.items() if count >= least),
        key=lambda item: (-item[1], item[0]),
    )
    return Boilerplate(
        at_least=least,
        lines=len(lines),
        most_frequent=[CommonLine(text=line, documents=count) for line, count in lines[:10]],
        counts_may_be_low_by=frequent.error,
    )
