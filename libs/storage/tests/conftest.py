"""A way to the store on which things go wrong as a test wants."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from storage import location


class Proxy(ThreadingHTTPServer):
    """Forwards requests to a store, and keeps a record of them.

    Attributes:
        requests: method and path of each.
        sent: bytes of bodies that were sent to the client.
        trouble: asked for each request with its number, method and path;
            answers with a status to return, ``drop`` (the connection),
            ``cut`` (the answer's body), ``flip`` (a bit of the request's
            body) or None.
    """

    daemon_threads = True

    def __init__(self, endpoint):
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = urlsplit(endpoint).netloc
        self.requests = []
        self.sent = 0
        self.trouble = lambda number, method, path: None
        self.url = f"http://127.0.0.1:{self.server_port}"

    def methods(self):
        return [method for method, _ in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        server = self.server
        number = len(server.requests)
        server.requests.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        trouble = server.trouble(number, self.command, self.path)
        if isinstance(trouble, int):
            self.send_response(trouble)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if trouble == "drop":
            self.close_connection = True
            return
        if trouble == "flip" and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        upstream = http.client.HTTPConnection(server.store, timeout=60)
        upstream.putrequest(
            self.command, self.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                upstream.putheader(name, value)
        upstream.endheaders(body)
        answer = upstream.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        if trouble == "cut":
            self.close_connection = True
            data = data[: len(data) // 2]
        self.wfile.write(data)
        server.sent += len(data)
        upstream.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815

    def log_message(self, *arguments):
        """Nothing: the record is enough."""


@pytest.fixture
def proxy(s3, s3_bucket):
    server = Proxy(s3.endpoint)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def through(proxy, s3_bucket):
    """The bucket, reached through the proxy."""
    return location(str(s3_bucket), endpoint_url=proxy.url)


@pytest.fixture
def make(tmp_path):
    """Writes a file of so many bytes, all different by their seed."""

    def write(size=1000, seed=1, name="file.bin"):
        block = bytes((seed * 31 + i * i) % 251 for i in range(4099))
        path = tmp_path / name
        path.write_bytes((block * (size // len(block) + 1))[:size])
        return path

    return write
