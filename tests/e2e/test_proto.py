"""`encoding: proto`: the same records, over the wire as protobuf."""

import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest
from conftest import SECONDS
from simulator import date
from stub import stub

ID = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def plain(line):
    """What arrived, in one way of writing it: without the time of receipt, and what is empty."""
    record = {k: v for k, v in line["record"].items() if v != [] and k != "observedTimeUnixNano"}
    for name in "traceId", "spanId":
        if name in record:
            record[name] = record[name].lower()
    if "timeUnixNano" in record:
        record["timeUnixNano"] = str(record["timeUnixNano"])
    resource, scope = ({k: v for k, v in line[name].items() if v != []} for name in ("resource", "scope"))
    return json.dumps([resource, scope, record], sort_keys=True)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_the_same_as_by_json(start_sim, make_pull, compression):
    past = date(time.time_ns() - 120 * 10**9)
    arrived, size = [], []
    for encoding in "json", "proto":
        sim = start_sim("--now", past, "--records", 600, "--odd", 40, "--seed", 5)
        pull = make_pull(sim)
        pull.exporter.update(encoding=encoding, compression=compression, max_batch_records=250)
        first = pull.run()
        assert sim.whole() == 600 and first.summary["rejected"] == "0"
        assert pull.run().summary["exported"] == "0"
        batches = sim.batches()
        assert {(b["proto"], b["encoding"], b["status"]) for b in batches} == {
            (encoding == "proto", compression.replace("none", ""), 200)}
        assert first.summary["bytes"] == str(sum(b["bytes"] for b in batches))
        arrived.append(sorted(map(plain, sim.lines())))
        size.append(sum(b["read_bytes"] for b in batches))
    assert arrived[0] == arrived[1] and size[1] < size[0]


def test_strict_sink(setup):
    sim, pull = setup("--records", 900, "--odd", 60, "--twins", 10, "--sink-strict")
    pull.exporter["encoding"] = "proto"
    pull.run()
    assert sim.whole() == 900


def test_poison(setup):
    """Found by halves as with JSON; what the collector said is read from its protobuf."""
    sim, pull = setup("--records", 500, "--sink-refuse", "#77")
    pull.exporter.update(encoding="proto", compression="gzip")
    result = pull.run()
    assert "refuses 1 record even alone (400)" in result.err
    [letter] = pull.dead_letters()
    assert letter["status"] == 400 and letter["answer"] == "a record that is to be refused"
    assert "#77" in letter["record"]["body"]["stringValue"]
    check = sim.check()
    assert (check["missing"], check["extra"]) == (1, 0), check
    assert sim.received()["records"] == 499


@pytest.mark.parametrize("count", ["7", '"7"'])
def test_partial_success(setup, count):
    sim, pull = setup("--records", 100, "--fault", f"sink:1=partial={count}")
    pull.exporter["encoding"] = "proto"
    result = pull.run()
    assert (result.summary["exported"], result.summary["rejected"]) == ("93", "7")


def test_faults(setup):
    sim, pull = setup("--records", 300, "--fault", "sink:1=503", "--fault", "sink:2=lost", "--fault", "sink:3=cut")
    pull.exporter.update(encoding="proto", max_batch_records=100)
    pull.run()
    check = sim.check()
    assert check["missing"] == 0 and sim.received()["records"] >= 300


# ---- records of our own ---------------------------------------------------------------------------


@contextmanager
def records_from(pull, *texts):
    """The platform has these records, and no others."""
    with stub() as api:
        body = '{"appLogs":[%s]}' % ",".join(texts)
        api.answers["/"] = (200, {"Content-Type": "application/json"}, body.encode())
        pull.source.update(endpoint=api.url, lookback="30m", overlap="0s")
        yield


def any_value(text):
    return f'"body":{text}'


