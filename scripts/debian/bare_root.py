"""A bare Debian root of one's own, on which packages are tried as a user would.

    with BareRoot.unpacked("bookworm") as root:
        root.apt("install", "/root/xdpwall.deb")
        print(root.boot("systemctl is-system-running"))

What debootstrap made is kept in build/bare; each root is unpacked from it and removed at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

KEPT = Path(__file__).parents[2] / "build" / "bare"
_MIRROR = "http://deb.debian.org/debian"
_BOOT_SECONDS = 600
_CHECK = """\
[Unit]
Description=the checks of this boot
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c 'bash /root/check >/root/output 2>&1; echo $? >/root/exit; systemctl poweroff'
[Install]
WantedBy=multi-user.target
"""


class BareRoot:
    """A folder with a Debian in it; the running kernel and its own network serve it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def unpacked(cls, suite: str, *packages: str) -> Self:
        """A fresh root with these packages; debootstrap runs once for each selection."""
        archive = KEPT / f"{'-'.join((suite, *packages))}.tar"
        if not archive.exists():
            _bootstrap(archive, suite, packages)
        folder = Path(tempfile.mkdtemp(prefix="xdpwall-root-", dir="/var/tmp"))
        _run("tar", "-C", str(folder), "-xf", str(archive))
        return cls(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)

    def run(self, *argv: str, alone: bool = False) -> str:
        """Run a program in it as root, with the machine's network; its output. RuntimeError.

        `alone`: in a network namespace of its own, with loopback. Pins end with the program.
        """
        script = (
            'mount --bind "$0" "$0"; cd "$0"; mount -t proc proc proc; mount --rbind /dev dev; '
            "mount -t sysfs sys sys; mount -t bpf bpf sys/fs/bpf; "
            "mount -t tracefs tracefs sys/kernel/tracing; mount -t cgroup2 cgroup2 sys/fs/cgroup; "
            "exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "
            'DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"'
        )
        if alone:
            script = f"ip link set lo up; {script}"
        network = ["--net"] if alone else []
        return _run(*_PRIVATE, *network, "sh", "-ec", script, str(self.folder), *argv)

    def apt(self, *words: str) -> str:
        """apt-get, without questions and recommended packages."""
        return self.run("apt-get", "-y", "--no-install-recommends", *words)

    def return_network(self) -> None:
        """Take out again what was lent of this machine's, before the root is given away."""
        for name in ("etc/resolv.conf", "etc/hosts", "etc/pip.conf"):
            (self.folder / name).unlink(missing_ok=True)
        for path in (self.folder / "etc/apt/apt.conf.d").iterdir():
            name = f"/{path.relative_to(self.folder)}"
            try:
                self.run("dpkg-query", "--search", name)
            except RuntimeError:  # no package's
                path.unlink()
        self.run("update-ca-certificates", "--fresh")

    def put(self, source: Path, target: str, mode: int = 0o644) -> None:
        """Copy a file to a path in the root."""
        path = self.folder / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(mode)

    def boot(self, script: str) -> tuple[int, str]:
        """Boot systemd in it, in namespaces, run a Bash script once it is up, and power off.

        Returns the script's exit status and its output. The network has `lo` alone.
        """
        home = self.folder / "root"
        (home / "check").write_text(script, encoding="utf-8")
        (home / "exit").unlink(missing_ok=True)
        unit = self.folder / "etc/systemd/system/boot-check.service"
        unit.write_text(_CHECK, encoding="ascii")
        wants = unit.parent / "multi-user.target.wants"
        wants.mkdir(exist_ok=True)
        link = wants / unit.name
        link.unlink(missing_ok=True)
        link.symlink_to(f"../{unit.name}")
        done = subprocess.run(
            # As systemd itself mounts it; a container's /sys has none.
            [*_PRIVATE, "sh", "-ec", 'mount -t bpf -o mode=700 bpf /mnt; exec "$@"', "sh",
             "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
             "--private-network", "--capability=all", "--system-call-filter=bpf perf_event_open",
             "--bind=/mnt:/sys/fs/bpf", "--console=pipe", f"--directory={self.folder}"],
            env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=_BOOT_SECONDS,
        )  # fmt: skip
        link.unlink()
        unit.unlink()
        output = (home / "output").read_text(encoding="utf-8", errors="replace")
        if not (home / "exit").exists():
            return 255, f"{done.stdout}{done.stderr}{output}"
        return int((home / "exit").read_text(encoding="ascii")), output


_PRIVATE = ("unshare", "--mount", "--propagation", "private")


def _bootstrap(archive: Path, suite: str, packages: tuple[str, ...]) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="xdpwall-bootstrap-", dir="/var/tmp") as work:
        root = Path(work) / "root"
        wanted = ",".join(("ca-certificates", *packages))
        _run("debootstrap", "--variant=minbase", f"--include={wanted}", suite, str(root), _MIRROR)
        _lend_network(root)
        half = archive.with_suffix(".half")
        _run("tar", "-C", str(root), "-cf", str(half), ".")
        half.rename(archive)


def _lend_network(root: Path) -> None:
    """Let the root reach what this machine reaches: its package sources, proxies and authorities."""
    for name in (
        "etc/resolv.conf",
        "etc/hosts",
        "etc/pip.conf",
        "etc/ssl/certs/ca-certificates.crt",
    ):
        if (source := Path("/") / name).exists():
            (root / name).unlink(missing_ok=True)
            shutil.copyfile(source, root / name)
    for path in Path("/etc/apt/apt.conf.d").iterdir():
        # A package's own would be in the way of that package, in the root.
        if subprocess.run(["dpkg-query", "-S", path], capture_output=True, check=False).returncode:
            shutil.copy(path, root / "etc/apt/apt.conf.d")


def _run(*argv: str) -> str:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr
