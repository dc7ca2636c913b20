"""The kernel's rows against the words: built, updated after edits, converted to larger maps."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.support.kernel.rows import check_rows, words_of
from xdpwall import abi
from xdpwall.abi import PATCHES, PATTERNS
from xdpwall.compiler import row_packing
from xdpwall.compiler.arrays import IndexSet, Pool
from xdpwall.compiler.generation import NEUTRAL_ROW
from xdpwall.compiler.row_growing import grow_rows
from xdpwall.compiler.row_packing import PackedRows, kernel_rows
from xdpwall.compiler.sizes import Sizes
from xdpwall.errors import Full
from xdpwall.values.arrays import Array

EVERY_BIT = (1 << 64) - 1
SIZES = [Sizes(positions=n) for n in (64, 128, 1024, 2048, 4096, 8192, 16384)]


def patterns(sizes: Sizes, rng: np.random.Generator) -> Array:
    of = rng.integers(0, PATTERNS, sizes.positions)
    return np.packbits(of == np.arange(PATTERNS)[:, None], axis=1, bitorder="little").view("<u8")


def rows(sizes: Sizes, rng: np.random.Generator, count: int = 60) -> Array:
    """Row 0 is empty; then come families of rows that differ in a few words, or in many."""
    width = sizes.positions // 64
    words = np.zeros((count, width), dtype="<u8")
    for n in range(1, count):
        if n % 12:
            words[n] = words[n // 12 * 12]
            many = int(rng.integers(0, min(width, PATCHES + 3) + 1))
            words[n, rng.choice(width, many, replace=False)] = rng.integers(0, 1 << 63, many)
        else:
            words[n] = rng.integers(0, 1 << 63, width) * (rng.random(width) < 0.5)
    return words


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: str(getattr(sizes, "positions", sizes)))
@pytest.mark.parametrize("starts", [(), (1,), (5, 24, 50)])
def test_built_rows_have_the_words(sizes: Sizes, starts: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sizes.positions)
    words, of = rows(sizes, rng), patterns(sizes, rng)
    kernel = kernel_rows(words, sizes, of, starts)
    check_rows(kernel, words, sizes, of)
    assert kernel.rows.data.nbytes == len(words) * sizes.row_bytes


def test_similar_rows_are_packed_and_those_before_the_first_start_are_whole() -> None:
    rng, sizes = np.random.default_rng(1), Sizes(positions=16384)
    words = np.zeros((1000, 256), dtype="<u8")
    words[np.arange(1000), rng.integers(0, 256, 1000)] = 7
    of = patterns(sizes, rng)
    assert PackedRows(words, sizes, of, (10,)).whole.count == 11
    assert PackedRows(words, sizes, of, ()).whole.count == 1000


@pytest.mark.parametrize(
    "sizes", SIZES[1:], ids=lambda sizes: str(getattr(sizes, "positions", sizes))
)
def test_update_follows_changed_bits_and_copied_rows(sizes: Sizes) -> None:
    """Bits of single rows, of most rows, and of whole rows that others refer to."""
    rng = np.random.default_rng(sizes.positions + 1)
    words, of = rows(sizes, rng), patterns(sizes, rng)
    kernel = kernel_rows(words, sizes, of, (3,))
    width = sizes.positions // 64
    for step in range(40):
        rows_before, whole_before = kernel.rows.data.copy(), kernel.whole.data.copy()
        before = words.copy()
        columns = {int(w) for w in rng.integers(0, width, 1 + step % 3)}
        bits = {word: 3 | 1 << int(rng.integers(0, 63)) for word in columns}
        for word in columns:
            some = rng.random(len(words)) < rng.choice([0.02, 0.3, 0.95])
            some[0] = False
            words[some, word] ^= np.uint64(bits[word] & ~3 or 1)
        fresh = {}
        if step % 4 == 0:
            like = [int(n) for n in rng.integers(1, len(before), 2)]
            words = np.concatenate([words, before[like]])
            fresh = {len(before): like[0], len(before) + 1: like[1]}
            for word in columns:
                words[-2:, word] ^= rng.integers(0, 4, 2).astype("<u8")
        if not kernel.update(words, bits, fresh, {word: of[:, word] for word in columns}):
            kernel = kernel_rows(words, sizes, of, (3,))
        check_rows(kernel, words, sizes, of)
        for n, (old, new) in enumerate(zip(rows_before, kernel.rows.data, strict=False)):
            assert old.tobytes() == new.tobytes() or n in kernel.written, (
                "changed, but not in `written`"
            )
        for n, (old, new) in enumerate(zip(whole_before, kernel.whole.data, strict=False)):
            assert old.tobytes() == new.tobytes() or n in kernel.written_whole


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: str(getattr(sizes, "positions", sizes)))
def test_a_copied_row_without_bits_is_in_written(sizes: Sizes) -> None:
    """The kernel may still have a row of an earlier, larger generation there."""
    words = np.zeros((5, sizes.positions // 64), dtype="<u8")
    of = patterns(sizes, np.random.default_rng(0))
    kernel = kernel_rows(words, sizes, of, (1,))
    kernel.written = IndexSet()
    assert kernel.update(np.concatenate([words, words[:1]]), {}, {5: 4}, {})
    assert set(kernel.written) == {5}


def test_update_gives_up_when_many_rows_run_out_of_patches() -> None:
    rng, sizes = np.random.default_rng(3), Sizes(positions=2048)
    words, of = np.zeros((200, 32), dtype="<u8"), patterns(sizes, np.random.default_rng(4))
    kernel = kernel_rows(words, sizes, of, (1,))
    for word in range(PATCHES + 1):
        words[10:, word] = rng.integers(1, 1 << 60)
        assert kernel.update(words, {word: EVERY_BIT}, {}, {word: of[:, word]}) == (word < PATCHES)
    kernel = kernel_rows(words, sizes, of, (1,))
    check_rows(kernel, words, sizes, of)
    assert kernel.whole.count == 3


def test_too_many_whole_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the rows are built, and when an update adds whole rows."""
    monkeypatch.setattr(row_packing, "MAX_WHOLE", 50)
    rng, sizes = np.random.default_rng(6), Sizes(positions=2048)
    words, of = rng.integers(0, 1 << 63, (51, 32)).astype("<u8"), patterns(sizes, rng)
    with pytest.raises(Full, match="more than 50 different rows"):
        kernel_rows(words, sizes, of, ())
    words[10:] = words[0]
    kernel = kernel_rows(words, sizes, of, (0,))
    with pytest.raises(Full):
        for word in range(PATCHES + 1):
            words[10:, word] = rng.integers(1, 1 << 60, 41)
            assert kernel.update(words, {word: EVERY_BIT}, {}, {word: of[:, word]})


