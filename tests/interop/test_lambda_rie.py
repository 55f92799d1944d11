"""`otlpull lambda`, as `make lambda` packs it, in AWS's own emulator of Lambda."""

import contextlib
import os
import signal
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import BUILD, HERE, otlpull_command, wait_for
from packages import HOST_ARCH
from rie import function

sys.path.append(str(HERE.parent / "e2e"))
import simulator  # noqa: E402

EVENT = {"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "resources": [], "detail": {}}
SLOW = ["--no-live", "--records", 1000, "--page-size", 10, "--latency", "200ms"]  # 20 s of it
TIMEOUT = 6


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory):
    """Out of the zip, with the mode that it has there."""
    with zipfile.ZipFile(BUILD / f"otlpull-lambda-{HOST_ARCH}.zip") as packed:
        path = packed.extract("bootstrap", tmp_path_factory.mktemp("task"))
        os.chmod(path, packed.getinfo("bootstrap").external_attr >> 16)
    return path


class World:
    """A platform, a collector, and the function between."""

    def __init__(self, folder, sim, one):
        self.sim, self.function = sim, one
        self.config, self.log = folder / "otlpull.yaml", folder / "function.log"

    def fault(self, *rules):
        self.sim.own("/_sim/fault", "POST", "\n".join(rules))

    def set(self, setting):
        self.sim.own("/_sim/set?" + setting, "POST")

    def received(self):
        return self.sim.own("/_sink/stats")[0]["records"]

    def answer(self, event=EVENT):
        """The summary of an invocation that is no error."""
        status, answer = self.function.invoke(event)
        assert status == 200 and answer["exit"] == 0, (status, answer, self.log.read_text())
        return answer

    def error(self, error_type, *words, event=EVENT, status=200):
        got, error = self.function.invoke(event)
        assert got == status and error.keys() == {"errorMessage", "errorType", "stackTrace"}, (got, error)
        assert error["errorType"] == error_type, error
        for word in words:
            assert word in error["errorMessage"], error

    def complete(self):
        """Invoked until nothing is left: how many records that were."""
        exported = 0
        for _ in range(10):
            answer = self.answer()
            exported += answer["exported"]
            if answer["message"] == "run complete":
                return exported
        raise AssertionError(f"not complete: {answer}")

    def whole(self, more=0):
        """Every record arrived; once, but for so many. How many."""
        check = self.sim.check()
        assert check["missing"] == 0 and check["extra"] <= more, check
        return check["delivered"]


@pytest.fixture
def start(tmp_path, bootstrap):
    with contextlib.ExitStack() as stack:

        def begin(*options, timeout=60, change=("", ""), **settings):
            sim = stack.enter_context(simulator.run(tmp_path, "--rate", "0", *options))
            api, collector = (f"http://127.0.0.1:{port}" for port in (sim.api, sim.sink))
            config = otlpull_command(tmp_path, api=api, collector=collector, lookback="3h", **settings)[-1]
            text = config.read_text().replace("initial_interval:", "max_elapsed_time: 100ms, initial_interval:")
            config.write_text(text.replace("lookback:", "lag: 0s\n    lookback:").replace(*change))
            one = function(tmp_path, bootstrap, timeout=timeout, env={"OTLPULL_CONFIG": str(config)})
            return World(tmp_path, sim, stack.enter_context(one))

        yield begin


def test_answers(start):
    world = start("--no-live", "--records", 200)
    answer = world.answer()
    assert (answer["message"], answer["sources"], answer["exported"]) == ("run complete", 1, 200)
    pid = world.function.pid()
    world.error("Function.EventInvalid", "nobody", event={"sources": ["nobody"]})
    world.error("Function.EventInvalid", "JSON", event=b"no JSON")
    assert world.answer({"sources": ["shop"]})["exported"] == 0
    assert world.whole() == 200 and world.function.pid() == pid


@pytest.mark.parametrize("rule, error_type", [("sink:*=reset", "Function.CollectorUnavailable"),
                                              ("sink:*=503", "Function.CollectorUnavailable"),
                                              ("api:*=reset", "Function.PlatformUnavailable")])
def test_a_run_that_fails(start, rule, error_type):
    few = "retry_on_failure: {max_elapsed_time: 100ms}\n    rate_limit:"
    world = start("--no-live", "--records", 200, change=("rate_limit:", few))
    world.fault(rule)
    world.error(error_type, "source shop")
    pid = world.function.pid()
    world.error(error_type, "source shop")
    world.fault()
    assert world.answer()["exported"] == world.whole() == 200
    assert world.function.pid() == pid


def test_ends_before_the_timeout(start):
    """In good order: what is there by then is kept, and the same process goes on with the next event."""
    world = start(*SLOW, timeout=TIMEOUT)
    answer = world.answer()
    pid = world.function.pid()
    assert answer["message"] == "run ended by its deadline, progress is kept"
    assert 0 < answer["exported"] == world.received() < 1000
    world.set("latency=0s")
    assert world.complete() == 1000 - answer["exported"]
    assert world.whole() == 1000 and world.function.pid() == pid


def test_a_platform_that_hangs(start):
    world = start("--no-live", "--records", 200, timeout=TIMEOUT)
    world.fault("api:*=hang")
    world.error("Function.TimeoutTooShort", "source shop", "the function's timeout")
    pid = world.function.pid()
    world.fault()
    assert world.complete() == world.whole() == 200
    assert world.function.pid() == pid


@pytest.mark.parametrize("stop, word", [(signal.SIGSTOP, f"Task timed out after {TIMEOUT}.00 seconds"),
                                        (signal.SIGKILL, "Runtime.ExitError")])
def test_a_program_that_stops(start, stop, word):
    """It hangs, or dies. The next event gets another, which goes on; twice comes at most the batch whose
    answer the first had no time to note."""
    world = start(*SLOW, timeout=TIMEOUT, batch=10)
    with ThreadPoolExecutor() as others:
        invoked = others.submit(world.function.invoke, EVENT)
        wait_for("three batches", lambda: world.received() >= 30)
        pid = world.function.pid()
        os.kill(pid, stop)
        assert word in str(invoked.result()[1])
    assert world.received() < 1000
    world.set("latency=0s")
    assert 0 < world.complete() <= 980
    assert world.whole(more=10) >= 1000 and world.function.pid() != pid


def test_init_fails(start):
    """The caller reads why; once it is mended, the next event is answered."""
    world = start("--no-live", "--records", 200, change=("app_id", "app_idd"))
    for _ in range(2):
        world.error("Runtime.ConfigInvalid", "app_idd", str(world.config), status=502)
    world.config.write_text(world.config.read_text().replace("app_idd", "app_id"))
    assert world.answer()["exported"] == world.whole() == 200


def test_a_hundred_warm_invocations(start):
    """In one process, while records come in."""
    world = start("--records", 7200, "--hours", "0.004")  # 500 a second, also from now on
    answers, pids = [], set()
    for _ in range(100):
        asked = time.time_ns()
        answers.append(world.answer())
        pids.add(world.function.pid())
    assert len(pids) == 1 and {a["message"] for a in answers} == {"run complete"}
    assert len([a for a in answers if a["exported"]]) > 10
    assert world.sim.check(to=asked)["missing"] == world.sim.check()["extra"] == 0
    assert sum(a["exported"] for a in answers) == world.received() > 7200
