"""python -m scripts.check_fresh [bookworm trixie]: install xdpwall in bare Debian roots, every way there is.

The README's commands `make run` and `make test`, the package, `make install` and the wheel, of the last
commit; what is installed is used on real packets. Tells what each root lacked and how long each step took.
Exits 1 unless all went well.
"""

from __future__ import annotations

import argparse
import os
import sys

from scripts.debian.ways import WAYS, attempt

SUITES = ("bookworm", "trixie")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.check_fresh", description=__doc__)
    parser.add_argument("suites", nargs="*", default=SUITES, help="Debian's releases")
    parser.add_argument("--way", action="append", choices=WAYS, help="this one alone; repeatable")
    options = parser.parse_args()
    if os.geteuid():
        print("error: bare roots need root", file=sys.stderr)
        return 1
    good = True
    for suite in options.suites:
        for way in options.way or WAYS:
            trial = attempt(suite, way)
            good &= not trial.failure
            print("\n".join(trial.lines()), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
