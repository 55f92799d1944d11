"""The simulator's sink: what it refuses, what it counts, and what it finds missing."""

import gzip
import json
import zlib

import pytest

from simulator import APP, ENVIRONMENT, HOUR, body_of, document, failure, run

ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    with run(tmp_path_factory.mktemp("sim"), "--records", "0") as s:
        yield s


GOOD = {"timeUnixNano": "1762930801250000000", "observedTimeUnixNano": "1762930801250000001", "severityNumber": 9,
        "severityText": "INFO", "body": {"stringValue": "sync done"}, "traceId": ID, "spanId": "b7ad6b7169203331",
        "attributes": [{"key": "a", "value": {"intValue": "1"}}]}
NAN = float("nan")
# One member of a record; what the sink says, and the strict sink. As tests/interop has it of the real one.
MEMBERS = [
    ("traceId", ID.upper(), 200, 200), ("traceId", "", 200, 400), ("traceId", "0" * 32, 200, 400),
    ("traceId", None, 400, 400), ("traceId", 7, 400, 400), ("traceId", ID[:16], 400, 400), ("traceId", "zz" + ID[2:], 400, 400),
    ("spanId", ID, 400, 400), ("spanId", None, 400, 400), ("spanId", "0" * 16, 200, 400),
    ("severityNumber", 30, 200, 400), ("severityNumber", -1, 200, 400), ("severityNumber", 24, 200, 200),
    ("severityNumber", "9", 400, 400), ("severityNumber", None, 400, 400), ("severityNumber", 9.0, 400, 400),
    ("severityNumber", 1 << 31, 400, 400), ("severityText", 7, 400, 400), ("severityText", None, 200, 400),
    ("timeUnixNano", 1762930801250000001, 200, 400), ("timeUnixNano", "18446744073709551615", 200, 200),
    ("timeUnixNano", "18446744073709551616", 400, 400), ("timeUnixNano", 1 << 64, 400, 400), ("timeUnixNano", -1, 400, 400),
    ("timeUnixNano", "-1", 400, 400), ("timeUnixNano", "+5", 400, 400), ("timeUnixNano", " 5", 400, 400),
    ("timeUnixNano", 1.5, 400, 400), ("timeUnixNano", "1.5", 400, 400), ("timeUnixNano", "", 400, 400),
    ("timeUnixNano", None, 400, 400), ("timeUnixNano", "2025-11-12T07:00:01Z", 400, 400),
    ("observedTimeUnixNano", "0", 200, 400), ("observedTimeUnixNano", None, 400, 400),
    ("body", None, 200, 400), ("body", "x", 400, 400), ("body", {"stringValue": 7}, 400, 400), ("body", {"foo": 1}, 200, 200),
    ("body", {"intValue": 1.5}, 400, 400), ("body", {"intValue": 1 << 63}, 400, 400), ("body", {"intValue": 5}, 200, 400),
    ("body", {"intValue": "-9223372036854775808"}, 200, 200), ("body", {"doubleValue": "NaN"}, 200, 200),
    ("body", {"doubleValue": NAN}, 400, 400), ("body", {"boolValue": "true"}, 400, 400),
    ("body", {"bytesValue": "***"}, 400, 400), ("body", {"bytesValue": "QUI="}, 200, 200), ("body", {"arrayValue": []}, 400, 400),
    ("body", {"kvlistValue": {"values": [{"key": "a", "value": {"arrayValue": {"values": [{"boolValue": True}]}}}]}}, 200, 200),
    ("attributes", None, 200, 400), ("attributes", {}, 400, 400), ("attributes", [{"key": 7}], 400, 400),
    ("attributes", [{"key": "a"}, {"key": "a"}], 200, 400), ("attributes", [], 200, 200),
    ("flags", None, 400, 400), ("flags", -1, 400, 400), ("flags", 1, 200, 200), ("unknown", {"a": [1]}, 200, 200),
    ("trace_id", "zz", 400, 400),
]  # fmt: skip


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    with run(tmp_path_factory.mktemp("strict"), "--sink-strict", "--sink-max-bytes", "64KiB") as s:
        yield s


@pytest.mark.parametrize("row", MEMBERS, ids=lambda row: f"{row[0]}={json.dumps(row[1])[:40]}")
def test_sink_member(sim, strict, row):
    key, value, status, strict_status = row
    text = document({**GOOD, key: value})
    assert [sim.post(text)[0], strict.post(text)[0]] == [status, strict_status]


