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

from bench.changes import interfaces, loading, page, rules, scale
from bench.instance import BenchFailed, ServedInstance
from bench.packets import kernel_cost, sets, test_run, wire
from bench.packets.data_planes import DataPlanes
from bench.packets.objects import baselines, compile_object
from bench.packets.rounds import pinned, run
from bench.packets.stream import StreamFailed
from bench.packets.xdp_filter import XdpFilterFailed
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
PARTS = ("hot", "wire", "sets", "kernel", "changes", "scale", "loading", "interfaces", "page")
PACKETS = frozenset({"hot", "wire", "sets", "kernel"})
ROUNDS = 7
REPEAT = 200_000


def main() -> int:
    """Measure. Returns 0 whatever the figures are, 1 when something could not be measured."""
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
    except (BenchFailed, XdpFilterFailed, StreamFailed, test_run.WrongVerdict) as error:
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
    """Print the report and write every figure to build/; with `docs`, also the documentation."""
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
    """Time packets first, with every contender loaded; then changes and commands, with none."""
    start = time.monotonic()
    result = Result(machine.describe(folder), rounds, REPEAT)
    if parts & PACKETS:
        with ExitStack() as stack:
            measure_packets(stack, lab, folder, parts, result)
        lab.clean()
    if parts - PACKETS:
        host, _ = lab.pair()
        measure_changes(ServedInstance(host, folder, lab.bpffs), parts, result)
    result.seconds = time.monotonic() - start
    return result


def measure_packets(
    stack: ExitStack, lab: Lab, folder: Path, parts: frozenset[str], result: Result
) -> None:
    """Time packets in interleaved rounds into `result`."""
    progress("loading what is compared")
    planes = DataPlanes(stack, lab.bpffs)
    bare = stack.enter_context(baselines(folder))
    space = lab.namespace("peers")
    idle = test_run.IdleInterface(space)
    with pinned() as cpu:
        result.machine = {**result.machine, "measured on": f"CPU {cpu}"}
        veths = wire.VethBench(stack, lab, compile_object("driver", folder))
        cells = test_run.baseline_cells(planes, bare, REPEAT, idle)
        if "hot" in parts:
            cells |= test_run.cells(stack, planes, bare, space, REPEAT, idle)
        if "sets" in parts:
            sets.add(sets.Bench(veths, stack, folder, lab.bpffs, REPEAT, idle), bare)
        if "wire" in parts:
            wire.add_all(veths, stack, planes, bare)
        cells |= veths.cells
        result.times = run(cells, result.rounds, each=lambda n: progress(f"round {n + 1}"))
    if "kernel" in parts:
        result.memory, result.programs = kernel_cost.measure(planes)


def measure_changes(instance: ServedInstance, parts: frozenset[str], result: Result) -> None:
    """Time changes, commands, loading and the page, one after the other, into `result`.

    A part that fails is noted there, and the next one follows.
    """
    if "changes" in parts:
        progress("changes, commands and the service")
        with failure_noted("changes", result):
            result.changes, result.commands = rules.measure(instance)
    if "scale" in parts:
        progress("counters and set entries")
        with failure_noted("scale", result):
            result.scale = scale.measure(instance)
    if "loading" in parts:
        progress("loading a million addresses")
        with failure_noted("loading", result):
            result.loading = loading.measure(instance)
    if "interfaces" in parts:
        progress("attachments by policy")
        with failure_noted("interfaces", result):
            result.interfaces = interfaces.measure(instance)
    if "page" in parts:
        progress("the page with a full ruleset")
        with failure_noted("page", result):
            result.page = page.measure(instance)


@contextmanager
def failure_noted(part: str, result: Result) -> Iterator[None]:
    """Note in the result why the part failed inside the `with`."""
    try:
        yield
    except (BenchFailed, XdpwallError, AssertionError) as error:
        print(f"error: {part}: {error}", file=sys.stderr)
        result.failed.append(f"{part}: {str(error).splitlines()[0][:200]}")


def progress(text: str) -> None:
    """Print progress to stderr."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
