"""The tasks of a run whose models' behaviour is tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core import plugins
from harness.core.checks_spec import ChecksSpec
from harness.core.errors import HarnessError, unknown
from harness.core.installation import builtin_folders
from harness.core.noise import NOISES, can_be_attacked
from harness.core.reading import expanded, is_file
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import NOISE_MARK, SuiteSpec, TaskSpec
from harness.core.strict_spec import load_spec


def builtin_checks() -> dict[str, Path]:
    """The files of tests that come with the package, by name."""
    folder = builtin_folders()[0] / "checks"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def checks_of(run: RunSpec) -> list[ChecksSpec]:
    """The tests of a run. Raises HarnessError for a file that is not there or holds none, or a name that is taken."""
    known = builtin_checks()
    specs: list[ChecksSpec] = []
    for name in run.checks:
        path = known.get(name, expanded(name))
        if not is_file(path):
            if path.suffix in (".yaml", ".yml"):
                raise HarnessError(f"--checks {name}: no such file")
            raise unknown("checks", name, known, "--checks", "; or give a YAML file")
        spec = load_spec(ChecksSpec, path)
        if spec.name in (*NOISES, *plugins.table("attack").names()):
            raise HarnessError(f"{path}: name: {spec.name} is a noise or an attack; choose another")
        if spec.name in [other.name for other in specs]:
            raise HarnessError(f"--checks {name}: there are two of the name {spec.name}")
        specs.append(spec)
    return specs


def with_checks(suites: Sequence[SuiteSpec], run: RunSpec, registry: Registry) -> list[SuiteSpec]:
    """The suites with each task of classes also under each file of tests, as diagnostics. Raises HarnessError where no
    task has classes.
    """
    specs = checks_of(run)
    tested = [_tested(suite, specs, registry) for suite in suites]
    if specs and tested == list(suites):
        raise HarnessError(
            f"--checks {run.checks[0]}: no task of the run has texts and answers with a class of its own"
        )
    if specs and run.folds is not None:
        raise HarnessError("--checks: tests of behaviour do not go with --folds; leave one of them out")
    return tested


def _tested(suite: SuiteSpec, specs: Sequence[ChecksSpec], registry: Registry) -> SuiteSpec:
    tasks = [registry.task(name) for name in suite.tasks]
    clean = [task for task in tasks if task.perturbation is None and can_be_attacked(task)]
    new = [f"{task.name}{NOISE_MARK}{spec.name}" for spec in specs for task in clean]
    return suite.model_copy(update={"tasks": [*suite.tasks, *new], "average": suite.averaged}) if new else suite


def task_of(name: str, checks: Sequence[ChecksSpec], registry: Registry) -> TaskSpec:
    """A task by its name in a run, which may ask for tests of that run."""
    clean, _, named = name.partition(NOISE_MARK)
    spec = next((spec for spec in checks if spec.name == named), None)
    if spec is None:
        return registry.task(name)
    return registry.task(clean).model_copy(update={"name": name, "checks": spec})
