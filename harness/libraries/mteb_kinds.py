"""Kinds of mteb's tasks: what their examples are, and the values of each that a score is put together of.

The package itself encodes, compares, clusters and searches; the values are taken from what it keeps as predictions, so
that a score can be computed again from them, with an interval over examples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json

Values = dict[str, Any]
TRECEVAL = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P", "hit_rate": "success"}
"""What the values of a query are called in trec_eval, by mteb's name of the mean."""


SIMILARITIES = ("similarity", "cosine", "dot", "manhattan", "euclidean")
"""Of two texts; of the two last that are distances, their negatives."""
CLASSIFICATION_SCORES = (
    "accuracy", "f1", "f1_weighted", "precision", "precision_weighted", "recall", "recall_weighted",
)  # fmt: skip


@dataclass(frozen=True)
class Examples:
    """The examples of a split: what each asks, what it is judged by, and all else that the scores depend on."""

    texts: Sequence[str]
    targets: Sequence[str]
    beside: Any = None

    def contents(self) -> list[str]:
        """A hash for each example of all that its values depend on."""
        beside = hash_json(self.beside)
        return [hash_json([text, target, beside]) for text, target in zip(self.texts, self.targets, strict=True)]


@dataclass
class Captured:
    """What an evaluation leaves: the predictions it would save, and of a search the values of each query."""

    predictions: Any = None
    queries: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    relevant: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)


class Kind(ABC):
    """One of mteb's classes of tasks. `limited`: the first rows of a split can be evaluated alone."""

    limited: ClassVar[bool] = True
    more: ClassVar[tuple[str, ...]] = ()
    """Scores that are reported beside the main one."""

    def scores(self, main: str) -> str | None:
        """Why a main score is none that is known here; None where it is."""
        return None

    @abstractmethod
    def examples(self, task: Any, subset: str, split: str) -> Examples:
        """Of a task whose data is loaded."""

    @abstractmethod
    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        """The values of each example, by name."""

    def limit(self, task: Any, subset: str, split: str, count: int) -> None:
        """Leave the first `count` examples."""
        rows = rows_of(task, subset, split)
        if count < len(rows):
            put(task, subset, split, rows.select(range(count)))


def rows_of(task: Any, subset: str, split: str) -> Any:
    """The dataset of a split, where mteb looks for it."""
    data = task.dataset
    return data[split] if subset not in data and subset == "default" else data[subset][split]


def put(task: Any, subset: str, split: str, rows: Any) -> None:
    data = task.dataset
    (data if subset not in data and subset == "default" else data[subset])[split] = rows


