"""What a delivery means: every record that the API returns reaches the collector, once, within the budget."""

import time

import pytest
from conftest import ENVIRONMENT, OTHER_ENVIRONMENT, SLOW, VALGRIND


def share_used(calls, allowed, period):
    """The time that so many calls must take, as a share of what they took."""
    times = sorted(call["mono_ns"] for call in calls)
    return (len(times) - 1) // allowed * period / ((times[-1] - times[0]) / 1e9)


def test_three_hours_in_pages(setup):
    """Once each, by requests that the API likes; a second run has nothing to send."""
    sim, pull = setup("--hours", 3, "--records", 2000, "--page-size", 50)
    first = pull.run()
    assert sim.whole() == 2000
    assert first.summary["exported"] == "2000" and first.summary["windows"] == "6"
    assert first.summary["backlog"] == "0s" and first.summary["exit"] == "0"
    before = sim.received()["requests"]
    second = pull.run()
    assert second.summary["exported"] == "0" and second.summary["calls"] <= "3"
    assert sim.received()["requests"] == before, "an empty batch was sent"
    assert set(sim.stats()["by_status"]) == {"200"}


def test_budget_is_kept_and_used(setup):
    """Never more than the allowed calls in any rolling period, whatever runs beside and just before; and
    of what is allowed, at least nine tenths are used. Scaled: 30 calls in 5 seconds."""
    allowed, period = 30, 5
    sim, pull = setup("--hours", 3, "--records", 1200, "--page-size", 25, "--rate", f"{allowed}/{period}s",
                      "--environment", ENVIRONMENT, "--environment", OTHER_ENVIRONMENT)
    pull.source["rate_limit"] = {"calls": allowed, "period": f"{period}s"}
    pull.sources.append({**pull.source, "name": "test", "environment_id": OTHER_ENVIRONMENT})
    at_once = [pull.start_run("--source", name) for name in ("shop", "test")]
    for process in at_once:
        assert pull.finish(process, 60 * SLOW).code == 0
    pull.run(seconds=60 * SLOW)  # just after
    stats, used = sim.stats(), share_used(sim.calls(), allowed, period)
    print(f"{stats['calls']} calls, at most {stats['max_in_period']} of {allowed} in a period, "
          f"{100 * used:.1f} % of what is allowed")
    assert sim.whole() == 2400
    assert stats["calls"] > 100 and set(stats["by_status"]) == {"200"} and stats["refused"] == 0
    assert stats["max_in_period"] <= allowed
    assert VALGRIND or used >= 0.9


def test_two_runs_at_once(setup):
    """One works, the other finds the source held, makes no call and ends well."""
    sim, pull = setup("--hours", 3, "--records", 600, "--page-size", 20, "--latency", "5ms")
    results = [pull.finish(p) for p in [pull.start_run(), pull.start_run()]]
    assert [r.code for r in results] == [0, 0]
    assert sim.whole() == 600
    idle = [r for r in results if r.summary["calls"] == "0"]
    assert len(idle) == 1 and "held by another run" in idle[0].err


def read_as_time_passes(sim, pull):
    """Several runs, each at a later moment, at which the platform shows no more than there was then."""
    for minutes in [40, 39, 25, 21, 9, 5, 0]:
        pull.source["lag"] = f"{minutes}m"
        sim.set(f"visible-until={time.time_ns() - minutes * 60 * 10**9}")
        pull.run()
        check = sim.check()
        assert check["extra"] == 0, check


@pytest.mark.parametrize("filter_by", ["record", "arrival"])
@pytest.mark.parametrize("bounds", ["closed", "half-open", "open-closed", "open"])
def test_late_records(setup, bounds, filter_by):
    """However the API reads a window's ends, and by whichever time it filters; twins of which one comes
    late among them."""
    sim, pull = setup("--hours", 2, "--records", 800, "--page-size", 40, "--seed", 7, "--bounds", bounds,
                      "--filter-by", filter_by, "--late", "20:4m", "--twins", 10, "--odd", 20,
                      "--order", "shuffled", "--sparse")
    read_as_time_passes(sim, pull)
    assert sim.whole() > 700
    assert sim.received()["refused"] == 0, sim.received()["last_refusal"]
    assert set(sim.stats()["by_status"]) == {"200"}


@pytest.mark.parametrize("filter_by", ["record", "arrival"])
def test_twins(setup, filter_by):
    """Two byte-identical records are two records."""
    sim, pull = setup("--hours", 2, "--records", 800, "--page-size", 40, "--twins", 30, "--filter-by", filter_by)
    read_as_time_passes(sim, pull)
    sim.whole()
    assert max(sim.arrived().values()) > 1


