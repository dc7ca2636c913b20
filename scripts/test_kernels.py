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
    parser.add_argument("--minutes", type=float, default=30.0, help="at most, for each kernel")
    options = parser.parse_args()
    shown: list[str] = []
    good = True
    for series in options.series:
        passed, lines = test(series, options.minutes)
        good &= passed
        shown += ["", *lines]
    print("\n".join(shown))
    return 0 if good else 1


def test(series: str, minutes: float) -> tuple[bool, list[str]]:
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
    argv = [sys.executable, "-m", "scripts.kernels.guest", str(file)]
    finished = boot.run(kernel, argv, results, seconds=minutes * 60)
    if not file.exists():
        why = "did not finish" if finished else f"was stopped after {minutes:g} minutes"
        took = time.monotonic() - begun
        return False, [f"Linux {kernel.release}: FAILED: it {why} ({took:.0f} s)"]
    result = json.loads(file.read_text(encoding="utf-8"))
    return result["code"] == 0, table.lines(result)


if __name__ == "__main__":
    sys.exit(main())
