"""Debian's kernels: the newest package of a series, unpacked and ready to boot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class NoKernel(Exception):
    """A kernel cannot be had; the message says which and what to do."""


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel: `folder` holds boot/ and lib/modules/."""

    release: str
    folder: Path

    @property
    def image(self) -> Path:
        """The kernel image that is booted."""
        return self.folder / "boot" / f"vmlinuz-{self.release}"


def newest(series: str, names: Iterable[str], machine: str = "amd64") -> str | None:
    """The release (6.1.0-56-amd64) of the newest linux-image-* of a series; None without one.

    Variants (rt, cloud), unsigned images, debug symbols and meta packages do not count.
    """
    pattern = re.compile(
        rf"linux-image-({re.escape(series)}\.\d[\d.-]*(?:\+\w+)?-{re.escape(machine)})"
    )
    found = {match[1] for name in names if (match := pattern.fullmatch(name))}
    return max(found, key=_numbers, default=None)


def _numbers(release: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", release)]


def fetch(series: str, cache: Path) -> Kernel:
    """The newest kernel of a series; downloaded unless the cache has it. Raises NoKernel."""
    machine = _output("dpkg", "--print-architecture").strip()
    release = newest(series, _packages(), machine)
    if release is None and os.geteuid() == 0:
        _update()
        release = newest(series, _packages(), machine)
    if release is None:
        raise NoKernel(
            f"no package linux-image-{series}.* is known to apt: `apt-get update` as root;"
            " Debian 12 has 6.1 in its main part and 6.12 in its security updates"
        )
    kernel = Kernel(release, cache / release)
    if not kernel.image.exists():
        for old in cache.glob(f"{series}.*"):  # 400 MB each
            shutil.rmtree(old)
        _unpack(kernel)
    return kernel


def _packages() -> list[str]:
    lines = _output("apt-cache", "search", "--names-only", "^linux-image-[0-9]").splitlines()
    return [line.split()[0] for line in lines if line]


def _unpack(kernel: Kernel) -> None:
    kernel.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kernel.folder.parent, prefix=".") as scratch:
        package = _download(f"linux-image-{kernel.release}", Path(scratch))
        made = Path(scratch) / "unpacked"
        _output("dpkg-deb", "-x", str(package), str(made))
        _output("depmod", "-b", str(made), kernel.release)
        made.rename(kernel.folder)  # whole or not at all


def _download(package: str, folder: Path) -> Path:
    print(f"downloading {package}", flush=True)
    for attempt in range(2):
        done = subprocess.run(
            ["apt-get", "download", "-q", package],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        files = list(folder.glob("*.deb"))
        if done.returncode == 0 and files:
            return files[0]
        if attempt == 0 and os.geteuid() == 0:
            _update()  # lists of last week name a version that is gone
    raise NoKernel(f"{package} cannot be downloaded: {done.stderr.strip()}")


def _update() -> None:
    _output("apt-get", "update", "-qq")


def _output(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise NoKernel(f"{argv[0]} is missing: this needs Debian's package tools") from error
    except subprocess.CalledProcessError as error:
        raise NoKernel(f"{' '.join(argv)}: {error.stderr.strip()}") from error
