"""Chat endpoints whose answers are known: in the process, or over HTTP on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

from aggregator.public.endpoint import NoAnswerError

HANG = "hang"  # takes the request and never answers
CUT = "cut"  # promises more than it sends


class Chat:
    """Answers in the process; an exception among the answers is raised."""

    identity = "a chat"

    def __init__(self, answer: Callable[[int, list], str | Exception]) -> None:
        """``answer`` of the request's number and its messages."""
        self._answer = answer
        self.asked: list[list] = []

    def complete(self, messages, *, temperature):
        self.asked.append(list(messages))
        found = self._answer(len(self.asked) - 1, self.asked[-1])
        if isinstance(found, Exception):
            raise found
        return found


def in_turn(*answers: str | Exception) -> Chat:
    """These answers, then silence."""
    rest = iter(answers)
    return Chat(lambda *_: next(rest, NoAnswerError("silent")))


class Server:
    """What a stub server was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict] = []
        self.headers: list[dict] = []


@contextmanager
def chat_server(answer: Callable[[int, dict], object]) -> Iterator[Server]:
    """``answer`` of the request's number and body: text, (status, headers, bytes), HANG or CUT."""
    released, numbers = threading.Event(), count()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(body)
            server.headers.append(dict(self.headers))
            said = answer(next(numbers), body)
            if said == HANG:
                released.wait()
            elif said == CUT:
                self._send(200, {"Content-Length": "999"}, b'{"choices"')
            elif isinstance(said, str):
                message = {"choices": [{"message": {"role": "assistant", "content": said}}]}
                self._send(200, {}, json.dumps(message).encode())
            else:
                self._send(*said)
            self.close_connection = True

        def _send(self, status: int, headers: dict, content: bytes) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{httpd.server_address[1]}/v1")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        released.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()
