"""What the Collector answers to odd requests, and what it then writes.

otlpull's rules rest on these rows: what normalize mends, what a verdict makes of a status, how
large a batch may be. A release of the Collector that changes its mind shows here as a failing row;
then look at the rule before the row."""

import gzip
import zlib

import pytest

from conftest import PACK, document, records, run_collector, wait_for, zstd

ID = "0af7651916cd43dd8448eb211c80319c"
OK = document(b'{"severityText":"a"}')
WRITTEN = {"severityText": "a"}
LIMIT = 20 << 20  # the longest body that the Collector takes
A = {"key": "a", "value": {}}


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    with run_collector(tmp_path_factory.mktemp("collector")) as c:
        yield c


def check(collector, status, written, body, **request):
    got, answer = collector.request(body, **request)
    assert got == status, answer
    if status == 200:
        assert answer == b'{"partialSuccess":{}}'
    want = [{"body": {}, **r} for r in written]  # an absent body is written as an empty one
    assert records(collector.written()) == want


# One record's members: the status, and what is written. A refusal takes in the whole request.
MEMBERS = [
    # Ids: 0 or 32 (16) hex digits, nothing else. All zero counts as absent.
    ('"traceId":"%s"' % ID, 200, {"traceId": ID}),
    ('"traceId":"%s"' % ID.upper(), 200, {"traceId": ID}),
    ('"traceId":""', 200, {}),
    ('"traceId":"%s"' % ("0" * 32), 200, {}),
    ('"traceId":null', 400),
    ('"traceId":7', 400),
    ('"traceId":"b7ad6b7169203331"', 400),
    ('"traceId":"%s"' % ID[1:], 400),
    ('"traceId":"%s00"' % ID, 400),
    ('"traceId":"0af76519-16cd-43dd-8448-eb211c80319c"', 400),
    ('"traceId":"zz%s"' % ID[2:], 400),
    ('"traceId":"CvdlGRbNQ92ESOshHIAxnA=="', 400),
    ('"spanId":"b7ad6b7169203331"', 200, {"spanId": "b7ad6b7169203331"}),
    ('"spanId":"B7AD6B7169203331"', 200, {"spanId": "b7ad6b7169203331"}),
    ('"spanId":""', 200, {}),
    ('"spanId":"0000000000000000"', 200, {}),
    ('"spanId":null', 400),
    ('"spanId":7', 400),
    ('"spanId":"%s"' % ID, 400),
    ('"spanId":"b7ad6b716920333"', 400),
    ('"spanId":"zzad6b7169203331"', 400),
    # Severity: any int32, or an enum's name; no text, no null.
    ('"severityNumber":9', 200, {"severityNumber": 9}),
    ('"severityNumber":30', 200, {"severityNumber": 30}),
    ('"severityNumber":0', 200, {}),
    ('"severityNumber":-1', 200, {"severityNumber": -1}),
    ('"severityNumber":"SEVERITY_NUMBER_INFO"', 200, {"severityNumber": 9}),
    ('"severityNumber":"INFO"', 400),
    ('"severityNumber":"9"', 400),
    ('"severityNumber":""', 400),
    ('"severityNumber":null', 400),
    ('"severityNumber":true', 400),
    ('"severityNumber":9.0', 400),
    ('"severityNumber":1e1', 400),
    ('"severityNumber":2147483648', 400),
    ('"severityText":null', 200, {}),
    ('"severityText":""', 200, {}),
    ('"severityText":7', 400),
    ('"severityText":{}', 400),
    # Times: 0 to 2^64-1, as number or text, digits alone. A negative number is even a 500.
    ('"timeUnixNano":"1762930801250000000"', 200, {"timeUnixNano": "1762930801250000000"}),
    ('"timeUnixNano":1762930801250000001', 200, {"timeUnixNano": "1762930801250000001"}),
    ('"timeUnixNano":"18446744073709551615"', 200, {"timeUnixNano": "18446744073709551615"}),
    ('"timeUnixNano":18446744073709551615', 200, {"timeUnixNano": "18446744073709551615"}),
    ('"timeUnixNano":"005"', 200, {"timeUnixNano": "5"}),
    ('"timeUnixNano":0', 200, {}),
    ('"timeUnixNano":"18446744073709551616"', 400),
    ('"timeUnixNano":18446744073709551616', 400),
    ('"timeUnixNano":-1', 500),
    ('"timeUnixNano":"-1"', 400),
    ('"timeUnixNano":"+5"', 400),
    ('"timeUnixNano":" 5"', 400),
    ('"timeUnixNano":1.5', 400),
    ('"timeUnixNano":"1.5"', 400),
    ('"timeUnixNano":1.76293080125e18', 400),
    ('"timeUnixNano":"2025-11-12T07:00:01Z"', 400),
    ('"timeUnixNano":""', 400),
    ('"timeUnixNano":null', 400),
    ('"timeUnixNano":true', 400),
    ('"observedTimeUnixNano":"5"', 200, {"observedTimeUnixNano": "5"}),
    ('"observedTimeUnixNano":-1', 500),
    ('"observedTimeUnixNano":""', 400),
    ('"observedTimeUnixNano":null', 400),
    # Bodies and attributes: an AnyValue is an object or null.
    ('"body":null', 200, {}),
    ('"body":{"foo":1}', 200, {}),
    ('"body":{"stringValue":null}', 200, {"body": {"stringValue": ""}}),
    ('"body":{"stringValue":"a","intValue":"1"}', 200, {"body": {"intValue": "1"}}),
    ('"body":{"intValue":1}', 200, {"body": {"intValue": "1"}}),
    ('"body":{"doubleValue":"NaN"}', 200, {"body": {"doubleValue": "NaN"}}),
    ('"body":"x"', 400),
    ('"body":7', 400),
    ('"body":["x"]', 400),
    ('"body":{"stringValue":7}', 400),
    ('"body":{"boolValue":"true"}', 400),
    ('"body":{"intValue":1.5}', 400),
    ('"body":{"intValue":9223372036854775808}', 400),
    ('"body":{"doubleValue":1e400}', 400),
    ('"body":{"bytesValue":"***"}', 400),
    ('"body":{"arrayValue":[]}', 400),
    ('"attributes":null', 200, {}),
    ('"attributes":[null]', 200, {"attributes": [{"value": {}}]}),
    ('"attributes":[{"key":"a"}]', 200, {"attributes": [A]}),
    ('"attributes":[{"key":"a"},{"key":"a"}]', 200, {"attributes": 2 * [A]}),
    ('"attributes":{}', 400),
    ('"attributes":[{"key":7}]', 400),
    ('"attributes":[{"key":"a","value":"x"}]', 400),
    # The members that otlpull lets pass as they come.
    ('"flags":"1"', 200, {"flags": 1}),
    ('"flags":null', 400),
    ('"flags":-1', 500),
    ('"droppedAttributesCount":null', 400),
    ('"eventName":null', 200, {}),
    ('"foo":{"bar":[1,null]},"severityText":"a"', 200, WRITTEN),
    # Twice the same: each is checked, the last one counts; attributes add up.
    ('"severityText":"b","severityText":"a"', 200, WRITTEN),
    ('"body":{"stringValue":"a"},"body":{"stringValue":"b"}', 200, {"body": {"stringValue": "b"}}),
    ('"traceId":"zz","traceId":"%s"' % ID, 400),
    ('"traceId":"%s","traceId":""' % ID, 200, {}),
    ('"attributes":[{"key":"a"}],"attributes":[{"key":"a"}]', 200, {"attributes": [A, A]}),
    # Names: protobuf's own are taken too; case counts; escapes are read.
    ('"severity_text":"a"', 200, WRITTEN),
    ('"trace_id":"zz"', 400),
    ('"traceID":"zz","SeverityText":"a"', 200, {}),
    (r'"severity\u0054ext":"a"', 200, WRITTEN),
]


