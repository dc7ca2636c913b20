"""Ways to install xdpwall on a Debian that has nothing of it: each in a bare root of its own, timed.

A way says what the root lacked: what had to be installed by hand, since nothing that we ship brings it, and
what came by itself.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.debian.bare_root import BareRoot

ROOT = Path(__file__).parents[2]
FIRST_USE = Path(__file__).with_name("first_use.py")
TO_CLONE = ("git", "make")
"""What someone needs to have a clone, and to say `make` in it."""
_SERVE = """
cd /root/xdpwall
setsid make run >/tmp/run.log 2>&1 &
for _ in $(seq 600); do
    grep -q 'page at' /tmp/run.log && break
    kill -0 $! 2>/dev/null || break
    sleep 0.1
done
.venv/bin/python /root/first_use.py .venv/bin/xdpwall && ended=0 || ended=$?
.venv/bin/python - <<'END' || ended=1
import urllib.request
page = urllib.request.urlopen("http://127.0.0.1:8480/").read()
assert page.lower().startswith(b"<!doctype html>"), page[:100]
END
[ $ended = 0 ] || cat /tmp/run.log
kill -INT -$!
wait $! || true
exit $ended
"""


@dataclass
class Trial:
    """One way in one root: what was done, how long each step took, and what the root lacked."""

    suite: str
    way: str
    steps: list[tuple[str, float]] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    brought: int = 0
    """Packages of Debian that were not there before."""
    failure: str = ""

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        """Time what a user says."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.steps.append((words, time.monotonic() - begun))

    def lines(self) -> list[str]:
        """The report of this trial."""
        total = sum(seconds for _, seconds in self.steps)
        by_hand = " ".join(self.by_hand) or "nothing"
        return [
            f"{'FAILED' if self.failure else 'ok'}: {self.suite}, {self.way}: {total:.0f} s",
            *(f"    {seconds:6.1f} s  {words}" for words, seconds in self.steps),
            f"    installed by hand: {by_hand}; {self.brought} Debian packages more than before",
            *(f"    {line}" for line in self.failure.splitlines()),
        ]


def clone(root: BareRoot) -> None:
    """Put the last commit of this checkout into a root, as a clone with its history."""
    target = root.folder / "root" / "xdpwall"
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target)]
    subprocess.run(command, check=True)


def in_clone(root: BareRoot, command: str, *, alone: bool = False) -> str:
    """Run a shell command in the root's clone; its output."""
    return root.run("sh", "-ec", f"cd /root/xdpwall; {command}", alone=alone)


def by_hand(trial: Trial, root: BareRoot, *packages: str) -> None:
    """Install what nothing brings, and note it."""
    trial.by_hand += packages
    with trial.step(f"apt-get install {' '.join(packages)}"):
        root.apt("install", "-qq", *packages)


def make_run(trial: Trial, root: BareRoot) -> None:
    """The README's first command. What it downloads is downloaded by its first half, `make build`."""
    by_hand(trial, root, *TO_CLONE)
    clone(root)
    with trial.step("make build (the half of make run that downloads)"):
        in_clone(root, "make build")
    root.put(FIRST_USE, "/root/first_use.py")
    with trial.step("make run, the page, a rule over the service, without a network"):
        root.run("sh", "-c", _SERVE, alone=True)


def make_test(trial: Trial, root: BareRoot) -> None:
    """The README's other command."""
    by_hand(trial, root, *TO_CLONE)
    clone(root)
    with trial.step("make test"):
        in_clone(root, "make test")


def make_install(trial: Trial, root: BareRoot) -> None:
    """Without apt's package: below /usr/local; then removed again."""
    by_hand(trial, root, *TO_CLONE)
    clone(root)
    with trial.step("make install"):
        in_clone(root, "make install")
    use(trial, root, "/usr/local/lib/xdpwall/bin/python3", "/usr/local/bin/xdpwall")
    with trial.step("make uninstall"):
        in_clone(root, "make uninstall")
    left = root.run("find", "/usr/local", "-name", "*xdpwall*").split()
    if left:
        raise RuntimeError(f"make uninstall leaves {' '.join(left)}")


def deb(trial: Trial, root: BareRoot) -> None:
    """The package: built in one bare root, installed in another."""
    with BareRoot.unpacked(trial.suite) as builder:
        builder.apt("update", "-qq")
        builder.apt("install", "-qq", *TO_CLONE)
        clone(builder)
        with trial.step("make deb, in a root of its own"):
            in_clone(builder, "make deb")
        built = list((builder.folder / "root/xdpwall/dist").glob("xdpwall_*.deb"))
        root.put(built[0], f"/root/{built[0].name}")
    with trial.step(f"apt-get install ./{built[0].name}"):
        root.apt("install", "-qq", f"/root/{built[0].name}")
    use(trial, root, "/usr/lib/xdpwall/bin/python3", "/usr/bin/xdpwall")
    with trial.step("apt-get purge xdpwall"):
        root.apt("purge", "-qq", "xdpwall")


def wheel(trial: Trial, root: BareRoot) -> None:
    """The wheel: built in one bare root, installed by pip into an environment in another."""
    with BareRoot.unpacked(trial.suite) as builder:
        builder.apt("update", "-qq")
        builder.apt("install", "-qq", *TO_CLONE)
        clone(builder)
        in_clone(builder, "make packages")
        with trial.step("packaging/dist, in a root of its own"):
            in_clone(builder, "packaging/dist dist")
        built = list((builder.folder / "root/xdpwall/dist").glob("*.whl"))
        root.put(built[0], f"/root/{built[0].name}")
    by_hand(trial, root, "python3-venv")
    with trial.step(f"pip install {built[0].name}"):
        root.run("python3", "-m", "venv", "/root/venv")
        root.run("/root/venv/bin/pip", "install", "--quiet", f"/root/{built[0].name}")
    _says_what_is_missing(root)
    by_hand(trial, root, "libbpf1")
    use(trial, root, "/root/venv/bin/python", "/root/venv/bin/xdpwall")


def _says_what_is_missing(root: BareRoot) -> None:
    """Without libbpf, which pip cannot install, a command names the package."""
    try:
        root.run("/root/venv/bin/xdpwall", "attach", "lo", alone=True)
    except RuntimeError as error:
        if "libbpf1" in str(error) and "Traceback" not in str(error):
            return
        raise
    raise RuntimeError("xdpwall attach succeeded without libbpf")


def use(trial: Trial, root: BareRoot, python: str, command: str) -> None:
    """Attach, drop, detach."""
    root.put(FIRST_USE, "/root/first_use.py")
    with trial.step("first use"):
        root.run(python, "/root/first_use.py", command, alone=True)


WAYS: dict[str, Callable[[Trial, BareRoot], None]] = {
    "run": make_run,
    "deb": deb,
    "install": make_install,
    "wheel": wheel,
    "test": make_test,
}


def attempt(suite: str, way: str) -> Trial:
    """Try one way in a fresh root of a Debian release."""
    trial = Trial(suite, way)
    with BareRoot.unpacked(suite) as root:
        before = _packages(root)
        try:
            root.apt("update", "-qq")
            WAYS[way](trial, root)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            trial.failure = "\n".join(str(error).splitlines()[-60:])
        trial.brought = len(_packages(root) - before)
    return trial


def _packages(root: BareRoot) -> set[str]:
    return set(root.run("dpkg-query", "--show", "--showformat", "${Package}\\n").split())
