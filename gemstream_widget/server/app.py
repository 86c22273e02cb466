"""The HTTP side: paths, keys, headers, and noticing when a client hangs up."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from typing import Any, cast
from weakref import WeakSet

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, RequestHandler

from .account import RequestRecord
from .errors import Refusal, error_body
from .exchange import CutOff, Exchange, reset
from .faults import Fault
from .framing import to_json
from .models import METHODS, describe
from .service import Address, Service, read_body

__all__ = ["Server", "application"]


_HTML_ERROR = b"<html><head><title>Service Unavailable</title></head><body>Please try again later.</body></html>"
_SECRET_HEADERS = {"x-goog-api-key", "authorization", "cookie"}
_VERSION = r"/(?P<version>v1|v1beta|v1beta1|v1alpha)"
_VERTEX = r"(?P<place>(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+)/"
_GENERATE = r"models/(?P<model>[^:]+):(?P<method>\w+)"


def application(service: Service) -> Application:
    """The web application over this service."""
    routes: list[tuple[str, type[RequestHandler]]] = [
        (f"{_VERSION}/(?:{_VERTEX})?{_GENERATE}", GenerateHandler),
        (f"{_VERSION}/models", ModelsHandler),
        (f"{_VERSION}/(?:{_VERTEX})?models/(?P<model>[^:]+)", ModelsHandler),
        (r".*", NothingHandler),
    ]
    return Application(
        [(path, handler, {"service": service}) for path, handler in routes],
        log_function=lambda handler: None,
        compress_response=False,
    )


class Server(HTTPServer):
    """An HTTP server that counts its open connections in a service."""

    def initialize(self, application: Application, service: Service) -> None:  # type: ignore[override]
        """Tornado's way of taking constructor arguments."""
        self._service = service
        self._streams = WeakSet[IOStream]()
        super().initialize(application, max_body_size=512 * 2**20)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """A connection was accepted."""
        self._service.open_connections += 1
        self._streams.add(stream)
        stream.set_nodelay(True)
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        """A connection is gone."""
        self._service.open_connections -= 1
        super().on_close(server_conn)

    def drop_copies(self) -> None:
        """In a forked child: let go of its copies of the connections. As long as it had them, no client would see that
        the parent closes one.
        """
        for stream in list(self._streams):
            if stream.socket is not None:  # where it is closed already
                stream.socket.close()