@pytest.mark.parametrize("row", MEMBERS, ids=lambda row: row[0])
def test_members(collector, row):
    text, status, *written = row
    check(collector, status, written, document(b"{%s}" % text.encode()))


# The bytes of a string. What is not UTF-8 goes through, and what is then written is no JSON.
STRINGS = [
    ("é€😀".encode(), 200, "é€😀"),
    (rb"\ud83d\ude00\u0000\/", 200, "😀\0/"),
    (rb"\ud800", 200, "\ufffd"),
    (b"a\xffb", 200, "a\udcffb"),
    (b"\xc0\x80", 200, "\udcc0\udc80"),
    (b"\xed\xa0\x80", 200, "\udced\udca0\udc80"),
    (b"a\nb", 400),
    (b"a\0b", 400),
    (rb"\x41", 400),
]


@pytest.mark.parametrize("row", STRINGS, ids=lambda row: ascii(row[0]))
def test_strings(collector, row):
    text, status, *written = row
    body = document(b'{"severityText":"%s"}' % text)
    check(collector, status, [{"severityText": w} for w in written], body)


def deep(levels):
    return b"[" * levels + b"]" * levels


DOCUMENTS = [
    ("nothing", b"", 400, []),
    ("empty object", b"{}", 200, []),
    ("null", b"null", 200, []),
    ("no resourceLogs", b'{"resourceLogs":[]}', 200, []),
    ("null resourceLogs", b'{"resourceLogs":null}', 200, []),
    ("no records", document(), 200, []),
    ("a null record", document(b"null"), 200, [{}]),
    ("a text as record", document(b'"x"'), 400, []),
    ("unknown members", b'{"foo":1,' + OK[1:], 200, [WRITTEN]),
    ("a bare array", b'[{"severityText":"a"}]', 400, []),
    ("no JSON", b"hello", 400, []),
    ("cut", OK[:-5], 400, []),
    ("more behind it", OK + b" x", 200, [WRITTEN]),
    ("two documents", OK + OK, 200, [WRITTEN]),
    ("byte order mark", b"\xef\xbb\xbf" + OK, 500, []),
    ("a bad record after a good one", document(b'{"severityText":"a"}', b'{"body":1}'), 400, []),
    ("unknown value 10000 deep", document(b'{"x":%s}' % deep(10_000)), 200, [{}]),
    ("unknown value 10001 deep", document(b'{"x":%s}' % deep(10_001)), 400, []),
]


