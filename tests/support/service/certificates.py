"""Certificates for tests, made by openssl: an authority, servers and clients of it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


def _openssl(*words: str) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_authority(folder: Path, name: str = "authority") -> Pair:
    """A certificate that signs others."""
    made = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", f"/CN={name}", "-days", "2", "-keyout", str(made.key)),
        *("-out", str(made.certificate)),
    )
    return made


def make_certificate(folder: Path, authority: Pair, name: str, *alternatives: str) -> Pair:
    """A certificate with the common name, and alternative ones such as "DNS:x", "IP:10.0.0.1"."""
    made = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    extra = [f"subjectAltName={','.join(alternatives)}"] if alternatives else []
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-CA", str(authority.certificate), "-CAkey", str(authority.key)),
        *("-subj", f"/CN={name}", "-days", "2", "-keyout", str(made.key)),
        *(word for one in extra for word in ("-addext", one)),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-out", str(made.certificate)),
    )
    return made
