"""Single examples: what is counted over all of them, which of them are kept, and what plots are drawn from."""

from __future__ import annotations

import numpy as np

from harness.core.ranks import Retrieved
from harness.report.page import charts, examples
from harness.report.page.examples import LONGEST, SHOWN, Predicted, Texts
from harness.report.page.model import Cell, Head, Line, Section
from harness.report.tables.leaderboard import build_with_records
from tests.unit.report.page.given import LABELS, page, scored
from tests.unit.report.records import all_typed, score, suite

N = 500


def views(
    sides: dict[str, np.ndarray],
    gold: np.ndarray | None,
    texts: Texts | None = None,
    metric: str = "accuracy",
    family: str = "classification",
    retrieved: dict[str, Retrieved] | None = None,
) -> dict:
    records = [scored("a", model, 0.8 - at / 100) for at, model in enumerate(sides)]
    for one in records:
        one["scores"] = {metric: score(0.5, bounds=[-1, 1] if metric == "pearson" else [0, 1])}
        one["task"] |= {"headline": [metric], "family": family}
    ((table, draft),) = build_with_records(all_typed(records), [suite("a")])
    ids = [f"dev-{index}" for index in range(N)]
    fields = texts or Texts({"text": [f"text {index}" for index in range(N)]})
    found = examples.of_table(
        "t0",
        "title",
        table,
        draft,
        lambda one: Predicted(ids, sides[one.model.name], gold, LABELS, (retrieved or {}).get(one.model.name)),
        lambda one: fields,
    )
    assert len(found) == 1
    return found[0]


GOLD = np.arange(N) % 2
LATE = np.where(np.arange(N) >= N - 20, 1 - GOLD, GOLD)


def test_right_answers_and_flips_are_counted_over_all_examples():
    found = views({"right": GOLD, "late": LATE}, GOLD)
    at = {model["label"]: index for index, model in enumerate(found["models"])}
    assert found["n"] == N
    assert {model["label"]: model["right"] for model in found["models"]} == {"right": N, "late": N - 20}
    assert found["lost"][at["right"]][at["late"]] == 20
    assert found["lost"][at["late"]][at["right"]] == 0


def test_examples_that_models_differ_on_are_kept_first():
    found = views({"right": GOLD, "late": LATE}, GOLD)
    assert len(found["ids"]) == SHOWN < N
    assert set(found["ids"]) >= {f"dev-{index}" for index in range(N - 20, N)}
    assert found["texts"][-1] == [f"text {N - 1}"] and found["labels"] == LABELS
    assert found["is_right"][0][-1] != found["is_right"][1][-1]


def test_numbers_are_neither_right_nor_wrong():
    found = views({"one": GOLD + 0.25, "other": GOLD - 0.5}, GOLD.astype(float), metric="pearson")
    assert found["lost"] is None and found["is_right"] is None
    assert all(model["right"] is None for model in found["models"])
    assert found["said"][0][0] in (0.25, -0.5)


def test_answers_in_words_are_right_by_the_rules_of_their_metric():
    gold = np.empty(N, dtype=object)
    for index in range(N):
        gold[index] = ("Paris", "the city of Paris")
    said = np.asarray(["paris."] * (N - 1) + ["London"], dtype=object)
    found = views({"one": said}, gold, metric="exact_match")
    assert found["models"][0]["right"] == N - 1
    assert found["gold"][0] == "Paris | the city of Paris"


def test_texts_that_are_not_at_hand_are_said_to_be_and_long_ones_are_cut():
    assert views({"one": GOLD}, GOLD, Texts({}, "texts not at hand: gone"))["no_texts"] == "texts not at hand: gone"
    found = views({"one": GOLD}, GOLD, Texts({"text": ["x" * 2 * LONGEST] * N}))
    assert len(found["texts"][0][0]) == LONGEST and found["texts"][0][0].endswith("…")


def test_models_on_other_examples_are_not_compared():
    records = [scored("a", "one", 0.8), scored("a", "other", 0.7)]
    ((table, draft),) = build_with_records(all_typed(records), [suite("a")])
    ids = {"one": [f"dev-{index}" for index in range(N)], "other": [f"else-{index}" for index in range(N)]}
    found = examples.of_table(
        "t0", "title", table, draft,
        lambda one: Predicted(ids[one.model.name], GOLD, GOLD, LABELS), lambda one: Texts({}),
    )  # fmt: skip
    assert [model["label"] for model in found[0]["models"]] == ["one"]


def board(**models: tuple[float | None, float | None]) -> Section:
    heads = (
        Head("average", "average", "quality"),
        Head("weight_bytes", "disk", "size"),
        Head("parameters", "params", "size"),
    )
    heads += tuple(Head(key, key, "speed") for key in ("examples_per_second", "speed_ratio", "peak_memory_bytes"))
    lines = tuple(
        Line(name, name, "", (Cell(order=quality), Cell(order=size), *[Cell()] * 4), ())
        for name, (quality, size) in models.items()
    )
    return Section("t0", "title", heads, lines, (), ())


def test_trade_offs_need_both_numbers_and_put_what_costs_next_to_nothing_at_the_edge():
    assert charts.tradeoffs(board(one=(0.5, None)), {}, {}) is None
    chart = charts.tradeoffs(board(large=(0.8, 4e6), small=(0.7, 1e6), trivial=(0.5, 20.0)), {}, {})
    assert [point["x"]["weight_bytes"] for point in chart.drawing["points"]] == [4.0, 1.0, 0.004]
    assert [point["edge"] for point in chart.drawing["points"]] == [[], [], ["weight_bytes"]]
    assert [one["key"] for one in chart.drawing["xs"]] == ["weight_bytes"]
    assert [point["y"]["average"] for point in chart.drawing["points"]] == [80.0, 70.0, 50.0]


def test_every_model_has_the_cost_of_scoring_and_the_table_says_what_is_not_known():
    chart = charts.tradeoffs(board(large=(0.8, 4e6), tfidf=(0.7, None)), {}, {"large": 2.5, "tfidf": 0.01})
    assert [one["key"] for one in chart.drawing["xs"]] == ["weight_bytes", "scoring"]
    assert [point["x"]["scoring"] for point in chart.drawing["points"]] == [2.5, 0.01]
    assert [point["x"]["weight_bytes"] for point in chart.drawing["points"]] == [4.0, None]
    assert [row[-1] for row in chart.table.rows] == ["2.5", "0.01"]
    assert any("as they ran" in note for note in chart.notes)


def test_long_curves_are_drawn_by_means_of_equal_parts():
    points = [(float(step), float(step % 2)) for step in range(1, 1001)]
    thin = charts.thinned(points, 100)
    assert len(thin) == 100 and thin[-1][0] == 1000.0
    assert all(loss == 0.5 for _, loss in thin)
    assert charts.thinned(points[:5], 100) == points[:5]


def test_data_efficiency_draws_only_models_that_saw_several_shares():
    (chart,) = page().efficiency
    assert [one["label"] for one in chart.drawing["lines"]] == ["tfidf"]
    assert [point[0] for point in chart.drawing["lines"][0]["points"]] == [10.0, 100.0]
