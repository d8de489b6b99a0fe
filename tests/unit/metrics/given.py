"""Predictions and references of each kind of metric, made up."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness import metrics
from harness.core.grouped import grouped
from harness.metrics.last_word import written
from harness.modeling.inference.retrieval import retrieve

NUMBERS = ["accuracy", "f1", "macro_f1", "matthews_correlation", "pass_rate", "pearson", "spearman"]
GROUPED = ["question_exact_match"]
JUDGED = ["bleu", "bleu_zh", "chrf", "exact_match", "rouge1", "rouge2", "rougeL", "rougeLsum", "squad_f1"]
FREE = ["distinct_1", "distinct_2", "repetition_4", "self_bleu"]
LIKELIHOODS = ["bits_per_byte", "byte_perplexity", "word_perplexity"]
ENTITIES = ["seqeval_f1", "seqeval_precision", "seqeval_recall"]
PAIRS = ["pair_accuracy"]
LAST_WORDS = ["last_word_accuracy", "last_word_perplexity"]
RETRIEVAL = [
    f"{wanted}_retrieval_{score}"
    for wanted in ("item", "text")
    for score in ("map", "median_rank", "recall_1", "recall_10", "recall_5")
]
TEXTUAL = [*JUDGED, *FREE, *LIKELIHOODS, *ENTITIES, *PAIRS, *LAST_WORDS, *RETRIEVAL]

WORDS = np.array(
    ["the", "a", "cat", "dog", "sat", "on", "mat", "and", "saw", "red", "sun", "rise", "over", "猫", "山", ",", "."]
)


def data(name: str, n: int, seed: int = 0, classes: int = 2) -> tuple[Any, Any]:
    """Predictions that are right for some 80 %, or correlate with rounded, often tied values; texts in which some words
    are others than in the first of their one or two references; and log-likelihoods that grow with the text.
    """
    random = np.random.default_rng(seed)
    inputs = metrics.get(name).inputs
    if name in GROUPED:
        predictions, labels = data("accuracy", n, seed)
        return predictions, grouped(labels, random.integers(0, max(1, n // 3), n))
    if inputs == "labels":
        labels = random.integers(0, classes, n)
        return np.where(random.random(n) < 0.8, labels, random.integers(0, classes, n)), labels
    if inputs == "values":
        values = random.normal(size=n).round(1)
        return (values + random.normal(size=n)).round(1), values
    if inputs == "last-words":
        drawn = zip(random.uniform(-9, 0, n), random.random(n) < 0.4, strict=True)
        return [written(float(nats), bool(greedy)) for nats, greedy in drawn], [("a text",)] * n
    if inputs == "ranks":
        item_of = np.sort(np.concatenate([np.arange((n + 1) // 2), random.integers(0, (n + 1) // 2, n // 2)]))
        items = random.normal(size=((n + 1) // 2, 8))
        captions = items[item_of] + random.normal(size=(n, 8))
        return retrieve(items, captions, item_of.tolist())[0], [(f"item {item}",) for item in item_of]
    if inputs == "log-odds":
        return random.normal(0.5, 1.0, n).round(1), [("right",)] * n
    if inputs == "tags":
        tags = [_tags(random) for _ in range(n)]
        return [" ".join(_changed_tags(random, own)) for own in tags], [(" ".join(own),) for own in tags]
    texts = [tuple(_text(random) for _ in range(random.integers(1, 3))) for _ in range(n)]
    if inputs == "texts":
        return [_changed(random, own[0]) for own in texts], texts
    nats = [-len(own[0]) * random.uniform(0.5, 2) for own in texts]
    return np.asarray(nats), [own[:1] for own in texts]


TAGS = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "S-LOC", "E-PER"]


def _tags(random: np.random.Generator) -> list[str]:
    return [str(tag) for tag in random.choice(TAGS, random.integers(1, 12))]


def _changed_tags(random: np.random.Generator, tags: list[str]) -> list[str]:
    return [tag if random.random() < 0.8 else str(random.choice(TAGS)) for tag in tags]


def _text(random: np.random.Generator) -> str:
    return " ".join(random.choice(WORDS, random.integers(4, 15)))


def _changed(random: np.random.Generator, text: str) -> str:
    fraction = random.choice([0.0, 0.4])
    return " ".join(random.choice(WORDS) if random.random() < fraction else word for word in text.split())
