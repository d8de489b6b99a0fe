"""The verb `harness robustness`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harness.api.robustness import with_usual_perturbations
from harness.cli.options import Json, Plain, Quiet
from harness.cli.run import COMPLETIONS, SCORING, Show, perform, spec_of
from harness.cli.spec_options import spec_options
from harness.core.launch_specs import RunLaunch
from harness.core.run_spec import RunSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.report.text.diagnostics import robustness_text


@spec_options(RunSpec, SCORING, completions=COMPLETIONS)
@spec_options(RunLaunch, ("dry_run",), into="launch")
def robustness(
    given: dict[str, Any],
    launch: dict[str, Any],
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Finished models, as `harness evaluate` takes them.")
    ],
    as_json: Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Score finished models under attacks, noise and tests of behaviour, and print what they lose. Without --attack,
    --noise and --checks: under deepwordbug, and typos, case and punctuation.
    """
    how = parse(RunLaunch, launch, "the command line")
    spec = spec_of(with_usual_perturbations({**given, "model": models, "train": False}), None, None)
    show = None if how.dry_run else perturbed_text("json" if as_json else "markdown")
    perform(spec, how.dry_run, as_json, quiet, plain, show)


def perturbed_text(style: str) -> Show:
    """What `harness robustness` prints of its run."""
    return lambda result: robustness_text(Store(result.root), [result.name], style)
