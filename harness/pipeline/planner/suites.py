"""The suites, tasks and models a run asks for."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.errors import HarnessError
from harness.core.noise import can_have_noise, check_name, with_noise
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import SuiteSpec

SELECTED_TASKS = "selected tasks"
"""The name of the suite of a run that names single tasks."""


def suites_of(run: RunSpec, registry: Registry) -> list[SuiteSpec]:
    """The suites of a run, those of single tasks and of noise included. Raises HarnessError for unknown names."""
    suites = [registry.suite(name) for name in dict.fromkeys(run.suite)]
    groups = {name: group for name in dict.fromkeys(run.task) if (group := registry.group(name)) is not None}
    suites += groups.values()
    single = [name for name in dict.fromkeys(run.task) if name not in groups]
    if single:
        suites.append(
            SuiteSpec.model_construct(
                name=SELECTED_TASKS,
                version=1,
                description="",
                tasks=single,
                average=[name for name in single if registry.task(name).noise is None],
            )
        )
    if not suites:
        raise HarnessError(
            f"nothing to run: give --suite ({', '.join(registry.suites)}) or --task; `harness list tasks` shows all"
        )
    if not run.noise:
        return suites
    noisy = [_under_noise(suite, run.noise, registry) for suite in suites]
    if noisy == suites:
        raise HarnessError(
            f"--noise {run.noise[0]}: no task of the run answers with a class or a number, as noise needs"
        )
    return noisy


def _under_noise(suite: SuiteSpec, noises: Sequence[str], registry: Registry) -> SuiteSpec:
    """The suite with each task that can have noise also under each of these, as diagnostics."""
    for noise in noises:
        check_name(noise, "--noise")
    tasks = [registry.task(name) for name in suite.tasks]
    clean = [task for task in tasks if task.noise is None and can_have_noise(task)]
    added = [with_noise(task, noise).name for noise in noises for task in clean]
    new = [name for name in added if name not in suite.tasks]
    return suite.model_copy(update={"tasks": [*suite.tasks, *new], "average": suite.averaged}) if new else suite


def default_limit(suites: Sequence[SuiteSpec]) -> int | None:
    """The number of examples the suites read. Raises HarnessError where they differ."""
    limits = {suite.limit for suite in suites}
    if len(limits) > 1:
        raise HarnessError(
            f"{' and '.join(suite.name for suite in suites)} read different numbers of examples; run them apart, or "
            "give --limit"
        )
    return limits.pop()


def default_models(suites: Sequence[SuiteSpec], registry: Registry) -> list[str]:
    """Each suite's own models, the registry's defaults where a suite names none."""
    return [name for suite in suites for name in suite.models or registry.default_models()]
