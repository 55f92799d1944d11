"""A real Collector as a process, its answers and output as plain values; and otlpull beside it."""

import contextlib
import gzip
import http.client
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time
from ctypes import CDLL, c_char_p, c_int, c_size_t, create_string_buffer
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = pathlib.Path(__file__).parent
BUILD = HERE.parents[1] / os.environ.get("BUILD", "build")
SECONDS = 30  # what any one wait may take

sys.setrecursionlimit(20_000)  # some documents here are deep


def wait_for(what, get):
    """The first true value of get(); fails, naming `what`, when there is none in time."""
    end = time.monotonic() + SECONDS
    while not (value := get()):
        assert time.monotonic() < end, f"no {what} after {SECONDS} s"
        time.sleep(0.01)
    return value


def free_port():
    """Below those that the kernel gives to clients: free also while a Collector starts again."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.randrange(20_000, 32_000)))
            return s.getsockname()[1]


@contextlib.contextmanager
def process(*command, log, **options):
    """A running program; killed at the end, even at ours by SIGKILL."""
    command = ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
    with open(log, "wb") as out:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options)
    try:
        yield p
    finally:
        p.kill()
        p.wait()


def zstd(data):
    lib = CDLL("libzstd.so.1")
    lib.ZSTD_compressBound.restype = lib.ZSTD_compress.restype = c_size_t
    lib.ZSTD_compressBound.argtypes = [c_size_t]
    lib.ZSTD_compress.argtypes = [c_char_p, c_size_t, c_char_p, c_size_t, c_int]
    out = create_string_buffer(lib.ZSTD_compressBound(len(data)))
    length = lib.ZSTD_compress(out, len(out), data, len(data), 1)
    return out.raw[:length]


PACK = {"": bytes, "gzip": lambda data: gzip.compress(data, 1), "zstd": zstd}


class Collector:
    """One that runs. Ask with request(), then read with written() what that made it write."""

    def __init__(self, process, port, path, encoding):
        self.process = process
        self.port, self.path, self.encoding = port, path, encoding
        self.endpoint = f"http://127.0.0.1:{port}"
        self.read = self.marks = 0

    def answer(self, body=b"", method="POST", path="/v1/logs", **headers):
        """Status, headers, body of the answer. A header is named with _ for -, left out by None."""
        headers = {"Content_Type": "application/json", **headers}
        headers = {k.replace("_", "-"): v for k, v in headers.items() if v is not None}
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(c):
            c.request(method, path, body, headers)
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()

    def request(self, *args, **kwargs):
        """The same without its headers."""
        status, _, body = self.answer(*args, **kwargs)
        return status, body

    def lines(self):
        """What it has written up to now: the records of each line that is whole."""
        whole = self.path.read_bytes().rpartition(b"\n")[0] if self.path.exists() else b""
        return [records(json.loads(line)["resourceLogs"]) for line in whole.splitlines()]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def written(self):
        """The resourceLogs written since the last call. A record of our own, sent last, marks the
        end: what comes before it is there when it is."""
        self.marks += 1
        mark = b"mark-%d" % self.marks
        body = PACK[self.encoding](document(b'{"eventName":"%s"}' % mark))
        assert self.request(body, Content_Encoding=self.encoding)[0] == 200

        def text():
            with open(self.path, "rb") as f:
                f.seek(self.read)
                new = f.read()
            return new if mark in new and new.endswith(b"\n") else None

        new = wait_for("output of the Collector", text)
        self.read += len(new)
        lines = [json.loads(line.decode(errors="surrogateescape")) for line in new.splitlines()]
        logs = [r for line in lines for r in line["resourceLogs"]]
        return [r for r in logs if [x.get("eventName") for x in records([r])] != [mark.decode()]]


def document(*texts):
    """An OTLP/JSON request around the texts of log records."""
    return b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[%s]}]}]}' % b",".join(texts)


def records(resource_logs):
    return [x for r in resource_logs for s in r["scopeLogs"] for x in s["logRecords"]]


@contextlib.contextmanager
def run_collector(folder, *settings, encoding="", port=None):
    """A Collector that listens and takes `encoding`; `settings` as its option --set takes them."""
    port, path, log = port or free_port(), folder / "logs.json", folder / "collector.log"
    env = {**os.environ, "LISTEN": f"127.0.0.1:{port}", "LOGS_FILE": str(path)}
    command = [BUILD / "interop/otelcol", "--config", HERE / "collector.yaml"]
    command += [f"--set={s}" for s in settings]
    with process(*command, log=log, env=env) as p:

        def listens():
            assert p.poll() is None, f"the Collector ended:\n{log.read_text()}"
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        wait_for("listening Collector", listens)
        yield Collector(p, port, path, encoding)


# ---- otlpull, and the API that it asks ----------------------------------------------------------

APP = "11111111-2222-4333-8444-555555555555"
ENVIRONMENT = "66666666-7777-4888-8999-000000000000"
CONFIG = f"""
sources:
  - name: shop
    type: forge
    endpoint: %(api)s
    app_id: {APP}
    environment_id: {ENVIRONMENT}
    email: dev@example.com
    api_token: sim-token
    lookback: %(lookback)s
    rate_limit: {{calls: 10000, period: 1m}}
    normalize: %(normalize)s
    resource: {{service.name: shop}}
exporter:
  endpoint: %(collector)s
  compression: %(compression)s
  max_batch_records: %(batch)s
  retry_on_failure: {{initial_interval: 10ms, max_interval: 50ms}}
state:
  path: %(folder)s/state
"""
DEFAULTS = {"compression": "none", "lookback": "1h", "normalize": "true", "batch": "700"}


def otlpull_command(folder, **settings):
    config = folder / "otlpull.yaml"
    config.write_text(CONFIG % {"folder": folder, **DEFAULTS, **settings})
    return [BUILD / "otlpull", "run", "--config", config]


def otlpull_run(folder, **settings):
    command = otlpull_command(folder, **settings)
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stderr


def dead_letters(folder):
    path = folder / "state/source-shop.dead-letter.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextlib.contextmanager
def serving(handler):
    """The URL of an HTTP server whose requests the class `handler` answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def api_with(*texts, page_size=None, page_may_go=lambda: None):
    """The Forge API of an app whose log is these records; they come once, from the first page on.
    Each page waits for page_may_go()."""
    size = page_size or len(texts)
    pages = [texts[i : i + size] for i in range(0, len(texts), size)]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            page_may_go()
            page = pages.pop(0) if pages else ()
            cursor = b',"cursor":"%d"' % len(pages) if pages else b""
            body = b'{"appLogs":[%s]%s}' % (",".join(page).encode(), cursor)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return serving(Handler)
