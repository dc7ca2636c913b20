"""python -m tests.fuzz.rulesets --seconds N --seed S: random cases until the time is up (needs root).

A case on which the programs and the reference differ is made small, printed as code and kept in
tests/packets/cases/, which tests/packets/test_kept_cases.py runs. Exits 1 when there was one.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from pathlib import Path

from tests.support.kernel.dataplane import KernelBench
from tests.support.oracle.duel import kept
from tests.support.oracle.duel.draw import draw_case
from tests.support.oracle.duel.duel import Duel
from tests.support.oracle.duel.shrink import Shrinker
from xdpwall.kernel.bpf import bpffs

ENOUGH = 20
"""Differences after which to stop."""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.rulesets", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="of the first case; the next ones count up")
    parser.add_argument("--cases", type=Path, default=kept.FOLDER, help="where failing ones go")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 48) if options.seed is None else options.seed
    folder = Path(f"/sys/fs/bpf/xwt-fuzz-{os.getpid()}")
    print(f"seed {seed}", flush=True)
    try:
        with KernelBench(folder) as bench:
            return fuzz(Duel(bench), seed, time.monotonic() + options.seconds, options.cases)
    finally:
        bpffs.remove_tree(folder)


def fuzz(duel: Duel, seed: int, end: float, folder: Path) -> int:
    """Run cases until `end` (monotonic clock)."""
    frames = cases = differences = 0
    shown = time.monotonic()
    while time.monotonic() < end and differences < ENOUGH:
        case = draw_case(seed + cases)
        if duel.run(case) is not None:
            differences += 1
            least = Shrinker(lambda smaller: duel.run(smaller) is not None).shrink(case)
            path = kept.keep(least, f"seed {seed + cases}\n{duel.run(least)}", folder)
            print(f"seed {seed + cases}: {duel.run(least)}\n{least.as_code()}\nkept in {path}")
        cases += 1
        frames += len(case.steps)
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            print(f"{frames:,} frames, {differences} differences", flush=True)
    print(f"{cases:,} rulesets, {frames:,} frames, {differences} differences")
    return int(differences > 0)


if __name__ == "__main__":
    sys.exit(main())
