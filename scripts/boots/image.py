"""Make the disk and the initial RAM disk of a machine that boots a bare Debian root with Debian's kernel."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from scripts.debian.bare_root import BareRoot
from scripts.kernels.debian import Kernel

GUEST = Path(__file__).with_name("guest")
_DISK = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
"""Modules that are needed to see the disk."""
_REST = ("virtio_net", "e1000e", "e1000", "vmxnet3", "8139cp", "bridge", "sch_ingress", "cls_bpf")
PACKAGES = ("kmod",)
"""What the machine needs besides: modprobe, by which the kernel loads what networkd asks it for (a bridge)."""
_SIZE = "3G"
_INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod $module; done
while [ ! -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 -o rw /dev/vda /root
/bin/busybox mount --move /dev /root/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /sbin/init
"""


def furnish(root: BareRoot, kernel: Kernel) -> None:
    """Give a root the kernel's modules that the machine needs, and the files of guest/."""
    shutil.copytree(GUEST, root.folder, dirs_exist_ok=True)
    for unit in ("systemd-networkd.service", "boot-report.timer"):
        root.run("systemctl", "enable", "--quiet", unit)
    modules = Path("lib/modules") / kernel.release
    for path in module_files(kernel, (*_DISK, *_REST)):
        target = root.folder / "usr" / path.relative_to(kernel.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copyfile(kernel.folder / modules / name, root.folder / "usr" / modules / name)
    subprocess.run(["depmod", "-b", str(root.folder), kernel.release], check=True)


def module_files(kernel: Kernel, names: Iterable[str]) -> list[Path]:
    """The files of modules and of what they need, in the order in which to load them."""
    found: dict[Path, None] = {}
    for name in names:
        command = [
            "modprobe",
            "-d",
            str(kernel.folder),
            "-S",
            kernel.release,
            "--show-depends",
            name,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            if line.startswith("insmod "):
                found[Path(line.split()[1])] = None
    return list(found)


def make_disk(root: BareRoot, target: Path) -> None:
    """Write the root as an ext4 file system into a file."""
    target.unlink(missing_ok=True)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-d", str(root.folder), str(target), _SIZE], check=True
    )


def make_initrd(kernel: Kernel, target: Path) -> None:
    """Write the archive that loads the disk's modules and goes on with the root on it."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for name in ("bin", "dev", "modules", "proc", "root"):
            (folder / name).mkdir()
        shutil.copy2("/bin/busybox", folder / "bin" / "busybox")
        for number, path in enumerate(module_files(kernel, _DISK)):
            unpacked = folder / "modules" / f"{number:02}-{path.name.removesuffix('.xz')}"
            if path.suffix == ".xz":
                with unpacked.open("wb") as file:
                    subprocess.run(["xz", "-dc", str(path)], stdout=file, check=True)
            else:
                shutil.copyfile(path, unpacked)
        (folder / "init").write_text(_INIT, encoding="ascii")
        (folder / "init").chmod(0o755)
        with target.open("wb") as file:
            pack = "find . | busybox cpio -o -H newc 2>/dev/null | gzip -1"
            subprocess.run(["sh", "-ec", pack], cwd=folder, stdout=file, check=True)
