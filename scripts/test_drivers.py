"""python -m scripts.test_drivers [6.1 6.12]: real drivers in every mode, under Debian's kernels.

Emulated cards in an emulated guest: each is attached to in every mode, brought down and up, given other
MTUs and detached, and real packets tell each time what is judged. Exits 1 when packets are not judged
and nobody is told, or anything else fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from scripts.drivers import nics, table
from scripts.drivers.exercise import MODES
from scripts.kernels import debian
from scripts.test_kernels import CACHE, ROOT, SERIES

PAGE = ROOT / "docs" / "reference" / "drivers.md"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.test_drivers", description=__doc__)
    parser.add_argument("series", nargs="*", default=SERIES, help="of Debian's kernels")
    parser.add_argument("--nic", action="append", choices=[nic.name for nic in nics.NICS])
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--minutes", type=float, default=40.0, help="at most, for each kernel")
    parser.add_argument("--page", action="store_true", help="write docs/reference/drivers.md")
    parser.add_argument("--verbose", action="store_true", help="show the kernel's own messages")
    options = parser.parse_args()
    if os.geteuid():
        print("error: the taps of the cards need root", file=sys.stderr)
        return 1
    reports = [report for one in options.series if (report := run(one, options)) is not None]
    print("\n".join(table.lines(reports)))
    if options.page:
        PAGE.write_text(table.page(reports), encoding="utf-8")
    good = len(reports) == len(options.series) and not any(map(table.failures, reports))
    return 0 if good else 1


def run(series: str, options: argparse.Namespace) -> dict[str, object] | None:
    """The report of one kernel; None when there is none."""
    try:
        kernel = debian.fetch(series, CACHE)
    except debian.NoKernel as error:
        print(f"Linux {series}: FAILED: {error}", file=sys.stderr)
        return None
    results = CACHE / "drivers"
    results.mkdir(exist_ok=True)
    file = results / f"{kernel.release}.json"
    file.unlink(missing_ok=True)
    print(f"booting {kernel.release}", flush=True)
    call = {
        "release": kernel.release,
        "folder": str(kernel.folder),
        "file": str(file),
        "nics": options.nic or [nic.name for nic in nics.NICS],
        "modes": ",".join(options.mode or MODES),
        "seconds": options.minutes * 60,
        "verbose": options.verbose,
    }
    argv = [sys.executable, "-m", "scripts.drivers.peer", json.dumps(call)]
    subprocess.run(["unshare", "--net", "--", *argv], check=False)
    if not file.exists():
        print(f"Linux {kernel.release}: FAILED: ended without results (--verbose)", file=sys.stderr)
        return None
    report: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return report


if __name__ == "__main__":
    sys.exit(main())
