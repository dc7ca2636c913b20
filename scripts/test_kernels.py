"""python -m scripts.test_kernels [6.1 6.12]: what depends on the kernel, tested on Debian's kernels.

Emulated, so that neither hardware virtualization nor a reboot is needed; this also makes it slow.
Exits 1 unless every test passed on every kernel.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from scripts.kernels import boot, debian, table

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "kernels"
SERIES = ("6.1", "6.12")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.test_kernels", description=__doc__)
    parser.add_argument("series", nargs="*", default=SERIES, help="of Debian's kernels")
    parser.add_argument("--minutes", type=float, default=40.0, help="at most, for each kernel")
    parser.add_argument("--tests", action="append", default=[], help="a test file; all when none")
    parser.add_argument("--verbose", action="store_true", help="show the kernel's own messages")
    options = parser.parse_args()
    shown: list[str] = []
    good = True
    for series in options.series:
        passed, lines = test(series, options)
        good &= passed
        shown += ["", *lines]
    print("\n".join(shown))
    return 0 if good else 1


def test(series: str, options: argparse.Namespace) -> tuple[bool, list[str]]:
    """Fetch, boot and test one kernel; what to tell of it."""
    try:
        kernel = debian.fetch(series, CACHE)
    except debian.NoKernel as error:
        return False, [f"Linux {series}: FAILED: {error}"]
    results = CACHE / "results"
    results.mkdir(exist_ok=True)
    file = results / f"{kernel.release}.json"
    file.unlink(missing_ok=True)
    print(f"booting {kernel.release}", flush=True)
    begun = time.monotonic()
    argv = [sys.executable, "-m", "scripts.kernels.guest", str(file), *options.tests]
    seconds = options.minutes * 60
    finished = boot.run(kernel, argv, results, seconds=seconds, verbose=options.verbose)
    if not file.exists():
        why = f"was stopped after {options.minutes:g} minutes"
        if finished:
            why = "ended without results: run it with --verbose, its kernel may have crashed"
        took = time.monotonic() - begun
        return False, [f"Linux {kernel.release}: FAILED: it {why} ({took:.0f} s)"]
    result = json.loads(file.read_text(encoding="utf-8"))
    return result["code"] == 0, table.lines(result)


if __name__ == "__main__":
    sys.exit(main())
