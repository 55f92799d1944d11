"""Fly.io's app logs through the built programs: JSON:API pages and lines, told apart by what they look like."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from conftest import TOKEN
from platforms import (STATUSES, as_time_passes, hours_ago, source, survives_kills, survives_status, survives_trouble,
                       values)

APP = "shop"
LOGS = f"/api/v1/apps/{APP}/logs"
SHAPES = ["pages", "flat", "nested", "wrapped"]


@pytest.fixture
def fly(setup):
    def start(*args, **settings):
        size = [] if "--page-size" in args else ["--page-size", "40"]
        sim, pull = setup("--platform", "fly", "--app", APP, *size, *args)
        return sim, source(pull, type="fly", **{"app": APP, "token": TOKEN, **settings})

    return start


def queries(sim):
    parts = [urlsplit(call["target"]) for call in sim.calls()]
    assert all(part.path == LOGS for part in parts)
    return [{key: value[0] for key, value in parse_qs(part.query, keep_blank_values=True).items()} for part in parts]


def ask(sim, authorization=f"Bearer {TOKEN}", path=LOGS, **query):
    """A call of the simulator by hand."""
    headers = {"Authorization": authorization}
    status, _, body = sim.request(sim.api, "GET", path + "?" + urlencode(query), headers=headers)
    return status, body.decode()


def test_simulated_rules(fly):
    """From which moment on a call is; what is refused."""
    sim, _ = fly("--records", 500, "--page-size", 100)
    entries = sim.own("/_sim/records")

    def page(**query):
        status, body = ask(sim, **query)
        return status, json.loads(body)["data"], json.loads(body)["meta"]["next_token"]

    latest = (200, entries[-100:], entries[-1]["id"].rpartition("-")[2])
    assert page() == page(next_token="") == latest
    token = entries[99]["id"].rpartition("-")[2]
    status, data, following = page(next_token=token)
    assert (status, data) == (200, entries[100:200]) and following == entries[199]["id"].rpartition("-")[2]
    assert page(next_token=latest[2]) == (200, [], latest[2])
    there = [e for e in entries[100:] if e["attributes"]["meta"]["region"] == "cdg"]
    assert page(next_token=token, region="cdg")[1] == there[:100]
    assert ask(sim, "Bearer x")[0] == ask(sim, f"FlyV1 {TOKEN}")[0] == 401
    assert ask(sim, path="/api/v1/apps/other/logs")[0] == 404
    assert ask(sim, next_token="x")[0] == ask(sim, start_time="noon")[0] == ask(sim, limit=5)[0] == 400


def quirks(*names):
    return [word for name in names for word in ("--quirk", name)]


@pytest.mark.parametrize("quirk", [[], ["token=opaque"], ["inclusive"], ["empty-token"], ["capitals"], ["shape=flat"],
                                   ["shape=nested"], ["shape=wrapped"], ["shape=flat", "inclusive"],
                                   ["shape=flat", "noise"], ["shape=nested", "capitals"]], ids="+".join)
def test_history(fly, quirk):
    """Twins, entries of one nanosecond on the edges of pages, odd ones: each once, unchanged."""
    sim, pull = fly("--hours", 0.002, "--records", 1500, "--twins", 20, "--odd", 20, *quirks(*quirk))
    pull.run()
    assert sim.whole() == 1500
    assert len(queries(sim)) <= 1500 // 33 + 3
    before = sim.received()["records"]
    assert pull.run().summary["exported"] == "0" and sim.received()["records"] == before


def test_what_is_asked_for(fly):
    """First by both editions' parameters, then by the one that answers; never by an empty token."""
    sim, pull = fly("--records", 200)
    pull.run()
    first, *rest = queries(sim)
    assert set(first) == {"next_token", "start_time"} and first["next_token"].isdigit()
    assert rest and all(set(query) == {"next_token"} and query["next_token"] for query in rest)
    sim.whole()


def test_what_is_asked_for_of_lines(fly):
    sim, pull = fly("--records", 200, *quirks("shape=flat"))
    pull.run()
    first, *rest = queries(sim)
    assert set(first) == {"next_token", "start_time"}
    assert rest and all(set(query) == {"start_time"} for query in rest)
    sim.whole()


@pytest.mark.parametrize("shape", SHAPES)
def test_idle_runs(fly, shape):
    """Nothing in the stretch that is read again: one call. A few entries in it: two."""
    sim, pull = fly("--records", 100, "--hours", 1, "--page-size", 100, "--now", hours_ago(0.5),
                    *quirks(f"shape={shape}"))
    pull.run()
    assert sim.whole() == 100
    calls = len(sim.calls())
    assert pull.run().summary["exported"] == "0" and len(sim.calls()) == calls + 1
    pull.source["overlap"] = "40m"
    assert pull.run().summary["duplicates"] > "0" and len(sim.calls()) == calls + 3
    sim.whole()


