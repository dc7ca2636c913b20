"""Loading objects: constants, sizes, shared maps, choice of programs, and every refusal."""

from __future__ import annotations

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.kernel.clang import compile_bpf
from tests.support.service.fds import no_new_fds
from tests.support.service.unprivileged import as_nobody
from xdpwall.errors import Failed, Full, NeedsPrivileges, Unsupported
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import create_map
from xdpwall.kernel.bpf.objects import MapSize, load_object, read_btf
from xdpwall.kernel.bpf.programs import BPF_F_XDP_HAS_FRAGS

BPF_F_STRICT_ALIGNMENT = 1
FRAME = bytes(64)
SOURCE = """
const volatile __u64 wide = 1;
const volatile __u32 number = 7;
const volatile __s16 small = -2;
const volatile __u8 key[6];

struct shape { __u32 a; __u64 b; __u8 c[3]; };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} shared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 16);
} sized SEC(".maps");

SEC("xdp") int get_number(struct xdp_md *ctx) { return number; }
SEC("xdp") int get_small(struct xdp_md *ctx) { return small; }
SEC("xdp") int get_wide(struct xdp_md *ctx) { return wide >> 32; }
SEC("xdp") int get_key(struct xdp_md *ctx) { return key[0] | key[5] << 8; }

SEC("xdp") int get_shared(struct xdp_md *ctx)
{
	__u32 index = 3;
	__u64 *value = bpf_map_lookup_elem(&shared, &index);
	return value ? *value : 0;
}

SEC("xdp") int use_sized(struct xdp_md *ctx)
{
	__u32 index = 2;
	return bpf_map_lookup_elem(&sized, &index) != 0;
}

SEC("xdp") int unaligned(struct xdp_md *ctx)
{
	char *data = (void *)(long)ctx->data;

	if (data + 8 > (char *)(long)ctx->data_end)
		return XDP_ABORTED;
	return *(volatile __u32 *)(data + 1);
}

SEC("tc") int tc_pass(struct __sk_buff *skb) { return TC_ACT_UNSPEC; }
"""
BAD = """
SEC("xdp") int reads_past(struct xdp_md *ctx) { return ((char *)(long)ctx->data)[20]; }
SEC("xdp") int fine(struct xdp_md *ctx) { return 2; }
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_bpf(tmp_path_factory.mktemp("objects"), SOURCE)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_bpf(tmp_path_factory.mktemp("bad"), BAD)


@pytest.mark.parametrize(
    ("program", "constants", "wanted"),
    [
        ("get_number", {}, 7),
        ("get_number", {"number": 4_000_000_000}, 4_000_000_000),
        ("get_number", {"small": 1}, 7),
        ("get_small", {}, 0xFFFF_FFFE),
        ("get_small", {"small": -300}, 0xFFFF_FED4),
        ("get_wide", {"wide": 5 << 32}, 5),
        ("get_key", {"key": b"\x11\0\0\0\0\x22"}, 0x2211),
        ("get_key", {"key": 0x22_00_00_00_00_11}, 0x2211),
    ],
)
def test_constants_are_what_the_program_sees(
    built: Path, program: str, constants: dict[str, int | bytes], wanted: int
) -> None:
    with load_object(built, rodata=constants, programs=[program]) as loaded:
        assert loaded.programs[program].test_run(FRAME).retval == wanted


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"nothing": 1}, "no constant nothing"),
        ({"small": 1 << 16}, "65536 does not fit 2 bytes"),
        ({"small": -40_000}, "-40000 does not fit 2 bytes"),
        ({"key": b"12345"}, "key has 6 bytes, got 5"),
    ],
)
def test_a_constant_that_the_object_does_not_have(
    built: Path, constants: dict[str, int | bytes], words: str
) -> None:
    with no_new_fds(), pytest.raises(Failed, match=words) as caught:
        load_object(built, rodata=constants)
    assert caught.value.code == "object-mismatch"
    assert "make bpf" in (caught.value.hint or "")


def test_sizes_are_set_before_the_maps_are_made(built: Path) -> None:
    sizes = {"sized": MapSize(max_entries=3, value_size=4096), "shared": MapSize(max_entries=9)}
    with load_object(built, sizes=sizes) as loaded:
        assert (loaded.maps["sized"].info.max_entries, loaded.maps["sized"].info.value_size) == (
            3,
            4096,
        )
        assert (loaded.maps["shared"].info.max_entries, loaded.maps["shared"].info.value_size) == (
            9,
            8,
        )
        assert loaded.programs["use_sized"].test_run(FRAME).retval == 1


def test_without_a_size_the_objects_own_stays(built: Path) -> None:
    with load_object(built) as loaded:
        assert loaded.maps["sized"].info.max_entries == 1
        assert loaded.programs["use_sized"].test_run(FRAME).retval == 0
        assert set(loaded.maps) == {"shared", "sized"}


def test_a_reused_map_is_the_same_map(built: Path) -> None:
    with create_map(MapType.ARRAY, "shared", 4, 8, 100) as mine:
        mine.update(3, (41).to_bytes(8, "little"))
        with load_object(built, reuse={"shared": mine}) as loaded:
            assert loaded.maps["shared"].info.id == mine.info.id
            assert loaded.maps["shared"].info.max_entries == 100
            assert loaded.programs["get_shared"].test_run(FRAME).retval == 41
            assert mine.info.id in loaded.programs["get_shared"].map_ids
        assert mine.lookup(3) == (41).to_bytes(8, "little")  # still the caller's


def test_a_map_of_another_shape_is_not_reused(built: Path) -> None:
    with (
        create_map(MapType.HASH, "shared", 8, 8, 4) as other,
        no_new_fds(),
        pytest.raises(Failed, match="map shared is of type 1 with keys of 8") as caught,
    ):
        load_object(built, reuse={"shared": other})
    assert caught.value.code == "object-mismatch"


def test_unknown_maps_and_programs_are_named(built: Path) -> None:
    with pytest.raises(Failed, match="no map rows") as caught:
        load_object(built, sizes={"rows": MapSize(1)})
    assert caught.value.detail == "it has: shared, sized"
    with pytest.raises(Failed, match="no program xw_xdp"):
        load_object(built, programs=["xw_xdp"])
    with pytest.raises(Failed, match="no program xw_tc"):
        load_object(built, flags={"xw_tc": 1})


def test_only_the_chosen_programs_are_loaded(bad: Path) -> None:
    with load_object(bad, programs=["fine"]) as loaded:
        assert set(loaded.programs) == {"fine"}
        assert loaded.programs["fine"].test_run(FRAME).retval == 2


def test_flags_reach_the_kernel(built: Path) -> None:
    """The verifier refuses an unaligned access only when told to be strict."""
    with load_object(built, programs=["unaligned"]) as loaded:
        assert loaded.programs["unaligned"].test_run(FRAME).retval == 0
    with pytest.raises(Unsupported, match="misaligned"):
        load_object(built, programs=["unaligned"], flags={"unaligned": BPF_F_STRICT_ALIGNMENT})
    flags = {"get_number": BPF_F_XDP_HAS_FRAGS}
    with load_object(built, programs=["get_number"], flags=flags) as loaded:
        assert loaded.programs["get_number"].test_run(bytes(9000)).retval == 7


def test_bytes_instead_of_a_path(built: Path) -> None:
    with load_object(built.read_bytes(), programs=["get_number"]) as loaded:
        assert loaded.programs["get_number"].name == "get_number"


def test_a_missing_object_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="BPF object missing: run `make bpf`") as caught:
        load_object(tmp_path / "xdp.bpf.o")
    assert caught.value.code == "object-missing"
    assert str(tmp_path) in (caught.value.detail or "")


@pytest.mark.parametrize("content", [b"", b"not ELF at all", b"\x7fELF" + bytes(200)])
def test_a_broken_object(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "xdp.bpf.o"
    broken.write_bytes(content)
    with no_new_fds(), pytest.raises(Failed, match="not a BPF object") as caught:
        load_object(broken)
    assert caught.value.code == "object-broken"


def test_the_verifiers_reason_is_in_the_message(bad: Path) -> None:
    with no_new_fds(), pytest.raises(Unsupported, match="program reads_past") as caught:
        load_object(bad)
    error = caught.value
    assert error.code == "verifier"
    assert "invalid access to packet, off=20" in error.message
    assert "processed" not in (error.detail or "")
    assert (error.detail or "").startswith("EACCES (13)")
    assert "r0 = *(u8 *)(r1 +20)" in (error.detail or "")


def test_a_long_verifier_log_keeps_its_end(tmp_path: Path) -> None:
    """A log of thousands of lines: the steps before the refusal are shown, not the first ones."""
    source = """
    SEC("xdp") int many_steps(struct xdp_md *ctx)
    {
        volatile __u32 sum = 0;
    #pragma clang loop unroll(disable)
        for (int i = 0; i < 2000; i++)
            sum += i;
        return ((char *)(long)ctx->data)[99] + sum;
    }"""
    with pytest.raises(Unsupported, match="off=99") as caught:
        load_object(compile_bpf(tmp_path, source))
    assert "many_steps" in caught.value.message
    assert 10 < len((caught.value.detail or "").splitlines()) <= 41


def test_unprivileged(built: Path) -> None:
    data = built.read_bytes()
    error = as_nobody(lambda: load_object(data))
    assert isinstance(error, NeedsPrivileges)
    assert "CAP_BPF" in (error.hint or "")
    assert (error.detail or "").startswith("EPERM (1)")


def test_three_capabilities_are_enough(built: Path) -> None:
    """What the hint of NeedsPrivileges asks for: root with nothing but these loads and runs."""
    script = f"""
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import create_map
from xdpwall.kernel.bpf.objects import load_object
create_map(MapType.LPM_TRIE, "t", 8, 4, 1, 1).update(bytes(8), bytes(4))
with load_object({str(built)!r}) as loaded:
    print(loaded.programs["get_number"].test_run(bytes(64)).retval)
