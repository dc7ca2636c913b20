"""Start the process that runs BCC (bcc_main.py), read its frames, end it."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from xdpwall.closing import Closing
from xdpwall.errors import Failed, NeedsPrivileges, Unsupported, XdpwallError

SYSTEM_PYTHON = "/usr/bin/python3"
_PROBE = Path(__file__).with_name("bcc_main.py")
_HEADERS = Path(__file__).with_name("headers")
_HEAD = struct.Struct("<cI")
_NUMBER = struct.Struct("<Q")
_START_SECONDS = 300.0  # an emulated machine compiles slowly; what fails, fails at once
_END_SECONDS = 5.0
INSTALL = "apt-get install python3-bpfcc (Fedora: dnf install python3-bcc)"


class BccProcess(Closing):
    """Runs from `with` or the constructor to close(). Unsupported "no-bcc" where there is none."""

    def __init__(self, source: str, python: str) -> None:
        argv = [python, "-I", "-B", str(_PROBE)]
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise _no_bcc(f"{python} cannot be run: {error.strerror}") from error
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        os.set_blocking(self._process.stderr.fileno(), False)
        self._python = python
        self._rest = b""
        self._stderr_tail = b""
        self.lost = 0
        """Records that did not fit into the ring so far."""
        self.complete = 0
        """CLOCK_BOOTTIME, ns: read() has returned all records from before."""
        try:
            self._send_source(source)
        except BaseException:
            self.close()
            raise

    @classmethod
    def start(cls, source: str) -> BccProcess:
        """Run it under our own Python if that has BCC, else under the system's: only distributions
        package BCC."""
        if find_spec("bcc"):
            try:
                return cls(source, sys.executable)
            except Unsupported:  # PyPI's `bcc` is another project
                pass
        return cls(source, SYSTEM_PYTHON)

    def _send_source(self, source: str) -> None:
        order = json.dumps({"source": source, "headers": str(_HEADERS)})
        try:
            self._stdin.write(order.encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            for kind, data in self._frames(0.5):
                if kind == b"R":
                    return
                self._raise_error(kind, data)
        raise Failed(f"BCC was not ready within {_START_SECONDS:.0f} s", code="bcc-failed")

    def fileno(self) -> int:
        """Readable when read() has something."""
        return self._stdout.fileno()

    def read(self, timeout: float = 0.0) -> list[bytes]:
        """struct records of drops.c, oldest first; [] when none came within `timeout` seconds."""
        found = []
        for kind, data in self._frames(timeout):
            if kind == b"D":
                found.append(data)
            elif kind == b"L":
                (self.lost,) = _NUMBER.unpack(data)
            elif kind == b"T":
                (self.complete,) = _NUMBER.unpack(data)
            else:
                self._raise_error(kind, data)
        return found

    def close(self) -> None:
        """End the process, by closing its stdin."""
        for pipe in (self._stdin, self._stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    # -- inside ----------------------------------------------------------------------------------

    def _frames(self, timeout: float) -> list[tuple[bytes, bytes]]:
        stderr = self._process.stderr
        assert stderr is not None
        ready, _, _ = select.select([self._stdout, stderr], [], [], timeout)
        if stderr in ready:
            self._stderr_tail = (self._stderr_tail + (stderr.read() or b""))[-4096:]
        if self._stdout not in ready:
            if ready and self._process.poll() is not None:
                raise self._ended()
            return []
        data = self._stdout.read(1 << 20)
        if not data:
            raise self._ended()
        self._rest += data
        found, at = [], 0
        while len(self._rest) - at >= _HEAD.size:
            kind, size = _HEAD.unpack_from(self._rest, at)
            if len(self._rest) - at - _HEAD.size < size:
                break
            at += _HEAD.size
            found.append((kind, self._rest[at : at + size]))
            at += size
        self._rest = self._rest[at:]
        return found

    def _raise_error(self, kind: bytes, data: bytes) -> None:
        if kind != b"E":
            raise Failed("BCC's process said something that cannot be read", detail=repr(kind))
        told = json.loads(data)
        if told["code"] == "no-bcc":
            raise _no_bcc(f"{self._python}: {told['message']}")
        raise self._failed(str(told["message"]), str(told["detail"]))

    def _ended(self) -> XdpwallError:
        return self._failed("its process ended", f"exit code {self._process.poll()}")

    def _failed(self, message: str, detail: str) -> XdpwallError:
        stderr = self._process.stderr
        if stderr is not None and not stderr.closed:
            self._stderr_tail = (self._stderr_tail + (stderr.read() or b""))[-4096:]
        words = self._stderr_tail.decode(errors="replace").strip()
        if "Operation not permitted" in message + words:
            return NeedsPrivileges(
                "BCC may not load its program", hint="run it as root", detail=f"{message}\n{words}"
            )
        return Failed(
            f"BCC could not load its program: {message}",
            code="bcc-failed",
            hint="-v shows what the compiler and the kernel said",
            detail="\n".join(filter(None, [detail, words])),
        )


def _no_bcc(why: str) -> Unsupported:
    return Unsupported(
        "BCC for Python is not installed, and tracing needs it",
        code="no-bcc",
        hint=INSTALL,
        detail=why,
    )
