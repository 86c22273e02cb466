"""Networks on this machine: certificates nobody trusts, servers behind TLS, proxies that note what they see."""

from __future__ import annotations

import asyncio
import datetime
import os
import re
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

import gemstream_widget as gem

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_NAME, _HASHED = "Nobody's", "35b6f0c6.0"
"""Who signs, and the file of its certificate in a folder: `openssl x509 -hash` of that name."""
TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing of proxies and certificates."""
    for name in list(os.environ):
        if name.upper() in (*VARIABLES, *TRUST, "SSLKEYLOGFILE"):
            monkeypatch.delenv(name)


def play(main: Callable[[], Awaitable[None]]) -> None:
    """Run it, for half a minute at most."""

    async def within() -> None:
        await asyncio.wait_for(main(), 30)

    asyncio.run(within())


async def ask(chat: gem.Chat | None = None) -> gem.Run:
    """A run of a chat whose client the environment describes, ended."""
    return await (chat or gem.Chat(model="gemini-3.8-flash")).send("@say hi").wait()


class Relay:
    """A server on 127.0.0.1 that passes bytes on to a port there, both ways.

    With a `context` it is spoken to in TLS. As a `proxy` it is asked first, by an HTTP head, and writes that down in
    `asked`; it answers CONNECT with `answer`, and without `to` everything. Nobody but the tests is ever connected.
    """

    def __init__(
        self,
        to: int | None = None,
        *,
        context: ssl.SSLContext | None = None,
        proxy: bool = False,
        answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n",
    ) -> None:
        self.asked: list[bytes] = []
        """The heads that it was asked with, and as much of the body as came with them."""
        relay = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), _accepted(self.request, context) as near:
                    relay._attend(near, to, proxy, answer)

        class Server(ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: Any, address: Any) -> None:
                """A connection that was given up is none of its business."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def _attend(self, near: socket.socket, to: int | None, proxy: bool, answer: bytes) -> None:
        first = b""
        if proxy:
            while b"\r\n\r\n" not in first and (data := near.recv(65536)):
                first += data
                if not first[:1].isalpha():  # no HTTP: TLS, or SOCKS
                    near.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    return
            self.asked.append(first)
            first = re.sub(rb"^(\w+) http://[^/]+", rb"\1 ", first)
            if to is None or first.startswith(b"CONNECT"):
                near.sendall(answer)
                first = b""
        if to is None:
            return
        with socket.create_connection(("127.0.0.1", to)) as far:
            far.sendall(first)
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _accepted(near: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    return near if context is None else context.wrap_socket(near, server_side=True)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that refuses: bound and not listening, so that it is nobody else's."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Authority:
    """Who signs a certificate for these hosts that nobody else trusts. `file` and `folder` are for SSL_CERT_FILE and
    SSL_CERT_DIR; the folder is right for the usual `name`.
    """

    def __init__(self, place: Path, *hosts: str, name: str = _NAME) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        others = [x509.DNSName(host) for host in hosts if not host[0].isdigit()]
        addresses = [x509.IPAddress(ip_address(host)) for host in hosts if host[0].isdigit()]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([*others, *addresses]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_usage(x509), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file = place / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair = place / "server.pem"
        plain = serialization.NoEncryption()
        pair.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            + self.file.read_bytes()
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        """For a server that shows the certificate."""
        self.context.load_cert_chain(pair)
        self.folder = place / "hashed"
        self.folder.mkdir()
        (self.folder / _HASHED).write_bytes(self.file.read_bytes())


def _usage(x509: Any) -> Any:
    """What Python 3.13 wants to be said of one that signs."""
    names = "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only".split()
    return x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **dict.fromkeys(names, False))
