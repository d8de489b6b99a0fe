"""Families: the shapes of tasks. One module each."""

from harness.core.families.base import Family, Labelling
from harness.core.plugins import Plugins

FAMILIES: Plugins[Family] = Plugins(
    "family",
    "FAMILY",
    {
        "classification": "harness.core.families.classification",
        "language-modeling": "harness.core.families.language_modeling",
        "nli": "harness.core.families.nli",
        "question-answering": "harness.core.families.question_answering",
        "similarity": "harness.core.families.similarity",
        "summarization": "harness.core.families.summarization",
        "text-generation": "harness.core.families.text_generation",
        "translation": "harness.core.families.translation",
    },
)

__all__ = ["FAMILIES", "Family", "Labelling"]
