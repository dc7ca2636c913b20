"""`xdpwall trace` as a process, and its lines as they come."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.cli.support import ROOT, Instance, clean_environment
from xdpwall.closing import Closing

_READY = b"tracing; Ctrl-C ends it"


class Trace(Closing):
    """Listens from the constructor on; `drops` are those printed so far."""

    def __init__(self, wall: Instance, *args: str, seconds: float = 60.0) -> None:
        self._deadline = time.monotonic() + seconds
        self.process = subprocess.Popen(
            wall.argv("trace", "-o", "json", *args),
            cwd=ROOT,
            env=clean_environment(**wall.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.drops: list[dict[str, Any]] = []
        self.words = b""
        self._rest = b""
        while _READY not in self.words:
            if self._read() is None:
                self.close()
                raise AssertionError(f"trace ended: {self.words.decode()}")

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first drop, also of those that came already, that meets it."""
        seen = 0
        while True:
            for drop in self.drops[seen:]:
                seen += 1
                if condition(drop):
                    return drop
            assert self._read() is not None, f"trace ended: {self.words.decode()}"

    def interrupt(self) -> int:
        """Ctrl-C; the exit code. What it still says is in `drops` and `words`."""
        self.process.send_signal(signal.SIGINT)
        while self._read() is not None:
            pass
        return self.process.wait(10)

    def close(self) -> None:
        """End it if it has not."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> bool | None:
        """Take in what is there; None at the end."""
        out, err = self.process.stdout, self.process.stderr
        assert out is not None and err is not None
        left = self._deadline - time.monotonic()
        assert left > 0, f"nothing more came; so far {self.drops}\n{self.words.decode()}"
        open_pipes = [pipe for pipe in (out, err) if not pipe.closed]
        if not open_pipes:
            return None
        for pipe in select.select(open_pipes, [], [], left)[0]:
            data = os.read(pipe.fileno(), 1 << 16)
            if not data:
                pipe.close()
            elif pipe is err:
                self.words += data
            else:
                *lines, self._rest = (self._rest + data).split(b"\n")
                self.drops += [json.loads(line) for line in lines]
        return True


def five_tuple(drop: dict[str, Any]) -> Sequence[Any]:
    """(protocol, source, its port, destination, its port)"""
    return tuple(drop.get(name) for name in ("proto", "src", "sport", "dst", "dport"))
