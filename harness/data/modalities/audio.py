"""Sounds: files that libsndfile reads, as one channel of samples in -1..1."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from harness.core.errors import HarnessError
from harness.core.items import Item
from harness.core.text import clipped
from harness.data.modalities.base import Decoded, Modality, Shown
from harness.data.modalities.pictures import data_uri
from harness.data.modalities.sound_headers import check_header

MOST_SAMPLES = 3600 * 48_000
"""Of a sound, a channel: an hour at 48 kHz. A file of kilobytes may hold gigabytes of silence."""

BLOCK = 1 << 20
"""Samples of all channels decoded at once."""

LOUDEST = 4.0
"""Samples in floating point may go a little beyond 1 and are clipped; beyond this they are on another scale."""

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF")
"""libsndfile's names of what is read; of others it does not tell whether they are cut off."""

SHOWN_SECONDS, SHOWN_RATE = 10, 16_000

SHIFT = 0.05
"""By how much of its length a sound is moved at most."""

GAIN = 6.0
"""Decibels it becomes quieter by at most."""


class AudioModality(Modality):
    """Sounds of any rate; a model's processor resamples them."""

    name = "audio"
    endings = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")
    unit = "seconds of audio"
    element = "audio"
    package = "soundfile"
    extra = "audio"

    def decode(self, item: Item) -> Decoded:
        """The mean of its channels, at its own rate."""
        self.require()
        import soundfile

        content = item.content()
        if not content:
            raise HarnessError(f"{item.place}: the file is empty")
        check_header(content, item.place)
        try:
            with soundfile.SoundFile(io.BytesIO(content)) as sound:
                if sound.format not in FORMATS:
                    raise HarnessError(f"{item.place}: {sound.format} is not read; it takes {', '.join(FORMATS)}")
                rate, frames = sound.samplerate, sound.frames
                _check_length(frames, rate, item)
                blocks = list(_blocks(sound, max(1, BLOCK // sound.channels)))
        except (HarnessError, MemoryError):
            raise
        except Exception as error:
            reason = clipped(" ".join(str(error).split()).rpartition(": ")[2], 160)
            raise HarnessError(f"{item.place}: no sound that is read, or a damaged one ({reason})") from None
        values = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
        if len(values) < frames:
            raise HarnessError(f"{item.place}: the sound is cut off: {len(values)} of {frames} samples are there")
        return Decoded(_checked(values, item), float(rate))

    def amount(self, decoded: Decoded) -> float:
        return len(decoded.values) / decoded.rate

    def augment(self, decoded: Decoded, random: np.random.Generator) -> Decoded:
        """Moved a little, with silence before or after it, and a little quieter. Speed and pitch stay: captions may
        speak of them.
        """
        most = int(SHIFT * len(decoded.values))
        by = int(random.integers(-most, most + 1))
        moved = np.zeros_like(decoded.values)
        if by >= 0:
            moved[by:] = decoded.values[: len(moved) - by]
        else:
            moved[:by] = decoded.values[-by:]
        gain = 10 ** (float(random.uniform(-GAIN, 0)) / 20)
        return Decoded((moved * gain).astype(np.float32), decoded.rate)

    def show(self, item: Item) -> Shown:
        """Its first seconds as FLAC, which browsers play."""
        decoded = self.decode(item)
        import soundfile

        values = decoded.values[: int(SHOWN_SECONDS * decoded.rate)]
        rate = int(min(decoded.rate, SHOWN_RATE))
        buffer = io.BytesIO()
        soundfile.write(buffer, resampled(values, decoded.rate, rate), rate, format="FLAC", subtype="PCM_16")
        return Shown("audio", data_uri("audio/flac", buffer.getvalue()), item.label)


MODALITY = AudioModality()


def resampled(values: np.ndarray, rate: float, to: float) -> np.ndarray:
    """Samples (t,) float32 at another rate, through a polyphase low-pass filter."""
    if rate == to:
        return values
    from scipy.signal import resample_poly

    ratio = (Fraction(to) / Fraction(rate)).limit_denominator(2000)
    return resample_poly(values, ratio.numerator, ratio.denominator).astype(np.float32)


def _blocks(sound: object, size: int) -> Iterator[np.ndarray]:
    for block in sound.blocks(size, dtype="float32", always_2d=True):  # type: ignore[attr-defined]
        yield block.mean(axis=1, dtype=np.float32)


def _check_length(frames: int, rate: int, item: Item) -> None:
    if rate <= 0:
        raise HarnessError(f"{item.place}: its header says {rate} samples a second")
    if frames > MOST_SAMPLES:
        raise HarnessError(
            f"{item.place}: {frames / rate:.0f} seconds at {rate} Hz are {frames} samples, more than the "
            f"{MOST_SAMPLES} of one sound: cut it"
        )
    if frames <= 0:
        raise HarnessError(f"{item.place}: the sound is empty: it has no samples")


def _checked(values: np.ndarray, item: Item) -> np.ndarray:
    """Samples as numbers in -1..1."""
    if not np.isfinite(values).all():
        raise HarnessError(f"{item.place}: {int((~np.isfinite(values)).sum())} of its samples are no finite numbers")
    if (peak := float(np.abs(values).max())) > LOUDEST:
        raise HarnessError(f"{item.place}: its samples go up to {peak:g}, and should lie in -1 to 1: scale them")
    return np.clip(values, -1.0, 1.0)
