"""Learners: the code behind recipes. One module each."""

from harness.models.base import FitRequest, Learner
from harness.plugins import Plugins

LEARNERS: Plugins[Learner] = Plugins(
    "learner",
    "LEARNER",
    {
        "majority": "harness.models.majority",
        "tfidf": "harness.models.tfidf",
        "transformer": "harness.models.transformer",
    },
)

__all__ = ["LEARNERS", "FitRequest", "Learner"]
