"""Hoody's proxy logs: what goes wrong on the way, and `status --stats`."""

import json
import random
import time
from collections import Counter

import pytest
from conftest import SLOW, TOKEN
from hoody_case import CONTAINER, PROJECT, SHAPES, TENANTS, hoody, resource  # noqa: F401


PASSING = ["500", "502", "503", "504", "408", "425", "reset", "cut", "lost", "badjson", "badutf8",
           "garbage", "deep", "deep=600", "wrongtype=logs", "wrongtype=element", "wrongtype=page", "gzip",
           "delay=200ms", "huge=3MiB", "401"]


@pytest.mark.parametrize("action", PASSING)
def test_passing(hoody, action):
    h = hoody("--twins", 5)
    h.pull.source["max_response_bytes"] = "2MiB"
    h.sim.fault(f"api:1={action}", f"api:4={action}")
    h.run()
    h.whole()


@pytest.mark.parametrize("action", ["503;Retry-After=1", "429;Retry-After=1", "429;body={}"])
def test_told_to_wait(hoody, action):
    h = hoody()
    h.pull.source["retry_on_failure"] = {**h.pull.source["retry_on_failure"], "max_elapsed_time": "60s"}
    h.sim.fault(f"api:4={action}")
    took = h.run(seconds=60 * SLOW).seconds
    h.whole()
    assert took > (9 if "body" in action else 0.9)  # with no time named: ten seconds


@pytest.mark.parametrize("action", ["cut", "reset", "badjson", "lost", "badutf8", "503"])
def test_passing_of_a_fanout(hoody, action):
    h = hoody(*TENANTS, "--quirk", "fanout", "--records", 100, admin=True, fanout=True)
    h.sim.fault(f"api:1={action}", f"api:4={action}")
    h.run()
    h.whole()


@pytest.mark.parametrize("action, code", [
    ("403", 77), ("404", 78), ("401", 77), ("400", 75), ("405", 75), ("422", 75), ("500", 75), ("badjson", 75),
    ("302;Location=http://elsewhere.example/x", 75), ("cut", 75), ("reset", 75)])
def test_lasting(hoody, action, code):
    """Its exit code, and where it stood is kept."""
    h = hoody()
    h.sim.fault(f"api:4-99={action}")
    h.run(code=code).says("shop", "(base_url)/_logs")
    assert h.sim.received()["records"] > 0 or action in ("400", "405", "422")
    h.sim.fault()
    h.run()
    h.whole()


def test_no_content(hoody):
    """204: no entries."""
    h = hoody()
    h.sim.fault("api:1-2=204")
    h.run()
    assert h.sim.received()["records"] == 0
    h.run()
    h.whole()


def test_forbidden_words(hoody):
    h = hoody("--quirk", "no-permission")
    h.run(code=77).says("403")


@pytest.mark.parametrize("url", ["http://kit-of-ours.invalid/secret-path", "http://127.0.0.1:1/secret-path"])
def test_the_url_is_never_said(hoody, url):
    h = hoody()
    h.pull.source.update(base_url=url, allow_insecure=True)
    h.path = "secret-path"
    result = h.run(code=75)
    assert "kit-of-ours" not in result.err and "127.0.0.1" not in result.err, result.err
    result = h.pull.command("check", "-c", h.pull.path)
    assert "secret-path" not in result.out and "base_url: '***'" in result.out.replace('"', "'"), result.out


def test_another_url_is_another_source(hoody):
    h = hoody("--environment", CONTAINER, "--app", PROJECT, "--app", "other")
    h.run()
    h.pull.source["base_url"] = h.pull.source["base_url"].replace(PROJECT, "other")
    h.run(code=78).says("give this source a name of its own")


def test_budget(hoody):
    """Thirty reads in a minute, of all kinds; here in a period that a test can wait for."""
    h = hoody("--rate", "10/1s", limit=20)
    h.pull.source["rate_limit"] = {"calls": 10, "period": "1s"}
    h.run(seconds=60 * SLOW)
    h.whole()
    assert h.sim.stats()["rate_violations"] == 0 and h.sim.stats()["calls"] > 20


def test_too_early(hoody):
    """Somebody else reads too: 429, with its two seconds."""
    h = hoody("--rate", "5/3s")
    h.pull.source["retry_on_failure"] = {**h.pull.source["retry_on_failure"], "max_elapsed_time": "60s"}
    h.run(seconds=60 * SLOW)
    h.whole()
    assert h.sim.stats()["by_status"]["429"] >= 1


