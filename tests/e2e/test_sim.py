"""The simulator judges otlpull, so here each rule of the platform that it says it enforces is seen to
bite. Its sink is in test_sim_sink.py."""

import gzip
import http.client
import json
import socket
import subprocess
import time

import pytest

from simulator import APP, ENVIRONMENT, HOUR, MINUTE, SECONDS, SIM, WRAPPER
from simulator import body_of, date, document, failure, run


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    with run(tmp_path_factory.mktemp("sim"), "--rate", "0", "--hours", "400", "--records", "40000") as s:
        yield s


# ---- Forge's rules ----------------------------------------------------------------------------------

DAY = 24 * HOUR
SITE = "ari:cloud:jira::site/12345678-1234-4234-8234-123456789012"
# What differs from a good call (numbers are times before now); the status.
CALLS = [
    ("a good one", {}, 200),
    ("other token", {"auth": "dev@example.com:other"}, 401),
    ("other user", {"auth": "x@example.com:sim-token"}, 401),
    ("other app", {"app": "11111111-2222-4333-8444-555555555556"}, 404),
    ("other environment", {"environmentId": APP}, 404),
    ("POST", {"method": "POST"}, 405),
    ("asks for XML", {"headers": [("Accept", "text/xml")]}, 406),
    ("asks for JSON", {"headers": [("Accept", "application/json")]}, 200),
    ("no environment", {"environmentId": None}, 400),
    ("no start", {"startDate": None}, 400),
    ("no end", {"endDate": None}, 400),
    ("one hour", {"start": 2 * HOUR, "end": HOUR}, 200),
    ("an hour and a millisecond", {"start": 2 * HOUR + 1_000_000, "end": HOUR}, 400),
    ("nothing", {"start": HOUR, "end": HOUR}, 400),
    ("backwards", {"start": HOUR, "end": 2 * HOUR}, 400),
    ("nearly 14 days ago", {"start": 14 * DAY - HOUR, "end": 14 * DAY - 2 * HOUR}, 200),
    ("more than 14 days ago", {"start": 14 * DAY + HOUR, "end": 14 * DAY}, 400),
    ("in the future", {"start": 0, "end": -5 * MINUTE}, 400),
    ("no fraction", {"startDate": "2026-11-12T07:00:00Z"}, 400),
    ("two digits of a fraction", {"startDate": "2026-11-12T07:00:00.00Z"}, 400),
    ("nine digits of a fraction", {"startDate": "2026-11-12T07:00:00.000000000Z"}, 400),
    ("an offset", {"startDate": "2026-11-12T07:00:00.000+00:00"}, 400),
    ("a blank for T", {"startDate": "2026-11-12 07:00:00.000Z"}, 400),
    ("no such day", {"startDate": "2026-11-31T07:00:00.000Z"}, 400),
    ("a level", {"level": "INFO"}, 200),
    ("two levels", {"level": ["INFO", "ERROR"]}, 200),
    ("levels joined", {"level": "INFO,ERROR"}, 400),
    ("small letters", {"level": "info"}, 400),
    ("an unknown level", {"level": ["INFO", "NOTICE"]}, 400),
    ("50 sites", {"installationContext": [SITE] * 50}, 200),
    ("51 sites", {"installationContext": [SITE] * 51}, 400),
    ("no ARI", {"installationContext": "site"}, 400),
    ("a message", {"message": "sync done & <more> ä"}, 200),
    ("two messages", {"message": ["a", "b"]}, 400),
    ("two ends", {"raw": "&endDate=2026-11-12T07:00:00.000Z"}, 400),
    ("unknown parameter", {"limit": "10"}, 400),
    ("wrong escape", {"raw": "&message=%zz"}, 400),
    ("a NUL", {"raw": "&message=%00"}, 400),
    ("a cursor of nobody", {"cursor": "abc"}, 400),
]


@pytest.mark.parametrize("name, call, status", CALLS, ids=[c[0] for c in CALLS])
def test_call(sim, name, call, status):
    query = dict(call)
    for key in ("start", "end"):
        if key in query:
            query[key + "Date"] = date(sim.now - query.pop(key))
    got, _, body = sim.get(**query)
    assert got == status, body
    if status == 200:
        assert isinstance(json.loads(body)["appLogs"], list)


@pytest.mark.parametrize("path", ["/", "/v1/app/logs", f"/v1/app/logs/{APP}/", "/v2/app/logs/" + APP])
def test_path(sim, path):
    assert sim.request(sim.api, "GET", path)[0] in (401, 404)


