"""What goes wrong between two parts that are each right: a collector's error amid pages that were read
well, a configuration that changes under a window that was begun, a state that one may not read."""

import base64
import signal
import socket
import threading
import time

import pytest
from conftest import TOKEN


@pytest.mark.parametrize("status, code", [("404", 78), ("401", 77), ("307", 78)])
@pytest.mark.parametrize("request_number", [1, 2, 5])
def test_collector_gives_up_amid_a_window(setup, status, code, request_number):
    """The error ends the run where it stands; the next goes on as if nothing had been."""
    sim, pull = setup("--hours", 1, "--records", 400, "--page-size", 50, "--twins", 10)
    pull.exporter["max_batch_records"] = 30
    sim.fault(f"sink:{request_number}={status}")
    pull.run(code=code).says(status)
    pull.recovers()


@pytest.mark.parametrize("sink", ["sink:4-60=503", "sink:3-60=reset"])
def test_collector_goes_away_amid_a_batch_in_halves(setup, sink):
    """Of a batch in pieces some arrive and some do not: each still arrives once."""
    sim, pull = setup("--hours", 1, "--records", 300, "--page-size", 100, "--sink-refuse", "#7")
    pull.exporter["max_batch_records"] = 100
    sim.fault(sink)
    pull.run(code=69)
    sim.fault()
    pull.run()
    refused = len(pull.dead_letters())
    check = sim.check()
    assert refused > 0 and check["extra"] == 0 and check["missing"] == refused, check


def test_filters_change_under_a_window(setup):
    """A cursor belongs to its query: with other sites the window is read anew."""
    sim, pull = setup("--hours", 1, "--records", 900, "--sites", 130, "--page-size", 20, "--latency", "20ms")
    sites = sorted({a["value"]["stringValue"] for record in sim.own("/_sim/records")
                    for a in record["attributes"] if a["key"] == "installationContext"})
    assert len(sites) > 110
    pull.source["installation_contexts"] = sites[:110]
    pull.exporter["max_batch_records"] = 10
    process = pull.start_run()
    while sum(call["target"].count("installationContext=") == 10 for call in sim.calls()) < 1:
        assert process.poll() is None, "it ended before its last group of sites"
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert pull.finish(process).code == -signal.SIGTERM
    sim.set("latency=0")
    del pull.source["installation_contexts"][60]  # of the second group, which is done
    pull.run()
    assert sim.check(installationContext=pull.source["installation_contexts"])["missing"] == 0


def test_status_of_a_state_one_may_not_read(setup):
    sim, pull = setup("--records", 20)
    pull.run()
    pull.state.rename(pull.folder / "away")
    pull.state.write_text("not a folder")
    pull.command("status", "-c", pull.path, code=74).says("Not a directory")


def test_a_first_run_over_all_that_is_kept(setup):
    """It begins within reach, and reports no gap that is none."""
    sim, pull = setup("--hours", 1, "--records", 100)
    pull.source["lookback"] = "14d"
    result = pull.run()
    assert "lost" not in result.err and set(sim.stats()["by_status"]) == {"200"}
    assert sim.whole() == 100


def test_no_batch_passes_its_limit(setup):
    """To the byte: a collector with the same limit refuses none."""
    limit = 20000
    sim, pull = setup("--hours", 1, "--records", 3000, "--page-size", 500, "--sink-max-bytes", limit)
    pull.exporter["max_batch_bytes"] = limit
    pull.run()
    assert sim.whole() == 3000 and sim.received()["refused"] == 0


def test_words_that_quote_a_header(setup):
    """The platform's words on a refused request are shown, unless they quote a credential."""
    sim, pull = setup("--records", 20)
    pull.source["headers"] = {"X-Gateway-Key": "gateway-secret"}
    sim.fault("api:*=400;body=bad date")
    pull.run(code=75).says("bad date")
    for secret in ["gateway-secret", base64.b64encode(f"dev@example.com:{TOKEN}".encode()).decode()]:
        sim.fault(f"api:*=400;body=you sent {secret}")
        assert secret not in pull.run(code=75).err
    pull.recovers()


def test_not_http(setup):
    """A peer that speaks something else is no fault of the configuration's form: later may do."""
    sim, pull = setup("--records", 20)
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                connection.recv(4096)

    thread = threading.Thread(target=serve)
    thread.start()
    pull.source["endpoint"] = f"http://127.0.0.1:{server.getsockname()[1]}"
    try:
        pull.run(code=75)
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