def test_rows_without_a_similar_one_become_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than are kept for comparison."""
    monkeypatch.setattr(row_packing, "_MAX_BASES", 4)
    rng, sizes = np.random.default_rng(5), Sizes(positions=4096)
    words, of = rng.integers(0, 1 << 63, (50, 64)).astype("<u8"), patterns(sizes, rng)
    kernel = kernel_rows(words, sizes, of, (0,))
    check_rows(kernel, words, sizes, of)
    assert kernel.whole.count == 50


@pytest.mark.parametrize(
    ("old", "new"),
    [(a, b) for a in SIZES for b in SIZES if a.positions <= b.positions],
    ids=lambda sizes: str(getattr(sizes, "positions", sizes)),
)
def test_grown(old: Sizes, new: Sizes) -> None:
    """The words stay the same, and the summaries leave no bit out."""
    rng = np.random.default_rng(7)
    words, of = rows(old, rng), patterns(old, rng)
    kernel = kernel_rows(words, old, of, (3,))
    tables = np.zeros((), dtype=abi.TABLES)
    for field in ("sport_row", "src_hidden", "dst_hidden"):
        tables[field] = NEUTRAL_ROW
    tables["dport_row"] = 3
    there, whole = grow_rows(kernel.rows.data, kernel.whole.data, tables, old, new)
    wide = np.zeros((len(words), new.positions // 64), dtype="<u8")
    wide[:, : words.shape[1]] = words
    kernel.rows = Pool(there.dtype, there.shape[1:], room=len(there))
    kernel.rows.take(len(there))
    kernel.rows.data[:] = there
    kernel.whole = Pool("<u8", whole.shape[1:], room=len(whole) + 1)
    kernel.whole.take(len(whole))
    kernel.whole.data[:] = whole
    assert words_of(kernel, new) == wide.tolist()
    for row, said in zip(wide, there, strict=True):
        at = np.flatnonzero(row)
        if new.packed:
            some = int(np.bitwise_or.reduce(said["segments"]))
            assert all(some >> int(i) // new.segment_words & 1 for i in at)
            assert all(int(said["aggregates"][i // 64]) >> int(i) % 64 & 1 for i in at)
        elif new.positions > 64:
            some = int(said[0])
            some |= some >> 32
            some |= some >> 16
            assert all(some >> int(i) & 1 for i in at)


def test_any_in_groups() -> None:
    source = random.Random(8)
    for step in (1, 2, 4):
        for _ in range(100):
            word = source.getrandbits(64) & source.getrandbits(64) & source.getrandbits(64)
            parts = [word >> i * step & ((1 << step) - 1) for i in range(64 // step)]
            wanted = sum(1 << i for i, part in enumerate(parts) if part)
            assert int(row_packing._any_in_groups(np.array([word], dtype="<u8"), step)[0]) == wanted
