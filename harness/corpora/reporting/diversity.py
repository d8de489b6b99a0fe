"""How varied a corpus is: words, n-grams, lengths, styles, languages, topics, similarities of its texts."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import regex

from harness.corpora.reporting.facts import (
    Diversity,
    Heaps,
    LanguageFacts,
    Lengths,
    NgramFacts,
    SelfSimilarity,
    Topic,
    Vocabulary,
    rounded,
)
from harness.corpora.reporting.survey import Survey
from harness.corpora.streams.counting import Excerpt, Quantiles, quantiles
from harness.corpora.text.languages import languages_of
from harness.corpora.text.words import words_by
from harness.stats.bootstrap import wilson

WINDOW = 500
"""Words of the moving window of the type–token ratio (Covington and McFall 2010)."""
WINDOWED = 200_000
"""Words of the sample over which that window moves."""
MOST_WORDS = 1_000_000
"""Words of the sample whose n-grams are counted."""
CLUSTERED, TOPICS, TERMS = 3_000, 12, 8
FEATURES = 20_000
PAIRS = 20_000
SHOWN = 160
LETTERS = r"(?u)\b[^\W\d_]{2,}\b"
CERTAIN = 0.5
"""Below this probability a language is `unknown`."""
SENTENCE = regex.compile(r"[^.!?。！？]+[.!?。！？]*")


def diversity(survey: Survey, seed: int) -> Diversity:
    """What a report says of a corpus's diversity, by its survey and the survey's sample."""
    texts = [item.text for item in survey.sample.items]
    words = [words_by("rules").of(text.lower()) for text in texts]
    weighted = _matrix(texts[:CLUSTERED]) if len(texts) >= 10 else None
    return Diversity(
        vocabulary=vocabulary(survey, words),
        ngrams=ngrams(words),
        compression_ratio=compression_ratio(texts),
        lengths=lengths(survey, words),
        style=style(texts, words),
        languages=languages(texts),
        topics=topics(texts, [item.place for item in survey.sample.items], weighted, seed),
        self_similarity=None if weighted is None else self_similarity(weighted[0], seed),
        sampled=len(texts),
    )


def heaps(growth: Sequence[tuple[int, float]]) -> Heaps | None:
    """K and β of Heaps' law V = K n^β (Heaps 1978), by least squares of the logarithms; None of fewer than 3 points."""
    points = [(n, v) for n, v in growth if n > 0 and v > 0]
    if len(points) < 3:
        return None
    slope, intercept = np.polyfit(np.log([n for n, _ in points]), np.log([v for _, v in points]), 1)
    return Heaps(k=round(float(math.exp(intercept)), 4), beta=round(float(slope), 4))


def vocabulary(survey: Survey, words: Sequence[Sequence[str]]) -> Vocabulary:
    """Distinct words, how they grow, and type–token ratios: of all, and the mean over windows of 500 words."""
    growth = survey.growth
    stream = [word for text in words for word in text][:WINDOWED]
    counts: Counter[str] = Counter(stream[:WINDOW])
    total = kept = 0
    for at in range(WINDOW, len(stream), 1):
        total, kept = total + len(counts), kept + 1
        gone = stream[at - WINDOW]
        counts[stream[at]] += 1
        counts[gone] -= 1
        if not counts[gone]:
            del counts[gone]
    frequent = Counter(word for word in stream if any(map(str.isalpha, word)))
    return Vocabulary(
        words=survey.total_words,
        distinct=round(growth[-1][1]),
        type_token_ratio=round(growth[-1][1] / max(1, survey.total_words), 5),
        moving_type_token_ratio=round(total / kept / WINDOW, 4) if kept else None,
        heaps=heaps(growth),
        growth=[(n, round(v)) for n, v in growth],
        most_frequent=frequent.most_common(20),
    )


def ngrams(words: Sequence[Sequence[str]]) -> list[NgramFacts]:
    """Of 1-, 2- and 3-grams of the sample: how many, the fraction that is distinct, and their entropy in bits, with
    the correction of Miller (1955).
    """
    result = []
    for n in (1, 2, 3):
        counts: Counter[tuple[str, ...]] = Counter()
        total = 0
        for text in words:
            if total > MOST_WORDS:
                break
            counts.update(zip(*(text[start:] for start in range(n)), strict=False))
            total += max(0, len(text) - n + 1)
        if not total:
            continue
        fractions = np.fromiter(counts.values(), dtype=np.float64) / total
        entropy = float(-(fractions * np.log2(fractions)).sum()) + (len(counts) - 1) / (2 * total * math.log(2))
        result.append(
            NgramFacts(n=n, count=total, distinct=round(len(counts) / total, 4), entropy_bits=round(entropy, 3))
        )
    return result


def compression_ratio(texts: Sequence[str]) -> float | None:
    """Bytes of the sample over its bytes packed by zlib: the higher, the more repeats itself. English prose has some
    2.5 to 3 (Shaib et al. 2024, arXiv 2403.00553).
    """
    packer, raw, packed = zlib.compressobj(6), 0, 0
    for text in texts:
        data = text.encode() + b"\n"
        raw += len(data)
        packed += len(packer.compress(data))
        if raw > 20_000_000:
            break
    packed += len(packer.flush())
    return round(raw / packed, 3) if raw else None


def lengths(survey: Survey, words: Sequence[Sequence[str]]) -> Lengths:
    """Words of a document: of all by powers of two, of the sample by quantiles."""
    last = int(np.max(np.flatnonzero(survey.lengths))) if survey.lengths.any() else 0
    return Lengths(
        words=quantiles([float(len(text)) for text in words]),
        by_power_of_two=[int(count) for count in survey.lengths[: last + 1]],
        characters_mean=round(survey.characters / survey.documents, 2),
        lines_mean=round(survey.lines / survey.documents, 2),
    )