# A record's members, and what arrives of them; None: it cannot be sent. Of the body its value alone.
ODD = [
    (any_value('{"stringValue":"é€😀 \\ud83d\\ude00\\u0000\\/\\ud800"}'), {"stringValue": "é€😀 😀\0/\ufffd"}),
    (any_value('{"boolValue":true}'), {"boolValue": True}),
    (any_value('{"boolValue":false}'), {"boolValue": False}),
    (any_value('{"intValue":"-9223372036854775808"}'), {"intValue": "-9223372036854775808"}),
    (any_value('{"intValue":9223372036854775807}'), {"intValue": "9223372036854775807"}),
    (any_value('{"int_value":0}'), {"intValue": "0"}),
    (any_value('{"doubleValue":-1.5e-300}'), {"doubleValue": -1.5e-300}),
    (any_value('{"doubleValue":"0.1"}'), {"doubleValue": 0.1}),
    (any_value('{"doubleValue":"NaN"}'), {"doubleValue": "NaN"}),
    (any_value('{"doubleValue":"-Infinity"}'), {"doubleValue": "-Infinity"}),
    (any_value('{"bytesValue":"+/+\\/AA=="}'), {"bytesValue": "+/+/AA=="}),
    (any_value('{"bytesValue":"-_-_AA"}'), {"bytesValue": "+/+/AA=="}),
    (any_value('{"bytesValue":""}'), {"bytesValue": ""}),
    (any_value('{"arrayValue":{}}'), {"arrayValue": {}}),
    (any_value('{"arrayValue":{"values":[{"stringValue":""},{},null,{"arrayValue":{"values":[{"intValue":1}]}}]}}'),
     {"arrayValue": {"values": [{"stringValue": ""}, {}, {}, {"arrayValue": {"values": [{"intValue": "1"}]}}]}}),
    (any_value('{"kvlistValue":{"values":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b"}]}}}]}}'),
     {"kvlistValue": {"values": [{"key": "a", "value": {"kvlistValue": {"values": [{"key": "b"}]}}}]}}),
    (any_value('{"stringValue":"a","intValue":1}'), {"intValue": "1"}),
    (any_value('{"arrayValue":{"values":[{}]},"arrayValue":{"values":[{"boolValue":true}]}}'),
     {"arrayValue": {"values": [{"boolValue": True}]}}),
    (any_value('{"stringValue":"a"},"body":{"boolValue":true}'), {"boolValue": True}),
    (any_value('{"unknown":[1,{"a":null}]}'), {}),
    (any_value('{"stringValue":null}'), {}),
    (any_value("{}"), {}),
    (any_value("null"), None),
]  # fmt: skip
WHOLE = [
    ('"traceId":"%s","spanId":"%s","flags":"4294967295","droppedAttributesCount":300' % (ID.upper(), SPAN),
     {"traceId": ID, "spanId": SPAN, "flags": 4294967295, "droppedAttributesCount": 300}),
    ('"timeUnixNano":18446744073709551615,"severityText":"warn"',
     {"timeUnixNano": "18446744073709551615", "severityText": "warn", "severityNumber": 13}),
    ('"severity_text":"x","dropped_attributes_count":"7"', {"severityText": "x", "droppedAttributesCount": 7}),
    ('"attributes":[{"key":"a"},null,{"key":"a","value":{"intValue":"1"}}],"attributes":[{"key":"b"}]',
     {"attributes": [{"key": "a"}, {}, {"key": "a", "value": {"intValue": "1"}}, {"key": "b"}]}),
    ('"flags":null,"attributes":null,"unknown":{"a":[1,null]}', {}),
    ('"droppedAttributesCount":0', {"droppedAttributesCount": 0}),
]  # fmt: skip
UNFIT = [
    ('"body":"x"', "body: not an object"),
    ('"body":[]', "body: not an object"),
    (any_value('{"stringValue":7}'), "stringValue: not a string"),
    (any_value('{"boolValue":"true"}'), "boolValue: not true or false"),
    (any_value('{"intValue":1.5}'), "intValue: not a 64-bit integer"),
    (any_value('{"intValue":9223372036854775808}'), "intValue: not a 64-bit integer"),
    (any_value('{"doubleValue":1e400}'), "doubleValue: a number out of range"),
    (any_value('{"doubleValue":true}'), "doubleValue: not a number"),
    (any_value('{"bytesValue":"***"}'), "bytesValue: not base64"),
    (any_value('{"arrayValue":[]}'), "arrayValue: not an object"),
    ('"attributes":{}', "attributes: not an array"),
    ('"attributes":[{"key":7}]', "key: not a string"),
    ('"flags":-1', "flags: not an unsigned 32-bit integer"),
    ('"droppedAttributesCount":4294967296', "droppedAttributesCount: not an unsigned 32-bit integer"),
]


