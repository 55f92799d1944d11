"""Nodion's application logs through the built programs: both readings of which end `limit` cuts."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from conftest import TOKEN
from platforms import (STATUSES, as_time_passes, hours_ago, source, survives_kills, survives_status, survives_trouble,
                       values)

APP = "12345678-1234-4234-8234-123456789012"
LOGS = f"/v1/applications/{APP}/logs"


@pytest.fixture
def nodion(setup):
    def start(*args, **settings):
        scope = [] if "--app" in args else ["--app", APP]
        sim, pull = setup("--platform", "nodion", *scope, *args)
        settings = {"limit": 50, "resource": {"service.name": "shop"}, **settings}
        return sim, source(pull, type="nodion", application_id=APP, api_key=TOKEN, **settings)

    return start


def queries(sim):
    parts = [urlsplit(call["target"]) for call in sim.calls()]
    return [{key: value[0] for key, value in parse_qs(part.query).items()} for part in parts if part.path == LOGS]


def ask(sim, key=TOKEN, path=LOGS, **query):
    """A call of the simulator by hand: the status and the times."""
    headers = {"Authorization": f"Bearer {key}"}
    status, _, body = sim.request(sim.api, "GET", path + "?" + urlencode(query), headers=headers)
    return status, [entry["ts"] for entry in json.loads(body)["logs"]] if status == 200 else None


def test_simulated_rules(nodion):
    """Which stretch a call is for, by which of its ends it names; what is refused."""
    sim, _ = nodion("--records", 1800, "--hours", 6, "--now", "2026-01-01T12:00:00Z")
    sim.set("clock=2026-01-01T12:00:00Z")
    all_times = [entry["ts"] for entry in sim.own("/_sim/records")]
    seven, nine = "2026-01-01T07:00:00.000Z", "2026-01-01T09:00:00.000Z"

    def between(after, before):
        return [ts for ts in all_times if after < ts < before]

    assert ask(sim, limit=2500) == (200, between("2026-01-01T11:00:00.000Z", "2026-01-01T13:00:00.000Z"))
    assert ask(sim, limit=2500, before=nine) == (200, between("2026-01-01T08:00:00.000Z", nine))
    assert ask(sim, limit=2500, after=seven) == (200, between(seven, "2027"))
    assert ask(sim, limit=2500, after=seven, before=nine) == (200, between(seven, nine))
    assert ask(sim, after=seven) == (200, between(seven, "2027")[-200:])
    assert ask(sim, after=seven, instance_id="none") == (200, [])
    exact = all_times[100]  # strictly newer, strictly older
    assert exact not in ask(sim, after=exact, before=nine)[1] + ask(sim, after=seven, before=exact)[1]
    assert [ask(sim, key="x"), ask(sim, path=f"/v1/applications/{APP[:-1]}/logs")] == [(401, None), (404, None)]
    for wrong in [{"limit": 2501}, {"limit": 0}, {"limit": "x"}, {"after": "noon"}, {"before": "1"}, {"cursor": "x"}]:
        assert ask(sim, **wrong) == (400, None), wrong


def instances(sim):
    """Each instance, with the entries that are its own."""
    found = {}
    for entry in sim.own("/_sim/records"):
        found.setdefault(entry["instance_id"], []).append(entry)
    return found


@pytest.mark.parametrize("keep", ["oldest", "newest"])
def test_pages(nodion, keep):
    """Far more than one answer has, whichever end it keeps; one call to find out, and one for each page."""
    sim, pull = nodion("--hours", 3, "--records", 1500, "--twins", 10, "--quirk", f"keep={keep}")
    pull.run()
    assert sim.whole() == 1500
    assert len(queries(sim)) <= 1500 // 45 + 2
    assert sum(int(query["limit"]) < 50 for query in queries(sim)) == 1
    assert pull.run().summary["exported"] == "0"


@pytest.mark.parametrize("keep", ["oldest", "newest"])
@pytest.mark.parametrize("limit", [12, 50])
def test_equal_milliseconds(nodion, keep, limit):
    """Entries share milliseconds, on the edges of pages too."""
    sim, pull = nodion("--hours", 0.0004, "--records", 1200, "--twins", 30, "--quirk", f"keep={keep}", limit=limit)
    pull.run()
    entries = sim.own("/_sim/records")
    assert len({entry["ts"] for entry in entries}) < 0.7 * len(entries)
    assert sim.whole() == 1200


def test_more_in_a_millisecond_than_an_answer_has(nodion):
    """A step of a millisecond, and the loss is told."""
    sim, pull = nodion("--hours", 0.00001, "--records", 100, limit=2, lookback="1m")
    result = pull.run()
    assert "no longer has" in result.err and json.loads(pull.command("status", "-c", pull.path, "--json").out)
    assert 0 < sim.received()["records"] < 100


def test_servers_own_limit(nodion):
    sim, pull = nodion("--records", 300, "--quirk", "clamp=20")
    pull.run()
    assert sim.whole() == 300


def test_idle_run_is_one_call(nodion):
    """After hours without an entry."""
    sim, pull = nodion("--records", 100, "--hours", 1, "--now", hours_ago(22), limit=2500, lookback="2d", window="1d")
    pull.run()
    assert sim.whole() == 100
    for overlap in ["2m", "1h"]:
        calls = len(sim.calls())
        pull.source["overlap"] = overlap
        assert pull.run().summary["exported"] == "0" and len(sim.calls()) == calls + 1


def test_first_call(nodion):
    """Both ends are always sent; strictly newer than a millisecond before the beginning."""
    sim, pull = nodion("--records", 10, "--hours", 0.5, limit=77, instance_id="")
    pull.run()
    (query,) = queries(sim)
    assert set(query) == {"limit", "after", "before"} and query["limit"] == "77"
    assert all(len(query[end]) == len("2026-01-01T00:00:00.000Z") for end in ("after", "before"))
    sim.whole()


def test_late_entries(nodion):
    sim, pull = nodion("--hours", 2, "--records", 800, "--twins", 10, "--late", "20:4m", overlap="5m")
    as_time_passes(sim, pull)
    assert sim.whole() > 700


def test_defaults(nodion):
    """What the vendor's facts ask for."""
    _, pull = nodion("--records", 1)
    for key in ["limit", "rate_limit", "lag", "lookback"]:
        del pull.source[key]
    pull.write()
    out = pull.command("check", "-c", pull.path).out
    for line in ["limit: 2500", "calls: 1\n", "period: 5s", "window: 1d", "lookback: 1h"]:
        assert line in out, out
    assert TOKEN not in out


