"""A QUIC server of one file, and its client: `python -m tests.support.net.quic serve|fetch ADDRESS PORT ...`.

By aioquic, in processes of their own. The protocol above is interop's: the name of a file, and its bytes.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration

ALPN = ["hq-interop"]


async def offer(address: str, port: int, certificate: str, key: str, source: str) -> None:
    """Serve the file to whoever asks, for ever."""
    content = Path(source).read_bytes()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"GET /data\r\n"
        writer.write(content)
        writer.write_eof()

    def on_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.ensure_future(answer(reader, writer)))

    answering: set[asyncio.Future[None]] = set()
    settings = QuicConfiguration(is_client=False, alpn_protocols=ALPN)
    settings.load_cert_chain(certificate, key)
    await serve(address, port, configuration=settings, stream_handler=on_stream)
    await asyncio.Event().wait()


async def fetch(address: str, port: int, target: str) -> None:
    """Write what the server sends into a file."""
    settings = QuicConfiguration(alpn_protocols=ALPN, verify_mode=ssl.CERT_NONE)
    async with connect(address, port, configuration=settings) as client:
        reader, writer = await client.create_stream()
        writer.write(b"GET /data\r\n")
        writer.write_eof()
        Path(target).write_bytes(await reader.read())


if __name__ == "__main__":
    what, address, port, *rest = sys.argv[1:]
    asyncio.run(
        offer(address, int(port), *rest) if what == "serve" else fetch(address, int(port), *rest)
    )
