"""What can be done without training: which families of tasks a model spec does, and whether a task can be asked so."""

from __future__ import annotations

from typing import get_args

from harness.core import plugins
from harness.core.families import FAMILIES, LIBRARY
from harness.core.item_families import AUDIO
from harness.core.specs import ModelSpec, TaskSpec
from harness.modeling.heads import Architecture, architecture_of, head_for
from harness.modeling.heads.prompting import prompt_of
from harness.modeling.weights.model_lists import hears
from harness.training.learners.base import RANDOM_WEIGHTS
from harness.training.objectives import Objective

UNKNOWN = "as its checkpoint does"
"""Of a checkpoint of the hub, whose architecture is not known before it is here."""


def modality_of(task: TaskSpec) -> str:
    """What a task is about: text, or the modality of its items."""
    return FAMILIES.get(task.family).modality


def may_be_untrained(task: TaskSpec) -> bool:
    """Whether some architecture does the task without training, by `TASK@0-shot` where it is trained else."""
    asked = task.model_copy(update={"shots": 0})
    family = FAMILIES.get(task.family)
    if family.predictions == "values" and family.trained:
        return False
    heads = {head for architecture in get_args(Architecture) if (head := head_for(asked, architecture)) is not None}
    writes = heads and heads <= {"causal-lm", "seq2seq-lm"}
    asks_itself = task.library is not None or family.target is None
    return bool(heads) and (not writes or asks_itself or prompt_of(asked) is not None)


def untrained_families(spec: ModelSpec) -> list[str]:
    """The families that a model spec does without being trained on a task, in the order of their names; none of one
    that knows nothing before it is.
    """
    if spec.learner != "transformer" or spec.options.get(RANDOM_WEIGHTS) or spec.meta is not None:
        return []
    knows = spec.pretrained is not None or (spec.pretraining is not None and spec.pretraining.steps != 0)
    if not knows:
        return []
    if spec.config is None:
        return [UNKNOWN]
    architecture = architecture_of(spec.config)
    if architecture == "encoder" and not _predicts_words(spec):
        return []
    families = [name for name in plugins.table("family").names() if _does(name, architecture)]
    if architecture != "dual-encoder":
        return families
    return [name for name in families if (AUDIO in FAMILIES.get(name).modalities.values()) == hears(spec.config)]


def _predicts_words(spec: ModelSpec) -> bool:
    """Whether an encoder is left with an output layer over words."""
    assert spec.pretraining is not None
    objective: type[Objective] = plugins.lookup("objective", spec.pretraining.objective)
    return objective.auto_class == "AutoModelForMaskedLM" and objective.from_checkpoint


def _does(name: str, architecture: Architecture) -> bool:
    """Whether a model of that architecture does a family, with a prompt where it needs one."""
    family = FAMILIES.get(name)
    if name == LIBRARY.name or (family.trained and family.predictions == "values"):
        return False
    asked = TaskSpec.model_construct(name="asked", family=name, shots=0, library=None)
    return head_for(asked, architecture) is not None
