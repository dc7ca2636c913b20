"""The checks of `xdpwall doctor` of kernel, privileges and tools, each with what to do about it.

`pass` needs nothing; `warn` works, but not fully or not always; `fail` must be mended before
xdpwall can filter. Needs no instance and changes nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from xdpwall.errors import NeedsPrivileges, XdpwallError
from xdpwall.kernel.bpf import pin_path, probes
from xdpwall.kernel.bpf.objects import PROGRAM_OBJECTS, object_path
from xdpwall.settings import Settings
from xdpwall.views.doctor import Check, DoctorReport

from .doctor_cookies import check_cookies
from .doctor_interfaces import check_interfaces

SYSTEM_PYTHON = "/usr/bin/python3"
_ASK_BCC = (
    "import bcc; print(getattr(bcc, '__version__', 'of unknown version')"
    " if hasattr(bcc, 'BPF') else 'lattice')"
)
_AS_ROOT = "run doctor as root to know"


def run_doctor(settings: Settings) -> DoctorReport:
    """Every check, in the order in which a newcomer meets them."""
    parts: tuple[tuple[str, Callable[[], Iterable[Check]]], ...] = (
        ("kernel", _kernel),
        ("privileges", _privileges),
        ("bpffs", lambda: [_bpffs(settings.bpffs)]),
        ("tools", _tools),
        ("interfaces", lambda: check_interfaces(settings.bpffs)),
    )
    checks: list[Check] = []
    for name, part in parts:
        try:
            checks.extend(part())
        except XdpwallError as error:
            checks.append(_broken(name, error))
    return DoctorReport(checks=checks)


def _kernel() -> Iterator[Check]:
    found = f"Linux {probes.kernel_release()}"
    try:
        found += f", libbpf {probes.libbpf_version()}"
    except XdpwallError as error:
        yield _ok("kernel", found)
        yield _broken("libbpf", error)
        return
    yield _ok("kernel", found)
    yield from _features(list(probes.features()))
    yield _jit(probes.jit())
    yield check_cookies()
    if probes.has_btf():
        yield _ok("BTF", "/sys/kernel/btf/vmlinux")
    else:
        yield _warn(
            "BTF",
            "the kernel does not describe its types",
            "filtering does without; tracing wants a kernel with CONFIG_DEBUG_INFO_BTF",
        )


def _features(tried: list[probes.KernelFeature]) -> Iterator[Check]:
    untried = [one.name for one in tried if one.works is None]
    works = [one for one in tried if one.works]
    if works:
        yield _ok("kernel features", ", ".join(one.name for one in works))
    if untried:
        yield _warn("kernel features", f"not tried: {', '.join(untried)}", _AS_ROOT)
    for one in tried:
        if one.works is False:
            found = f"{one.name}: no ({one.detail})" if one.detail else f"{one.name}: no"
            if one.needed:
                yield _fail("kernel features", found, "use Linux 6.1 or later")
            else:
                yield _warn("kernel features", found, "large MTUs get XDP in generic mode only")


def _jit(on: bool | None) -> Check:
    if on is None:
        return _warn("JIT", "not tried", _AS_ROOT)
    if on:
        return _ok("JIT", "on")
    return _warn("JIT", "off: every packet is interpreted", "sysctl net.core.bpf_jit_enable=1")


def _privileges() -> Iterator[Check]:
    here = probes.capabilities()
    needed = [] if "CAP_SYS_ADMIN" in here else ["CAP_BPF", "CAP_PERFMON"]
    lacking = [name for name in ["CAP_NET_ADMIN", *needed] if name not in here]
    found = ", ".join(sorted(here)) or "none of those that matter"
    if lacking:
        yield _fail("capabilities", found, f"run as root, or with {', '.join(lacking)} too")
    elif "CAP_SYS_ADMIN" not in here:
        yield _warn(
            "capabilities", found, "without CAP_SYS_ADMIN others' programs are known by id only"
        )
    else:
        yield _ok("capabilities", found)
    yield _memlock()
    open_to_all = probes.unprivileged_bpf()
    if open_to_all == 0:
        yield _warn(
            "unprivileged_bpf_disabled",
            "0: every user may load BPF programs",
            "sysctl kernel.unprivileged_bpf_disabled=2",
        )
    else:
        yield _ok("unprivileged_bpf_disabled", "?" if open_to_all is None else str(open_to_all))


def _memlock() -> Check:
    limit = probes.memlock()
    shown = "unlimited" if limit is None else f"{limit // 1024} KiB"
    by_cgroup = probes.memory_by_cgroup()
    if by_cgroup:
        return _ok("memlock", f"{shown}; does not matter, the control group pays for BPF memory")
    if limit is None:
        return _ok("memlock", shown)
    if by_cgroup is None:
        return _warn("memlock", f"{shown}; whether it matters was not tried", _AS_ROOT)
    return _fail("memlock", shown, "ulimit -l unlimited (LimitMEMLOCK=infinity in systemd)")


def _bpffs(folder: Path) -> Check:
    if not probes.knows_bpffs():
        return _fail("bpffs", "the kernel has none", "use a kernel with CONFIG_BPF_SYSCALL")
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if pin_path.is_bpffs(existing):
        there = str(folder) if existing == folder else f"{folder} (not made yet)"
        return _ok("bpffs", there)
    if folder.is_relative_to(pin_path.MOUNT_POINT):
        return _warn(
            "bpffs",
            f"nothing is mounted at {pin_path.MOUNT_POINT}",
            "the first attach mounts it; or: mount -t bpf bpf /sys/fs/bpf",
        )
    return _fail(
        "bpffs",
        f"{folder} is not on a BPF file system",
        f"choose a folder under {pin_path.MOUNT_POINT}, or mount -t bpf bpf {existing}",
    )


def _tools() -> Iterator[Check]:
    paths = [object_path(name) for name in PROGRAM_OBJECTS]
    missing = [path.name for path in paths if not os.access(path, os.R_OK)]
    if missing:
        yield _fail("BPF objects", f"missing or unreadable: {', '.join(missing)}", "make bpf")
    else:
        yield _ok("BPF objects", ", ".join(path.name for path in paths))
    yield clang_check(shutil.which("clang"))
    yield bcc_check(SYSTEM_PYTHON)


def clang_check(path: str | None) -> Check:
    """clang, which only building from source needs."""
    version = _output([path, "--version"]) if path else None
    if version:
        return _ok("clang", version.splitlines()[0])
    return _warn("clang", "none", "only needed to build from source: apt-get install clang")


def bcc_check(python: str) -> Check:
    """BCC for that Python. PyPI's `bcc` is a lattice library of the same name."""
    answer = (_output([python, "-c", _ASK_BCC]) or "").strip()
    todo = "only tracing needs it: apt-get install python3-bpfcc"
    if not answer:
        return _warn("BCC", f"none for {python}", todo)
    if answer == "lattice":
        return _warn("BCC", f"{python} has a module `bcc` that is not BCC (PyPI's)", todo)
    return _ok("BCC", answer)


def _output(argv: list[str]) -> str | None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _broken(name: str, error: XdpwallError) -> Check:
    if isinstance(error, NeedsPrivileges):
        return _warn(name, error.message, _AS_ROOT)
    return _fail(name, error.message, error.hint or error.detail or "see above")


def _ok(name: str, found: str) -> Check:
    return Check(name=name, status="pass", found=found)


def _warn(name: str, found: str, todo: str) -> Check:
    return Check(name=name, status="warn", found=found, todo=todo)


def _fail(name: str, found: str, todo: str) -> Check:
    return Check(name=name, status="fail", found=found, todo=todo)
