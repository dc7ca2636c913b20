"""python -m tests.fuzz.lists --seconds N --seed S: random address lists until the time is up.

Each is read by `set load`'s reader in pieces of any size and by the reference
(tests/support/oracle/lists). Exits 1 when they differed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.support.oracle.lists.compare import difference

ENOUGH = 20
"""Differences after which to stop."""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.lists", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="of the first list; the next ones count up")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 48) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    end = time.monotonic() + options.seconds
    lists = differences = 0
    while time.monotonic() < end and differences < ENOUGH:
        if found := difference(seed + lists):
            differences += 1
            print(f"seed {seed + lists}: {found}", flush=True)
        lists += 1
    print(f"{lists:,} lists, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
