"""What the collector's answers make of a run: delivered, later, this record, credentials, wrong endpoint."""

import math
import time

import pytest
from conftest import SLOW
from simulator import MINUTE, date
from stub import stub

BATCH = 25


def start(setup, *args):
    sim, pull = setup("--hours", 1, "--records", 200, "--page-size", 50, *args)
    pull.exporter["max_batch_records"] = BATCH
    return sim, pull


PASSING = ["503", "429", "502", "504", "reset", "400", "delay=200ms", "503;Retry-After=1", "429;Retry-After=1"]


@pytest.mark.parametrize("action", PASSING)
def test_passing(setup, action):
    """The same body again, after what it asks for; no record is refused."""
    sim, pull = start(setup)
    pull.exporter["retry_on_failure"] = {**pull.exporter["retry_on_failure"], "max_elapsed_time": "20s"}
    sim.fault(f"sink:2={action}", f"sink:5={action}")
    result = pull.run()
    assert sim.whole() == 200
    assert result.summary["rejected"] == "0" and pull.dead_letters() == []
    assert result.summary["retries"] == ("0" if action.startswith("delay") else "2")
    if "Retry-After" in action:
        times = [batch["unix_ns"] for batch in sim.batches()]
        assert times[2] - times[1] >= 10**9


def test_passing_hang(setup):
    sim, pull = start(setup)
    pull.exporter["timeout"] = f"{500 * SLOW}ms"
    sim.fault("sink:3=hang")
    pull.run()
    assert sim.whole() == 200


@pytest.mark.parametrize("action", ["200", "201", "202", "204", "200;body={}", "200;body=not json", "200;body=[[[[",
                                    "badjson", "garbage"])
def test_accepted(setup, action):
    """Any 2xx, whatever its body: it is delivered, and not sent again."""
    sim, pull = start(setup)
    sim.fault(f"sink:*={action}")
    pull.run()
    assert sim.whole() == 200 and sim.received()["requests"] == 200 // BATCH


def test_accepted_with_an_endless_body(setup):
    sim, pull = start(setup)
    sim.fault("sink:*=huge=32MiB")
    pull.run()
    assert sim.whole() == 200 and sim.received()["requests"] == 200 // BATCH


def test_accepted_but_the_answer_is_cut(setup):
    """Its status said so."""
    sim, pull = start(setup)
    sim.fault("sink:*=cut")
    pull.run()
    assert sim.whole() == 200 and sim.received()["requests"] == 200 // BATCH


def test_accepted_but_the_answer_is_lost(setup):
    """It cannot be known: nothing is lost, and no more than that batch comes twice."""
    sim, pull = start(setup)
    sim.fault("sink:2=lost")
    pull.run()
    check = sim.check()
    assert check["missing"] == 0 and check["extra"] <= BATCH, check


@pytest.mark.parametrize("number", ["3", '"3"'])
def test_partial_success(setup, number):
    """Rejected by name: reported, and never sent again."""
    sim, pull = start(setup)
    sim.fault(f"sink:2=partial={number}")
    result = pull.run()
    assert result.summary["rejected"] == "3" and result.summary["exported"] == "197"
    assert sim.check()["missing"] == 3 and sim.received()["requests"] == 200 // BATCH
    pull.run()
    assert sim.check()["missing"] == 3


@pytest.mark.parametrize("status", [413, 400, 500, 422])
def test_a_batch_too_many(setup, status):
    """Refused as a whole, accepted in halves."""
    sim, pull = start(setup)
    sim.fault(f"sink:2-3={status}")
    pull.run()
    assert sim.whole() == 200 and pull.dead_letters() == []


def test_larger_than_the_collector_takes(setup):
    """Halved until it fits."""
    sim, pull = start(setup, "--sink-max-bytes", "8KiB")
    pull.run()
    assert sim.whole() == 200


def test_larger_than_the_collector_s_queue(setup):
    """A 503 that no time heals is tried in halves, too."""
    sim, pull = start(setup)
    sim.fault("sink:2=503", "sink:3=503", "sink:4=503")
    pull.run()
    assert sim.whole() == 200
    sizes = [b["records"] for b in sim.batches() if b["status"] == 200]
    assert sorted(sizes) == [12, 13] + [BATCH] * 7


@pytest.mark.parametrize("keep", ["keep", "drop"])
def test_poison(setup, keep):
    """One record that is refused even alone is set aside; the others arrive, and it holds up nothing."""
    sim, pull = start(setup, "--sink-refuse", "#77")
    pull.rest["state"] = {"dead_letter": keep}
    result = pull.run()
    check = sim.check()
    assert (check["missing"], check["extra"], check["missing_sample"]) == (1, 0, ["#77"]), check
    assert result.summary["rejected"] == "1" and result.summary["backlog"] == "0s"
    assert "refuses 1 record even alone (400)" in result.err
    letters = pull.dead_letters()
    assert len(letters) == (keep == "keep")
    for letter in letters:
        assert letter["source"] == "shop" and letter["status"] == 400
        assert letter["record"]["body"]["stringValue"].endswith("#77")
    assert pull.run().summary["rejected"] == "0"
    assert len(pull.dead_letters()) == len(letters)


