"""Descriptions for OpenAPI beyond the signatures: bodies, answers and their examples."""

from __future__ import annotations

import json
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from xdpwall.api.errors import MEDIA_TYPE, Problem
from xdpwall.api.openapi import examples, words
from xdpwall.api.openapi.bodies import BODIES, NULL_MEANS
from xdpwall.api.roles import role_of
from xdpwall.ruleset import policy
from xdpwall.version import __version__
from xdpwall.views import (
    attachments,
    blocks,
    check,
    containers,
    doctor,
    events,
    explain,
    flows,
    history,
    pending,
    rules,
    sets,
    status,
    stream,
    tokens,
)
from xdpwall.views.base import View
from xdpwall.views.packet import PacketFields
from xdpwall.views.stream import EVENTS

VIEW_MODULES = (
    attachments,
    blocks,
    check,
    containers,
    doctor,
    events,
    explain,
    flows,
    history,
    pending,
    policy,
    rules,
    sets,
    status,
    stream,
    tokens,
)
"""The modules whose models are answers."""

REF = "#/components/schemas/"

ANY_RULE: dict[str, Any] = {
    "anyOf": [{"$ref": REF + "Rule"}, {"$ref": REF + "RuleText"}, words.SENTENCE]
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
Each operation says the role that it needs (`x-role`); another one is answered by 403 `wrong-role`.
`ETag` and `If-Match` stand on `/ruleset`, `/rules` and `/rules/{id}`.
"""


def answer_docs(
    model: type[BaseModel] | None,
    example: Any,
    *,
    status: int = 200,
    what: str = "Done",
    or_else: type[BaseModel] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: one success, of a model or of the other one."""
    content: dict[str, Any] = {"example": example}
    if model is not None:
        content["schema"] = {"$ref": REF + model.__name__}
    if or_else is not None:
        content["schema"] = {"anyOf": [content["schema"], {"$ref": REF + or_else.__name__}]}
    return {status: {"description": what, "content": {"application/json": content}}}


def stream_docs(example: str) -> dict[int | str, dict[str, Any]]:
    """`responses` of the route that sends events; what each event's data is stands by its name."""
    data = {name: {"$ref": REF + model.__name__} for name, model in EVENTS.items()}
    content = {"schema": {"type": "string"}, "example": example, "x-events": data}
    return {200: {"description": "The stream", "content": {"text/event-stream": content}}}


def body_docs(
    schema: dict[str, Any] | type[BaseModel], *given: Any, required: bool = True
) -> dict[str, Any]:
    """`openapi_extra` of a route: a JSON body with its examples."""
    if not isinstance(schema, dict):
        schema = {"$ref": REF + schema.__name__}
    shown = {f"example {number}": {"value": one} for number, one in enumerate(given, 1)}
    media = {"application/json": {"schema": schema, "examples": shown}}
    return {"requestBody": {"required": required, "content": media}}


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
    bodies = {model.__name__ for model in BODIES} | {"AttachmentBody", "TimedEntry"}
    components["schemas"] = {
        **{
            name: words.without_null(one, NULL_MEANS.get(name, ())) if name in bodies else one
            for name, one in found["$defs"].items()
        },
        "Rule": words.rule_schema(),
        "RuleText": words.rule_text_schema(),
        "RuleChange": words.change_schema(),
    }
    _write_pairs_as_lists(components["schemas"])
    _describe_parameters(schema["paths"])
    _describe_roles(app, schema["paths"])
    _part_attachments(schema["paths"])
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"token": []}]
    return schema


def _describe_roles(app: FastAPI, paths: dict[str, Any]) -> None:
    """Say of each operation which role it needs (`x-role`, absent where it is open)."""
    for prefix, route in app.state.served:
        role = role_of(route).role
        for method in route.methods or ():
            operation = paths.get(prefix + route.path, {}).get(method.lower())
            if operation is None:
                continue  # not described
            if role is None:
                operation["security"] = []
            else:
                operation["x-role"] = role
                operation["description"] += f"\n\nRole: {role}."


def _describe_parameters(paths: dict[str, Any]) -> None:
    """Say of each parameter what it may be; FastAPI knows no more than that it is text."""
    for path, operations in paths.items():
        name = words.IFACE if "/interfaces/" in path else words.ID
        known = {
            "message": words.LINE,
            "id": words.ID,
            "name": name,
            "address": {"type": "string", "format": "address", "minLength": 1},
            "only": {"enum": ["packets"]},
        }
        if path.endswith("/flows"):
            known |= words.FLOW_PARAMETERS
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in known:
                    parameter["schema"] = known[parameter["name"]]


def _write_pairs_as_lists(found: Any) -> None:
    """Say of an array of equal items what each is, where pydantic says it of one place after the other:
    few readers of OpenAPI know `prefixItems`."""
    if isinstance(found, dict):
        items = found.get("prefixItems")
        if items and all(one == items[0] for one in items):
            del found["prefixItems"]
            found["items"] = items[0]
    for one in found.values() if isinstance(found, dict) else found:
        if isinstance(one, (dict, list)):
            _write_pairs_as_lists(one)


def _part_attachments(paths: dict[str, Any]) -> None:
    """Describe xdp apart from tc, which has no modes; the route is one."""
    path = next(one for one in paths if one.endswith("/attachments/{place}"))
    both = paths.pop(path)
    xdp, tc = json.loads(json.dumps(both)), both
    for operation in xdp.values():
        operation["parameters"] = [p for p in operation["parameters"] if p["name"] != "place"]
        operation["operationId"] += "_xdp"
    for operation in tc.values():
        for parameter in operation["parameters"]:
            if parameter["name"] == "place":
                parameter["schema"] = {"enum": ["tc-ingress", "tc-egress"]}
    media = tc["put"]["requestBody"]["content"]["application/json"]
    media["schema"] = {"$ref": REF + "TcAttachBody"}
    media["examples"] = {"example 1": {"value": {}}, "example 2": {"value": {"replace": True}}}
    paths[path.replace("{place}", "xdp")] = xdp
    paths[path] = tc


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