@pytest.mark.parametrize("name, body, status, written", DOCUMENTS, ids=[d[0] for d in DOCUMENTS])
def test_documents(collector, name, body, status, written):
    check(collector, status, written, body)


@pytest.mark.parametrize("levels", [100, 1000])
def test_body_deep(collector, levels):
    """Any depth of a body is taken: nothing but otlpull's own limit protects who reads it next."""
    value = {"stringValue": "x"}
    text = b'{"stringValue":"x"}'
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}}
        text = b'{"arrayValue":{"values":[%s]}}' % text
    check(collector, 200, [{"body": value}], document(b'{"body":%s}' % text))


# A good document in an odd request. `encoded`: its Content-Encoding and its bytes.
def encoded(name, body=OK):
    return {"Content_Encoding": name, "body": body}


GZIP, ZSTD = gzip.compress(OK), zstd(OK)
REQUESTS = [
    ("charset", 200, {"Content_Type": "application/json; charset=utf-8"}),
    ("another charset", 200, {"Content_Type": "application/json; charset=iso-8859-1"}),
    ("type in capitals", 200, {"Content_Type": "Application/JSON"}),
    ("no type", 415, {"Content_Type": None}),
    ("text/plain", 415, {"Content_Type": "text/plain"}),
    ("text/json", 415, {"Content_Type": "text/json"}),
    ("x-ndjson", 415, {"Content_Type": "application/x-ndjson"}),
    ("JSON said to be protobuf", 400, {"Content_Type": "application/x-protobuf"}),
    ("GET", 405, {"method": "GET", "body": b""}),
    ("HEAD", 405, {"method": "HEAD", "body": b""}),
    ("PUT", 405, {"method": "PUT"}),
    ("root", 404, {"path": "/"}),
    ("misspelt path", 404, {"path": "/v1/log"}),
    ("slash behind the path", 404, {"path": "/v1/logs/"}),
    ("two slashes before the path", 307, {"path": "//v1/logs"}),
    ("another signal, which no pipeline takes", 404, {"path": "/v1/metrics"}),
    ("query", 200, {"path": "/v1/logs?x=1"}),
    ("gzip", 200, encoded("gzip", GZIP)),
    ("gzip in two members", 200, encoded("gzip", gzip.compress(OK[:9]) + gzip.compress(OK[9:]))),
    ("gzip that is none", 400, encoded("gzip")),
    ("gzip cut", 400, encoded("gzip", GZIP[:-6])),
    ("gzip with a wrong checksum", 400, encoded("gzip", GZIP[:-8] + bytes(4) + GZIP[-4:])),
    ("gzip of nothing", 400, encoded("gzip", b"")),
    ("gzip in capitals", 400, encoded("GZIP", GZIP)),
    ("gzip twice", 400, encoded("gzip, gzip", gzip.compress(GZIP))),
    ("zstd", 200, encoded("zstd", ZSTD)),
    ("zstd in two frames", 200, encoded("zstd", zstd(OK[:9]) + zstd(OK[9:]))),
    ("zstd that is none", 400, encoded("zstd")),
    ("zstd cut", 400, encoded("zstd", ZSTD[:-4])),
    ("deflate", 200, encoded("deflate", zlib.compress(OK))),
    ("br", 400, encoded("br")),
    ("identity", 400, encoded("identity")),
    ("empty encoding", 200, encoded("")),
]


