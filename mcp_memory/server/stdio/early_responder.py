"""Answers a client's first requests on standard input and output while the server is imported."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from contextlib import suppress

import mcp_memory
from mcp_memory.server.stdio.handshake import LONGEST, Handshake, Subject, results_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SNAPSHOT = os.path.join(os.path.dirname(__file__), "snapshot.json")
CHUNK = 65_536
MOST_WAITING = 1 << 24
"""Bytes that wait for the server; more are left where the client notices."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""How most clients end a server; without this the thread that reads the input would hold the process back."""


class EarlyResponder:
    """Reads lines from a client in a thread of its own for as long as the process lives.

    Until the server asks for the first line, requests that the snapshot covers are answered at once. The server then gets
    every line from the first one, so that it reaches the state it would be in had it read them as they came; `answered`
    lists the requests whose answers it must not send again.
    """

    def __init__(self, handshake: Handshake, *, source: int, sink: int) -> None:
        """`source` and `sink` are file descriptors."""
        self.answered: dict[Subject, str] = {}
        """The lines that were sent, by what they answer; complete once `readline` has been called."""
        self._handshake = handshake
        self._source, self._sink = source, sink
        self._pieces: deque[bytes] = deque()
        self._begun = b""
        self._unsent: deque[bytes] = deque()
        self._waiting = 0
        self._ended = False
        self._taken_over = False
        self._leave: Callable[[], None] | None = None
        self._changed = threading.Condition()

    def start(self) -> None:
        threading.Thread(target=self._read, name="read-input", daemon=True).start()
        threading.Thread(target=self._write, name="answer-first", daemon=True).start()

    def readline(self, size: int, /) -> bytes:
        """Return the next line with its end, at most `size` bytes of it; empty at the end of the input.

        From the first call on the caller answers.
        """
        found: list[bytes] = []
        with self._changed:
            self._taken_over = True
            while size and not (found and found[-1].endswith(b"\n")):
                self._changed.notify_all()
                while self._unsent or not (self._pieces or self._ended):
                    self._changed.wait()
                if not self._pieces:
                    break
                piece = self._pieces.popleft()
                if len(piece) > size:
                    self._pieces.appendleft(piece[size:])
                found.append(piece[:size])
                size -= len(found[-1])
                self._waiting -= len(found[-1])
            self._changed.notify_all()
        return b"".join(found)

    def leave_by(self, leave: Callable[[], None]) -> None:
        """Call `leave`, now or later, when the client goes before the server took over with nothing unanswered."""
        with self._changed:
            self._leave = leave
            self._leave_if_done()

    def _leave_if_done(self) -> None:
        done = self._ended and not self._unsent and not self._handshake.owes
        if self._leave and done and not self._taken_over:
            self._leave()

    def _read(self) -> None:
        while chunk := self._chunk():
            *ends, rest = chunk.split(b"\n")
            for piece in [*(end + b"\n" for end in ends), rest]:
                if piece:
                    self._take(piece)
        with self._changed:
            if self._begun:
                self._answer()
            self._ended = True
            self._changed.notify_all()
            self._leave_if_done()

    def _chunk(self) -> bytes:
        try:
            return os.read(self._source, CHUNK)
        except OSError:  # a terminal that was hung up, a pipe that Windows calls broken: the client has gone
            return b""

    def _take(self, piece: bytes) -> None:
        """Queue a line, or part of one, for the server."""
        with self._changed:
            while self._waiting > MOST_WAITING:
                self._changed.wait()
            self._begun += piece[: LONGEST + 1 - len(self._begun)]
            if piece.endswith(b"\n"):
                self._answer()
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._changed.notify_all()

    def _answer(self) -> None:
        """Answer the buffered line, as far as the handshake looks at it."""
        line, self._begun = self._begun, b""
        if not self._taken_over and (said := self._handshake.answer(line)):
            subject, answer = said
            self.answered[subject] = answer
            self._unsent.append(answer.encode() + b"\n")

    def _write(self) -> None:
        """Send answers from a thread of its own: a client may write much before it reads."""
        while True:
            with self._changed:
                while not self._unsent and not self._taken_over:
                    self._changed.wait()
                if not self._unsent:
                    return
                data = memoryview(self._unsent[0])
            with suppress(OSError):  # the client reads no more; that it has gone is seen where its lines come from
                while data:
                    data = data[os.write(self._sink, data) :]
            with self._changed:
                self._unsent.popleft()
                self._changed.notify_all()
                self._leave_if_done()


def start_early_responder() -> EarlyResponder:
    """Serve the client at this process's standard input and output. Call once, from the main thread.

    Afterwards standard input is empty for everybody else, and a signal ends the process.
    """
    source, sink, empty = os.dup(0), os.dup(1), os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    front = EarlyResponder(Handshake(_snapshot()), source=source, sink=sink)
    for number in STOP_SIGNALS:
        signal.signal(number, _end)
    front.start()
    return front


def _end(_: int, __: object) -> None:
    os._exit(0)  # the thread that reads cannot be interrupted, and there is nothing yet to be closed


def _snapshot() -> dict[str, dict[str, str]]:
    try:
        with open(SNAPSHOT, encoding="utf-8") as file:
            return results_of(file.read(), release=mcp_memory.__version__)
    except (OSError, ValueError, KeyError):
        return {}  # then the server answers everything, later
