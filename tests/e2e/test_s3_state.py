"""The state in an S3 bucket: what the README promises of a delivery, among other runs, other runs' remains
and the bucket's own trouble."""

import json
import os
import random
import time

import pytest
from cloud import LEASE, LETTERS, PREFIX, SOURCE, cloud, lease_of, make_cloud, s3  # noqa: F401
from conftest import SLOW, VALGRIND, wait_until
from test_signals import stop

KILLS = int(os.environ.get("OTLPULL_KILLS", "12"))
BATCH = 50
EVERY = bool(os.environ.get("OTLPULL_EVERY"))


def test_what_a_run_asks_for(cloud):
    """Each request is paid for: eight where there is nothing new, and one more for each batch noted."""
    sim, pull, s3 = cloud("--records", 300, "--page-size", 50)
    pull.run()
    assert sim.whole() == 300
    first = s3.asked()
    assert sum("self-test" in line for line in first) == 3, first
    for _ in range(2):
        before = len(s3.requests)
        assert pull.run().summary["exported"] == "0"
        asked = s3.asked(before)
        assert len(asked) <= 8 and not any("self-test" in line for line in asked), asked
    assert all(r.condition for r in s3.requests if r.method == "PUT"), "a write without a condition"
    assert {r.method for r in s3.requests} == {"GET", "PUT"}
    assert lease_of(s3.objects[SOURCE])[0] is None
    print(f"first run, 300 records: {len(first)} requests; idle: {len(asked)}")


def test_two_runs_at_once(cloud):
    """One works, the other leaves it to that; neither fails."""
    sim, pull, s3 = cloud("--records", 400, "--page-size", 20, "--latency", "20ms")
    pull.write()
    for _ in range(3):
        at_once = [pull.start("run", "-c", pull.path) for _ in range(3)]
        results = [pull.finish(process) for process in at_once]
        assert [r.code for r in results] == [0, 0, 0], [r.err for r in results]
    assert sim.whole() == 400
    assert not any(r.errors for r in results)


def test_two_runs_side_by_side_share_one_budget(cloud, make_cloud):
    """Each with sources of its own of one app: never more calls than its budget has, whatever races."""
    sim, pull, s3 = cloud("--hours", 2, "--records", 700, "--page-size", 20, "--rate", "30/2s")
    other = make_cloud(sim)
    levels = [["INFO"], ["TRACE", "DEBUG"], ["WARN"], ["ERROR", "FATAL"]]
    for one, names in ((pull, "ab"), (other, "cd")):
        one.source["rate_limit"] = {"calls": 30, "period": "2s"}
        one.sources = [{**one.source, "name": name, "levels": levels["abcd".index(name)]} for name in names]
    s3.latency = 0.02  # so that one often comes between another's reading and writing
    s3.fault("409 ConditionalRequestConflict", times=6, method="PUT", key="budget", skip=3)
    s3.fault("lost", times=4, method="PUT", key="budget", skip=5)
    at_once = [one.start_run() for one in (pull, other)]
    results = [one.finish(process, 60 * SLOW) for one, process in zip((pull, other), at_once)]
    assert [r.code for r in results] == [0, 0], [r.err for r in results]
    stats = sim.stats()
    raced = sum(r.status == 412 for r in s3.requests if "budget" in r.key)
    print(f"{stats['calls']} calls, at most {stats['max_in_period']} of 30 in 2 s; {len(s3.requests)} requests, {raced} raced")
    assert sim.whole() == 700
    assert stats["calls"] > 35 and stats["max_in_period"] <= 30 and set(stats["by_status"]) == {"200"}
    assert raced >= 4  # each writing whose answer was lost, at least


def killed(sim, pull, s3, calls=3):
    """A run that is killed amid its work."""
    process = pull.start_run()
    wait_until("some calls", lambda: sim.stats()["calls"] >= calls)
    process.kill()
    assert pull.finish(process).code == -9


