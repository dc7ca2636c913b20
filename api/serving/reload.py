"""Read anew while the service runs, when their files change: roles, certificate and key."""

from __future__ import annotations

import asyncio
import logging
import ssl

from xdpwall import settings
from xdpwall.api.serving.caller import Callers
from xdpwall.api.serving.peer_roles import PeerRoles
from xdpwall.api.serving.tls import TlsSettings, file_signature
from xdpwall.errors import XdpwallError

LOOK_EVERY = 2.0
"""Seconds between two looks at the files."""

log = logging.getLogger("xdpwall.api")


class ServiceReload:
    """Watches the files of one service. What is wrong with a new one is told in the log, and the one of
    before stays in force."""

    def __init__(
        self, callers: Callers, tls: TlsSettings | None, context: ssl.SSLContext | None
    ) -> None:
        self._callers = callers
        self._tls = tls
        self._context = context
        self._config = file_signature(settings.CONFIG_FILE)
        self._files = None if tls is None else tls.signature()

    async def watch(self) -> None:
        """Look at the files now and then; runs until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Read what has changed since the last look."""
        config = file_signature(settings.CONFIG_FILE)
        if config != self._config:
            self._config = config
            self._read_roles()
        if self._tls is None or self._context is None:
            return
        files = self._tls.signature()
        if files != self._files:
            self._files = files
            self._read_certificate(self._tls, self._context)

    def _read_roles(self) -> None:
        try:
            tables = settings.service_tables()
            self._callers.roles = PeerRoles(tables.get("roles"))
        except XdpwallError as error:
            log.error("config.toml: %s; the roles of before stay in force", error.message)
            return
        log.info("roles were read anew; other settings are read when the service starts")

    def _read_certificate(self, tls: TlsSettings, context: ssl.SSLContext) -> None:
        try:
            tls.context()  # In a context of its own first: half a change must not be in force.
            tls.load(context)
        except XdpwallError as error:
            log.error("%s; the certificate of before stays in use", error.message)
            return
        log.info("certificate and key were read anew")
