"""Scalingo's logs through the built programs: dumps that grow, archives, and credentials that expire."""

import base64
import itertools
import json
import os
import random
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import SLOW, TOKEN, Sim

APP = "my-shop"
MINUTE = 60_000_000_000
KILLS = int(os.environ.get("OTLPULL_KILLS", "12"))
BATCH = 50
# What is given for a while, as it looks in the simulator's URLs and headers.
GIVEN = re.compile(r"eyJ\.|token=|signature=")


class Scalingo:
    """A simulator and an otlpull that reads its one app."""

    def __init__(self, sim, pull, **settings):
        self.sim, self.pull = sim, pull
        old = pull.source
        pull.source = {key: old[key] for key in ("name", "timeout", "rate_limit", "retry_on_failure", "lookback")}
        pull.source.update({"type": "scalingo", "app": APP, "api_token": TOKEN, "auth_endpoint": sim.endpoint,
                            "api_endpoint": sim.endpoint, **settings})
        pull.sources = [pull.source]
        self.start_ns = time.time_ns()

    def checked(self, result):
        """No credential is in what it says or keeps."""
        said = result.err + result.out + "".join(p.read_text() for p in self.pull.state.glob("*") if p.is_file())
        assert not GIVEN.search(said) and TOKEN not in said, said
        return result

    def run(self, **options):
        return self.checked(self.pull.run(**options))

    def asked(self, since=0):
        """What was asked for, a word each: exchange, url, the lines of a dump, list, archive."""
        words = []
        for call in self.sim.calls()[since:]:
            part = urlsplit(call["target"])
            query = parse_qs(part.query, keep_blank_values=True)
            if part.path == "/v1/tokens/exchange":
                words.append("exchange")
            elif part.path == f"/v1/apps/{APP}/logs":
                words.append("url")
            elif part.path == f"/v1/apps/{APP}/logs_archives":
                words.append("list")
            elif part.path.startswith(f"/archives/{APP}/"):
                words.append("archive")
            else:
                assert part.path == f"/apps/{APP}/logs" and {"token", "timestamp", "n"} <= set(query), part
                words.append(int(query["n"][0]))
        return words

    def see(self, minutes):
        """The platform shows what was logged up to so many minutes before the start. All of it must lie in the
        window that the run asks for, hence GROWING's `overlap`: what is older is not wanted."""
        self.sim.set(f"visible-until={self.start_ns - int(minutes * MINUTE)}")


GROWING = {"hours": 0.75, "overlap": "1h"}


@pytest.fixture
def scalingo(setup):
    def start(*args, hours=3, **settings):
        sim, pull = setup("--platform", "scalingo", "--hours", hours, "--records", 400, "--app", APP, *args)
        return Scalingo(sim, pull, **settings)

    return start


LINES = {
    "as documented": [],
    "local time": ["--quirk", "zone=+0200 CEST"],
    "many zones, many digits": ["--quirk", "zone=mixed", "--quirk", "digits=mixed"],
    "whole seconds": ["--quirk", "digits=0"],
    "newest first": ["--order", "desc"],
    "in no order": ["--order", "shuffled"],
}


@pytest.mark.parametrize("quirks", LINES.values(), ids=LINES)
def test_history(scalingo, quirks):
    """Twins, odd texts, lines that came late: each once, however its time is written."""
    s = scalingo("--twins", 10, "--odd", 20, "--late", "10:10m", *quirks)
    s.run()
    assert s.sim.whole() == 400
    calls = len(s.sim.calls())
    assert s.run().summary["exported"] == "0"
    assert s.asked(calls) == ["exchange", "url", 1000]
    s.sim.whole()


@pytest.mark.parametrize("status", [200, 204, 404])
def test_nothing_logged_yet(scalingo, status):
    s = scalingo("--records", 0, "--quirk", f"nothing={status}")
    for _ in range(2):
        assert s.run().summary["exported"] == "0"
    assert s.asked() == ["exchange", "url", 1000, "list"] * 2


def test_asks_for_more_and_for_less(scalingo):
    """Twice as many until they reach back; what was needed is asked for the next time, and then less."""
    s = scalingo("--records", 3000, lines=100)
    s.run()
    assert s.sim.whole() == 3000
    assert s.asked() == ["exchange", "url", 100, 200, 400, 800, 1600, 3200, "list"]
    for lines in (3200, 1600, 800, 400, 200, 100, 100):
        calls = len(s.sim.calls())
        assert s.run().summary["exported"] == "0"
        assert s.asked(calls) == ["exchange", "url", lines]
    s.sim.whole()