OK = document(GOOD)
TEXTS = [
    ("good", OK, 200, 200),
    ("empty object", "{}", 200, 400),
    ("no resourceLogs", '{"resourceLogs":[]}', 200, 400),
    ("no records", document(), 200, 400),
    ("nothing", "", 400, 400),
    ("no JSON", "hello", 400, 400),
    ("cut", OK[:-5], 400, 400),
    ("more behind it", OK + " x", 400, 400),
    ("bare array", "[]", 400, 400),
    ("a key twice", OK.replace('"body"', '"severityText": "b", "body"'), 200, 400),
    ("raw control character", OK.replace("sync", "sy\nnc"), 400, 400),
    ("wrong escape", OK.replace("sync", r"sy\xnc"), 400, 400),
    ("not UTF-8", OK.encode().replace(b"sync", b"sy\xffnc"), 400, 400),
    ("too long UTF-8", OK.encode().replace(b"sync", b"sy\xc0\x80nc"), 400, 400),
    ("leading zero", OK.replace(": 9", ": 09"), 400, 400),
    ("too deep", '{"x":' + "[" * 2000 + "]" * 2000 + "}", 400, 400),
    ("a bad record behind a good one", document(GOOD, {**GOOD, "traceId": "x"}), 400, 400),
]


@pytest.mark.parametrize("name, text, status, strict_status", TEXTS, ids=[t[0] for t in TEXTS])
def test_sink_text(sim, strict, name, text, status, strict_status):
    before = sim.own("/_sink/stats")[0]["records"]
    got, answer = sim.post(text)
    assert [got, strict.post(text)[0]] == [status, strict_status]
    taken = 1 if name in ("good", "a key twice") else 0
    assert sim.own("/_sink/stats")[0]["records"] - before == taken
    if status == 200:
        assert answer == b'{"partialSuccess":{}}'


REQUESTS = [
    ("charset", 200, {"Content_Type": "application/json; charset=utf-8"}),
    ("no type", 415, {"Content_Type": None}),
    ("JSON said to be protobuf", 400, {"Content_Type": "application/x-protobuf"}),
    ("protobuf", 200, {"Content_Type": "application/X-Protobuf; a=b", "body": b"\n\x11\x12\x0f\x12\rY" + bytes(7) + b"\1\x1a\2ab"}),
    ("protobuf said to be JSON", 400, {"body": b"\n\0"}),
    ("text/plain", 415, {"Content_Type": "text/plain"}),
    ("GET", 405, {"method": "GET"}),
    ("misspelt", 404, {"path": "/v1/log"}),
    ("metrics", 404, {"path": "/v1/metrics"}),
    ("gzip", 200, {"Content_Encoding": "gzip", "body": gzip.compress(OK.encode())}),
    ("gzip in two members", 200,
     {"Content_Encoding": "gzip", "body": gzip.compress(OK[:30].encode()) + gzip.compress(OK[30:].encode())}),
    ("gzip that is none", 400, {"Content_Encoding": "gzip"}),
    ("gzip cut", 400, {"Content_Encoding": "gzip", "body": gzip.compress(OK.encode())[:-6]}),
    ("deflate", 200, {"Content_Encoding": "deflate", "body": zlib.compress(OK.encode())}),
    ("zstd that is none", 400, {"Content_Encoding": "zstd"}),
    ("br", 400, {"Content_Encoding": "br"}),
    ("identity", 400, {"Content_Encoding": "identity"}),
    ("largest", 200, {"body": OK + " " * (65536 - len(OK))}),
    ("too large", 400, {"body": OK + " " * (65537 - len(OK))}),
    ("too large in gzip", 400, {"Content_Encoding": "gzip", "body": gzip.compress(OK.encode() + b" " * 65536)}),
]  # fmt: skip


@pytest.mark.parametrize("name, status, request_", REQUESTS, ids=[r[0] for r in REQUESTS])
def test_sink_request(strict, name, status, request_):
    got, answer = strict.post(**{"body": OK, **request_})
    assert got == status, answer


def test_sink_options(tmp_path):
    with run(tmp_path, "--sink-refuse", "poison", "--sink-header", "X-Key=v", "--sink-keep", "0") as s:
        assert s.post(OK)[0] == 401
        assert s.post(OK, X_Key="other")[0] == 401
        assert s.post(OK, X_Key="v")[0] == 200
        assert s.post(document(GOOD, {"body": {"stringValue": "a poisonous one"}}), X_Key="v")[0] == 400
        assert s.own("/_sink/records") == []
        stats = s.own("/_sink/stats")[0]
        assert [stats[k] for k in ("requests", "accepted", "refused", "records", "repeats")] == [4, 1, 3, 1, 0]


