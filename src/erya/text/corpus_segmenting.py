"""Pieces of text through a tokenizer that the scan does not know, ready for the scan; Chinese words in several processes.

What comes out is tokens with a byte between them that no UTF-8 holds, so that the scan counts them as it counts all others.
The processes are plain children that read pieces from their standard input: nothing of the caller's program is imported in them, so
a script needs no ``if __name__ == "__main__"``. Pieces keep their order, and each is cut up alone: the result is the same for
any number of processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import IO

from erya.errors import ResourceError
from erya.language import say
from erya.text.corpus_forms import TEXT_END, UNIT
from erya.text.corpus_reading import Piece, check
from erya.text.tokenizers import ChineseWords, Tokenizer, from_plain, token_lists

_ALONE = 4  # so few pieces are done before the first child could begin
_CHILD = "from erya.text.corpus_segmenting import serve; serve()"


def tokenized(pieces: Iterator[Piece], tokenizer: Tokenizer, *, by_text: bool, processes: int) -> Iterator[Piece]:
    """The same pieces, tokenized, in the same order.

    Args:
        pieces: text.
        tokenizer: any; of those of ours ``ChineseWords`` and trained taggers go to other processes.
        by_text: lines end with ``TEXT_END``; False: with line ends.
        processes: how many to use.

    Raises:
        DataError: a piece is not valid UTF-8.
        ResourceError: a child process ended.
    """
    valid = _checked(pieces)
    apart = isinstance(tokenizer, ChineseWords) or tokenizer.name == "tagger"
    first = list(islice(valid, _ALONE + 1)) if processes > 1 and apart else []
    if len(first) <= _ALONE or not sys.executable:
        for piece in chain(first, valid):
            yield _ready(piece, cut_up(piece.data, tokenizer, by_text))
        return
    children = [_Child(tokenizer, by_text) for _ in range(processes)]
    free: queue.SimpleQueue[_Child] = queue.SimpleQueue()
    for child in children:
        free.put(child)

    def work(piece: Piece) -> bytes:
        child = free.get()
        try:
            return child.cut_up(piece.data)
        finally:
            free.put(child)

    waiting: deque[tuple[Piece, Future[bytes]]] = deque()
    pool = ThreadPoolExecutor(processes)
    try:
        for piece in chain(first, valid):
            waiting.append((piece, pool.submit(work, piece)))
            if len(waiting) > 2 * processes:
                done, future = waiting.popleft()
                yield _ready(done, future.result())
        while waiting:
            done, future = waiting.popleft()
            yield _ready(done, future.result())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for child in children:
            child.close()


def _ready(piece: Piece, data: bytes) -> Piece:
    return piece._replace(data=data, name=None)


def _checked(pieces: Iterator[Piece]) -> Iterator[Piece]:
    lines = 0
    for piece in pieces:
        check(piece, lines)
        lines += piece.data.count(b"\n") + piece.data.count(b"\r") - piece.data.count(b"\r\n")
        yield piece if not piece.skip else piece._replace(data=b"")


def cut_up(data: bytes, tokenizer: Tokenizer, by_text: bool) -> bytes:
    """One piece: ``UNIT`` after every token, ``TEXT_END`` after every line that ends in it."""
    out: list[bytes] = []
    lines = [(*_decoded(line), ended) for line, ended in _lines(data, by_text)]
    for tokens, (_, sound, ended) in zip(token_lists(tokenizer, (text for text, *_ in lines)), lines, strict=True):
        out.append(_joined(tokens, sound))
        if ended:
            out.append(TEXT_END)
    return b"".join(out)


def _decoded(line: bytes) -> tuple[str, bool]:
    """A line as text, and whether it has no surrogate that stands alone, as texts that came as str may have."""
    try:
        return line.decode(), True
    except UnicodeError:
        return line.decode("utf-8", "surrogatepass"), False


def _joined(tokens: list[str], sound: bool) -> bytes:
    if sound:
        return "".join(f"{token}\udcff" for token in tokens).encode("utf-8", "surrogateescape")  # that is UNIT
    return b"".join(token.encode("utf-8", "surrogatepass") + UNIT for token in tokens)


def _lines(data: bytes, by_text: bool) -> Iterator[tuple[bytes, bool]]:
    """The lines of a piece, and whether each ends in it."""
    if by_text:
        *whole, rest = data.split(TEXT_END)
        yield from ((line, True) for line in whole)
        if rest:
            yield rest, False
        return
    for line in data.splitlines(keepends=True):
        text = line.rstrip(b"\r\n")
        yield text, len(text) < len(line)


# ---- child processes ---------------------------------------------------------------------------------------------


class _Child:
    """A process that cuts up one piece after another."""

    def __init__(self, tokenizer: Tokenizer, by_text: bool) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's matter; a child ends with its input
        )
        self._send(json.dumps([tokenizer.to_plain(), by_text]).encode())

    def cut_up(self, data: bytes) -> bytes:
        """What ``cut_up`` says, done over there."""
        self._send(data)
        assert self._process.stdout is not None
        answer = receive(self._process.stdout)
        if answer is None:
            raise self._gone()
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            send(self._process.stdin, data)
        except BrokenPipeError as error:
            raise self._gone() from error

    def _gone(self) -> ResourceError:
        return ResourceError(
            "child-ended",
            say("a process that cuts up Chinese text ended (out of memory?)", "中文分词进程意外结束（内存不足？）"),
            help=say("use one process: ERYA_THREADS=1", "改用单进程：ERYA_THREADS=1"),
        )


def serve() -> None:
    """The life of a child: pieces in, tokens out, until the input ends."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    first = receive(source)
    if first is None:
        return
    plain, by_text = json.loads(first)
    tokenizer = from_plain(plain)
    while (data := receive(source)) is not None:
        send(target, cut_up(data, tokenizer, by_text))


def send(target: IO[bytes], data: bytes) -> None:
    """One message: its length in 8 bytes, then it."""
    target.write(len(data).to_bytes(8, "little") + data)
    target.flush()


def receive(source: IO[bytes]) -> bytes | None:
    """One message, or None where there is none any more."""
    head = source.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "little")
    data = source.read(size)
    return data if len(data) == size else None
