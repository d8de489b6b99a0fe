"""Linear probes: what they are fitted to, that nothing else is changed, and that the strength is chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from harness.core.specs import ModelSpec
from harness.modeling.processors.images import ImageProcessor
from harness.training.learners import LEARNERS, linear_probe

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
PIXELS = {"image_size": 8, "patch_size": 4}
ROWS, CLASSES = 90, 3


def classifier(kind: str) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    names = {"id2label": {index: f"c{index}" for index in range(CLASSES)}}
    config = (
        transformers.CLIPConfig(vision_config={**SIZES, **PIXELS}, **names)
        if kind == "clip"
        else transformers.ViTConfig(**SIZES, **PIXELS, **names)
    )
    return transformers.AutoModelForImageClassification.from_config(config)


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Kept images whose class is how bright they are, with noise."""
    random = np.random.default_rng(1)
    targets = np.arange(ROWS) % CLASSES
    noise = random.integers(0, 120, (ROWS, 3, 8, 8))
    return (noise + 60 * targets[:, None, None, None]).clip(0, 255).astype(np.uint8), targets


@pytest.mark.parametrize("kind", ["clip", "vit"])
def test_it_is_the_regression_of_scikit_learn_on_the_features_of_transformers(kind: str) -> None:
    from sklearn.linear_model import LogisticRegression

    model, processor = classifier(kind), ImageProcessor.of_size(8)
    kept, targets = pictures()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = linear_probe.probe(model, processor, kept, targets, seed=3)
    inputs = processor.inputs(torch.from_numpy(kept))
    with torch.inference_mode():
        if kind == "clip":
            states = model.vision_model(**inputs).last_hidden_state[:, 1:].mean(1)
        else:
            states = model.vit(**inputs).last_hidden_state[:, 0]
        logits = model.eval()(**inputs).logits.numpy()
    fitted = LogisticRegression(C=found["inverse_strength"], max_iter=linear_probe.ITERATIONS)
    fitted.fit(states.numpy().astype(np.float64), targets)
    assert np.allclose(model.classifier.weight.detach().numpy(), fitted.coef_, atol=1e-3)
    assert np.allclose(model.classifier.bias.detach().numpy(), fitted.intercept_, atol=1e-3)
    assert np.array_equal(logits.argmax(1), fitted.predict(states.numpy()))
    assert (logits.argmax(1) == targets).mean() > 0.9
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_two_classes_of_three_have_the_odds_of_scikit_learn_and_the_third_is_never_said() -> None:
    model, processor = classifier("vit"), ImageProcessor.of_size(8)
    kept, targets = pictures()
    kept, targets = kept[targets != 1], targets[targets != 1]
    found = linear_probe.probe(model, processor, kept, targets, seed=0)
    _, vectors = linear_probe.features(model, processor, kept, CLASSES)
    odds = linear_probe.regression(vectors.astype(np.float64), targets, found["inverse_strength"])
    with torch.inference_mode():
        made = model.eval()(**processor.inputs(torch.from_numpy(kept))).logits.softmax(1).numpy()
    assert np.allclose(made[:, [0, 2]], odds.predict_proba(vectors), atol=1e-3)
    assert (made[:, 1] == 0).all()


def test_the_strength_is_chosen_on_a_tenth_that_the_seed_draws() -> None:
    random = np.random.default_rng(0)
    vectors, targets = random.normal(size=(200, 40)), random.integers(0, 2, 200)
    vectors[:, 0] += 0.8 * targets
    assert linear_probe.chosen(vectors, targets, 0) == linear_probe.chosen(vectors, targets, 0)
    strength, accuracy = linear_probe.chosen(vectors, targets, 0)
    assert strength in linear_probe.INVERSE_STRENGTHS and accuracy is not None and 0.5 < accuracy <= 1
    assert len({linear_probe.chosen(vectors, targets, seed) for seed in range(4)}) > 1
    assert linear_probe.chosen(vectors[:20], targets[:20], 0) == (linear_probe.USUAL, None)


def test_what_a_probe_does_not_do_is_refused() -> None:
    def reason(head: str, **training: object) -> str | None:
        spec = ModelSpec.model_validate(
            {
                "name": "p",
                "learner": "transformer",
                "pretrained": "x",
                "options": {"linear_probe": True},
                "training": training,
            }
        )
        LEARNERS.get("transformer").check(spec)
        return linear_probe.refused(spec, head)

    assert reason("image-classification") is None
    assert "images and sounds" in str(reason("sequence-classification"))
    assert "label_smoothing" in str(reason("image-classification", label_smoothing=0.1))
    assert "select" in str(reason("audio-classification", select="best"))
