"""A web server on this machine that serves a folder, with the faults that servers have."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Site:
    """What a server does.

    Attributes:
        folder: whose files it serves; a path that ends in "/" is a page of links.
        ranges: whether it can start in the middle of a file.
        admits_it: whether it says so if it can't.
        tells_size: whether it says how large a file is.
        cuts: how many of the next answers with a body are cut in the middle.
        statuses: path → status to answer with instead.
        requests: what was asked for: method, path and range.
        answer: a function of the path that answers with the bytes of a page, with a status and
            headers, or with None for a file.
    """

    def __init__(self, folder):
        self.folder = folder
        self.ranges, self.admits_it, self.tells_size, self.cuts = True, True, True, 0
        self.statuses, self.requests = {}, []
        self.answer = lambda path: None
        self.url = ""


@contextmanager
def serve(folder):
    site = Site(folder)
    handler = type("Handler", (_Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, with_body):
        site, path = self.site, unquote(urlsplit(self.path).path)
        asked = self.headers.get("Range", "")
        site.requests.append(f"{self.command} {path} {asked}".strip())
        if path in site.statuses:
            return self._send(site.statuses[path], b"", with_body)
        data = site.answer(self.path)
        if isinstance(data, tuple):
            status, headers = data
            return self._send(status, b"", with_body, headers)
        if data is None and (site.folder / path.strip("/")).is_dir() and path[-1] != "/":
            return self._send(301, b"", with_body, {"Location": f"{path}/"})
        if data is None:
            data = self._file(path)
        if data is None:
            return self._send(404, b"", with_body)
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        if not (span and site.ranges):
            return self._send(200, data, with_body)
        start, end = int(span[1]), min(int(span[2] or len(data)), len(data) - 1)
        whole = {"Content-Range": f"bytes {start}-{end}/{len(data)}"}
        return self._send(206, data[start : end + 1], with_body, whole)

    def _file(self, path):
        target = self.site.folder / path.strip("/")
        if target.is_dir() and path.endswith("/"):
            names = sorted(f"{each.name}{'/' * each.is_dir()}" for each in target.iterdir())
            return "".join(f'<a href="{name}">{name}</a>\n' for name in names).encode()
        return target.read_bytes() if target.is_file() else None

    def _send(self, status, data, with_body, headers=None):
        site = self.site
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if site.tells_size:
            self.send_header("Content-Length", str(len(data)))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        if not site.ranges and site.admits_it:
            self.send_header("Accept-Ranges", "none")
        self.end_headers()
        if not with_body:
            return
        if site.cuts > 0 and data:
            site.cuts -= 1
            data = data[: len(data) // 2]
            self.close_connection = True
        self.wfile.write(data)

    def log_message(self, *args):
        """Says nothing."""
