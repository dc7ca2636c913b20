"""python -m tests.fuzz.large_rulesets --packets N --seed S: 10,000 rules of each kind (needs root).

Generated rulesets and packets through the programs and the fast reference; every verdict and every
rule's counter is compared. Exits 1 when there was a difference.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from pathlib import Path

from tests.support.kernel.dataplane import KernelBench
from tests.support.oracle.classbench.shapes import SHAPES
from tests.support.oracle.duel.large import draw_large, run
from xdpwall.kernel.bpf import bpffs


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.large_rulesets", description=__doc__
    )
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--packets", type=int, default=100_000, help="for each kind of ruleset")
    parser.add_argument("--rounds", type=int, default=1, help="of all kinds, with other seeds")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 48) if options.seed is None else options.seed
    folder = Path(f"/sys/fs/bpf/xwt-fuzz-large-{os.getpid()}")
    bpffs.ensure_mounted(folder)
    wrong = 0
    try:
        with KernelBench(folder) as bench:
            for number in range(options.rounds):
                for kind in SHAPES:
                    start = time.monotonic()
                    large = draw_large(kind, options.rules, options.packets, seed + number)
                    found = run(bench, large)
                    print(
                        f"seed {seed + number}: {kind}, {options.rules:,} rules,"
                        f" {found.packets:,} packets, {found.decided:,} decided by"
                        f" {found.deciders:,} rules, {len(found.differences)} differences,"
                        f" {time.monotonic() - start:.0f} s",
                        *found.differences,
                        sep="\n",
                        flush=True,
                    )
                    wrong += bool(found.differences)
    finally:
        bpffs.remove_tree(folder)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