def test_record_as_documented(sim):
    record = sim.window()[0]
    assert set(record) == {"timeUnixNano", "severityNumber", "severityText", "body", "traceId", "spanId", "attributes"}
    keys = "appId environmentId invocationId installationContext appVersion functionKey moduleType arguments licenseState edition"
    assert [a["key"] for a in record["attributes"]] == keys.split()
    numbers = {r["severityText"]: r["severityNumber"] for r in sim.window()}
    assert numbers["INFO"] == 30 and set(numbers.values()) <= {10, 20, 30, 40, 50, 60}
    assert len(record["traceId"]) == 32 and len(record["spanId"]) == 16


def test_filters(sim):
    every = sim.window()
    assert sorted({r["severityText"] for r in sim.window(level=["WARN", "ERROR"])}) == ["ERROR", "WARN"]
    site = next(a["value"]["stringValue"] for a in every[0]["attributes"] if a["key"] == "installationContext")
    of_site = sim.window(installationContext=[SITE, site])
    assert of_site == [r for r in every if site in json.dumps(r["attributes"])] and len(of_site) < len(every)
    assert sim.window(message="quota ") == [r for r in every if "quota " in body_of(r)]
    number = body_of(every[7]).rsplit(" ", 1)[1]
    assert every[7] in sim.window(message=number)


# ---- cursors, pages, order --------------------------------------------------------------------------


def test_cursor_is_bound_to_its_query(tmp_path):
    with run(tmp_path, "--rate", "0", "--page-size", "10") as s:
        cursor = json.loads(s.get(level="INFO")[2])["cursor"]
        assert set("+/=&%") <= set(cursor)
        assert s.get(level="INFO", cursor=cursor)[0] == 200
        assert s.get(level="INFO", cursor=cursor)[0] == 200  # as often as one likes
        assert s.get(cursor=cursor)[0] == 400
        assert s.get(level="ERROR", cursor=cursor)[0] == 400
        assert s.get(level="INFO", startDate=date(s.now - MINUTE), cursor=cursor)[0] == 400
        assert s.get(level="INFO", cursor=cursor[:-5] + "00===")[0] == 400
        assert s.get(level="INFO", raw="&cursor=" + cursor)[0] == 400  # not escaped


def test_cursor_expires(tmp_path):
    with run(tmp_path, "--cursor-ttl", "50ms", "--page-size", "10") as s:
        cursor = json.loads(s.get()[2])["cursor"]
        time.sleep(0.1)
        assert s.get(cursor=cursor)[0] == 400


@pytest.mark.parametrize("mode, kinds", [("forever", 4), ("repeat", 1)])
def test_cursors_without_end(tmp_path, mode, kinds):
    with run(tmp_path, "--cursor-mode", mode, "--records", "10") as s:
        cursors = [None]
        for _ in range(4):
            cursors.append(json.loads(s.get(cursor=cursors[-1])[2])["cursor"])
        assert len(set(cursors[1:])) == kinds


@pytest.mark.parametrize("how, want", [("absent", "absent"), ("null", None), ("empty", "")])
def test_last_page(tmp_path, how, want):
    with run(tmp_path, "--last-cursor", how) as s:
        assert json.loads(s.get(message="no such text")[2]).get("cursor", "absent") == want


@pytest.mark.parametrize("order", ["asc", "desc", "shuffled"])
def test_pages_and_order(tmp_path, order):
    with run(tmp_path, "--rate", "0", "--records", "3000", "--page-size", "64", "--order", order, "--twins", "3") as s:
        pages = list(s.pages())
        records = [r for p in pages for r in p]
        assert all(len(p) == 64 for p in pages[:-1]) and 0 < len(pages[-1]) <= 64
        times = [int(r["timeUnixNano"]) for r in records]
        assert (times == sorted(times)) == (order == "asc")
        assert (times == sorted(times, reverse=True)) == (order == "desc")
        want = s.own(f"/_sim/records?from={s.now - HOUR}&to={s.now + 1}")
        assert sorted(map(json.dumps, records)) == sorted(map(json.dumps, want))
        assert s.window() == records  # the same again


def test_sparse_pages(tmp_path):
    with run(tmp_path, "--rate", "0", "--sparse", "--page-size", "20") as s:
        pages = list(s.pages(level="FATAL"))
        assert len(pages) > 10 and any(not p for p in pages[:-1])
        assert sum(pages, []) == [r for r in s.window() if r["severityText"] == "FATAL"]


