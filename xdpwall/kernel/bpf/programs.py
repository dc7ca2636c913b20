"""BPF programs: their descriptions, and test-runs on given bytes."""

from __future__ import annotations

import ctypes
import errno
import functools
from dataclasses import dataclass
from typing import ClassVar

from .handle import Handle
from .libbpf import ProgramInfo, TestRunOpts, check, lib

BPF_F_XDP_HAS_FRAGS = 1 << 5
PROGRAM_TYPES = {3: "tc", 6: "xdp"}  # BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_XDP
_ROOM = 65536 + 256  # the largest frame of a test-run, and bytes that a program may prepend
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class ProgramDescription:
    """The kernel's description of a program, which cuts `name` to 15 characters. Lengths are in
    bytes, 0 where the caller may not see them or the kernel does not tell."""

    id: int
    name: str
    tag: str
    type: int
    map_ids: tuple[int, ...]
    xlated_len: int
    jited_len: int
    verified_insns: int
    load_time: int
    """Nanoseconds of CLOCK_BOOTTIME."""


@dataclass(frozen=True, slots=True)
class TestRun:
    """`retval` is the u32 that the program returned (TC_ACT_UNSPEC is 0xffffffff), `data_out` the
    frame after the last run, `ns` the average of one run."""

    __test__ = False  # not a test class for pytest

    retval: int
    data_out: bytes
    ns: int


class Program(Handle):
    """A loaded program."""

    kind: ClassVar[str] = "prog"

    @functools.cached_property
    def info(self) -> ProgramDescription:
        """The kernel's description, read once: only bind_map() changes it."""
        count = self._describe(ProgramInfo()).nr_map_ids
        ids = (ctypes.c_uint32 * count)()
        raw = self._describe(ProgramInfo(nr_map_ids=count, map_ids=ctypes.addressof(ids)))
        return ProgramDescription(
            id=raw.id,
            name=raw.name.decode(),
            tag=bytes(raw.tag).hex(),
            type=raw.type,
            map_ids=tuple(ids),
            xlated_len=raw.xlated_prog_len,
            jited_len=raw.jited_prog_len,
            verified_insns=raw.verified_insns,
            load_time=raw.load_time,
        )

    def _describe(self, raw: ProgramInfo) -> ProgramInfo:
        size = ctypes.c_uint32(ctypes.sizeof(raw))
        result = lib().bpf_obj_get_info_by_fd(self.fileno(), ctypes.byref(raw), ctypes.byref(size))
        check(result, "a program cannot be described")
        return raw

    @property
    def id(self) -> int:
        return self.info.id

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def tag(self) -> str:
        return self.info.tag

    @property
    def type(self) -> int:
        return self.info.type

    @property
    def map_ids(self) -> tuple[int, ...]:
        return self.info.map_ids

    def bind_map(self, table: Handle) -> None:
        """Name a map, which its code does not use, among the program's maps (Linux 5.10)."""
        result = lib().bpf_prog_bind_map(self.fileno(), table.fileno(), None)
        check(result, "a program cannot name another map")
        self.__dict__.pop("info", None)

    def test_run(
        self,
        data: bytes,
        *,
        repeat: int = 1,
        ctx: bytes | None = None,
        flags: int = 0,
        batch_size: int = 0,
        out_size: int = _ROOM,
    ) -> TestRun:
        """Run on the frame `data` (14 bytes at least), `repeat` times, each on the result of the last.

        `ctx` is a struct xdp_md or __sk_buff. The program counts the frame like a packet. With BPF_F_TEST_XDP_LIVE_FRAMES
        the frames are real ones, `out_size` must be 0, and `batch_size` is how many go at once.
        """
        out = ctypes.create_string_buffer(out_size) if out_size else None
        for attempt in range(_ATTEMPTS):
            options = TestRunOpts(
                sz=ctypes.sizeof(TestRunOpts),
                data_in=ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p),
                data_size_in=len(data),
                data_out=ctypes.cast(out, ctypes.c_void_p) if out else None,
                data_size_out=out_size,
                ctx_in=ctypes.cast(ctypes.c_char_p(ctx), ctypes.c_void_p),
                ctx_size_in=len(ctx or b""),
                repeat=repeat,
                flags=flags,
                batch_size=batch_size,
            )
            result = lib().bpf_prog_test_run_opts(self.fileno(), ctypes.byref(options))
            if result != -errno.EINTR or attempt == _ATTEMPTS - 1:
                break
        check(result, f"program {self.name} cannot be run on {len(data)} bytes")
        shown = out.raw[: options.data_size_out] if out else b""
        return TestRun(options.retval, shown, options.duration)