def test_a_server_that_ignores_the_start(fly):
    """It gives the same latest lines each time: each arrives once, and asking ends."""
    sim, pull = fly("--records", 300, *quirks("shape=flat", "ignores-start"))
    pull.run()
    pull.run()
    check = sim.check()
    assert check["delivered"] == 40 and check["extra"] == 0 and len(sim.calls()) <= 8


@pytest.mark.parametrize("shape", ["pages", "flat"])
def test_late_entries(fly, shape):
    sim, pull = fly("--hours", 2, "--records", 800, "--twins", 10, "--late", "20:4m", *quirks(f"shape={shape}"),
                    overlap="5m")
    as_time_passes(sim, pull)
    assert sim.whole() > 700


def test_live(fly):
    """An app that goes on logging: a run ends all the same."""
    sim, pull = fly("--records", 3000, "--hours", 0.05, "--page-size", 10)
    pull.run()
    assert sim.check()["extra"] == 0


def machines(sim):
    """Each Machine and its region, with its entries."""
    found = {}
    for entry in sim.own("/_sim/records"):
        meta = entry["attributes"]["meta"]
        found.setdefault((meta["instance"], meta["region"]), []).append(entry["id"])
    return found


@pytest.mark.parametrize("obeyed", [True, False])
def test_filters(fly, obeyed):
    """Sent, and applied again: the platform's cannot be relied on."""
    sim, pull = fly("--records", 300, *([] if obeyed else quirks("ignores-filters")))
    (machine, region), ids = sorted(machines(sim).items())[0]
    pull.source["instance"] = machine
    pull.run()
    assert {query["instance"] for query in queries(sim)} == {machine}
    assert sorted(uid(line["record"]) for line in sim.lines()) == sorted(ids)
    assert {values(line["resource"]["attributes"])["service.instance.id"] for line in sim.lines()} == {machine}
    pull.source.pop("instance")
    pull.source.update(name="by-region", region=region)
    calls = len(sim.calls())
    sim.own("/_sink/reset", "POST")
    pull.run()
    assert {query["region"] for query in queries(sim)[calls:]} == {region}
    wanted = [i for (_, where), some in machines(sim).items() if where == region for i in some]
    assert sorted(uid(line["record"]) for line in sim.lines()) == sorted(wanted)


def uid(record):
    return values(record["attributes"])["log.record.uid"]


def test_records_and_their_resources(fly):
    """Each field, literally; Machines are resources of one batch."""
    sim, pull = fly("--records", 60, "--page-size", 100, "--odd", 30)
    pull.run()
    batches = sim.batches()
    assert len(batches) == 1 and batches[0]["records"] == 60
    got = {uid(line["record"]): (line["record"], values(line["resource"]["attributes"])) for line in sim.lines()}
    seen = set()
    for entry in sim.own("/_sim/records"):
        record, resource = got[entry["id"]]
        own, meta = entry["attributes"], entry["attributes"]["meta"]
        assert resource == {"cloud.provider": "fly_io", "service.name": APP, "service.instance.id": meta["instance"],
                            "cloud.region": meta["region"]}
        http, error = meta.get("http", {}), meta.get("error", {})
        want = {"log.record.uid": entry["id"], "fly.event.provider": meta["event"]["provider"],
                "http.request.method": http.get("request", {}).get("method"),
                "fly.request.id": http.get("request", {}).get("id"),
                "network.protocol.version": http.get("request", {}).get("version"),
                "http.response.status_code": http.get("response", {}).get("status_code"),
                "url.full": meta.get("url", {}).get("full"), "fly.error.code": error.get("code"),
                "error.message": error.get("message")}
        assert values(record["attributes"]) == {key: value for key, value in want.items() if value is not None}
        assert record["body"]["stringValue"] == (own["message"] or error["message"])
        number = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}[own["level"]]
        assert (record["severityText"], record["severityNumber"]) == (own["level"], number)
        assert record["timeUnixNano"] == entry["id"].rpartition("-")[2]
        seen |= set(values(record["attributes"])) | {type(error.get("code"))}
    assert seen >= {"fly.error.code", "http.response.status_code", int, str}


def test_host_of_a_nested_line(fly):
    sim, pull = fly("--records", 20, *quirks("shape=nested"))
    pull.run()
    assert sim.whole() == 20
    assert {values(line["resource"]["attributes"])["host.name"] for line in sim.lines()} == {"a1b2"}


