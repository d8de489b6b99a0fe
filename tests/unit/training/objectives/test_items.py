"""Objectives on items: the gradients of parts are those of the whole batch, and what is hidden is not seen."""

import contextlib

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.training.objectives.contrastive import ContrastiveOptions, ImageText
from harness.training.objectives.items import NO_TOKENS, KeptItems
from harness.training.pretraining.whole_batch import backward
from harness.training.world import World

pytest.importorskip("PIL", reason="Pillow is not installed")

TEXT = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
ALONE = World(torch.device("cpu"))


def kept(n=24, captions=2, seed=0):
    random = np.random.default_rng(seed)
    ids = random.integers(4, 50, (n * captions, 6))
    masks = np.ones_like(ids)
    masks[::2, 4:] = 0
    first = np.arange(n + 1) * captions
    return KeptItems(random.integers(0, 256, (n, 3, 16, 16), dtype=np.uint8), ids, masks, first)


def objective(loss="softmax"):
    from harness.modeling.processors.images import ImageProcessor

    made = ImageText(ContrastiveOptions(loss=loss), NO_TOKENS, 6)
    made.kept, made.processor = kept(), ImageProcessor.of_size(16)
    return made


def model(dropout=0.0):
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    vision = VISION | {"image_size": 16, "patch_size": 8, "attention_dropout": dropout}
    return CLIPModel(CLIPConfig(text_config=TEXT, vision_config=vision, projection_dim=8)).double().train()


def batch_of(made, rows=8):
    made.processor.inputs = lambda kept: {"pixel_values": kept.double() / 255}
    batch = made.corrupt(np.arange(rows)[:, None], np.random.default_rng(3))
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in batch.items()}


def gradients(parts, dropout=0.0):
    made, towers = objective(), model(dropout)
    batch = batch_of(made)
    size = 8 // parts
    cut = [{name: rows[at : at + size] for name, rows in batch.items()} for at in range(0, 8, size)]
    torch.manual_seed(7)
    loss = backward(made, towers, cut, ALONE, contextlib.nullcontext)
    return float(loss), {name: parameter.grad for name, parameter in towers.named_parameters()}


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_micro_batches_give_the_gradients_of_the_whole_batch(parts):
    whole, wanted = gradients(1)
    loss, made = gradients(parts)
    assert loss == pytest.approx(whole, abs=1e-12)
    assert all(torch.allclose(made[name], wanted[name], atol=1e-12) for name in wanted if wanted[name] is not None)


def test_the_second_pass_drops_what_the_first_has_dropped():
    """Else the gradient of a vector would go through another vector's weights."""
    loss, made = gradients(2, dropout=0.5)
    torch.manual_seed(7)
    whole = objective()
    towers = model(0.5)
    batch = batch_of(whole)
    torch.manual_seed(7)
    vectors = torch.cat(
        [whole.vectors(towers, {name: rows[at : at + 4] for name, rows in batch.items()}) for at in (0, 4)]
    )
    wanted = whole.loss_of(towers, vectors)
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-6)
    for name, parameter in towers.named_parameters():
        assert parameter.grad is None or torch.allclose(made[name], parameter.grad, atol=1e-12)


def test_each_time_an_item_is_seen_one_of_its_captions_is_drawn():
    made = objective()
    drawn = {
        tuple(made.corrupt(np.asarray([[5]]), np.random.default_rng(seed))["input_ids"][0][:4]) for seed in range(20)
    }
    assert drawn == {tuple(made.kept.ids[row][:4]) for row in (10, 11)}


def test_padding_that_no_caption_of_a_batch_needs_is_left_out():
    made = objective()
    made.kept.masks[:, 5:] = 0
    assert made.corrupt(np.arange(4)[:, None], np.random.default_rng(0))["input_ids"].shape[1] <= 5


def test_the_scale_of_similarities_stays_below_a_hundred():
    made, towers = objective(), model()
    with torch.no_grad():
        towers.logit_scale.fill_(9.0)
    made.after_step(towers)
    assert towers.logit_scale.exp().item() == pytest.approx(100, rel=1e-5)


def test_the_sigmoid_loss_needs_a_model_with_a_bias():
    with pytest.raises(HarnessError, match="sigmoid needs a bias"):
        objective("sigmoid").try_out(model())


def test_a_patch_that_is_hidden_is_not_seen():
    from transformers import ASTConfig

    from harness.training.objectives.masked_spectrogram import MaskedSpectrogram, MaskedSpectrogramOptions

    torch.manual_seed(0)
    made = MaskedSpectrogram(MaskedSpectrogramOptions(), NO_TOKENS, 8)
    sizes = {"max_length": 16, "num_mel_bins": 16, "patch_size": 8, "frequency_stride": 8, "time_stride": 8}
    towers = made.build(ASTConfig(**VISION, **sizes)).eval()
    sound, mask = torch.randn(1, 16, 16), torch.tensor([[True, False, False, False]])
    other = sound.clone()
    other[:, :8, :8] = 9.0
    assert torch.equal(towers(sound, mask), towers(other, mask))
    assert not torch.equal(towers(sound, ~mask), towers(other, ~mask))
    assert towers.patchify(other)[0, 0].eq(9).all()


def test_a_model_of_another_kind_is_refused():
    from transformers import BertConfig

    from harness.training.objectives.masked_patches import MaskedPatches, MaskedPatchesOptions

    with pytest.raises(HarnessError, match="trains a vit, and not a bert"):
        MaskedPatches(MaskedPatchesOptions(), NO_TOKENS, 8).build(BertConfig())


def test_items_are_changed_where_that_is_asked_for_in_training_alone():
    made = objective()
    made.options = ContrastiveOptions(augment=True)
    blocks = np.arange(4)[:, None]
    trained = made.corrupt(blocks, np.random.default_rng(0))["items"]
    scored = made.held_out(blocks, np.random.default_rng(0))["items"]
    assert trained.shape == scored.shape and trained.dtype == scored.dtype
    assert (trained != scored).any(axis=(1, 2, 3)).all()
    assert (scored == made.kept.items[:4]).all()
