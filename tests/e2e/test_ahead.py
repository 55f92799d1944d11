"""Reading ahead: a slow platform is asked for several windows at once, delivered in order, within the budget."""

import random
import time

from conftest import APP, ENVIRONMENT, SLOW, VALGRIND, wait_until

APPS = [f"{n:08}-2222-4333-8444-555555555555" for n in range(12)]


def spans(sim):
    """Of each call: its first page's window, as the query has it."""
    return [call["target"].partition("startDate=")[2].partition("&cursor=")[0] for call in sim.calls()]


def test_backlog_at_the_pace_of_the_budget(setup):
    """A hundred windows from an API that takes 2 s a call, 30 calls in 3 s: one call after another would
    make one and a half calls in 3 s."""
    allowed, period = 30, 3
    sim, pull = setup("--hours", 100, "--records", 1000, "--latency", "2s", "--rate", f"{allowed}/{period}s")
    pull.source["rate_limit"] = {"calls": allowed, "period": f"{period}s"}
    pull.source["lookback"] = "100h"
    result = pull.run(seconds=60 * SLOW)
    assert sim.whole() == 1000
    stats, times = sim.stats(), sorted(call["mono_ns"] for call in sim.calls())
    share = (len(times) - 1) // allowed * period / ((times[-1] - times[0]) / 1e9)
    print(f"{stats['calls']} calls, at most {stats['max_in_period']} in a period, {result.summary['seconds']} s, "
          f"{100 * share:.1f} % of what is allowed")
    assert stats["max_in_period"] <= allowed and set(stats["by_status"]) == {"200"}
    assert stats["calls"] == int(result.summary["windows"])
    assert VALGRIND or share >= 0.85  # 0.96 on an idle machine


def test_twelve_slow_sources(setup):
    """Side by side, they take the time of one, which is an eighth of a minute in all."""
    sim, pull = setup("--hours", 3, "--records", 120, "--latency", "1s", *[x for app in APPS for x in ("--app", app)])
    pull.sources = [{**pull.source, "name": f"app{i}", "app_id": app, "lookback": "3h"} for i, app in enumerate(APPS)]
    pull.rest["run"] = {"concurrency": 12}
    result = pull.run(seconds=60 * SLOW)
    calls = sim.stats()["calls"]
    print(f"{calls} calls of a second each in {result.seconds:.1f} s")
    assert sim.whole() == 12 * 120 and result.summary["sources"] == "12"
    assert calls >= 36 and result.seconds < calls / 3


def test_next_page_while_a_batch_is_on_its_way(setup):
    """Each page fills a batch; the second page is asked for before the first one's batch is answered."""
    sim, pull = setup("--hours", 1, "--records", 200, "--page-size", 50, "--latency", "100ms", "--sink-latency", "1s")
    pull.exporter["max_batch_records"] = 50
    pull.source["lookback"] = "1h"
    pull.run(seconds=60 * SLOW)
    assert sim.whole() > 150
    calls, answered = sim.calls(), [batch["unix_ns"] for batch in sim.batches()]
    # a batch goes out when the first record of the page behind it comes
    assert calls[2]["unix_ns"] < answered[0] and calls[3]["unix_ns"] < answered[1]


def test_a_quick_platform_is_not_read_ahead(setup):
    """The deadline, or a stop, costs no page that was read in vain: the next run goes on behind the last."""
    sim, pull = setup("--hours", 4, "--records", 2000, "--page-size", 20, "--latency", "1ms")
    pull.exporter["max_batch_records"] = 20
    sim.set("sink-latency=30ms")
    while pull.run("--deadline", f"{1 * SLOW}s").summary["backlog"] != "0s":
        pass
    assert sim.whole() == 2000
    pages = sum(1 for _ in sim.calls())
    assert pages <= 2000 / 20 + 5 + 3 * 8, f"{pages} pages"


def test_earlier_windows_come_first(setup):
    """A budget that the earliest window alone can use up is not spent on later ones."""
    sim, pull = setup("--hours", 5, "--records", 1500, "--page-size", 50, "--latency", "60ms", "--rate", "10/1s")
    pull.source["rate_limit"] = {"calls": 10, "period": "1s"}
    pull.run("--deadline", f"{3 * SLOW}s")
    starts = spans(sim)
    assert starts == sorted(starts), starts


