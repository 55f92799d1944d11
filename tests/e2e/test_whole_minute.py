"""The vendor's own budget, unscaled. It has run beside the other tests since the first."""

from conftest import SLOW


def test_thirty_calls_a_minute(minute):
    """Two runs at once over three hours of history and one just after them: never more than 30 calls in
    any rolling minute, none that the API refuses, and each record once."""
    sim, worker, results = minute
    worker.join(120 * SLOW)
    assert [result.code for result in results] == [0, 0, 0], [result.err for result in results]
    stats = sim.stats()
    print(f"{stats['calls']} calls, at most {stats['max_in_period']} of 30 in a minute")
    assert sim.whole() == 900
    assert stats["calls"] > 35 and set(stats["by_status"]) == {"200"}
    assert stats["max_in_period"] <= 30 and stats["refused"] == 0
    assert 59 < max(result.seconds for result in results) < 70 * SLOW
