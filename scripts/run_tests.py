"""python -m scripts.run_tests: all tests, by two pytest processes at once, each in namespaces of its own.

Both take one file after the other from the same list. The first stays in this machine's namespaces, since a
few tests want them; the others have a network, /run/netns, /sys and bpffs of their own. Exits 1 unless every
test was run and passed. What pytest says of failures stands together at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.shared_run import CLAIMS, HOST

_BOX = """
set -e
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
cgroups=$(mktemp -d)
mount --rbind /sys/fs/cgroup "$cgroups"
mount -t sysfs sysfs /sys
mount --rbind "$cgroups" /sys/fs/cgroup
umount -l "$cgroups" && rmdir "$cgroups"
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
ip link set lo up
exec "$@"
"""
_ENDING = re.compile(r"=+ (?!test session starts)")
"""The first line of what pytest says at its end."""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.run_tests", description=__doc__)
    parser.add_argument("--processes", type=int, default=2, help="at once (2)")
    options, pytest_options = parser.parse_known_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="xwt-claims-") as folder:
        runs = [Run(number, Path(folder), pytest_options) for number in range(options.processes)]
        codes = [run.wait() for run in runs]
        told = [json.loads(path.read_text("utf-8")) for path in Path(folder).glob("told-*")]
    for run in runs:
        print("".join(run.ending), flush=True)
    collected = max((one["collected"] for one in told), default=0)
    ran, failed = (sum(one[name] for one in told) for name in ("ran", "failed"))
    print(
        f"{collected} tests: {ran} were run, {failed} failed, in {time.monotonic() - begun:.0f} s"
    )
    return 0 if not any(codes) and 0 < ran == collected and len(told) == len(runs) else 1


class Run:
    """One pytest process, whose lines are shown as they come up to its ending, which is kept."""

    def __init__(self, number: int, claims: Path, options: Sequence[str]) -> None:
        self.ending: list[str] = []
        argv = [sys.executable, "-u", "-m", "pytest", "-p", "tests.support.shared_run"]
        # The one would write over what the other keeps there; and neither knows how far both are.
        argv += ["-p", "no:cacheprovider", "-o", "console_output_style=classic", *options]
        if number:
            argv = [
                "unshare",
                "-m",
                "-n",
                "--propagation",
                "private",
                "sh",
                "-c",
                _BOX,
                "sh",
                *argv,
            ]
        environ = {**os.environ, CLAIMS: str(claims), HOST: str(int(not number))}
        self._process = subprocess.Popen(
            argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if self.ending or _ENDING.match(line):
                self.ending.append(line)
            else:
                sys.stdout.write(line)
                sys.stdout.flush()

    def wait(self) -> int:
        """The exit code of pytest, after its last line."""
        try:
            self._reader.join()
            return self._process.wait()
        except KeyboardInterrupt:  # pytest has got it too
            return self.wait()


if __name__ == "__main__":
    sys.exit(main())