def test_one_instance(nodion):
    sim, pull = nodion("--records", 400, "--sites", 3)
    wanted, entries = sorted(instances(sim).items())[0]
    pull.source["instance_id"] = wanted
    pull.run()
    assert sim.whole(installationContext=f"ari:cloud:jira::site/{wanted}") == len(entries) < 400
    assert {query["instance_id"] for query in queries(sim)} == {wanted}


def test_records_and_their_resources(nodion):
    """Each field, literally; instances are resources of one batch."""
    sim, pull = nodion("--records", 40, "--sites", 3, "--odd", 20, limit=2500)
    pull.run()
    batches = sim.batches()
    assert len(batches) == 1 and batches[0]["records"] == 40
    got = {}
    for line in sim.lines():
        record = line["record"]
        assert set(record) <= {"timeUnixNano", "observedTimeUnixNano", "body", "attributes"}
        got[record["body"]["stringValue"]] = (record, values(line["resource"]["attributes"]))
    assert len({resource["service.instance.id"] for _, resource in got.values()}) == 3
    tags = 0
    for entry in sim.own("/_sim/records"):
        record, resource = got[entry["msg"]]
        assert resource == {"cloud.provider": "nodion", "nodion.application.id": APP, "service.name": "shop",
                            "service.instance.id": entry["instance_id"]}
        attributes = values(record.get("attributes", []))
        tag = entry["msg"].startswith("[")
        assert attributes == ({"nodion.process": entry["msg"][1:].split("]")[0]} if tag else {})
        tags += tag
    assert 0 < tags < 40


