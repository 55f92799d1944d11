"""A little HTTP server with answers of a test's own, for what the simulator cannot know: redirects."""

import contextlib
import http.server
import threading


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client may hang up, as one that does not trust us does


class Stub:
    def __init__(self, tls=None):
        self.requests, self.bodies = [], []  # path and headers of each; what it sent
        self.answers = {}  # beginning of a path: status, headers, body
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                stub.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                stub.requests.append((self.path, self.headers))
                found = [a for start, a in stub.answers.items() if self.path.startswith(start)]
                status, headers, body = found[0] if found else (404, {}, b"")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value.replace("{query}", self.path.partition("?")[2]))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}"


@contextlib.contextmanager
def stub(tls=None):
    """A server until the end of the block; `tls` is the ssl context of one that speaks it."""
    one = Stub(tls)
    thread = threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield one
    finally:
        one.server.shutdown()
        thread.join()
        one.server.server_close()
