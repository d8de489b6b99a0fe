"""What a search would do, and what that takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.packages import require_packages
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.search_records import COMPLETE
from harness.core.search_spec import Space, TuneSpec
from harness.core.store import Store
from harness.pipeline.commands.run import forecast, prepare
from harness.pipeline.commands.tune import Search, with_specs


@dataclass(frozen=True)
class Planned:
    """What a search would do, where nothing of it is cached or fails: of each rung its fraction of the epochs, how many
    trials are trained so far, and the CPU seconds that they take; those of the best at the end; how many cells are
    computed at once; and the values of the trials that are drawn first.
    """

    task: str
    model: str
    space: Space
    rungs: Sequence[tuple[float, int, float]]
    last: float
    at_once: int
    first: Sequence[Mapping[str, Any]]

    @property
    def cpu_seconds(self) -> float:
        return sum(seconds for _, _, seconds in self.rungs) + self.last

    @property
    def seconds(self) -> float:
        """Until it is done, where each worker has a core."""
        return sum(seconds for _, _, seconds in self.rungs) / self.at_once + self.last


def plan_search(run: RunSpec, search: TuneSpec, registry: Registry, store: Store) -> Planned:
    """What a search would do, without doing any of it: estimated of the trials that are drawn first, which depend on no
    values. Raises HarnessError as `tune` does.
    """
    require_packages("optuna", extra="search")
    job = Search.of(run, search, registry, store, lambda event: None, lambda prepared: None, lambda line: None)
    batch = [trial for trial in job.drawn_first() if trial.state == COMPLETE]
    rungs, at_once = [], 1
    sizes = [search.batch] * (search.trials // search.batch) + [search.trials % search.batch]
    for fraction in search.steps:
        prepared = job.prepared(batch, fraction)[1]
        forecasted = forecast(job.plain, prepared.plan.cells, store)
        at_once = max(at_once, forecasted.at_once)
        each = sum(forecasted.cells.values()) / max(1, len(batch))
        rungs.append((fraction, sum(sizes), each * sum(sizes)))
        sizes = [max(1, round(search.keep * size)) if size else 0 for size in sizes]
    final = job.plain.model_copy(update={"model": [job.name], "seeds": run.seeds})
    spec = job.model_spec.model_copy(update={"name": job.name})
    last = forecast(final, prepare(final, with_specs(job.registry, [spec]), store).plan.cells, store)
    values = [dict(trial.values) for trial in batch]
    return Planned(job.task.name, job.name, job.space, rungs, last.seconds, at_once, values)
