"""What belongs to one boot: the indexes of interfaces."""

from __future__ import annotations

from pathlib import Path

from xdpwall.ruleset.attachment import Attachment
from xdpwall.store.records import Binding
from xdpwall.store.store import Store

HERE = 4026531840
ROWS = tuple(Attachment(f"eth{n}", "xdp", 3 + n, None, n, "2026-12-01T10:00:00Z") for n in (1, 2))


def test_another_boot_forgets_the_indexes_of_interfaces(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    store.bind(Binding(HERE, "one boot"))
    for row in ROWS:
        store.attachments.put(row)
    store.bind(Binding(HERE + 1, "one boot"))
    assert store.read().attachments == ROWS
    store.bind(Binding(HERE, "the next"))
    indexes = {row.index for row in store.read().attachments}
    store.close()
    assert len(indexes) == 2 and min(indexes) > 1 << 30


def test_rows_of_a_new_store_are_of_this_boot(tmp_path: Path) -> None:
    """They are recorded before it is bound, where another's programs are adopted."""
    store = Store(tmp_path / "state")
    for row in ROWS:
        store.attachments.put(row)
    store.bind(Binding(HERE, "this boot"))
    found = store.read().attachments
    store.close()
    assert found == ROWS
