"""Read the kernel's rows one bit at a time: slow, and simple enough to be right."""

from __future__ import annotations

import numpy as np

from xdpwall.abi import PATCHES, PATTERNS
from xdpwall.compiler.generation import Generation
from xdpwall.compiler.row_packing import KernelRows
from xdpwall.compiler.row_patterns import pattern_masks
from xdpwall.compiler.sizes import Sizes
from xdpwall.values.arrays import Array


def words_of(kernel: KernelRows, sizes: Sizes) -> list[list[int]]:
    """Each row's words, as bpf/row_words.h finds them."""
    if not sizes.packed:
        return [[int(w) for w in row[int(sizes.positions > 64) :]] for row in kernel.rows.data]
    answer = []
    for row in kernel.rows.data:
        words = [int(w) for w in kernel.whole.data[int(row["whole"])]]
        # Of two patches for one word the first counts.
        for slot in reversed(range(PATCHES)):
            words[int(row["which"][slot])] = int(row["patch"][slot])
        answer.append(words)
    return answer


def check(generation: Generation) -> None:
    """Check that the kernel's rows have a generation's bits, and that their summaries are exact."""
    check_rows(
        generation.kernel_rows,
        generation.rows.data,
        Sizes(positions=generation.capacity),
        pattern_masks(generation._patterns),
    )


def check_rows(kernel: KernelRows, words: Array, sizes: Sizes, patterns: Array) -> None:
    """The same for rows given as words, (n, positions / 64) u64."""
    assert words_of(kernel, sizes) == words.tolist()
    for row, there in zip(words.tolist(), kernel.rows.data, strict=True):
        some = [
            [bool(word & int(patterns[p, i])) for i, word in enumerate(row)]
            for p in range(PATTERNS)
        ]
        if sizes.packed:
            _check_packed(there, row, some, sizes)
        elif sizes.positions > 64:
            bits = {16 * p + i for p, of in enumerate(some) for i, yes in enumerate(of) if yes}
            assert int(there[0]) == sum(1 << bit for bit in bits)


def _check_packed(there: np.void, row: list[int], some: list[list[bool]], sizes: Sizes) -> None:
    aggregates = [int(a) for a in there["aggregates"]]
    for i, word in enumerate(row):
        assert bool(aggregates[i // 64] >> i % 64 & 1) == bool(word), i
    for p, of in enumerate(some):
        segments = {i // sizes.segment_words for i, yes in enumerate(of) if yes}
        assert int(there["segments"][p]) == sum(1 << s for s in segments)
