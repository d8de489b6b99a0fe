"""What lm_eval itself makes of a task and a model: its evaluator, with its own class of models."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from harness.libraries.lm_eval_index import known_names


@cache
def _manager(file: str) -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_defaults=False, include_path=str(Path(file).parent))


def task_of(name: str, shots: int | None = None) -> Any:
    """As `simple_evaluate` prepares it."""
    import random

    import numpy as np

    random.seed(0)
    np.random.seed(1234)
    task = _manager(str(known_names()[name].file)).load([name])["tasks"][name]
    if shots is not None:
        task.set_config(key="num_fewshot", value=shots)
    elif task.get_config("num_fewshot") is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=1234)
    return task


def evaluated(
    name: str, model: Any, tokenizer: Any, shots: int | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Its results, with the samples of the task. One by one: what a text is then does not depend on those beside it."""
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    backend = "seq2seq" if model.config.is_encoder_decoder else "causal"
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, backend=backend)
    return evaluate(lm, {"tasks": {name: task_of(name, shots)}, "groups": {}}, limit=limit, bootstrap_iters=0)
