"""Whose ruleset the kernel holds, from ids and revisions alone."""

from __future__ import annotations

import pytest

from xdpwall.changes.ownership import Standing, new_identity, standing
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.store.records import Pending, Snapshot

A, B = "a" * 32, "b" * 32


def disk(identity: str | None, revision: int, pending: int | None = None) -> Snapshot:
    return Snapshot(
        ruleset=CommittedRuleset(revision=revision),
        attachments=(),
        on=True,
        binding=None,
        pending=None if pending is None else Pending(pending, "test"),
        identity=identity,
    )


@pytest.mark.parametrize(
    ("identity", "revision", "folder", "wanted"),
    [
        (A, 5, disk(A, 5), "ours"),
        (A, 6, disk(A, 5, pending=6), "ours"),
        (A, 5, disk(A, 5, pending=6), "ours"),
        # An earlier release gave none.
        (None, 5, disk(None, 5), "ours"),
        (None, 5, disk(A, 5), "ours"),
        (A, 5, disk(None, 5), "ours"),
        (None, 0, disk(None, 0), "ours"),
        (A, 0, disk(None, 0), "ours"),
        # A restore that died.
        (None, 0, disk(A, 5), "fresh"),
        (None, 0, disk(None, 5), "fresh"),
        # The last revision was switched back.
        (A, 4, disk(A, 5), "behind"),
        (None, 4, disk(None, 5), "another"),
        (None, 4, disk(A, 5), "another"),
        (A, 3, disk(A, 5), "another"),
        # An old copy, a lost folder, another instance's.
        (A, 6, disk(A, 5), "another"),
        (A, 7, disk(A, 5, pending=6), "another"),
        (A, 5, disk(None, 0), "another"),
        (None, 5, disk(None, 0), "another"),
        (A, 5, disk(B, 5), "another"),
        (A, 4, disk(B, 5), "another"),
        (A, 6, disk(B, 5, pending=6), "another"),
        (A, 0, disk(B, 0), "another"),
        (A, 0, disk(B, 5), "another"),
    ],
)
def test_standing(identity: str | None, revision: int, folder: Snapshot, wanted: Standing) -> None:
    assert standing(identity, revision, folder) == wanted


def test_ids_are_128_bits_and_differ() -> None:
    first, second = new_identity(), new_identity()
    assert len(bytes.fromhex(first)) == 16 and first != second