def test_a_window_that_fails_holds_up_only_those_behind_it(setup):
    """The fifth call is refused while others are under way: what lies before it is delivered, and the
    checkpoint stands there."""
    sim, pull = setup("--hours", 12, "--records", 600, "--latency", "150ms")
    pull.source["lookback"] = "12h"
    sim.fault("api:5=403")
    result = pull.run(code=77).says("403")
    assert 0 < int(result.summary["exported"]) < 600
    assert sim.check()["extra"] == 0
    pull.recovers()


def test_a_failing_platform_is_not_asked_for_more(setup):
    """While it answers 503 to one call, no other window is begun, however long that goes on."""
    sim, pull = setup("--hours", 12, "--records", 600, "--latency", "30ms")
    pull.source["lookback"] = "12h"
    pull.source["rate_limit"] = {"calls": 30, "period": "5s"}
    sim.fault("api:*=503")
    pull.run(code=75).says("503")
    assert len(set(spans(sim))) == 1
    pull.recovers()


def test_stop_with_many_calls_under_way(setup):
    sim, pull = setup("--hours", 30, "--records", 600, "--latency", "3s")
    pull.source["lookback"] = "30h"
    process = pull.start_run()
    wait_until("several calls", lambda: sim.stats()["calls"] >= 8)
    began = time.monotonic()
    process.terminate()
    result = pull.finish(process)
    assert result.code == -15 and time.monotonic() - began < 2 * SLOW
    sim.set("latency=0")
    pull.recovers()


def test_kill_with_many_calls_under_way(setup):
    """Nothing is lost, and twice comes at most one batch for each kill."""
    sim, pull = setup("--hours", 40, "--records", 2000, "--page-size", 30, "--latency", "60ms",
                      "--sink-latency", "10ms", "--twins", 5)
    pull.source["lookback"] = "40h"
    pull.exporter["max_batch_records"] = 50
    moments = random.Random(int(time.time()))
    for _ in range(8):
        process = pull.start_run()
        time.sleep(moments.uniform(0.1, 0.5) * SLOW)
        process.kill()
        pull.finish(process)
    sim.set("latency=0")
    pull.run(seconds=60 * SLOW)
    check = sim.check()
    assert check["missing"] == 0 and check["extra"] <= 8 * 50, check


def test_deadline_with_many_calls_under_way(setup):
    """What was asked for ahead and not delivered is asked for again; nothing is lost or sent twice."""
    sim, pull = setup("--hours", 20, "--records", 900, "--page-size", 20, "--latency", "200ms")
    pull.source["lookback"] = "20h"
    pull.source["rate_limit"] = {"calls": 20, "period": "1s"}  # ours alone: how busy the machine is, is no matter
    runs = 0
    while pull.run("--deadline", f"{2 * SLOW}s").summary["backlog"] != "0s":
        runs += 1
    assert runs > 0 and sim.whole() == 900
    assert set(sim.stats()["by_status"]) == {"200"}


def test_refused_cursor_with_many_windows_under_way(setup):
    """Cursors end while later windows are read: each window so hit is read once more, from its first page."""
    sim, pull = setup("--hours", 6, "--records", 900, "--page-size", 25, "--latency", "80ms",
                      "--environment", ENVIRONMENT, "--app", APP)
    pull.source["lookback"] = "6h"
    pull.exporter["max_batch_records"] = 25
    sim.fault("api:9=400", "api:14=410")
    pull.run()
    sim.whole()


def test_deadline_while_pages_wait(setup):
    """The collector takes longer than the reading ahead: what waits at the deadline is left for the next run."""
    sim, pull = setup("--hours", 20, "--records", 900, "--page-size", 20, "--latency", "300ms", "--sink-latency", "300ms")
    pull.source["lookback"] = "20h"
    pull.exporter["max_batch_records"] = 20
    result = pull.run("--deadline", f"{4 * SLOW}s")
    assert result.summary["backlog"] != "0s" and result.summary["exported"] != "0"
    sim.set("sink-latency=0")
    pull.run(seconds=60 * SLOW)
    assert sim.whole() == 900
