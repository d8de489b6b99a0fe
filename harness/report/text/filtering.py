"""What a filter removed, or would, for people."""

from __future__ import annotations

from collections.abc import Iterable

from harness.core.text import size_text
from harness.corpora.filtering.filtering import Funnel
from harness.corpora.filtering.prediction import Prediction
from harness.report.text.text import columns

MOST_REASONS = 3
BAR = 24
"""Letters of a bar that stands for all documents."""


def funnel_text(funnel: Funnel) -> str:
    """The table of what went in, what each rule removed with its most frequent reasons, and what is left."""
    total = max(1, funnel.documents)
    rows = [("all", "", f"{total:,}", size_text(funnel.bytes), _bar(1.0), "")]
    for step in funnel.steps:
        edited = f"; edited {step.edited:,}" if step.edited else ""
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in list(step.reasons.items())[:MOST_REASONS])
        rows.append(
            (step.rule, f"{step.removed:,}", f"{step.left:,}", size_text(step.left_bytes), _bar(step.left / total),
             (reasons + edited).removeprefix("; "))
        )  # fmt: skip
    kept = funnel.kept_documents
    last = f"kept {kept:,} of {funnel.documents:,} documents ({100 * kept / total:.1f} %), " + (
        f"{size_text(funnel.kept_bytes)} of {size_text(funnel.bytes)}"
    )
    return columns(rows, ("rule", "removed", "left", "text", "of all", "why")) + "\n" + last


def _bar(fraction: float) -> str:
    full = round(BAR * fraction)
    return "█" * full + "·" * (BAR - full)


def prediction_text(prediction: Prediction) -> str:
    """What each rule would remove, with intervals."""
    rows = [(rule.rule, _percent(rule.removed), _bounds(rule.low, rule.high)) for rule in prediction.rules]
    if (near := prediction.near) is not None:
        rows.append((f"{near.rule}, near alone", _percent(near.removed), _bounds(near.low, near.high)))
    rows.append(("kept", _percent(prediction.kept), _bounds(prediction.kept_low, prediction.kept_high)))
    lines: Iterable[str] = (
        columns(rows, ("rule", "removed", "95 % interval")),
        f"by {prediction.sampled:,} of {prediction.documents:,} documents ({size_text(prediction.bytes)}); "
        "nothing was written",
    )
    return "\n".join(lines)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _bounds(low: float, high: float) -> str:
    return f"[{100 * low:.1f}, {100 * high:.1f}]"
