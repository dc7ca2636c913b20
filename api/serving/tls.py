"""TLS of the TCP socket: certificate and key from files, read anew when they change; client certificates.

[tls]
certificate = "/etc/xdpwall/tls/wall.crt"    # the chain, PEM
key = "/etc/xdpwall/tls/wall.key"
client_ca = "/etc/xdpwall/tls/clients.crt"   # whose certificates clients may show; absent: none
names = ["wall.example"]                     # Host names that clients may send; absent: any
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdpwall.errors import Failed, InvalidInput, Refused
from xdpwall.trusted import open_file
from xdpwall.values.inputs import invalid, refuse_unknown_fields

HANDSHAKE_TIMEOUT = 10.0
"""Seconds."""
FIELDS = ("certificate", "key", "client_ca", "names")
"""The keys of the table `tls`."""
_FILES = ("certificate", "key", "client_ca")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The table `tls` of config.toml."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    names: frozenset[str] | None = None
    """Host names, lower case; None is any."""

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> TlsSettings:
        """InvalidInput names the field that is wrong."""
        refuse_unknown_fields(table, FIELDS, "tls", "tls.")
        for name in _FILES[:2]:
            if name not in table:
                raise InvalidInput(f"tls.{name}: is missing", field=f"tls.{name}")
        paths = {name: _path(name, table[name]) for name in _FILES if name in table}
        names = table.get("names")
        if names is not None and not (
            isinstance(names, list) and names and all(isinstance(one, str) for one in names)
        ):
            raise invalid("tls.names", names, "is wrong", 'a list of names: ["wall.example"]')
        lowered = None if names is None else frozenset(one.lower() for one in names)
        return cls(paths["certificate"], paths["key"], paths.get("client_ca"), lowered)

    def context(self) -> ssl.SSLContext:
        """Make the server's side. InvalidInput, Refused "untrusted-file" and "key-exposed"."""
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load(made)
        if self.client_ca is not None:
            made.verify_mode = ssl.CERT_OPTIONAL
            with _told("client_ca", self.client_ca):
                made.load_verify_locations(self.client_ca)
        return made

    def load(self, context: ssl.SSLContext) -> None:
        """Put certificate and key into a context: connections that are made from now on get them."""
        with _told("key", self.key):
            _check_key(self.key)
        with _told("certificate", self.certificate):
            context.load_cert_chain(self.certificate, self.key)

    def signature(self) -> tuple[object, ...]:
        """Another one when one of the files is another one, or was written."""
        return tuple(file_signature(path) for path in (self.certificate, self.key, self.client_ca))


def file_signature(path: Path | None) -> object:
    """Another one when the file is another one, was written or is gone."""
    if path is None:
        return None
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def certificate_names(peer: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The names in a verified client certificate, as ssl.SSLSocket.getpeercert() gives it: its common
    name, and its DNS names and mail addresses."""
    if not peer:
        return ()
    subject = (pair for group in peer.get("subject", ()) for pair in group)
    found = [value for kind, value in subject if kind == "commonName"]
    found += [value for kind, value in peer.get("subjectAltName", ()) if kind in ("DNS", "email")]
    return tuple(dict.fromkeys(found))


def _path(name: str, value: Any) -> Path:
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise invalid(f"tls.{name}", value, "is wrong", "the absolute path of a PEM file")
    return Path(value)


def _check_key(path: Path) -> None:
    fd = open_file(path, os.O_RDONLY, private=False)
    try:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
    finally:
        os.close(fd)
    if mode & 0o007:
        raise Refused(
            f"{path}: everybody may read the key (mode {mode:04o})",
            code="key-exposed",
            value=str(path),
            hint=f"chmod o= {path}; and a new key, if somebody may have read it",
        )


@contextmanager
def _told(name: str, path: Path) -> Iterator[None]:
    """Translate what OpenSSL and the disk say of the file in tls.NAME."""
    try:
        yield
    except ssl.SSLError as error:
        raise InvalidInput(
            f"tls.{name}: {path}: {_reason(error)}",
            field=f"tls.{name}",
            value=str(path),
            hint="PEM files are wanted, the key without a password and the certificate's own",
            detail=str(error),
        ) from error
    except OSError as error:
        raise Failed(
            f"tls.{name}: {path}: {error.strerror}", code="tls-file", field=f"tls.{name}"
        ) from error


def _reason(error: ssl.SSLError) -> str:
    words = {
        "KEY_VALUES_MISMATCH": "the key is not the certificate's",
        "NO_CERTIFICATE_OR_CRL_FOUND": "holds no certificate",
    }
    reason = error.reason or "cannot be read"
    return words.get(reason, f"holds no certificate or key that OpenSSL reads ({reason})")
