"""A real Collector as a process, and its answers and output as plain values."""

import contextlib
import gzip
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from ctypes import CDLL, c_char_p, c_int, c_size_t, create_string_buffer

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
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
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

    def __init__(self, port, path, encoding):
        self.port, self.path, self.encoding = port, path, encoding
        self.endpoint = f"http://127.0.0.1:{port}"
        self.read = self.marks = 0

    def request(self, body=b"", method="POST", path="/v1/logs", **headers):
        """Status and body of the answer. A header is named with _ for -, and left out by None."""
        headers = {"Content_Type": "application/json", **headers}
        headers = {k.replace("_", "-"): v for k, v in headers.items() if v is not None}
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(c):
            c.request(method, path, body, headers)
            answer = c.getresponse()
            return answer.status, answer.read()

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
def run_collector(folder, *settings, encoding=""):
    """A Collector that listens and takes `encoding`; `settings` as its option --set takes them."""
    port, path, log = free_port(), folder / "logs.json", folder / "collector.log"
    env = {**os.environ, "LISTEN": f"127.0.0.1:{port}", "LOGS_FILE": str(path)}
    command = [BUILD / "interop/otelcol", "--config", HERE / "collector.yaml"]
    command += [f"--set={s}" for s in settings]
    with process(*command, log=log, env=env) as p:

        def listens():
            assert p.poll() is None, f"the Collector ended:\n{log.read_text()}"
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        wait_for("listening Collector", listens)
        yield Collector(port, path, encoding)
