"""What is asked of specs beyond their own shape: the names in them must lead somewhere."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import plugins
from harness.core.augment_spec import check_operations
from harness.core.errors import OF_YOUR_OWN, HarnessError, unknown
from harness.core.families import LIBRARY
from harness.core.specs import LIBRARY_MARK, NOISE_MARK, SHOTS_MARK, ModelSpec, SuiteSpec, TaskSpec


def check_task(task: TaskSpec, where: str, is_built_in: bool) -> None:
    """Raises HarnessError for a task in the file `where` whose names lead nowhere, or that asks for what its name
    alone may ask.
    """
    name = task.name
    if task.shots is not None or SHOTS_MARK in name:
        raise HarnessError(f"{where}: a task is not shown examples by itself; ask for it as {name}{SHOTS_MARK}0-shot")
    if task.perturbation is not None or NOISE_MARK in name:
        raise HarnessError(f"{where}: a task has no noise or attack by itself; ask for it as {name}{NOISE_MARK}typos")
    if LIBRARY_MARK in name or task.family == LIBRARY.name:
        raise HarnessError(f"{where}: a name with '{LIBRARY_MARK}' and the family {LIBRARY.name} are of task libraries")
    plugins.lookup("family", task.family, where).check_fields(list(task.fields), where)
    known_metrics, known_sources = plugins.table("metric").names(), plugins.table("source").names()
    for metric in task.metrics:
        if metric not in known_metrics:
            raise unknown("metric", metric, known_metrics, where, OF_YOUR_OWN)
        if not is_built_in:
            _check_metric(metric, task, where)
    for source, settings in task.sources.of_plugins.items():
        if source not in known_sources:
            raise unknown("source", source, {*known_sources, "glue"}, where, OF_YOUR_OWN)
        plugins.lookup("source", source).check(settings, where)


def check_suite(suite: SuiteSpec, models: Mapping[str, ModelSpec], where: str) -> None:
    """Raises HarnessError for a metric or a model of a suite that there is none of."""
    known_metrics = plugins.table("metric").names()
    for metric in suite.margins.metrics:
        if metric not in known_metrics:
            raise unknown("metric", metric, known_metrics, f"{where}, margins")
    for model in suite.models:
        if model not in models:
            raise unknown("model", model, models, where)


def check_model_spec(model_spec: ModelSpec, where: str) -> None:
    """Raises HarnessError for a learner, objective or operation that there is none of, or that does not go with the
    rest.
    """
    plugins.lookup("learner", model_spec.learner, where).check(model_spec)
    if model_spec.pretraining is not None:
        plugins.table("objective").check(model_spec.pretraining.objective, where)
    if model_spec.pretraining is not None and model_spec.pretraining.augment is not None:
        check_operations(model_spec.pretraining.augment, f"{where}: pretraining.augment")
    if model_spec.training.augment is not None:
        check_operations(model_spec.training.augment, f"{where}: training.augment")


def _check_metric(name: str, task: TaskSpec, where: str) -> None:
    """Raises HarnessError for a metric of other predictions than those of the task's family."""
    scored, predicted = plugins.lookup("metric", name).inputs, plugins.lookup("family", task.family).predictions
    if scored != predicted:
        fitting = [
            other for other in plugins.table("metric").names() if plugins.lookup("metric", other).inputs == predicted
        ]
        raise HarnessError(
            f"{where}: metric {name} scores {scored}, family {task.family} predicts {predicted}; metrics of these: "
            f"{', '.join(fitting)}"
        )