class BaseHandler(RequestHandler):
    """Opens the record of the request, asks for the key, and answers errors as Gemini prints them."""

    service: Service
    record: RequestRecord
    _work: asyncio.Task[None] | None = None

    def initialize(self, service: Service) -> None:
        self.service = service

    def set_default_headers(self) -> None:
        self.set_header("Server", "gemstream_widget local Gemini")

    def compute_etag(self) -> None:
        return None

    def prepare(self) -> None:
        self.record = self.service.open_record(
            connection=cast(Any, self.request.connection).context.address[1],
            method=self.request.method or "",
            path=re.sub(r"(?<=[?&])key=[^&]*&?", "", self.request.uri or "").rstrip("?&"),
            headers={n.lower(): v for n, v in self.request.headers.get_all() if n.lower() not in _SECRET_HEADERS},
        )

    def check_key(self) -> None:
        """Any key will do, but there must be one, and not the one that is `invalid`."""
        bearer = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        key = self.request.headers.get("x-goog-api-key") or self.get_query_argument("key", "") or bearer
        if not key:
            raise Refusal.missing_key()
        if key == "invalid":
            raise Refusal.invalid_key()

    async def attend(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work as long as the client is there: the task that sends is what its hanging up cancels."""
        self._work = asyncio.create_task(work)
        await asyncio.wait([self._work])
        try:
            if not self._work.cancelled():
                self._work.result()
                self.record.note_end("answered")
        except Refusal as refusal:
            self.refuse(refusal)
        except CutOff as cut:
            self.record.note_end("cut")
            if cut.ending == "reset":
                reset(_connection(self.request).stream)
            elif cut.ending == "close":
                _connection(self.request).stream.close()
        except StreamClosedError:
            self.on_connection_close()

    def on_connection_close(self) -> None:
        """The connection is gone, by FIN or RST, ours or theirs: whatever still works for it ends here."""
        if self.service.closing:
            self.record.note_end("server closed")
        else:
            self.record.note_closed()
            self.record.note_end("client closed")
        if self._work is not None:
            self._work.cancel()

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an HTTP error."""
        self.record.note_end("refused")
        self.set_status(refusal.code)
        self.put_json(refusal.json())
        self.finish()

    def put(self, data: bytes, kind: str) -> None:
        """These bytes of this content type, and a note of them."""
        self.set_header("Content-Type", kind)
        self.write(data)
        self.record.note_bytes(len(data), data)

    def put_json(self, data: bytes) -> None:
        """JSON, all of the body."""
        self.put(data, "application/json; charset=UTF-8")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What tornado says when a handler breaks: a bug here, told the way Gemini tells its own."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps(error_body(status_code), indent=2))

    def on_finish(self) -> None:
        self.record.status = self.get_status()
        self.record.note_end("answered")


class GenerateHandler(BaseHandler):
    """`:streamGenerateContent?alt=sse`, `:generateContent` and `:countTokens`."""

    async def post(self, version: str, model: str, method: str, place: str | None = None) -> None:
        self.record.model = model
        await self.attend(self._answer(Address(version, model, method, place)))

    async def _answer(self, address: Address) -> None:
        self.check_key()
        method = address.method
        if method not in METHODS:
            raise Refusal(404, f"This server has no method {method}; it has {', '.join(METHODS)}.")
        body = self.record.body = read_body(self.request.body)
        if method == "countTokens":
            self.put_json(to_json(self.service.count(body, address)))
            return
        faults = self.service.faults
        fault = faults.popleft() if faults else None
        if fault is None or fault.status is None:
            actions, scripted = self.service.answer(body, address)
            fault = fault or scripted
        exchange = Exchange(self, self.record, fault, self.service.speed, self.service.issuer.remember)
        if fault.status is not None:
            await exchange.hold_headers()
            await self._fail(fault)
        elif method == "generateContent":
            self.set_header("Content-Type", "application/json; charset=UTF-8")
            await exchange.whole(actions)
        elif self.get_query_argument("alt", "") != "sse":
            raise Refusal(400, "This server streams server-sent events only: add ?alt=sse to the address.")
        else:
            self.set_header("Content-Type", "text/event-stream")
            await exchange.stream(actions)

    async def _fail(self, fault: Fault) -> None:
        refusal = Refusal(fault.status or 500, retry_after_s=fault.retry_after_s)
        if fault.body == "json":
            raise refusal
        self.record.note_end("refused")
        self.set_status(refusal.code)
        self.put(_HTML_ERROR if fault.body == "html" else b"", "text/html")
        self.finish()


class ModelsHandler(BaseHandler):
    """`GET models` and `GET models/{name}`."""

    async def get(self, version: str, model: str | None = None, place: str | None = None) -> None:
        await self.attend(self._list(version, model, place))

    async def _list(self, version: str, model: str | None, place: str | None) -> None:
        self.check_key()
        if model is not None:
            self.service.check_model(Address(version, model, "get", place))
        names = self.service.model_names(version)
        self.put_json(to_json(describe(model) if model else {"models": [describe(name) for name in names]}))


class NothingHandler(BaseHandler):
    """Every other address."""

    def prepare(self) -> None:
        super().prepare()
        known = "/v1/models/demo:streamGenerateContent?alt=sse"
        self.refuse(Refusal(404, f"There is nothing at {self.record.path}. Streams are at {known}."))


def _connection(request: HTTPServerRequest) -> HTTP1Connection:
    return cast(HTTP1Connection, request.connection)  # the only kind there is on a server without HTTP/2
