"""What labelled data are like: balance of classes, duplicates that contradict one another, labels that look wrong, what
splits share, and how they differ.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from harness.corpora.contamination.rows import plain
from harness.corpora.reporting.facts import (
    Balance,
    Contradiction,
    Contradictions,
    Drift,
    LabelFacts,
    LabelNoise,
    Overlap,
    Repeated,
    SplitSize,
    WrongLabel,
)
from harness.corpora.reporting.labelled import LabelledData, LabelledSplit
from harness.corpora.streams.counting import Excerpt, quantiles

CLASSES = 200
"""Of more distinct labels than that, or of numbers, no balance and no noise is told."""
JUDGED = 20_000
"""The most examples whose labels are looked at."""
FOLDS = 5
SHOWN = 160
PIECES = r"(?u)\S+"
DRAWS = 100


def label_facts(data: LabelledData, seed: int) -> LabelFacts:
    """What a report says of labelled data."""
    classes = _classes(data)
    return LabelFacts(
        splits={name: SplitSize(rows=len(split), labelled=split.labels is not None)
                for name, split in data.splits.items()},
        fields=list(next(iter(data.splits.values())).fields),
        balance={name: balance(split.labels) for name, split in data.splits.items()
                 if split.labels is not None and classes},
        values={name: quantiles([float(item) for item in split.labels]) for name, split in data.splits.items()
                if split.labels is not None and not classes and all(map(_is_number, split.labels))},
        duplicates={name: repeated(split, classes) for name, split in data.splits.items()},
        overlap=[overlap(data, item, other) for item, other in combinations(data.splits, 2)],
        drift=[drift(data, item, other, classes, seed) for item, other in combinations(data.splits, 2)],
        label_noise={name: noise for name, split in data.splits.items()
                     if classes and (noise := label_noise(split, seed)) is not None},
    )  # fmt: skip


def _classes(data: LabelledData) -> bool:
    """Whether the labels are classes, not numbers of a scale."""
    labels = [item for split in data.splits.values() for item in split.labels or ()]
    kinds = set(labels)
    if not kinds or len(kinds) > CLASSES:
        return False
    return len(kinds) <= 20 or not all(map(_is_number, kinds))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def balance(labels: Sequence[str]) -> Balance:
    """How many there are of each class, the fraction of the largest, and the classes' entropy over its greatest."""
    counts = Counter(labels)
    fractions = np.array(list(counts.values())) / len(labels)
    entropy = float(-(fractions * np.log2(fractions)).sum())
    return Balance(
        counts=dict(counts.most_common()),
        majority=round(float(fractions.max()), 4),
        evenness=round(entropy / math.log2(len(counts)), 4) if len(counts) > 1 else 0.0,
    )


def repeated(split: LabelledSplit, classes: bool) -> Repeated:
    """Rows that stood before in the same split, and of those with labels the texts that have several."""
    rows = [tuple(map(plain, row)) for row in split.rows()]
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[row].append(index)
    again = len(rows) - len(groups)
    if split.labels is None or not classes:
        return Repeated(rows=again)
    against = [group for group in groups.values() if len({split.labels[at] for at in group}) > 1]
    shown = [
        Contradiction(
            text=" | ".join(split.rows()[group[0]])[:SHOWN],
            labels=[(split.places[at], split.labels[at]) for at in group[:4]],
        )
        for group in against[:10]
    ]
    contradictory = Contradictions(texts=len(against), rows=sum(map(len, against)), examples=shown)
    return Repeated(rows=again, contradictory=contradictory)


def overlap(data: LabelledData, item: str, other: str) -> Overlap:
    """What of the smaller split's role, the second one, is in the first: whole rows, and single texts by field.

    A text counts once a row. Exact: letter for letter. Plain: but for case, punctuation and white space.
    """
    first, second = data.splits[item], data.splits[other]
    known_rows, known_plain = set(first.rows()), {tuple(map(plain, row)) for row in first.rows()}
    exact = [at for at, row in enumerate(second.rows()) if row in known_rows]
    alike = [at for at, row in enumerate(second.rows()) if tuple(map(plain, row)) in known_plain]
    texts = {text for column in first.fields.values() for text in map(plain, column) if text}
    by_field = {
        name: sum(plain(text) in texts for text in column if text.strip()) for name, column in second.fields.items()
    }
    examples = [Excerpt(place=second.places[at], text=" | ".join(second.rows()[at])[:SHOWN]) for at in alike[:5]]
    return Overlap(
        within=item, of=other, rows=len(second), exact_rows=len(exact), plain_rows=len(alike),
        fraction=round(len(alike) / max(1, len(second)), 5), texts=by_field, examples=examples,
    )  # fmt: skip