def test_polls_that_do_not_meet(scalingo):
    """More was logged between two polls than the second asks for: it asks for more, though all is old."""
    s = scalingo("--records", 3000, "--twins", 5, lines=100, **GROWING)
    s.see(42)
    s.run()
    for minutes in (37, 36.7, 25, 24.7, 0):
        s.see(minutes)
        s.run()
        s.sim.whole()
    assert s.sim.whole() == 3000


def test_late_lines(scalingo):
    """Those that come into sight behind newer ones, within `overlap`."""
    s = scalingo("--late", "30:20m", "--twins", 10, "--order", "shuffled", **GROWING)
    for minutes in range(42, -1, -6):
        s.see(minutes)
        s.run()
        s.sim.whole()
    assert s.sim.check()["expected"] == s.sim.check()["delivered"]


def test_too_late(scalingo):
    """What comes into sight by more than `overlap` too late is not wanted: it may have been sent long ago."""
    s = scalingo("--quirk", "ring=100", overlap="1m")
    s.see(100)
    s.run()
    early = s.sim.check()["delivered"]
    s.see(50)
    assert early > 0 and s.run().summary["exported"] == "0"
    assert s.sim.check()["expected"] > early == s.sim.check()["delivered"]
    assert "archive" in s.asked()


def test_lookback(scalingo):
    """A first run leaves out what is older, and no later one brings it."""
    s = scalingo(lookback="1h")
    first_ns = time.time_ns() - 60 * MINUTE
    for _ in range(3):
        s.run()
    check = s.sim.check(**{"from": first_ns + MINUTE})
    assert check["missing"] == 0 and check["expected"] > 50
    assert s.sim.check(**{"to": first_ns - MINUTE})["delivered"] == s.sim.check()["delivered"] < 200


ARCHIVES = {
    "large": ["--quirk", "ring=90"],
    "small, a list of many pages": ["--quirk", "ring=20", "--quirk", "archive-page=3"],
    "one a page": ["--quirk", "ring=50", "--quirk", "archive-page=1"],
    "whole hours": ["--quirk", "ring=20", "--quirk", "archive-hours"],
    "gzip": ["--quirk", "ring=50", "--quirk", "archive-gzip"],
    "late, in no order": ["--quirk", "ring=30", "--late", "30:5m", "--order", "shuffled"],
    "whole seconds": ["--quirk", "ring=30", "--quirk", "digits=0", "--quirk", "zone=mixed"],
}


@pytest.mark.parametrize("quirks", ARCHIVES.values(), ids=ARCHIVES)
def test_archives(scalingo, quirks):
    """The log rolls over again and again: what is no more in the dump is in an archive, once."""
    # with `lag` the window goes back two hours
    s = scalingo("--twins", 20, "--odd", 10, *quirks, hours=1.75, overlap="1h", lag="1h")
    for minutes in (70, 69, 52, 23, 22.5, 22, 0):
        s.see(minutes)
        result = s.run()
        assert "lost" not in result.err, result.err
        s.sim.whole()
    calls = len(s.sim.calls())
    assert s.run().summary["exported"] == "0"
    assert s.asked(calls)[:3] == ["exchange", "url", 1000]
    s.sim.whole()
    assert "archive" in s.asked()


def test_an_archive_is_read_once(scalingo):
    """An empty log is normal: the next poll reads no archive again, only the list."""
    s = scalingo("--quirk", "ring=100")
    s.run()
    assert s.sim.whole() == 400
    assert s.asked() == ["exchange", "url", 1000, "list", "list"] + ["archive"] * 4
    calls = len(s.sim.calls())
    s.run()
    assert "archive" not in s.asked(calls)
    s.sim.whole()


def test_archives_that_are_gone(scalingo):
    """Missed lines are said, and shown by status; a first run has missed none."""
    s = scalingo("--quirk", "ring=50", "--quirk", "archives-kept=2", **GROWING)
    s.see(25)
    assert "lost" not in s.run().err
    early = s.sim.check()["delivered"]
    assert early > 0
    s.see(0)
    result = s.run()
    assert len([line for line in result.lines if " warn" in line and "is lost" in line]) == 1, result.err
    check = s.sim.check()
    assert check["missing"] > 0 and check["extra"] == 0 and check["delivered"] > early
    assert "lost" not in s.run().err
    assert "  gap  " in s.pull.command("status", "-c", s.pull.path).out


