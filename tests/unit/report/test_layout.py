"""Columns, order and groups of a leaderboard, as asked for."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from harness.core.errors import HarnessError
from harness.report.tables.csv_lines import to_csv
from harness.report.tables.formats import to_markdown
from harness.report.tables.html import to_html
from harness.report.tables.json_tables import to_json
from harness.report.tables.latex import to_latex
from harness.report.tables.layout import laid_out, parse_layout
from harness.report.tables.leaderboard import build
from harness.report.tables.table import Table
from tests.unit.report.records import all_typed, record, score, suite
from tests.unit.report.test_formats import NASTY


def lower(value: float) -> dict:
    return {"error": score(value, greater_is_better=False)}


RECORDS = [
    record("a", "big", 0.7, runtime="torch"),
    record("b", "big", 0.9, runtime="torch"),
    record("e", "big", lower(0.3), runtime="torch"),
    record("a", "small", 0.6, runtime="onnxruntime"),
    record("b", "small", 0.8, runtime="onnxruntime"),
    record("e", "small", lower(0.1), runtime="onnxruntime"),
    record("a", "half", 0.9, runtime="torch"),
]


def tables(*, columns: str | None = None, sort: str | None = None, group_by: str | None = None, records=RECORDS):
    layout = parse_layout(columns, sort, group_by)
    of = suite("a", "b", "e", "nowhere", averaged=["a", "b"])
    return laid_out(build(all_typed(records), [of]), layout), layout


def parsed(markdown: str) -> list[list[str]]:
    """The cells of the only table that a Markdown reader finds, its header first."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    assert sum(token.type == "table_open" for token in tokens) == 1
    rows: list[list[str]] = []
    for before, token in pairwise(tokens):
        if before.type == "tr_open":
            rows.append([])
        if before.type in ("th_open", "td_open"):
            rows[-1].append("".join(child.content for child in token.children))
    return rows


def names(**asked) -> list[str]:
    (table,), layout = tables(**asked)
    return [row[0] for row in parsed(to_markdown(table, layout))[1:] if row[0] not in ("chance", "examples")]


def test_scores_are_sorted_best_first_and_a_direction_turns_that_around():
    assert names(sort="b") == ["big", "small", "half"]
    assert names(sort="b:asc") == ["small", "big", "half"], "what has no score stays last"
    assert names(sort="e") == ["small", "big", "half"], "lower is better"
    assert names(sort="model") == ["big", "half", "small"]
    assert names(sort="model:desc") == ["small", "half", "big"]


def test_one_can_sort_by_a_column_that_is_not_shown():
    assert names(sort="b:asc", columns="a") == ["small", "big", "half"]


def test_columns_come_as_they_were_asked_for_after_the_model():
    (table,), layout = tables(columns="parameters,b,average,runtime")
    header, first, *_ = parsed(to_markdown(table, layout))
    assert header == ["model", "parameters", "b", "average", "runtime"]
    assert first == ["big", "7", "90.0 [88.0, 92.0]", "80.0 [78.6, 81.4]", "torch"]


def test_an_average_over_tasks_that_are_not_shown_says_so():
    (table,), layout = tables(columns="b,average")
    assert "The average is over a, b." in to_markdown(table, layout)
    (table,), layout = tables()
    assert "The average is over" not in to_markdown(table, layout)


def test_what_is_not_shown_is_not_remarked_on():
    (table,), layout = tables(columns="a")
    assert "nowhere" not in to_markdown(table, layout)
    assert "↓" not in to_markdown(table, layout)


def test_groups_have_a_heading_each_and_keep_the_order():
    assert names(group_by="runtime") == ["runtime: torch", "big", "half", "runtime: onnxruntime", "small"]
    assert names(group_by="runtime", sort="b:asc") == [
        "runtime: onnxruntime", "small", "runtime: torch", "big", "half",
    ]  # fmt: skip
    assert names(group_by="method") == ["method: not compressed", "big", "small", "half"]


def test_a_compressed_model_stands_with_its_original():
    small = record("a", "big+int8", 0.5)
    small["model"] |= {"original": "big", "method": "int8"}
    found = names(records=[record("a", "big", 0.9), record("a", "other", 0.7), small], group_by="base")
    assert found == ["base: big", "big", "big+int8", "base: other", "other"]