"""
    only = "-all,+bpf,+net_admin,+perfmon"
    done = subprocess.run(
        ["setpriv", f"--bounding-set={only}", "--inh-caps=-all", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("7\n", "")


def test_loads_at_once_keep_their_logs_apart(tmp_path: Path) -> None:
    objects = []
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        objects.append(compile_bpf(folder, BAD.replace("[20]", f"[{number + 50}]")))

    def reason(built: Path) -> str:
        with pytest.raises(Unsupported) as caught:
            load_object(built)
        return caught.value.message

    with ThreadPoolExecutor(4) as pool:
        reasons = list(pool.map(reason, objects * 10))
    for at, message in enumerate(reasons):
        assert f"off={at % 4 + 50} " in message


def test_a_map_that_does_not_fit_the_kernel(built: Path) -> None:
    size = MapSize(max_entries=1 << 31, value_size=1 << 20)
    with no_new_fds(), pytest.raises(Full, match="map sized cannot be made") as caught:
        load_object(built, sizes={"sized": size})
    assert any(
        errno.errorcode[n] in (caught.value.detail or "") for n in (errno.E2BIG, errno.ENOMEM)
    )


def test_loading_and_closing_leaves_nothing_open(built: Path) -> None:
    with no_new_fds():
        for _ in range(3):
            load_object(built).close()
        forgotten = load_object(built)
        del forgotten


def test_what_is_popped_outlives_the_object(built: Path) -> None:
    with load_object(built) as loaded:
        program = loaded.programs.pop("get_number")
    assert program.test_run(FRAME).retval == 7
    assert loaded.maps["shared"].closed
    program.close()


def test_btf_of_an_object(built: Path) -> None:
    types = read_btf(built)
    places = types.section(".rodata")
    assert {name: place.size for name, place in places.items()} == {
        "wide": 8,
        "number": 4,
        "small": 2,
        "key": 6,
    }
    assert types.section(".nothing") == {}


def test_log_of_one_load_does_not_reach_the_next(bad: Path, built: Path) -> None:
    with pytest.raises(Unsupported):
        load_object(bad)
    with pytest.raises(Full) as caught:
        load_object(built, sizes={"sized": MapSize(1 << 31, 1 << 20)})
    assert "reads_past" not in (caught.value.detail or "")
