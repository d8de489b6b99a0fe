"""Graphs of generative models in the files that optimum writes: a decoder, with its keys and values or beside one that
reads them, and an encoder where there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError

GRAPH = ".onnx"
ENCODER, MERGED, FIRST, WITH_PAST, WHOLE = (
    "encoder_model", "decoder_model_merged", "decoder_model", "decoder_with_past_model", "model",
)  # fmt: skip
FOLDERS = (".", "onnx")
"""Where graphs lie in a model's folder."""
NAMED = re.compile(rf"({MERGED}|{WITH_PAST}|{FIRST}|{WHOLE})(.*)")


@dataclass(frozen=True)
class OptimumFiles:
    """The graph that decodes, the one that does so after the first step where that is another, and the encoder."""

    decoder: Path
    with_past: Path | None = None
    encoder: Path | None = None

    @property
    def files(self) -> list[Path]:
        return [file for file in (self.decoder, self.with_past, self.encoder) if file is not None]


def optimum_files(place: Path, encodes: bool) -> OptimumFiles | None:
    """The graphs of a model's folder, or those that belong to one of its files.

    Args:
        place: The folder, or the file of a decoder.
        encodes: The model has an encoder.

    Returns:
        The files; None where a folder has no decoder under optimum's names.

    Raises:
        HarnessError: the graph of an encoder is missing, or its file was given in place of the decoder's.
    """
    if place.is_file():
        return _beside(place, encodes)
    names = (MERGED, FIRST) if encodes else (MERGED, FIRST, WHOLE)
    every = (place / folder / f"{name}{GRAPH}" for folder in FOLDERS for name in names)
    decoder = next((file for file in every if file.is_file()), None)
    return None if decoder is None else _beside(decoder, encodes)


def _beside(decoder: Path, encodes: bool) -> OptimumFiles:
    if decoder.stem.startswith(ENCODER):
        raise HarnessError(f"model {decoder}: the encoder alone writes nothing; give the file of the decoder")
    match = NAMED.fullmatch(decoder.stem)
    kind, ending = (match[1], match[2]) if match else (WHOLE, "")
    if kind == WITH_PAST and not encodes:
        kind = WHOLE
    if kind == WITH_PAST:
        decoder = _file(decoder, FIRST, ending, f"the graph of the first step, which {decoder.name} goes on from")
        kind = FIRST
    past = decoder.with_name(f"{WITH_PAST}{ending}{GRAPH}")
    encoder = _file(decoder, ENCODER, ending, "the graph of its encoder") if encodes else None
    return OptimumFiles(decoder, past if kind == FIRST and past.is_file() else None, encoder)


def _file(decoder: Path, name: str, ending: str, what: str) -> Path:
    for file in (decoder.with_name(f"{name}{ending}{GRAPH}"), decoder.with_name(f"{name}{GRAPH}")):
        if file.is_file():
            return file
    raise HarnessError(f"model {decoder}: no {name}{ending}{GRAPH} beside it, {what}")
