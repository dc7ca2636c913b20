"""`python -m bench.packets.syn_answers`: what a SYN costs that is answered at XDP (`cookie`).

Beside a listener that asks for a cookie each time (tcp_syncookies 2), 1,024 sources in turn, rounds
interleaved; what the test itself costs (restore.bpf.c) is left out.
"""

from __future__ import annotations

import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.packets.objects import compile_object
from tests.support.kernel.dataplane import KernelBench
from tests.support.net.netns import Lab
from tests.support.packets.syn import MSS_1460, Syn
from xdpwall.kernel.bpf.objects import MapSize, load_object
from xdpwall.kernel.bpf.programs import Program

ROUNDS, REPEAT, SOURCES = 11, 100_000, 1024
TX, PASS, DROP = 3, 2, 1
RULESETS = {
    "SYN passes, tcp/443": ["accept tcp/443"],
    "SYN answered, tcp/443 cookie": ["accept tcp/443 cookie"],
    "SYN answered, with flows": ["accept tcp/443 cookie", "accept state established"],
}


def frames(family: str) -> list[bytes]:
    """SYNs that are as long as their answers."""
    ends = (
        ("198.18.{}.{}", "10.9.0.1") if family == "ipv4" else ("2001:db8::{:x}:{:x}", "fd00:9::1")
    )
    return [
        Syn(ends[0].format(n >> 8, n & 255), ends[1], options=MSS_1460).frame()
        for n in range(SOURCES)
    ]


@contextmanager
def repeated(built: Path, family: str, tested: Program | None) -> Iterator[Program]:
    """A program that runs `tested` on another SYN each time; nothing for None."""
    name = "restore4" if family == "ipv4" else "restore6"
    with load_object(
        built,
        programs={name},
        rodata={"mask": SOURCES - 1},
        sizes={"frames": MapSize(max_entries=SOURCES)},
    ) as loaded:
        memory = loaded.maps["frames"].mmap()
        data = b"".join(frame.ljust(80, b"\0") for frame in frames(family))
        memory[: len(data)] = data
        if tested is not None:
            loaded.maps["tested"].update(0, struct.pack("I", tested.fileno()))
        yield loaded.programs[name]


def measure(folder: Path, lab: Lab) -> dict[tuple[str, str], float]:
    """ns over the test itself, by (what, family)."""
    built = compile_object("restore", folder)
    with ExitStack() as stack:
        runs: dict[tuple[str, str], tuple[Program, bytes, int]] = {}
        for family in ("ipv4", "ipv6"):
            made = stack.enter_context(repeated(built, family, None))
            runs["the test itself", family] = made, frames(family)[0], DROP
        for number, (what, rules) in enumerate(RULESETS.items()):
            bench = stack.enter_context(KernelBench(lab.bpffs / str(number)))
            bench.load(rules)
            bench.dataplane.map_set.rates.answering = (1 << 64) - 1
            program = stack.enter_context(bench.dataplane.programs.load("xdp", 1))
            for family in ("ipv4", "ipv6"):
                made = stack.enter_context(repeated(built, family, program))
                verdict = TX if "cookie" in rules[0] else PASS
                runs[what, family] = made, frames(family)[0], verdict
        taken: dict[tuple[str, str], list[int]] = {key: [] for key in runs}
        for _ in range(ROUNDS):
            for key, (made, frame, verdict) in runs.items():
                run = made.test_run(frame, repeat=REPEAT)
                assert run.retval == verdict, (key, run.retval)
                taken[key].append(run.ns)
        least = {family: median(taken["the test itself", family]) for family in ("ipv4", "ipv6")}
        return {key: median(ns) - least[key[1]] for key, ns in taken.items() if key[0] in RULESETS}


def main() -> None:
    """Measure in a namespace of its own, and print."""
    lab = Lab("bench syn answers")
    lab.clean()
    host = lab.namespace()
    host.run("sysctl", "-qw", "net.ipv4.tcp_syncookies=2")
    host.ip("addr add 10.9.0.1/24 dev lo")
    host.ip("addr add fd00:9::1/64 dev lo nodad")
    with (
        tempfile.TemporaryDirectory() as folder,
        host.inside(),
        socket.create_server(("::", 443), family=socket.AF_INET6, dualstack_ipv6=True),
    ):
        for (what, family), ns in measure(Path(folder), lab).items():
            print(f"{what:32} {family}  {ns:6.0f} ns")
    lab.clean()


if __name__ == "__main__":
    main()
