"""Describe the machine that the figures belong to."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path


def describe(folder: Path) -> dict[str, str]:
    """Name -> value of what figures depend on. `folder` is where the state was kept."""
    return {
        "date": _output("date", "-u", "+%Y-%m-%d %H:%M UTC"),
        "commit": _output("git", "describe", "--always", "--dirty"),
        "processor": _processor(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "memory": _memory(),
        "kernel": platform.release(),
        "jit": _read("/proc/sys/net/core/bpf_jit_enable"),
        "spectre_v2": _read("/sys/devices/system/cpu/vulnerabilities/spectre_v2"),
        "state on": _output("findmnt", "-n", "-o", "FSTYPE", "-T", str(folder)),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "clang": _output("clang", "--version").partition("\n")[0],
        "xdp-filter": _output("xdp-filter", "load", "--version").removeprefix(
            "xdp-filter version "
        ),
    }


def _processor() -> str:
    text = _read("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", text, re.MULTILINE)
    numbers = re.findall(r"^(?:cpu family|model)\s*: (\d+)$", text, re.MULTILINE)[:2]
    virtual = ", virtual" if " hypervisor" in text else ""
    return f"{names[0]} (family {numbers[0]} model {numbers[1]}){virtual}" if names else "unknown"


def _memory() -> str:
    found = re.search(r"MemTotal:\s+(\d+) kB", _read("/proc/meminfo"))
    return f"{int(found[1]) / 1e6:.0f} GB" if found else "unknown"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"


def _output(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
