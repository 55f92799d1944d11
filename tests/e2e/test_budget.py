"""The budget of calls, where it meets a deadline, another run, a dead connection, a clock that is off."""

import fcntl
import signal
import socket
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from conftest import SLOW, wait_until
from stub import stub

START = 1 * SLOW  # what a process may take to start and to end


def lock_of(pull):
    locks = list(pull.state.glob("budget-*.lock"))
    assert len(locks) == 1
    return locks[0]


def test_a_call_that_never_went_out_costs_nothing(setup):
    """Nobody listens: three attempts need no more than the one call that the budget has."""
    sim, pull = setup("--records", 20)
    pull.source["rate_limit"] = {"calls": 1, "period": "1h"}
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        pull.source["endpoint"] = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        result = pull.run(code=75).says("gave up after")
    assert int(result.summary["retries"]) > 1, result.summary
    pull.source["endpoint"] = sim.endpoint
    pull.run("--deadline", f"{4 * SLOW}s")
    assert sim.stats()["calls"] == 1


def test_a_429_past_the_deadline_is_no_error(setup):
    """However long the platform asks to wait: the deadline comes first, and so the exit code is its own."""
    sim, pull = setup("--records", 20)
    pull.source["retry_on_failure"] = {"max_elapsed_time": "1s"}
    sim.fault("api:1-99=429;Retry-After=100")
    result = pull.run("--deadline", f"{5 * SLOW}s")
    assert "progress is kept" in result.err and result.seconds < 5 * SLOW
    assert sim.stats()["calls"] == 1


def test_a_run_that_is_frozen_with_the_budget(setup):
    """Others neither wait for it past their deadline nor past a signal, and go on when it is gone."""
    sim, pull = setup("--records", 20)
    sim.fault("api:1=404")
    pull.run(code=78)
    sim.fault()
    calls = sim.stats()["calls"]
    with lock_of(pull).open() as frozen:
        fcntl.flock(frozen, fcntl.LOCK_EX)
        result = pull.run("--deadline", f"{1 * SLOW}s")
        assert "progress is kept" in result.err and result.seconds < 1 * SLOW + START
        process = pull.start_run()
        time.sleep(0.3 * SLOW)
        process.send_signal(signal.SIGTERM)
        result = pull.finish(process)
        assert result.code == -signal.SIGTERM and result.seconds < 0.3 * SLOW + 2 * SLOW
        assert sim.stats()["calls"] == calls
    pull.run()
    assert sim.whole() == 20


@pytest.mark.parametrize("header", ["Retry-After", "X-RateLimit-Reset"])
@pytest.mark.parametrize("hours", [-5, 5])
def test_the_platforms_clock_is_not_ours(setup, header, hours):
    """A moment that it names is one of its own clock, which it tells."""
    _, pull = setup("--records", 20)
    pull.source["retry_on_failure"] = {"max_elapsed_time": "1h"}
    with stub() as api:
        pull.source["endpoint"] = api.url
        now = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=hours)
        until = now + timedelta(seconds=3)
        named = format_datetime(until, usegmt=True) if header == "Retry-After" else f"{until:%Y-%m-%dT%H:%M:%SZ}"
        api.answers = {"/": (429, {"Date": format_datetime(now, usegmt=True), header: named}, b"")}
        process = pull.start_run("--deadline", f"{12 * SLOW}s")
        wait_until("a first call", lambda: api.requests)
        began = time.monotonic()
        wait_until("a second call", lambda: len(api.requests) > 1)
        assert time.monotonic() - began > 2
        process.send_signal(signal.SIGTERM)
        pull.finish(process)


def test_the_wait_for_a_permit_is_no_retry(setup):
    """A call that fails is tried again although the permit before it took longer than max_elapsed_time."""
    sim, pull = setup("--hours", 1, "--records", 60, "--page-size", 20)
    pull.source["rate_limit"] = {"calls": 1, "period": "2s"}
    sim.fault("api:2=503")
    pull.run(seconds=60 * SLOW)
    assert sim.whole() > 0
