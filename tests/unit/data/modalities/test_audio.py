"""Sounds as arrays: sample formats, channels, rates, and what is refused, with its place."""

from __future__ import annotations

import base64
import io
import struct
import wave

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.items import Item, item_of_bytes
from harness.data.modalities import MODALITIES, Decoded
from harness.data.modalities import audio as module
from harness.data.modalities.audio import resampled

soundfile = pytest.importorskip("soundfile", reason="sounds need soundfile")
AUDIO = MODALITIES.get("audio")
PLACE = "sounds/dog.wav"
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.float32)


def item(content: bytes) -> Item:
    return item_of_bytes(content, "dog.wav", PLACE)


def file_of(values: np.ndarray, kind: str = "WAV", subtype: str | None = None, rate: int = 8000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, values, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(HarnessError) as caught:
        AUDIO.decode(item(content))
    message = str(caught.value)
    assert message.startswith(f"{PLACE}: ") and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("kind", "subtype", "within"),
    [
        ("WAV", "PCM_U8", 1 / 100),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("FLAC", "PCM_16", 1e-4),
        ("AIFF", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 0.1),
    ],
)
def test_a_sound_is_the_mean_of_its_channels_whatever_its_samples_are(kind: str, subtype: str, within: float):
    content = file_of(np.stack([TONE, TONE * 0.5], axis=1), kind, subtype)
    decoded = AUDIO.decode(item(content))
    assert decoded.values.dtype == np.float32 and decoded.values.shape == (8000,) and decoded.rate == 8000
    assert np.abs(decoded.values - 0.75 * TONE).max() <= within + 1e-7
    assert AUDIO.amount(decoded) == 1.0
    for size in {1, 40, len(content) // 2, len(content) - 2}:
        refusal(content[:size])


def test_a_wave_file_of_the_standard_library_is_read():
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(struct.pack("<3h", 0, 16384, -32768))
    decoded = AUDIO.decode(item(buffer.getvalue()))
    assert decoded.values.tolist() == [0.0, 0.5, -1.0] and decoded.rate == 16000


def test_a_cut_mp3_is_known_by_the_size_in_its_first_frame():
    content = file_of(TONE, "MP3", rate=16000)
    assert len(AUDIO.decode(item(content)).values)
    assert "cut off" in refusal(content[: len(content) // 2])


def test_what_is_no_sound_is_refused():
    assert "is empty" in refusal(b"")
    assert "no samples" in refusal(file_of(np.zeros(0, np.float32)))
    assert "no sound that is read" in refusal(b"a text, renamed")
    assert "git lfs pull" in refusal(b"version https://git-lfs.github.com/spec/v1\n")
    assert "AU is not read" in refusal(file_of(TONE, "AU"))
    rateless = bytearray(file_of(TONE))
    rateless[24:28] = bytes(4)
    assert "0 samples a second" in refusal(bytes(rateless))


def test_samples_that_are_no_numbers_or_of_another_scale_are_refused():
    broken = TONE.copy()
    broken[[3, 7]] = np.nan, np.inf
    assert "2 of its samples" in refusal(file_of(broken, "WAV", "FLOAT"))
    assert "go up to 16383.5" in refusal(file_of(TONE * 32767, "WAV", "FLOAT"))
    louder = AUDIO.decode(item(file_of(TONE * 3, "WAV", "FLOAT"))).values
    assert louder.max() == 1.0


def test_a_sound_that_is_too_long_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_SAMPLES", 7999)
    assert "1 seconds at 8000 Hz are 8000 samples, more than the 7999" in refusal(file_of(TONE))


def test_resampling_keeps_a_tone():
    for rate, to in ((8000, 16000), (44_100, 16_000), (16_000, 11_025)):
        there = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
        expected = np.sin(2 * np.pi * 440 * np.arange(to) / to)
        made = resampled(there, rate, to)
        assert made.dtype == np.float32 and abs(len(made) - to) <= 1
        middle = slice(to // 10, to * 9 // 10)
        assert np.abs(made[middle] - expected[middle]).max() < 0.01
    assert resampled(TONE, 8000, 8000) is TONE


def test_an_augmented_sound_keeps_its_length_and_grows_no_louder():
    changed = AUDIO.augment(Decoded(TONE, 8000), np.random.default_rng(0))
    assert changed.values.shape == TONE.shape and changed.rate == 8000 and changed.values.dtype == np.float32
    assert not np.array_equal(changed.values, TONE) and np.abs(changed.values).max() <= 0.5


def test_a_sound_is_shown_by_its_first_seconds_as_flac():
    shown = AUDIO.show(item(file_of(np.tile(TONE, 12), rate=24_000)))
    assert (shown.kind, shown.label) == ("audio", "dog.wav")
    head, _, body = shown.uri.partition(",")
    values, rate = soundfile.read(io.BytesIO(base64.b64decode(body)))
    assert head == "data:audio/flac;base64" and rate == 16_000 and len(values) == 64_000
    long = AUDIO.show(item(file_of(np.tile(TONE, 12))))
    assert len(soundfile.read(io.BytesIO(base64.b64decode(long.uri.partition(",")[2])))[0]) == 80_000