def test_odd_records(setup):
    """Each value arrives as it is meant. What protobuf cannot hold is set aside, and holds up nothing."""
    sim, pull = setup("--records", 0)
    pull.exporter["encoding"] = "proto"
    good = [(text, {} if body is None else {"body": body}) for text, body in ODD] + WHOLE
    rows = [(text, want) for pair in zip(UNFIT, good) for text, want in pair] + good[len(UNFIT):]
    names = [f"row-{i:02}" for i in range(len(rows))]
    texts = ['{%s,"eventName":"%s"}' % (text, name) for name, (text, _) in zip(names, rows)]
    with records_from(pull, *texts):
        result = pull.run()
    got = {}
    for line in sim.lines():
        del line["record"]["observedTimeUnixNano"]
        got[line["record"].pop("eventName")] = line["record"]
    assert got == {name: want for name, (_, want) in zip(names, rows) if isinstance(want, dict)}
    letters = [(x["record"]["eventName"], x["status"], x["answer"]) for x in pull.dead_letters()]
    assert letters == [(name, 400, f"not OTLP: {want}") for name, (_, want) in zip(names, rows) if isinstance(want, str)]
    assert f"refuses {len(UNFIT)} records even alone (400)" in result.err
    assert sim.received()["refused"] == 0 and result.summary["exported"] == str(len(got))


def test_many_that_cannot_be_sent(setup):
    """However many come first: it is not the collector's fault, which hears of none of them."""
    sim, pull = setup("--records", 0)
    pull.exporter["encoding"] = "proto"
    with records_from(pull, *('{"body":"%d"}' % i for i in range(40)), "{}"):
        assert pull.run().summary["exported"] == "1"
        assert pull.run().summary["exported"] == "0"
    assert [x["record"]["body"] for x in pull.dead_letters()] == [str(i) for i in range(40)]
    assert sim.received()["requests"] == 1


def test_as_they_came(setup):
    """normalize: false leaves ids and times to us: right ones arrive, wrong ones are set aside."""
    sim, pull = setup("--records", 0)
    pull.exporter["encoding"], pull.source["normalize"] = "proto", False
    names = {"SEVERITY_NUMBER_INFO": 9, "SEVERITY_NUMBER_FATAL4": 24, "SEVERITY_NUMBER_UNSPECIFIED": 0}
    good = ['{"traceId":"%s"}' % ID, '{"traceId":""}', '{"severityNumber":-1}', '{"timeUnixNano":null}']
    good += ['{"severityNumber":"%s"}' % name for name in names]
    bad = {'{"traceId":"zz"}': "traceId: not 32 hex digits", '{"spanId":"b7ad6b716920333z"}': "spanId: not hex digits",
           '{"spanId":12}': "spanId: not 16 hex digits", '{"timeUnixNano":"-1"}': "timeUnixNano: not an unsigned 64-bit integer",
           '{"severityNumber":"INFO"}': "severityNumber: not a number, nor the name of one"}  # fmt: skip
    with records_from(pull, *good, *bad):
        pull.run()
    got = [line["record"] for line in sim.lines()]
    assert got[:4] == [{"traceId": ID}, {"traceId": ""}, {"severityNumber": -1}, {}]
    assert got[4:] == [{"severityNumber": n} for n in names.values()]
    assert [x["answer"] for x in pull.dead_letters()] == [f"not OTLP: {words}" for words in bad.values()]


