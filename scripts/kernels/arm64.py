"""An arm64 Debian in one initial ramdisk: Python and what the tests need, and this checkout.

Nothing of it is installed here: apt keeps a state of its own in the cache, packages are unpacked and never
configured, wheels are those that PyPI has for the machine. The objects of bpf/ are the same on every machine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.kernels.debian import NoKernel, newest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "busybox-static",
    "python3",
    "libstdc++6",
    "libbpf1",
    "iproute2",
    "kmod",
    "procps",
    "util-linux",
    # Programs of other owners are compiled by the tests of attaching.
    "clang",
    "libbpf-dev",
    "linux-libc-dev",
)
MODULES = (
    "veth",
    "bridge",
    "8021q",
    "sch_ingress",
    "cls_bpf",
    "cls_u32",
    "act_bpf",
    "dummy",
    "tun",
)
TESTED_BY = ("pytest>=9,<10", "hypothesis>=6.100,<7")
WHEELS = (
    *("--only-binary=:all:", "--implementation=cp", "--python-version=3.11"),
    *(f"--platform=manylinux_2_{number}_aarch64" for number in (28, 17)),
    *("--platform=manylinux2014_aarch64", "--abi=cp311", "--abi=abi3", "--abi=none"),
)
MARK = "-- results of the tests, until the next line like this --"
"""Before and after the results on the console."""
_INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=/opt/site:/srv/xdpwall HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis LC_ALL=C.UTF-8
mkdir -p /proc /sys /dev /run /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mkdir -p /run/netns
ip link set lo up
modprobe -a {" ".join(MODULES)}
cd /srv/xdpwall
/usr/bin/python3 -m scripts.kernels.guest /tmp/results.json $(cat /tests)
echo; echo '{MARK}'; cat /tmp/results.json; echo; echo '{MARK}'
poweroff -f
"""


@dataclass(frozen=True)
class Machine:
    """What QEMU boots."""

    release: str
    image: Path
    ramdisk: Path


def build(series: str, cache: Path, tests: Sequence[str]) -> Machine:
    """Download what is not there yet, and make the ramdisk anew. Raises NoKernel."""
    apt = _Apt(cache / "apt")
    release = newest(series, apt.packages(f"^linux-image-{series}"), "arm64")
    if release is None:
        raise NoKernel(f"Debian has no linux-image-{series}.* for arm64")
    kernel = cache / release
    if not kernel.exists():
        half = cache / f".{release}"
        shutil.rmtree(half, ignore_errors=True)
        _run("dpkg-deb", "-x", str(apt.download(f"linux-image-{release}")), str(half))
        _run("depmod", "-b", str(half), release)
        half.rename(kernel)
    root = cache / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for package in apt.with_dependencies(PACKAGES):
        _run("dpkg-deb", "-x", str(package), str(root))
    _wheels(cache / "wheels", root / "opt" / "site")
    _modules(kernel, release, root)
    _checkout(root / "srv" / "xdpwall")
    (root / "tests").write_text(" ".join(tests), encoding="utf-8")
    (root / "init").write_text(_INIT, encoding="utf-8")
    (root / "init").chmod(0o755)
    ramdisk = cache / "root.cpio"
    with ramdisk.open("wb") as file:
        names = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
        subprocess.run(
            ["busybox", "cpio", "-o", "-H", "newc"], cwd=root, input=names, stdout=file, check=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    return Machine(release, kernel / "boot" / f"vmlinuz-{release}", ramdisk)


def command(machine: Machine) -> list[str]:
    """QEMU's command line."""
    return [
        "qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72", "-accel", "tcg",
        "-smp", "2", "-m", "5G", "-nographic", "-no-reboot", "-nic", "none",
        "-kernel", str(machine.image), "-initrd", str(machine.ramdisk),
        "-append", "console=ttyAMA0 rdinit=/init quiet panic=-1",
    ]  # fmt: skip


class _Apt:
    """apt for arm64 with lists, state and packages of its own."""

    def __init__(self, folder: Path) -> None:
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        self.folder = folder
        self.archives = folder / "cache" / "archives"
        self.options = [
            f"-oDir::State={folder}", f"-oDir::State::status={folder}/status",
            f"-oDir::State::lists={folder}/lists", f"-oDir::Cache={folder}/cache",
            "-oAPT::Architecture=arm64", "-oAPT::Architectures=arm64", "-oDebug::NoLocking=1",
        ]  # fmt: skip
        _run("apt-get", *self.options, "update", "-qq")

    def packages(self, pattern: str) -> list[str]:
        found = _run("apt-cache", *self.options, "search", "--names-only", pattern)
        return [line.split()[0] for line in found.splitlines() if line]

    def download(self, package: str) -> Path:
        subprocess.run(
            ["apt-get", *self.options, "download", "-qq", package], cwd=self.folder, check=True
        )
        return next(self.folder.glob(f"{package}_*.deb"))

    def with_dependencies(self, packages: Sequence[str]) -> Iterator[Path]:
        words = ["install", "-y", "-qq", "--no-install-recommends", "--download-only", *packages]
        _run("apt-get", *self.options, *words)
        yield from sorted(self.archives.glob("*.deb"))


def _wheels(kept: Path, site: Path) -> None:
    """Those of requirements.lock, with their hashes, and what runs the tests."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q", *WHEELS]
    locked = ["-r", str(ROOT / "requirements.lock")]
    done, lock = kept / "done", ROOT / "requirements.lock"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        for wanted in (locked, TESTED_BY):
            _run(*pip, "--dest", str(kept), *wanted)
        done.touch()
    for wheel in kept.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def _modules(kernel: Path, release: str, root: Path) -> None:
    """The modules and what they need, where modprobe looks for them."""
    shown = ["modprobe", "--show-depends", "-d", str(kernel), "-S", release]
    for name in MODULES:
        for line in _run(*shown, name).splitlines():
            source = Path(line.split()[1]) if line.startswith("insmod") else None
            if source is not None:
                target = root / source.relative_to(kernel)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    _run("depmod", "-b", str(root), release)


def _checkout(target: Path) -> None:
    """The files of the project as they are, with the compiled objects."""
    listed = _run(
        "git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"
    )
    objects = [str(path.relative_to(ROOT)) for path in (ROOT / "bpf").glob("*.o")]
    for name in [*filter(None, listed.split("\0")), *objects]:
        source, copy = ROOT / name, target / name
        if name.startswith(("docs/images", "web/")) or not (
            source.is_file() or source.is_symlink()
        ):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy, follow_symlinks=False)


def _run(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    except subprocess.CalledProcessError as error:
        raise NoKernel(f"{' '.join(argv)}: {error.stderr.strip()}") from error
