"""`otlpull lambda`: one run an invocation, against a double of the Runtime API."""

import json
import signal
import socket
import threading
import time

import pytest
from conftest import ENVIRONMENT, OTHER_ENVIRONMENT, SLOW, TOKEN, wait_until
from lambda_double import NEXT, double, start, stop  # noqa: F401
from stub import stub

ALL = 200  # records of an app in these scenarios


@pytest.fixture
def world(setup):
    """The logs of two environments, and an otlpull to read both."""
    sim, pull = setup("--records", ALL, "--hours", 5, "--environment", ENVIRONMENT, "--environment", OTHER_ENVIRONMENT)
    pull.sources.append({**pull.source, "name": "other", "environment_id": OTHER_ENVIRONMENT})
    return sim, pull


def nothing_new(answer):
    figures = answer.is_answer()
    assert (figures["exported"], figures["exit"]) == (0, 0), figures
    return figures


# ---- what an invocation is ------------------------------------------------------------------------


@pytest.mark.parametrize("program, words", [("bootstrap", ()), ("bootstrap", ("some.handler",)), ("otlpull", ()),
                                            ("otlpull", ("lambda",))])
def test_each_invocation_is_a_run(setup, double, program, words):
    sim, pull = setup("--records", ALL)
    process = start(pull, double, *words, program=program)
    first = double.invoke({"id": "a test"}).is_answer()
    assert sim.whole() == first["exported"] == ALL
    assert first.keys() == {"message", "sources", "exported", "rejected", "duplicates", "calls", "retries", "windows",
                            "bytes", "exit", "seconds", "backlog_seconds"}
    assert (first["message"], first["sources"], first["rejected"], first["exit"]) == ("run complete", 1, 0, 0)
    assert first["calls"] >= first["windows"] > 0 and first["bytes"] > 0 and first["seconds"] > 0
    nothing_new(double.invoke({"id": "another"}))
    assert sim.whole() == ALL
    result = stop(pull, process)
    assert result.out == "" and not result.errors
    assert len([line for line in result.lines if "otlpull: run complete" in line]) == 2


@pytest.mark.parametrize("event", [
    {}, None, [], 0, -1.5e3, True, "shop", ["shop"], {"source": "aws.events", "resources": ["arn:x"], "detail": {}},
    {"source": "aws.scheduler", "detail": "{}"}, {"sources": None}, {"sources": []}, {"Sources": "shop"},
    json.loads("[" * 60 + "]" * 60)])
def test_any_event_runs_all(world, double, event):
    sim, pull = world
    process = start(pull, double)
    double.send(raw=json.dumps(event).encode())
    assert double.outcome().is_answer()["exported"] == 2 * ALL
    stop(pull, process)


def test_an_event_names_sources(world, double):
    sim, pull = world
    process = start(pull, double)
    for names in (["other"], ["other", "other"]):
        assert double.invoke({"sources": names, "more": 1}).is_answer()["sources"] == 1
    assert sim.received()["records"] == ALL
    answer = double.invoke({"sources": ["other", "shop"]}).is_answer()
    assert (answer["sources"], answer["exported"]) == (2, ALL)
    stop(pull, process)


def test_an_event_names_sources_of_another_shard(world, double):
    sim, pull = world
    process = start(pull, double, "--source", "other")
    assert nothing_new(double.invoke({"sources": ["shop"]}))["sources"] == 0
    assert double.invoke({"sources": ["shop", "other"]}).is_answer()["exported"] == ALL
    stop(pull, process)


@pytest.mark.parametrize("event, words", [
    (b"", "not JSON"), (b"{", "not JSON"), (b"NaN", "not JSON"),
    (b"{'sources': ['shop']}", "not JSON"), (b"{} {}", "not JSON"), (b"sources", "not JSON"), (b"\xff", "not JSON"),
    (b'{"sources": "shop"}', "no list"), (b'{"sources": {"shop": 1}}', "no list"), (b'{"sources": 1}', "no list"),
    (b'{"sources": [1]}', "sources[0] is no text"), (b'{"sources": ["shop", null]}', "sources[1] is no text"),
    (b'{"sources": [""]}', "no source's name"), (b'{"sources": ["shop\\u0000"]}', "no source's name"),
    (b'{"sources": ["' + b"s" * 300 + b'"]}', "no source's name"),
    (b'{"sources": ["shop", "shpo"]}', '"shpo": the configuration has no such source')])
