"""Retrieval: the definitions of CLIP_benchmark, stated again by sorting; ties; chance; samples of items."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score

from harness import metrics
from harness.core.errors import HarnessError
from harness.core.predictions import as_references
from harness.core.ranks import Ranks
from harness.metrics import correctness
from harness.modeling.inference.retrieval import retrieve
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


def ranks_of(items: np.ndarray, captions: np.ndarray, item_of: list[int]) -> list[str]:
    return retrieve(items, captions, item_of)[0]


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


def test_what_is_first_is_kept_with_its_similarity_and_of_equals_one_that_is_wrong() -> None:
    """Two captions of item 0, one of item 1, whose caption is item 0's second word for word."""
    items = np.asarray([[1.0, 0.0], [0.6, 0.8]])
    captions = np.asarray([[1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    ranks, found = retrieve(items, captions, [0, 0, 1])
    assert found.item.tolist() == [0, 2, 2] and found.caption.tolist() == [0, 0, 1]
    assert found.similarity.tolist() == pytest.approx([1.0, 0.6, 1.0])
    assert found.item_similarity.tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert found.caption_similarity.tolist() == pytest.approx([1.0, 1.0, 1.0])
    judge = metrics.get("item_retrieval_recall_1")
    assert correctness.right(judge, np.asarray(ranks, dtype=object), as_references(references(np.asarray([0, 0, 1])))).tolist() == [
        1, 0, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_a_pair_is_right_where_its_own_item_is_the_first_and_the_score_is_their_mean(seed: int) -> None:
    items, captions, item_of = made(seed)
    ranks, found = retrieve(items, captions, item_of)
    judge = metrics.get("item_retrieval_recall_1")
    is_right = correctness.right(judge, np.asarray(ranks, dtype=object), as_references(references(item_of)))
    assert (is_right == (item_of[found.item] == item_of)).all() and 0 < is_right.mean() < 1
    assert is_right.mean() == pytest.approx(judge.score(ranks, references(item_of)))
    similarities = (captions @ items.T).astype(np.float32)
    assert found.item_similarity == pytest.approx(similarities.max(axis=1))
    assert found.similarity == pytest.approx(similarities[np.arange(N), item_of])
    assert found.caption_similarity == pytest.approx(similarities.max(axis=0)[item_of])


def test_vectors_that_are_not_finite_are_refused() -> None:
    items, captions, item_of = made()
    captions[3] = np.nan
    with pytest.raises(HarnessError, match=r"vectors of 1 of 90 captions are not finite"):
        retrieve(items, captions, item_of)


@pytest.mark.parametrize("name", ["text_retrieval_recall_1", "item_retrieval_recall_5", "item_retrieval_map"])
def test_a_perfect_retrieval_has_the_width_of_its_items(name: str) -> None:
    """40 pairs of 20 items: Wilson's interval of 20 in 20 begins at 20 / (20 + 1.96²)."""
    items, item_of = np.eye(20), np.arange(20).repeat(2)
    captions = items[item_of] * np.tile([1.0, 0.9], 20)[:, None]
    found = interval(metrics.get(name), ranks_of(items, captions, item_of.tolist()), references(item_of))
    assert (found.low, found.high) == pytest.approx((20 / (20 + 1.959964**2), 1.0), abs=1e-6)
    assert found.method == "Wilson score interval"


def test_a_hopeless_retrieval_has_it_too_and_equal_scores_of_unequal_ranks_differ_by_an_interval() -> None:
    items, item_of = np.eye(20), np.arange(20)
    turned = ranks_of(items, items[(item_of + 1) % 20], item_of.tolist())
    found = interval(metrics.get("text_retrieval_recall_1"), turned, references(item_of))
    assert (found.low, found.high) == pytest.approx((0.0, 1.959964**2 / (20 + 1.959964**2)), abs=1e-6)
    metric = metrics.get("text_retrieval_recall_1")
    base, true = metric.check(ranks_of(items, items + 0.001, item_of.tolist()), references(item_of))
    twin, _ = metric.check(ranks_of(items, items, item_of.tolist()), references(item_of))
    worst, _ = metric.check(turned, references(item_of))
    assert paired_test([[[Measure(metric, base, twin, true, 1.0)]]]).paired.high == 0.0, "equal predictions"
    half = 1.959964 * 2**0.5 / 22
    second = items[(item_of + 1) % 20] + 0.5 * items
    other, _ = metric.check(ranks_of(items, second, item_of.tolist()), references(item_of))
    both_wrong = paired_test([[[Measure(metric, worst, other, true, 1.0)]]]).paired
    assert (both_wrong.low, both_wrong.high) == pytest.approx((-half, half), abs=1e-6)
    lost = paired_test([[[Measure(metric, base, worst, true, 1.0)]]]).paired
    mean = 20 / 22
    assert lost.high - lost.low == pytest.approx(2 * 1.959964 * ((22 - 22 * mean**2) ** 0.5) / 22, abs=1e-6)
