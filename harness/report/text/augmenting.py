"""What augmentation made, for people."""

from __future__ import annotations

from harness.data.augment.outcomes import AugmentedData, AugmentedExample
from harness.report.text.text import cell_text, columns

AS_IT_WAS = "as it was"


def augmented_text(made: AugmentedData) -> str:
    """The first examples beside their copies, and how many were made."""
    facts = made.facts
    copies = facts.augmented + facts.unchanged + facts.refused
    of = ", ".join(f"{name} {count:,}" for name, count in facts.by_operation.items())
    counts = [f"{facts.augmented:,} changed{f' ({of})' if of else ''}", f"{facts.unchanged:,} {AS_IT_WAS}"]
    counts += [f"{facts.refused:,} in which an answer would have been touched"] if facts.refused else []
    parts = [_shown(example) for example in made.examples]
    lines = [f"{facts.examples:,} examples, {copies:,} copies: {', '.join(counts)}", *facts.notes]
    return "\n\n".join([*parts, "\n".join(lines)])


def _shown(example: AugmentedExample) -> str:
    several = len(example.texts) > 1
    rows = []
    for field, text in example.texts.items():
        for number, copy in enumerate(example.copies):
            new = copy.texts[field]
            by = ", ".join(copy.by) if new != text else AS_IT_WAS
            rows.append([*([field] if several else []), cell_text(text) if number == 0 else "", by, cell_text(new)])
    return columns(rows, [*(["field"] if several else []), example.id, "by", "copy"])
