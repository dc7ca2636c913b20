"""Flows over the service's socket."""

from __future__ import annotations

from xdpwall.values.author import Author
from xdpwall.views.flows import ANY_FLOW, FlowFilter, FlowList, FlowsFlushed, FlowsSized

from .service_calls import ANYBODY, ServiceCalls, read_answer


class RemoteFlows(ServiceCalls):
    """The part of facade.Facade that is about flows."""

    def flows(
        self, wanted: FlowFilter = ANY_FLOW, *, limit: int = 1000, top: bool = False
    ) -> FlowList:
        query = {**wanted.query(), "limit": str(limit), "top": "true" if top else "false"}
        return read_answer(FlowList, self._transport.call("GET", "/flows", query=query).body)

    def size_flows(self, places: int, *, by: Author = ANYBODY) -> FlowsSized:
        answer = self._change("PUT", "/flows/size", {"places": places}, by)
        return read_answer(FlowsSized, answer.body)

    def flush_flows(self, wanted: FlowFilter = ANY_FLOW, *, by: Author = ANYBODY) -> FlowsFlushed:
        return read_answer(
            FlowsFlushed, self._change("DELETE", "/flows", None, by, wanted.query()).body
        )
