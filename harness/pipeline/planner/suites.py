"""The suites, tasks and models a run asks for."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.errors import HarnessError
from harness.core.noise import attacked_task, can_be_attacked, can_have_noise, check_attack, check_name, with_noise
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import LIBRARY_MARK, NOISE_MARK, SHOTS_MARK, SuiteSpec, TaskSpec
from harness.core.transfer import base_name

SELECTED_TASKS = "selected tasks"
"""The name of the suite of a run that names single tasks."""


def suites_of(run: RunSpec, registry: Registry) -> list[SuiteSpec]:
    """The suites of a run, those of single tasks, noise and attacks included. Raises HarnessError for unknown names."""
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
                average=[name for name in single if registry.task(name).perturbation is None],
            )
        )
    if not suites:
        raise HarnessError(
            f"nothing to run: give --suite ({', '.join(registry.suites)}) or --task; `harness list tasks` shows all"
        )
    if run.eval_on:
        suites = [_with_others(suite, run, registry) for suite in suites]
    if run.attack:
        attacked = [_under_attack(suite, run, registry) for suite in suites]
        if attacked == suites and not any(task_asks(run, name) for suite in suites for name in suite.tasks):
            raise HarnessError(
                f"--attack {run.attack[0].method}: no task of the run has texts and answers with a class of its own, "
                "as attacks need"
            )
        suites = attacked
    if not run.noise:
        return suites
    noisy = [_under_noise(suite, run.noise, registry) for suite in suites]
    if noisy == suites:
        raise HarnessError(
            f"--noise {run.noise[0]}: no task of the run has texts and answers with a class or a number, as noise needs"
        )
    return noisy


def _with_others(suite: SuiteSpec, run: RunSpec, registry: Registry) -> SuiteSpec:
    """The suite with the tasks of `eval_on`, scored with the models of each of its tasks, as diagnostics."""
    tasks = [task for name in suite.tasks if (task := registry.task(name)).perturbation is None]
    trained = dict.fromkeys(task.train_on or task.name for task in tasks)
    added = []
    for other, source in run.evaluated_on.items():
        is_own = {name: other == name and source is None for name in trained}
        if all(is_own.values()):
            raise HarnessError(
                f"--eval-on {other}: the run trains on it; give another task, or its other data, =SOURCE"
            )
        added += [_scored_with(registry, other, name) for name in trained if not is_own[name]]
    new = [name for name in dict.fromkeys(added) if name not in suite.tasks]
    return suite.model_copy(update={"tasks": [*suite.tasks, *new], "average": suite.averaged})


def _scored_with(registry: Registry, other: str, trained: str) -> str:
    """The name of a task with the model of another one, which it may be scored with by itself."""
    where = f"--eval-on {other}"
    if SHOTS_MARK in trained or LIBRARY_MARK in trained:
        raise HarnessError(f"{where}: nothing is trained on {trained}, so that no model of it is scored on others")
    if NOISE_MARK in other or SHOTS_MARK in other:
        raise HarnessError(f"{where}: give the task alone, {base_name(other)}; --noise adds noise to all")
    task = registry.task(other, where)
    return other if task.train_on == trained else registry.task(f"{other}{SHOTS_MARK}{trained}", where).name


def _under_noise(suite: SuiteSpec, noises: Sequence[str], registry: Registry) -> SuiteSpec:
    """The suite with each task that can have noise also under each of these, as diagnostics."""
    for noise in noises:
        check_name(noise, "--noise")
    tasks = [registry.task(name) for name in suite.tasks]
    clean = [task for task in tasks if task.perturbation is None and can_have_noise(task)]
    added = [with_noise(task, noise).name for noise in noises for task in clean]
    new = [name for name in added if name not in suite.tasks]
    return suite.model_copy(update={"tasks": [*suite.tasks, *new], "average": suite.averaged}) if new else suite


def _under_attack(suite: SuiteSpec, run: RunSpec, registry: Registry) -> SuiteSpec:
    """The suite with each task of classes also under each attack, as diagnostics."""
    for attack in run.attack:
        check_attack(attack.method, "--attack")
    tasks = [registry.task(name) for name in suite.tasks]
    clean = [task for task in tasks if task.perturbation is None and can_be_attacked(task)]
    added = [attacked_task(task, attack, f"--attack {attack.method}").name for attack in run.attack for task in clean]
    new = [name for name in added if name not in suite.tasks]
    return suite.model_copy(update={"tasks": [*suite.tasks, *new], "average": suite.averaged}) if new else suite


def task_asks(run: RunSpec, name: str) -> bool:
    """Whether a task's name asks for an attack of the run."""
    return name.partition(NOISE_MARK)[2] in [attack.method for attack in run.attack]


def as_attacked(task: TaskSpec, run: RunSpec) -> TaskSpec:
    """The task with all options of its attack, the run's where it gives some. Raises HarnessError for options the
    attack does not have.
    """
    if task.attack is None:
        return task
    given = {attack.method: attack for attack in run.attack}.get(task.attack.method)
    place = f"task '{task.name}'" if given is None else f"--attack {task.attack.method}"
    if run.folds is not None and task.shots is None:
        raise HarnessError(f"{place}: an attack does not go with --folds; leave one of them out")
    attacked = attacked_task(task.clean, given or task.attack, place)
    return task.model_copy(update={"attack": attacked.attack})


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
