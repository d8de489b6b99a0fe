"""The verb `harness plan`."""

from __future__ import annotations

from typing import Any

from harness.api.runs import perform_plan
from harness.cli.options import Json, Plain, Quiet, show_tables
from harness.cli.run import COMPLETIONS, announce_plan, spec_of
from harness.cli.spec_options import spec_options
from harness.core.launch_specs import PlanSpec, RunLaunch
from harness.core.run_spec import RunSpec
from harness.core.strict_spec import parse
from harness.report.text.schedules import schedule_json, schedule_text


@spec_options(RunSpec, completions=COMPLETIONS)
@spec_options(RunLaunch, ("mode", "config"), into="launch")
@spec_options(PlanSpec, into="nodes")
def plan(
    given: dict[str, Any],
    launch: dict[str, Any],
    nodes: dict[str, Any],
    as_json: Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Simulate the schedule of a run on several machines, from what its cells are estimated to take: how long, at
    what cost, and what bounds it. No cell is computed.
    """
    asked = parse(PlanSpec, nodes, "the command line")
    how = parse(RunLaunch, launch, "the command line")
    run = spec_of(given, how.mode, how.config)
    planned = perform_plan(run, asked, lambda prepared: announce_plan(prepared, run, quiet, dry_run=True))
    show_tables(schedule_json(planned) if as_json else schedule_text(planned), plain or as_json)