@pytest.mark.parametrize(
    "bounds, first, last",
    [("closed", True, True), ("half-open", True, False), ("open-closed", False, True), ("open", False, False)],
)
def test_bounds(tmp_path, bounds, first, last):
    with run(tmp_path, "--rate", "0", "--bounds", bounds) as s:
        times = [int(r["timeUnixNano"]) for r in s.own(f"/_sim/records?from={s.now - HOUR}")]
        start, end = times[10], times[20]
        got = {int(r["timeUnixNano"]) for r in s.window(startDate=date(start), endDate=date(end))}
        assert (start in got, end in got) == (first, last)


# ---- history ----------------------------------------------------------------------------------------


def test_same_seed_same_history(tmp_path):
    now = date(time.time_ns() - HOUR)
    args = ["--seed", "7", "--odd", "20", "--twins", "10", "--now", now, "--no-live"]
    texts = []
    for _ in range(2):
        with run(tmp_path, *args) as s:
            texts.append(s.request(s.api, "GET", "/_sim/records")[2])
    assert texts[0] == texts[1] and len(texts[0].splitlines()) == 1000
    assert len(set(texts[0].splitlines())) < 950  # the twins


def test_records_go_on_live(tmp_path):
    with run(tmp_path, "--hours", "1", "--records", "360000") as s:
        before = len(s.own(f"/_sim/records?from={s.now}"))
        time.sleep(0.3)
        assert len(s.own(f"/_sim/records?from={s.now}")) - before >= 20


@pytest.mark.parametrize("by", ["record", "arrival"])
def test_late_records(tmp_path, by):
    with run(tmp_path, "--late", "30:20m", "--filter-by", by, "--rate", "0", "--no-live") as s:
        start, end = s.now - 50 * MINUTE, s.now - 30 * MINUTE
        window = {"startDate": date(start), "endDate": date(end)}
        now = s.window(**window)
        s.own(f"/_sim/set?visible-until={end}", "POST")
        then = s.window(**window)
        assert {body_of(r) for r in then} <= {body_of(r) for r in now}
        early = [r for r in now if int(r["timeUnixNano"]) < start]
        if by == "record":  # more of them turned visible since, none from before the window
            assert len(now) > len(then) and not early
        else:  # all that arrived until then, be their time before the window
            assert now == then and early


# ---- the limit --------------------------------------------------------------------------------------


def test_rate(tmp_path):
    with run(tmp_path, "--rate", "3/1500ms") as s:
        assert [s.get()[0] for _ in range(3)] == [200] * 3
        status, headers, _ = s.get()
        assert status == 429 and headers["Retry-After"] in ("1", "2")
        assert s.get(app=ENVIRONMENT)[0] == 404  # nobody's budget
        time.sleep(int(headers["Retry-After"]))
        assert s.get()[0] == 200
        stats = s.stats()
        assert stats["rate_violations"] == stats["refused"] == 1 and stats["max_in_period"] == 4
        assert stats["by_status"] == {"200": 4, "404": 1, "429": 1} and stats["calls"] == 6
        calls = s.own("/_sim/calls")
        assert [c["status"] for c in calls] == [200, 200, 200, 429, 404, 200]
        assert calls[0]["target"].startswith("/v1/app/logs/") and "sim-token" not in json.dumps(calls)


def test_budgets_of_apps(tmp_path):
    args = ["--app", APP, "--app", ENVIRONMENT, "--environment", "a", "--environment", "b", "--rate", "2/1m"]
    with run(tmp_path, *args) as s:
        got = [[s.get(app=a, environmentId=e) for e in "ab"] for a in (APP, ENVIRONMENT)]
        assert {status for row in got for status, _, _ in row} == {200}
        assert len({body for row in got for _, _, body in row}) == 4  # each has its own history
        assert s.get(app=APP, environmentId="a")[0] == 429


# ---- faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "when, hits",
    [("2", [2]), ("3-5", [3, 4, 5]), ("*", range(1, 9)), ("%3", [3, 6]), ("~0", []), ("~100", range(1, 9))],
)
def test_fault_when(tmp_path, when, hits):
    with run(tmp_path, "--rate", "0", "--fault", f"api:{when}=503") as s:
        assert [i for i in range(1, 9) if s.get()[0] == 503] == list(hits)