def _columns_of(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _texts(rows: Any, names: Any) -> list[str]:
    columns = [rows[name] for name in _columns_of(names)]
    return ["\n".join(map(str, texts)) for texts in zip(*columns, strict=True)]


def _paired(rows: Any, first: Any, second: Any) -> list[str]:
    return ["\n".join(pair) for pair in zip(_texts(rows, first), _texts(rows, second), strict=True)]


class Sts(Kind):
    more = ("cosine_pearson",)

    def scores(self, main: str) -> str | None:
        similarity, _, correlation = main.rpartition("_")
        known = similarity in ("", "cosine", "manhattan", "euclidean") and correlation in ("spearman", "pearson")
        return None if known else f"its main score {main} is no correlation"

    def examples(self, task: Any, subset: str, split: str) -> Examples:
        rows = rows_of(task, subset, split)
        return Examples(_paired(rows, *task.column_names), [str(score) for score in rows["score"]])

    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        gold = [task._normalize(score) for score in rows_of(task, subset, split)["score"]]
        made = captured.predictions
        model_scores = made["similarity_scores"] or made["cosine_scores"]
        columns = (gold, model_scores, made["cosine_scores"], made["manhattan_distances"], made["euclidean_distances"])
        names = ("gold", "similarity", "cosine", "manhattan", "euclidean")
        return _rows(names, columns)


class PairClassification(Kind):
    def scores(self, main: str) -> str | None:
        which, _, score = main.rpartition("_")
        known = which in ("max", "similarity", "cosine", "manhattan", "euclidean", "dot") and score in (
            "ap",
            "accuracy",
        )
        return None if known else f"its main score {main} is not known here"

    def examples(self, task: Any, subset: str, split: str) -> Examples:
        rows = self._rows_of(task, subset, split)
        texts = _paired(rows, task.input1_column_name, task.input2_column_name)
        return Examples(texts, [str(label) for label in rows[task.label_column_name]])

    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        made, labels = captured.predictions, self._rows_of(task, subset, split)[task.label_column_name]
        columns = (
            [int(label) for label in labels],
            *(made[f"{name}_scores"] for name in ("similarity", "cosine", "dot")),
            *([-distance for distance in made[f"{name}_distances"]] for name in ("manhattan", "euclidean")),
        )
        return _rows(("label", *SIMILARITIES), columns)

    def limit(self, task: Any, subset: str, split: str, count: int) -> None:
        rows = self._rows_of(task, subset, split)
        if count < len(rows):
            put(task, subset, split, rows.select(range(count)))

    def _rows_of(self, task: Any, subset: str, split: str) -> Any:
        """Older datasets hold all pairs in one row."""
        from datasets import Dataset

        rows = rows_of(task, subset, split)
        return Dataset.from_dict(rows[0]) if len(rows) == 1 and isinstance(rows[0], Mapping) else rows


class Classification(Kind):
    more = ("f1",)

    def scores(self, main: str) -> str | None:
        return None if main in CLASSIFICATION_SCORES else f"its main score {main} is not known here"

    def examples(self, task: Any, subset: str, split: str) -> Examples:
        if task.is_cross_validation:
            raise HarnessError("its classifiers are scored by cross-validation, which is not done here")
        rows, train = rows_of(task, subset, split), rows_of(task, subset, task.train_split)
        beside = [_texts(train, task.input_column_name), [str(label) for label in train[task.label_column_name]]]
        return Examples(
            _texts(rows, task.input_column_name), [str(label) for label in rows[task.label_column_name]], beside
        )

    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        labels = rows_of(task, subset, split)[task.label_column_name]
        by_example = zip(*captured.predictions, strict=True)
        return [
            {"label": label, "predicted": list(predicted)} for label, predicted in zip(labels, by_example, strict=True)
        ]


CLASSIFICATION_SCORES = (
    "accuracy",
    "f1",
    "f1_weighted",
    "precision",
    "precision_weighted",
    "recall",
    "recall_weighted",
)


class Bitext(Kind):
    more = ("accuracy",)

    def scores(self, main: str) -> str | None:
        return None if main in ("f1", "accuracy", "precision", "recall") else f"its main score {main} is not known here"

    def examples(self, task: Any, subset: str, split: str) -> Examples:
        if task.parallel_subsets:
            raise HarnessError("its languages stand in columns of one split, which is not read here")
        rows = rows_of(task, subset, split)
        if "gold" in rows:
            raise HarnessError("its two sides are of different length, which is not read here")
        first, second = task._DEFAULT_PAIR[0]
        return Examples(list(map(str, rows[first])), list(map(str, rows[second])))

    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        (nearest,) = captured.predictions.values()
        return [{"gold": at, "predicted": int(match["corpus_id"])} for at, match in enumerate(nearest)]


class Summarization(Kind):
    more = ("cosine_pearson",)

    def scores(self, main: str) -> str | None:
        return Sts().scores(main)

    def examples(self, task: Any, subset: str, split: str) -> Examples:
        rows = rows_of(task, subset, split)
        names = (task.human_summaries_column_name, task.machine_summaries_column_name, task.relevancy_column_name)
        targets = [hash_json(list(parts)) for parts in zip(*(rows[name] for name in names), strict=True)]
        return Examples(list(map(str, rows[task.text_column_name])), targets)

    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        """None of a text whose summaries were judged alike, or look alike: mteb leaves it out."""
        from scipy.stats import pearsonr, spearmanr

        made = captured.predictions
        kept = iter(zip(made["human_scores"], made["cosine_scores"], strict=True))
        rows = rows_of(task, subset, split)
        scored: list[Values] = []
        left = next(kept, None)
        for relevance in rows[task.relevancy_column_name]:
            gold = [(value - task.min_score) / (task.max_score - task.min_score) for value in relevance]
            if left is None or not _is_same(gold, left[0]):
                scored.append({"cosine_spearman": None, "cosine_pearson": None})
                continue
            correlations = {"cosine_spearman": spearmanr, "cosine_pearson": pearsonr}
            scored.append({name: float(of(*left).statistic) for name, of in correlations.items()})
            left = next(kept, None)
        return scored


def _is_same(first: Sequence[float], second: Sequence[float]) -> bool:
    return len(first) == len(second) and all(abs(a - b) < 1e-12 for a, b in zip(first, second, strict=True))


class Clustering(Kind):
    """Examples are its experiments: each clusters a sample of the texts."""

    limited = False

    def scores(self, main: str) -> str | None:
        return None if main in ("v_measure", "ami") else f"its main score {main} is not known here"

    def examples(self, task: Any, subset: str, split: str) -> Examples:
        rows = rows_of(task, subset, split)
        labels = [label if isinstance(label, list) else [label] for label in rows[task.label_column_name]]
        deepest = max(map(len, labels))
        levels = deepest if task.max_depth is None else min(task.max_depth, deepest)
        texts = [
            f"level {level + 1}, experiment {at + 1}: {len(labels):,} texts"
            for level in range(levels)
            for at in range(task.n_clusters)
        ]
        return Examples(texts, [""] * len(texts), [_texts(rows, task.input_column_name), labels])

    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        measures = {"v_measure": "v_measures", "ami": "ami_scores"}
        flat = {
            name: [value for level in captured.scores[key].values() for value in level]
            for name, key in measures.items()
        }
        return _rows(tuple(flat), tuple(flat.values()))


class ClusteringOfSets(Kind):
    """Examples are sets of texts that are clustered each by itself."""

    def scores(self, main: str) -> str | None:
        return None if main == "v_measure" else f"its main score {main} is not known here"

    def examples(self, task: Any, subset: str, split: str) -> Examples:
        rows = rows_of(task, subset, split)
        texts = [f"{len(texts):,} texts, {texts[0]}" if texts else "" for texts in rows[task.input_column_name]]
        both = zip(rows[task.input_column_name], rows[task.label_column_name], strict=True)
        return Examples(texts, [hash_json([list(texts), list(map(str, labels))]) for texts, labels in both])

    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        return [{"v_measure": float(value)} for value in captured.scores["v_measures"]]


class Retrieval(Kind):
    """Examples are queries; those without a relevant document are left out, as mteb does."""

    def scores(self, main: str) -> str | None:
        name, mark, place = main.rpartition("_at_")
        known = mark and place.isdigit() and name in (*TRECEVAL, "mrr")
        return None if known else f"its main score {main} is none of single queries"

    def examples(self, task: Any, subset: str, split: str) -> Examples:
        data = self._data_of(task, subset, split)
        relevant, queries, corpus = data["relevant_docs"], data["queries"], data["corpus"]
        beside = [[str(corpus[name][at]) for name in sorted(corpus.column_names)] for at in range(len(corpus))]
        ranked = data["top_ranked"]
        targets = [hash_json([relevant[key], None if ranked is None else ranked.get(key)]) for key in queries["id"]]
        return Examples(list(map(str, queries["text"])), targets, beside)

    def values(self, task: Any, subset: str, split: str, captured: Captured) -> list[Values]:
        from mteb._evaluators.retrieval_metrics import mrr

        places = list(task.k_values)
        reciprocal = mrr(captured.relevant, captured.results, places)
        at_query = {key: at for at, key in enumerate(captured.results)}
        rows: list[Values] = []
        for key in self._data_of(task, subset, split)["queries"]["id"]:
            of_query = captured.queries.get(key, {})
            row = {
                f"{name}_at_{place}": of_query.get(f"{called}_{place}")
                for name, called in TRECEVAL.items()
                for place in places
            }
            if key in at_query:
                row |= {f"mrr_at_{place}": reciprocal[f"MRR@{place}"][at_query[key]] for place in places}
            rows.append(row)
        return rows

    def limit(self, task: Any, subset: str, split: str, count: int) -> None:
        data = self._data_of(task, subset, split)
        if count < len(data["queries"]):
            data["queries"] = data["queries"].select(range(count))
            kept = set(data["queries"]["id"])
            data["relevant_docs"] = {key: value for key, value in data["relevant_docs"].items() if key in kept}

    def _data_of(self, task: Any, subset: str, split: str) -> Any:
        from mteb.abstasks.retrieval import _filter_queries_without_positives

        task.convert_v1_dataset_format_to_v2(num_proc=None)
        data = rows_of(task, subset, split)
        data["relevant_docs"], data["queries"] = _filter_queries_without_positives(
            data["relevant_docs"], data["queries"]
        )
        return data


def _rows(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[Values]:
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


KINDS: Mapping[str, Kind] = {
    "AbsTaskSTS": Sts(),
    "AbsTaskPairClassification": PairClassification(),
    "AbsTaskClassification": Classification(),
    "AbsTaskBitextMining": Bitext(),
    "AbsTaskSummarization": Summarization(),
    "AbsTaskClustering": Clustering(),
    "AbsTaskClusteringLegacy": ClusteringOfSets(),
    "AbsTaskRetrieval": Retrieval(),
}
"""By the package's class."""


def kind_of(task: type) -> Kind | None:
    """The kind of a class of tasks; None of one that is not done here."""
    names = [base.__name__ for base in task.__mro__]
    return next((KINDS[name] for name in names if name in KINDS), None)