def test_every_format_has_the_order_and_the_columns():
    (table,), layout = tables(columns="b,average", sort="b:asc", group_by="runtime")
    lines = list(csv.DictReader(io.StringIO(to_csv([table], layout))))
    assert list(dict.fromkeys(line["model"] for line in lines)) == ["small", "big"]
    assert {line["task"] for line in lines} == {"", "b"}
    assert {line["runtime"] for line in lines} == {"torch", "onnxruntime"}
    (in_json,) = json.loads(to_json([table], layout))["tables"]
    assert [row["label"] for row in in_json["rows"]] == ["small", "big", "half"]
    assert all(set(row["scores"]) <= {"b"} for row in in_json["rows"])
    latex = to_latex(table, layout)
    assert latex.index("small") < latex.index("big")
    assert r"\multicolumn{3}{l}{\emph{runtime: torch}} \\" in latex


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"columns": "averge"}, "Did you mean 'average'"),
        ({"columns": "a,,b"}, "an empty name"),
        ({"columns": "a,b,a"}, "'a' is there twice"),
        ({"sort": "runtme"}, "Did you mean 'runtime'"),
        ({"sort": "a:up"}, "after a colon comes asc, desc or a metric"),
        ({"group_by": "learnr"}, "Did you mean 'learner'"),
    ],
)
def test_a_name_nobody_knows_is_refused(asked, message):
    with pytest.raises(HarnessError, match=message):
        tables(**asked)


def test_a_table_without_the_scores_asked_for_is_left_out():
    records = [*RECORDS, record("a", "elsewhere", 0.5, data="other")]
    assert len(tables(records=records)[0]) == 2
    assert len(tables(records=records, columns="b")[0]) == 1


@pytest.mark.parametrize("name", NASTY)
def test_markdown_parses_as_one_table_whatever_a_model_is_called(name):
    (table,), layout = tables(records=[record("a", name, 0.6), record("a", "plain", 0.9)], group_by="base")
    rows = parsed(to_markdown(table, layout))
    assert {len(row) for row in rows} == {3}
    if "\n" not in name and "\x1b" not in name and "\u2028" not in name and "\u202e" not in name:
        assert name in [row[0] for row in rows]


class Fragment(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        assert {key for key, _ in attrs} <= {"class", "scope", "colspan"}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("name", [*NASTY, "<script>alert(1)</script>", '" onclick="x', "a&b"])
def test_html_is_balanced_and_holds_no_markup_of_users(name):
    (table,), layout = tables(records=[record("a", name, 0.6), record("a", "plain", 0.9)], group_by="learner")
    fragment = Fragment()
    fragment.feed(to_html(table, layout))
    assert not fragment.open
    assert set(fragment.tags) == {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "strong", "em", "p"}
    if name.isprintable():
        assert name in fragment.text


@pytest.fixture(scope="module")
def tex() -> str:
    found = next((which for name in ("tectonic", "pdflatex", "lualatex") if (which := shutil.which(name))), None)
    if found is None:
        pytest.skip("no LaTeX here: neither tectonic nor pdflatex nor lualatex")
    return found


def document(table: Table, layout) -> str:
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage{booktabs}",
            r"\begin{document}",
            to_latex(table, layout),
            r"\end{document}",
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NASTY if name.isprintable()])
def test_latex_compiles_with_booktabs(tex, tmp_path, name):
    (table,), layout = tables(records=[record("a", name, 0.6), record("a", "plain", 0.9)], group_by="base")
    (tmp_path / "t.tex").write_text(document(table, layout))
    options = [] if tex.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([tex, *options, "t.tex"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("group_by", [None, "learner"])
def test_latex_has_as_many_cells_in_every_line_and_balanced_braces(group_by):
    (table,), layout = tables(columns="b,average,parameters", group_by=group_by)
    text = to_latex(table, layout)
    body = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert {line.count(" & ") for line in body} == {3}
    assert r"\begin{tabular}{lrrr}" in text
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")


def test_every_metric_can_be_a_column_and_sorts():
    (table,), layout = tables(columns="a:accuracy,e:error,a", sort="a:accuracy:asc")
    header, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in to_markdown(table, layout).splitlines()
        if line.startswith("|")
    ]
    assert header == ["model", "a:accuracy", "e:error", "a"]
    values = [float(row[1].strip("*").split(" ")[0]) for row in rows[1:] if row[1][:1].isdigit() or row[1][:2] == "**"]
    assert values[: len(table.rows)] == sorted(values[: len(table.rows)])
    (one,), narrow = tables(columns="a:accuracy")
    assert "a:accuracy" in to_markdown(one, narrow) and "average" not in to_markdown(one, narrow).splitlines()[2]
