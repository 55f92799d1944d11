"""`encoding: proto` beside JSON: the same content in the real Collector, and protoc's own decoder, with
opentelemetry-proto's definitions, reads what was meant."""

import json
import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler

import pytest

from conftest import (
    BUILD, SECONDS, api_with, dead_letters, otlpull_run, records, run_collector, serving,
)

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def value(text):
    return '"body":%s' % text


DEEP, DEEP_PROTO = '{"boolValue":true}', "bool_value: true"
for _ in range(20):
    DEEP = '{"arrayValue":{"values":[%s]}}' % DEEP
    DEEP_PROTO = "array_value { values { %s } }" % DEEP_PROTO

# A record's members, and what protoc makes of their protobuf; None: no receiver takes it.
ROWS = [
    (value('{"stringValue":"plain"}'), 'body { string_value: "plain" }'),
    (value('{"stringValue":""}'), 'body { string_value: "" }'),
    (value('{"stringValue":"\\u00e9\\ud83d\\ude00\\/\\n\\ud800"}'),
     r'body { string_value: "\303\251\360\237\230\200/\n\357\277\275" }'),
    (value('{"stringValue":"é€😀"}'), r'body { string_value: "\303\251\342\202\254\360\237\230\200" }'),
    (value('{"boolValue":true}'), "body { bool_value: true }"),
    (value('{"boolValue":false}'), "body { bool_value: false }"),
    (value('{"intValue":"9223372036854775807"}'), "body { int_value: 9223372036854775807 }"),
    (value('{"intValue":-9223372036854775808}'), "body { int_value: -9223372036854775808 }"),
    (value('{"int_value":"+5"}'), "body { int_value: 5 }"),
    (value('{"intValue":0}'), "body { int_value: 0 }"),
    (value('{"doubleValue":1.5}'), "body { double_value: 1.5 }"),
    (value('{"doubleValue":-2.5e-308}'), "body { double_value: -2.5e-308 }"),
    (value('{"doubleValue":7}'), "body { double_value: 7 }"),
    (value('{"doubleValue":"0.1"}'), "body { double_value: 0.1 }"),
    (value('{"doubleValue":"NaN"}'), "body { double_value: nan }"),
    (value('{"doubleValue":"Infinity"}'), "body { double_value: inf }"),
    (value('{"doubleValue":"-Infinity"}'), "body { double_value: -inf }"),
    (value('{"bytesValue":"+/+/AA=="}'), r'body { bytes_value: "\373\377\277\000" }'),
    (value('{"bytesValue":""}'), 'body { bytes_value: "" }'),
    (value('{"arrayValue":{"values":[{"intValue":1},{},null,{"arrayValue":{}}]}}'),
     "body { array_value { values { int_value: 1 } values { } values { } values { array_value { } } } }"),
    (value('{"kvlistValue":{"values":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b"}]}}},null]}}'),
     'body { kvlist_value { values { key: "a" value { kvlist_value { values { key: "b" } } } } values { } } }'),
    (value(DEEP), "body { %s }" % DEEP_PROTO),
    (value('{"stringValue":"a","intValue":"1"}'), "body { int_value: 1 }"),
    (value('{"stringValue":"a"},"body":{"boolValue":true}'), "body { bool_value: true }"),
    (value('{"arrayValue":{"values":[{}]}},"body":{"arrayValue":{"values":[{"intValue":1}]}}'),
     "body { array_value { values { int_value: 1 } } }"),
    (value('{"unknown":1}'), "body { }"),
    (value("null"), ""),
    ('"attributes":[{"key":"a","value":{"stringValue":"b"}},{"key":"c"},null],"attributes":[{"key":"d"}]',
     'attributes { key: "a" value { string_value: "b" } } attributes { key: "c" } attributes { } attributes { key: "d" }'),
    ('"timeUnixNano":18446744073709551615,"observed_time_unix_nano":"5"',
     "time_unix_nano: 18446744073709551615"),
    ('"severityText":"warn","droppedAttributesCount":"300","flags":4294967295',
     'severity_number: SEVERITY_NUMBER_WARN severity_text: "warn" dropped_attributes_count: 300 flags: 4294967295'),
    ('"traceId":"%s","spanId":"%s"' % (ID.upper(), SPAN),
     r'trace_id: "\n\367e\031\026\315C\335\204H\353!\034\2001\234" span_id: "\267\255kqi 31"'),
    ('"trace_id":"%s"' % ID, r'trace_id: "\n\367e\031\026\315C\335\204H\353!\034\2001\234"'),
    ('"severity_text":"a","severityText":"b"', 'severity_text: "b"'),
    ('"unknown":{"a":[1,null]}', ""),
    ('"body":"x"', None),
    (value('{"stringValue":7}'), None),
    (value('{"boolValue":"true"}'), None),
    (value('{"intValue":1.5}'), None),
    (value('{"intValue":"9223372036854775808"}'), None),
    (value('{"doubleValue":1e400}'), None),
    (value('{"bytesValue":"***"}'), None),
    (value('{"arrayValue":[]}'), None),
    ('"attributes":{}', None),
    ('"attributes":[{"key":7}]', None),
    ('"flags":"x"', None),
    ('"trace_id":"zz"', None),
]  # fmt: skip
# Where protobuf's JSON mapping has a meaning and the Collector none, or another: `encoding: proto`
# goes by the mapping. These alone are not the same as by JSON.
MAPPING = [
    (value('{"bytesValue":"-_-_AA"}'), r'body { bytes_value: "\373\377\277\000" }'),
    (value('{"stringValue":null}'), "body { }"),
    (value('{"intValue":null}'), "body { }"),
    ('"flags":null,"droppedAttributesCount":null', ""),
]