def good_json(body):
    try:
        json.loads(body)
        return True
    except (ValueError, RecursionError):
        return False


# The action; the status or exception; whether the body is JSON.
ACTIONS = [
    ("500", 500, True),
    ("reset", ("ConnectionResetError", "RemoteDisconnected"), None),
    ("cut", ("IncompleteRead",), None),
    ("lost", ("ConnectionResetError", "RemoteDisconnected"), None),
    ("badjson", 200, False),
    ("badutf8", 200, False),
    ("garbage", 200, False),
    ("deep", 200, False),
    ("deep=20", 200, True),
    ("huge=3MiB", 200, True),
    ("wrongtype", 200, True),
    ("wrongtype=element", 200, True),
    ("204", 204, False),
    ("ok", 200, True),
]


@pytest.mark.parametrize("action, outcome, is_json", ACTIONS, ids=[a[0] for a in ACTIONS])
def test_fault_action(tmp_path, action, outcome, is_json):
    with run(tmp_path, "--fault", f"api:1={action}") as s:
        if is_json is None:
            assert failure(s.get) in outcome
        else:
            status, _, body = s.get()
            assert status == outcome and good_json(body) == is_json
            if action.startswith("huge"):
                assert len(body) > 3 << 20 and json.loads(body)["appLogs"]
        assert s.get()[0] == 200
        assert s.stats()["calls"] == 2


def test_fault_details(tmp_path):
    rules = "api:1=429;Retry-After=2;X-RateLimit-Reset=2026-11-12T07:00Z\n# and\napi:2=302;Location=http://localhost:1/a\n"
    rules += "api:3=400;body=text; of any=kind\napi:4=delay=300ms\napi:5=503;delay=300ms\napi:6=gzip\n"
    script = tmp_path / "script"
    script.write_text(rules)
    with run(tmp_path, "--fault-script", script) as s:
        status, headers, _ = s.get()
        assert (status, headers["Retry-After"], headers["X-RateLimit-Reset"]) == (429, "2", "2026-11-12T07:00Z")
        assert s.get()[0] == 302
        assert s.get()[::2] == (400, b"text; of any=kind")
        for status in (200, 503):
            begin = time.monotonic()
            assert s.get()[0] == status
            assert time.monotonic() - begin >= 0.3
        _, headers, body = s.get()
        assert headers["Content-Encoding"] == "gzip" and json.loads(gzip.decompress(body))["appLogs"]


def test_fault_hang_and_replacement(tmp_path):
    with run(tmp_path, "--fault", "api:*=hang") as s:
        c = http.client.HTTPConnection("127.0.0.1", s.api, timeout=0.3)
        c.request("GET", "/")
        with pytest.raises(socket.timeout):
            c.getresponse()
        s.own("/_sim/fault", "POST", "api:1=500\nsink:1=502")
        assert [s.get()[0], s.get()[0], s.post(document())[0]] == [500, 200, 502]
        s.own("/_sim/fault", "POST", "")
        assert s.get()[0] == 200
        assert s.request(s.api, "POST", "/_sim/fault", "api:0=500")[0] == 400
        c.close()


@pytest.mark.parametrize("rule", ["api", "api:1", "app:1=500", "api:x=500", "api:3-1=500", "api:1=700", "api:1=what",
                                  "api:1=huge", "api:1=reset=1", "sink:1=partial=x", "api:1=500;Header"])
def test_no_fault_rule(tmp_path, rule):
    r = subprocess.run([*WRAPPER, SIM, "--fault", rule], capture_output=True, timeout=SECONDS)
    assert r.returncode == 64 and rule.encode() in r.stderr


# ---- the program ---------------------------------------------------------------------------------


def test_program(tmp_path):
    def sim(*args):
        return subprocess.run([*WRAPPER, SIM, *args], capture_output=True, timeout=SECONDS)

    assert b"--page-size" in sim("--help").stdout
    for args in (["--nothing"], ["--page-size", "x"], ["--page-size", "0"], ["--order", "up"], ["--late", "5"],
                 ["--rate", "30"], ["--listen", "nowhere"], ["--platform", "x"], ["--fault-script", "/none"], ["x"]):  # fmt: skip
        r = sim(*args)
        assert r.returncode == 64 and r.stderr.count(b"\n") == 1
    assert sim("--exit-after", "10ms").returncode == 0
    assert sim("--ports-file", tmp_path / "no" / "such", "--exit-after", "1m").returncode == 74
