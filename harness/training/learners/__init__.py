"""Learners: the code behind recipes. One module each."""

from harness.core.plugins import Plugins
from harness.training.learners.base import FitRequest, Learner, PredictRequest

LEARNERS: Plugins[Learner] = Plugins(
    "learner",
    "LEARNER",
    {
        "copy": "harness.training.learners.copy_source",
        "lead": "harness.training.learners.lead",
        "majority": "harness.training.learners.majority",
        "tfidf": "harness.training.learners.tfidf",
        "transformer": "harness.training.learners.transformer",
    },
)

__all__ = ["LEARNERS", "FitRequest", "Learner", "PredictRequest"]