def is_id(value, digits):
    return value is None or (len(value) == digits and int(value, 16) > 0)


def test_odd_values_are_mended(setup):
    """What a strict receiver would refuse arrives in a form that it takes."""
    sim, pull = setup("--records", 900, "--odd", 60)
    result = pull.run()
    assert sim.whole() == 900 and result.summary["rejected"] == "0"
    for record in [line["record"] for line in sim.lines()]:
        assert record.get("severityNumber", 0) in range(25), record
        assert is_id(record.get("traceId"), 32) and is_id(record.get("spanId"), 16), record
        assert int(record.get("timeUnixNano", 0)) < 2**64 and int(record["observedTimeUnixNano"]) > 0, record


@pytest.mark.parametrize("last", ["absent", "null", "empty"])
def test_last_page(setup, last):
    sim, pull = setup("--records", 100, "--page-size", 10, "--last-cursor", last)
    pull.run()
    assert sim.whole() == 100


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compression(setup, compression):
    sim, pull = setup("--records", 300)
    pull.exporter["compression"] = compression
    result = pull.run()
    assert sim.whole() == 300
    sink = sim.received()
    assert sink["last_encoding"] == compression and sink["bytes"] * 3 < sink["read_bytes"]
    assert result.summary["bytes"] == str(sink["bytes"])


def test_batches_keep_their_limits(setup):
    sim, pull = setup("--records", 500, "--page-size", 100)
    pull.exporter["max_batch_records"] = 70
    pull.exporter["max_batch_bytes"] = "48KiB"
    pull.run()
    assert sim.whole() == 500
    batches = sim.batches()
    assert max(b["records"] for b in batches) <= 70 and max(b["bytes"] for b in batches) <= 48 * 1024 + 64
    assert min(b["records"] for b in batches) > 0


def test_groups_of_installation_contexts(setup):
    """The API takes fifty at a time; a hundred and ten are three groups."""
    sim, pull = setup("--records", 600, "--sites", 130)
    sites = sorted({a["value"]["stringValue"] for record in sim.own("/_sim/records")
                    for a in record["attributes"] if a["key"] == "installationContext"})[:110]
    pull.source["installation_contexts"] = sites
    pull.run()
    assert 0 < sim.whole(installationContext=sites) < 600
    assert {call["target"].count("installationContext=") for call in sim.calls()} == {50, 10}
    assert set(sim.stats()["by_status"]) == {"200"}


def test_filters(setup):
    sim, pull = setup("--records", 600)
    pull.source["levels"] = ["WARN", "ERROR"]
    pull.source["message"] = "a"
    pull.run()
    assert 0 < sim.whole(level=["WARN", "ERROR"], message="a") < 600
    assert all("level=WARN&level=ERROR" in call["target"] for call in sim.calls())


def test_not_normalized_is_byte_for_byte(setup):
    sim, pull = setup("--records", 200, "--odd", 0)
    pull.source["normalize"] = False
    pull.run()
    sim.whole()
    sent = sorted(map(str, sim.own("/_sim/records")))
    assert sorted(str(line["record"]) for line in sim.lines()) == sent


def test_several_sources_side_by_side(setup):
    """Each with its own resource; both environments share the app's budget."""
    sim, pull = setup("--records", 300, "--page-size", 30, "--latency", "10ms",
                      "--environment", ENVIRONMENT, "--environment", OTHER_ENVIRONMENT)
    pull.source["resource"] = {"service.name": "billing"}
    pull.sources.append({**pull.source, "name": "test", "environment_id": OTHER_ENVIRONMENT,
                         "resource": {"service.name": "billing-test"}})
    result = pull.run()
    assert sim.whole() == 600 and result.summary["sources"] == "2"
    services = {a["value"]["stringValue"] for line in sim.lines()
                for a in line["resource"]["attributes"] if a["key"] == "service.name"}
    assert services == {"billing", "billing-test"}


def test_all_that_the_platform_has(setup):
    """Fourteen days in windows of an hour, never across the edge of what may be asked for."""
    sim, pull = setup("--hours", 14 * 24, "--records", 300)
    pull.source["lookback"] = "14d"
    result = pull.run(seconds=60 * SLOW)
    assert sim.whole() >= 299 and int(result.summary["windows"]) >= 336
    assert set(sim.stats()["by_status"]) == {"200"}
