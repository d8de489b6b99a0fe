"""Tasks of a library put to a model: to one that reads and writes text, whichever head it has, or to an encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.core.libraries import LIBRARIES, Embed
from harness.core.predictions import Predictions, Reading
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext
from harness.modeling.inference.requests import answer

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def outcomes(
    model: PreTrainedModel, reader: EncodingContext, split: Split, report: Callable[[float], None]
) -> Predictions:
    """The outcomes of a library's task: its requests answered by the model, and judged by the library."""
    import numpy as np

    library = LIBRARIES.get(str(reader.task.library))
    asking = library.asking(reader.task, split, reader.seed)
    answers = answer(model, reader.tokenizer, asking.requests, reader.seed, report)
    made = asking.outcomes(answers.responses)
    read = Reading(len(asking.requests), answers.cut, answers.max_length, answers.tokens, 0)
    values = np.fromiter(made.values, dtype=object, count=len(made.values))
    settings = {**made.settings, "requests": len(asking.requests), "max_length": answers.max_length}
    return Predictions(values, made.columns, settings, read)


def of_vectors(reader: EncodingContext, split: Split, embed: Embed) -> Predictions:
    """The outcomes of a library's task by the vectors of texts."""
    import numpy as np

    made = LIBRARIES.get(str(reader.task.library)).embedded(reader.task, split, embed)
    values = np.fromiter(made.values, dtype=object, count=len(made.values))
    return Predictions(values, made.columns, made.settings)
