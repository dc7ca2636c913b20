"""python -m scripts.test_kernels_arm64 [6.1]: load, attach and the table of fields on Debian's arm64 kernel.

Emulated whole, machine and all; twenty minutes and more. Exits 1 unless every test passed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer
from typing import Any

from scripts.kernels import arm64, debian, table

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "kernels-arm64"
RESULTS = ROOT / "build" / "kernels" / "results"
TESTS = (
    "tests/packets/test_load.py",
    "tests/packets/test_fields.py",
    "tests/kernel/attach/test_xdp.py",
    "tests/kernel/attach/test_tc.py",
)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.test_kernels_arm64", description=__doc__
    )
    parser.add_argument("series", nargs="?", default="6.1", help="of Debian's kernels")
    parser.add_argument("--minutes", type=float, default=60.0, help="at most")
    parser.add_argument("--tests", action="append", default=[], help="a test file; all when none")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        machine = arm64.build(options.series, CACHE, options.tests or TESTS)
    except debian.NoKernel as error:
        print(f"Linux {options.series}: FAILED: {error}")
        return 1
    print(f"booting {machine.release}", flush=True)
    text = boot(machine, options.minutes * 60)
    if text is None:
        print(f"Linux {machine.release}: FAILED: it ended without results")
        return 1
    result = json.loads(text)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = RESULTS / f"{machine.release}.json"
    if options.tests and kept.exists():
        result = with_last(result, json.loads(kept.read_text(encoding="utf-8")))
    kept.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print("\n".join(table.lines(result)))
    return 0 if result["code"] == 0 else 1


def with_last(result: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    """The results of some files, and the last of all others."""
    ran = {name.partition("::")[0] for name in result["tests"]}
    others = {n: test for n, test in last["tests"].items() if n.partition("::")[0] not in ran}
    tests = others | result["tests"]
    code = 0 if all(test["passed"] for test in tests.values()) else 1
    seconds = sum(test["seconds"] for test in tests.values())
    return {**result, "tests": tests, "code": code, "seconds": seconds}


def boot(machine: arm64.Machine, seconds: float) -> str | None:
    """Run the emulator, show what it says, and return the results; None without any."""
    begun, inside, results = time.monotonic(), False, []
    with subprocess.Popen(
        arm64.command(machine), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        encoding="utf-8", errors="replace",
    ) as emulator:  # fmt: skip
        late = Timer(seconds, emulator.kill)
        late.start()
        assert emulator.stdout is not None
        for line in emulator.stdout:
            if line.strip() == arm64.MARK:
                inside = not inside
            elif inside:
                results.append(line)
            else:
                print(f"[{time.monotonic() - begun:5.0f}] {line.rstrip()}", flush=True)
        late.cancel()
    return "".join(results) or None


if __name__ == "__main__":
    sys.exit(main())
