"""Hoody's proxy logs through the built programs: each shape of answer, each way of going on."""

import json
import time
from collections import Counter

import pytest
from conftest import TOKEN
from hoody_case import CONTAINER, MINUTE, PROJECT, SHAPES, TENANTS, attributes, hoody, resource  # noqa: F401


def asked(query, *names):
    return [query.get(name) for name in names]


def test_history(hoody):
    """Twins, odd members, entries that came late: each once; by row, until fewer come than were asked for."""
    h = hoody("--twins", 10, "--odd", 10, "--late", "10:10m")
    h.run()
    h.whole()
    assert [asked(q, "afterId", "limit") for q in h.queries()] == [[str(n), "50"] for n in range(0, 401, 50)]
    assert all(set(q) == {"afterId", "limit"} for q in h.queries())


def test_an_idle_run_asks_twice(hoody):
    """What is new, and whether the store is still the one that was read."""
    h = hoody()
    h.run()
    calls = len(h.queries())
    assert h.run().summary["exported"] == "0"
    assert h.queries()[calls:] == [{"afterId": "400", "limit": "50"}, {"last": "1"}]
    assert h.run().summary["calls"] == "2"
    h.whole()


def test_lookback(hoody):
    """A first run drops what is older; later ones nothing, however late it came."""
    h = hoody("--late", "30:100m", lookback="1h", overlap="1m")
    h.see(30)
    h.run()
    early = h.sim.received()["records"]
    check = h.sim.check(**{"from": h.start_ns - 60 * MINUTE})
    assert check["missing"] == 0 and 0 < early < h.sim.check()["expected"]
    h.see(0)
    h.run()
    first = time.time_ns() - 61 * MINUTE
    late = [e for e in (line["record"] for line in h.sim.lines()) if int(e["timeUnixNano"]) < first]
    assert late  # came after the first run, from before its beginning
    assert h.sim.check()["extra"] == 0
    assert h.sim.received()["records"] - early == h.sim.check()["expected"] - expected_at(h, 30)


def expected_at(h, minutes):
    h.see(minutes)
    expected = h.sim.check()["expected"]
    h.see(0)
    return expected


