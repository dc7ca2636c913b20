"""Time the load of a million addresses from a file: xdpwall, a C program's batches, nft -f."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.instance import BenchFailed, ServedInstance, program
from bench.packets.nft_syntax import nft_line, nft_set, nft_table
from bench.packets.set_entries import entries
from bench.packets.sets import NAME, RULE
from xdpwall.ruleset.ruleset import Ruleset

SIZE = 1_000_000
ROUNDS = 3
CHANGED = 100
"""One address in so many is a different one in the second list."""
PATIENCE, IDLE = 15.0, 0.9
"""Seconds that a round waits at most until this share of the machine is idle."""
IFACE = "v0"
C, OURS, COMMAND, NFT = "C, batches", "in process", "xdpwall set load", "nft -f"
SOURCE = Path(__file__).with_name("loader.c")
TIME_COMMAND = Path(__file__).with_name("time_command.py")


@dataclass
class Loading:
    """Seconds of each round and the peak memory in bytes, by loader."""

    size: int = SIZE
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    """Medians of the parts of the C program's time: reading the file, writing the maps."""


def measure(instance: ServedInstance) -> Loading:
    """Time ROUNDS interleaved rounds; xdpwall's set and nft's table are deleted between two."""
    found, folder = Loading(), instance.folder
    texts = entries("addresses", SIZE, "ipv4").texts()
    plain, other = folder / "million.txt", folder / "next.txt"
    plain.write_text("\n".join(texts) + "\n", encoding="ascii")
    other.write_text("\n".join(_next(texts)) + "\n", encoding="ascii")
    table = folder / "million.nft"
    lines = [nft_line({"action": "drop"}, "ipv4").replace("meta protocol ip", "ip saddr @s")]
    held = nft_set("s", "ipv4", texts, interval=False)
    table.write_text(nft_table(IFACE, lines, "accept", held), encoding="ascii")
    loader = _compile(folder)
    parts: dict[str, list[float]] = {"C: reading": [], "C: writing": []}
    with instance.opened() as firewall:
        if not any(a.iface == IFACE for a in firewall.status().attachments):
            firewall.attach(IFACE)
    for _ in range(ROUNDS):
        seconds, peak, said = _run(folder, [str(loader), str(plain), str(SIZE)])
        _note(found, C, seconds, peak)
        for name, value in zip(parts, said.split()[1:], strict=True):
            parts[name].append(float(value))
        _in_force(instance, with_set=False)
        argv = [*instance.space.argv(*program(), "set", "load", NAME), str(plain)]
        _note(found, COMMAND, *_run(folder, argv, instance.environ)[:2])
        _in_force(instance, with_set=True)
        argv[-1] = str(other)
        _note(found, COMMAND + ", in use", *_run(folder, argv, instance.environ)[:2])
        argv = instance.space.argv("nft", "-f", str(table))
        _note(found, NFT, *_run(folder, argv)[:2])
        instance.space.run("nft", "delete", "table", "netdev", "bench")
    found.parts = {name: median(values) for name, values in parts.items()}
    return found


def _next(texts: Sequence[str]) -> list[str]:
    """The list a day later: one address in CHANGED is replaced by its neighbour."""
    return [
        str(ipaddress.IPv4Address(text) + 1) if i % CHANGED == 0 else text
        for i, text in enumerate(texts)
    ]


def _in_force(instance: ServedInstance, *, with_set: bool) -> None:
    rules: Sequence[object] = [{"text": RULE}] if with_set else []
    with instance.opened() as firewall:
        firewall.apply(Ruleset.parse({"version": 1, "rules": rules}))
        if not with_set and any(found.name == NAME for found in firewall.sets().sets):
            firewall.delete_set(NAME)


def _note(found: Loading, name: str, seconds: float, peak: int) -> None:
    found.seconds.setdefault(name, []).append(seconds)
    found.peak[name] = max(peak, found.peak.get(name, 0))


def _run(
    folder: Path, argv: Sequence[str], environ: dict[str, str] | None = None
) -> tuple[float, int, str]:
    """Run a command: (seconds from fork to end, peak memory in bytes, stdout)."""
    answer = folder / "time_command.json"
    _wait_idle()
    whole = [sys.executable, str(TIME_COMMAND), str(answer), *argv]
    done = subprocess.run(whole, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        raise BenchFailed(f"{' '.join(argv)}: {done.stderr[-2000:]}")
    found = json.loads(answer.read_text(encoding="ascii"))
    return found["seconds"], found["peak"], done.stdout


def _wait_idle() -> None:
    """Wait until the machine is idle. After its owner has ended, the kernel takes a second to free a
    map of a million entries, which is not to be timed with the next loader."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        before = _ticks()
        time.sleep(0.3)
        idle, every = (b - a for a, b in zip(before, _ticks(), strict=True))
        if idle > IDLE * every:
            return


def _ticks() -> tuple[int, int]:
    """Clock ticks of all CPUs since boot: (idle, all)."""
    with open("/proc/stat", encoding="ascii") as lines:
        ticks = [int(value) for value in lines.readline().split()[1:]]
    return ticks[3] + ticks[4], sum(ticks)


def _compile(folder: Path) -> Path:
    built = folder / "loader"
    subprocess.run(["clang", "-O2", "-Wall", "-o", str(built), str(SOURCE), "-lbpf"], check=True)
    return built
