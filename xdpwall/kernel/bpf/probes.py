"""Find out what the kernel and this process can do by trying it; nothing is guessed from a version.

The result of a probe is True or False, or None when trying needs privileges.
"""

from __future__ import annotations

import ctypes
import platform
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xdpwall.errors import NeedsPrivileges, XdpwallError

from .libbpf import ProgramLoadOpts, check, lib
from .map_info import BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, MapType
from .maps import create_map
from .programs import BPF_F_XDP_HAS_FRAGS, Program

CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}

_XDP, _TC = 6, 3  # enum bpf_prog_type
_HELPERS = {  # name: (program type, enum bpf_func_id)
    "bpf_xdp_load_bytes": (_XDP, 189),
    "bpf_xdp_get_buff_len": (_XDP, 188),
    "bpf_skb_load_bytes": (_TC, 26),
    "bpf_loop": (_XDP, 181),
    "bpf_ktime_get_boot_ns": (_XDP, 125),
}
_KTIME_GET_COARSE_NS = 160  # came in Linux 5.11, as did accounting by control group
_RETURN_2 = bytes.fromhex("b7000000020000009500000000000000")  # r0 = 2; exit


@dataclass(frozen=True, slots=True)
class KernelFeature:
    """A feature that the data plane needs, or uses where it exists."""

    name: str
    works: bool | None
    needed: bool = True
    detail: str | None = None


def features() -> Iterator[KernelFeature]:
    """Try every feature that the data plane uses (10 ms in all)."""
    yield _probe("XDP programs", lambda: _load(_XDP).close())
    yield _probe("tc programs", lambda: _load(_TC).close())
    for name, (program, helper) in _HELPERS.items():
        yield _probe(f"helper {name}", lambda p=program, h=helper: _helper(p, h))
    for kind, key, value, flags in (
        (MapType.ARRAY, 4, 8, BPF_F_MMAPABLE),
        (MapType.PERCPU_ARRAY, 4, 16, 0),
        (MapType.LPM_TRIE, 20, 4, BPF_F_NO_PREALLOC),
        (MapType.LRU_HASH, 8, 8, 0),
    ):
        name = kind.name.lower() + (" that is mapped into memory" if flags & BPF_F_MMAPABLE else "")
        yield _probe(f"map {name}", lambda *a: _map(*a), kind, key, value, flags)
    yield _probe("map array of maps", _array_of_maps)
    yield _probe("batches of map entries", _batch)
    yield _probe(
        "XDP on packets of several buffers (jumbo MTU)",
        lambda: _load(_XDP, BPF_F_XDP_HAS_FRAGS).close(),
        needed=False,
    )


def jit() -> bool | None:
    """Whether programs become machine code; None when it cannot be tried."""
    try:
        with _load(_XDP) as program:
            return program.info.jited_len > 0
    except XdpwallError:
        return None


def memory_by_cgroup() -> bool | None:
    """Whether BPF memory is charged to the control group and not to RLIMIT_MEMLOCK."""
    try:
        _helper(_XDP, _KTIME_GET_COARSE_NS)
    except NeedsPrivileges:
        return None
    except XdpwallError:
        return False
    return True


def memlock() -> int | None:
    """RLIMIT_MEMLOCK in bytes; None is without limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY else soft


def capabilities() -> frozenset[str]:
    """The effective CAPABILITIES of this thread."""
    for line in Path("/proc/thread-self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            bits = int(line.split()[1], 16)
            return frozenset(name for name, bit in CAPABILITIES.items() if bits >> bit & 1)
    return frozenset()


def kernel_release() -> str:
    """The kernel release, as `uname -r` prints it."""
    return platform.release()


def unprivileged_bpf() -> int | None:
    """kernel.unprivileged_bpf_disabled: 0 lets any user load programs, 1 and 2 do not."""
    return _number("/proc/sys/kernel/unprivileged_bpf_disabled")


def has_btf() -> bool:
    """Whether the kernel describes its own types."""
    return Path("/sys/kernel/btf/vmlinux").exists()


def knows_bpffs() -> bool:
    """Whether the kernel has the BPF file system."""
    text = Path("/proc/filesystems").read_text(encoding="ascii")
    return any(line.split()[-1:] == ["bpf"] for line in text.splitlines())


def libbpf_version() -> str:
    """ "v1.1"; Unsupported when the library is missing."""
    version: bytes = lib().libbpf_version_string()
    return version.decode()


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _probe(
    name: str, attempt: Callable[..., None], *arguments: object, needed: bool = True
) -> KernelFeature:
    try:
        attempt(*arguments)
    except NeedsPrivileges as error:
        return KernelFeature(name, None, needed, error.detail)
    except XdpwallError as error:
        return KernelFeature(name, False, needed, error.detail or error.message)
    return KernelFeature(name, True, needed)


def _load(kind: int, flags: int = 0) -> Program:
    options = ProgramLoadOpts(sz=ctypes.sizeof(ProgramLoadOpts), prog_flags=flags)
    code = ctypes.create_string_buffer(_RETURN_2, len(_RETURN_2))
    fd = lib().bpf_prog_load(kind, b"xdpwall_probe", b"GPL", code, 2, ctypes.byref(options))
    return Program(check(fd, "a program of two instructions cannot be loaded"))


def _helper(program: int, helper: int) -> None:
    if not {"CAP_BPF", "CAP_SYS_ADMIN"} & capabilities():
        raise NeedsPrivileges("a probe loads a program", detail="needs CAP_BPF")
    answer = lib().libbpf_probe_bpf_helper(program, helper, None)
    check(min(answer, 0), "the probe failed")
    if answer == 0:
        raise XdpwallError("the kernel does not know it")


def _map(kind: MapType, key: int, value: int, flags: int) -> None:
    create_map(kind, "xdpwall_probe", key, value, 1, flags).close()


def _array_of_maps() -> None:
    with create_map(MapType.ARRAY, "xdpwall_probe", 4, 4, 1) as inner:
        create_map(MapType.ARRAY_OF_MAPS, "xdpwall_probe", 4, 4, 1, inner=inner).close()


def _batch() -> None:
    with create_map(MapType.ARRAY, "xdpwall_probe", 4, 4, 2) as array:
        array.update_batch(bytes(4) + (1).to_bytes(4, "little"), bytes(8), 2)
