"""The losses of two towers are those of their papers, as open_clip writes them."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from harness.training.objectives.contrastive_losses import sigmoid_loss, softmax_loss, two_scales_loss


@pytest.fixture
def vectors():
    random = torch.Generator().manual_seed(0)
    return tuple(normalize(torch.randn(7, 16, generator=random, dtype=torch.float64), dim=1) for _ in range(2))


def log_softmax(row):
    return row - math.log(np.exp(row - row.max()).sum()) - row.max()


def test_softmax_is_the_mean_of_both_directions_cross_entropies(vectors):
    items, texts = (each.numpy() for each in vectors)
    logits = math.exp(1.3) * items @ texts.T
    of_items = np.mean([-log_softmax(logits[pair])[pair] for pair in range(7)])
    of_texts = np.mean([-log_softmax(logits[:, pair])[pair] for pair in range(7)])
    loss = softmax_loss(*vectors, torch.tensor(1.3, dtype=torch.float64))
    assert float(loss) == pytest.approx((of_items + of_texts) / 2, abs=1e-9)


def test_sigmoid_sums_over_all_pairs_and_divides_by_the_batch(vectors):
    items, texts = (each.numpy() for each in vectors)
    logits = math.exp(0.7) * items @ texts.T - 2.5
    total = sum(math.log(1 / (1 + math.exp(-(1 if i == j else -1) * logits[i, j]))) for i in range(7) for j in range(7))
    scale, bias = (torch.tensor(value, dtype=torch.float64) for value in (0.7, -2.5))
    assert float(sigmoid_loss(*vectors, scale, bias)) == pytest.approx(-total / 7, abs=1e-9)


def test_clap_has_a_scale_for_each_direction(vectors):
    first, second = (torch.tensor(value, dtype=torch.float64) for value in (1.0, 2.0))
    items, texts = vectors
    at_one, at_two = softmax_loss(items, texts, first), softmax_loss(items, texts, second)
    assert float(two_scales_loss(items, texts, first, first)) == pytest.approx(float(at_one), abs=1e-12)
    mixed = two_scales_loss(items, texts, first, second) + two_scales_loss(items, texts, second, first)
    assert float(mixed) == pytest.approx(float(at_one + at_two), abs=1e-12)


@pytest.mark.parametrize("kind", ["clip", "clap"])
def test_the_loss_is_that_of_the_models_of_transformers(kind):
    import transformers as library

    text = {
        "vocab_size": 50,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    if kind == "clip":
        vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = library.CLIPConfig(text_config=text, vision_config=vision | {"image_size": 16, "patch_size": 8})
        inputs = {"pixel_values": torch.randn(5, 3, 16, 16)}
    else:
        audio = {"spec_size": 32, "num_mel_bins": 32, "patch_size": 4, "patch_stride": [4, 4], "depths": [1, 1]}
        audio |= {"num_attention_heads": [1, 2], "patch_embeds_hidden_size": 8, "hidden_size": 16, "window_size": 4}
        audio |= {"num_hidden_layers": 2}
        config = library.ClapConfig(text_config=text, audio_config=audio, projection_dim=8)
        inputs = {"input_features": torch.randn(5, 1, 32, 32)}
    from harness.modeling.inference import towers

    model = library.AutoModel.from_config(config).eval()
    ids = torch.randint(3, 50, (5, 6))
    theirs = model(input_ids=ids, return_loss=True, **inputs)
    items, texts = towers.item_vectors(model, inputs), towers.text_vectors(model, ids, None)
    if kind == "clip":
        ours, wanted = softmax_loss(items, texts, model.logit_scale), theirs.loss
    else:  # whose own loss takes the direction of texts twice
        pairs = torch.arange(5)
        of_items, of_texts = cross_entropy(theirs.logits_per_audio, pairs), cross_entropy(theirs.logits_per_text, pairs)
        wanted = (of_items + of_texts) / 2
        ours = two_scales_loss(items, texts, model.logit_scale_a, model.logit_scale_t)
    assert ours.item() == pytest.approx(wanted.item(), rel=1e-6)
