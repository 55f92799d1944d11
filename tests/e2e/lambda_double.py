"""A double of AWS Lambda's Runtime API, as its documentation has it, and with the faults that its
emulator does not play; and otlpull in it as `bootstrap`.

One environment at a time: invoke() hands over an event and waits for what becomes of it.
"""

import contextlib
import http.server
import json
import queue
import re
import signal
import threading
import time
import uuid

import pytest
from conftest import BUILD, SECONDS, SLOW
from stub import Server

ERROR_TYPE = re.compile(r"(Runtime|Function)\.[A-Z][A-Za-z]+")
VERSION = "/2018-06-01/runtime/"
NEXT = VERSION + "invocation/next"


class Outcome:
    """What the runtime said of an invocation, or of its init."""

    def __init__(self, kind, headers, body):
        self.kind, self.headers, self.at = kind, headers, time.time()
        self.body = json.loads(body)

    def is_error(self, error_type, *words):
        """An error in the API's form, of this type and with these words."""
        assert self.kind == "error", self.body
        assert self.body.keys() == {"errorMessage", "errorType", "stackTrace"}
        assert self.body["errorType"] == self.headers["Lambda-Runtime-Function-Error-Type"] == error_type
        assert ERROR_TYPE.fullmatch(error_type) and self.body["stackTrace"] == []
        assert self.headers["Content-Type"] == "application/json"
        for word in words:
            assert word in self.body["errorMessage"], self.body
        return self

    def is_answer(self):
        assert self.kind == "response", self.body
        return self.body


class Runtime:
    """The API. `faults`: a request ("next", "response", "error", "init") to the status that it gets."""

    def __init__(self):
        self.events, self.outcomes, self.init = queue.Queue(), queue.Queue(), None
        self.faults, self.requests, self.connections = {}, [], 0
        self.current, self.waiting, self.ended = None, threading.Event(), threading.Event()
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                double.connections += 1

            def give(self, status, body=b"", headers=()):
                self.send_response(status)
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def refuse(self, status, error_type):
                self.give(status, json.dumps({"errorMessage": "no", "errorType": error_type}).encode())

            def do_GET(self):
                double.requests.append(self.path)
                if self.path != NEXT:
                    return self.refuse(404, "NotFound")
                if "next" in double.faults:
                    return self.refuse(double.faults["next"], "Fault")
                double.waiting.set()
                event = None
                while event is None and not double.ended.is_set():
                    with contextlib.suppress(queue.Empty):
                        event = double.events.get(timeout=0.02)
                if event is None:
                    return self.refuse(500, "Over")
                double.waiting.clear()
                double.current, body, headers = event
                return self.give(200, body, headers)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                double.requests.append(self.path)
                if self.path == VERSION + "init/error":
                    if "next" in double.faults or double.waiting.is_set() or double.current:
                        return self.refuse(403, "InvalidStateTransition")
                    double.init = Outcome("error", self.headers, body)
                    return self.give(202, b'{"status":"OK"}')
                found = re.fullmatch(VERSION + r"invocation/([^/]+)/(response|error)", self.path)
                if not found or found[1] != double.current:
                    return self.refuse(400, "InvalidRequestID")
                double.current = "" if found[2] not in double.faults else double.current
                double.outcomes.put(Outcome(found[2], self.headers, body))
                if found[2] in double.faults:
                    return self.refuse(double.faults[found[2]], "Fault")
                return self.give(202, b'{"status":"OK"}')

            def log_message(self, *args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"

    def send(self, event=None, timeout=20 * SLOW, trace=None, without=(), raw=None, **headers):
        """Hand over an event, as JSON or raw; the function's timeout is in seconds."""
        request_id = str(uuid.uuid4())
        deadline = int((time.time() + timeout) * 1000)
        head = {"Lambda-Runtime-Aws-Request-Id": request_id, "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:0:function:otlpull",
                "Content-Type": "application/json"}
        if trace:
            head["Lambda-Runtime-Trace-Id"] = trace
        head.update({name.replace("_", "-"): value for name, value in headers.items()})
        body = json.dumps(event if event is not None else {}).encode() if raw is None else raw
        self.events.put((request_id, body, {k: v for k, v in head.items() if k not in without}))

    def outcome(self, seconds=SECONDS):
        return self.outcomes.get(timeout=seconds)

    def invoke(self, event=None, **options):
        self.send(event, **options)
        return self.outcome()


@contextlib.contextmanager
def runtime():
    double = Runtime()
    thread = threading.Thread(target=double.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        double.ended.set()
        double.server.shutdown()
        thread.join()
        double.server.server_close()


@pytest.fixture
def double():
    with runtime() as one:
        yield one


def start(pull, double, *args, env=None, program="bootstrap"):
    """otlpull as Lambda starts it: by its name, without a word."""
    pull.write()
    path = pull.folder / program
    if not path.exists():
        path.symlink_to(BUILD.absolute() / "otlpull")
    return pull.start(*args, program=path, env={"AWS_LAMBDA_RUNTIME_API": double.address, "OTLPULL_CONFIG": str(pull.path),
                                  "_HANDLER": "otlpull", "LAMBDA_TASK_ROOT": str(pull.folder), **(env or {})})


def stop(pull, process):
    """End it as a machine that is shut down does; it waits for an event."""
    process.send_signal(signal.SIGTERM)
    result = pull.finish(process)
    assert result.code == -signal.SIGTERM, result.err
    return result