def test_sink_faults(tmp_path):
    rules = ["503;Retry-After=1", "201", "lost", "reset", "partial=1", 'partial="2"', "cut", "delay=200ms"]
    args = [a for i, rule in enumerate(rules) for a in ("--fault", f"sink:{i + 1}={rule}")]
    with run(tmp_path, *args) as s:
        two = document({"body": {"stringValue": "1"}}, {"body": {"stringValue": "2"}})

        def stored(call):
            before = s.own("/_sink/stats")[0]["records"]
            outcome = failure(call)
            return outcome, s.own("/_sink/stats")[0]["records"] - before

        gone = ("ConnectionResetError", "RemoteDisconnected")
        assert stored(lambda: s.post(two)) == (503, 0)
        assert stored(lambda: s.post(two)) == (201, 2)
        outcome, count = stored(lambda: s.post(two))
        assert outcome in gone and count == 2
        outcome, count = stored(lambda: s.post(two))
        assert outcome in gone and count == 0
        assert json.loads(s.post(two)[1])["partialSuccess"]["rejectedLogRecords"] == 1
        assert json.loads(s.post(two)[1])["partialSuccess"]["rejectedLogRecords"] == "2"
        assert stored(lambda: s.post(two)) == ("IncompleteRead", 2)
        assert stored(lambda: s.post(two)) == (200, 2)
        stats = s.own("/_sink/stats")[0]
        assert stats["records"] == 9 and stats["rejected"] == 3 and stats["repeats"] == 7
        assert [b["records"] for b in s.own("/_sink/batches")] == [0, 2, 2, 0, 1, 0, 2, 2]
        assert len(s.own("/_sink/records")) == 9
        s.own("/_sink/reset", "POST")
        assert s.own("/_sink/stats")[0]["records"] == 0


# ---- what is missing --------------------------------------------------------------------------------


def mended(record):
    """As otlpull sends it, in the plainest way."""
    r = dict(record)

    def is_id(key, digits):
        v = r.get(key)
        return isinstance(v, str) and len(v) == digits and not set(v.lower()) - set("0123456789abcdef") and set(v) != {"0"}

    r["observedTimeUnixNano"] = "1"
    r["severityNumber"] = 9
    if is_id("traceId", 16):
        r["traceId"] = "0" * 16 + r["traceId"]
    for key, digits in (("traceId", 32), ("spanId", 16)):
        if not is_id(key, digits):
            r.pop(key, None)
    t = r.pop("timeUnixNano", None)
    if type(t) is int and t >= 0 or isinstance(t, str) and t.isdigit() and int(t) < 1 << 64:
        r["timeUnixNano"] = str(t)
    return r


def test_check(tmp_path):
    args = ["--odd", "40", "--twins", "20", "--rate", "0", "--sink-strict", "--no-live", "--app", APP, "--app", ENVIRONMENT]
    with run(tmp_path, *args) as s:
        records = s.own("/_sim/records")
        assert len(records) == 2000 and s.check()["missing"] == 2000
        odd = [k for r in records for k, v in r.items() if k in ("traceId", "spanId", "timeUnixNano") and v is None]
        assert len(set(odd)) == 3
        status, answer = s.post(document(*map(mended, records[:900])))
        assert status == 200, answer
        s.post(document(*map(mended, records[901:])))
        result = s.check()
        assert [result[k] for k in ("expected", "delivered", "missing", "extra")] == [2000, 1999, 1, 0]
        body = json.dumps(records[900]["body"])
        assert result["missing_sample"][0] + '"' in body
        s.post(document(mended(records[900])))
        assert s.check()["missing"] == 0
        s.post(document(mended(records[900]), GOOD))
        result = s.check()
        assert [result[k] for k in ("missing", "extra", "repeated", "unknown")] == [0, 2, 1, 1]
        assert s.check(app=APP)["expected"] == 1000
        half = s.check(**{"to": s.now - HOUR})
        assert 0 < half["expected"] < 2000 and half["expected"] + half["extra"] == 2002


def test_a_changed_record_is_none_of_ours(tmp_path):
    with run(tmp_path, "--records", "10", "--no-live") as s:
        records = [mended(r) for r in s.own("/_sim/records")]
        records[0]["timeUnixNano"] = str(int(records[0]["timeUnixNano"]) + 1)
        records[1]["body"] = {"stringValue": body_of(records[1]) + " "}
        records[2]["attributes"].pop()
        records[3]["traceId"] = ID
        records[4]["severityText"] = "info"
        records[5]["severityNumber"] = 17  # not looked at
        assert s.post(document(*records))[0] == 200
        result = s.check()
        assert result["missing"] == result["unknown"] == 5