def test_events_that_cannot_be_meant(setup, double, event, words):
    sim, pull = setup("--records", ALL)
    process = start(pull, double)
    double.send(raw=event)
    double.outcome().is_error("Function.EventInvalid", "event", words)
    assert not sim.calls()
    assert double.invoke().is_answer()["exported"] == ALL  # the loop goes on
    assert len(stop(pull, process).errors) == 1


# ---- init -----------------------------------------------------------------------------------------


def test_a_configuration_that_cannot_be_used(setup, double):
    sim, pull = setup("--records", 10)
    pull.source["window"], pull.exporter["encoding"] = "2h", "xml"
    result = pull.finish(start(pull, double))
    assert result.code == 1 and NEXT not in double.requests
    double.init.is_error("Runtime.ConfigInvalid", "window", "encoding", str(pull.path))
    assert "window" in result.err and "encoding" in result.err


def test_a_variable_that_is_not_set(setup, double):
    sim, pull = setup("--records", 10)
    pull.source["api_token"] = "${env:NOT_SET_AT_ALL}"
    result = pull.finish(start(pull, double))
    assert result.code == 1 and len(result.errors) == 1
    double.init.is_error("Runtime.ConfigInvalid", "NOT_SET_AT_ALL")


def test_a_configuration_that_is_not_there(setup, double):
    sim, pull = setup("--records", 10)
    result = pull.finish(start(pull, double, env={"OTLPULL_CONFIG": "/var/task/none.yaml"}))
    assert result.code == 1
    double.init.is_error("Runtime.ConfigInvalid", "/var/task/none.yaml")


def test_outside_of_lambda(setup):
    sim, pull = setup("--records", 10)
    pull.write()
    result = pull.command("lambda", "-c", pull.path, code=78)
    result.says("AWS_LAMBDA_RUNTIME_API", "otlpull run")


# ---- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule, error_type, word", [
    ("api:*=500", "Function.PlatformUnavailable", "500"), ("api:*=403", "Function.CredentialsRefused", "403"),
    ("api:*=404", "Runtime.ConfigInvalid", "404"), ("sink:*=503", "Function.CollectorUnavailable", "503"),
    ("sink:*=401", "Function.CredentialsRefused", "401"), ("sink:*=404", "Runtime.ConfigInvalid", "404")])
def test_a_run_that_fails(setup, double, rule, error_type, word):
    sim, pull = setup("--records", ALL)
    sim.fault(rule)
    process = start(pull, double)
    double.invoke().is_error(error_type, "source shop", word)
    sim.fault()
    double.invoke().is_answer()
    assert sim.whole() == ALL
    assert stop(pull, process).errors


def test_a_state_that_cannot_be_had(setup, double):
    sim, pull = setup("--records", ALL)
    pull.state.write_text("no folder")
    process = start(pull, double)
    double.invoke().is_error("Function.StateNotCreated", str(pull.state))
    pull.state.unlink()
    assert double.invoke().is_answer()["exported"] == ALL
    document = pull.state / "source-shop.json"
    document.write_text(document.read_text().replace("{", "[", 1))
    double.invoke().is_error("Function.StateUnavailable", "source-shop.json")
    stop(pull, process)


def test_the_worst_of_several_is_reported(world, double):
    sim, pull = world
    sim.fault("sink:*=503")
    pull.sources[1]["api_token"] = "wrong"
    process = start(pull, double)
    double.invoke().is_error("Function.CredentialsRefused", "source other", "401")
    stop(pull, process)


# ---- the deadline ---------------------------------------------------------------------------------


def test_stops_before_the_deadline(setup, double):
    """An answer to one page takes a while: what is there by the deadline is kept, and the next goes on."""
    sim, pull = setup("--hours", 5, "--records", 1000, "--page-size", 5, "--latency", f"{200 * SLOW}ms")
    process = start(pull, double)
    began, timeout = time.time(), 6 * SLOW
    outcome = double.invoke(timeout=timeout)
    assert outcome.at < began + timeout
    answer = outcome.is_answer()
    assert answer["message"] == "run ended by its deadline, progress is kept" and answer["backlog_seconds"] > 0
    assert 0 < answer["exported"] == sim.received()["records"] < 1000
    sim.set("latency=0s")
    assert double.invoke(timeout=60 * SLOW).is_answer()["exported"] == 1000 - answer["exported"]
    assert sim.whole() == 1000
    stop(pull, process)