@pytest.mark.parametrize("token", ["FlyV1 fm2_abc", "fm2_abc", "Bearer fm2_abc,oauth"])
def test_macaroons(fly, token):
    """They go under a scheme of their own; an OAuth token beside them is left out."""
    sim, pull = fly("--records", 30, "--token", "fm2_abc", token=token)
    result = pull.run()
    assert sim.whole() == 30 and "fm2_abc" not in result.err
    pull.source["token"] = "abc"
    pull.run(code=77).says("401")


def test_words_that_quote_a_part_of_the_token(fly):
    """What the platform says of a request is shown, but not with one of the tokens in it, or its beginning."""
    sim, pull = fly("--records", 30, token="FlyV1 fm2_lJPECAAAAAAAsecretpart,fm2_discharge")
    for quoted in "fm2_lJPECAAAAAAAsecretpart", "fm2_lJPECAAA...", "fm2_discharge":
        sim.fault(f"api:*=400;body=malformed macaroon {quoted}")
        result = pull.run(code=75).says("400")
        assert "macaroon" not in result.err, result.err
    sim.fault("api:*=400;body=malformed macaroon")
    pull.run(code=75).says("400", "it says: malformed macaroon")


def test_another_root(fly):
    """An endpoint that ends in /v1 is the API's root: https://api.machines.dev/v1."""
    sim, pull = fly("--records", 30)
    pull.source["endpoint"] += "/v1"
    pull.run()
    assert sim.whole() == 30
    assert {urlsplit(call["target"]).path for call in sim.calls()} == {f"/v1/apps/{APP}/logs"}


def test_unknown_app(fly):
    _, pull = fly("--records", 30, app="other")
    pull.run(code=78).says("404")


@pytest.mark.parametrize("times", [1, 2, 3])
def test_intermittent_401(fly, times):
    """Some in a row are no reason to give up."""
    sim, pull = fly("--records", 300)
    sim.fault(f"api:3-{2 + times}=401")
    assert pull.run().summary["retries"] == str(times)
    assert sim.whole() == 300


def test_what_is_kept_is_less(fly):
    """A first run that asks for more than the platform keeps says so."""
    sim, pull = fly("--records", 300, "--hours", 24 * 14, *quirks("kept=5d"), lookback="13d")
    result = pull.run()
    assert "no longer has" in result.err and sim.check()["extra"] == 0
    assert "no longer has" not in pull.run().err


@pytest.mark.parametrize("status,code", STATUSES)
def test_statuses(fly, status, code):
    sim, pull = fly("--records", 200)
    survives_status(sim, pull, status, code)


def test_a_cursor_that_is_refused(fly):
    """The window is read again from its beginning, and nothing is sent twice."""
    sim, pull = fly("--records", 200)
    sim.fault("api:4=410")
    result = pull.run()
    assert sim.whole() == 200 and int(result.summary["duplicates"]) > 0


def test_no_content(fly):
    sim, pull = fly("--records", 30, "--hours", 0.01, overlap="10m")
    sim.fault("api:1=204")
    assert pull.run().summary["exported"] == "0"
    sim.fault()
    pull.run()
    assert sim.whole() == 30


@pytest.mark.parametrize("shape", ["pages", "flat"])
@pytest.mark.parametrize("fault", ["badutf8", "garbage", "cut", "reset", "wrongtype=logs", "wrongtype=element",
                                   "deep=200", "badjson"])
def test_broken_answers(fly, fault, shape):
    """For ever: the platform's fault, 75, and no record is lost. Half of some lines is some lines."""
    sim, pull = fly("--records", 200, *quirks(f"shape={shape}"))
    sim.fault(f"api:*={fault}")
    if (fault, shape) != ("badjson", "flat"):
        pull.run(code=75)
        assert sim.received()["records"] == 0
    else:
        sim.fault("api:1-3=badjson")
        pull.run()
        sim.whole()
    pull.recovers()


def test_broken_lines(fly):
    """Blank and broken ones are passed over, and no newline is needed behind the last."""
    sim, pull = fly("--records", 300, *quirks("shape=wrapped", "noise"))
    pull.run()
    assert sim.whole() == 300


@pytest.mark.parametrize("shape", ["pages", "flat"])
def test_trouble(fly, shape):
    sim, pull = fly("--records", 1200, "--twins", 10, *quirks(f"shape={shape}"))
    assert survives_trouble(sim, pull) == 1200


@pytest.mark.parametrize("shape", ["pages", "nested"])
def test_kills(fly, shape):
    sim, pull = fly("--records", 6000, "--hours", 4, "--twins", 5, "--page-size", 20, *quirks(f"shape={shape}"))
    survives_kills(sim, pull)
