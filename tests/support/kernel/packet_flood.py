"""Millions of different packets through a program by test-run: a driver in front writes two fields of the
frame anew for each, and tail-calls the program."""

from __future__ import annotations

import functools
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.kernel.clang import compile_bpf
from tests.support.kernel.dataplane import DROPPED, PASSED, KernelBench
from tests.support.oracle.flows.packets import FlowPacket
from xdpwall.closing import Closing
from xdpwall.kernel.bpf.objects import LoadedObject, load_object
from xdpwall.values.terms import Place

_SOURCE = """
const volatile __u32 address_off;  /* 4 bytes that are written */
const volatile __u32 port_off;     /* 2 bytes that are written; 0: none are */
const volatile __u64 seed;

struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 1); __type(key, __u32);
	 __type(value, __u32); } next_program SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32);
	 __type(value, __u64); } sent SEC(".maps");

static __always_inline __u64 draw(__u64 number) /* splitmix64, Vigna 2015 */
{
	number = seed + number * 0x9e3779b97f4a7c15ULL;
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ number >> 27) * 0x94d049bb133111ebULL;
	return number ^ number >> 31;
}

static __always_inline int write_fields(void *data, void *end)
{
	__u32 zero = 0, at = address_off & 127, port = port_off & 127;
	__u64 *number = bpf_map_lookup_elem(&sent, &zero), drawn;

	if (!number || data + at + 4 > end || data + port + 2 > end)
		return -1;
	drawn = draw((*number)++);
	*(__u32 *)(data + at) = drawn;
	if (port)
		*(__u16 *)(data + port) = drawn >> 32;
	return 0;
}

SEC("xdp") int flood_xdp(struct xdp_md *ctx)
{
	if (!write_fields((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		bpf_tail_call(ctx, &next_program, 0);
	return XDP_ABORTED;
}

SEC("tc") int flood_tc(struct __sk_buff *ctx)
{
	if (bpf_skb_pull_data(ctx, 54) == 0 &&
	    !write_fields((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		bpf_tail_call(ctx, &next_program, 0);
	return 99;
}
"""


@dataclass(frozen=True)
class Spoofed:
    """What the driver writes: the address and port of one side, a sequence of its own for each seed."""

    side: str = "src"
    seed: int = 1
    port: bool = True

    def offsets(self, packet: FlowPacket) -> tuple[int, int]:
        """Of the address's last four bytes, and of the port."""
        source = self.side == "src"
        if packet.family == 4:
            address, port = (26, 34) if source else (30, 36)
        else:
            address, port = (34, 54) if source else (50, 56)
        return address, port if self.port else 0


class PacketFlood(Closing):
    """The drivers in front of the programs of a bench. What it keeps belongs to the ruleset loaded."""

    def __init__(self, bench: KernelBench) -> None:
        self._bench = bench
        self._loaded: dict[tuple[Place, int, int, int], LoadedObject] = {}

    def send(self, place: Place, packet: FlowPacket, count: int, spoofed: Spoofed) -> None:
        """`count` packets of the sequence, from its beginning. No program may fail."""
        address, port = spoofed.offsets(packet)
        key = (place, address, port, spoofed.seed)
        if key not in self._loaded:
            self._loaded[key] = self._load(*key)
        loaded = self._loaded[key]
        loaded.maps["sent"].update(0, struct.pack("Q", 0))
        (driver,) = loaded.programs.values()
        code = driver.test_run(packet.frame(), repeat=count, out_size=0).retval
        assert code in (DROPPED[place], PASSED[place]), code

    def _load(self, place: Place, address: int, port: int, seed: int) -> LoadedObject:
        loaded = load_object(
            _built(),
            programs={"flood_xdp" if place == "xdp" else "flood_tc"},
            rodata={"address_off": address, "port_off": port, "seed": seed},
        )
        program = self._bench.program(place)
        loaded.maps["next_program"].update(0, struct.pack("I", program.fileno()))
        return loaded

    def close(self) -> None:
        """Forget the drivers."""
        for loaded in self._loaded.values():
            loaded.close()
        self._loaded.clear()


@functools.cache
def _built() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return compile_bpf(Path(folder), _SOURCE).read_bytes()
