"""Sounds as samples, by integers alone, from a table of a sine: the same on every machine.

One second at 8 kHz. An event has a kind, which is its timbre, a frequency it begins and one it ends with, and a place.
"""

from __future__ import annotations

import math
import wave
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import NamedTuple

import numpy as np

from harness.data.synthetic.rng import Rng

RATE = 8000
LENGTH = RATE
NOISE = 60
NOISE_FIELDS = 1000
"""So many noises there are."""
TURN = 1 << 16
"""A period, in the units of phase."""
FULL = 1 << 14
EDGE = 80
"""Samples in which an event comes and goes."""


class Event(NamedTuple):
    """A kind of sound from `start` for `length` samples; frequencies in hertz, `loudness` of 1024."""

    kind: str
    start: int
    length: int
    begins: int
    ends: int
    loudness: int


class Recording(NamedTuple):
    """One of the noises, and events on it."""

    noise: int
    events: tuple[Event, ...]


@cache
def _sine() -> np.ndarray:
    """A period in 1024 values. Rounding hides what machines make of a sine's last bit."""
    return np.asarray([round(FULL * math.sin(2 * math.pi * at / 1024)) for at in range(1024)], np.int32)


def _sounding(phase: np.ndarray) -> np.ndarray:
    return _sine()[(phase >> 6) & 1023]


def _beep(phase: np.ndarray, event: Event) -> np.ndarray:
    """A sine."""
    return _sounding(phase)


def _buzz(phase: np.ndarray, event: Event) -> np.ndarray:
    """A saw: as many overtones as there is room for, each the weaker the higher."""
    most = max(1, min(8, RATE // 2 // max(event.begins, event.ends)))
    return sum((_sounding(number * phase) // number for number in range(2, most + 1)), start=_sounding(phase)) // 2


def _hiss(phase: np.ndarray, event: Event) -> np.ndarray:
    """Noise that changes twice a period."""
    return _steps()[((phase >> 15) + event.start) & 4095]


def _chime(phase: np.ndarray, event: Event) -> np.ndarray:
    """Two tones in no whole ratio that die away."""
    left = np.arange(event.length, 0, -1, dtype=np.int64)
    fading = left * left * 1024 // (event.length * event.length)
    return (2 * _sounding(phase) + _sounding(phase * 11 // 4)) // 3 * fading >> 10


def _trill(phase: np.ndarray, event: Event) -> np.ndarray:
    """A sine that comes and goes thirty-three times a second."""
    at = np.arange(event.length, dtype=np.int64)
    return np.where((at // 120) % 2 == 0, _sounding(phase), 0)


@cache
def _steps() -> np.ndarray:
    rng = Rng("noise of hisses")
    return np.asarray([rng.index(2 * FULL + 1) - FULL for _ in range(4096)], np.int32)


TIMBRES: dict[str, Callable[[np.ndarray, Event], np.ndarray]] = {
    "beep": _beep,
    "buzz": _buzz,
    "hiss": _hiss,
    "chime": _chime,
    "trill": _trill,
}


@cache
def _noise() -> np.ndarray:
    rng = Rng("noise of sounds")
    return np.asarray([rng.index(2 * NOISE + 1) - NOISE for _ in range(LENGTH + NOISE_FIELDS)], np.int32)


def _samples_of(event: Event) -> np.ndarray:
    """(length,) int64."""
    at = np.arange(event.length, dtype=np.int64)
    steps = (event.begins * event.length + (event.ends - event.begins) * at) * TURN // (event.length * RATE)
    sounding = TIMBRES[event.kind](np.cumsum(steps), event).astype(np.int64)
    edges = np.minimum(np.minimum(at + 1, event.length - at), EDGE)
    return (sounding * edges // EDGE) * event.loudness >> 10


def samples(recording: Recording) -> np.ndarray:
    """(8000,) int16, one channel."""
    track = _noise()[recording.noise : recording.noise + LENGTH].astype(np.int64)
    for event in recording.events:
        track[event.start : event.start + event.length] += _samples_of(event)
    return np.clip(track, -32768, 32767).astype("<i2")


def wav(recording: Recording) -> bytes:
    """The recording as a file."""
    file = BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(RATE)
        opened.writeframes(samples(recording).tobytes())
    return file.getvalue()
