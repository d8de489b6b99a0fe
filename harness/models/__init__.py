"""Learners: the code behind recipes. One module each."""

from harness.models.base import FitRequest, Learner, PredictRequest
from harness.plugins import Plugins

LEARNERS: Plugins[Learner] = Plugins(
    "learner",
    "LEARNER",
    {
        "copy": "harness.models.copy_source",
        "lead": "harness.models.lead",
        "majority": "harness.models.majority",
        "tfidf": "harness.models.tfidf",
        "transformer": "harness.models.transformer",
    },
)

__all__ = ["LEARNERS", "FitRequest", "Learner", "PredictRequest"]
