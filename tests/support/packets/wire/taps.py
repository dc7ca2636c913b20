"""Programs around ours on a veth: a tap before it, a tap behind it, and one that adds tags.

A frame's source address carries its number and, if wanted, a tag to be put beside it:
02, TCI (2 bytes, ffff for none), number (3 bytes). No rule looks at it.
"""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.kernel.clang import compile_bpf
from tests.support.net.netns import Namespace
from xdpwall.closing import Closing
from xdpwall.kernel.bpf.objects import load_object
from xdpwall.kernel.net.tc import Direction, tc_add, tc_ensure_clsact, tc_filters, tc_replace

MOST = 4096
"""Frames that are told apart."""
UNTAGGED = 0xFFFF
"""In a source address: no tag beside the frame."""
PUSH, BEFORE, OURS, AFTER = 1, 2, 10, 20
"""Priorities: in this order a packet meets them."""

_SOURCE = """
#define MOST 4096

struct seen { __u32 before, after, len, linear, vlan, segs; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MOST);
	__type(key, __u32);
	__type(value, struct seen);
} seen SEC(".maps");

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(map_flags, BPF_F_MMAPABLE);
	 __uint(max_entries, 1); __type(key, __u32); __type(value, __u64[4]); } tallies SEC(".maps");

static __always_inline struct seen *find(struct __sk_buff *ctx)
{
	__u8 mac[6];
	__u32 key;

	if (bpf_skb_load_bytes(ctx, 6, mac, 6) || mac[0] != 2)
		return 0;
	key = mac[3] << 16 | mac[4] << 8 | mac[5];
	return bpf_map_lookup_elem(&seen, &key);
}

SEC("tc") int push(struct __sk_buff *ctx)
{
	__u8 mac[6];

	if (!bpf_skb_load_bytes(ctx, 6, mac, 6) && mac[0] == 2 && (mac[1] & mac[2]) != 0xff)
		bpf_skb_vlan_push(ctx, 0x0081, mac[1] << 8 | mac[2]);
	return TC_ACT_UNSPEC;
}

SEC("tc") int before(struct __sk_buff *ctx)
{
	struct seen *s = find(ctx);

	if (s) {
		__sync_fetch_and_add(&s->before, 1);
		s->len = ctx->len;
		s->linear = ctx->data_end - ctx->data;
		s->vlan = ctx->vlan_present ? 0x10000 | ctx->vlan_tci : 0;
		s->segs = ctx->gso_segs;
	}
	return TC_ACT_UNSPEC;
}

/* Eats the frame as if all were well: nothing further on shall answer it. */
SEC("tc") int after(struct __sk_buff *ctx)
{
	struct seen *s = find(ctx);

	if (s)
		__sync_fetch_and_add(&s->after, 1);
	return TC_ACT_STOLEN;
}

/* Any traffic: packets as the kernel hands them over, segments in them, bytes, longest. */
SEC("tc") int tally(struct __sk_buff *ctx)
{
	__u32 zero = 0;
	__u64 *t = bpf_map_lookup_elem(&tallies, &zero);

	if (t) {
		__sync_fetch_and_add(&t[0], 1);
		__sync_fetch_and_add(&t[1], ctx->gso_segs);
		__sync_fetch_and_add(&t[2], ctx->len);
		if (ctx->len > t[3])
			t[3] = ctx->len;
	}
	return TC_ACT_UNSPEC;
}
"""


@functools.cache
def _object() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return compile_bpf(Path(folder), _SOURCE).read_bytes()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the taps saw of one frame."""

    before: int
    """How often it came to our program."""
    after: int
    """How often it went on from there."""
    size: int
    linear: int
    """Bytes in the packet's linear part."""
    vlan: int | None
    """The TCI of a tag beside it."""
    segments: int
    """gso_segs"""


class Taps(Closing):
    """The tap programs; they stay attached until the namespace is removed."""

    def __init__(self) -> None:
        self._loaded = load_object(_object())
        self._seen: np.ndarray[Any, np.dtype[np.uint32]] = np.frombuffer(
            self._loaded.maps["seen"].mmap(), np.uint32, 6 * MOST
        ).reshape(MOST, 6)
        self._tally: np.ndarray[Any, np.dtype[np.uint64]] = np.frombuffer(
            self._loaded.maps["tallies"].mmap(), np.uint64, 4
        )

    def attach(
        self, space: Namespace, iface: str, direction: Direction, name: str, prio: int
    ) -> None:
        """Attach the tap of that name."""
        attach_tc(space, iface, direction, self._loaded.programs[name].fileno(), prio)

    def clear(self) -> None:
        """Forget every frame."""
        self._seen[:] = 0
        self._tally[:] = 0

    def __getitem__(self, number: int) -> Seen:
        before, after, size, linear, vlan, segments = (int(word) for word in self._seen[number])
        return Seen(before, after, size, linear, vlan & 0xFFFF if vlan else None, segments)

    @property
    def tally(self) -> tuple[int, int, int, int]:
        """Packets, segments in them, bytes, and the longest in bytes."""
        packets, segments, size, longest = (int(word) for word in self._tally)
        return packets, segments, size, longest

    def close(self) -> None:
        """Close the programs, which stay attached."""
        del self._seen, self._tally
        self._loaded.close()


def attach_tc(space: Namespace, iface: str, direction: Direction, fd: int, prio: int) -> None:
    """Attach a tc program, or replace the one at that priority."""
    index = space.index(iface)
    with space.inside():
        tc_ensure_clsact(index, direction)
        there = any(f.prio == prio for f in tc_filters(index, direction))
        change = tc_replace if there else tc_add
        change(index, direction, fd, name=f"xwt{prio}", prio=prio, handle=1)


def stamped(frame: bytes, number: int, beside: int | None = None) -> bytes:
    """The frame with its number, and the TCI of a tag to be put beside it, in its source."""
    tci = UNTAGGED if beside is None else beside
    return frame[:6] + b"\x02" + tci.to_bytes(2, "big") + number.to_bytes(3, "big") + frame[12:]


def beside(frame: bytes) -> int | None:
    """The TCI that `stamped` wrote."""
    tci = int.from_bytes(frame[7:9], "big")
    return None if tci == UNTAGGED else tci
