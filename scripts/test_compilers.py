"""python -m scripts.test_compilers [16 19 22]: the programs as other versions of clang compile them, on this kernel.

What the verifier takes hangs on what a compiler makes of the bounds in bpf/: a mask that it proves to be of no
use is gone, and with it what the verifier knew. Each version compiles all of bpf/, and the tests of loading and of
the table of fields run with its objects. Exits 1 unless each passes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "compilers"
CLANGS = ("16", "19", "22")
"""Of those that Debian 12 and 13 have; 14 is the `clang` of Debian 12, and `make test` runs with its objects."""
TESTS = (
    "tests/packets/test_load.py",
    "tests/packets/test_flows_load.py",
    "tests/packets/test_cookies_load.py",
    "tests/packets/test_fields.py",
)
_WITH_OBJECTS = """
mount --bind "$0" bpf
mount -t bpf bpf /sys/fs/bpf
exec "$@"
"""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.test_compilers", description=__doc__)
    parser.add_argument("clangs", nargs="*", default=CLANGS, help="versions of clang")
    parser.add_argument("--tests", action="append", default=[], help="a test file; all when none")
    parser.add_argument("--kernel", help="on Debian's newest of a series (6.1), emulated")
    options = parser.parse_args()
    good = True
    for version in options.clangs:
        begun = time.monotonic()
        objects = compile_objects(version)
        compiled = time.monotonic()
        good &= run_tests(objects, options.tests or TESTS, options.kernel)
        tested = time.monotonic()
        print(
            f"clang {version}: {compiled - begun:.0f} s compiled, {tested - compiled:.0f} s tested"
        )
    return 0 if good else 1


def compile_objects(version: str) -> Path:
    """Compile bpf/ with clang-VERSION in a folder of its own, which is returned."""
    folder = CACHE / f"clang-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    for source in (*(ROOT / "bpf").glob("*.[ch]"), ROOT / "bpf" / "Makefile"):
        shutil.copy2(source, folder)  # with its time: what is up to date is not compiled again
    subprocess.run(["make", "-s", "-C", folder, f"CLANG=clang-{version}"], check=True)
    return folder


def run_tests(objects: Path, tests: list[str] | tuple[str, ...], kernel: str | None) -> bool:
    """Run tests with these objects in place of this checkout's, in mounts of their own."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    if kernel is not None:
        chosen = [word for test in tests for word in ("--tests", test)]
        command = [sys.executable, "-m", "scripts.test_kernels", kernel, *chosen]
    private = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-ec"]
    done = subprocess.run(
        [*private, f"ip link set lo up; {_WITH_OBJECTS}", objects, *command], cwd=ROOT, check=False
    )
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
