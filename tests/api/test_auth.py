"""Who may call: token over TCP, the socket's own permission, Host, Origin; strict headers."""

from __future__ import annotations

import http.client
import re
import stat
from typing import Any

import pytest

from tests.support.service.service import START, Service
from xdpwall.api.serving.security import CSP

RULES = "/api/v1/rules"


def test_over_tcp_the_token_is_needed(service: Service) -> None:
    bare = service.tcp("GET", RULES)
    assert (bare.status, bare.json["code"]) == (401, "no-token")
    assert bare.headers["www-authenticate"].startswith("Bearer")
    assert service.tcp("GET", RULES, token=service.token).status == 200


@pytest.mark.parametrize(
    "sent",
    ["Bearer wrong", "Bearer", "Bearer ", "Basic {token}", "{token}", "Bearer {token}x",
     "Bearer {short}", "Bearer é"],
)  # fmt: skip
def test_a_wrong_token_is_refused(service: Service, sent: str) -> None:
    value = sent.format(token=service.token, short=service.token[:-1])
    refused = service.tcp(
        "GET", RULES, {"authorization": value.encode("latin-1").decode("latin-1")}
    )
    assert (refused.status, refused.json["code"]) == (401, "wrong-token")
    assert service.token not in refused.content.decode()


def test_the_token_in_the_address_or_a_cookie_is_no_token(service: Service) -> None:
    assert service.tcp("GET", f"{RULES}?token={service.token}").status == 401
    assert service.tcp("GET", RULES, {"cookie": f"token={service.token}"}).status == 401


def test_every_route_but_health_and_login_needs_the_token(service: Service) -> None:
    paths: dict[str, dict[str, Any]] = service.call("GET", "/openapi.json").json["paths"]
    seen = 0
    for path, methods in paths.items():
        for method in methods:
            reply = service.tcp(method.upper(), re.sub(r"\{\w+\}", "xdp", path))
            if path.endswith("/healthz"):
                assert reply.status == 200
            elif (method, path) == ("post", "/api/v1/session"):
                assert (reply.status, reply.json["code"]) == (422, "no-body")
            else:
                assert (reply.status, reply.json["code"]) == (401, "no-token"), (method, path)
            seen += 1
    assert seen > 25
    for path in ("/metrics", "/api", "/api/", "/api/v1/openapi.json", "/api/v1/sets"):
        assert service.tcp("GET", path).status == 401, path


def test_the_page_and_health_need_none(service: Service) -> None:
    assert service.tcp("GET", "/").status == 200
    assert service.tcp("GET", "/healthz").json["status"] == "ok"


def test_the_unix_socket_needs_none(service: Service) -> None:
    assert service.raw("GET", RULES, {}).status == 200
    mode = service.settings.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660
    assert service.settings.socket.stat().st_uid == 0


def test_no_header_turns_tcp_into_the_socket(service: Service) -> None:
    for name in ("forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host", "x-peer"):
        assert service.tcp("GET", RULES, {name: "127.0.0.1"}).status == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8480", "127.0.0.1.evil.example", "localhost.evil.example",
     "", "127.0.0.2", "[::1", "localhost:99999999", "localhost@evil.example", "0.0.0.0"],
)  # fmt: skip
def test_another_host_is_refused(service: Service, host: str) -> None:
    for path in (RULES, "/", "/healthz", "/style.css"):
        refused = service.tcp("GET", path, {"host": host}, token=service.token)
        assert refused.status == 421, path
        assert refused.json["code"] == "wrong-host"


def test_our_names_pass_with_any_port(service: Service) -> None:
    # Through `ssh -L 9000:127.0.0.1:8480` the browser says localhost:9000.
    for host in ("localhost", "LOCALHOST:9000", f"127.0.0.1:{service.port}"):
        assert service.tcp("GET", RULES, {"host": host}, token=service.token).status == 200


def test_two_hosts_or_none_are_refused(service: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=START)
    with service.space.inside():
        connection.connect()
    connection.putrequest("GET", RULES, skip_host=True)
    connection.putheader("host", "localhost")
    connection.putheader("host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_another_sites_page_is_refused(service: Service) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:3000"):
        refused = service.tcp("POST", RULES, {"origin": origin}, b"{}", token=service.token)
        assert (refused.status, refused.json["code"]) == (403, "wrong-origin")
    own = {"origin": f"http://127.0.0.1:{service.port}"}
    assert service.tcp("GET", RULES, own, token=service.token).status == 200


def test_no_cors(service: Service) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for reply in (
        service.tcp("OPTIONS", RULES, asked, token=service.token),
        service.tcp("OPTIONS", RULES, asked),
        service.tcp("GET", RULES, token=service.token),
    ):
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


def test_strict_headers_on_every_answer(service: Service) -> None:
    replies = [
        service.tcp("GET", "/"),
        service.tcp("GET", "/nothing"),
        service.tcp("GET", RULES),
        service.tcp("GET", RULES, {"host": "evil.example"}),
        service.call("GET", "/rules"),
        service.call("POST", "/rules", {"action": "nonsense"}),
    ]
    for reply in replies:
        assert reply.headers["content-security-policy"] == CSP
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cross-origin-opener-policy"] == "same-origin"
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"
        assert reply.headers["x-frame-options"] == "DENY"
        assert "server" not in reply.headers
    assert "'unsafe" not in CSP


def test_the_page_is_served_with_its_types(service: Service) -> None:
    page = service.tcp("GET", "/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    scripts = re.findall(rb'src="([^"]+\.mjs)"', page.content)
    assert scripts
    for script in scripts:
        reply = service.tcp("GET", f"/{script.decode().lstrip('./')}")
        assert (reply.status, reply.headers["content-type"].split(";")[0]) == (
            200,
            "text/javascript",
        )


@pytest.mark.parametrize(
    "path",
    ["/../xdpwall/errors.py", "/%2e%2e/pyproject.toml", "/..%2fpyproject.toml", "//etc/passwd",
     "/vendor/../../README.md"],
)  # fmt: skip
def test_nothing_outside_the_page_is_served(service: Service, path: str) -> None:
    assert service.tcp("GET", path).status == 401
    assert service.tcp("GET", path, token=service.token).status == 404


def test_the_docs_of_a_cdn_are_off(service: Service) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/api/v1/docs"):
        assert service.call("GET", "/../.." + path).status == 404
        assert service.tcp("GET", path, token=service.token).status == 404


def test_who_changed_it_is_noted(service: Service) -> None:
    who = ("author", "via", "message")
    service.call("POST", "/rules?message=by%20socket", {"action": "count"})
    assert service.audit(*who) == ("uid 0", "socket", "by socket")
    service.tcp(
        "POST", f"{RULES}?message=by%20tcp", {"content-type": "application/json"},
        b'{"action": "count"}', token=service.token,
    )  # fmt: skip
    assert service.audit(*who) == ("token tests", "tcp 127.0.0.1", "by tcp")
