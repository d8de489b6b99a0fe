"""Retrieval: the definitions of CLIP_benchmark, stated again by sorting; ties; chance; samples of items."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score

from harness import metrics
from harness.core.errors import HarnessError
from harness.core.ranks import Ranks
from harness.modeling.inference.retrieval import ranks_of
from harness.stats.bootstrap import interval
from harness.stats.paired import paired_test
from harness.stats.significance import Measure

ITEMS, N, D = 30, 90, 6


def made(seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of items and of captions, one to several an item and not in the order of items."""
    random = np.random.default_rng(seed)
    item_of = random.permutation(np.concatenate([np.arange(ITEMS), random.integers(0, ITEMS, N - ITEMS)]))
    items = random.normal(size=(ITEMS, D))
    return items, items[item_of] + noise * random.normal(size=(N, D)), item_of


def references(item_of: np.ndarray) -> list[tuple[str, ...]]:
    return [(f"item {item}",) for item in item_of]


def score(name: str, predictions: list[str], item_of: np.ndarray) -> float:
    return metrics.get(name).score(predictions, references(item_of))


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_definitions(seed: int) -> None:
    items, captions, item_of = made(seed)
    similarities = items @ captions.T
    positive = item_of[None, :] == np.arange(ITEMS)[:, None]
    predictions = ranks_of(items, captions, item_of.tolist())
    for k in (1, 5, 10):
        top = np.argsort(-similarities, axis=1)[:, :k]
        expected = np.take_along_axis(positive, top, axis=1).any(axis=1).mean()
        assert score(f"text_retrieval_recall_{k}", predictions, item_of) == pytest.approx(expected, abs=1e-9)
        top = np.argsort(-similarities.T, axis=1)[:, :k]
        expected = np.take_along_axis(positive.T, top, axis=1).any(axis=1).mean()
        assert score(f"item_retrieval_recall_{k}", predictions, item_of) == pytest.approx(expected, abs=1e-9)
    for wanted, sorted_by, right in (("text", similarities, positive), ("item", similarities.T, positive.T)):
        expected = label_ranking_average_precision_score(right, sorted_by)
        assert score(f"{wanted}_retrieval_map", predictions, item_of) == pytest.approx(expected, abs=1e-9)
        order = np.argsort(-sorted_by, axis=1)
        best = np.take_along_axis(right, order, axis=1).argmax(axis=1) + 1
        assert score(f"{wanted}_retrieval_median_rank", predictions, item_of) == np.median(best)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    items, captions, item_of = made()
    whole = ranks_of(items, captions, item_of.tolist())
    monkeypatch.setattr("harness.modeling.inference.retrieval.BLOCK_VALUES", 7 * N)
    assert ranks_of(items, captions, item_of.tolist()) == whole


def test_where_all_is_alike_ranks_are_the_mean_and_nothing_is_retrieved() -> None:
    _, _, item_of = made()
    predictions = ranks_of(np.ones((ITEMS, D)), np.ones((N, D)), item_of.tolist())
    first = Ranks.model_validate_json(predictions[0])
    assert (set(first.captions), set(first.items)) == ({(N + 1) / 2}, {(ITEMS + 1) / 2})
    assert score("text_retrieval_recall_10", predictions, item_of) == 0
    assert score("item_retrieval_median_rank", predictions, item_of) == (ITEMS + 1) / 2


def test_a_caption_that_two_items_share_is_no_find() -> None:
    items = np.eye(3)
    predictions = ranks_of(items, np.asarray([items[0], items[1], items[1]]), [0, 1, 2])
    assert [Ranks.model_validate_json(text).captions for text in predictions] == [(1.0,), (1.5,), (2.0,)]


def test_chance_is_what_random_orders_score() -> None:
    _, _, item_of = made()
    random = np.random.default_rng(0)
    drawn = [ranks_of(random.normal(size=(ITEMS, D)), random.normal(size=(N, D)), item_of.tolist()) for _ in range(60)]
    for wanted in ("text", "item"):
        for name in ("recall_1", "recall_10", "map", "median_rank"):
            metric = metrics.get(f"{wanted}_retrieval_{name}")
            scores = [metric.score(predictions, references(item_of)) for predictions in drawn]
            expected = metric.chance(metric.check(drawn[0], references(item_of))[1])
            error = 4 * np.std(scores) / np.sqrt(len(scores)) + (0.5 if name == "median_rank" else 0.0)
            assert expected == pytest.approx(np.mean(scores), abs=error), name


def test_intervals_are_of_items_and_not_of_their_captions() -> None:
    """Each caption five times over says no more than once."""
    items, captions, _ = made()
    captions = items + np.random.default_rng(0).normal(size=items.shape) * 1.5
    widths = []
    for times in (1, 5):
        item_of = np.repeat(np.arange(ITEMS), times)
        metric = metrics.get("item_retrieval_map")
        of_it = interval(
            metric, ranks_of(items, np.repeat(captions, times, axis=0), item_of.tolist()), references(item_of)
        )
        widths.append(of_it.high - of_it.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


@pytest.mark.parametrize("name", ["text_retrieval_recall_1", "item_retrieval_map", "item_retrieval_median_rank"])
def test_two_models_are_compared_on_the_same_items(name: str) -> None:
    items, better, item_of = made(noise=0.4)
    _, worse, _ = made(noise=3.0)
    metric = metrics.get(name)
    base, true = metric.check(ranks_of(items, better, item_of.tolist()), references(item_of))
    candidate, _ = metric.check(ranks_of(items, worse, item_of.tolist()), references(item_of))
    weight = 1.0 if metric.greater_is_better else -1.0
    tested = paired_test([[[Measure(metric, base, candidate, true, weight)]]])
    assert tested.p < 0.05 and tested.paired.low > 0
    same = paired_test([[[Measure(metric, base, base, true, weight)]]])
    assert same.p == 0.5 and same.paired.identical


@pytest.mark.parametrize("wrong", ["", "{}", "[1]", '{"item": 0, "caption": 1, "captions": [1.0], "items": [1.0], '
                                   '"captions_there": 1, "items_there": 1}'])  # fmt: skip
def test_what_is_no_ranks_is_refused(wrong: str) -> None:
    with pytest.raises(HarnessError, match="it takes the ranks of a pair"):
        metrics.get("text_retrieval_recall_1").score([wrong], [("item",)])
