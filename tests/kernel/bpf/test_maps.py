"""Real maps: elements, errors, pins, memory mappings."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.net.netns import Lab
from tests.support.service.fds import no_new_fds, open_fds
from tests.support.service.unprivileged import as_nobody
from xdpwall.errors import Conflict, Failed, Full, InvalidInput, NeedsPrivileges, NotFound
from xdpwall.kernel.bpf.atomic_words import load_u64, store_u64
from xdpwall.kernel.bpf.libbpf import cpus
from xdpwall.kernel.bpf.map_info import BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, MapType
from xdpwall.kernel.bpf.maps import Map, create_map

NOEXIST, EXIST = 1, 2


def key(number: int) -> bytes:
    return struct.pack("<I", number)


def value(number: int) -> bytes:
    return struct.pack("<Q", number)


def test_the_kernels_description() -> None:
    with create_map(MapType.LPM_TRIE, "prefixes", 8, 4, 77, BPF_F_NO_PREALLOC) as table:
        info = table.info
        assert info.id > 0
        assert (info.name, info.type, info.flags) == ("prefixes", MapType.LPM_TRIE, 1)
        assert (info.key_size, info.value_size, info.max_entries) == (8, 4, 77)
        with Map.open_id(info.id) as again:
            assert again.info == info


def test_elements_of_a_hash() -> None:
    with create_map(MapType.HASH, "h", 4, 8, 10) as table:
        assert table.lookup(key(1)) is None
        assert list(table.keys()) == []
        table.update(key(1), value(10))
        table.update(2, value(20))  # an int is a u32 key
        assert table.lookup(1) == value(10)
        assert set(table.keys()) == {key(1), key(2)}
        assert table.delete(key(1)) is True
        assert table.delete(key(1)) is False
        assert list(table.keys()) == [key(2)]


def test_update_flags() -> None:
    with create_map(MapType.HASH, "h", 4, 8, 10) as table:
        with pytest.raises(NotFound):
            table.update(1, value(1), EXIST)
        table.update(1, value(1), NOEXIST)
        with pytest.raises(Conflict):
            table.update(1, value(2), NOEXIST)
        assert table.lookup(1) == value(1)


@pytest.mark.parametrize("kind", [MapType.HASH, MapType.LPM_TRIE])
def test_a_full_map(kind: MapType) -> None:
    flags = BPF_F_NO_PREALLOC if kind == MapType.LPM_TRIE else 0
    with create_map(kind, "small", 8, 8, 2, flags) as table:
        for number in (1, 2):
            table.update(key(32) + key(number), value(0))
        with pytest.raises(Full, match=r"map small is full \(2 entries\)") as caught:
            table.update(key(32) + key(3), value(0))
        assert caught.value.code == "full"
        assert (caught.value.detail or "")[:3] in ("E2B", "ENO")


def test_an_index_that_an_array_does_not_have() -> None:
    with create_map(MapType.ARRAY, "a", 4, 8, 2) as table:
        assert table.lookup(2) is None
        with pytest.raises(NotFound, match="map a: no such index"):
            table.update(2, value(1))


def test_sizes_are_checked_before_the_kernel_reads_past_them() -> None:
    with create_map(MapType.ARRAY, "a", 4, 8, 2) as table:
        with pytest.raises(ValueError, match="value of 7 bytes, not 8"):
            table.update(0, bytes(7))
        with pytest.raises(ValueError, match="key of 5 bytes, not 4"):
            table.lookup(bytes(5))


def test_a_map_that_cannot_be_made() -> None:
    with no_new_fds(), pytest.raises(Failed, match="map none cannot be made") as caught:
        create_map(MapType.ARRAY, "none", 4, 8, 0)
    assert (caught.value.detail or "").startswith("EINVAL (22)")


def test_unprivileged() -> None:
    error = as_nobody(lambda: create_map(MapType.LPM_TRIE, "t", 8, 4, 1, BPF_F_NO_PREALLOC).info)
    assert isinstance(error, NeedsPrivileges)
    assert "CAP_BPF" in (error.hint or "")


def test_pins(lab: Lab) -> None:
    path = lab.bpffs / "table"
    with no_new_fds():
        with create_map(MapType.ARRAY, "a", 4, 8, 2) as table:
            table.update(1, value(9))
            table.pin(path)
            with pytest.raises(Conflict):
                table.pin(path)
        with Map.open_pinned(path) as again:
            assert again.lookup(1) == value(9)
        with pytest.raises(NotFound, match="nothing: cannot be opened"):
            Map.open_pinned(lab.bpffs / "nothing")


def test_where_a_pin_cannot_be(lab: Lab, tmp_path: Path) -> None:
    plain = tmp_path / "file"
    plain.touch()
    with create_map(MapType.ARRAY, "a", 4, 8, 2) as table:
        with pytest.raises(InvalidInput, match="has no dot"):
            table.pin(lab.bpffs / "eth0.100")
        with pytest.raises(InvalidInput, match="not on a BPF file system"):
            table.pin(tmp_path / "table")
        with pytest.raises(InvalidInput, match="not on a BPF file system"):
            Map.open_pinned(plain)
        with pytest.raises(NotFound):
            table.pin(lab.bpffs / "no" / "folder")


def test_nobody_may_not_open_a_pin(lab: Lab) -> None:
    path = lab.bpffs / "table"
    with create_map(MapType.ARRAY, "a", 4, 8, 2) as table:
        table.pin(path)
    assert isinstance(as_nobody(lambda: Map.open_pinned(path).info), NeedsPrivileges)


def test_a_mapping_is_the_map() -> None:
    with create_map(MapType.ARRAY, "a", 4, 12, 5, BPF_F_MMAPABLE) as table:
        assert table.stride == 16
        memory = table.mmap()
        assert memory.nbytes == 5 * 16
        memory[16:28] = b"written here"
        assert table.lookup(1) == b"written here"
        table.update(4, b"through bpf.")
        assert bytes(memory[64:76]) == b"through bpf."
        words = np.frombuffer(memory, np.uint8).reshape(5, 16)[:, :12]
        words[3] = 7
        assert table.lookup(3) == bytes([7]) * 12


def test_a_mapping_that_may_not_be_written() -> None:
    with create_map(MapType.ARRAY, "a", 4, 8, 1, BPF_F_MMAPABLE) as table:
        memory = table.mmap(writable=False)
        assert memory.readonly
        table.update(0, value(3))
        assert bytes(memory) == value(3)


def test_a_map_without_the_flag_is_not_mapped() -> None:
    with (
        create_map(MapType.ARRAY, "plain", 4, 8, 1) as table,
        no_new_fds(),
        pytest.raises(Failed, match="map plain cannot be mapped into memory"),
    ):
        table.mmap()


def test_one_store_of_a_control_word() -> None:
    with create_map(MapType.ARRAY, "a", 4, 8, 2, BPF_F_MMAPABLE) as table:
        memory = table.mmap()
        store_u64(memory, 8, (1 << 64) - 2)
        assert table.lookup(1) == value((1 << 64) - 2)
        assert table.lookup(0) == value(0)
        table.update(0, value(77))
        assert load_u64(memory, 0) == 77
        for offset in (-8, 4, 16):
            with pytest.raises(ValueError, match=f"offset {offset} is not"):
                store_u64(memory, offset, 0)
        with pytest.raises(ValueError, match="not a u64"):
            store_u64(memory, 0, 1 << 64)


def test_a_view_outlives_the_map_and_then_lets_go() -> None:
    before = set(open_fds())
    table = create_map(MapType.ARRAY, "a", 4, 8, 1, BPF_F_MMAPABLE)
    words = np.frombuffer(table.mmap(), np.uint64)
    table.close()
    table.close()
    words[0] = 5
    assert words[0] == 5
    del words
    assert set(open_fds()) == before
    with pytest.raises(Failed, match="this BPF map is closed"):
        table.lookup(0)


def test_views_alive_at_exit_are_no_trouble() -> None:
    script = """
