"""The Python API: a function for each verb of the command line, from what is asked for to a typed result."""

from harness.api.models import compress, measure, pretrain
from harness.api.runs import evaluate, load_results, perform_run, run
from harness.api.verdicts import compare, gate

__all__ = ["compare", "compress", "evaluate", "gate", "load_results", "measure", "perform_run", "pretrain", "run"]