@pytest.mark.parametrize("name, status, request_", REQUESTS, ids=[r[0] for r in REQUESTS])
def test_requests(collector, name, status, request_):
    check(collector, status, [WRITTEN] if status == 200 else [], **{"body": OK, **request_})


@pytest.mark.parametrize("size, status", [(LIMIT, 200), (LIMIT + 1, 400)])
@pytest.mark.parametrize("encoding", PACK)
def test_size(collector, encoding, size, status):
    """The limit counts what is decompressed, however short it came."""
    text = "a" * (size - len(OK) + 1)
    body = OK.replace(b'"a"', b'"%s"' % text.encode())
    assert len(body) == size
    written = [{"severityText": text}] if status == 200 else []
    check(collector, status, written, PACK[encoding](body), Content_Encoding=encoding)


# What the Collector says when the request is fine and it cannot take it now.
LATER = [
    ("memory limit reached", ["processors.memory_limiter.limit_mib=1"]),
    ("exporter fails", ["exporters.file.path=/dev/full", "service.pipelines.logs.processors=[]"]),
]


@pytest.mark.parametrize("name, settings", LATER, ids=[r[0] for r in LATER])
def test_later(tmp_path, name, settings):
    with run_collector(tmp_path, *settings) as c:

        def refusal():
            status, headers, _ = c.answer(OK)
            return status != 200 and (status, headers["Retry-After"])

        assert wait_for("refusal", refusal) == (503, None)


def test_size_lowered(tmp_path):
    """A body over a limit that was configured is no 413 either."""
    with run_collector(tmp_path, "receivers.otlp.protocols.http.max_request_body_size=65536") as c:
        body = OK.replace(b'"a"', b'"%s"' % (b"a" * (65536 - len(OK) + 1)))
        assert len(body) == 65536 and c.request(body)[0] == 200
        too_large = b'{"code":3, "message":"http: request body too large"}'
        assert c.request(body + b" ") == (400, too_large)
