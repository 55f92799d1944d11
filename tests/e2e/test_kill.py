"""kill -9 at random moments: nothing is lost, and at most one batch is sent twice for each kill."""

import json
import os
import random
import time
from collections import Counter

import pytest
from conftest import SLOW, VALGRIND, wait_until
from shim import Shimmed

EVERY = bool(os.environ.get("OTLPULL_EVERY"))
KILLS = int(os.environ.get("OTLPULL_KILLS", "12"))
BATCH = 50  # records
LONGEST = 1.2 if VALGRIND else 0.4  # seconds of a run before it is killed
ROUND = 50  # kills of one simulator: what it is to compare after each grows with them


# Trouble on the way, that no record may be lost in, and none sent twice: of a request to the collector
# that is done and has no answer a second one must follow, so that is not among them.
TROUBLE = ["api:~6=503", "api:~3=reset", "api:~3=cut", "api:~3=badjson", "api:~3=delay=30ms",
           "sink:~6=503", "sink:~3=429", "sink:~3=reset", "sink:~3=delay=30ms"]


@pytest.mark.parametrize("trouble", [[], TROUBLE], ids=["calm", "trouble"])
def test_kill_at_random_moments(setup, trouble):
    """A run spans many pages and batches; delays on both sides let kills land in each of its steps."""
    moments = random.Random(int(os.environ.get("OTLPULL_SEED", time.time_ns())))
    for done in range(0, KILLS, ROUND):
        kill_often(setup, trouble, min(ROUND, KILLS - done), moments)


def kill_often(setup, trouble, kills, moments):
    records = 600 + (1000 if VALGRIND else 400) * kills  # more than are delivered by then
    sim, pull = setup("--hours", 4, "--records", records, "--page-size", 20, "--twins", 5,
                      "--latency", "8ms", "--sink-latency", "12ms", "--rate", "2000/1s")
    pull.source["rate_limit"] = {"calls": 2000, "period": "1s"}
    for side in (pull.source, pull.exporter):
        side["retry_on_failure"] = {**side["retry_on_failure"], "max_elapsed_time": f"{20 * SLOW}s"}
    pull.exporter["max_batch_records"] = BATCH
    sim.fault(*trouble)
    delivered, twice = 0, 0
    for _ in range(kills):
        process = pull.start_run()
        time.sleep(moments.uniform(0, LONGEST))
        process.kill()
        result = pull.finish(process)
        assert result.code == -9, f"the backlog was done before the last kill: {result.err}"
        delivered = sim.received()["records"]
        before, twice = twice, sim.check()["extra"]
        assert twice - before <= BATCH, f"{twice - before} came twice after one kill"
    sim.fault()
    sim.set("latency=0ms&sink-latency=0ms")
    pull.run(seconds=60 * SLOW)
    check = sim.check()
    print(f"{kills} kills, of {check['expected']} records {check['missing']} lost and {check['extra']} twice; "
          f"{delivered} had arrived by the last kill")
    assert check["missing"] == 0 and check["unknown"] == 0, check
    assert check["extra"] - twice <= BATCH, check
    assert 0 < delivered < check["expected"]
    stats = sim.stats()
    assert (set(stats["by_status"]) == {"200"}) == (not trouble) and stats["max_in_period"] <= 2000
    assert pull.run().summary["exported"] == "0"


def whole_letters(pull):
    """The dead letters; of the last a kill may have left a part."""
    path = pull.state / "source-shop.dead-letter.jsonl"
    letters, torn = [], 0
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            letters.append(json.loads(line)["record"]["body"]["stringValue"])
        except json.JSONDecodeError:
            torn += 1
    return letters, torn


@pytest.mark.parametrize("moment", ["kill-before", "kill-amid", "kill-after"])
def test_kill_at_each_change_of_the_state(setup, moment):
    """Before, in and after each creation, write, fsync, rename of the state: each time of a whole run, from
    the making of the folder on."""
    sim, pull = setup("--hours", 1, "--records", 170, "--page-size", 40, "--sink-refuse", "#123", "--exit-after", "6h")
    pull.source["lookback"] = "100m"
    pull.exporter["max_batch_records"] = BATCH
    clean = Shimmed(pull)
    assert clean.result.code == 0, clean
    due, count = sim.arrived(), clean.counts["write" if moment == "kill-amid" else "state"]
    assert due.total() > 3 * BATCH and whole_letters(pull)[0] and count > 8
    some = 3 if VALGRIND else 8
    died = 0
    for n in range(1, count + 1) if EVERY else sorted({1 + i * (count - 1) // (some - 1) for i in range(some)}):
        pull.state = pull.folder / f"{moment}{n}"
        sim.own("/_sink/reset", "POST")
        run = Shimmed(pull, f"{moment}:{n}")
        if not run.reached:  # not every run asks for the budget as often
            continue
        assert run.result.code == -9, run
        died += 1
        after = pull.finish(pull.start_run())
        assert after.code == 0, f"{run}\nand then: exit code {after.code}\n{after.err}"
        arrived = sim.arrived()
        assert not due - arrived and (arrived - due).total() <= BATCH, f"{run}\n{due - arrived} {arrived - due}"
        letters, torn = whole_letters(pull)
        assert len(Counter(letters)) == 1 and len(letters) <= 2 and torn <= 1, f"{run}\n{letters} {torn}"
    assert died > 0
    print(f"{moment}: died at {died} of {count}")


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
