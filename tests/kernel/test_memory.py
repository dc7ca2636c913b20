"""Memory that large arrays left is given back."""

from __future__ import annotations

from xdpwall.kernel.memory import give_back


def resident() -> int:
    """Bytes of this process's own memory."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) << 10


def test_what_is_free_between_things_goes_back() -> None:
    # Small enough to come from the heap, with something that stays on top.
    size, count = 100_000, 400
    blocks = [b"x" * (size + i) for i in range(count)]
    top = bytearray(5000)
    full = resident()
    blocks.clear()
    give_back()
    assert resident() < full - size * count // 2
    assert len(top) == 5000
