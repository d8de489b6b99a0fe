from types import SimpleNamespace

import pytest

from harness.core.errors import HarnessError
from harness.modeling.inference.towers import caption_length, longest_text


def config(model_type, text_type, positions=16):
    text = SimpleNamespace(model_type=text_type, max_position_embeddings=positions, pad_token_id=1)
    return SimpleNamespace(model_type=model_type, text_config=text)


@pytest.mark.parametrize(
    ("model_type", "text_type", "asked", "length"),
    [
        ("clip", "clip_text_model", 64, 16),
        ("clip", "clip_text_model", 8, 8),
        ("siglip", "siglip_text_model", 64, 16),
        ("siglip", "siglip_text_model", 8, 16),  # as it is scored
        ("clap", "clap_text_model", 64, 14),
    ],
)
def test_captions_are_as_long_as_the_tower_of_texts_reads(model_type, text_type, asked, length):
    towers = config(model_type, text_type)
    assert caption_length(towers, asked) == length <= longest_text(towers)


def test_a_model_with_one_tower_reads_no_captions():
    with pytest.raises(HarnessError, match="two towers, and a vit has one"):
        caption_length(SimpleNamespace(model_type="vit"), 16)
