"""The verdicts of the gate as items of pytest; registered by `harness.pytest_plugin` where a baseline is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.machine.results_place import ACCEPTED
from harness.gating.engine import judge
from harness.gating.measured import read
from harness.gating.settings import settings
from harness.gating.sources import accepted_baseline, refuse_another_model, resolve
from harness.report.text.gate_formats import row_message, said_of_measured

GROUP = "harness"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    gate = Gate.from_parent(session, name=GROUP, nodeid=GROUP)
    items.extend(gate.collect())


class Gate(pytest.Collector):
    """The verdicts of one gate."""

    def collect(self) -> Iterator[pytest.Item]:
        option = self.config.getoption
        try:
            report = judged(
                option("--harness-baseline"),
                option("--harness-candidate"),
                self.config.invocation_params.dir,
                Path(option("--harness-out")),
                option("--harness-config"),
                option("--harness-strict"),
                option("--harness-measured"),
            )
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None
        for reason in report.reasons:
            yield Verdict.from_parent(self, name="comparable", failure=f"not comparable: {reason}")
        for row in report.rows:
            yield self._item(f"{row.task}[{row.model}]", report, row, row_message(row))
        for row in report.measured:
            message = f"{row.verdict}: {said_of_measured(row)}"
            yield self._item(f"{row.kind}, {row.where}[{row.model}]", report, row, message)

    def _item(self, name: str, report: Any, row: Any, message: str) -> pytest.Item:
        fails = report.fails(row)
        skips = row.verdict == "INCONCLUSIVE" and not fails
        return Verdict.from_parent(
            self, name=name, failure=message if fails else None, skipped=message if skips else None
        )


def judged(
    baseline: str, candidate: str, here: Path, out: Path, config: str | None, strict: bool, measured: list[str]
) -> Any:
    """The gate's report; paths are relative to where pytest was started."""

    folder = here / ACCEPTED
    named = here / baseline
    base = accepted_baseline(str(named) if named.is_file() else baseline, folder)
    spec = settings(here / config if config else None, {"strict": True} if strict else {})
    path = here / candidate
    results = resolve(str(path) if path.exists() else candidate, here / out, folder)
    refuse_another_model(base, results, candidate, spec.models)
    return judge(base, results, spec, [read(here / file) for file in measured])[0]


class Regression(Exception):
    """What an item fails with."""


class Verdict(pytest.Item):
    """One verdict, as a test."""

    def __init__(self, *, failure: str | None = None, skipped: str | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.failure, self.skipped = failure, skipped

    def runtest(self) -> None:
        if self.failure:
            raise Regression(self.failure)
        if self.skipped:
            pytest.skip(self.skipped)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if excinfo.errisinstance(Regression) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        return Path(GROUP), None, f"{GROUP}: {self.name}"