import numpy as np
from xdpwall.kernel.bpf.map_info import BPF_F_MMAPABLE, MapType
from xdpwall.kernel.bpf.maps import create_map
table = create_map(MapType.ARRAY, "a", 4, 8, 1, BPF_F_MMAPABLE)
view = table.mmap()
words = np.frombuffer(view, np.uint64)
circle = [view, words]
circle.append(circle)
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_numpy_is_imported_only_for_batches() -> None:
    script = """
import sys
from xdpwall.kernel.bpf import bpffs, objects
from xdpwall.kernel.bpf.map_info import BPF_F_MMAPABLE, MapType
from xdpwall.kernel.bpf.maps import create_map
with create_map(MapType.ARRAY, "a", 4, 8, 1, BPF_F_MMAPABLE) as table:
    table.update(0, bytes(8)); table.lookup(0); table.mmap(); bpffs.wait_grace_period()
print("numpy" in sys.modules, "pyroute2" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False\n"


def test_per_cpu_values_are_one_element_a_cpu() -> None:
    with create_map(MapType.PERCPU_ARRAY, "p", 4, 12, 3) as table:
        assert (table.stride, table.value_bytes) == (16, 16 * cpus())
        whole = b"".join(bytes([n + 1]) * 12 + bytes(4) for n in range(cpus()))
        table.update(2, whole)
        assert table.lookup(2) == whole
        table.zero_percpu(2)
        assert table.lookup(2) == bytes(16 * cpus())
