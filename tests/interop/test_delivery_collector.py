"""`otlpull run` into a Collector that refuses, is full, or dies: nothing is lost, and nothing comes
twice but a batch whose answer was."""

import contextlib
import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler

import pytest

from conftest import (
    SECONDS, api_with, dead_letters, otlpull_command, otlpull_run, process, run_collector, serving,
    wait_for,
)

name = "row-{:04}".format


def row(i, more=""):
    return '{%s"eventName":"%s"}' % (more, name(i))


def names(lines):
    """How often each record of ours is there."""
    found = (r.get("eventName", "") for line in lines for r in line)
    return Counter(n for n in found if n.startswith("row-"))


def once(count, but=()):
    return Counter(name(i) for i in range(count) if i not in but)


# ---- refused ------------------------------------------------------------------------------------

# One record that the Collector refuses, and a whole request for it: as the platform sent it, or
# what otlpull would not mend anyhow.
POISON = [
    ("false", '"traceId":"b7ad6b7169203331",'),
    ("false", '"severityNumber":"9",'),
    ("true", '"body":1,'),
]


@pytest.mark.parametrize("at", [0, 417, 999])
@pytest.mark.parametrize("normalize, poison", POISON, ids=["traceId", "severity", "body"])
def test_poison_among_1000(tmp_path, normalize, poison, at):
    texts = [row(i, poison if i == at else "") for i in range(1000)]
    settings = {"normalize": normalize, "batch": 8192}
    with run_collector(tmp_path) as collector, api_with(*texts) as api:
        said = otlpull_run(tmp_path, api=api, collector=collector.endpoint, **settings)
        collector.written()
        assert names(collector.lines()) == once(1000, but=[at])
    [letter] = dead_letters(tmp_path)
    assert (letter["record"]["eventName"], letter["status"]) == (name(at), 400)
    assert name(at) not in said  # no record's text reaches a log


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_body_over_its_limit(tmp_path, compression):
    """300 records of 1 KiB for a Collector that takes 64 KiB; and one that is longer by itself."""
    limit, long = 64 << 10, 123
    filled = '"body":{"stringValue":"%s"},'
    texts = [row(i, filled % ("x" * (limit if i == long else 1000))) for i in range(300)]
    setting = f"receivers.otlp.protocols.http.max_request_body_size={limit}"
    with run_collector(tmp_path, setting) as collector, api_with(*texts) as api:
        otlpull_run(tmp_path, api=api, collector=collector.endpoint, compression=compression)
        collector.written()
        assert names(collector.lines()) == once(300, but=[long])
    [letter] = dead_letters(tmp_path)
    assert (letter["record"]["eventName"], letter["status"]) == (name(long), 400)
    assert "request body too large" in letter["answer"]


# ---- later --------------------------------------------------------------------------------------


@contextlib.contextmanager
def relay(port, before=lambda: None, after=lambda: None):
    """Between otlpull and the Collector at `port`: its URL, and the list of the statuses answered.
    before() and after(): when the Collector is to have a request, and when it has answered. Where
    it does not, or after() says True, otlpull gets no answer."""
    statuses = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.close_connection = True
            before()
            with contextlib.suppress(OSError, http.client.HTTPException):
                c = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
                with contextlib.closing(c):
                    c.request("POST", self.path, body, {"Content-Type": "application/json"})
                    answer = c.getresponse()
                    text = answer.read()
                if after():
                    return
                statuses.append(answer.status)
                self.send_response(answer.status)
                for key, value in answer.headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(text)

        def log_message(self, *_):
            pass

    with serving(Handler) as url:
        yield url, statuses


@contextlib.contextmanager
def otlpull_started(folder, **settings):
    """`otlpull run` beside the test. What is in here is over before it ends; it ends well."""
    log = folder / "otlpull.log"
    with process(*otlpull_command(folder, **settings), log=log) as p:
        yield p
        assert p.wait(2 * SECONDS) == 0, log.read_text()


def started_collector(folder, number, *settings, **options):
    """One of several in a row, each with files of its own."""
    inner = folder / str(number)
    inner.mkdir()
    return run_collector(inner, *settings, **options)