def drift(data: LabelledData, item: str, other: str, classes: bool, seed: int) -> Drift:
    """How two splits differ: Jensen–Shannon divergence (bits) of their words and of their labels, beside what it is
    between random halves of both together; medians of lengths.
    """
    first, second = data.splits[item], data.splits[other]
    bags = [[Counter(" ".join(map(plain, row)).split()) for row in split.rows()[:5_000]] for split in (first, second)]
    words, chance = _divergence(bags[0], bags[1], seed)
    middle, other_middle = (float(np.median([bag.total() for bag in of_split] or [0])) for of_split in bags)
    result = Drift(
        between=(item, other),
        words_divergence=round(words, 4),
        words_divergence_by_chance=round(chance, 4),
        median_words=(middle, other_middle),
    )
    if classes and first.labels is not None and second.labels is not None:
        labels_of_both = [[Counter({label: 1}) for label in split.labels or ()] for split in (first, second)]
        labels, by_chance = _divergence(labels_of_both[0], labels_of_both[1], seed)
        divergence = {"labels_divergence": round(labels, 4), "labels_divergence_by_chance": round(by_chance, 4)}
        return result.model_copy(update=divergence)
    return result


def _divergence(item: Sequence[Counter[str]], other: Sequence[Counter[str]], seed: int) -> tuple[float, float]:
    """Of the sums of two sets of counts, and the 95th percentile of that of random parts of the same sizes."""
    from scipy import sparse

    names: dict[str, int] = {}
    rows, columns, values = [], [], []
    for row, bag in enumerate([*item, *other]):
        for name, count in bag.items():
            rows.append(row)
            columns.append(names.setdefault(name, len(names)))
            values.append(count)
    if not names or not item or not other:
        return 0.0, 0.0
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=(len(item) + len(other), len(names)))
    total = np.asarray(matrix.sum(axis=0)).ravel()
    memberships = np.zeros((len(item) + len(other), DRAWS + 1))
    memberships[: len(item), 0] = 1
    random = np.random.Generator(np.random.PCG64(seed))
    for draw in range(1, DRAWS + 1):
        memberships[random.permutation(len(memberships))[: len(item)], draw] = 1
    sums = matrix.T @ memberships
    result = [_jensen_shannon(sums[:, at], total - sums[:, at]) for at in range(DRAWS + 1)]
    return result[0], float(np.quantile(result[1:], 0.95))


def _jensen_shannon(item: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    p, q = item / max(item.sum(), 1), other / max(other.sum(), 1)
    middle = (p + q) / 2

    def against(weights: NDArray[np.float64]) -> float:
        some = weights > 0
        return float((weights[some] * np.log2(weights[some] / middle[some])).sum())

    return (against(p) + against(q)) / 2


def label_noise(split: LabelledSplit, seed: int) -> LabelNoise | None:
    """Labels that look wrong, by confident learning (Northcutt et al. 2021, arXiv 1911.00068).

    Each example is judged by a model (logistic regression on TF-IDF) of the other folds. One of class i looks wrong
    where another class has a probability above that class's mean among its own examples. None where a class has fewer
    examples than folds.
    """
    if split.labels is None or len(split) < 50:
        return None
    labels = np.array(split.labels[:JUDGED])
    names, classes = np.unique(labels, return_inverse=True)
    if len(names) < 2 or np.bincount(classes).min() < FOLDS:
        return None
    texts = [" ".join(row) for row in split.rows()[:JUDGED]]
    probabilities = out_of_fold(texts, classes, seed)
    suspects = confident_issues(classes, probabilities)
    given = probabilities[np.arange(len(classes)), classes]
    best = probabilities.max(axis=1)
    first = suspects[np.argsort(given[suspects] - best[suspects], kind="stable")]
    accuracy = float((probabilities.argmax(axis=1) == classes).mean())
    return LabelNoise(
        n=len(classes),
        suspect=len(suspects),
        fraction=round(len(suspects) / len(classes), 4),
        model_accuracy=round(accuracy, 4),
        majority=round(float(np.bincount(classes).max() / len(classes)), 4),
        examples=[
            WrongLabel(
                place=split.places[at], text=texts[at][:SHOWN], label=str(names[classes[at]]),
                by_model=str(names[probabilities[at].argmax()]), probability=round(float(best[at]), 3),
            )
            for at in map(int, first[:10])
        ],
    )  # fmt: skip


def out_of_fold(texts: Sequence[str], classes: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Of each text the probabilities of the classes by a model of the other folds."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    probabilities = np.zeros((len(texts), int(classes.max()) + 1))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(texts, classes):
        vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), max_features=50_000, token_pattern=PIECES)
        learned = vectorizer.fit_transform([texts[at].lower() for at in train])
        model = LogisticRegression(C=10.0, max_iter=300).fit(learned, classes[train])
        probabilities[test] = model.predict_proba(vectorizer.transform([texts[at].lower() for at in test]))
    return probabilities


def confident_issues(classes: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """The examples off the diagonal of the confident joint, in order."""
    count = probabilities.shape[1]
    thresholds = np.array([probabilities[classes == item, item].mean() for item in range(count)])
    confident = np.where(probabilities >= thresholds - 1e-6, probabilities, -1.0)
    known = confident.max(axis=1) >= 0
    return np.flatnonzero(known & (confident.argmax(axis=1) != classes))
