"""How verbs are called that look something up."""

from __future__ import annotations

from harness.core.panels import WHAT
from harness.core.strict_spec import Strict, setting


class VerifySpec(Strict):
    """Of `harness verify`."""

    repair: bool = setting(False, "Set what is damaged aside, so that it is made again.", panel=WHAT)


class ScoreSpec(Strict):
    """Of `harness score`."""

    metric: list[str] = setting(list, "Compute this metric instead of the tasks' own.", panel=WHAT)


class ListSpec(Strict):
    """Of `harness list`."""

    source: str | None = setting(None, "Tasks of a task library: lm_eval or mteb.", panel=WHAT, metavar="LIBRARY")