def test_memory_limit_for_a_while(tmp_path):
    """Refused for want of memory, time and again; then it is started anew, and takes all of it."""
    texts = [row(i) for i in range(1000)]
    limiter = "processors.memory_limiter."
    full = [limiter + "limit_mib=1", limiter + "check_interval=10ms"]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(started_collector(tmp_path, 1, *full))
        probe = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}'
        wait_for("refusal", lambda: first.request(probe)[0] == 503)  # its first check is over
        api = stack.enter_context(api_with(*texts))
        url, statuses = stack.enter_context(relay(first.port))
        with otlpull_started(tmp_path, api=api, collector=url):
            wait_for("refusals", lambda: len(statuses) >= 5)
            first.kill()
            second = stack.enter_context(started_collector(tmp_path, 2, port=first.port))
        second.written()
        taken = statuses.count(200)
        assert statuses == [503] * (len(statuses) - taken) + [200] * taken
        assert names(first.lines()) == once(0)
        assert names(second.lines()) == once(1000)
    assert dead_letters(tmp_path) == []


# ---- killed -------------------------------------------------------------------------------------

# With these an answer comes after the write to the file: what it accepted a kill cannot take back.
# (With `rotation` the file exporter writes at once; no processor and no queue is before it.)
DURABLE = [
    "exporters.file.rotation.max_megabytes=1000",
    "service.pipelines.logs.processors=[]",
    "service.pipelines.logs.exporters=[file]",
]


def check_kills(files, count, batch):
    """Each of `count` records is there. Twice only what stood in a killed one's last line."""
    assert set(sum(map(names, files), Counter())) == set(once(count))
    for i, lines in enumerate(files):
        assert max(names(lines).values(), default=1) == 1
        again = set(names(lines)) & set(sum(map(names, files[i + 1 :]), Counter()))
        assert again <= set(names(lines[-1:])) and len(again) <= batch


def test_killed_and_started_again(tmp_path):
    """Three times in a run, each as soon as it has written something. Pages are held back until it
    listens again, so that the run cannot end before."""
    texts = [row(i) for i in range(2000)]
    gate = threading.Semaphore(0)
    files = []
    with contextlib.ExitStack() as stack:
        api = api_with(*texts, page_size=200, page_may_go=lambda: gate.acquire(timeout=SECONDS))
        api = stack.enter_context(api)
        first = collector = stack.enter_context(started_collector(tmp_path, 0, *DURABLE))
        settings = {"api": api, "collector": first.endpoint, "batch": 50}
        with otlpull_started(tmp_path, **settings) as run:
            for i in range(3):
                gate.release(2)
                wait_for("records", collector.lines)
                collector.kill()
                files.append(collector.lines())
                assert run.poll() is None
                again = started_collector(tmp_path, i + 1, *DURABLE, port=first.port)
                collector = stack.enter_context(again)
            gate.release(100)
        files.append(collector.lines())
    assert all(files)
    check_kills(files, 2000, 50)
    assert dead_letters(tmp_path) == []


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_killed_around_a_request(tmp_path, lost):
    """With the request on its way, none of it was taken; with the answer, all of it, and it comes
    again: that batch and no other."""
    texts = [row(i) for i in range(500)]
    calls = []

    def kill_at_third(when):
        if when != lost:
            return False
        calls.append(when)
        if len(calls) == 3:
            first.kill()
        return len(calls) == 3

    with contextlib.ExitStack() as stack:
        first = stack.enter_context(started_collector(tmp_path, 1, *DURABLE))
        api = stack.enter_context(api_with(*texts))
        hooks = (lambda: kill_at_third("request")), (lambda: kill_at_third("answer"))
        url, _ = stack.enter_context(relay(first.port, *hooks))
        with otlpull_started(tmp_path, api=api, collector=url, batch=50):
            wait_for("death", lambda: first.process.poll() is not None)
            second = started_collector(tmp_path, 2, *DURABLE, port=first.port)
            second = stack.enter_context(second)
        files = [first.lines(), second.lines()]
    check_kills(files, 500, 50)
    taken, after = map(names, files)
    assert len(files[0]) == (3 if lost == "answer" else 2)
    assert taken & after == (names(files[0][-1:]) if lost == "answer" else Counter())
    assert len(taken & after) == (50 if lost == "answer" else 0)
