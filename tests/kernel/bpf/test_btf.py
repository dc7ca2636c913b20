"""The BTF reader against what clang writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kernel.clang import compile_bpf
from xdpwall.errors import Failed
from xdpwall.kernel.bpf.btf import Btf, Member
from xdpwall.kernel.bpf.objects import read_btf

SOURCE = """
enum colour { RED = 3, BLUE = -1 };
typedef const volatile __u32 number_t;
struct inner { __u8 a; __u32 b; };
union both { __u16 small; __u64 big; };
struct shape {
	__u8 first;
	__u64 wide;
	struct inner pair[3];
	union both either;
	number_t typed;
	enum colour colour;
	void *pointer;
	char tail[5];
};
struct bits { __u32 low : 3; __u32 high : 29; };
const volatile struct shape constant = {};
const volatile struct bits flags = {};
volatile __u32 data = 1;
volatile __u16 zero;

SEC("xdp") int all(struct xdp_md *ctx)
{
	return constant.first + flags.high + data + zero + constant.colour;
}
"""


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Btf:
    return read_btf(compile_bpf(tmp_path_factory.mktemp("btf"), SOURCE))


def test_members_and_their_sizes(types: Btf) -> None:
    size, members = types.struct("shape")
    assert members == {
        "first": Member(0, 1),
        "wide": Member(8, 8),
        "pair": Member(16, 24),
        "either": Member(40, 8),
        "typed": Member(48, 4),
        "colour": Member(52, 4),
        "pointer": Member(56, 8),
        "tail": Member(64, 5),
    }
    assert size == 72


def test_sections(types: Btf) -> None:
    assert {name: place.size for name, place in types.section(".rodata").items()} == {
        "constant": 72,
        "flags": 4,
    }
    offsets = {place.offset for place in types.section(".rodata").values()}
    assert offsets == {0, 72}
    assert types.section(".data") == {"data": Member(0, 4)}
    assert types.section(".bss") == {"zero": Member(0, 2)}


def test_enums(types: Btf) -> None:
    assert types.enum("colour") == {"RED": 3, "BLUE": -1}


def test_what_is_not_there(types: Btf) -> None:
    with pytest.raises(Failed, match="no struct nothing"):
        types.struct("nothing")
    with pytest.raises(Failed, match="no enum nothing"):
        types.enum("nothing")
    with pytest.raises(Failed, match="struct bits has a bit-field"):
        types.struct("bits")


@pytest.mark.parametrize("raw", [b"", bytes(24), b"\x9f\xeb"])
def test_not_btf(raw: bytes) -> None:
    with pytest.raises(Failed, match="no BTF: compile it with -g"):
        Btf(raw)


def test_an_object_without_btf_cannot_have_constants(tmp_path: Path) -> None:
    assert read_btf(compile_bpf(tmp_path, "")).section(".rodata") == {}
