"""The simulator as a process, and its end points as methods."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
from datetime import datetime, timezone
from urllib.parse import quote, urlencode

ROOT = pathlib.Path(__file__).parents[2]
SIM = ROOT / os.environ.get("BUILD", "build") / "otlpull-sim"
# A process that ends with us, even if we end by SIGKILL.
BOUND = ["setpriv", "--pdeathsig", "KILL"]
WRAPPER = ["valgrind", "-q", "--error-exitcode=99"] if os.environ.get("VALGRIND") else []
SECONDS = 60 if WRAPPER else 20  # what any one wait may take
APP = "11111111-2222-4333-8444-555555555555"
ENVIRONMENT = "66666666-7777-4888-8999-000000000000"
MINUTE = 60_000_000_000
HOUR = 60 * MINUTE


def date(unix_ns):
    """A time as Forge takes it; whole milliseconds."""
    seconds, ms = divmod(unix_ns // 1_000_000, 1000)
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms:03}Z"


class Sim:
    wrapper = WRAPPER

    def __init__(self, tmp_path, *args):
        ports = tmp_path / f"ports{time.monotonic_ns()}"
        self.process = subprocess.Popen(
            [*BOUND, *self.wrapper, SIM, "--ports-file", ports, "--exit-after", "2h", *map(str, args)],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + SECONDS
        while not ports.exists():
            assert self.process.poll() is None and time.monotonic() < end, "the simulator does not start"
            time.sleep(0.01)
        lines = dict(line.split("=") for line in ports.read_text().split())
        self.api, self.sink = int(lines["api"]), int(lines.get("sink", 0))
        self.now = time.time_ns() // MINUTE * MINUTE - MINUTE

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SECONDS) == 0

    def request(self, port, method, target, body=None, headers=()):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        try:
            c.request(method, target, body, dict(headers))
            r = c.getresponse()
            return r.status, dict(r.getheaders()), r.read()
        finally:
            c.close()

    def own(self, target, method="GET", body=None):
        """One of the simulator's own end points: an object, or a list of lines."""
        port = self.sink if target.startswith("/_sink") else self.api
        status, _, text = self.request(port, method, target, body)
        assert status == 200, text
        return [json.loads(line) for line in text.splitlines()]

    def stats(self):
        return self.own("/_sim/stats")[0]

    def get(self, app=APP, auth="dev@example.com:sim-token", method="GET", headers=(), raw="", **query):
        """One call; by default it asks for the last hour. None leaves a parameter out, a list repeats it."""
        q = {"environmentId": ENVIRONMENT, "startDate": date(self.now - HOUR), "endDate": date(self.now), **query}
        target = f"/v1/app/logs/{app}?" + urlencode({k: v for k, v in q.items() if v is not None}, True, quote_via=quote)
        basic = "Basic " + base64.b64encode(auth.encode()).decode()
        return self.request(self.api, method, target + raw, headers={"Authorization": basic, **dict(headers)})

    def pages(self, **query):
        """All records of a window, page by page."""
        cursor = None
        while True:
            status, _, body = self.get(cursor=cursor, **query)
            assert status == 200, body
            page = json.loads(body)
            yield page["appLogs"]
            cursor = page.get("cursor")
            if not cursor:
                return

    def window(self, **query):
        return [r for page in self.pages(**query) for r in page]

    def post(self, body, path="/v1/logs", method="POST", **headers):
        h = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        status, _, text = self.request(self.sink, method, path, body, {k: v for k, v in h.items() if v})
        return status, text

    def check(self, **query):
        return self.own("/_sim/check?" + urlencode(query, True))[0]


@contextlib.contextmanager
def run(tmp_path, *args):
    sim = Sim(tmp_path, *args)
    try:
        yield sim
    finally:
        sim.stop()


def body_of(record):
    return record["body"]["stringValue"]


def document(*records):
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]})


def failure(call):
    """The status, or the kind of exception."""
    try:
        return call()[0]
    except (http.client.HTTPException, OSError, socket.timeout) as e:
        return type(e).__name__
