"""The routes of the API: those of this version exist, later ones answer that they are not here yet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service.service import Service

HERE = [
    "",
    "GET /interfaces",
    "GET /containers",
    "GET /containers/published",
    "PUT /flows/size",
    "PUT /interfaces/{name}/attachments/{place}",
    "DELETE /interfaces/{name}/attachments/{place}",
    "GET /rules",
    "POST /rules",
    "POST /rules/parse",
    "GET /rules/{id}",
    "PUT /rules/{id}",
    "PATCH /rules/{id}",
    "DELETE /rules/{id}",
    "POST /rules/{id}/move",
    "POST /rules/{id}/reset-counters",
    "GET /policy",
    "PUT /policy",
    "PUT /switch",
    "GET /sets",
    "GET /sets/{name}",
    "PUT /sets/{name}",
    "DELETE /sets/{name}",
    "POST /sets/{name}/entries",
    "GET /sets/{name}/test",
    "GET /ruleset",
    "PUT /ruleset",
    "POST /ruleset/confirm",
    "POST /ruleset/rollback",
    "GET /ruleset/history",
    "GET /audit",
    "POST /check",
    "POST /explain",
    "GET /block",
    "POST /block",
    "DELETE /block",
    "GET /flows",
    "DELETE /flows",
    "POST /diff",
    "GET /stats",
    "GET /events",
    "GET /metrics",
    "GET /events/settings",
    "PUT /events/settings",
    "GET /healthz",
    "",
][1:-1]

BESIDE = [
    "",
    "GET /status",
    "POST /appeared",
    "POST /repair",
    "GET /session",
    "POST /session",
    "POST /page",
    "GET /tokens",
    "POST /tokens",
    "POST /tokens/revoke",
    "DELETE /tokens/{name}",
    "POST /tokens/{name}/rotate",
    "POST /restore",
    "POST /sets",
    "POST /rules/delete",
    "POST /rules/enable",
    "POST /rules/disable",
    "POST /rules/reset-counters",
    "POST /rules/flush",
    "DELETE /interfaces/{name}/attachments",
    "DELETE /attachments",
    "",
][1:-1]

LATER = [
    "",
    "GET /top",
    "",
][1:-1]


def test_openapi_lists_what_is_here_and_nothing_else(service: Service) -> None:
    paths = service.call("GET", "/openapi.json").json["paths"]
    assert paths.pop("/healthz").keys() == {"get"}
    listed = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in paths.items()
        for method in methods
    }
    # It is described apart from tc, which has no modes.
    xdp = {f"{method} /interfaces/{{name}}/attachments/xdp" for method in ("PUT", "DELETE")}
    assert listed == {*HERE, *BESIDE, *xdp}


@pytest.mark.parametrize("route", LATER)
def test_a_later_route_says_so(service: Service, route: str) -> None:
    method, path = route.split()
    body: Any = {} if method in ("PUT", "POST") else None
    refused = service.call(method, path, body)
    assert refused.status == 501
    assert refused.json["code"] == "not-in-this-version"
    assert refused.json["detail"].endswith("is not in this version")
