"""What a processor gives a model is what that of `transformers` gives."""

import io

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.items import item_of_bytes
from harness.data.modalities import Decoded
from harness.modeling.processors import in_batches, prepared, processor_in

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def picture(seed, height=40, width=56):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_item(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return item_of_bytes(file.getvalue(), "picture.png", "picture.png")


@pytest.fixture
def clip(tmp_path):
    from transformers import CLIPImageProcessorPil

    theirs = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32)
    theirs.save_pretrained(tmp_path)
    return tmp_path, theirs


def test_images_are_resized_cut_and_scaled_as_theirs(clip):
    folder, theirs = clip
    pixels = [picture(seed, 30 + 9 * seed) for seed in range(3)]
    kept = prepared([as_item(each) for each in pixels], "image", processor_in(folder))
    assert kept.dtype == np.uint8
    made = processor_in(folder).inputs(torch.from_numpy(kept))["pixel_values"]
    wanted = theirs(images=pixels, return_tensors="pt")["pixel_values"]
    assert torch.allclose(made, wanted, atol=1e-6)


def test_frames_of_a_video_stay_apart(clip):
    processor = processor_in(clip[0])
    frames = np.stack([picture(seed) for seed in range(4)])
    kept = processor.prepared(Decoded(frames, 2.0))
    assert kept.shape == (4, 3, 32, 32)
    assert (kept[2] == processor.prepared(Decoded(frames[2]))).all()


@pytest.mark.parametrize(
    ("truncation", "padding"), [("rand_trunc", "pad"), ("rand_trunc", "repeatpad"), ("fusion", "repeat")]
)
def test_spectrograms_of_sounds_are_theirs(tmp_path, truncation, padding):
    from transformers import ClapFeatureExtractor

    theirs = ClapFeatureExtractor(
        feature_size=32, sampling_rate=8000, hop_length=160, max_length_s=2, fft_window_size=512,
        frequency_min=0, frequency_max=4000, truncation=truncation, padding=padding,
    )  # fmt: skip
    theirs.save_pretrained(tmp_path)
    processor = processor_in(tmp_path)
    sounds = [np.random.default_rng(seed).normal(0, 0.1, 3000 + 4000 * seed).astype(np.float32) for seed in range(4)]
    kept = np.stack([processor.prepared(Decoded(sound, 8000.0)) for sound in sounds])
    made = processor.inputs(torch.from_numpy(kept))["input_features"]
    wanted = theirs(sounds, sampling_rate=8000, return_tensors="pt")["input_features"]
    assert made.shape == wanted.shape
    assert torch.allclose(made, wanted.float(), atol=2e-3)


def test_a_sound_longer_than_the_model_reads_is_read_from_its_beginning(tmp_path):
    from transformers import ClapFeatureExtractor

    ClapFeatureExtractor(sampling_rate=8000, max_length_s=1, truncation="rand_trunc").save_pretrained(tmp_path)
    sound = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32)
    processor = processor_in(tmp_path)
    assert (processor.prepared(Decoded(sound, 8000.0)) == sound[:8000]).all()


def test_other_sounds_are_read_by_their_own_extractor(tmp_path):
    from transformers import Wav2Vec2FeatureExtractor

    theirs = Wav2Vec2FeatureExtractor(sampling_rate=16_000)
    theirs.save_pretrained(tmp_path)
    processor = processor_in(tmp_path)
    sound = np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)
    made = processor.inputs(torch.from_numpy(processor.prepared(Decoded(sound, 16_000.0))[None]))
    wanted = theirs(sound, sampling_rate=16_000, return_tensors="pt")["input_values"]
    assert torch.allclose(made["input_values"], wanted, atol=1e-5)


def test_a_folder_without_a_processor_and_one_that_is_damaged_say_so(tmp_path):
    with pytest.raises(HarnessError, match=r"no preprocessor_config\.json in it"):
        processor_in(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(HarnessError, match=r"cannot use its preprocessor_config\.json"):
        processor_in(tmp_path)


def test_an_item_of_another_modality_is_refused(clip):
    with pytest.raises(HarnessError, match="reads items of the modality image, and these are audio"):
        prepared([as_item(picture(0))], "audio", processor_in(clip[0]))


def test_batches_are_of_all_items_and_all_that_cannot_be_read_are_named(clip):
    items, processor = [as_item(picture(seed)) for seed in range(5)], processor_in(clip[0])
    batches = list(in_batches(items, "image", processor, 2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert np.array_equal(np.concatenate(batches), prepared(items, "image", processor))
    for place in (0, 4):
        items[place] = item_of_bytes(b"no image", f"{place}.png", f"{place}.png")
    with pytest.raises(HarnessError, match=r"0\.png.*4\.png"):
        list(in_batches(items, "image", processor, 2))