def test_no_archives_at_all(scalingo):
    s = scalingo("--quirk", "no-archives", "--quirk", "ring=70", lookback="1h")
    assert "lost" not in s.run().err
    assert s.sim.check()["delivered"] > 0


def ready_url(s):
    """As a user has it from the vendor's own client."""
    basic = "Basic " + base64.b64encode(f":{TOKEN}".encode()).decode()
    _, _, body = s.sim.request(s.sim.api, "POST", "/v1/tokens/exchange", headers={"Authorization": basic})
    bearer = "Bearer " + json.loads(body)["token"]
    _, _, body = s.sim.request(s.sim.api, "GET", f"/v1/apps/{APP}/logs", headers={"Authorization": bearer})
    return json.loads(body)["logs_url"]


def test_a_ready_url(scalingo):
    s = scalingo("--records", 1500)
    for key in ("api_token", "auth_endpoint", "api_endpoint"):
        del s.pull.source[key]
    s.pull.source["logs_url"] = ready_url(s)
    calls = len(s.sim.calls())
    s.run()
    assert s.sim.whole() == 1500
    assert s.asked(calls) == [1000, 2000]
    s.pull.source["logs_url"] = s.pull.source["logs_url"].replace("token=", "token=0")
    s.checked(s.pull.run(code=77)).says("the log URL", "401")


FILTERS = {"web": {"web-1", "web-2"}, "web-1": {"web-1"}, "router": {"router"}, "web|router": {"web-1", "web-2", "router"},
           "one-off": {"one-off-4521"}}


@pytest.mark.parametrize("ring", [[], ["--quirk", "ring=60"]], ids=["dump", "archives"])
@pytest.mark.parametrize("chosen", FILTERS)
def test_filter(scalingo, chosen, ring):
    """As the log host has it; archives hold all and are filtered here."""
    s = scalingo("--sites", 6, *ring, filter=chosen)
    s.run()
    assert s.run().summary["exported"] == "0"
    got = [attribute(line["resource"], "service.instance.id") for line in s.sim.lines()]
    assert set(got) == FILTERS[chosen]
    status, _, body = s.sim.request(s.sim.api, "GET", "/_sim/records")
    assert status == 200
    every = re.findall(r"^\S+ \S+ \S+ \S+ \[([^\]]+)\]", body.decode(), re.M)
    assert sorted(got) == sorted(name for name in every if name in FILTERS[chosen])
    dumps = [urlsplit(call["target"]) for call in s.sim.calls() if call["target"].startswith("/apps/")]
    assert all(parse_qs(part.query)["filter"] == [chosen] for part in dumps)
    assert all("|" not in part.query for part in dumps)


def attribute(holder, key):
    return {a["key"]: next(iter(a["value"].values())) for a in holder["attributes"]}.get(key)


def test_mapping(scalingo):
    """Each line is what the collector got, container by container."""
    s = scalingo("--sites", 6, "--odd", 20, region="osc-secnum-fr1")
    s.run()
    lines = s.sim.lines()
    plain = re.compile(r"(\S+ \S+) \+0000 UTC \[([^\]]+)\] (.*)")
    _, _, body = s.sim.request(s.sim.api, "GET", "/_sim/records")
    sent = [plain.fullmatch(text).groups() for text in body.decode().split("\n")[:-1]]
    assert len(lines) == len(sent) == 400
    got = {(line["record"]["timeUnixNano"], line["record"]["body"]["stringValue"]): line for line in lines}
    for moment, container, text in sent:
        unix_ns = int(time.mktime(time.strptime(moment[:19] + " UTC", "%Y-%m-%d %H:%M:%S %Z")) - time.timezone) * 10**9
        line = got[str(unix_ns + int(moment[20:])), text]
        resource = {a["key"]: a["value"]["stringValue"] for a in line["resource"]["attributes"]}
        assert resource == {"cloud.provider": "scalingo", "cloud.region": "osc-secnum-fr1", "service.name": APP,
                            "service.instance.id": container}
        record = line["record"]
        assert "severityNumber" not in record and "severityText" not in record
        assert record["attributes"][0] == {"key": "scalingo.container.type",
                                           "value": {"stringValue": container.rpartition("-")[0] or container}}
        assert len(record["attributes"]) == 1 if container != "router" else len(record["attributes"]) >= 11
    router = next(line["record"] for line in lines if attribute(line["resource"], "service.instance.id") == "router"
                  and "status=200" in line["record"]["body"]["stringValue"])
    values = {a["key"]: a["value"] for a in router["attributes"]}
    assert values["server.address"] == {"stringValue": "shop.osc-fr1.scalingo.io"}
    assert values["client.address"] == {"stringValue": "203.0.113.9"}
    assert values["http.response.status_code"] == {"intValue": "200"}
    assert values["url.scheme"] == {"stringValue": "https"}
    assert values["scalingo.container"] == {"stringValue": "web-1"}
    assert values["user_agent.original"]["stringValue"].startswith('curl/8 "x" #')
    assert set(values["scalingo.duration_s"]) == {"doubleValue"}


