"""What a search for training values would do, for a reader."""

from __future__ import annotations

from harness.pipeline.commands.search_plan import Planned
from harness.pipeline.commands.trials import shown as shown_values
from harness.pipeline.cost import clock
from harness.report.text.text import columns


def plan_text(plan: Planned) -> str:
    """What a search would do."""
    rows = [[f"{100 * fraction:g} %", str(trials), clock(seconds)] for fraction, trials, seconds in plan.rungs] + [
        ["best, all examples", "1", clock(plan.last)]
    ]
    shown = "\n".join(f"          {shown_values(values)}" for values in plan.first)
    return "\n\n".join(
        [
            f"search    {plan.task}, {plan.model}: {plan.rungs[0][1]} trials of {', '.join(plan.space)}\n"
            f"takes     about {clock(plan.seconds)} with {plan.at_once} at once, {clock(plan.cpu_seconds)} of CPU time",
            columns(rows, ["epochs", "trials", "CPU time"]),
            f"first     the values of the trials that are drawn first\n{shown}\n",
        ]
    )
