"""The running kernel's BTF, held against what the kernel says of itself elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from xdpwall.errors import Unsupported
from xdpwall.kernel.bpf.btf_kernel import VMLINUX, KernelBtf
from xdpwall.kernel.bpf.objects import object_path


@pytest.fixture(scope="module")
def btf() -> KernelBtf:
    return KernelBtf.read()


def test_reasons_are_those_of_the_tracepoints_format(btf: KernelBtf, tmp_path: Path) -> None:
    shown = subprocess.run(
        [
            "unshare", "-m", "sh", "-c",
            'mount -t tracefs none "$0" && cat "$0/events/skb/kfree_skb/format"', str(tmp_path),
        ],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    told = {name: int(number) for number, name in re.findall(r'\{ (\d+), "(\w+)" \}', shown)}
    assert len(told) > 60
    found = {
        name.removeprefix("SKB_DROP_REASON_"): n for name, n in btf.enum("skb_drop_reason").items()
    }
    assert told.items() <= found.items()
    # The format leaves out what is no drop, and some kernels the end of the list.
    assert found.keys() - told.keys() <= {
        "SKB_NOT_DROPPED_YET",
        "SKB_CONSUMED",
        "MAX",
        "SUBSYS_MASK",
    }


def test_members_are_where_bpftool_finds_them(btf: KernelBtf) -> None:
    dump = subprocess.run(
        ["bpftool", "-j", "btf", "dump", "file", str(VMLINUX)], check=True, capture_output=True
    )
    types = json.loads(dump.stdout)["types"]
    for name in ("task_struct", "bpf_prog", "bpf_prog_aux", "net_device"):
        struct = next(t for t in types if t["kind"] == "STRUCT" and t["name"] == name)
        plain = [
            m for m in struct["members"] if m["name"] != "(anon)" and not m.get("bitfield_size")
        ]
        assert len(plain) > 5
        for member in plain:
            assert btf.member(name, member["name"]).offset == member["bits_offset"] // 8


def test_a_member_of_a_member_adds_up(btf: KernelBtf) -> None:
    whole = btf.member("net", "ns", "inum").offset
    assert whole == btf.member("net", "ns").offset + btf.member("ns_common", "inum").offset
    # Both of these lie in anonymous structs and unions.
    assert btf.member("sk_buff", "head").size == btf.member("sk_buff", "dev").size == 8


def test_arguments_of_tracepoints(btf: KernelBtf) -> None:
    assert btf.arguments("kfree_skb")[:3] == ["pointer", "pointer", "enum skb_drop_reason"]
    assert btf.arguments("xdp_exception") == ["pointer", "pointer", ""]


@pytest.mark.parametrize(
    ("ask", "missing"),
    [
        (lambda btf: btf.member("sk_buff", "dev"), "struct sk_buff"),
        (lambda btf: btf.member("xw_count", "lost"), "struct xw_count has no lost"),
        (lambda btf: btf.enum("skb_drop_reason"), "enum skb_drop_reason"),
        (lambda btf: btf.arguments("kfree_skb"), "tracepoint btf_trace_kfree_skb"),
    ],
)
def test_what_is_missing_is_named(
    ask: Callable[[KernelBtf], object], missing: str, tmp_path: Path
) -> None:
    """Our own object's BTF is one that lacks nearly everything."""
    raw = tmp_path / "btf"
    dump = ["llvm-objcopy", f"--dump-section=.BTF={raw}", str(object_path("xdp")), "/dev/null"]
    subprocess.run(dump, check=True)
    other = KernelBtf(raw.read_bytes())
    with pytest.raises(Unsupported, match=missing):
        ask(other)


def test_a_kernel_without_btf(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="does not describe its types") as caught:
        KernelBtf.read(tmp_path / "vmlinux")
    assert "CONFIG_DEBUG_INFO_BTF" in str(caught.value.hint)
