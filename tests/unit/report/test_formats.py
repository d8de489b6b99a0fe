"""Tables as text: aligned, complete, and safe with names that users chose."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.tables import pareto
from harness.report.tables.csv_lines import to_csv
from harness.report.tables.formats import signed, to_markdown
from harness.report.tables.json_tables import to_json
from harness.report.tables.latex import to_latex
from harness.report.tables.leaderboard import build
from harness.report.tables.table import Table
from harness.stats.aggregate import Estimate
from tests.unit.report.records import all_typed, digest, record, score, suite

CEILING = {"value": 0.95, "low": 0.93, "high": 0.97}
NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@sum",
    "a|b",
    "[x](http://evil)",
    "**b**",
    "<b>",
    "\x1b[31mred",
    "a\nb",
    "a\u2028b",
    "\u202egnp",
]


def table_of(*records: dict, of: object | None = None) -> Table:
    (table,) = build(all_typed(records), [of or suite("a", "b")])
    return table


def cells(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.fixture
def table() -> Table:
    return table_of(
        record("a", "strong", {"accuracy": score(0.8123, ceiling=CEILING)}, source="synthetic"),
        record("b", "strong", {"accuracy": score(0.9, ceiling=CEILING)}, source="synthetic"),
        record("a", "weak", {"accuracy": score(0.6, ceiling=CEILING)}, source="synthetic"),
        record("b", "weak", {"accuracy": score(0.9, ceiling=CEILING)}, source="synthetic"),
    )


def test_a_markdown_cell_is_a_percentage_with_its_interval(table):
    header, rule, strong, weak, *_ = cells(to_markdown(table))
    assert header == ["model", "average", "a", "b"]
    assert set("".join(rule)) == {"-", ":"}
    assert strong[0] == "strong"
    assert strong[2:] == ["**81.2 [79.2, 83.2]**", "90.0 [88.0, 92.0]"]
    assert weak[2] == "60.0 [58.0, 62.0]"


def test_markdown_lines_up_in_a_terminal(table):
    lines = [line for line in to_markdown(table).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1


def test_chance_ceiling_and_the_number_of_examples_stand_below_the_models_in_italics(table):
    rows = cells(to_markdown(table))[2:]
    assert [row[0] for row in rows] == ["strong", "weak", "*chance*", "*ceiling*", "*examples*"]
    assert rows[2][1:] == ["50.0", "50.0", "50.0"]
    assert rows[3][2] == "95.0 [93.0, 97.0]"
    assert rows[4][1:] == ["", "100", "100"]


def test_without_a_ceiling_there_is_no_row_of_it():
    assert "ceiling" not in to_markdown(table_of(record("a", "m", 0.6), of=suite("a")))


def test_the_title_says_what_the_scores_rest_on(table):
    title = to_markdown(table).splitlines()[0]
    assert "demo on synthetic data, generated: not GLUE" in title
    assert table.fingerprint[:12] in title
    limited = to_markdown(table_of(record("a", "m", 0.6, limit=50), of=suite("a"))).splitlines()[0]
    assert "folder: demo" in limited
    assert "first 50 examples" in limited
    assert "generated" not in limited


def test_the_header_of_an_average_over_some_tasks_says_of_how_many():
    text = to_markdown(table_of(record("a", "m", 0.6), of=suite("a", "b", "c")))
    assert cells(text)[0][1] == "average of 1 of 3 tasks"
    assert "No score here: b, c." in text


def test_the_rule_for_bold_is_below_the_table(table):
    assert "Bold: better than every other model's whole interval" in to_markdown(table)


def test_what_a_table_leaves_out_is_said_below_it():
    text = to_markdown(
        table_of(
            record("a", "whole", 0.6),
            record("b", "whole", 0.6),
            record("a", "part", 0.6, selection={"note": "the epoch was chosen here"}),
            record("c", "whole", 0.1),
            record("d", "whole", {}),
            of=suite("a", "b", "c", "d", averaged=["a", "b"]),
        )
    )
    assert "– under average: the model lacks a score" in text
    assert "predictions only: d." in text
    assert "†: a diagnostic, not part of the average: c." in text
    assert "Of part: the epoch was chosen here." in text
    assert "c †" in cells(text)[0]


def test_seeds_have_a_column_and_a_deviation():
    text = to_markdown(
        table_of(
            *(record("a", "m", value, seed=seed) for seed, value in enumerate((0.70, 0.74))),
            record("a", "one", 0.5),
            of=suite("a"),
        )
    )
    header, _, first, second, *_ = cells(text)
    assert header[1] == "seeds"
    assert (first[1], second[1]) == ("2", "1")
    assert first[2].strip("*").startswith("72.0 ±2.8 [")


def test_an_interval_of_a_metric_below_zero_is_shown_as_it_is():
    bad = {"matthews_correlation": score(-0.05, bounds=[-1, 1], chance=0.0)}
    assert "-5.0 [-7.0, -3.0]" in to_markdown(table_of(record("a", "m", bad), of=suite("a")))


@pytest.mark.parametrize("name", NASTY)
def test_a_name_cannot_break_a_markdown_table_or_drive_a_terminal(name):
    text = to_markdown(table_of(record("a", name, 0.6), record("a", "plain", 0.9), of=suite("a")))
    assert [len(row) for row in cells(text)] == [2] * 6
    assert not set(text) & set("\x1b\u2028\u202e")
    assert not re.search(r"(?<!\\)\[x", text)
    assert "<b>" not in text.replace("\\<", "")


def test_an_ordinary_name_is_not_escaped():
    names = ["bert-tiny", "my_model.v2", "bert (epochs=2)"]
    text = to_markdown(table_of(*(record("a", name, 0.6) for name in names), of=suite("a")))
    assert all(f"| {name} " in text for name in names)


def test_wide_letters_take_two_columns():
    text = to_markdown(table_of(record("a", "模型", 0.6), record("a", "abcdef", 0.9), of=suite("a")))
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert len(lines["模型"]) + 2 == len(lines["abcdef"])


def test_latex_is_a_booktabs_table(table):
    text = to_latex(table)
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\textbf{81.2 {[}79.2, 83.2{]}}", r"\emph{chance}"):
        assert part in text
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert {line.count("&") for line in rows} == {3}


@given(st.text(min_size=1, max_size=12))
def test_no_name_can_break_latex(name):
    text = to_latex(table_of(record("a", name, 0.6), of=suite("a")))
    (row,) = [line for line in text.split("\n") if " & 60.0 " in line]
    label = row.split(" & 60.0 ")[0]
    for command in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}", r"\textless{}", r"\textgreater{}",
                    r"\textbar{}", r"{\char34}", r"$\pm$", r"$\times$", r"$\dagger$", r"$\downarrow$", "{[}", "{]}", "{*}",
                    r"\&", r"\%", r"\$", r"\#", r"\_", r"\{", r"\}"):  # fmt: skip
        label = label.replace(command, "")
    assert not set(label) & set('\\&%$#_{}~^<>|"[]*\n\r')


@given(st.text(min_size=1, max_size=12))
def test_no_name_can_break_markdown(name):
    text = to_markdown(table_of(record("a", name, 0.6), of=suite("a")))
    lines = text.split("\n")
    assert [line.startswith("|") for line in lines[2:7]] == [True] * 5
    assert [len(row) for row in cells("\n".join(lines[2:7]))] == [2] * 5


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_is_tidy_one_line_a_metric_and_split_at_full_precision():
    splits = ("matched", "mismatched")
    third = 1 / 3
    rows = read_csv(
        to_csv(
            [
                table_of(
                    *(
                        record("a", "m", {"accuracy": score(third, ceiling=CEILING)}, split=split, splits=splits)
                        for split in splits
                    ),
                    of=suite("a"),
                )
            ]
        )
    )
    assert [(row["kind"], row["task"], row["split"], row["metric"]) for row in rows] == [
        ("task", "a", "", ""),
        ("metric", "a", "matched", "accuracy"),
        ("metric", "a", "mismatched", "accuracy"),
    ]
    part = rows[2]
    assert float(part["value"]) == third
    assert (part["n"], part["seeds"], part["sd"], part["chance"], part["ceiling"]) == ("100", "1", "", "0.5", "0.95")
    assert float(part["low"]) == third - 0.02
    assert len(part["fingerprint"]) == 64


def test_csv_counts_the_seeds_of_each_score():
    rows = read_csv(
        to_csv(
            [table_of(record("a", "m", 0.7), record("a", "m", 0.8, seed=1), record("b", "m", 0.6), of=suite("a", "b"))]
        )
    )
    assert {(row["task"], row["seeds"]) for row in rows if row["kind"] == "metric"} == {("a", "2"), ("b", "1")}


def test_csv_keeps_the_parts_of_a_task_without_a_score():
    splits = ("matched", "mismatched")
    records = [record("a", "whole", 0.8, split=split, splits=splits) for split in splits]
    rows = read_csv(
        to_csv([table_of(*records, record("a", "half", 0.9, split="matched", splits=splits), of=suite("a"))])
    )
    assert [(row["kind"], row["value"]) for row in rows if row["model"] == "half"] == [("metric", "0.9")]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", " =1"])
def test_csv_runs_no_formula_in_a_spreadsheet(name):
    rows = read_csv(to_csv([table_of(record("a", name, 0.6), of=suite("a"))]))
    assert {row["model"][0] for row in rows} == {"'"}
    assert all(float(row["value"]) == 0.6 for row in rows)


def test_json_holds_everything_of_the_table(table):
    board = json.loads(to_json([table]))
    assert board["schema_version"] == 1
    (found,) = board["tables"]
    assert found["source"] == "synthetic"
    assert found["rows"][0]["scores"]["a"]["estimate"]["value"] == 0.8123
    assert found["rows"][0]["scores"]["a"]["parts"][0]["ceiling"]["value"] == 0.95
    assert found["rows"][0]["scores"]["a"]["best"] is True
    assert found["columns"][0]["fingerprint"] == digest("data a train dev")
    assert found["columns"][0]["metrics"] == {"accuracy": 1}


def test_a_table_of_predictions_only_has_a_text_in_every_format():
    table = table_of(record("a", "m", {}), of=suite("a"))
    assert "predictions only: a." in to_markdown(table)
    assert r"\begin{tabular}" in to_latex(table)
    assert read_csv(to_csv([table])) == []
    assert json.loads(to_json([table]))["tables"]


@pytest.mark.parametrize(
    ("change", "scale", "shown"),
    [
        ((0.008, -0.010, 0.027), 100, "+0.8 [-1.0, +2.7]"),
        ((-0.042, -0.064, -0.019), 100, "**-4.2 [-6.4, -1.9]**"),
        ((3e-9, 1e-9, 5e-9), 100, "+0.0 [+0.0, +0.0]"),  # another order of sums, nothing to make bold
        ((-3e-9, -5e-9, -1e-9), 100, "+0.0 [+0.0, +0.0]"),
        ((0.25, 0.2, 0.3), 1, "**+0.25 [+0.20, +0.30]**"),
    ],
)
def test_a_change_is_bold_where_its_interval_as_shown_leaves_out_nothing(change, scale, shown):
    assert signed(Estimate(*change), scale) == shown


def test_ninety_models_of_a_plot_look_different():
    assert len({(place % 10, pareto.MARKERS[place % len(pareto.MARKERS)]) for place in range(90)}) == 90
