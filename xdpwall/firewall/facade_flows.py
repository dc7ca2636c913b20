"""The part of Facade that is about flows (facade.py)."""

from __future__ import annotations

from typing import Protocol

from xdpwall.values.author import Author
from xdpwall.views.flows import ANY_FLOW, FlowFilter, FlowList, FlowsFlushed, FlowsSized


class FlowFacade(Protocol):
    """Lists and ends the flows of an instance."""

    def flows(
        self, wanted: FlowFilter = ANY_FLOW, *, limit: int = 1000, top: bool = False
    ) -> FlowList:
        """Live flows that the filter lets through; `top`: those with most packets first."""
        ...

    def flush_flows(self, wanted: FlowFilter = ANY_FLOW, *, by: Author = Author()) -> FlowsFlushed:
        """End the flows that the filter lets through; without one all."""
        ...

    def size_flows(self, places: int, *, by: Author = Author()) -> FlowsSized:
        """Give the table of each family so many places, a power of two: more at once, in tables that are made
        anew; fewer when they are next made. No part of a revision."""
        ...
