"""python -m scripts.test_deb: build the Debian package and try it on a bare Debian with systemd.

lintian must find no error; then it is installed, booted, used, removed and purged, in namespaces of its own
on the running kernel. Exits 1 at the first thing that is wrong. `--deb FILE` tries a package that is there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from scripts.debian.bare_root import BareRoot

ROOT = Path(__file__).parents[1]
SUITE = "bookworm"
BASE = ("systemd", "systemd-sysv", "udev", "dbus", "iproute2", "iputils-ping", "curl", "procps")
INSIDE = [ROOT / "scripts" / "debian" / name for name in ("checks.sh", "installed.sh")]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.test_deb", description=__doc__)
    parser.add_argument("--deb", type=Path, help="this package; built when none is given")
    options = parser.parse_args()
    deb = options.deb or build(ROOT / "dist")
    lint(deb)
    with BareRoot.unpacked(SUITE, *BASE) as root:
        begun = time.monotonic()
        install(root, deb)
        print(f"ok: installed in {time.monotonic() - begun:.0f} s", flush=True)
        code, said = root.boot("\n".join(part.read_text(encoding="utf-8") for part in INSIDE))
    print(said, end="")
    return 1 if code else 0


def build(target: Path) -> Path:
    """Build the package of this checkout into a folder; its path."""
    command = [ROOT / "packaging/deb/build", target]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def lint(deb: Path) -> None:
    """CalledProcessError when lintian finds an error or a warning."""
    subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", "--info", deb], check=True
    )


def install(root: BareRoot, deb: Path) -> None:
    """`apt install ./xdpwall.deb`, as a user does it."""
    root.put(deb, "/root/xdpwall.deb")
    root.apt("update", "-qq")
    root.apt("install", "/root/xdpwall.deb")


if __name__ == "__main__":
    sys.exit(main())
