"""Sets and blocks over the service's socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from xdpwall.values.author import Author
from xdpwall.views.blocks import BlockList, BlockOutcome
from xdpwall.views.rules import DeleteOutcome
from xdpwall.views.sets import (
    SetChange,
    SetEntries,
    SetList,
    SetOutcome,
    SetShown,
    SetTest,
    SetView,
)

from .service_calls import ANYBODY, ServiceCalls, read_answer

if TYPE_CHECKING:
    from xdpwall.sets.entries import Entries


class RemoteSets(ServiceCalls):
    """The part of facade.Facade that is about sets and blocks."""

    def sets(self) -> SetList:
        return self._get(SetList, "/sets")

    def set(self, name: str) -> SetView:
        return self._shown(name, 0, 0).set

    def set_entries(self, name: str, *, start: int = 0, limit: int = 1000) -> SetEntries:
        shown = self._shown(name, start, limit)
        return SetEntries(name=name, total=shown.set.entries, start=start, entries=shown.entries)

    def create_set(self, name: str, *, by: Author = ANYBODY) -> SetOutcome:
        answer = self._change("POST", "/sets", {"name": name}, by)
        return read_answer(SetOutcome, answer.body)

    def replace_set(
        self,
        name: str,
        entries: Entries,
        *,
        timeouts: Mapping[str, str] | None = None,
        allow_empty: bool = True,
        most_shrink: int | None = None,
        by: Author = ANYBODY,
    ) -> SetOutcome:
        from xdpwall.sets.content import SetContent

        body = SetContent(entries, timeouts or {}, allow_empty, most_shrink).to_json()
        answer = self._change("PUT", _set(name), body, by)
        return read_answer(SetOutcome, answer.body)

    def change_set(
        self,
        name: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        expires: str | None = None,
        by: Author = ANYBODY,
    ) -> SetChange:
        body: dict[str, Any] = {"add": list(add), "remove": list(remove)}
        if expires is not None:
            body["expires"] = expires
        answer = self._change("POST", f"{_set(name)}/entries", body, by)
        return read_answer(SetChange, answer.body)

    def delete_set(self, name: str, *, by: Author = ANYBODY) -> DeleteOutcome:
        return read_answer(DeleteOutcome, self._change("DELETE", _set(name), None, by).body)

    def test_set(self, name: str, address: str) -> SetTest:
        answer = self._transport.call("GET", f"{_set(name)}/test", query={"address": address})
        return read_answer(SetTest, answer.body)

    def _shown(self, name: str, start: int, limit: int) -> SetShown:
        query = {"start": str(start), "limit": str(limit)}
        answer = self._transport.call("GET", _set(name), query=query)
        return read_answer(SetShown, answer.body)

    # -- blocks ----------------------------------------------------------------------------------
    def blocks(self) -> BlockList:
        return self._get(BlockList, "/block")

    def block(
        self,
        target: str,
        *,
        lasts: str | None = None,
        iface: str | None = None,
        spared: str | None = None,
        by: Author = ANYBODY,
    ) -> BlockOutcome:
        asked = {
            "target": target,
            "for": lasts,
            "iface": iface,
            "except": spared,
        }
        body = {name: value for name, value in asked.items() if value is not None}
        return read_answer(BlockOutcome, self._change("POST", "/block", body, by).body)

    def unblock(
        self,
        target: str,
        *,
        iface: str | None = None,
        spared: str | None = None,
        by: Author = ANYBODY,
    ) -> BlockOutcome:
        query = {"target": target, "iface": iface, "except": spared}
        return read_answer(BlockOutcome, self._change("DELETE", "/block", None, by, query).body)


def _set(name: str) -> str:
    return f"/sets/{quote(name, safe='')}"
