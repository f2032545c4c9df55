# SPDX-License-Identifier: Apache-2.0
"""A page in the browser: frames of a running system go out, wishes of who looks come in."""
from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FILES = {'/': ('page.html', 'text/html'), '/page.css': ('page.css', 'text/css'),
         '/drawing.js': ('drawing.js', 'text/javascript'),
         '/page.js': ('page.js', 'text/javascript')}
"""What the server gives away, with its type."""

WISHES = {'goal': {'kind': str, 'x': float, 'y': float, 'u': float, 'v': float, 'also': bool},
          'reset': {}, 'pause': {'on': bool}, 'step': {}}
"""What may be wished for, with what is said beside."""

KINDS = {'none': set(), 'all': {'x', 'y'}, 'object': {'x', 'y', 'u', 'v'}}
"""Goals that the mouse can set, with what they need."""

LONGEST_WISH = 4096  # bytes
PATIENCE = 60.0      # s, in which a wish is answered: longer than whoever answers takes to give up
BEAT = 1.0           # s, after which a page without news gets a sign that the server is there
FARTHEST = 1e4       # px, beyond which nothing is that could be meant
LOOPBACK = {'localhost', '127.0.0.1'}


_EXPECTED = {float: f'a number from {-FARTHEST:g} to {FARTHEST:g}', bool: 'true or false',
             str: 'a string'}


class PageError(RuntimeError):
    """The server cannot be started; the message says why, and what to do."""


class WishError(ValueError):
    """A wish is none; the message says why."""


@dataclass
class Wish:
    """
    What somebody who looks at the page wants to be done.

    what: one of WISHES; says: what it says beside. Whoever grants it calls `answer`.
    """

    what: str
    says: dict
    _answer: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)

    @staticmethod
    def read(body: bytes) -> Wish:
        """Return the wish that a page has sent. Raises WishError."""
        try:
            said = json.loads(body, parse_int=float)
        except (ValueError, RecursionError) as error:
            raise WishError(f'this is no JSON: {error}') from error
        what = said.pop('do', None) if isinstance(said, dict) else None
        if not isinstance(what, str) or what not in WISHES:
            raise WishError(f'do is {what!r}, expected one of {", ".join(WISHES)}')
        says = {}
        for name, value in said.items():
            kind = WISHES[what].get(name)
            if kind is None:
                raise WishError(f'{what} takes no {name}')
            if type(value) is not kind or kind is float and not abs(value) <= FARTHEST:
                raise WishError(f'{name} is {value!r}, expected {_EXPECTED[kind]}')
            says[name] = value
        if what == 'goal' and says.get('kind') not in KINDS:
            raise WishError(f'kind is {says.get("kind")!r}, expected one of {", ".join(KINDS)}')
        missing = (KINDS[says['kind']] if what == 'goal' else WISHES[what].keys()) - says.keys()
        if missing:
            raise WishError(f'{what} needs {", ".join(sorted(missing))}')
        return Wish(what, says)

    def answer(self, granted: bool, sentence: str) -> None:
        self._answer.put({'granted': granted, 'says': sentence})

    def wait(self) -> dict:
        """Return the answer as the page reads it."""
        try:
            return self._answer.get(timeout=PATIENCE)
        except queue.Empty:
            return {'granted': False, 'says': f'there was no answer for {PATIENCE:g} s'}


