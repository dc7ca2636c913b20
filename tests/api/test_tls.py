"""TLS: off loopback only with it; certificates read anew; client certificates as identities."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.service.certificates import Pair, make_authority, make_certificate
from tests.support.service.service import START, Reply, Service
from xdpwall.api.serving.listen import page_url, tcp_socket
from xdpwall.api.serving.tls import TlsSettings, certificate_names
from xdpwall.errors import Failed, InvalidInput, Refused, XdpwallError

WALL, CLIENT = "198.51.100.1", "198.51.100.2"


@dataclass
class Site:
    """A service on a network, and a host beside it."""

    service: Service
    box: Namespace
    folder: Path
    authority: Pair
    config: Path

    def ask(
        self,
        path: str = "/api/v1/session",
        *,
        client: Pair | None = None,
        method: str = "GET",
        body: Any = None,
        **headers: Any,
    ) -> Reply:
        """A request over TLS from the host beside it."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        connection = http.client.HTTPSConnection(
            WALL, self.service.port, context=context, timeout=START
        )
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None:
            headers["content-type"] = "application/json"
        with contextlib.closing(connection):
            with self.box.inside():
                connection.connect()
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())

    def serial(self) -> str:
        """The serial number of the certificate that a new connection gets."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        with (
            self.box.inside(),
            socket.create_connection((WALL, self.service.port)) as raw,
            context.wrap_socket(raw, server_hostname=WALL) as secured,
        ):
            found = secured.getpeercert()
        assert found is not None
        return str(found["serialNumber"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    authority = make_authority(folder)
    make_certificate(folder, authority, "wall", f"IP:{WALL}", "DNS:wall.example")
    config = folder / "config.toml"
    config.write_text(
        f"""
        [tls]
        certificate = "{folder}/wall.crt"
        key = "{folder}/wall.key"
        client_ca = "{authority.certificate}"
        [roles.certificates]
        grafana = "read"
        "deploy.example" = "operator"
        gone = "none"
        """
    )
    prelude = (
        f"import pathlib, xdpwall.settings as s; s.CONFIG_FILE = pathlib.Path({str(config)!r})\n"
    )
    lab = Lab("tests/api/test_tls")
    lab.clean()
    space, box = lab.namespace("gate"), lab.namespace("box")
    lab.veth(space, "eth1", box, "eth0", address=f"{WALL}/24", peer_address=f"{CLIENT}/24")
    try:
        with Service(space, folder, lab.bpffs, host="0.0.0.0", prelude=prelude) as service:
            yield Site(service, box, folder, authority, config)
    finally:
        lab.clean()


def test_a_token_works_from_elsewhere_and_is_bound_to_its_place(site: Site) -> None:
    assert site.service.address.startswith(f"https://{socket.gethostname()}:")
    assert site.ask().json["code"] == "no-token"
    body = {"name": "far", "role": "operator", "from": [CLIENT]}
    secret = site.service.call("POST", "/tokens", body).json["secret"]
    bearer: dict[str, Any] = {"authorization": f"Bearer {secret}"}
    assert site.ask(**bearer).json == {"name": "token far", "via": "tcp", "role": "operator"}
    added = site.ask("/api/v1/rules", method="POST", body="count icmp", **bearer)
    assert added.status == 201
    assert site.service.audit("author", "via") == ("token far", f"tcp {CLIENT}")
    site.service.call("DELETE", "/tokens/far")
    body["from"] = ["192.0.2.0/24"]
    elsewhere = site.service.call("POST", "/tokens", body).json["secret"]
    assert site.ask(authorization=f"Bearer {elsewhere}").status == 401
    # The answer comes later with each wrong one, told by where it came from.
    assert f"the last of {CLIENT}" in site.service.log()


def test_a_code_opens_a_session_over_tls(site: Site) -> None:
    made = site.service.call("POST", "/page").json
    assert made["url"].startswith("https://")
    opened = site.ask("/api/v1/session", method="POST", body={"code": made["code"]})
    assert opened.status == 201


def test_plain_http_is_not_answered(site: Site) -> None:
    connection = http.client.HTTPConnection(WALL, site.service.port, timeout=START)
    with contextlib.closing(connection), pytest.raises((http.client.HTTPException, OSError)):
        with site.box.inside():
            connection.connect()
        connection.request("GET", "/healthz")
        connection.getresponse()


def test_old_versions_of_tls_are_not_spoken(site: Site) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        site.box.inside(),
        socket.create_connection((WALL, site.service.port)) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(raw)


def test_pages_of_other_sites_are_refused_over_tls_too(site: Site) -> None:
    ours = f"https://{WALL}:{site.service.port}"
    for origin, status in ((ours, 401), (ours.replace("https", "http"), 403), ("https://x", 403)):
        assert site.ask(origin=origin).status == status, origin


@pytest.mark.parametrize(
    ("name", "alternatives", "role"),
    [
        ("grafana", (), "read"),
        ("somebody", ("DNS:other.example", "DNS:deploy.example"), "operator"),
        ("gone", (), None),
        ("stranger", ("email:who@example.org",), None),
    ],
)
def test_a_client_certificate_is_an_identity(
    site: Site, name: str, alternatives: tuple[str, ...], role: str | None
) -> None:
    client = make_certificate(site.folder, site.authority, name, *alternatives)
    answer = site.ask(client=client)
    if role is None:
        assert (answer.status, answer.json["code"]) == (403, "wrong-role")
        assert f"certificate {name} has none" in answer.json["detail"]
        return
    assert (answer.status, answer.json["role"]) == (200, role)
    changed = site.ask("/api/v1/rules", method="POST", body="count icmp", client=client)
    assert changed.status == (201 if role == "operator" else 403)
    if role == "operator":
        assert site.service.audit("author") == ("certificate deploy.example",)
    # A token that is sent goes before it.
    token = {"authorization": f"Bearer {site.service.token}"}
    assert site.ask(client=client, **token).json["name"] == "token tests"
    assert site.ask(client=client, authorization="Bearer wrong").status == 401


def test_a_certificate_of_another_authority_is_not_taken(site: Site) -> None:
    other = make_authority(site.folder, "other")
    client = make_certificate(site.folder, other, "grafana2")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.ask(client=client)


def test_certificate_and_roles_are_read_anew(site: Site) -> None:
    before = site.serial()
    new = site.folder / "new"
    new.mkdir()
    made = make_certificate(new, site.authority, "wall", f"IP:{WALL}")
    # The key of the new one is not there yet: the one of before stays in use.
    os.replace(made.certificate, site.folder / "wall.crt")
    wait_for(lambda: "the certificate of before stays in use" in site.service.log(), "it is told")
    assert site.serial() == before
    os.replace(made.key, site.folder / "wall.key")
    wait_for(lambda: site.serial() != before, "the new certificate")

    client = make_certificate(site.folder, site.authority, "late")
    assert site.ask(client=client).status == 403
    text = site.config.read_text()
    site.config.write_text(text.replace("grafana =", "grafana = 7 #"))
    wait_for(lambda: "the roles of before stay in force" in site.service.log(), "it is told")
    site.config.write_text(text + 'late = "read"\n')
    wait_for(lambda: site.ask(client=client).status == 200, "the new roles")


# -- without a service ------------------------------------------------------------------------------


@pytest.fixture
def wall(tmp_path: Path) -> Pair:
    return make_certificate(tmp_path, make_authority(tmp_path), "wall")


def table(pair: Pair, **more: Any) -> dict[str, Any]:
    return {"certificate": str(pair.certificate), "key": str(pair.key), **more}


def test_files_are_checked(wall: Pair, tmp_path: Path) -> None:
    TlsSettings.parse(table(wall)).context()
    other = make_authority(tmp_path, "other")
    empty = tmp_path / "empty"
    empty.write_text("")
    empty.chmod(0o600)
    wrong: list[tuple[dict[str, Any], type[XdpwallError], str]] = [
        ({"key": str(other.key)}, InvalidInput, "the key is not the certificate's"),
        ({"certificate": str(tmp_path / "nowhere")}, Failed, "No such file"),
        ({"key": str(tmp_path / "nowhere")}, Failed, "No such file"),
        ({"certificate": str(empty)}, InvalidInput, "tls.certificate: "),
        ({"client_ca": str(empty)}, InvalidInput, "tls.client_ca: "),
    ]
    for change, kind, words in wrong:
        with pytest.raises(kind) as caught:
            TlsSettings.parse(table(wall, **change)).context()
        assert words in str(caught.value), change
    wall.key.chmod(0o644)
    with pytest.raises(Refused) as exposed:
        TlsSettings.parse(table(wall)).context()
    assert exposed.value.code == "key-exposed"
    wall.key.chmod(0o640)
    TlsSettings.parse(table(wall)).context()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"certificate": "/x"}, "tls.key"),
        ({"key": "/x"}, "tls.certificate"),
        ({"certificate": "relative", "key": "/x"}, "tls.certificate"),
        ({"certificate": "/x", "key": "/y", "names": "wall"}, "tls.names"),
        ({"certificate": "/x", "key": "/y", "names": []}, "tls.names"),
        ({"certificate": "/x", "key": "/y", "ca": "/z"}, "tls.ca"),
    ],
)
def test_a_wrong_setting_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TlsSettings.parse(given)
    assert caught.value.field == field


def test_names_are_those_of_the_certificate() -> None:
    assert certificate_names(None) == certificate_names({}) == ()
    peer = {
        "subject": ((("organizationName", "x"),), (("commonName", "a"),)),
        "subjectAltName": (
            ("DNS", "a"),
            ("DNS", "b"),
            ("IP Address", "10.0.0.1"),
            ("email", "c@d"),
        ),
    }
    assert certificate_names(peer) == ("a", "b", "c@d")


def test_every_address_is_called_by_the_hosts_name() -> None:
    with tcp_socket("0.0.0.0", 0, encrypted=True) as listener:
        name, port = socket.gethostname(), listener.getsockname()[1]
        assert page_url(listener, encrypted=True) == f"https://{name}:{port}/"
    with pytest.raises(InvalidInput, match="is no address"), tcp_socket("x.org", 0, encrypted=True):
        pass
