"""A stream in pieces through worker processes, results in the order of the pieces and memory bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from harness.core.errors import HarnessError
from harness.data.document import Document

DOCUMENTS, CHARACTERS = 512, 1 << 20
"""The most of a piece, so many documents or characters."""
SMALL, FIRST = 1 << 16, 16
"""The first pieces hold at most so many characters, so that short corpora have several."""
AHEAD = 3
"""Pieces a worker that are read before the first of them is done."""
Piece = list[Document]
ResultT = TypeVar("ResultT")
_work: Callable[[Piece], Any] | None = None


def pieces(documents: Iterable[Document]) -> Iterator[Piece]:
    """The documents in pieces, the same however many workers there are."""
    piece: Piece = []
    size = made = 0
    for document in documents:
        piece.append(document)
        size += len(document.text)
        if len(piece) >= DOCUMENTS or size >= (SMALL if made < FIRST else CHARACTERS):
            yield piece
            piece, size, made = [], 0, made + 1
    if piece:
        yield piece


def through(
    make: Callable[..., Callable[[Piece], ResultT]],
    arguments: tuple[Any, ...],
    stream: Iterable[Piece],
    workers: int,
) -> Iterator[tuple[Piece, ResultT]]:
    """What a function makes of each piece, in order.

    Args:
        make: Called once in each process with `arguments`, it returns the function.
        arguments: What can be sent to another process.
        stream: The pieces.
        workers: Processes beside this one; 1 works in this one.

    Raises:
        HarnessError: a worker died.
    """
    if workers <= 1:
        function = make(*arguments)
        yield from ((piece, function(piece)) for piece in stream)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (make, arguments))
    waiting: deque[tuple[Piece, Future[ResultT]]] = deque()
    try:
        for piece in stream:
            waiting.append((piece, pool.submit(_do, piece)))
            if len(waiting) >= AHEAD * workers:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    except BrokenProcessPool:
        raise HarnessError("a worker process died, as for want of memory; try fewer --workers") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start(make: Callable[..., Callable[[Piece], Any]], arguments: tuple[Any, ...]) -> None:
    global _work
    _work = make(*arguments)


def _do(piece: Piece) -> Any:
    assert _work is not None
    return _work(piece)
