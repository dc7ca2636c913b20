"""A rule's rate in the units of the kernel's buckets (bpf/gcra.h). Pure."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from xdpwall.abi import TICK_SHIFT
from xdpwall.values.rates import Rate

_UNITS = 1 << TICK_SHIFT
"""Of a tick."""
_MARK = 63
"""The bits of a bucket that are no time."""
_SHIFT = 10
"""The most by which what a token takes is finer than a unit: rates of bytes are high numbers."""


def kernel_rate(rate: Rate, hertz: int) -> dict[str, int]:
    """The fields of a RATE, at so many ticks a second.

    A token's cost is rounded up, so that no more pass than the rate says. Where tokens are packets it
    is a multiple of 64 units, since the lowest bits of a bucket are a mark: then just `burst` of them
    fill a bucket. Bytes cost less than a unit each, and the sum of a packet is rounded.
    """
    one = Fraction(hertz * _UNITS) / rate.per_second
    shift = 0
    if rate.bytes:
        while shift < _SHIFT and rate.burst * ceil(one * 2 ** (shift + 1)) < 1 << 63:
            shift += 1
        token = ceil(one * 2**shift)
        depth = -(-(rate.burst * token) >> shift) + _MARK & ~_MARK
    else:
        token = ceil(one) + _MARK & ~_MARK
        depth = rate.burst * token
    bits = rate.source_bits
    v4, v6 = (32 if bits is None else min(bits, 32)), (64 if bits is None else bits)
    return {
        "token": token,
        "depth": depth,
        "burst": rate.burst,
        "shift": shift,
        "bytes": int(rate.bytes),
        "bits4": v4 if rate.per_source else 0,
        "bits6": v6 if rate.per_source else 0,
    }
