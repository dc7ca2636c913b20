"""Descriptions for OpenAPI beyond the signatures: bodies, answers and their examples."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from xdpwall.api.errors import MEDIA_TYPE, Problem
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import BODIES, change_schema, rule_schema
from xdpwall.api.serving.security import PATHS_WITHOUT_TOKEN
from xdpwall.ruleset import policy
from xdpwall.version import __version__
from xdpwall.views import attachments, doctor, events, history, rules, sets, status, stream
from xdpwall.views.base import View
from xdpwall.views.packet import PacketFields
from xdpwall.views.stream import EVENTS

VIEW_MODULES = (attachments, doctor, events, history, policy, rules, sets, status, stream)
"""The modules whose models are answers."""

REF = "#/components/schemas/"

ANY_RULE: dict[str, Any] = {
    "oneOf": [{"$ref": REF + "Rule"}, {"$ref": REF + "RuleText"}, {"type": "string"}]
}
"""An object, {"text": ...}, or a bare sentence."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": {"$ref": REF + "Problem"}, "example": examples.PROBLEM}},
    }
}
"""`responses` of every router: one shape for every error."""

DESCRIPTION = """\
Rules, attachments and counters of one firewall.

Over the unix socket no token is needed; over TCP send `Authorization: Bearer TOKEN`.
`ETag` and `If-Match` stand on `/ruleset`, `/rules` and `/rules/{id}`.
"""


def answer_docs(
    model: type[BaseModel] | None, example: Any, *, status: int = 200, what: str = "Done"
) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: one success."""
    content: dict[str, Any] = {"example": example}
    if model is not None:
        content["schema"] = {"$ref": REF + model.__name__}
    return {status: {"description": what, "content": {"application/json": content}}}


def stream_docs(example: str) -> dict[int | str, dict[str, Any]]:
    """`responses` of the route that sends events; what each event's data is stands by its name."""
    data = {name: {"$ref": REF + model.__name__} for name, model in EVENTS.items()}
    content = {"schema": {"type": "string"}, "example": example, "x-events": data}
    return {200: {"description": "The stream", "content": {"text/event-stream": content}}}


def body_docs(schema: dict[str, Any] | type[BaseModel], *given: Any) -> dict[str, Any]:
    """`openapi_extra` of a route: a JSON body with its examples."""
    if not isinstance(schema, dict):
        schema = {"$ref": REF + schema.__name__}
    shown = {f"example {number}": {"value": one} for number, one in enumerate(given, 1)}
    media = {"application/json": {"schema": schema, "examples": shown}}
    return {"requestBody": {"required": True, "content": media}}


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi` describe the bodies too, which the routes parse themselves."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title="xdpwall",
        version=__version__,
        description=DESCRIPTION,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    asked: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = []
    asked += [(view, "serialization") for view in _views()]
    asked += [(body, "validation") for body in BODIES]
    asked.append((Problem, "validation"))
    _, found = models_json_schema(asked, ref_template=REF + "{model}")
    components = schema.setdefault("components", {})
    components["schemas"] = {**found["$defs"], "Rule": rule_schema(), "RuleChange": change_schema()}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"token": []}]
    for path in PATHS_WITHOUT_TOKEN:
        if path in schema["paths"]:
            schema["paths"][path]["get"]["security"] = []
    return schema


def _views() -> list[type[BaseModel]]:
    """The models of VIEWS, but for the bases that only lend their fields."""
    found: dict[type[BaseModel], None] = {}
    for module in VIEW_MODULES:
        for name, model in vars(module).items():
            if not isinstance(model, type) or not issubclass(model, View | policy.Policy):
                continue
            if model not in (View, PacketFields) and not name.startswith("_"):
                found[model] = None
    return list(found)
