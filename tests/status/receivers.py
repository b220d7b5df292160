"""Whom alerts are told, in a thread: a web server that answers as it is told, and a mail server."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Posted:
    """One request; `took_s` until it was answered, or until the client went."""

    path: str
    headers: dict[str, str]
    body: bytes
    took_s: float


@dataclass
class Hooks:
    """`script` holds for each path what to answer in turn, the last for ever: a status, a
    redirect's target, or None to say nothing until the client goes."""

    script: dict[str, list[int | str | None]]
    posted: list[Posted] = field(default_factory=list)
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, path: str) -> list[Posted]:
        return [one for one in self.posted if one.path == path]


@contextmanager
def hooks(script: dict[str, list[int | str | None]]) -> Iterator[Hooks]:
    """A web server on the loopback."""
    found = Hooks(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            began = time.monotonic()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers = found.script[self.path]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if answer is None:
                self.rfile.read(1)  # returns when the client closes
                self.close_connection = True
            elif isinstance(answer, str):
                self.send_response(307)
                self.send_header("Location", answer)
                self.end_headers()
            else:
                self.send_response(answer)
                self.end_headers()
            headers = {name.lower(): value for name, value in self.headers.items()}
            took_s = time.monotonic() - began
            found.posted.append(Posted(self.path, headers, body, took_s))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    with _served(server):
        yield found


@dataclass
class Mails:
    """`sent` are whole messages; the first `refusals` are told to come again."""

    refusals: int
    sent: list[str] = field(default_factory=list)
    port: int = 0


@contextmanager
def mails(refusals: int = 0) -> Iterator[Mails]:
    """A mail server on the loopback, with as much of SMTP (RFC 5321) as handing one over takes."""
    found = Mails(refusals)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 loopback")
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                if word == b"DATA":
                    self._take()
                elif word == b"MAIL" and found.refusals:
                    found.refusals -= 1
                    self._say("451 come again")
                elif word == b"QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 loopback")

        def _take(self) -> None:
            self._say("354 go on")
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.decode())
            found.sent.append("".join(lines))
            self._say("250 taken")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    with _served(server):
        yield found


@contextmanager
def _served(server: socketserver.TCPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