def texts_of(rows):
    """A record for each; its eventName, last, tells them apart."""
    return ['{%s,"eventName":"row-%02d"}' % (text, i) for i, (text, _) in enumerate(rows)]


def name_of(record):
    return record["eventName"]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_the_same_as_by_json(tmp_path, monkeypatch, compression):
    written, refused = [], []
    with run_collector(tmp_path) as collector:
        for protocol in "http/json", "http/protobuf":
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            folder = tmp_path / protocol.replace("/", "-")
            folder.mkdir()
            with api_with(*texts_of(ROWS)) as api:
                otlpull_run(folder, api=api, collector=collector.endpoint, compression=compression)
            logs = collector.written()
            for r in records(logs):
                r.pop("observedTimeUnixNano")
            around = [{**r, "scopeLogs": [{**s, "logRecords": 0} for s in r["scopeLogs"]]} for r in logs]
            unlike = {json.dumps(r, sort_keys=True) for r in around}
            written.append((unlike, sorted(records(logs), key=name_of)))
            refused.append(sorted(name_of(x["record"]) for x in dead_letters(folder)))
            assert {x["status"] for x in dead_letters(folder)} == {400}
    assert written[0] == written[1]
    assert len(written[1][0]) == 1 and len(written[1][1]) == sum(want is not None for _, want in ROWS)
    assert refused[0] == refused[1] == ["row-%02d" % i for i, (_, want) in enumerate(ROWS) if want is None]


def decoded(body):
    """The text that protoc makes of a request: each record in one line, by its eventName."""
    descriptors = BUILD / "interop/opentelemetry-proto.binpb"
    name = "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest"
    command = ["protoc", f"--descriptor_set_in={descriptors}", f"--decode={name}"]
    command += ["opentelemetry/proto/collector/logs/v1/logs_service.proto"]
    done = subprocess.run(command, input=body, capture_output=True, timeout=SECONDS, check=True)
    assert done.stderr == b""
    blocks = re.findall(r"^ {4}log_records \{\n(.*?)^ {4}\}$", done.stdout.decode(), re.S | re.M)
    for block in blocks:
        text = " ".join(block.split())
        text, name = re.fullmatch(r'(.*?) ?event_name: "(row-\d\d)"', text).groups()
        yield name, re.sub(r" ?observed_time_unix_nano: \d+", "", text, count=1)


def test_protoc_reads_it(tmp_path, monkeypatch):
    assert shutil.which("protoc"), "install protobuf-compiler"
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.headers["Content-Type"] == "application/x-protobuf"
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    rows = ROWS + MAPPING
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    with serving(Handler) as collector, api_with(*texts_of(rows)) as api:
        otlpull_run(tmp_path, api=api, collector=collector)
    got = dict(pair for body in bodies for pair in decoded(body))
    assert got == {"row-%02d" % i: want for i, (_, want) in enumerate(rows) if want is not None}
    kept = [name_of(x["record"]) for x in dead_letters(tmp_path)]
    assert kept == ["row-%02d" % i for i, (_, want) in enumerate(rows) if want is None]