def test_one_batch_many_containers(scalingo):
    """A resource for each, and as few requests as before."""
    s = scalingo("--sites", 6)
    s.run()
    assert len(s.sim.batches()) == 1
    resources = {attribute(line["resource"], "service.instance.id") for line in s.sim.lines()}
    assert len(resources) == 6


# ---- credentials -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number,after", [
    (1, ["exchange", "exchange", "url", 1000]), (2, ["exchange", "url", "url", 1000]),
    (3, ["exchange", "url", 1000, "exchange", "url", 1000]),
])
def test_refused_once(scalingo, number, after):
    """A refusal may pass; where a page is refused, all that was given is had anew."""
    s = scalingo(lookback="1h")
    s.sim.fault(f"api:{number}=401;body={{\"error\":\"expired\"}}")
    s.run()
    assert s.asked() == after


@pytest.mark.parametrize("status", [401, 403])
def test_the_url_expires(scalingo, status):
    """... in the midst of a run."""
    s = scalingo("--records", 1000, "--quirk", "url-ttl=2s", "--quirk", f"url-status={status}", "--latency", "400ms", lines=100)
    s.pull.source["retry_on_failure"] = {**s.pull.source["retry_on_failure"], "max_elapsed_time": "20s"}
    s.run(seconds=60 * SLOW)
    assert s.sim.whole() == 1000
    assert s.asked().count("exchange") > 1


def test_an_archive_url_expires(scalingo):
    """Its URL comes from a new listing, and no archive is read twice."""
    s = scalingo("--quirk", "ring=70", "--quirk", "archive-ttl=2s", "--latency", "400ms")
    s.pull.source["retry_on_failure"] = {**s.pull.source["retry_on_failure"], "max_elapsed_time": "20s"}
    s.run(seconds=60 * SLOW)
    assert s.sim.whole() == 400
    assert s.asked().count("list") > 2


def test_wrong_token(scalingo):
    s = scalingo()
    s.pull.source["api_token"] = "tk-us-wrong"
    s.checked(s.pull.run(code=77)).says("POST", "/v1/tokens/exchange", "401")
    assert set(s.asked()) == {"exchange"}


def test_no_such_app(scalingo):
    s = scalingo(app="other")
    s.checked(s.pull.run(code=78)).says("/v1/apps/other/logs", "404")


def test_to_be_paid_for(scalingo):
    s = scalingo("--quirk", "suspended")
    s.checked(s.pull.run(code=77)).says("/v1/apps/my-shop/logs")


@pytest.mark.parametrize("settings,words", [
    ({"api_token": None}, "api_token"), ({"region": "x.evil.example/"}, "region"), ({"lines": 0}, "lines"),
    ({"lines": 150001}, "lines"), ({"mode": "carrier pigeon"}, "mode"), ({"app": None}, "app"),
    ({"endpoint": "https://x.example"}, "endpoint"), ({"window": "1h"}, "window"),
])
def test_configuration(scalingo, settings, words):
    s = scalingo()
    for key, value in settings.items():
        s.pull.source[key] = value
        if value is None:
            del s.pull.source[key]
    result = s.pull.finish(s.pull.start_run())
    assert result.code == 78 and words in result.err, result.err
    assert not s.sim.calls()


# ---- faults ----------------------------------------------------------------------------------------


STEPS = ["exchange", "url", "dump", "list", "listing", "archive"]


@pytest.mark.parametrize("number,rule", [
    *itertools.product(range(1, 7), ["503", "reset", "cut"]),
    *itertools.product([1, 3], ["500", "502", "504", "408", "425", "429;Retry-After=1;body=Retry later"]),
], ids=lambda x: STEPS[x - 1] if isinstance(x, int) else x.split(";")[0])
def test_later(scalingo, number, rule):
    """What passes by is asked for again, at each step."""
    s = scalingo("--quirk", "ring=150", "--records", 200)
    s.pull.source["retry_on_failure"] = {**s.pull.source["retry_on_failure"], "max_elapsed_time": "20s"}
    s.sim.fault(f"api:{number}={rule}")
    s.run(seconds=60 * SLOW)
    assert s.sim.whole() == 200