def test_as_deep_as_a_page_may_be(setup):
    """The envelope around a record takes nothing of the depth that a page allows."""
    levels = 20  # of three brackets each; with those of the page 64 in all
    value, want = '{"boolValue":true}', {"boolValue": True}
    for _ in range(levels):
        value, want = '{"arrayValue":{"values":[%s]}}' % value, {"arrayValue": {"values": [want]}}
    sim, pull = setup("--records", 0)
    pull.exporter["encoding"] = "proto"
    with records_from(pull, '{"body":%s}' % value):
        pull.run()
    assert [line["record"]["body"] for line in sim.lines()] == [want]


# ---- the wire -----------------------------------------------------------------------------------------

RAW = """1 {
  1 {
    1 {
      1: "service.name"
      2 {
        1: "shop"
      }
    }
  }
  2 {
    1 {
      1: "me"
      2: "1"
    }
    2 {
      1: 0x0000000000000005
      2: 9
      3: "info"
      5 {
        6 {
          1 {
            1: "k"
            2 {
              5 {
                1 {
                  3: 18446744073709551615
                }
                1 {
                  4: 0x3ff8000000000000
                }
                1 {
                  7: "\\377\\376"
                }
                1 {
                  2: 1
                }
              }
            }
          }
        }
      }
      7: 300
      8: 0x00000001
      9: "\\n\\367e\\031\\026\\315C\\335\\204H\\353!\\034\\2001\\234"
      10: "\\267\\255kqi 31"
      11: 0x0000000000000007
      12: "~event"
    }
  }
}
"""


def test_wire(setup):
    """The bytes themselves, as protoc reads them without a schema."""
    assert shutil.which("protoc"), "install protobuf-compiler"
    sim, pull = setup("--records", 0)
    value = '{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[%s]}}}]}}'
    value %= '{"intValue":"-1"},{"doubleValue":1.5},{"bytesValue":"//4="},{"boolValue":true}'
    text = ('{"timeUnixNano":"5","severityNumber":9,"severityText":"info","body":%s,"droppedAttributesCount":300,"flags":1,'
            '"traceId":"%s","spanId":"%s","observedTimeUnixNano":"7","eventName":"~event"}') % (value, ID, SPAN)  # fmt: skip
    pull.exporter.update(encoding="proto", endpoint=None)
    pull.source.update(resource={"service.name": "shop"}, scope={"name": "me", "version": "1"})
    with stub() as collector, records_from(pull, text):
        collector.answers["/"] = (200, {}, b"")
        pull.exporter["endpoint"] = collector.url
        pull.run()
    [(path, headers)], [body] = collector.requests, collector.bodies
    assert path == "/v1/logs" and headers["Content-Type"] == "application/x-protobuf"
    done = subprocess.run(["protoc", "--decode_raw"], input=body, capture_output=True, timeout=SECONDS, check=True)
    # Other tests look at the attributes of the resource that the platform's type adds.
    own = re.compile(r'^ {4}1 \{\n {6}1: "(?!service\.name)[a-z]+\.[a-z.]+"\n.*?^ {4}\}\n', re.S | re.M)
    text, count = own.subn("", done.stdout.decode())
    assert count > 0
    assert text.splitlines() == RAW.splitlines()


def test_by_variable(setup):
    for variable in "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL":
        sim, pull = setup("--records", 20)
        pull.run(env={variable: "http/protobuf"})
        assert sim.whole() == 20 and {b["proto"] for b in sim.batches()} == {True}


def test_the_file_wins(setup):
    sim, pull = setup("--records", 20)
    pull.exporter["encoding"] = "json"
    pull.run(env={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})
    assert sim.whole() == 20 and {b["proto"] for b in sim.batches()} == {False}


def test_nothing_that_can_be_sent(setup):
    sim, pull = setup("--records", 0)
    pull.exporter["encoding"] = "proto"
    with records_from(pull, *('{"body":"%d"}' % i for i in range(40))):
        pull.run()
        assert pull.run().summary["exported"] == "0"
    assert len(pull.dead_letters()) == 40 and sim.received()["requests"] == 0
