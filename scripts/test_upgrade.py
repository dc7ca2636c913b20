"""python -m scripts.test_upgrade: from the previous commit's package to this one's and back, under traffic.

On a bare Debian with systemd: real packets that must pass and others that must not, all the while. Then the same
with a package of a version to come, which has another schema on disk and other programs: this one takes its place,
and gives it back to one that refuses changes and says what to do. Exits 1 at the first thing that is wrong.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.debian.bare_root import BareRoot
from scripts.test_deb import BASE, SUITE, build

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(__file__).with_name("debian")
_MIGRATION = '"CREATE TABLE of_a_later_release (id INTEGER PRIMARY KEY);",'


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.test_upgrade", description=__doc__)
    parser.add_argument("--from", dest="before", default="HEAD~1", help="the commit to begin with")
    parser.add_argument("--debs", type=Path, help="keep packages here, and take those that are")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xdpwall-upgrade-", dir="/var/tmp") as work:
        kept = options.debs or Path(work, "debs")
        kept.mkdir(parents=True, exist_ok=True)
        with BareRoot.unpacked(SUITE, *BASE) as root:
            for name in ("previous", "this", "later"):
                deb = kept / f"{name}.deb"
                if not deb.exists():
                    package(name, options.before, Path(work)).rename(deb)
                root.put(deb, f"/root/{deb.name}")
            root.put(SCRIPTS / "traffic.py", "/root/traffic")
            root.apt("update", "-qq")
            # What the package needs; its own installation is the test's.
            root.apt("install", "-qq", "/root/previous.deb")
            root.apt("purge", "-qq", "xdpwall")
            parts = (SCRIPTS / "checks.sh", SCRIPTS / "upgrade.sh")
            code, said = root.boot("\n".join(part.read_text("utf-8") for part in parts))
    print(said, end="")
    return 1 if code else 0


def package(name: str, before: str, work: Path) -> Path:
    """Build one of the three packages; its path."""
    if name == "this":
        return build(work / name)
    tree = work / f"{name}-tree"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tree)], check=True)
    if name == "previous":
        subprocess.run(["git", "checkout", "--quiet", before], cwd=tree, check=True)
    else:
        make_later(tree)
    command = [tree / "packaging/deb/build", work / name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def make_later(tree: Path) -> None:
    """Turn a checkout into a version to come: one migration more, other programs, a higher number."""
    edit(
        tree / "xdpwall/store/schema.py",
        r"(?s)MIGRATIONS = \((.*?)\)",
        rf"MIGRATIONS = (\1, {_MIGRATION})",
    )
    edit(tree / "bpf/abi.h", r"(#define XW_CONTROL_WORDS +)\d+", r"\g<1>80")
    edit(tree / "xdpwall/abi.py", r"(?m)^CONTROL_WORDS = .*$", "CONTROL_WORDS = 80")
    edit(tree / "xdpwall/version.py", r'__version__ = "[^"]*"', '__version__ = "99.0.0"')
    git = ["git", "-c", "user.name=later", "-c", "user.email=later@xdpwall.example"]
    subprocess.run([*git, "commit", "--quiet", "--all", "--message", "later"], cwd=tree, check=True)


def edit(path: Path, pattern: str, replacement: str) -> None:
    """Replace the only match of a pattern."""
    text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"))
    if count != 1:
        raise RuntimeError(f"{path} has {count} matches of {pattern}")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