@pytest.mark.parametrize("late", [[], ["--late", "10:8m"]], ids=["", "late"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(hoody, shape, late):
    """Runs while entries come: each is delivered once, whatever shape the answers have. Of twins that have
    no number nothing tells a late one from the one that was sent."""
    twins = 0 if late and "no numbers" in shape else 10
    h = hoody("--twins", twins, *late, *SHAPES[shape])
    for minutes in (170, 150, 149.9, 120, 119, 80, 80, 60, 40, 39, 38, 20, 0):
        h.see(minutes)
        h.run()
    h.whole()


@pytest.mark.parametrize("size", [1, 2, 7, 400, 401])
@pytest.mark.parametrize("quirk", ["array", "ring", "most=5", "purge=1000"])
def test_page_sizes(hoody, size, quirk):
    h = hoody("--twins", 5, "--quirk", quirk, limit=size)
    h.pull.source["rate_limit"] = {"calls": 10000, "period": "1s"}
    h.run()
    h.run()
    h.whole()


@pytest.mark.parametrize("shape", ["object", "array", "ring", "no afterId"])
@pytest.mark.parametrize("left", [0, 1, 30])
def test_rebuilt(hoody, shape, left):
    """The store is emptied and numbers from 1 again: what is in it then is delivered, in the same run."""
    h = hoody("--quirk", f"rebuilt={time.time_ns() - 40 * MINUTE}", *SHAPES[shape], overlap="1h")
    h.see(41)
    h.run()
    h.whole()
    before = h.sim.arrived()
    begin = time.time_ns() - 40 * MINUTE
    for minutes in (40 - left, 5):
        h.see(minutes)
        h.run()
    after = h.sim.arrived()
    expected = h.sim.check(**{"from": begin})["expected"]
    assert set(after.values()) == {1}
    new = sum((after - before).values())
    assert expected - 2 <= new <= expected + 2 and new > 50, (new, expected)


def test_rebuilt_and_empty(hoody):
    """Nothing is there: nothing comes, no error, and what follows is delivered."""
    h = hoody("--quirk", "purge=0")
    h.run()
    h.run()
    assert h.sim.received()["records"] == 0


# ---- options -------------------------------------------------------------------------------------


def test_settings_are_sent(hoody):
    h = hoody(project_id=PROJECT, container_id=CONTAINER, service_name="svc-2", levels=["warn"], kind="response",
              origin="edge", method="GET", include_request_body=True, include_response_body=True, limit=500)
    h.run()
    assert h.queries() == [{
        "afterId": "0", "limit": "500", "projectId": PROJECT, "containerId": CONTAINER, "serviceName": "svc-2",
        "level": "warn", "kind": "response", "source": "edge", "method": "GET", "includeRequestBody": "true",
        "includeResponseBody": "true"}]


FILTERS = {
    "one level": ({"levels": ["error"]}, lambda line: line["record"].get("severityText") == "error"),
    "levels": ({"levels": ["warn", "error"]}, lambda line: line["record"].get("severityText") in ("warn", "error")),
    "kind": ({"kind": "event"}, lambda line: attributes(line)["hoody.kind"] == "event"),
    "origin": ({"origin": "edge"}, lambda line: attributes(line)["hoody.source"] == "edge"),
    "method": ({"method": "POST"}, lambda line: attributes(line).get("http.request.method") == "POST"),
    "service": ({"service_name": "svc-1"}, lambda line: resource(line)["service.name"] == "svc-1"),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(hoody, name):
    """As without it, less what it keeps out. Of levels a list is not sent, as it gives nothing."""
    settings, wanted = FILTERS[name]
    h = hoody("--odd", 0)
    h.run()
    h.whole()
    everything = Counter(json.dumps(line["record"]["body"]) for line in h.sim.lines() if wanted(line))
    h.sim.own("/_sink/reset", "POST")
    h.pull.source["name"] = "filtered"
    h.pull.source.update(settings)
    h.run()
    h.run()
    assert 0 < sum(everything.values()) < 400
    assert h.sim.arrived() == everything
    assert not any("," in query.get("level", "") for query in h.queries())


def test_another_container_is_not_wanted(hoody):
    """A kit host ignores the scope that it is asked for, and we do not."""
    h = hoody(container_id="another")
    h.run()
    assert h.sim.received()["records"] == 0


def test_token(hoody):
    h = hoody("--quirk", "gated")
    h.pull.source["token"] = TOKEN
    h.run()
    h.whole()


def test_admin_scope(hoody):
    h = hoody(*TENANTS, admin=True, project_id="proj_xy", container_id="cnt_2")
    h.run()
    assert h.sim.check(app="proj_xy", environment="cnt_2")["missing"] == 0
    assert h.sim.received()["records"] == 400


# ---- the fan-out ---------------------------------------------------------------------------------


def test_fanout(hoody):
    h = hoody(*TENANTS, "--quirk", "fanout", "--records", 100, "--late", "10:8m", "--twins", 5, admin=True, fanout=True)
    for minutes in (170, 150, 149.9, 120, 60, 60, 40, 0, 0):
        h.see(minutes)
        h.run()
    h.whole()
    assert h.queries()[0] == {"limit": "50"}
    assert all(set(query) <= {"limit", "cursor"} for query in h.queries())
    uids = Counter(attributes(line)["log.record.uid"] for line in h.sim.lines())
    assert len(uids) == 400 and uids["proj_ab/cnt_1/7"] == uids["proj_xy/cnt_2/7"] == 1


@pytest.mark.parametrize("last", ["absent", "null", "empty"])
def test_the_last_page_of_a_fanout(hoody, last):
    """Asked for again by the next run, without what it gave before."""
    h = hoody(*TENANTS, "--quirk", "fanout", "--records", 30, "--last-cursor", last, admin=True, fanout=True, limit=40)
    h.see(60)
    for _ in range(3):
        h.run()
    h.whole()
    queries = h.queries()
    assert queries[-1] == queries[-2] == queries[-3]
    h.see(0)
    h.run()
    h.whole()


def test_fanout_without_a_cursor(hoody):
    """All on one page."""
    h = hoody(*TENANTS, "--quirk", "fanout", "--records", 30, admin=True, fanout=True, limit=500)
    for minutes in (100, 50, 50, 0):
        h.see(minutes)
        h.run()
    h.whole()
    assert h.queries() == [{"limit": "500"}] * 4


@pytest.mark.parametrize("snapshot", [[], ["--quirk", "snapshot"]])
def test_snapshot_expired(hoody, snapshot):
    """Anew without a cursor: what was sent in the overlap is not sent again, and nothing is lost."""
    h = hoody(*TENANTS, "--quirk", "fanout", *snapshot, "--records", 100, admin=True, fanout=True, overlap="1h")
    h.see(50)
    h.run()
    h.sim.set("cursor-ttl=2s")
    time.sleep(2.1)
    h.see(0)
    calls = len(h.queries())
    h.run()
    h.whole()
    assert ["cursor" in query for query in h.queries()[calls:]][:3] == [True, False, True]


def test_every_snapshot_expires(hoody):
    """At once, and again: an error, and once it is over nothing is missing."""
    h = hoody(*TENANTS, "--quirk", "fanout", "--records", 100, admin=True, fanout=True)
    h.sim.fault('api:2-99=200;body={"__trailer":true,"error":"snapshot_expired","status":410}')
    h.run(code=75).says("410")
    h.sim.fault()
    h.run()
    h.whole()


TRAILERS = ['{"__trailer":true,"error":"internal","status":503}', '{"__trailer":true,"error":"busy"}',
            '{"__trailer":true,"error":"rate_limited","status":429};Retry-After=1', '{"id":1,"tsMs":1,"kind":"event"}',
            '{"__trailer":true,"cursor":7}', '{"__trailer":true}{"id":9}']


@pytest.mark.parametrize("body", TRAILERS)
def test_bad_trailers(hoody, body):
    """The same cursor again, where a trailer says later, or is missing."""
    h = hoody(*TENANTS, "--quirk", "fanout", "--records", 100, admin=True, fanout=True)
    text, *headers = body.split(";")
    h.sim.fault(";".join([f"api:3=200;body={text}", *headers]))
    h.run()
    h.whole()
    queries = h.queries()
    assert queries[2] == queries[3] and queries[1] != queries[2]


@pytest.mark.parametrize("status, code", [(403, 77), (404, 78), (401, 77), (400, 75)])
def test_trailers_that_end_it(hoody, status, code):
    h = hoody(*TENANTS, "--quirk", "fanout", "--records", 100, admin=True, fanout=True)
    h.sim.fault(f'api:3-9=200;body={{"__trailer":true,"error":"no","status":{status}}}')
    h.run(code=code).says("(base_url)/_logs", str(status))
    h.sim.fault()
    h.run()
    h.whole()


def test_a_server_that_fans_out_unasked(hoody):
    """And one that does not, asked for it: the answer decides."""
    h = hoody(*TENANTS, "--quirk", "fanout", "--records", 100, admin=True)
    h.run()
    h.run()
    h.whole()


def test_a_server_that_does_not_fan_out(hoody):
    h = hoody("--twins", 5, fanout=True)
    h.see(100)
    h.run()
    h.see(0)
    h.run()
    h.whole()


def test_fanout_turned_on(hoody):
    """A place of the other kind is left, and the overlap keeps what was sent from going again."""
    h = hoody(*TENANTS[2:], "--quirk", "fanout", "--records", 100, admin=True, fanout=True, overlap="1h")
    h.run()
    h.pull.source["fanout"] = False
    h.run()
    h.whole()


# ---- mapping -------------------------------------------------------------------------------------


def texts(members):
    return {a["key"]: a["value"] for a in members}


NOW_MS = time.time_ns() // 1_000_000 - 60_000


def deliver(hoody, *entries, **settings):
    """What a collector gets of these entries."""
    h = hoody(**settings)
    h.sim.fault("api:1=200;body=" + json.dumps({"entries": entries, "total": 9, "limit": 50, "offset": 0}))
    h.run()
    lines = h.sim.lines()
    assert len(lines) == len(entries)
    return lines, h


def test_mapping_of_a_response(hoody):
    entry = {"id": 501, "traceId": "9b2f0d4e-1c3a-4f5b-8d6e-7a8b9c0d1e2f", "tsMs": NOW_MS,
             "tsIso": "2026-11-12T07:00:01.250Z", "kind": "response", "level": "warn", "projectId": "proj_ab",
             "containerId": "cnt_cd", "serviceName": "api", "method": "GET", "url": "/v1/items?x=1",
             "clientIp": "198.51.100.7", "status": 404, "data": {"bytesOut": 31, "durationMs": 4}, "source": "backend"}
    lines, _ = deliver(hoody, entry)
    record = lines[0]["record"]
    assert record.pop("observedTimeUnixNano")
    assert texts(record.pop("attributes")) == {
        "log.record.uid": {"stringValue": "proj_ab/cnt_cd/501"},
        "http.request.method": {"stringValue": "GET"}, "http.response.status_code": {"intValue": "404"},
        "client.address": {"stringValue": "198.51.100.7"}, "url.path": {"stringValue": "/v1/items"},
        "url.query": {"stringValue": "x=1"}, "hoody.kind": {"stringValue": "response"},
        "hoody.source": {"stringValue": "backend"}, "hoody.row_id": {"intValue": "501"},
        "hoody.trace_id": {"stringValue": "9b2f0d4e-1c3a-4f5b-8d6e-7a8b9c0d1e2f"},
        "http.response.body.size": {"intValue": "31"}, "hoody.duration_ms": {"intValue": "4"}}
    assert record == {"timeUnixNano": f"{NOW_MS}000000", "severityNumber": 13, "severityText": "warn",
                      "body": {"stringValue": "GET /v1/items?x=1 404"}, "traceId": "9b2f0d4e1c3a4f5b8d6e7a8b9c0d1e2f"}
    assert texts(lines[0]["resource"]["attributes"]) == {
        "cloud.provider": {"stringValue": "hoody"}, "service.name": {"stringValue": "api"},
        "service.instance.id": {"stringValue": "cnt_cd"}, "container.id": {"stringValue": "cnt_cd"},
        "hoody.project.id": {"stringValue": "proj_ab"}}


def test_resources_of_one_batch(hoody):
    """One for each service and container, in one request; what is configured names what is missing."""
    entries = [{"id": i, "tsMs": NOW_MS + i, "kind": "event", "data": {"message": f"m{i}"}, **more}
               for i, more in enumerate([{"serviceName": "a", "containerId": "c1", "projectId": "p"},
                                         {"serviceName": "b", "containerId": "c1", "projectId": "p"}, {},
                                         {"serviceName": "a", "containerId": "c1", "projectId": "p"}], 1)]
    lines, h = deliver(hoody, *entries)
    assert len(h.sim.batches()) == 1
    got = {line["record"]["body"]["stringValue"]: resource(line) for line in lines}
    one = {"cloud.provider": "hoody", "service.name": "a", "service.instance.id": "c1", "container.id": "c1",
           "hoody.project.id": "p"}
    assert got["m1"] == got["m4"] == one and got["m2"] == {**one, "service.name": "b"}
    assert "container.id" not in got["m3"]


def test_configured_scope_names_what_is_missing(hoody):
    lines, _ = deliver(hoody, {"id": 5, "tsMs": NOW_MS, "kind": "event", "data": {"message": "m"}},
                       project_id="p9", container_id="c9", service_name="s9")
    got = resource(lines[0])
    assert (got["service.name"], got["container.id"], got["hoody.project.id"]) == ("s9", "c9", "p9")
    assert attributes(lines[0])["log.record.uid"] == "p9/c9/5"
