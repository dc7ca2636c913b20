"""Run commands as another user, without any capability, who can still read this checkout.

A checkout often lies below a home that only its owner may enter (mode 0700). What the tests want to
know is what xdpwall refuses to such a user, not what the home does: so nobody gets a mount namespace
in which each closed folder on the way is an empty, open one, with what is needed bound into it.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.paths import ROOT

ID = 65534
_DROP = f"setpriv --reuid={ID} --regid={ID} --clear-groups"


def as_nobody(capabilities: Sequence[str] = (), bpffs: Path | None = None) -> list[str]:
    """The prefix of a command line: with these capabilities (`bpf`, `net_admin` ...), and with nothing on
    /sys/fs/bpf but that folder, as the unit has it."""
    kept = "".join(f",+{name}" for name in capabilities)
    drop = f"{_DROP} --inh-caps=-all{kept} --ambient-caps=-all{kept} --bounding-set=-all{kept}"
    needed = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
    hidden: dict[Path, list[Path]] = {}
    for path in sorted(needed):
        if (top := _closed(path)) is not None:
            hidden.setdefault(top, []).append(path)
    script = []
    for top, paths in hidden.items():
        fds = list(enumerate(paths, start=3))
        script += [f"exec {fd}<{shlex.quote(str(path))}" for fd, path in fds]
        script.append(f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(top))}")
        for fd, path in fds:
            quoted = shlex.quote(str(path))
            # A virtual environment in the checkout comes along with it.
            script.append(
                f"[ -e {quoted} ] || {{ mkdir -p {quoted}; "
                f"mount --no-canonicalize --bind /proc/self/fd/{fd} {quoted}; }}"
            )
    if bpffs is not None:
        script.append(
            f"exec 9<{bpffs}; mount -t tmpfs -o mode=755 tmpfs /sys/fs/bpf; mkdir -p {bpffs}; "
            f"mount --no-canonicalize --bind /proc/self/fd/9 {bpffs}; exec 9<&-"
        )
    if not script:
        return drop.split()
    line = "set -e\n" + "\n".join(script) + f'\nexec {drop} "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", line, "sh"]


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that nobody can walk to: pytest closes its own to others whenever a run begins."""
    with tempfile.TemporaryDirectory(prefix="xwt-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def _closed(path: Path) -> Path | None:
    """The outermost folder above `path` that others may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
