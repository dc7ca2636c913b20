"""OpenAPI is true: its examples are taken by the service, and its answers have its schemas."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from tests.support.service.service import Service
from xdpwall.api.openapi import bodies, describe
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place
from xdpwall.views.attachments import InterfaceList
from xdpwall.views.base import View
from xdpwall.views.rules import RuleList, RuleView
from xdpwall.views.status import Health, Stats, Status
from xdpwall.views.stream import EVENTS

Operation = dict[str, Any]

MODELS = {
    model.__name__: model
    for module in describe.VIEW_MODULES
    for model in [*vars(module).values(), *bodies.BODIES]
    if isinstance(model, type) and issubclass(model, View | Policy)
}


@pytest.fixture
def document(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.call("GET", "/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, Operation]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_reference_leads_somewhere(service: Service, document: dict[str, Any]) -> None:
    text = service.call("GET", "/openapi.json").content.decode()
    wanted = set(re.findall(r'"\$ref":\s*"#/components/schemas/(\w+)"', text))
    assert wanted <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in text


def test_every_operation_says_its_problem_and_has_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"] and operation["description"], where
        answers = operation["responses"]
        problem = answers["default"]["content"]["application/problem+json"]
        assert problem["schema"]["$ref"].endswith("/Problem"), where
        good = [answer for status, answer in answers.items() if status != "default"]
        assert good, where
        for answer in good:
            (media,) = answer["content"].values()
            assert media["example"], where


def test_every_example_of_an_answer_has_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status == "default":
                continue
            if "application/json" not in answer["content"]:
                continue
            media = answer["content"]["application/json"]
            schema = media.get("schema", {})
            (schema, *_) = schema.get("anyOf", [schema])
            name = schema.get("$ref", "").rpartition("/")[2]
            if name:
                MODELS[name].model_validate(media["example"])
                checked += 1
            else:
                _check_special(f"{method} {path}", media["example"])
    assert checked > 15


def _check_special(where: str, example: Any) -> None:
    """Answers that are a rule with more beside it, or a ruleset."""
    if where.endswith("/ruleset"):
        assert set(example) == {"version", "policy", "rules", "attachments"}
    else:
        rule = {name: value for name, value in example.items()}
        assert isinstance(rule.pop("revision"), int), where
        assert rule.pop("warnings") == [], where
        RuleView.model_validate(rule)


def test_the_events_are_said_and_their_examples_are_true(document: dict[str, Any]) -> None:
    content = document["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]
    media = content["text/event-stream"]
    said = {name: schema["$ref"].rpartition("/")[2] for name, schema in media["x-events"].items()}
    assert said == {name: model.__name__ for name, model in EVENTS.items()}
    assert set(said.values()) <= set(document["components"]["schemas"])
    for block in media["example"].strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        EVENTS[fields["event"]].model_validate_json(fields["data"])


def test_every_example_of_a_body_is_taken(service: Service, document: dict[str, Any]) -> None:
    taken = 0
    for method, path, operation in operations(document):
        body = operation.get("requestBody")
        if body is None:
            continue
        examples = body["content"]["application/json"]["examples"].values()
        assert examples, path
        for example in examples:
            reset = {
                "version": 1, "attachments": [],
                "rules": [{"action": "count", "id": "r1"}, {"action": "count", "id": "r2"}],
            }  # fmt: skip
            assert service.call("PUT", "/ruleset", reset).status == 200
            target = path.removeprefix("/api/v1").replace("{id}", "r1")
            target = target.replace("{name}", "docker0").replace("{place}", "xdp")
            value = example["value"]
            if "code" in value:
                value = {"code": service.call("POST", "/page").json["code"]}
            if "revision" in value:  # it is the one of a change that waits
                waits = service.call("PUT", "/policy?confirm=60", {"ingress": "drop"}).json
                value = {"revision": waits["revision"]}
            reply = service.call(method, target, value)
            assert reply.status in (200, 201), (method, target, value, reply.content)
            taken += 1
    assert taken >= 15


def test_the_parameters_are_said(document: dict[str, Any]) -> None:
    apply = document["paths"]["/api/v1/ruleset"]["put"]["parameters"]
    assert {one["name"] for one in apply} == {"adopt", "confirm", "dry_run", "force", "message"}
    place = document["paths"]["/api/v1/interfaces/{name}/attachments/{place}"]["put"]["parameters"]
    schema = next(one for one in place if one["name"] == "place")["schema"]
    assert ["xdp", *schema["enum"]] == list(get_args(Place))
    xdp = document["paths"]["/api/v1/interfaces/{name}/attachments/xdp"]["put"]["parameters"]
    assert {one["name"] for one in xdp} == {"confirm", "force", "name", "message"}


def test_the_rules_schema_has_every_field_with_a_note(document: dict[str, Any]) -> None:
    rule = document["components"]["schemas"]["Rule"]
    silent = {"action", "direction", "family", "enabled"}  # Their values say it all.
    for name, schema in rule["properties"].items():
        assert "description" in schema or name in silent, name
    assert rule["required"] == ["action"]


def test_the_token_is_asked_for_but_not_by_health(document: dict[str, Any]) -> None:
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path in ("/healthz", "/api/v1/healthz"):
        assert document["paths"][path]["get"]["security"] == []


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/healthz", Health), ("/status", Status), ("/stats", Stats),
        ("/interfaces", InterfaceList), ("/rules", RuleList),
        ("/policy", Policy),
    ],
)  # fmt: skip
def test_live_answers_have_their_schema(service: Service, path: str, model: type[View]) -> None:
    service.call("POST", "/rules", {"action": "drop", "iface": "docker0", "proto": "icmp"})
    assert service.call("PUT", "/interfaces/docker0/attachments/xdp", {}).status == 201
    live = service.call("GET", path)
    assert model.model_validate(live.json).to_json() == live.json
