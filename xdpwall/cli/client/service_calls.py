"""Calls of the service that answer with models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from xdpwall.errors import Failed
from xdpwall.values.author import Author

from .http import ServiceAnswer, ServiceTransport

V = TypeVar("V", bound=BaseModel)
ANYBODY = Author()


class ServiceCalls:
    """Reads and changes over the service's socket."""

    def __init__(self, transport: ServiceTransport) -> None:
        self._transport = transport

    def _get(self, kind: type[V], path: str) -> V:
        return read_answer(kind, self._transport.call("GET", path).body)

    def _change(
        self,
        method: str,
        path: str,
        body: Any,
        by: Author,
        query: Mapping[str, str | None] | None = None,
    ) -> ServiceAnswer:
        asked = {
            "message": by.message,
            "confirm": None if by.confirm is None else str(by.confirm),
            "force": "true" if by.force else None,
        }
        session = None if by.session is None else by.session.text
        return self._transport.call(
            method, path, body, query={**(query or {}), **asked}, session=session
        )


def read_answer(kind: type[V], body: Any) -> V:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise unreadable(f"{kind.__name__}: {error}") from error


def unreadable(detail: str) -> Failed:
    return Failed(
        "the service answered what this version does not understand",
        code="version-skew",
        hint="restart the service after an upgrade (systemctl restart xdpwall)",
        detail=detail,
    )
