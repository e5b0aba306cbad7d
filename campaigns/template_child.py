"""A child process that renders the templates that need loops and conditions.

Limits inside a language can be forgotten by one filter; the operating system's cannot. The child has an empty
environment, a cap on memory and a cap on processor time per text. Whatever goes wrong in there costs one child.

Frames both ways are a four-byte length and a body. Requests are pickled, because they come from us and hold dates;
answers are JSON, because they come from the sandbox.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .template_rules import TemplateError, parse, render_parsed

MEMORY_BYTES = 64 * 1024 * 1024  # on top of what the child needs to start
CPU_SECONDS = 0.2
WALL_SECONDS = 10.0  # when the machine is so busy that the processor time takes this long
START_SECONDS = 30.0


class RenderChild:
    """The parent's end: starts the child when first needed, replaces it when it had to be stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, source: str, html: bool, context: Mapping[str, Any]) -> str:
        """Return the rendered text; raises TemplateError. The context must have gone through `plain`."""
        request = pickle.dumps((source, html, context))
        with self._lock:
            process = self._running()
            try:
                _write_frame(process.stdin, request)
                answer = json.loads(_read_frame_until(process.stdout, time.monotonic() + WALL_SECONDS))
            except (OSError, EOFError) as problem:
                self._stop()
                raise TemplateError(None, "takes too much time or memory", "template_limit") from problem
        if "text" in answer:
            return str(answer["text"])
        raise TemplateError(answer["line"], answer["message"], answer["code"])

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._stop()

    def forget(self) -> None:
        """Leave the child to the process that started it; for the copy of us that a fork made."""
        self._lock, self._process = threading.Lock(), None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "campaigns.template_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).resolve().parents[1],
                env={"PYTHONUTF8": "1"},  # none of our secrets
            )
            _read_frame_until(self._process.stdout, time.monotonic() + START_SECONDS)
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        process.wait()


CHILD = RenderChild()
atexit.register(CHILD.close)
os.register_at_fork(after_in_child=CHILD.forget)


def main() -> None:
    """Serve requests until the parent closes the pipe."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; we end when its pipe does
    parsed = functools.lru_cache(maxsize=32)(parse)
    _limit_memory()
    _write_frame(answers, b"ready")
    while header := requests.read(4):
        source, html, context = pickle.loads(requests.read(struct.unpack(">I", header)[0]))  # noqa: S301 - from our parent
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # SIGPROF ends the process, in the middle of anything
        try:
            answer: dict[str, Any] = {"text": render_parsed(parsed(source, html), context)}
        except TemplateError as problem:
            answer = {"line": problem.line, "message": problem.message, "code": problem.code}
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write_frame(answers, json.dumps(answer).encode())


def _limit_memory() -> None:
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return  # not Linux: the caps of the language have to do
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))


def _write_frame(pipe: IO[bytes] | None, body: bytes) -> None:
    assert pipe is not None
    pipe.write(struct.pack(">I", len(body)) + body)
    pipe.flush()


def _read_frame_until(pipe: IO[bytes] | None, moment: float) -> bytes:
    """Return one frame; raises EOFError when the child ended, TimeoutError (an OSError) when the moment has passed."""
    assert pipe is not None
    (length,) = struct.unpack(">I", _read_until(pipe, 4, moment))
    return _read_until(pipe, length, moment)


def _read_until(pipe: IO[bytes], size: int, moment: float) -> bytes:
    read = b""
    poll = select.poll()  # not select(): a busy web process may have more than 1,024 files open
    poll.register(pipe, select.POLLIN)
    while len(read) < size:
        if not poll.poll(max(0, round(1000 * (moment - time.monotonic())))):
            raise TimeoutError
        piece = os.read(pipe.fileno(), size - len(read))
        if not piece:
            raise EOFError
        read += piece
    return read


if __name__ == "__main__":
    main()
