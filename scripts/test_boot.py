"""python -m scripts.test_boot [6.1]: install the package, add rules, boot: no ping is answered until login.

An emulated machine with systemd, networkd and Debian's kernel. It has a bridge that networkd makes, a card, one whose
driver loads a minute late, one that is not filtered (its pings are answered: the others' could be) and one that
cannot be filtered as wanted, which `systemctl is-system-running` must tell of. Exits 1 unless all is as it should be.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.boots.image import PACKAGES, furnish, make_disk, make_initrd
from scripts.boots.machine import Boot, boot
from scripts.debian.bare_root import BareRoot
from scripts.kernels import debian
from scripts.test_deb import BASE, SUITE, build, install
from scripts.test_kernels import CACHE, ROOT

PREPARE = Path(__file__).with_name("boots") / "prepare.sh"
FILTERED = ("br0", "fast0", "slow0")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.test_boot", description=__doc__)
    parser.add_argument("series", nargs="?", default="6.1", help="of Debian's kernels")
    parser.add_argument("--deb", type=Path, help="this package; built when none is given")
    parser.add_argument("--minutes", type=float, default=30.0, help="at most, for the boot")
    parser.add_argument(
        "--journal",
        type=Path,
        help="keep the machine's journal, or what its console said, in this file",
    )
    options = parser.parse_args()
    kernel = debian.fetch(options.series, CACHE)
    with tempfile.TemporaryDirectory(prefix="xdpwall-boot-", dir="/var/tmp") as folder:
        work = Path(folder)
        with BareRoot.unpacked(SUITE, *BASE, *PACKAGES) as root:
            install(root, options.deb or build(ROOT / "dist"))
            code, said = root.boot(PREPARE.read_text(encoding="utf-8"))
            if code:
                print(f"FAILED: to prepare the machine: {code}\n{said}")
                return 1
            furnish(root, kernel)
            make_disk(root, work / "disk")
        make_initrd(kernel, work / "initrd")
        print("booting", flush=True)
        seconds = options.minutes * 60
        done = boot(kernel.image, work / "initrd", work / "disk", work, seconds=seconds)
    if options.journal:
        options.journal.write_text(done.journal or done.console, encoding="utf-8")
    print(done.said, end="")
    faults = list(find_faults(done))
    for iface, answers in done.answers.items():
        print(f"{iface}: {answers} of {done.sent[iface]} pings answered")
    print("\n".join(f"FAILED: {fault}" for fault in faults) or "ok", f"in {done.seconds:.0f} s")
    return 1 if faults else 0


def find_faults(done: Boot) -> Iterator[str]:
    """What is not as it should be."""
    report = done.said.splitlines()
    if "end" not in report:
        yield "the machine did not report before the time was up"
    if not done.answers["open0"]:
        yield "no ping of the interface that is not filtered was answered: nothing could have been"
    for iface in FILTERED:
        if done.answers[iface]:
            yield f"{done.answers[iface]} pings of {iface} were answered"
        told = next((line for line in report if line.startswith(f"rule {iface} ")), None)
        if told is None or not json.loads(told.removeprefix(f"rule {iface} "))["packets"]:
            yield f"no ping of {iface} was dropped: none has come"
    if "system is degraded" not in report:
        yield "stuck0 is not filtered as wanted, and is-system-running does not tell"
    if not any(line.startswith("failed: xdpwall-restore") for line in report):
        yield "xdpwall-restore.service did not fail for stuck0"


if __name__ == "__main__":
    sys.exit(main())
