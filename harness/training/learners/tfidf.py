"""TF-IDF features with a linear model: logistic regression for classes, ridge regression for values (scikit-learn).

A pair (a, b) is described by tfidf(a), tfidf(b), |tfidf(a) − tfidf(b)| and tfidf(a) ∘ tfidf(b), and by the cosine of
the two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec
from harness.training.learners.base import FitRequest, Learner, PredictRequest, Rates

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

OPTIONS: dict[str, Any] = {"ngrams": 2, "min_df": 1, "max_features": 100_000, "C": 4.0, "alpha": 1.0}


class TfidfLinear(Learner):
    deterministic = True
    rates = Rates(9e-6, 3e-6)

    def check(self, model_spec: ModelSpec) -> None:
        self._refuse_options(model_spec, tuple(OPTIONS))

    def estimate(self, model_spec: ModelSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        return 40_000.0 * words

    def fit(self, request: FitRequest) -> dict[str, Any]:
        import numpy as np
        from safetensors.numpy import save_file
        from sklearn.linear_model import LogisticRegression, Ridge

        options = OPTIONS | request.model_spec.options
        first, second = request.family.texts(request.train)
        vectorizer = _vectorizer(options).fit([*first, *(second or [])])
        features = _features(vectorizer, first, second)
        targets = np.asarray(request.train.labels)
        if request.family.predictions == "values":
            model = Ridge(alpha=options["alpha"], solver="sparse_cg").fit(features, targets)
            weights, bias = model.coef_[None, :], np.atleast_1d(model.intercept_)
        elif len(np.unique(targets)) == 1:
            weights, bias = np.zeros((len(request.labels), features.shape[1])), np.zeros(len(request.labels))
            bias[targets[0]] = 1.0
        else:
            classifier = LogisticRegression(C=options["C"], max_iter=1000).fit(features, targets)
            weights, bias = _one_row_a_class(classifier, len(request.labels))
        save_file(
            {
                "weights": np.ascontiguousarray(weights, dtype=np.float32),
                "bias": np.ascontiguousarray(bias, dtype=np.float32),
                "idf": np.ascontiguousarray(vectorizer.idf_, dtype=np.float64),
            },
            request.directory / "model.safetensors",
        )
        vocabulary = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
        saved = {"options": options, "vocabulary": vocabulary}
        (request.directory / "tfidf.json").write_text(json.dumps(saved, ensure_ascii=False), encoding="utf-8")
        return {"parameters": int(weights.size + bias.size), "vocabulary": len(vocabulary)}

    def predict(self, request: PredictRequest) -> Predictions:
        import numpy as np
        from safetensors.numpy import load_file

        directory = request.directory
        saved = json.loads((directory / "tfidf.json").read_text(encoding="utf-8"))
        tensors = load_file(directory / "model.safetensors")
        vectorizer = _vectorizer(saved["options"], saved["vocabulary"])
        vectorizer.idf_ = tensors["idf"]
        features = _features(vectorizer, *request.family.texts(request.split))
        logits = np.asarray(features @ tensors["weights"].T + tensors["bias"], dtype=np.float32)
        return self.of_logits(request.family, logits)


def _vectorizer(options: dict[str, Any], vocabulary: list[str] | None = None) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        ngram_range=(1, options["ngrams"]),
        min_df=options["min_df"],
        max_features=options["max_features"],
        sublinear_tf=True,
        token_pattern=r"(?u)\w+|[^\w\s]",  # noqa: S106 - no password
        vocabulary=vocabulary,
    )


def _features(vectorizer: TfidfVectorizer, first: Sequence[str], second: Sequence[str] | None) -> csr_matrix:
    from scipy.sparse import csr_matrix, hstack

    a = vectorizer.transform(first)
    if second is None:
        return a
    b = vectorizer.transform(second)
    product = a.multiply(b)
    return hstack([a, b, abs(a - b), product, csr_matrix(product.sum(axis=1))], format="csr")


def _one_row_a_class(classifier: Any, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (classes, features) and biases (classes,): scikit-learn has one row for two classes, and none for
    unseen ones.
    """
    import numpy as np

    coefficients, intercepts = classifier.coef_, classifier.intercept_
    if len(classifier.classes_) == 2:
        coefficients = np.vstack([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weights = np.zeros((classes, coefficients.shape[1]))
    bias = np.full(classes, -1e9)
    weights[classifier.classes_] = coefficients
    bias[classifier.classes_] = intercepts
    return weights, bias


LEARNER = TfidfLinear()
