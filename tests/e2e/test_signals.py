"""SIGTERM, SIGINT and deadlines: a run ends in good order, keeps its progress, and the next goes on."""

import signal
import time

import pytest
from conftest import SLOW, VALGRIND, wait_until

AT_ONCE = 2 * SLOW  # seconds in which a run must have ended by a signal
START = 4 * VALGRIND  # ... and that pass before main() begins to count


def stop(pull, process, number=signal.SIGTERM):
    """Send the signal: it dies of that, in time."""
    asked = time.monotonic()
    process.send_signal(number)
    result = pull.finish(process)
    took = time.monotonic() - asked
    assert result.code == -number, result.err
    assert took < AT_ONCE, f"{took:.2f} s to end"
    assert "stopped by a signal" in result.err and result.errors == []
    return result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_the_midst_of_a_backlog(setup, number):
    sim, pull = setup("--records", 600, "--page-size", 20, "--latency", "20ms", "--sink-latency", "20ms")
    pull.exporter["max_batch_records"] = 40
    process = pull.start_run()
    wait_until("some batches", lambda: sim.received()["records"] >= 120)
    first = stop(pull, process, number)
    assert 120 <= int(first.summary["exported"]) < 600
    second = pull.run()
    assert int(first.summary["exported"]) + int(second.summary["exported"]) == 600
    assert sim.whole() == 600


# Where a run may be when the signal comes: rules, settings, and when it is there.
PLACES = {
    "API is slow": (["api:3=delay=9s"], {}, lambda sim: sim.stats()["calls"] >= 3),
    "API hangs": (["api:3=hang"], {}, lambda sim: sim.stats()["calls"] >= 3),
    "API fails": (["api:3-999=503;Retry-After=9"], {"max_elapsed_time": "60s"}, lambda sim: sim.stats()["calls"] >= 3),
    "budget is spent": (["api:3=429;Retry-After=30"], {"max_elapsed_time": "60s"}, lambda sim: sim.stats()["calls"] >= 3),
    "collector hangs": (["sink:2-9=hang"], {}, lambda sim: sim.received()["requests"] >= 2),
    "collector fails": (["sink:2-9=503;Retry-After=9"], {"max_elapsed_time": "60s"},
                        lambda sim: sim.received()["requests"] >= 2),
    "collector is slow": (["sink:2=delay=700ms"], {}, lambda sim: sim.received()["requests"] >= 2),
}


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_is(setup, place):
    rules, retry, there = PLACES[place]
    sim, pull = setup("--hours", 1, "--records", 200, "--page-size", 40)
    pull.source["retry_on_failure"] = pull.exporter["retry_on_failure"] = {**pull.source["retry_on_failure"], **retry}
    pull.source["timeout"] = pull.exporter["timeout"] = "60s"
    pull.source["lookback"] = "90m"
    pull.exporter["max_batch_records"] = 50
    sim.fault(*rules)
    process = pull.start_run()
    wait_until(place, lambda: there(sim))
    time.sleep(0.1)
    stop(pull, process)
    sim.fault()
    if place == "budget is spent":  # the next run keeps what the platform asked for, until its deadline
        calls = sim.stats()["calls"]
        pull.run("--deadline", f"{1 * SLOW}s")
        assert sim.stats()["calls"] == calls
        return
    pull.run()
    assert sim.whole() == 200


def test_deadline_is_kept_and_so_is_progress(setup):
    """Short runs, one after the other, finish a backlog that takes each of them too long."""
    sim, pull = setup("--hours", 2, "--records", 400, "--page-size", 10, "--latency", f"{60 * SLOW}ms")
    pull.exporter["max_batch_records"] = 40
    left = []
    for _ in range(12):
        result = pull.run("--deadline", f"{1500 * SLOW}ms")
        assert result.seconds < 1.5 * SLOW, "past its deadline"
        left.append(sim.check()["missing"])
        if not left[-1]:
            break
        assert "progress is kept" in result.err
    print("left after each run:", left)
    assert sim.whole() == 400 and len(left) > 1
    assert all(before > after for before, after in zip(left, left[1:])), left


def test_deadline_of_the_configuration(setup):
    sim, pull = setup("--records", 60, "--page-size", 10, "--latency", f"{400 * SLOW}ms")
    pull.rest["run"] = {"deadline": f"{1 * SLOW}s"}
    result = pull.run()
    assert result.seconds < 1 * SLOW and "progress is kept" in result.err
    del pull.rest["run"]
    sim.set("latency=0s")
    pull.run()
    assert sim.whole() == 60


@pytest.mark.parametrize("rule, code", [("api:2-99=hang", 0), ("sink:*=hang", 69), ("api:2-99=503", 75)])
def test_deadline_beside_a_fault(setup, rule, code):
    """It ends before the deadline whoever does not answer; the exit code says who."""
    sim, pull = setup("--records", 60, "--page-size", 10)
    pull.source["retry_on_failure"] = pull.exporter["retry_on_failure"] = {"initial_interval": "100ms"}
    sim.fault(rule)
    result = pull.run("--deadline", f"{2 * SLOW}s", code=code)
    assert result.seconds < 2 * SLOW + START
    assert pull.recovers().summary["backlog"] == "0s"
