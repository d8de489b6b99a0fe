"""Families: the shapes of tasks. One module each."""

from harness.families.base import Family, Labelling
from harness.plugins import Plugins

FAMILIES: Plugins[Family] = Plugins(
    "family",
    "FAMILY",
    {
        "classification": "harness.families.classification",
        "language-modeling": "harness.families.language_modeling",
        "nli": "harness.families.nli",
        "question-answering": "harness.families.question_answering",
        "similarity": "harness.families.similarity",
        "summarization": "harness.families.summarization",
        "text-generation": "harness.families.text_generation",
        "translation": "harness.families.translation",
    },
)

__all__ = ["FAMILIES", "Family", "Labelling"]
