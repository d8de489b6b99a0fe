"""Learners: the code behind model specs. One module each."""

from harness.core import plugins
from harness.core.plugins import Plugins
from harness.training.learners.base import FitRequest, Learner, PredictRequest

LEARNERS: Plugins[Learner] = plugins.table("learner")

__all__ = ["LEARNERS", "FitRequest", "Learner", "PredictRequest"]
