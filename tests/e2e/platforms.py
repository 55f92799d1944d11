"""What every platform beside Forge has to stand, whatever it is called: played for it by its own tests."""

import random
import time
from datetime import datetime, timezone

from conftest import SLOW, VALGRIND

BATCH = 50  # records
MINUTE = 60_000_000_000
# In which no record may be lost, and none sent twice.
TROUBLE = ["api:~6=503", "api:~3=reset", "api:~3=cut", "api:~3=badjson", "api:~3=lost", "api:~2=429;Retry-After=0",
           "sink:~6=503", "sink:~3=429", "sink:~3=reset"]


def source(pull, **settings):
    """The configuration's one source becomes this; what it had of Forge's own is gone."""
    kept = ("name", "endpoint", "lookback", "lag", "timeout", "rate_limit", "retry_on_failure")
    pull.source = {**{key: pull.source[key] for key in kept}, **settings}
    pull.sources = [pull.source]
    return pull


def patient(pull, seconds=20):
    """Retries go on for so long."""
    for side in (pull.source, pull.exporter):
        side["retry_on_failure"] = {**side["retry_on_failure"], "max_elapsed_time": f"{seconds * SLOW}s"}


def hours_ago(hours):
    """As --now: since then there is nothing."""
    return datetime.fromtimestamp(time.time() - 3600 * hours, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_time_passes(sim, pull):
    """Several runs, each at a later moment, at which the platform shows no more than there was then."""
    start_ns = time.time_ns()
    for minutes in [40, 39, 25, 21, 9, 5, 0]:
        pull.source["lag"] = f"{minutes}m"
        sim.set(f"visible-until={start_ns - minutes * MINUTE}")
        pull.run()
        check = sim.check()
        assert check["extra"] == 0, check


def survives_trouble(sim, pull):
    """Broken answers and refusals on both sides, and yet each record once."""
    patient(pull)
    pull.exporter["max_batch_records"] = BATCH
    sim.fault(*TROUBLE)
    result = pull.run(seconds=60 * SLOW)
    assert int(result.summary["retries"]) > 0
    sim.fault()
    pull.run()
    return sim.whole()


def survives_kills(sim, pull, kills=8):
    """kill -9 at random moments of a run that is too long to end: nothing is lost, and at most a batch comes
    twice for each."""
    patient(pull)
    pull.exporter["max_batch_records"] = BATCH
    sim.set("latency=8ms&sink-latency=12ms")
    moments = random.Random(time.time_ns())
    twice = 0
    for _ in range(kills):
        process = pull.start_run()
        time.sleep(moments.uniform(0, 1.2 if VALGRIND else 0.4))
        process.kill()
        result = pull.finish(process)
        assert result.code == -9, f"the backlog was done before the last kill: {result.err}"
        before, twice = twice, sim.check()["extra"]
        assert twice - before <= BATCH, f"{twice - before} came twice after one kill"
    delivered = sim.received()["records"]
    sim.set("latency=0ms&sink-latency=0ms")
    pull.run(seconds=60 * SLOW)
    check = sim.check()
    assert check["missing"] == 0 and check["unknown"] == 0 and check["extra"] - twice <= BATCH, check
    assert 0 < delivered < check["expected"]
    assert pull.run().summary["exported"] == "0"


# What a status that never ends comes to.
STATUSES = [(400, 75), (401, 77), (403, 77), (404, 78), (405, 75), (408, 75), (422, 75), (425, 75), (429, 75), (500, 75),
            (502, 75), (503, 75), (504, 75)]


def survives_status(sim, pull, status, code):
    """An answer for ever ends the run as the table has it; once it is over nothing is missing."""
    sim.fault(f"api:*={status};Retry-After=0" if status == 429 else f"api:*={status}")
    result = pull.run(code=code)
    assert str(status) in result.errors[0], result.err
    assert sim.received()["records"] == 0
    sim.fault(f"api:2={status};Retry-After=0" if status == 429 else f"api:2={status}")
    if status in (401, 408, 425, 429, 500, 502, 503, 504):  # ... and once is retried
        patient(pull)
        assert pull.run().summary["retries"] != "0"
    sim.fault()
    pull.run()
    return sim.whole()


def values(attributes):
    """A list of attributes as a dictionary; integers as such."""
    return {a["key"]: next((int(v) if k == "intValue" else v) for k, v in a["value"].items()) for a in attributes}