def style(texts: Sequence[str], words: Sequence[Sequence[str]]) -> dict[str, Quantiles]:
    """Of the sample's documents: words a sentence, letters a word, and the fractions of characters that are capitals,
    digits and punctuation, of sentences that ask or exclaim, of words that say I or you.
    """
    rows: dict[str, list[float]] = {name: [] for name in (
        "words_per_sentence", "letters_per_word", "capitals", "digits", "punctuation", "questions", "exclamations",
        "first_and_second_person")}  # fmt: skip
    for text, its_words in zip(texts, words, strict=True):
        sentences = [item for item in SENTENCE.findall(text) if not item.isspace()] or [text]
        letters = [word for word in its_words if word[0].isalpha()]
        size = max(1, len(text))
        rows["words_per_sentence"].append(len(letters) / len(sentences))
        rows["letters_per_word"].append(sum(map(len, letters)) / max(1, len(letters)))
        rows["capitals"].append(sum(map(str.isupper, text)) / size)
        rows["digits"].append(sum(map(str.isdecimal, text)) / size)
        rows["punctuation"].append(len(regex.findall(r"\p{P}", text)) / size)
        rows["questions"].append(sum(item.endswith(("?", "？")) for item in sentences) / len(sentences))
        rows["exclamations"].append(sum(item.endswith(("!", "！")) for item in sentences) / len(sentences))
        person = {"i", "me", "my", "we", "us", "our", "you", "your"}
        rows["first_and_second_person"].append(sum(word in person for word in its_words) / max(1, len(its_words)))
    return {name: quantiles(values) for name, values in rows.items()}


def languages(texts: Sequence[str], most: int = 2_000) -> list[LanguageFacts]:
    """The fraction of documents in each language, with Wilson's 95 % interval; `unknown` where no language is likelier
    than all others together.
    """
    counts: Counter[str] = Counter()
    for language, probability in languages_of(texts[:most]):
        counts[language if probability >= CERTAIN else "unknown"] += 1
    n = counts.total()
    return [
        LanguageFacts(
            language=language, count=count, n=n, fraction=round(count / n, 4), interval=rounded(wilson(count, n), 4)
        )
        for language, count in counts.most_common()
    ]


def _matrix(texts: Sequence[str]) -> tuple[Any, Any] | None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    least = 3 if len(texts) >= 200 else 1
    most = 0.15 if len(texts) >= 200 else 0.5 if len(texts) >= 50 else 1.0
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, max_features=FEATURES, min_df=least, max_df=most,
        token_pattern=LETTERS,
    )  # fmt: skip
    try:
        return vectorizer.fit_transform(texts), vectorizer
    except ValueError:  # no word is left
        return None


def topics(texts: Sequence[str], places: Sequence[str], weighted: tuple[Any, Any] | None, seed: int) -> list[Topic]:
    """Clusters of the sample (k-means of TF-IDF in 50 dimensions of latent semantics), the largest first.

    Their terms are those whose fraction of documents in the cluster tells most about it: p log(p / q), where q is that
    in the whole sample (pointwise Kullback–Leibler divergence; Tomokiyo and Hurst 2003). How many clusters there are is
    set, not found: a twelfth of fewer than 150 texts, else 12.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    texts, places = texts[:CLUSTERED], places[:CLUSTERED]
    if weighted is None or len(texts) < 24 or weighted[0].shape[1] < 10:
        return []
    matrix, vectorizer = weighted
    dimensions = min(50, matrix.shape[1] - 1, len(texts) - 1)
    points = normalize(TruncatedSVD(dimensions, random_state=seed).fit_transform(matrix))
    count = min(TOPICS, len(texts) // 12)
    clustering = KMeans(count, n_init=3, random_state=seed).fit(points)
    names = vectorizer.get_feature_names_out()
    present = (matrix > 0).astype(np.float64)
    by_cluster = np.stack(
        [np.asarray(present[clustering.labels_ == item].sum(axis=0)).ravel() for item in range(count)]
    )
    sizes = np.bincount(clustering.labels_, minlength=count)
    within = by_cluster / np.maximum(sizes, 1)[:, None]
    weights = within * np.log((within + 1e-9) / (by_cluster.sum(axis=0) / len(texts) + 1e-9))
    result = []
    for item in np.argsort(-sizes, kind="stable"):
        members = np.flatnonzero(clustering.labels_ == item)
        nearest = members[np.argsort(-(points[members] @ clustering.cluster_centers_[item]), kind="stable")[:3]]
        result.append(
            Topic(
                fraction=round(float(sizes[item]) / len(texts), 4),
                terms=[str(names[at]) for at in np.argsort(-weights[item], kind="stable")[:TERMS]],
                examples=[Excerpt(place=places[at], text=texts[at][:SHOWN]) for at in nearest],
            )
        )
    return result


def self_similarity(matrix: Any, seed: int) -> SelfSimilarity:
    """Cosines of TF-IDF of pairs drawn from the sample, and of each of 1,000 texts to the likest other one."""
    count = matrix.shape[0]
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, count, (2, PAIRS))
    drawn = drawn[:, drawn[0] != drawn[1]]
    cosines = np.asarray(matrix[drawn[0]].multiply(matrix[drawn[1]]).sum(axis=1)).ravel()
    some = min(1_000, count)
    similarities = (matrix[:some] @ matrix.T).toarray()
    similarities[np.arange(some), np.arange(some)] = -1.0
    nearest = similarities.max(axis=1)
    return SelfSimilarity(
        mean_cosine=round(float(cosines.mean()), 4),
        mean_nearest_cosine=round(float(nearest.mean()), 4),
        nearest_above=round(float((nearest > 0.8).mean()), 4),
    )
