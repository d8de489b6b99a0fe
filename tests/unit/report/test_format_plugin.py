"""A report format of one's own is one module with one registered object."""

from __future__ import annotations

import pytest

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.report.tables.report_format import FORMATS, check_other_table, format_named
from harness.report.text.runs import leaderboard_text
from tests.benchmarks.record_store import make_store

TSV = '''
"""Tab-separated values: a line a model, a column a task."""

from harness import register
from harness.report.tables.report_format import ReportFormat


class Tsv(ReportFormat):
    def render(self, tables, layout):
        lines = []
        for table in tables:
            tasks = [column.task for column in table.columns]
            lines.append("\\t".join(["model", *tasks]))
            for row in table.rows:
                scores = (f"{row.scores[task].estimate.value:.4f}" if task in row.scores else "" for task in tasks)
                lines.append("\\t".join([row.label, *scores]))
        return "\\n".join(lines)


register("format", "tsv", Tsv())
'''


@pytest.fixture
def tsv(tmp_path):
    """The file of the plug-in; gone from the registry after the test."""
    before = plugins.snapshot()
    path = tmp_path / "tsv.py"
    path.write_text(TSV)
    yield path
    plugins.restore(before)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("made"), 33)


def test_it_writes_the_leaderboard(tsv, store):
    load_registry([tsv])
    header, *rows = leaderboard_text(store, [], "tsv").splitlines()
    assert header.split("\t")[0] == "model" and "sst2" in header.split("\t")
    assert rows and {len(row.split("\t")) for row in rows} == {len(header.split("\t"))}


def test_the_command_line_takes_it_by_name(tsv, small_run):
    call = small_run[0]
    printed = call("leaderboard", "--format", "tsv", "--include", str(tsv)).stdout
    assert printed.startswith("model\t") and "majority\t" in printed
    assert "Did you mean 'tsv'?" in call("leaderboard", "-f", "tvs", "--include", str(tsv), code=2).stderr
    refused = call("leaderboard", "-f", "tsv", "--include", str(tsv), "--update", "R.md", code=2).stderr
    assert "md or html, not tsv" in refused
    assert "--robustness comes as markdown or json, not tsv" in (
        call("leaderboard", "-f", "tsv", "--include", str(tsv), "--robustness", code=2).stderr
    )


def test_built_in_formats_are_registered_and_md_is_markdown(store):
    assert FORMATS.names() == ["csv", "html", "json", "latex", "markdown"]
    assert format_named("md") == "markdown" and format_named("csv") == "csv"
    with pytest.raises(HarnessError, match=r"unknown format 'markdwon'\. Did you mean 'markdown'\?"):
        format_named("markdwon")
    starts = {name: leaderboard_text(store, [], name)[:8] for name in FORMATS.names()}
    assert starts == {
        "csv": "suite,so",
        "html": "<table c",
        "json": '{\n "sche',
        "latex": "\\begin{t",
        "markdown": "### glue",
    }
    assert [name for name in FORMATS.names() if FORMATS.get(name).stands_in_markdown] == ["html", "markdown"]


def test_other_tables_come_as_markdown_or_json():
    check_other_table("--pareto", "markdown")
    check_other_table("--pareto", "json")
    with pytest.raises(HarnessError, match="--pareto comes as markdown or json, not latex"):
        check_other_table("--pareto", "latex")
