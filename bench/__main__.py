"""`python -m bench [--only PART...] [--docs]`: measure, print the report, keep every figure.

Parts: hot (a packet by test-run), wire (streams over a veth), sets (both for sets), kernel (memory
and programs), changes, scale (counters, set entries), loading, page.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.changes import loading, page, rules, scale
from bench.changes.instance import BenchFailed, Instance
from bench.packets import kernel_cost, sets, test_run, wire
from bench.packets.data_planes import Walls
from bench.packets.objects import compiled, floors
from bench.packets.rounds import pinned, run
from bench.packets.stream import StreamFailed
from bench.packets.xdp_filter import PeerFailed
from bench.report import machine, plot
from bench.report.markdown import markdown
from bench.report.result import Result
from tests.support.net.netns import Lab
from xdpwall.errors import XdpwallError

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "build" / "bench.json"
DOCS = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "images" / "benchmarks.svg"
MARK = "<!-- What follows is written by `python -m bench --docs`. -->\n"
TAG = "xwt-bench"
PARTS = ("hot", "wire", "sets", "kernel", "changes", "scale", "loading", "page")
PACKETS = frozenset({"hot", "wire", "sets", "kernel"})
ROUNDS = 7
REPEAT = 200_000


def main() -> int:
    """Measure; 0 whatever the figures are, 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--docs", action="store_true", help=f"write {DOCS.name} and its picture")
    parser.add_argument("--only", action="append", choices=PARTS, help="may be given again")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="3 at least")
    arguments = parser.parse_args()
    parts = frozenset(arguments.only or PARTS)
    if arguments.rounds < 3:
        parser.error("medians of fewer than 3 rounds say little")
    if arguments.docs and arguments.only:
        parser.error("the documentation shows one whole run")
    if os.geteuid():
        print("error: the benchmark loads programs and makes namespaces: it needs root")
        return 4
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lab = Lab("bench")
    lab.tag = TAG
    lab.clean()
    try:
        with tempfile.TemporaryDirectory(prefix="xdpwall-bench-") as folder:
            result = measure(lab, Path(folder), arguments.rounds, parts)
    except (BenchFailed, PeerFailed, StreamFailed, test_run.WrongVerdict) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; everything was removed", file=sys.stderr)
        return 130
    finally:
        lab.clean()
    write(result, docs=arguments.docs and not result.failed)
    return int(bool(result.failed))


def write(result: Result, *, docs: bool) -> None:
    """The report to the terminal, every figure to build/, with `docs` the documentation too."""
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(result.to_json(), indent=1) + "\n", encoding="utf-8")
    report = markdown(result)
    print(report)
    if any(cell.path == "wire" for cell in result.times):
        picture = plot.svg(result.times)
        (FIGURES.parent / "bench.svg").write_text(picture, encoding="utf-8")
        if docs:
            PICTURE.write_text(picture, encoding="utf-8")
    if docs:
        before = DOCS.read_text(encoding="utf-8").partition(MARK)[0]
        DOCS.write_text(f"{before}{MARK}\n{report}", encoding="utf-8")


def measure(lab: Lab, folder: Path, rounds: int, parts: frozenset[str]) -> Result:
    """Packets first, with every contender loaded; then changes and commands, with none."""
    start = time.monotonic()
    result = Result(machine.describe(folder), rounds, REPEAT)
    if parts & PACKETS:
        with ExitStack() as stack:
            packets(stack, lab, folder, parts, result)
        lab.clean()
    if parts - PACKETS:
        host, _ = lab.pair()
        rest(Instance(host, folder, lab.bpffs), parts, result)
    result.seconds = time.monotonic() - start
    return result


def packets(
    stack: ExitStack, lab: Lab, folder: Path, parts: frozenset[str], result: Result
) -> None:
    """What is timed in interleaved rounds; it fills `result`."""
    say("loading what is compared")
    walls = Walls(stack, lab.bpffs)
    bare = stack.enter_context(floors(folder))
    space = lab.namespace("peers")
    dock = test_run.Dock(space)
    with pinned() as cpu:
        result.machine = {**result.machine, "measured on": f"CPU {cpu}"}
        wires = wire.Wires(stack, lab, compiled("driver", folder))
        cells = test_run.floor_cells(walls, bare, REPEAT, dock)
        if "hot" in parts:
            cells |= test_run.cells(stack, walls, bare, space, REPEAT, dock)
        if "sets" in parts and not sets.there():
            say("this version has no sets: they are left out")
        elif "sets" in parts:
            sets.add(sets.Bench(wires, stack, folder, lab.bpffs, REPEAT, dock), bare)
        if "wire" in parts:
            wire.add_all(wires, stack, walls, bare)
        cells |= wires.cells
        result.times = run(cells, result.rounds, each=lambda n: say(f"round {n + 1}"))
    if "kernel" in parts:
        result.memory, result.programs = kernel_cost.measure(walls)


def rest(instance: Instance, parts: frozenset[str], result: Result) -> None:
    """Changes, commands, loading and the page, one after the other; it fills `result`.

    One that fails does not take the others' figures with it.
    """
    if "changes" in parts:
        say("changes, commands and the service")
        with noted("changes", result):
            result.changes, result.commands = rules.measure(instance)
    if "scale" in parts:
        say("counters and set entries")
        with noted("scale", result):
            result.scale = scale.measure(instance, with_sets=sets.there())
    if "loading" in parts and sets.there():
        say("loading a million addresses")
        with noted("loading", result):
            result.loading = loading.measure(instance)
    if "page" in parts:
        say("the page with a full ruleset")
        with noted("page", result):
            result.page = page.measure(instance)


@contextmanager
def noted(part: str, result: Result) -> Iterator[None]:
    """What goes wrong in a part, in the result."""
    try:
        yield
    except (BenchFailed, XdpwallError, AssertionError) as error:
        print(f"error: {part}: {error}", file=sys.stderr)
        result.failed.append(f"{part}: {str(error).splitlines()[0][:200]}")


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