@pytest.mark.parametrize("rule", ["badjson", "wrongtype", "deep=50000", "badutf8", "garbage", "huge=3000000"])
@pytest.mark.parametrize("number", [1, 2, 5], ids=["exchange", "url", "listing"])
def test_nonsense(scalingo, number, rule):
    """Answers of the API that are none are asked for again; what is only wide is read."""
    s = scalingo("--quirk", "ring=150", "--records", 200)
    s.sim.fault(f"api:{number}={rule}")
    s.run()
    assert s.sim.whole() == 200
    calls = len(s.asked())
    assert calls == 7, s.asked()


def test_other_statuses(scalingo):
    """Not ours to mend: said, and the next run goes on."""
    s = scalingo()
    for status, code in [(403, 77), (400, 75), (422, 75)]:
        s.sim.fault(f"api:*={status}")
        s.checked(s.pull.run(code=code)).says(str(status))
    s.pull.recovers()


TROUBLE = ["api:~6=503", "api:~3=reset", "api:~3=cut", "api:~3=delay=30ms", "api:~2=401",
           "sink:~6=503", "sink:~3=429", "sink:~3=reset", "sink:~3=delay=30ms"]


@pytest.mark.parametrize("trouble", [[], TROUBLE], ids=["calm", "trouble"])
def test_kill(scalingo, trouble):
    """kill -9 at random moments, while the log grows and rolls over: nothing is lost, and at most one batch
    comes twice for each; perhaps only once its archive is read again."""
    moments = random.Random(int(os.environ.get("OTLPULL_SEED", time.time_ns())))
    s = scalingo("--records", 300 * KILLS, "--quirk", "ring=170", "--twins", 10, "--quirk", "archive-page=4", "--latency", "4ms",
                 "--sink-latency", "8ms", lines=50, **GROWING)
    for side in (s.pull.source, s.pull.exporter):
        side["retry_on_failure"] = {**side["retry_on_failure"], "max_elapsed_time": f"{20 * SLOW}s"}
    s.pull.exporter["max_batch_records"] = BATCH
    s.sim.fault(*trouble)
    for i in range(KILLS):
        s.see(42 - 42 * i / KILLS)
        process = s.pull.start_run()
        time.sleep(moments.uniform(0, 0.5 * SLOW))
        process.kill()
        s.checked(s.pull.finish(process))
        check = s.sim.check()
        assert check["extra"] <= BATCH * (i + 1) and check["unknown"] == 0, check
    s.sim.fault()
    s.see(0)
    s.run(seconds=60 * SLOW)
    check = s.sim.check()
    assert check["missing"] == 0 and check["unknown"] == 0 and check["extra"] <= BATCH * KILLS, check
    assert s.run().summary["exported"] == "0"


@pytest.mark.parametrize("what", [["--late", "20:2s"], ["--twins", "20"]], ids=["late", "twins"])
@pytest.mark.parametrize("ring", [40, 300, 2000])
def test_as_it_grows(tmp_path, make_pull, ring, what):
    """Lines come while it runs: the log rolls over between a dump and what the archives are asked for."""
    sim = Sim(tmp_path, "--platform", "scalingo", "--app", APP, "--rate", "0", "--records", 3000, "--hours", 0.02,
              *what, "--latency", "15ms", "--quirk", f"ring={ring}", "--order", "shuffled")
    s = Scalingo(sim, make_pull(sim), lines=50, overlap="5s")
    for _ in range(6):
        assert "lost" not in s.run(seconds=60 * SLOW).err
    sim.set(f"visible-until={time.time_ns()}")
    s.run(seconds=60 * SLOW)
    assert sim.whole() > 3000
    sim.stop()


def test_another_filter(scalingo):
    """What another filter has let pass is of no use to this one, and nothing comes twice."""
    s = scalingo("--sites", 6, **GROWING)
    s.run()
    assert ' m=' in place(s)
    s.pull.source["filter"] = "web|router|worker|one-off|postdeploy"
    assert s.run().summary["exported"] == "0"
    s.sim.whole()


def place(s):
    return json.loads((s.pull.state / "source-shop.json").read_text())["document"]["place"]


@pytest.mark.parametrize("options", [["--quirk", "ring=150"], []], ids=["archives", "dump"])
def test_proto_and_resources(scalingo, options):
    s = scalingo("--sites", 6, "--odd", 10, *options)
    s.pull.exporter["encoding"] = "proto"
    s.run()
    assert s.sim.whole() == 400
