"""A linear probe: logistic regression (scikit-learn) on what a frozen encoder of images or of sounds gives its output
layer. The result is that layer, so the folder is a classifier of `transformers` as after fine-tuning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.specs import ModelSpec
from harness.modeling.weights.settings import ITEM_HEADS
from harness.training.learners.base import LINEAR_PROBE

if TYPE_CHECKING:
    import numpy as np

    from harness.modeling.processors import Processor

processors = lazy("harness.modeling.processors")

INVERSE_STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""The inverses of the L2 strength that are tried, scikit-learn's `C`."""
USUAL = 1.0
"""The one that is taken where there are too few examples to try them."""
ENOUGH = 50
"""Examples from which on a tenth is held out to choose by."""
ITERATIONS = 2000
AT_ONCE = 64
"""Items that go through a model together."""
UNSEEN = -1e9
"""The bias of a class without an example."""


def refused(model_spec: ModelSpec, head: str | None) -> str | None:
    """Why a model spec's linear probe cannot be fitted where a task is done by that head; None where it can, and of a
    model spec without one.
    """
    if not model_spec.options.get(LINEAR_PROBE):
        return None
    if head not in ITEM_HEADS:
        return f"{LINEAR_PROBE}: it is for images and sounds that are classified; fine-tune the model on this task"
    training = model_spec.training
    steps = ("label_smoothing", "average_last", "peft", "adversarial", "augment", "gradient_checkpointing", "compile")
    given = [name for name in steps if getattr(training, name)]
    if given:
        return f"{given[0]}: a linear probe takes no steps; leave it out"
    return "select: a linear probe has no epochs to pick from; take last" if training.select == "best" else None


def features(model: Any, processor: Processor, kept: np.ndarray, classes: int) -> tuple[Any, np.ndarray]:
    """What the output layer of a classifier is given for items.

    Args:
        model: A classifier of `transformers`.
        processor: Its own.
        kept: The items as the processor keeps them, (n, …).
        classes: How many the classifier has.

    Returns:
        The layer, and its inputs (n, size) float32.

    Raises:
        HarnessError: the logits are not those of a linear layer.
    """
    import numpy as np
    import torch

    layers = [
        layer for layer in model.modules() if isinstance(layer, torch.nn.Linear) and layer.out_features == classes
    ]
    seen: dict[str, torch.Tensor] = {}

    def keep(_: Any, given: tuple[torch.Tensor, ...], logits: torch.Tensor) -> None:
        seen.update(given=given[0], logits=logits)

    made = []
    model.eval()
    hook = layers[-1].register_forward_hook(keep) if layers else None
    try:
        with torch.inference_mode():
            for start in range(0, len(kept), AT_ONCE):
                inputs = processor.inputs_for(model, torch.from_numpy(kept[start : start + AT_ONCE]))
                logits = model(**inputs).logits
                if hook is None or "logits" not in seen or not torch.equal(seen["logits"], logits):
                    raise HarnessError(
                        f"{LINEAR_PROBE}: {type(model).__name__} does not end in one linear layer; fine-tune it"
                    )
                made.append(seen["given"].float().cpu().numpy())
    finally:
        if hook is not None:
            hook.remove()
    return layers[-1], np.concatenate(made)


def regression(vectors: np.ndarray, targets: np.ndarray, inverse_strength: float) -> Any:
    """scikit-learn's logistic regression, fitted to features (n, size) and class ids (n,)."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=inverse_strength, max_iter=ITERATIONS).fit(vectors, targets)


def chosen(vectors: np.ndarray, targets: np.ndarray, seed: int) -> tuple[float, float | None]:
    """The inverse strength that is best on a tenth of the examples, drawn by the seed, and its accuracy there; of equal
    ones the smallest. The usual one, and None, where there are too few examples or classes to try.
    """
    import numpy as np

    if len(targets) < ENOUGH:
        return USUAL, None
    order = np.random.default_rng(seed).permutation(len(targets))
    held, rest = np.split(order, [len(order) // 10])
    if len(np.unique(targets[rest])) < 2:
        return USUAL, None
    scores = [
        float(regression(vectors[rest], targets[rest], strength).score(vectors[held], targets[held]))
        for strength in INVERSE_STRENGTHS
    ]
    best = int(np.argmax(scores))
    return INVERSE_STRENGTHS[best], scores[best]


def probe(model: Any, processor: Processor, kept: np.ndarray, targets: np.ndarray, seed: int) -> dict[str, Any]:
    """Fit the output layer of a classifier to items, with every other weight as it is.

    Args:
        model: A classifier of `transformers`; its output layer is changed.
        processor: Its own.
        kept: The items as the processor keeps them.
        targets: Their class ids (n,).
        seed: Draws the examples by which the strength is chosen.

    Returns:
        What a record should say of it.

    Raises:
        HarnessError: a model whose output layer is not linear.
    """
    import numpy as np
    import torch

    classes = model.config.num_labels
    layer, vectors = features(model, processor, kept, classes)
    vectors = vectors.astype(np.float64)
    weights, bias = np.zeros((classes, vectors.shape[1])), np.full(classes, UNSEEN)
    strength, accuracy = chosen(vectors, targets, seed)
    present = np.unique(targets)
    if len(present) == 1:
        bias[present] = 0.0
    else:
        fitted = regression(vectors, targets, strength)
        weights[present], bias[present] = _one_row_a_class(fitted)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        layer.bias.copy_(torch.from_numpy(bias))
    return {"inverse_strength": strength, "held_out_accuracy": accuracy, "features": vectors.shape[1]}


def _one_row_a_class(fitted: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases for each class that was seen: scikit-learn has one row for two classes."""
    import numpy as np

    if len(fitted.classes_) > 2:
        return fitted.coef_, fitted.intercept_
    return np.vstack([-fitted.coef_, fitted.coef_]) / 2, np.concatenate([-fitted.intercept_, fitted.intercept_]) / 2
