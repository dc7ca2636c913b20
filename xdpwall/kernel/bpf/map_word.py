"""A u64 of an array map, changed by compare-and-exchange: several processes may write it at once.

Python has no atomic instructions, and no library that is surely there lends them. The kernel has them:
a program of some twenty instructions (BPF_PROG_TYPE_SYSCALL, Linux 5.14) that user space runs by bpf(2).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable

from xdpwall.closing import Closing

from .libbpf import ProgramLoadOpts, TestRunOpts, check, lib
from .maps import Map
from .programs import Program

_SYSCALL, _SLEEPABLE = 31, 1 << 4  # BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE of linux/bpf.h
_INSTRUCTION = struct.Struct("=BBhi")
_WORDS = struct.Struct("=QQQ")

# linux/bpf_common.h, linux/bpf.h: class | size | mode, or class | operation | source
_LOAD, _STORE, _STORE_NUMBER = 0x79, 0x7B, 0x62  # LDX, STX: BPF_DW | BPF_MEM; ST: BPF_W | BPF_MEM
_ATOMIC, _CMPXCHG = 0xDB, 0xF1  # STX | BPF_DW | BPF_ATOMIC; BPF_CMPXCHG
_MAP, _MAP_FD = 0x18, 1  # LD | BPF_IMM | BPF_DW; BPF_PSEUDO_MAP_FD
_MOVE, _MOVE_NUMBER, _ADD_NUMBER = 0xBF, 0xB7, 0x07
_JUMP_IF, _JUMP_LESS, _CALL, _EXIT = 0x15, 0xAD, 0x85, 0x95  # BPF_JEQ | BPF_K, BPF_JLT | BPF_X
_LOOKUP, _JIFFIES = 1, 118  # bpf_map_lookup_elem(), bpf_jiffies64()
_STACK = 10  # the frame pointer
_NEVER = (1 << 64) - 1


class MapWord(Closing):
    """One element of an array map of u64."""

    def __init__(self, table: Map, index: int = 0) -> None:
        """The map must stay open."""
        if table.info.value_size != 8 or not 0 <= index < table.info.max_entries:
            raise ValueError(f"map {table.info.name} has no u64 at {index}")
        self._map = table
        self._index = index
        self._program: Program | None = None

    def compare_exchange(self, expected: int, new: int, *, before: int = _NEVER) -> int | None:
        """Store `new` where the word is `expected`, in one step for every process and packet. Returns
        what the word was. Everything that this thread wrote before is visible to whoever sees `new`.

        None, and nothing stored, when it is `before` (jiffies64) or later.
        """
        program = self._program = self._program or self._load()
        words = ctypes.create_string_buffer(_WORDS.pack(expected, new, before), _WORDS.size)
        self._run(program, words)
        found, _, jiffies = _WORDS.unpack(words.raw)
        return int(found) if jiffies < before else None

    def jiffies(self) -> int:
        """What jiffies64 is now, the clock of deadlines in the kernel: it stands still in suspension,
        and setting the time does not move it."""
        program = self._program = self._program or self._load()
        words = ctypes.create_string_buffer(_WORDS.pack(0, 0, 0), _WORDS.size)
        self._run(program, words)
        return int(_WORDS.unpack(words.raw)[2])

    def update(self, seen: int, change: Callable[[int], int]) -> int:
        """Exchange the word for `change(word)`, and again if another process was faster. `seen` is what
        it was a moment ago. Returns what it was before."""
        while (found := self.compare_exchange(seen, change(seen))) != seen:
            assert found is not None, "it never is _NEVER"
            seen = found
        return seen

    def close(self) -> None:
        """Close the program; the map stays open."""
        if self._program is not None:
            self._program.close()
            self._program = None

    def _run(self, program: Program, words: ctypes.Array[ctypes.c_char]) -> None:
        options = TestRunOpts(
            sz=ctypes.sizeof(TestRunOpts),
            ctx_in=ctypes.cast(words, ctypes.c_void_p),
            ctx_size_in=_WORDS.size,
        )
        result = lib().bpf_prog_test_run_opts(program.fileno(), ctypes.byref(options))
        check(result, f"a word of map {self._map.info.name} cannot be exchanged")

    def _load(self) -> Program:
        code = (
            (_MOVE, 6 | 1 << 4, 0, 0),  # r6 = the three words that compare_exchange() gives
            (_LOAD, 8 | 6 << 4, 16, 0),  # r8 = before
            (_CALL, 0, 0, _JIFFIES),
            (_STORE, 6 | 0 << 4, 16, 0),
            (_JUMP_LESS, 0 | 8 << 4, 2, 0),  # while jiffies < before
            (_MOVE_NUMBER, 0, 0, 0),
            (_EXIT, 0, 0, 0),
            (_STORE_NUMBER, _STACK, -4, self._index),
            (_MOVE, 2 | _STACK << 4, 0, 0),
            (_ADD_NUMBER, 2, 0, -4),
            (_MAP, 1 | _MAP_FD << 4, 0, self._map.fileno()),
            (0, 0, 0, 0),
            (_CALL, 0, 0, _LOOKUP),
            (_JUMP_IF, 0, 5, 0),  # never, but the verifier does not know
            (_MOVE, 7 | 0 << 4, 0, 0),
            (_LOAD, 0 | 6 << 4, 0, 0),  # r0 = expected
            (_LOAD, 3 | 6 << 4, 8, 0),  # r3 = new
            (_ATOMIC, 7 | 3 << 4, 0, _CMPXCHG),  # r0 = *r7, which becomes r3 where it was r0
            (_STORE, 6 | 0 << 4, 0, 0),  # expected = r0
            (_MOVE_NUMBER, 0, 0, 0),
            (_EXIT, 0, 0, 0),
        )
        data = b"".join(_INSTRUCTION.pack(*instruction) for instruction in code)
        options = ProgramLoadOpts(sz=ctypes.sizeof(ProgramLoadOpts), prog_flags=_SLEEPABLE)
        result = lib().bpf_prog_load(
            _SYSCALL, b"xdpwall_word", b"GPL", data, len(code), ctypes.byref(options)
        )
        return Program(check(result, "the program that exchanges a word cannot be loaded"))