def test_a_deadline_shorter_than_one_call(setup, double):
    """Nothing would ever come of it, so it is an error that says what to mend; and nothing is lost."""
    sim, pull = setup("--records", ALL, "--latency", f"{8 * SLOW}s")
    pull.source["timeout"] = "60s"
    process = start(pull, double)
    began = time.time()
    outcome = double.invoke(timeout=2 * SLOW)
    outcome.is_error("Function.TimeoutTooShort", "source shop", "the function's timeout", "raise it")
    assert outcome.at < began + 2 * SLOW
    sim.set("latency=0s")
    assert double.invoke().is_answer()["exported"] == ALL
    assert sim.whole() == ALL
    assert len(stop(pull, process).errors) == 1


def test_a_run_deadline_shorter_than_one_call(setup, double):
    sim, pull = setup("--records", ALL, "--latency", f"{8 * SLOW}s")
    pull.source["timeout"] = "60s"
    pull.rest["run"] = {"deadline": f"{SLOW}s"}
    process = start(pull, double)
    double.invoke(timeout=60 * SLOW).is_error("Function.TimeoutTooShort", "run.deadline", "raise it")
    stop(pull, process)


def test_a_deadline_that_has_passed(setup, double):
    sim, pull = setup("--records", ALL)
    process = start(pull, double)
    double.invoke(timeout=-1).is_error("Function.TimeoutTooShort", "raise it")
    assert not sim.calls()
    assert double.invoke().is_answer()["exported"] == ALL
    stop(pull, process)


def test_a_platform_that_says_later_is_no_short_deadline(setup, double):
    sim, pull = setup("--records", ALL)
    sim.fault("api:*=429;Retry-After=280")
    process = start(pull, double)
    assert double.invoke().is_answer()["message"] == "run ended by its deadline, progress is kept"
    stop(pull, process)


@pytest.mark.parametrize("deadline", [None, "600000", "soon", "99999999999999999999", "-5", ""])
def test_a_deadline_that_says_nothing(setup, double, deadline):
    sim, pull = setup("--records", ALL)
    process = start(pull, double)
    if deadline is None:
        double.send(without=("Lambda-Runtime-Deadline-Ms",))
    else:
        double.send(Lambda_Runtime_Deadline_Ms=deadline)
    assert double.outcome().is_answer()["exported"] == ALL
    result = stop(pull, process)
    assert len([line for line in result.lines if " warn " in line and "deadline" in line]) == 1


# ---- credentials that change ----------------------------------------------------------------------


def test_a_secret_that_was_rotated(setup, double):
    """Refused with what was read at init, it is read anew, within the same invocation."""
    sim, pull = setup("--records", ALL)
    secret = pull.folder / "token"
    secret.write_text("of last week\n")
    pull.source["api_token"] = f"${{file:{secret}}}"
    process = start(pull, double)
    wait_until("init", double.waiting.is_set)
    secret.write_text(TOKEN + "\n")
    answer = double.invoke().is_answer()
    calls = len(sim.calls())
    assert (answer["exported"], answer["exit"], answer["calls"]) == (ALL, 0, calls)
    nothing_new(double.invoke())
    assert sim.whole() == ALL and len(sim.calls()) == calls + 1
    stop(pull, process)


def test_a_secret_that_is_wrong_stays_an_error(setup, double):
    sim, pull = setup("--records", ALL)
    pull.source["api_token"] = "wrong"
    process = start(pull, double)
    for _ in range(2):
        double.invoke().is_error("Function.CredentialsRefused", "401")
    pull.path.write_text("sources: nonsense")
    double.invoke().is_error("Function.CredentialsRefused", "401")  # and what was read before still holds
    assert "sources" in stop(pull, process).err


# ---- the trace id ---------------------------------------------------------------------------------


@pytest.mark.parametrize("configured", [False, True])
def test_the_trace_id_is_handed_on(setup, double, configured):
    """By a header to the collector; and by the environment, which is read when the configuration is."""
    sim, pull = setup("--records", ALL)
    secret = pull.folder / "token"
    secret.write_text("of last week")
    pull.source["api_token"] = f"${{file:{secret}}}"
    trace = ["Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Parent=2be948a625588e32;Sampled=1", "Root=1-2-3"]
    with stub() as collector:
        collector.answers["/v1/logs"] = (200, {}, b"{}")
        pull.exporter["endpoint"] = collector.url
        pull.exporter["headers"] = {"Of-The-Environment": "${env:_X_AMZN_TRACE_ID:-none}",
                                    **({"x-amzn-trace-id": "mine"} if configured else {})}
        process = start(pull, double)
        wait_until("init", double.waiting.is_set)
        secret.write_text(TOKEN)
        double.invoke(trace=trace[0]).is_answer()
        headers = [headers for _, headers in collector.requests]
        assert headers and {h["X-Amzn-Trace-Id"] for h in headers} == {"mine" if configured else trace[0]}
        assert {h["Of-The-Environment"] for h in headers} == {trace[0]}
        if not configured:
            for i, (sent, received) in enumerate([(trace[1], trace[1]), (None, None)]):
                del collector.requests[:]
                sim.set(f"visible-until={time.time_ns() + (i + 1) * 10**9}")
                (pull.state / "source-shop.json").unlink()  # so that there is something to send
                double.invoke(trace=sent).is_answer()
                assert {h["X-Amzn-Trace-Id"] for _, h in collector.requests} == {received}
        stop(pull, process)


