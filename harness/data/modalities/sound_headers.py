"""What the headers of sounds say and a decoder passes over: it reads as much of a cut file as is there."""

from __future__ import annotations

import struct

from harness.core.errors import HarnessError

UNKNOWN_SIZE = 0xFFFFFFFF
"""What stands in the header of a WAV file that was written to a pipe."""

LAST_PAGE = 4
"""The flag of the page that ends an Ogg stream."""

XING_WITHIN = 8192
"""Bytes after its tags in which an MP3 file says how long it is, where it does."""


def check_header(content: bytes, place: str) -> None:
    """Raises HarnessError where the bytes of a sound are fewer than its header says, none, or no sound at all."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        _check_wave(content, place)
    elif content[:4] == b"OggS":
        last = content.rfind(b"OggS")
        if not content[last + 5 : last + 6] or not content[last + 5] & LAST_PAGE:
            raise HarnessError(f"{place}: the sound is cut off: its last page is missing")
    elif content[:4] == b"FORM" and len(content) >= 8:
        _check_size(struct.unpack_from(">I", content, 4)[0], len(content) - 8, place)
    elif content[:3] == b"ID3" or content[:1] == b"\xff":
        _check_mp3(content, place)
    elif content.startswith(b"version https://git-lfs"):
        raise HarnessError(f"{place}: no sound, but a pointer of Git LFS; get the file itself with git lfs pull")


def _check_size(size: int, there: int, place: str) -> None:
    if size > there:
        raise HarnessError(f"{place}: the sound is cut off: {max(0, there)} of {size} bytes are there")


def _check_wave(content: bytes, place: str) -> None:
    at = 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], struct.unpack_from("<I", content, at + 4)[0]
        there = len(content) - at - 8
        if name == b"fmt " and there >= 16 and struct.unpack_from("<I", content, at + 12)[0] == 0:
            raise HarnessError(f"{place}: its header says 0 samples a second")
        if name == b"data":
            if there == 0 or size == 0:
                raise HarnessError(f"{place}: the sound is empty: it has no samples")
            if size != UNKNOWN_SIZE:
                _check_size(size, there, place)
            return
        at += 8 + size + size % 2
    raise HarnessError(f"{place}: the sound is cut off: there is no chunk of data")


def _check_mp3(content: bytes, place: str) -> None:
    """By the tag that most encoders write into the first frame: after its name the flags of what follows, the number of
    frames (1) and of bytes (2).
    """
    after = 0
    if content[:3] == b"ID3" and len(content) >= 10:
        after = 10 + sum((byte & 127) << 7 * (3 - index) for index, byte in enumerate(content[6:10]))
    for name in (b"Xing", b"Info"):
        at = content.find(name, after, after + XING_WITHIN)
        if at < 0 or at + 16 > len(content):
            continue
        flags, first, second = struct.unpack_from(">III", content, at + 4)
        if flags & 2:
            _check_size(second if flags & 1 else first, len(content) - after, place)
        return
