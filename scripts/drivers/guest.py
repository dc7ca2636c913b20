"""python -m scripts.drivers.guest FILE NICS MODES: every card in every mode, in the guest; results as JSON."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from scripts.drivers import nics
from scripts.drivers.exercise import MODES, RULES, Exercise, prepare
from xdpwall import Firewall, Rule, Ruleset, Settings


def main(file: Path, names: list[str], modes: list[str]) -> int:
    """The exit code."""
    began = time.monotonic()
    for switch in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{switch}/disable_ipv6").write_text("1")
    chosen = [nic for nic in nics.NICS if nic.name in names]
    for number, nic in enumerate(chosen, 1):
        prepare(nic, number)
    results = []
    state = Path("/run/scratch/state")
    settings = Settings(state, Path("/sys/fs/bpf/drivers"), Path("/run/scratch/socket"))
    with Firewall.open(settings, service=True) as firewall:
        firewall.watch()
        firewall.apply(Ruleset(tuple(Rule.parse(text) for text in RULES.values())))
        for number, nic in enumerate(chosen, 1):
            jumbo = Exercise(firewall, nic, number, "auto", jumbo=True).carries_jumbo()
            for mode in MODES:
                if mode in modes:
                    exercise = Exercise(firewall, nic, number, mode, jumbo=jumbo)
                    results.append({**exercise.run(), "jumbo": jumbo})
                    print(f"{nic.name} {mode}: {exercise.summary}", flush=True)
    report = {
        "release": platform.release(),
        "date": date.today().isoformat(),
        "seconds": round(time.monotonic() - began),
        "results": results,
        "kernel_said": _complaints(),
    }
    file.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0


def _complaints() -> list[str]:
    """Lines of the kernel's log that tell of a fault in it."""
    said = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
    bad = ("cut here", "BUG:", "Oops", "Call Trace")
    return [line for line in said.splitlines() if any(word in line for word in bad)]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3].split(",")))
