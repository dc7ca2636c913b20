"""Run `xdpwall trace` and read its output as it comes."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from tests.cli.support import Instance, clean_environment
from tests.support.net.netns import PATIENCE
from tests.support.paths import ROOT
from xdpwall.closing import Closing

_READY = b"tracing; Ctrl-C ends it"


class Trace(Closing):
    """A running trace; it listens when the constructor returns. `words` is stderr so far."""

    def __init__(
        self, instance: Instance, *args: str, output: str = "json", wait: bool = True
    ) -> None:
        """Without `wait`, the caller calls wait_until_ready() before the first packet."""
        # An emulated machine takes a minute for what takes a second here.
        self._deadline = time.monotonic() + 900
        self._process = subprocess.Popen(
            instance.argv("trace", "-o", output, *args),
            cwd=ROOT,
            env=clean_environment(**instance.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._out = b""
        self.words = b""
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until it listens."""
        while _READY not in self.words:
            if not self._read():
                self.close()
                raise AssertionError(f"trace ended: {self.words.decode()}")

    @property
    def text(self) -> str:
        """Its stdout so far."""
        return self._out.decode()

    @property
    def drops(self) -> list[dict[str, Any]]:
        """The lines so far that are complete."""
        return [json.loads(line) for line in self.text.split("\n")[:-1]]

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first drop, also of those that came already, that meets it."""
        while True:
            for drop in self.drops:
                if condition(drop):
                    return drop
            assert self._read(), f"trace ended: {self.words.decode()}"

    def end(self) -> int:
        """Wait for its end; the exit code."""
        while self._read():
            pass
        return self._process.wait(PATIENCE)

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.end()

    def kill(self) -> None:
        """Kill it, so that it cannot clean up."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def close(self) -> None:
        """End it if it has not."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(PATIENCE)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> bool:
        """Read what has come, waiting for something; False at the end."""
        out, err = self._process.stdout, self._process.stderr
        assert out is not None and err is not None
        left = self._deadline - time.monotonic()
        assert left > 0, f"nothing more came:\n{self.text}\n{self.words.decode()}"
        still = [pipe for pipe in (out, err) if not pipe.closed]
        for pipe in select.select(still, [], [], left)[0] if still else ():
            data = os.read(pipe.fileno(), 1 << 16)
            if not data:
                pipe.close()
            elif pipe is err:
                self.words += data
            else:
                self._out += data
        return bool(still)


def five_tuple(drop: dict[str, Any]) -> tuple[Any, ...]:
    """(protocol, source, its port, destination, its port)"""
    return tuple(drop.get(name) for name in ("proto", "src", "sport", "dst", "dport"))