@pytest.mark.parametrize("nameless", [False, True])
def test_name_of_the_application(nodion, nameless):
    """Asked for once a run where the configuration has none; else the id stands for it."""
    sim, pull = nodion("--records", 40, *(["--quirk", "nameless"] if nameless else []), resource={})
    pull.run()
    sim.whole()
    assert [call["target"] for call in sim.calls()].count(f"/v1/applications/{APP}") == 1
    for line in sim.lines():
        resource = values(line["resource"]["attributes"])
        assert resource["service.name"] == (APP if nameless else "shop é") and resource["cloud.region"] == "de-fra"


@pytest.mark.parametrize("status,code", [(401, 77), (403, 77), (404, 78), (500, 75)])
def test_name_that_cannot_be_had(nodion, status, code):
    """No entry is sent without it, and a moment's trouble is got over."""
    sim, pull = nodion("--records", 40, resource={})
    sim.fault(f"api:*={status}")
    pull.run(code=code).says(str(status))
    assert sim.received()["records"] == 0
    sim.fault("api:1=503", "api:2=badjson")
    assert pull.run().summary["retries"] == "2"
    assert sim.whole() == 40


def test_a_cursor_that_is_refused(nodion):
    """The window is read again from its beginning, and nothing is sent twice."""
    sim, pull = nodion("--records", 300)
    sim.fault("api:4=400")
    result = pull.run()
    assert sim.whole() == 300 and int(result.summary["duplicates"]) > 0


def test_project(nodion):
    """A user's key is for another project: 404, until it is named."""
    project = "99999999-1234-4234-8234-123456789012"
    sim, pull = nodion("--records", 40, "--quirk", f"project={project}")
    pull.run(code=78).says("404")
    pull.source["project"] = project
    pull.run()
    assert sim.whole() == 40


def test_last_lines(nodion):
    """The platform keeps the last 2000 lines: what is left of more of them arrives."""
    sim, pull = nodion("--records", 3000, limit=2500)
    pull.run()
    check = sim.check()
    assert check["delivered"] == 2000 and check["extra"] == 0 and check["missing"] == 1000


@pytest.mark.parametrize("status,code", STATUSES)
def test_statuses(nodion, status, code):
    sim, pull = nodion("--records", 200)
    survives_status(sim, pull, status, code)


def test_no_content(nodion):
    """204 is an answer without entries."""
    sim, pull = nodion("--records", 30, "--hours", 0.01, overlap="10m")
    sim.fault("api:1=204")
    assert pull.run().summary["exported"] == "0"
    sim.fault()
    pull.run()
    assert sim.whole() == 30


def test_wrong_credentials(nodion):
    sim, pull = nodion("--records", 30)
    pull.source["api_key"] = "another"
    pull.run(code=77).says("401")
    pull.source["api_key"] = TOKEN
    pull.source["application_id"] = "00000000-1234-4234-8234-123456789012"
    pull.source["name"] = "other"
    pull.run(code=78).says("404")


@pytest.mark.parametrize("fault", ["badjson", "badutf8", "garbage", "cut", "reset", "wrongtype=logs", "wrongtype=element",
                                   "wrongtype=page", "deep=200"])
def test_broken_answers(nodion, fault):
    """For ever: the platform's fault, 75, and no record is lost."""
    sim, pull = nodion("--records", 200)
    sim.fault(f"api:*={fault}")
    pull.run(code=75)
    assert sim.received()["records"] == 0
    pull.recovers()


@pytest.mark.parametrize("keep", ["oldest", "newest"])
def test_trouble(nodion, keep):
    sim, pull = nodion("--records", 1200, "--twins", 10, "--quirk", f"keep={keep}", limit=40)
    assert survives_trouble(sim, pull) == 1200


def test_kills(nodion):
    sim, pull = nodion("--records", 5000, "--hours", 4, "--twins", 5, "--quirk", "lines=10000", limit=20)
    survives_kills(sim, pull)


def test_another_name(nodion):
    """What the service is called does not tell records apart: one that gets a name later is not sent again."""
    sim, pull = nodion("--records", 40, resource={}, overlap="1h")
    pull.run()
    delivered = sim.whole()
    pull.source["resource"] = {"service.name": "renamed"}
    result = pull.run()
    assert (result.summary["exported"], sim.whole()) == ("0", delivered) and result.summary["duplicates"] != "0"
