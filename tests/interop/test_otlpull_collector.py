"""`otlpull run` into a real Collector: each record once, as sent but for what otlpull mends."""

import json
import re
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager

import pytest

from conftest import (
    APP, BUILD, ENVIRONMENT, PACK, SECONDS, api_with, document, otlpull_run, process, records,
    run_collector, wait_for,
)

SEVERITY = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
BUNYAN = {30: 9, 40: 13, 50: 17, 60: 21}


def check_same(got, want):
    """The same records as often, in any order, but for the observedTimeUnixNano of all of `got`."""
    for r in got:
        del r["observedTimeUnixNano"]
    got, want = (Counter(json.dumps(r, sort_keys=True) for r in rs) for rs in (got, want))
    assert {"extra": got - want, "missing": want - got} == {"extra": {}, "missing": {}}


# ---- the simulator's history ------------------------------------------------------------------


@contextmanager
def simulator(folder, *options):
    ports = folder / "ports"
    command = [BUILD / "otlpull-sim", "--listen", "127.0.0.1:0", "--sink", "127.0.0.1:0"]
    command += ["--ports-file", ports, *options]
    with process(*command, log=folder / "sim.log"):

        def port():
            return ports.exists() and re.search(r"^api=(\d+)\n", ports.read_text(), re.M)

        yield "http://127.0.0.1:" + wait_for("port of the simulator", port)[1]


def mended(record):
    """What otlpull makes of a record, as the Collector writes it."""
    r = {"body": {}, **record}
    time_ns = r.pop("timeUnixNano", None)
    if isinstance(time_ns, int) or re.fullmatch(r"\d+", str(time_ns)):
        if 0 < int(time_ns) < 2**64:
            r["timeUnixNano"] = str(int(time_ns))
    for name, digits in ("traceId", 32), ("spanId", 16):
        value = str(r.pop(name, None)).lower()
        if name == "traceId" and re.fullmatch("[0-9a-f]{16}", value):
            value = value.zfill(32)
        if re.fullmatch("[0-9a-f]{%d}" % digits, value) and value.strip("0"):
            r[name] = value
    text, number = r.get("severityText"), r.pop("severityNumber", None)
    if text in SEVERITY:
        number = SEVERITY[text]
    elif number not in range(1, 25):
        number = None if text else BUNYAN.get(number)
    if number:
        r["severityNumber"] = number
    return r


@pytest.mark.parametrize("encoding", PACK)
def test_each_record_once(tmp_path, encoding):
    """Two runs over a history with twins and odd records; the second finds nothing new."""
    begin = time.time_ns()
    past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin // 10**9 - 120))
    history = ["--seed=7", "--hours=2", "--records=3000", f"--now={past}", "--no-live"]
    history += ["--twins=10", "--odd=30", "--order=shuffled", "--rate=0/1m"]
    only = f'receivers.otlp.protocols.http.compression_algorithms=["{encoding}"]'
    other = "gzip" if encoding != "gzip" else ""
    with run_collector(tmp_path, only, encoding=encoding) as collector:
        body = PACK[other](document())
        assert collector.request(body, Content_Encoding=other)[0] == 400  # as `only` says
        with simulator(tmp_path, *history) as api:
            with urllib.request.urlopen(api + "/_sim/records", timeout=SECONDS) as answer:
                sent = [json.loads(line) for line in answer]
            for _ in range(2):
                settings = {"compression": encoding or "none", "lookback": "3h"}
                otlpull_run(tmp_path, api=api, collector=collector.endpoint, **settings)
        logs = collector.written()

    got = records(logs)
    for r in got:
        assert begin <= int(r["observedTimeUnixNano"]) <= time.time_ns()
    assert len(sent) == 3000
    check_same(got, map(mended, sent))
    for r in logs:
        attributes = {a["key"]: a["value"] for a in r["resource"]["attributes"]}
        assert attributes["service.name"] == {"stringValue": "shop"}
        assert attributes["atlassian.forge.app.id"] == {"stringValue": APP}
        assert attributes["atlassian.forge.environment.id"] == {"stringValue": ENVIRONMENT}
        assert [s["scope"]["name"] for s in r["scopeLogs"]] == ["otlpull"]


# ---- records that the Collector would refuse ---------------------------------------------------

ID = "0af7651916cd43dd8448eb211c80319c"

# A record's members, and what is delivered of them. None: not ours to mend, refused, kept aside.
ODD = [
    ('"traceId":"b7ad6b7169203331"', {"traceId": "0000000000000000b7ad6b7169203331"}),
    ('"traceId":"%s"' % ID.upper(), {"traceId": ID}),
    ('"traceId":null', {}),
    ('"traceId":7', {}),
    ('"traceId":{"a":1}', {}),
    ('"traceId":"%s"' % ID[1:], {}),
    ('"traceId":"zz%s"' % ID[2:], {}),
    ('"traceId":"0000000000000000"', {}),
    ('"traceId":"zz","traceId":"%s"' % ID, {"traceId": ID}),
    (r'"trace\u0049d":"zz"', {}),
    ('"spanId":"b7ad6b7169203331"', {"spanId": "b7ad6b7169203331"}),
    ('"spanId":null', {}),
    ('"spanId":"%s"' % ID, {}),
    ('"severityNumber":30,"severityText":"INFO"', {"severityNumber": 9, "severityText": "INFO"}),
    ('"severityNumber":20,"severityText":"DEBUG"', {"severityNumber": 5, "severityText": "DEBUG"}),
    ('"severityNumber":null', {}),
    ('"severityNumber":-1', {}),
    ('"severityNumber":"9","severityText":"warn"', {"severityNumber": 13, "severityText": "warn"}),
    ('"severityNumber":50', {"severityNumber": 17}),
    ('"timeUnixNano":"18446744073709551616"', {}),
    ('"timeUnixNano":-1', {}),
    ('"timeUnixNano":1.5', {}),
    ('"timeUnixNano":""', {}),
    ('"timeUnixNano":null', {}),
    ('"timeUnixNano":"18446744073709551615"', {"timeUnixNano": "18446744073709551615"}),
    ('"timeUnixNano":1762930801250000001', {"timeUnixNano": "1762930801250000001"}),
    ('"spanId":null,"severityNumber":"9","traceId":"%s","timeUnixNano":""' % ID, {"traceId": ID}),
    ('"body":{"stringValue":"\\ud800"}', {"body": {"stringValue": "\ufffd"}}),
    ('"body":"x"', None),
    ('"attributes":{}', None),
    ('"body":{"stringValue":"%s"}' % ("x" * (20 << 20)), None),  # more than the Collector takes
]


def test_odd_records(tmp_path):
    """One page of good and odd records: all is delivered that can be, the rest is kept."""
    name = "row-{:02}".format  # tells the records apart; last, so that it counts
    texts = ['{%s,"eventName":"%s"}' % (text, name(i)) for i, (text, _) in enumerate(ODD)]
    with run_collector(tmp_path) as collector:
        with api_with(*texts) as api:
            otlpull_run(tmp_path, api=api, collector=collector.endpoint, lookback="1h")
        got = records(collector.written())

    want = [(name(i), w) for i, (_, w) in enumerate(ODD)]
    check_same(got, [{"body": {}, **w, "eventName": n} for n, w in want if w is not None])
    state = b"".join(f.read_bytes() for f in (tmp_path / "state").rglob("*") if f.is_file())
    kept = [n for n, _ in want if n.encode() in state]
    assert kept == [n for n, w in want if w is None]