class Page:
    """
    Serves the page, the newest frame to all who look, and collects their wishes.

    host, port: where to listen; port 0 chooses a free one. To a browser on this machine it answers
    under names of this machine only, so that no page from elsewhere can pretend to be it. A
    context manager. Raises PageError.
    """

    def __init__(self, host: str = '127.0.0.1', port: int = 8764):
        self._news = threading.Condition()
        self._frame, self._count, self._viewers, self._open = b'', 0, 0, True
        self._wishes: queue.SimpleQueue[Wish] = queue.SimpleQueue()
        try:
            self._server = _Server((host, port), _Visit)
        except (OSError, OverflowError) as error:
            raise PageError(f'cannot listen at {host}:{port} ({error}): choose another --port or '
                            f'--host, or end what is using it') from error
        self._server.page = self
        self._server.local = host in LOOPBACK
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        name = 'localhost' if host in ('127.0.0.1', '0.0.0.0') else host
        self.address = f'http://{name}:{self._server.server_address[1]}/'

    def show(self, frame: dict) -> None:
        """Send a frame to all who look; those who are slow miss some."""
        with self._news:
            self._frame, self._count = json.dumps(frame, allow_nan=False).encode(), self._count + 1
            self._news.notify_all()

    @property
    def viewers(self) -> int:
        """How many look at present."""
        return self._viewers

    def wishes(self) -> list[Wish]:
        """Return the wishes that have come since this was asked last."""
        found = []
        while not self._wishes.empty():
            found.append(self._wishes.get())
        return found

    def close(self) -> None:
        """Say good-bye to all who look."""
        with self._news:
            self._open = False
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def frames(self):
        """Yield the newest frame, JSON, whenever there is one; b'' after BEAT s without any."""
        seen = 0
        with self._news:
            self._viewers += 1
        try:
            while True:
                with self._news:
                    self._news.wait_for(lambda: self._count > seen or not self._open, BEAT)
                    if not self._open:
                        return
                    news, seen = self._frame if self._count > seen else b'', self._count
                yield news
        finally:
            with self._news:
                self._viewers -= 1

    def grant(self, wish: Wish) -> dict:
        """Hand on a wish; return its answer when it comes."""
        self._wishes.put(wish)
        return wish.wait()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        """Say nothing: browsers leave as they like."""


class _Visit(BaseHTTPRequestHandler):
    """One request of a browser; each has a thread of its own."""

    server_version = 'obai'
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        if not self._is_for_us():
            return
        if self.path == '/frames':
            self._stream()
        elif self.path in FILES:
            name, kind = FILES[self.path]
            self._reply(HTTPStatus.OK, (Path(__file__).parent / name).read_bytes(), kind)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f'there is nothing at {self.path}')

    def do_POST(self):
        if not self._is_for_us():
            return
        # Browsers let pages from elsewhere send forms here, but no JSON.
        if self.path != '/wish' or self.headers.get_content_type() != 'application/json':
            self._refuse(HTTPStatus.NOT_FOUND, 'wishes go to /wish, as application/json')
            return
        length = self.headers.get('Content-Length', '')
        if not length.isdecimal() or int(length) > LONGEST_WISH:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                         f'a wish has at most {LONGEST_WISH} bytes and says how many')
            return
        try:
            wish = Wish.read(self.rfile.read(int(length)))
        except WishError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._reply(HTTPStatus.OK, json.dumps(self.server.page.grant(wish)).encode(),
                    'application/json')

    def _is_for_us(self):
        host = self.headers.get('Host', '')
        name = host.rpartition(':')[0] or host
        if self.server.local and name not in LOOPBACK:
            self._refuse(HTTPStatus.FORBIDDEN, f'this is not {name}: --host lets others look')
            return False
        return True

    def _stream(self):
        self.send_response(HTTPStatus.OK)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Cache-Control', 'no-store')
        self.send_header('Connection', 'close')
        self.end_headers()
        self.close_connection = True
        frames = self.server.page.frames()
        try:
            for frame in frames:
                self.wfile.write(b'data: ' + frame + b'\n\n' if frame else b':\n\n')
        finally:
            frames.close()

    def _refuse(self, status, sentence):
        self._reply(status, json.dumps({'granted': False, 'says': sentence}).encode(),
                    'application/json')

    def _reply(self, status, body, kind):
        self.send_response(status)
        self.send_header('Content-Type', f'{kind}; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Cache-Control', 'no-store')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing: what matters is said by the page itself."""
