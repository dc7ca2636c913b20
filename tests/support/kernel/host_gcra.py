"""bpf/gcra.h compiled for the host: the buckets of rates, with a clock and memory of the test's."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np

from tests.support.paths import ROOT
from xdpwall.compiler.rates import kernel_rate
from xdpwall.dataplane.rate_maps import PLACES, RATE, SOURCE
from xdpwall.values.rates import Rate

_SOURCE = """
#include "gcra.h"

int take(struct xw_rate *r, struct xw_source *line, __u64 key, __u32 tokens, __u64 tick, int peek)
{
	if (tokens > r->burst)
		return TAKEN_NONE;
	if (line)
		return peek ? take_source_tokens(line, r, key, tokens, tick, true) :
			      take_source_tokens(line, r, key, tokens, tick, false);
	return peek ? take_tokens(&r->bucket, r, tokens, tick, true) :
		      take_tokens(&r->bucket, r, tokens, tick, false);
}

/* `times` packets of one token each; how many got it. */
long take_many(struct xw_rate *r, struct xw_source *line, __u64 key, __u64 tick, long times)
{
	long taken = 0;

	for (long n = 0; n < times; n++)
		taken += take(r, line, key, 1, tick, 0) != TAKEN_NONE;
	return taken;
}
"""


class HostBuckets:
    """The functions of gcra.h. TAKEN_... are what take() returns."""

    NONE, TAKEN, FORGOTTEN = 0, 1, 2

    def __init__(self, folder: Path) -> None:
        source, built = folder / "gcra.c", folder / "gcra.so"
        source.write_text(_SOURCE)
        inline = "-D__always_inline=inline __attribute__((always_inline))"
        command = ["clang", "-O2", "-shared", "-fPIC", inline, f"-I{ROOT / 'bpf'}"]
        subprocess.run([*command, "-o", built, source], check=True)
        library = ctypes.CDLL(str(built))
        self._take, self._take_many = library.take, library.take_many
        key, pointer = ctypes.c_uint64, ctypes.c_void_p
        self._take.argtypes = [pointer, pointer, key, ctypes.c_uint32, key, ctypes.c_int]
        self._take_many.argtypes = [pointer, pointer, key, key, ctypes.c_long]
        self._take_many.restype = ctypes.c_long

    @staticmethod
    def rate(rate: Rate, hertz: int) -> np.ndarray:
        """A struct xw_rate with a full bucket, as an array of one."""
        made = np.zeros(1, RATE)
        for name, value in kernel_rate(rate, hertz).items():
            made[name] = value
        return made

    @staticmethod
    def line() -> np.ndarray:
        """The places of a line, none taken."""
        return np.zeros(PLACES, SOURCE)

    def take(
        self,
        rate: np.ndarray,
        tick: int,
        tokens: int = 1,
        *,
        line: np.ndarray | None = None,
        key: int = 0,
        peek: bool = False,
    ) -> int:
        """Let one packet ask for its tokens."""
        places = None if line is None else line.ctypes.data
        return int(self._take(rate.ctypes.data, places, key, tokens, tick, peek))

    def take_many(
        self,
        rate: np.ndarray,
        tick: int,
        times: int,
        *,
        line: np.ndarray | None = None,
        key: int = 0,
    ) -> int:
        """Let many packets ask for one token each; other threads may do so meanwhile."""
        places = None if line is None else line.ctypes.data
        return int(self._take_many(rate.ctypes.data, places, key, tick, times))