def test_a_deadline_keeps_what_was_read(hoody):
    h = hoody("--latency", "150ms", limit=10)
    h.pull.run("--deadline", "2s")
    first = h.sim.received()["records"]
    assert 0 < first < 400
    h.sim.set("latency=0ms")
    h.run()
    h.whole()


@pytest.mark.parametrize("way", ["object", "ring", "fanout"])
def test_kill_at_random_moments(hoody, way):
    """Nothing is lost, and for a kill no more than a batch is sent twice."""
    fanout = way == "fanout"
    args = [*TENANTS, "--quirk", "fanout", "--records", 400] if fanout else ["--records", 1600, *SHAPES[way]]
    h = hoody("--twins", 5, "--latency", "8ms", "--sink-latency", "10ms", *args, admin=fanout, fanout=fanout, limit=20)
    h.pull.exporter["max_batch_records"] = 50
    h.sim.fault("api:~4=503", "api:~3=cut", "sink:~3=503")
    moments, kills = random.Random(), 8
    for _ in range(kills):
        process = h.pull.start_run()
        time.sleep(moments.uniform(0, 0.4 * SLOW))
        process.kill()
        h.pull.finish(process)
    h.sim.fault()
    h.run(seconds=60 * SLOW)
    check = h.sim.check()
    assert check["missing"] == 0 and check["unknown"] == 0, check
    assert check["extra"] <= 50 * kills, check


# ---- the platform's own counts -------------------------------------------------------------------


def test_stats(hoody):
    """A call of the budget, and the platform's counts beside ours."""
    h = hoody("--odd", 20)
    h.run()
    calls = h.sim.stats()["calls"]
    status = json.loads(h.pull.command("status", "-c", h.pull.path, "--json", "--stats").out)["sources"][0]
    levels = Counter(line["record"].get("severityText") for line in h.sim.lines())
    services = Counter(resource(line).get("service.name") for line in h.sim.lines())
    assert h.sim.stats()["calls"] == calls + 1
    assert status["platform"] == {
        "total": 400, "by_level": {level: levels[level] for level in ("debug", "info", "warn", "error")},
        "by_project": {PROJECT: 400}, "by_container": {CONTAINER: 400},
        "by_service": {name: count for name, count in services.items() if name}}
    assert status["last_run"]["exported"] == 400
    text = h.pull.command("status", "-c", h.pull.path, "--stats").out
    assert "  platform    total 400\n" in text and f"by level: debug {levels['debug']}, info" in text, text
    assert "platform" not in h.pull.command("status", "-c", h.pull.path).out
    assert h.sim.stats()["calls"] == calls + 2
    assert h.path not in text


def test_stats_count_in_the_budget(hoody):
    h = hoody("--rate", "10/1m", limit=500)
    h.pull.source["rate_limit"] = {"calls": 10, "period": "1m"}
    h.run()
    left = [json.loads(h.pull.command("status", "-c", h.pull.path, "--json", *more).out)["sources"][0]["budget"]["left"]
            for more in ([], ["--stats"], ["--stats"], [])]
    assert left == [9, 8, 7, 7]


@pytest.mark.parametrize("action, code", [
    ("403", 77), ("404", 78), ("500", 75), ("200;body={}", 75), ("200;body=[", 75),
    ('200;body={"total":1,"byLevel":{"info":"x"}}', 75)])
def test_stats_refused(hoody, action, code):
    """The exit code as of any call; what the state says is printed all the same."""
    h = hoody()
    h.pull.write()
    h.sim.fault(f"api:*={action}")
    result = h.pull.command("status", "-c", h.pull.path, "--stats", code=code)
    result.says("source shop: its counts", "(base_url)/_logs")
    assert "  checkpoint  none" in result.out and h.path not in result.err


def test_stats_of_others(setup):
    """A type without counts says so, and is not asked."""
    sim, pull = setup("--records", 1)
    pull.write()
    whole = json.loads(pull.command("status", "-c", pull.path, "--stats", "--json").out)
    assert whole["sources"][0]["platform"] is None
    assert "tells no counts" in pull.command("status", "-c", pull.path, "--stats").out
    assert sim.stats()["calls"] == 0


def test_stats_is_for_status(setup):
    _, pull = setup("--records", 1)
    pull.write()
    pull.command("run", "-c", pull.path, "--stats", code=64)