# ---- warm starts ----------------------------------------------------------------------------------


class Counter:
    """Hands on to a port, and counts connections."""

    def __init__(self, port):
        self.count, self.listener = 0, socket.create_server(("127.0.0.1", 0))
        self.port, self.to = self.listener.getsockname()[1], port
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            other = socket.create_connection(("127.0.0.1", self.to))
            for a, b in ((one, other), (other, one)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_warm_starts_reuse_connections(setup, double):
    sim, pull = setup("--records", ALL, "--hours", 1)
    platform, collector = Counter(sim.api), Counter(sim.sink)
    pull.source["endpoint"] = f"http://127.0.0.1:{platform.port}"
    pull.exporter["endpoint"] = f"http://127.0.0.1:{collector.port}"
    process = start(pull, double)
    for n in range(5):
        assert double.invoke().is_answer()["exported"] == ALL
        (pull.state / "source-shop.json").unlink()
    calls = len(sim.calls())
    assert calls >= 5 and platform.count < calls / 2
    assert collector.count == 1 and double.connections <= 2
    for counter in (platform, collector):
        counter.listener.close()
    stop(pull, process)


# ---- a Runtime API that is not well ---------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 403, 404])
def test_next_fails(setup, double, status):
    sim, pull = setup("--records", 10)
    double.faults["next"] = status
    result = pull.finish(start(pull, double))
    assert result.code == 75 and double.requests == [NEXT]
    result.says("Runtime API", str(status))


@pytest.mark.parametrize("kind", ["response", "error"])
@pytest.mark.parametrize("status", [500, 400, 403, 413])
def test_an_answer_is_not_taken(setup, double, kind, status):
    """5xx: nothing more can be done here. 4xx: it is lost, and the next invocation is asked for."""
    sim, pull = setup("--records", ALL)
    double.faults[kind] = status
    process = start(pull, double)
    double.invoke() if kind == "response" else double.invoke({"sources": 1})
    assert sim.received()["records"] == (ALL if kind == "response" else 0)
    if status == 500:
        result = pull.finish(process)
        assert result.code == 75 and "Runtime API answers 500" in result.err
        return
    double.faults.clear()
    double.invoke().is_answer()
    assert sim.whole() == ALL
    result = stop(pull, process)
    assert f"answers {status}" in result.err and "not taken" in result.err


def test_an_invocation_without_an_id(setup, double):
    sim, pull = setup("--records", 10)
    process = start(pull, double)
    double.send(without=("Lambda-Runtime-Aws-Request-Id",))
    result = pull.finish(process)
    assert result.code == 75 and not sim.calls()
    result.says("Lambda-Runtime-Aws-Request-Id")


def test_nobody_listens(setup, double):
    sim, pull = setup("--records", 10)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    result = pull.finish(start(pull, double, env={"AWS_LAMBDA_RUNTIME_API": address}))
    assert result.code == 75
    result.says("Runtime API")


def test_a_proxy_is_for_others(setup, double):
    """The API is on this very machine, whatever http_proxy says; the platform is not."""
    sim, pull = setup("--records", 10)
    process = start(pull, double, env={"http_proxy": "http://127.0.0.1:9", "no_proxy": ""})
    double.invoke().is_error("Function.PlatformUnavailable")
    assert not sim.calls()
    stop(pull, process)


# ---- signals --------------------------------------------------------------------------------------


def test_a_signal_during_a_run(setup, double):
    sim, pull = setup("--hours", 5, "--records", 1000, "--page-size", 5, "--latency", "100ms")
    process = start(pull, double)
    double.send(timeout=600)
    wait_until("records", lambda: sim.received()["records"] > 0)
    process.send_signal(signal.SIGTERM)
    assert double.outcome().is_answer()["message"] == "run stopped by a signal, progress is kept"
    result = pull.finish(process)
    assert result.code == -signal.SIGTERM and double.requests.count(NEXT) == 1
    sim.set("latency=0s")
    pull.run()
    assert sim.whole() == 1000
