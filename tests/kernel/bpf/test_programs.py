"""Loaded programs: description, pins, test runs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernel.clang import compile_bpf
from tests.support.net.netns import Lab
from tests.support.service.fds import no_new_fds
from tests.support.service.unprivileged import as_nobody
from xdpwall.errors import Failed, NeedsPrivileges, NotFound
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map, create_map
from xdpwall.kernel.bpf.objects import LoadedObject, load_object
from xdpwall.kernel.bpf.programs import PROGRAM_TYPES, Program

SOURCE = """
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} runs SEC(".maps");

SEC("xdp") int count_and_mark(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&runs, &zero);
	unsigned char *data = (void *)(long)ctx->data;

	if (count)
		(*count)++;
	if (data + 14 > (unsigned char *)(long)ctx->data_end)
		return XDP_ABORTED;
	data[0]++;
	return XDP_DROP;
}

SEC("xdp") int shorten(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_tail(ctx, -20) ? XDP_ABORTED : XDP_TX;
}

SEC("xdp") int a_name_longer_than_fifteen(struct xdp_md *ctx) { return ctx->ingress_ifindex; }

SEC("tc") int mark_of(struct __sk_buff *skb) { return skb->mark; }
SEC("tc") int unspec(struct __sk_buff *skb) { return TC_ACT_UNSPEC; }
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadedObject]:
    with load_object(compile_bpf(tmp_path_factory.mktemp("programs"), SOURCE)) as made:
        yield made


def test_the_kernels_description(loaded: LoadedObject) -> None:
    program = loaded.programs["count_and_mark"]
    info = program.info
    assert program.id == info.id > 0
    assert PROGRAM_TYPES[program.type] == "xdp"
    assert program.name == "count_and_mark"
    assert len(bytes.fromhex(program.tag)) == 8
    assert loaded.maps["runs"].info.id in program.map_ids
    assert info.xlated_len > 0
    assert info.jited_len > 0
    assert info.verified_insns >= info.xlated_len // 16
    assert PROGRAM_TYPES[loaded.programs["unspec"].type] == "tc"
    assert loaded.programs["unspec"].map_ids == ()


def test_the_kernel_cuts_names(loaded: LoadedObject) -> None:
    assert loaded.programs["a_name_longer_than_fifteen"].name == "a_name_longer_t"


def test_open_by_id(loaded: LoadedObject) -> None:
    wanted = loaded.programs["unspec"].info
    with no_new_fds():
        with Program.open_id(wanted.id) as again:
            assert again.info == wanted
        with pytest.raises(NotFound):
            Program.open_id(0x7FFF_FFFF)


def test_open_by_id_wants_privileges(loaded: LoadedObject) -> None:
    number = loaded.programs["unspec"].id
    error = as_nobody(lambda: Program.open_id(number).info)
    assert isinstance(error, NeedsPrivileges)
    assert error.hint is not None and error.hint.startswith("that takes CAP_SYS_ADMIN, ")


def test_a_pin_keeps_the_program(loaded: LoadedObject, lab: Lab) -> None:
    path = lab.bpffs / "3-xdp"
    loaded.programs["shorten"].pin(path)
    with no_new_fds(), Program.open_pinned(path) as again:
        assert again.id == loaded.programs["shorten"].id


def test_maps_and_programs_are_not_mistaken(loaded: LoadedObject, lab: Lab) -> None:
    loaded.programs["unspec"].pin(lab.bpffs / "program")
    with create_map(MapType.ARRAY, "a", 4, 8, 1) as table:
        table.pin(lab.bpffs / "map")
    with no_new_fds():
        with pytest.raises(Failed, match="not a BPF map: bpf-prog"):
            Map.open_pinned(lab.bpffs / "program")
        with pytest.raises(Failed, match="not a BPF prog: bpf-map"):
            Program.open_pinned(lab.bpffs / "map")


def test_a_run_counts_and_gives_the_frame_back(loaded: LoadedObject) -> None:
    loaded.maps["runs"].update(0, bytes(8))
    run = loaded.programs["count_and_mark"].test_run(bytes(60), repeat=1000)
    assert run.retval == 1
    assert run.ns > 0
    assert run.data_out == bytes([1000 % 256]) + bytes(59)
    assert loaded.maps["runs"].lookup(0) == (1000).to_bytes(8, "little")


def test_a_run_that_makes_the_frame_shorter(loaded: LoadedObject) -> None:
    run = loaded.programs["shorten"].test_run(bytes(range(60)))
    assert (run.retval, run.data_out) == (3, bytes(range(40)))


def test_returns_are_unsigned(loaded: LoadedObject) -> None:
    assert loaded.programs["unspec"].test_run(bytes(60)).retval == 0xFFFF_FFFF


def test_a_context_is_passed(loaded: LoadedObject) -> None:
    skb = struct.pack("<3I", 0, 0, 0x1234) + bytes(180)  # len, pkt_type, mark of struct __sk_buff
    assert loaded.programs["mark_of"].test_run(bytes(60), ctx=skb).retval == 0x1234


def test_the_output_may_be_left_out(loaded: LoadedObject) -> None:
    assert loaded.programs["unspec"].test_run(bytes(60), out_size=0).data_out == b""


def test_a_frame_that_the_kernel_does_not_run(loaded: LoadedObject) -> None:
    with pytest.raises(Failed, match="program shorten cannot be run on 13 bytes") as caught:
        loaded.programs["shorten"].test_run(bytes(13))
    assert (caught.value.detail or "").startswith("EINVAL")


def test_a_closed_program_says_so(tmp_path: Path) -> None:
    made = load_object(compile_bpf(tmp_path, SOURCE))
    made.close()
    with pytest.raises(Failed, match="this BPF prog is closed"):
        made.programs["unspec"].test_run(bytes(60))