def test_lease_of_a_dead_run(cloud):
    """Taken over after its end, and not before."""
    sim, pull, s3 = cloud("--records", 200, "--page-size", 10, "--latency", "30ms")
    killed(sim, pull, s3)
    lease, _ = lease_of(s3.objects[SOURCE])
    before, calls = s3.objects[SOURCE], sim.stats()["calls"]
    for ahead in (0, LEASE // 2, LEASE - 4 * SLOW):
        s3.ahead = ahead
        result = pull.run()
        assert "held by another run" in result.err and lease["by"] in result.err and lease["until"][:19] in result.err
        assert result.summary["sources"] == "0" and s3.objects[SOURCE] == before
    assert sim.stats()["calls"] == calls
    s3.ahead = LEASE + 2
    pull.run()
    assert sim.whole() == 200
    assert lease_of(s3.objects[SOURCE])[0] is None


def test_lease_by_a_clock_that_was_wrong(cloud):
    """A lease for hours is no run's, but that of a store whose clock was set back since."""
    sim, pull, s3 = cloud("--records", 200, "--page-size", 10, "--latency", "30ms")
    s3.ahead = 5 * 3600
    killed(sim, pull, s3)
    s3.ahead = 0
    pull.run()
    assert sim.whole() == 200


def test_lease_is_renewed(cloud):
    """A run keeps it for as long as it lives, however long it has nothing to note."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 40)
    pull.exporter["timeout"] = "60s"
    sim.fault("sink:1=delay=27s")
    process = pull.start_run()
    wait_until("a batch on its way", lambda: sim.received()["requests"])
    first = lease_of(s3.objects[SOURCE])[0]
    wait_until("a renewal", lambda: lease_of(s3.objects[SOURCE])[0]["until"] > first["until"], seconds=30 * SLOW)
    assert process.poll() is None and lease_of(s3.objects[SOURCE])[0]["by"] == first["by"]
    s3.ahead = LEASE - 15  # past the end of the first, not of the second
    assert "held by another run" in pull.run().err
    assert pull.finish(process, 60 * SLOW).code == 0
    assert sim.whole() == 40


def test_a_run_that_lost_its_lease_writes_no_more(cloud):
    """Frozen past its lease, it finds another's work, and leaves it alone. What it sent meanwhile may come
    twice; the other's checkpoint stands."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 100, "--page-size", 10)
    pull.exporter["max_batch_records"] = 20
    pull.exporter["timeout"] = "60s"
    sim.fault("sink:2=delay=3s")
    process = pull.start_run()
    wait_until("second batch", lambda: sim.received()["requests"] >= 2)
    s3.ahead = LEASE + 2
    pull.run()
    moved = s3.objects[SOURCE]
    result = pull.finish(process, 30 * SLOW)
    assert result.code == 74, result.err
    result.says("source-shop.json", "changed by another")
    assert s3.objects[SOURCE] == moved
    check = sim.check()
    assert check["missing"] == 0 and check["extra"] <= 20, check


@pytest.mark.parametrize("trouble", [[], ["api:~6=503", "api:~3=reset", "sink:~6=503", "sink:~3=reset"]],
                         ids=["calm", "trouble"])
def test_kill_at_random_moments(cloud, trouble):
    """Nothing is lost, and at most one batch is sent twice for each kill."""
    seed = int(os.environ.get("OTLPULL_SEED", time.time_ns()))
    print(f"seed {seed}")
    moments = random.Random(seed)
    records = 600 + (1000 if VALGRIND else 400) * KILLS
    sim, pull, s3 = cloud("--hours", 4, "--records", records, "--page-size", 20, "--twins", 5, "--latency", "8ms",
                          "--sink-latency", "12ms", "--rate", "2000/1s")
    pull.source["rate_limit"] = {"calls": 2000, "period": "1s"}
    for side in (pull.source, pull.exporter):
        side["retry_on_failure"] = {**side["retry_on_failure"], "max_elapsed_time": f"{20 * SLOW}s"}
    pull.exporter["max_batch_records"] = BATCH
    sim.fault(*trouble)
    twice = 0
    for _ in range(KILLS):
        if trouble:
            s3.calm()
            for action in ("lost", "cut", "503 SlowDown", "409 ConditionalRequestConflict"):
                s3.fault(action, method="PUT", skip=moments.randrange(12))
        process = pull.start_run()
        time.sleep(moments.uniform(0, 1.2 if VALGRIND else 0.5))
        process.kill()
        result = pull.finish(process)
        assert result.code == -9, f"the backlog was done before the last kill: {result.err}"
        s3.ahead += LEASE + 2
        before, twice = twice, sim.check()["extra"]
        assert twice - before <= BATCH, f"{twice - before} came twice after one kill"
    sim.fault()
    s3.calm()
    sim.set("latency=0ms&sink-latency=0ms")
    pull.run(seconds=60 * SLOW)
    check = sim.check()
    assert check["missing"] == 0 and check["unknown"] == 0 and check["extra"] - twice <= BATCH, check
    assert sim.stats()["max_in_period"] <= 2000
    assert pull.run().summary["exported"] == "0"


TROUBLE = ["lost", "cut", "503 SlowDown", "500 InternalError", "409 ConditionalRequestConflict", "429 TooManyRequests"]


@pytest.mark.parametrize("action", TROUBLE[:1] if VALGRIND else TROUBLE)
def test_trouble_at_each_request(cloud, action):
    """Wherever a request goes wrong once: the run goes on, and each record arrives once."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 120, "--page-size", 40, "--exit-after", "1h")
    pull.exporter["max_batch_records"] = BATCH
    pull.run()
    count = len(s3.requests)
    assert sim.whole() == 120 and count > 10
    due = sim.arrived()
    some = range(count) if EVERY else range(0, count, 1 if action == "lost" and not VALGRIND else 4)
    for n in some:
        s3.calm()
        s3.buckets[next(iter(s3.buckets))].clear()
        s3.requests.clear()
        sim.own("/_sink/reset", "POST")
        s3.fault(action, skip=n, method="PUT" if "409" in action else None)
        pull.run()
        assert sim.arrived() == due, f"{action} at request {n}: {s3.asked()}"
        assert lease_of(s3.objects[SOURCE])[0] is None, s3.asked()
        assert pull.run().summary["exported"] == "0"


@pytest.mark.parametrize("action, words", [("503 SlowDown", "503 SlowDown"), ("cut", "gave up"), ("lost", "gave up")])
def test_trouble_without_end(cloud, action, words):
    """Found before anything is asked for or sent; and nothing is begun anew when it is over."""
    sim, pull, s3 = cloud("--records", 60)
    s3.fault(action, times=999, method="PUT")
    pull.run(code=74, seconds=60 * SLOW).says("state s3://", words)
    assert sim.stats()["calls"] == 0
    s3.calm()
    s3.ahead = LEASE + 2
    pull.recovers()


def test_trouble_without_end_on_the_way(cloud):
    """What could not be noted may come twice, one batch of it; nothing is lost."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 200, "--page-size", 20)
    pull.exporter["max_batch_records"] = BATCH
    s3.fault("503 SlowDown", times=999, method="PUT", key="source", skip=2)
    pull.run(code=74, seconds=60 * SLOW).says("state s3://", "source-shop.json")
    s3.calm()
    s3.ahead = LEASE + 2
    pull.run()
    check = sim.check()
    assert check["missing"] == 0 and check["extra"] <= BATCH, check


def amid_a_run(sim, pull, work):
    """Do so while a run waits for the collector; its result."""
    sim.fault("sink:2=delay=2s")
    pull.exporter["max_batch_records"] = 20
    process = pull.start_run()
    wait_until("second batch", lambda: sim.received()["requests"] >= 2)
    work()
    return pull.finish(process, 40 * SLOW)


def test_changed_by_another(cloud):
    """By hand, or by whatever else: a run does not write over what it has not seen."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 100)
    pull.run()
    good = s3.objects[SOURCE]
    s3.delete(SOURCE)
    sim.own("/_sink/reset", "POST")
    result = amid_a_run(sim, pull, lambda: s3.put(SOURCE, good))
    assert result.code == 74, result.err
    result.says("changed by another")
    assert s3.objects[SOURCE] == good


def test_removed_meanwhile(cloud):
    sim, pull, s3 = cloud("--hours", 1, "--records", 100)
    result = amid_a_run(sim, pull, lambda: s3.delete(SOURCE))
    assert result.code == 74, result.err
    result.says("source-shop.json", "removed")
    assert SOURCE not in s3.objects


def test_signal_lets_go(cloud):
    """In good order and in time; the next run need not wait for the lease to end."""
    sim, pull, s3 = cloud("--records", 600, "--page-size", 20, "--latency", "20ms", "--sink-latency", "20ms")
    pull.exporter["max_batch_records"] = 40
    process = pull.start_run()
    wait_until("some batches", lambda: sim.received()["records"] >= 120)
    stop(pull, process)
    assert lease_of(s3.objects[SOURCE])[0] is None
    pull.run()
    assert sim.whole() == 600


def test_deadline_lets_go(cloud):
    sim, pull, s3 = cloud("--records", 600, "--page-size", 10, "--latency", "100ms")
    pull.run("--deadline", f"{1 * SLOW}s")
    assert lease_of(s3.objects[SOURCE])[0] is None
    sim.set("latency=0ms")
    pull.run()
    assert sim.whole() == 600


@pytest.mark.parametrize("skip", [0, 9] if VALGRIND else [0, 1, 5, 9])
def test_deadline_of_a_bucket_that_hangs(cloud, skip):
    """Wherever it does: the run ends near its deadline, says so, and loses nothing."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 100, "--page-size", 20)
    pull.exporter["max_batch_records"] = 20
    s3.fault("hang", times=999, skip=skip)
    result = pull.run("--deadline", f"{1500 * SLOW}ms", code=74)
    assert "state s3://" in result.errors[0] and "deadline" in result.errors[0], result.err
    assert result.seconds < 5 * SLOW, result.err
    s3.calm()
    s3.ahead = LEASE + 2
    pull.run()
    check = sim.check()
    assert check["missing"] == 0 and check["extra"] <= 20, check


@pytest.mark.parametrize("skip", [0, 5])
def test_signal_while_a_bucket_hangs(cloud, skip):
    sim, pull, s3 = cloud("--hours", 1, "--records", 100, "--page-size", 20)
    s3.fault("hang", times=999, skip=skip)
    process = pull.start_run()
    wait_until("a call that hangs", lambda: any(r.status == "hang" for r in s3.requests))
    stop(pull, process)


def test_status(cloud):
    """It reads, and asks nobody else."""
    sim, pull, s3 = cloud("--records", 60)
    assert "no run has begun yet" in pull.say("status").out
    pull.run()
    calls, before = sim.stats()["calls"], len(s3.requests)
    figures = json.loads(pull.say("status", "--json").out)["sources"][0]
    assert figures["last_run"]["exported"] == 60 and figures["budget"]["left"] > 0
    assert {r.method for r in s3.requests[before:]} == {"GET"} and len(s3.requests) - before == 3
    sim.set("latency=1s")
    killed(sim, pull, s3, calls=calls + 1)
    assert lease_of(s3.objects[SOURCE])[0]  # and still it can be read
    assert json.loads(pull.say("status", "--json").out)["sources"][0]["last_run"]["exported"] == 60
    assert sim.stats()["calls"] == calls + 1


def test_dry_run_leaves_the_checkpoint_alone(cloud):
    sim, pull, s3 = cloud("--records", 60)
    assert pull.run("--dry-run").out
    assert SOURCE not in s3.objects and sim.received()["requests"] == 0
    pull.run()
    assert sim.whole() == 60


def test_dead_letters(cloud, start_sim):
    """Kept, listed, those of sources that are no more too, and sent again."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 170, "--page-size", 40, "--sink-refuse", "#12")
    pull.source["lookback"] = "100m"
    pull.exporter["max_batch_records"] = BATCH
    s3.fault("lost", method="PUT", key="dead-letter")
    pull.run()
    kept = pull.dead_letters()
    assert len(kept) > 10 and len({json.dumps(letter["record"]) for letter in kept}) == len(kept)
    old = PREFIX + "/source-gone.dead-letter.jsonl"
    s3.put(old, s3.objects[LETTERS].replace(b'"source":"shop"', b'"source":"gone"'))
    s3.put(PREFIX + "/source-other.dead-letter.jsonl/below", b"not ours")
    s3.page = 2
    listed = pull.say("dead-letter", "list").out
    assert f"shop: {len(kept)} dead letters" in listed and f"gone: {len(kept)} dead letters" in listed
    assert "other" not in listed and sum("list-type" in r.query for r in s3.requests) > 2
    result = pull.say("dead-letter", "replay", code=69)  # refused again: kept
    assert len(pull.dead_letters()) == len(kept), result.err
    accepting = start_sim()
    pull.exporter["endpoint"] = accepting.collector
    s3.fault("lost", method="PUT", key="dead-letter", skip=1)
    pull.say("dead-letter", "replay")
    assert accepting.received()["records"] == len(kept)
    assert pull.dead_letters() == [] and s3.objects[LETTERS] == b"" and s3.objects[old]
    assert lease_of(s3.objects[SOURCE])[0] is None
    assert "shop" not in pull.say("dead-letter", "list").out
    assert json.loads(pull.say("status", "--json").out)["sources"][0]["dead_letter_bytes"] == 0


def test_full_of_dead_letters(cloud):
    sim, pull, s3 = cloud("--records", 40, "--page-size", 40, "--sink-refuse", "#12")
    s3.put(LETTERS, b"{}\n" * ((32 << 20) // 3))
    before = s3.objects[LETTERS]
    pull.run(code=74).says("is full", "dead-letter replay")
    assert s3.objects[LETTERS] == before


def test_moves_between_folder_and_bucket(cloud, make_pull):
    """The documents are the same: copied while nobody works, a state goes on where it was."""
    sim, pull, s3 = cloud("--records", 300)
    local = make_pull(sim)
    local.run("--deadline", f"{30 * SLOW}s")
    for path in local.state.glob("*.json"):
        s3.put(f"{PREFIX}/{path.name}", path.read_bytes())
    assert pull.run().summary["exported"] == "0"
    for key, content in s3.objects.items():
        (local.state / key.rpartition("/")[2]).write_bytes(content)
    assert local.run().summary["exported"] == "0"
    assert sim.whole() == 300


def test_a_note_whose_answers_were_all_lost(cloud):
    """It was written after all: the run that could not know it fails, and yet nothing comes twice."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 60)
    pull.source["lookback"] = "100m"  # two windows; the records are in the second
    s3.fault("lost", times=5, method="PUT", key="source", skip=3)
    pull.run(code=74, seconds=60 * SLOW).says("state s3://", "gave up")
    assert lease_of(s3.objects[SOURCE])[0] is None, s3.asked()
    pull.run()
    assert sim.whole() == 60