@pytest.mark.parametrize("batch, poison", [(8192, "#5000"), (8192, "#9999"), (1000, "#7777")])
def test_one_poison_in_ten_thousand(start_sim, make_pull, batch, poison):
    """All others arrive, at the price of two requests for each time that a batch can be halved."""
    past = date(time.time_ns() - 10 * MINUTE)  # all in one window, so that the batches are the same
    requests = []
    for refuse in [], ["--sink-refuse", poison]:
        sim = start_sim("--now", past, "--hours", 0.5, "--records", 10000, "--page-size", 1000, *refuse)
        pull = make_pull(sim)
        pull.source["lookback"] = "65m"
        pull.exporter.update(max_batch_records=batch, max_batch_bytes="64MiB")
        pull.exporter["retry_on_failure"] = {**pull.exporter["retry_on_failure"], "max_elapsed_time": f"{20 * SLOW}s"}
        pull.run()
        requests.append(sim.received()["requests"])
    refused = [letter["record"]["body"]["stringValue"].split()[-1] for letter in pull.dead_letters()]
    check = sim.check()
    assert (check["missing"], check["extra"]) == (len(refused), 0), check
    assert refused == [poison] and sim.received()["records"] == 9999
    assert requests[0] == -(-10000 // batch)
    assert requests[1] - requests[0] <= 2 * math.log2(batch)


def test_poison_comes_first(setup):
    """Refused before anything was accepted: settled once something is."""
    sim, pull = start(setup, "--sink-refuse", "#0", "--sink-refuse", "#3")
    pull.exporter["max_batch_records"] = 1
    pull.run()
    refused = [letter["record"]["body"]["stringValue"] for letter in pull.dead_letters()]
    assert refused and all("#0" in text or "#3" in text for text in refused)
    check = sim.check()
    assert check["missing"] == len(refused) and check["extra"] == 0, check


@pytest.mark.parametrize("status", [400, 500, 413])
def test_everything_refused(setup, status):
    """Then the collector is at fault: none is set aside."""
    sim, pull = start(setup)
    sim.fault(f"sink:*={status};body=cannot take webhook #12")
    result = pull.run(code=69).says("refuses", str(status))
    assert result.summary["exported"] == "0" and result.summary["rejected"] == "0"
    assert sim.received()["requests"] < 60 and pull.dead_letters() == []
    pull.recovers()
    assert pull.dead_letters() == []


def test_only_one_record_and_it_is_refused(setup):
    sim, pull = setup("--hours", 1, "--records", 1)
    sim.fault("sink:*=400")
    pull.run(code=69).says("accepted none")
    assert pull.dead_letters() == []
    pull.recovers()


# What does not pass: from the first request, and after some were accepted.
LASTING = {
    "503": (69, "gave up after", "503"),
    "429": (69, "gave up after", "429"),
    "502": (69, "gave up after", "502"),
    "reset": (69, "gave up after"),
    "503;Retry-After=30": (69, "gave up after", "503"),
    "401": (77, "401", "exporter.headers"),
    "403": (77, "403", "exporter.headers"),
    "404": (78, "404", "exporter.endpoint"),
    "405": (78, "405", "exporter.endpoint"),
    "415": (78, "415", "exporter.endpoint"),
    "301;Location=http://127.0.0.1:1/": (78, "301", "exporter.endpoint"),
    "307": (78, "307", "exporter.endpoint"),
}


@pytest.mark.parametrize("at", [1, 4], ids=["from the start", "midway"])
@pytest.mark.parametrize("action", LASTING)
def test_lasting(setup, action, at):
    code, *words = LASTING[action]
    sim, pull = start(setup)
    sim.fault(f"sink:{at}-99999={action}")
    result = pull.run(code=code).says("shop", *words)
    assert int(result.summary["exported"]) == (at - 1) * BATCH and pull.dead_letters() == []
    second = pull.recovers()
    assert int(second.summary["exported"]) == 200 - (at - 1) * BATCH


def test_lasting_hang(setup):
    sim, pull = start(setup)
    pull.exporter["timeout"] = f"{200 * SLOW}ms"
    sim.fault("sink:*=hang")
    pull.run(code=69).says("gave up after")
    pull.exporter["timeout"] = f"{5 * SLOW}s"
    pull.recovers()


def test_nobody_listens(setup):
    sim, pull = start(setup)
    pull.exporter["endpoint"] = "http://127.0.0.1:1"
    began = time.monotonic()
    pull.run(code=69).says("connect")
    assert time.monotonic() - began < 3 * SLOW
    pull.exporter["endpoint"] = sim.collector
    pull.recovers()


def test_headers_reach_the_collector_and_no_redirect_target(setup):
    sim, pull = start(setup)
    pull.exporter["headers"] = {"Authorization": "Bearer of-mine"}
    with stub() as elsewhere, stub() as collector:
        collector.answers["/"] = 302, {"Location": elsewhere.url + "/v1/logs"}, b""
        pull.exporter["endpoint"] = collector.url
        result = pull.run(code=78).says("302", collector.url)
        assert elsewhere.requests == []
        path, headers = collector.requests[0]
        assert path == "/v1/logs" and headers["Authorization"] == "Bearer of-mine"
        assert "of-mine" not in result.err
    pull.exporter["endpoint"] = sim.collector
    pull.recovers()


def test_credentials_that_the_collector_asks_for(setup):
    sim, pull = start(setup, "--sink-header", "Authorization=Bearer of-mine")
    pull.run(code=77).says("401")
    pull.exporter["headers"] = {"Authorization": "Bearer of-mine"}
    pull.recovers()
