"""`python -m bench [--docs]`: measure, print the report, keep every figure in build/bench.json."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.netns import Lab

from . import changes, machine, page
from .instance import BenchFailed, Instance
from .packets import WrongVerdict, set_up
from .peer import PeerFailed
from .report import markdown
from .result import Result
from .rounds import pinned, run

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "build" / "bench.json"
DOCS = ROOT / "docs" / "benchmarks.md"
MARK = "<!-- What follows is written by `python -m bench --docs`. -->\n"
TAG = "xwt-bench"
ROUNDS = 7
REPEAT = 300_000


def main() -> int:
    """Measure everything; 0 whatever the figures are, 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--docs", action="store_true", help=f"write {DOCS.name} anew")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="5 at least")
    arguments = parser.parse_args()
    if arguments.rounds < 5:
        parser.error("medians of fewer than 5 rounds say little")
    if os.geteuid():
        print("error: the benchmark loads programs and makes namespaces: it needs root")
        return 4
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lab = Lab("bench")
    lab.tag = TAG
    lab.clean()
    try:
        with tempfile.TemporaryDirectory(prefix="xdpwall-bench-") as folder:
            result = measure(lab, Path(folder), arguments.rounds)
    except (BenchFailed, PeerFailed, WrongVerdict) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; everything was removed", file=sys.stderr)
        return 130
    finally:
        lab.clean()
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(result.to_json(), indent=1) + "\n", encoding="utf-8")
    report = markdown(result)
    print(report)
    if arguments.docs:
        before = DOCS.read_text(encoding="utf-8").partition(MARK)[0]
        DOCS.write_text(f"{before}{MARK}\n{report}", encoding="utf-8")
    return 0


def measure(lab: Lab, folder: Path, rounds: int) -> Result:
    """Packets first, with every contender loaded; then changes and commands, with none."""
    start = time.monotonic()
    about = machine.describe(folder)
    with ExitStack() as stack:
        say("loading what is compared")
        made = set_up(stack, lab.namespace("peers"), lab.bpffs, folder, REPEAT)
        with pinned() as cpu:
            about["measured on"] = f"CPU {cpu}"
            times = run(made.cells, rounds, each=lambda n: say(f"round {n + 1} of {rounds}"))
    say("changes, commands and the service")
    host, _ = lab.pair()
    instance = Instance(host, folder, lab.bpffs)
    found = changes.measure(instance)
    say("the page with a full ruleset")
    drawn = page.measure(instance)
    seconds = time.monotonic() - start
    return Result(about, rounds, REPEAT, times, made.memory, made.programs, *found, drawn, seconds)


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
