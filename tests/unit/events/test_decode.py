"""What a record says of who decided."""

from __future__ import annotations

import pytest

from xdpwall.events.decode import HEAD, Decoder, PacketRecord

BLANK = PacketRecord._make(HEAD.unpack(bytes(HEAD.size)))


@pytest.mark.parametrize(
    ("slot", "log", "expected"),
    [(0, 0, (None, None)), (1, 0, ("r1", None)), (0, 1, (None, "r1")), (2, 2, ("?", "?"))],
)
def test_a_forgotten_rule_is_not_taken_for_the_policy(
    slot: int, log: int, expected: tuple[str | None, str | None]
) -> None:
    decoder = Decoder(lambda number: ("eth0", "xdp"), lambda slot, revision: {0: "r1"}.get(slot))
    event = decoder.decode(HEAD.pack(*BLANK._replace(slot=slot, log=log)), 0)
    assert (event.rule, event.log) == expected
