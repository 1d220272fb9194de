"""Stands between the program and a store's emulator, and passes requests on: to count them, or to fail some of them."""

import contextlib
import http.client
import http.server
import random
import socket
import socketserver
import threading
import time
import typing
import urllib.parse

# Never passed on: they are of one connection.
OF_CONNECTION = ("transfer-encoding", "connection", "keep-alive", "content-length")
FAULTS = ["429", "503", "slow", "lost", "cut"]


class Passing(http.server.BaseHTTPRequestHandler):
    """Passes a request on, and its answer back."""

    protocol_version = "HTTP/1.1"
    store = None  # host and port

    def pass_on(self):
        body = self.body()
        status, reason, headers, content = self.answer(body)
        self.done(body, content)
        self.send_response_only(status, reason)
        for name, value in headers:
            if name.lower() not in OF_CONNECTION:
                self.send_header(name, value)
        length = dict(headers).get("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, body):
        # A connection each: the store closes those that are idle.
        connection = http.client.HTTPConnection(*self.store)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.reason, answer.getheaders(), content

    def done(self, body, content):
        """Told of each request."""

    def is_list(self):
        query = urllib.parse.urlsplit(self.path).query
        return self.command == "GET" and ("comp=list" in query or "list-type" in query)

    def log_message(self, *_):
        pass


class Failing(Passing):
    """Fails some requests, as stores that are busy and networks do: the kinds of faults in turn, so that few are enough
    to see each, with a random number of good requests between them."""

    rate, slow_seconds = 0.0, 0.0
    random = random.Random()
    one_by_one = threading.Lock()
    good_ones = 0  # before the next fault
    seen: typing.ClassVar[dict[str, int]] = {}

    def fault(self):
        """What goes wrong with this request, if anything does."""
        with self.one_by_one:
            if self.good_ones > 0:
                Failing.good_ones -= 1
                return None
            Failing.good_ones = self.random.randrange(round(2 / self.rate))
            fault = FAULTS[sum(self.seen.values()) % len(FAULTS)]
            self.seen[fault] = self.seen.get(fault, 0) + 1
            return fault

    def pass_on(self):
        fault = self.fault()
        if fault is None:
            return super().pass_on()
        body = self.body()
        if fault in ("429", "503"):
            self.send_response_only(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if fault == "slow":
            # Longer than the client waits: whether it was done, it cannot know.
            self.answer(body)
            time.sleep(self.slow_seconds)
        if fault == "lost":
            self.answer(body)
        # "cut": the connection ends before the store hears of it.
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        return None

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """A client that has gone away."""


def start(handler, host, port):
    """Serves on a free port of loopback, before the store at this address; the port."""
    handler.store = (host, port)
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port
