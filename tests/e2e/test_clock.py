"""A clock that is wrong: ours beside the platform's, as the Date of its answers tells it."""

import datetime
import email.utils
import json
import time

import pytest

HOUR = 3600


def set_clock(sim, seconds_ahead):
    """From now on the platform's clock is so far ahead of this machine's; it has no records of later than that."""
    sim.set(f"clock={time.time_ns() + seconds_ahead * 10**9}")


def say_date(sim, seconds_ahead, what="*=ok"):
    """Some answers are dated so, wrongly."""
    then = datetime.datetime.fromtimestamp(time.time() + seconds_ahead, datetime.timezone.utc)
    sim.fault(f"api:{what};Date={email.utils.format_datetime(then, usegmt=True)}")


def checkpoint(pull):
    """Of the one source, in seconds from now."""
    text = json.loads(pull.command("status", "--json", "-c", pull.path).out)["sources"][0]["checkpoint"]
    return datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp() - time.time()


def warnings(result, *words):
    return [line for line in result.lines if " warn " in line and all(word in line for word in words)]


def test_clocks_that_agree_are_not_spoken_of(setup):
    sim, pull = setup("--records", 50)
    pull.source["lag"] = "1m"
    for skew in (0, -20, 20):
        set_clock(sim, skew)
        assert not warnings(pull.run())


def test_ours_is_ahead(setup):
    """The checkpoint stays where the platform's clock is: what comes after it is not passed over."""
    sim, pull = setup("--hours", 5, "--records", 500, "--page-size", 50)
    set_clock(sim, -2 * HOUR)
    result = pull.run()
    assert len(warnings(result, "2h", "ahead of the platform's")) == 1, result.err
    assert 0 < sim.received()["records"] < 400
    assert -2 * HOUR - 60 < checkpoint(pull) < -2 * HOUR + 60
    set_clock(sim, 0)
    again = pull.run()
    assert not warnings(again)
    assert sim.whole() == 500


def test_ours_is_ahead_by_more_than_the_lag(setup):
    """A little, but windows end in the platform's future, which it refuses."""
    sim, pull = setup("--hours", 1, "--records", 50)
    set_clock(sim, -20)
    assert len(warnings(pull.run(), "ahead of the platform's")) == 1
    set_clock(sim, 0)
    pull.recovers()


def test_ours_is_behind(setup):
    """What is due by the platform's clock is fetched; and a run that finds its checkpoint ahead of our
    own clock goes on by the platform's too."""
    now = time.time() + 2 * HOUR
    later = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    sim, pull = setup("--hours", 5, "--records", 500, "--page-size", 50, "--now", later)
    set_clock(sim, HOUR)
    assert len(warnings(pull.run(), "behind the platform's")) == 1
    before = sim.received()["records"]
    assert 0 < before < 500
    set_clock(sim, 2 * HOUR)
    assert len(warnings(pull.run(), "behind the platform's")) == 1
    sim.whole()
    assert sim.received()["records"] > before
    assert pull.run().summary["exported"] == "0"
    sim.whole()


def test_checkpoint_in_the_future(setup):
    """Left by a platform whose clock was wrong: moved back. What lies within `overlap` of now is read again,
    and may be sent again: the prints of so long before the checkpoint are gone."""
    sim, pull = setup("--hours", 5, "--records", 500)
    pull.source["lookback"] = "8h"
    sim.set(f"visible-until={time.time_ns() - 600 * 10**9}")
    set_clock(sim, 3 * HOUR)
    pull.run()
    assert checkpoint(pull) > 2 * HOUR
    sim.set("visible-until=0")
    set_clock(sim, 0)
    pull.source["overlap"] = "15m"
    result = pull.run()
    assert len(warnings(result, "lies in the future")) == 1, result.err
    assert -60 < checkpoint(pull) < 60
    check = sim.check()
    assert check["missing"] == 0 and check["extra"] < 30, check
    assert not warnings(pull.run())


@pytest.mark.parametrize("days", [-3, 3])
def test_a_date_that_is_not_believed(setup, days):
    """An answer out of a cache, perhaps: it is warned of and changes nothing."""
    sim, pull = setup("--hours", 3, "--records", 200)
    say_date(sim, days * 24 * HOUR)
    assert len(warnings(pull.run(), "go by the machine's")) == 1
    assert sim.whole() == 200
    assert abs(checkpoint(pull)) < 60
    assert pull.run().summary["exported"] == "0"


def test_refused_answers_tell_the_time_too(setup):
    """An API that refuses a window which ends in its future: its answer's Date puts that right."""
    sim, pull = setup("--hours", 5, "--records", 300)
    pull.source["lookback"] = "2h"
    set_clock(sim, -3 * HOUR)
    result = pull.run()
    assert sim.stats()["by_status"]["400"] == 1, "the first window lies in the platform's future"
    assert len(warnings(result, "ahead of the platform's")) == 1
    assert 0 < sim.received()["records"] < 300
    set_clock(sim, 0)
    pull.recovers()
