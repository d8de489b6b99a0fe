"""What a check of another tool's scores says, for people and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from harness.gating.consistency import Consistency

SCHEMA_VERSION = 1


def consistency_text(checked: Consistency) -> str:
    """A line for each finding; where there is none, what was looked at."""
    if checked.findings:
        return "\n".join(
            f"{finding.model} on {finding.task}, {finding.metric}: {finding.message}" for finding in checked.findings
        )
    recomputed = sum(score.recomputed is not None for score in checked.scores)
    count = len(checked.scores)
    scores = f"{count} score{'s' if count != 1 else ''} of {checked.tool}:{checked.place}"
    return f"{scores}, {recomputed} computed again of single examples: nothing is wrong"


def consistency_json(checked: Consistency) -> str:
    """Everything, at full precision."""
    content = {"schema_version": SCHEMA_VERSION, "sound": checked.sound, **asdict(checked)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
