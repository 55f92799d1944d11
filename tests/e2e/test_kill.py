"""kill -9 at random moments: nothing is lost, and at most one batch is sent twice for each kill."""

import os
import random
import time

from conftest import SLOW, VALGRIND, wait_until

KILLS = int(os.environ.get("OTLPULL_KILLS", "12"))
BATCH = 50  # records
LONGEST = 1.2 if VALGRIND else 0.4  # seconds of a run before it is killed
RECORDS = 600 + (1000 if VALGRIND else 400) * KILLS  # more than are delivered by then


def test_kill_at_random_moments(setup):
    """A run spans many pages and batches; delays on both sides let kills land in each of its steps."""
    sim, pull = setup("--hours", 4, "--records", RECORDS, "--page-size", 20, "--twins", 5,
                      "--latency", "8ms", "--sink-latency", "12ms", "--rate", "2000/1s")
    pull.source["rate_limit"] = {"calls": 2000, "period": "1s"}
    pull.exporter["max_batch_records"] = BATCH
    moments = random.Random(int(os.environ.get("OTLPULL_SEED", time.time_ns())))
    killed, delivered = 0, []
    while killed < KILLS:
        process = pull.start_run()
        time.sleep(moments.uniform(0, LONGEST))
        process.kill()
        result = pull.finish(process)
        assert result.code == -9, f"the backlog was done before the last kill: {result.err}"
        killed += 1
        delivered.append(sim.received()["records"])
    pull.run(seconds=60 * SLOW)
    check = sim.check()
    print(f"{killed} kills, of {check['expected']} records {check['missing']} lost and {check['extra']} twice; "
          f"{delivered[-1]} had arrived by the last kill")
    assert check["missing"] == 0 and check["unknown"] == 0, check
    assert check["extra"] <= killed * BATCH, check
    assert 0 < delivered[-1] < check["expected"]
    stats = sim.stats()
    assert set(stats["by_status"]) == {"200"} and stats["max_in_period"] <= 2000
    assert pull.run().summary["exported"] == "0"


def test_kill_between_the_answer_and_its_note(setup):
    """The one case in which records arrive twice: the collector has answered, the state does not say so."""
    sim, pull = setup("--records", 200, "--page-size", 100)
    pull.exporter["max_batch_records"] = BATCH
    sim.fault("sink:2=delay=5s")
    process = pull.start_run()
    wait_until("second batch", lambda: sim.received()["requests"] >= 2)
    process.kill()
    assert pull.finish(process).code == -9
    twice = sim.batches()[1]["records"]
    sim.fault()
    pull.run()
    check = sim.check()
    assert check["missing"] == 0 and check["extra"] == twice > 0, check


def test_killed_run_leaves_no_lock(setup):
    sim, pull = setup("--records", 100, "--page-size", 10, "--latency", "50ms")
    process = pull.start_run()
    wait_until("third call", lambda: sim.stats()["calls"] >= 3)
    process.kill()
    assert pull.finish(process).code == -9
    result = pull.run()
    assert "held by another run" not in result.err
    sim.whole()
