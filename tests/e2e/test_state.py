"""State that cannot be used: the run says so and ends, and nothing is silently begun anew."""

import fcntl
import os
import resource

import pytest
from conftest import OTHER_APP, SLOW, VALGRIND

SOURCE, BUDGET = "source-shop.json", "budget-*.json"


@pytest.fixture
def settled(setup):
    """One that has delivered all; its state is good."""
    sim, pull = setup("--records", 300, "--page-size", 50)
    pull.run()
    return sim, pull


def only(pull, pattern):
    return next(pull.state.glob(pattern))


DAMAGE = {
    "a byte changed": lambda b: b[:90] + bytes([b[90] ^ 1]) + b[91:],
    "cut short": lambda b: b[: len(b) // 2],
    "empty": lambda b: b"",
    "not ours": lambda b: b"hello\n",
    "a newer version": lambda b: b.replace(b'"otlpull":1', b'"otlpull":12', 1),
    "binary": lambda b: bytes(range(256)) * 10,
}


@pytest.mark.parametrize("document", [SOURCE, BUDGET])
@pytest.mark.parametrize("how", DAMAGE)
def test_damaged(settled, how, document):
    sim, pull = settled
    path = only(pull, document)
    good = path.read_bytes()
    path.write_bytes(DAMAGE[how](good))
    bad, calls = path.read_bytes(), sim.stats()["calls"]
    pull.run(code=74).says(path.name, "newer version" if how == "a newer version" else "put a good copy back")
    assert sim.stats()["calls"] == calls, "a call was made"
    assert path.read_bytes() == bad, "it was begun anew"
    path.write_bytes(good)
    pull.run()
    assert sim.whole() == 300


@pytest.mark.parametrize("kind", ["a directory", "a pipe", "a link to a device"])
def test_not_a_regular_file(settled, kind):
    sim, pull = settled
    path = only(pull, SOURCE)
    kept = path.rename(pull.folder / "kept")
    if kind == "a directory":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    calls = sim.stats()["calls"]
    pull.run(code=74).says(path.name, "not a regular file")
    assert sim.stats()["calls"] == calls
    path.rmdir() if kind == "a directory" else path.unlink()
    kept.rename(path)
    pull.run()
    assert sim.whole() == 300


def limit_files(size):
    """As a full disk: no file may grow beyond this."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.skipif(VALGRIND, reason="valgrind has files of its own to write")
def test_disk_full_from_the_start(setup):
    """Found before anything is asked for or sent."""
    sim, pull = setup("--records", 300, "--page-size", 50)
    pull.run(code=74, preexec_fn=limit_files(0)).says("state ", "cannot be written")
    assert sim.stats()["calls"] == 0 and sim.received()["requests"] == 0
    pull.recovers()


def test_disk_full_on_the_way(setup):
    """What could not be noted may come twice, one batch of it; nothing is lost."""
    sim, pull = setup("--records", 3000, "--page-size", 200, "--rate", "30/1s")
    pull.source["rate_limit"] = {"calls": 30, "period": "1s"}
    pull.exporter["max_batch_records"] = 100
    pull.run(code=74, preexec_fn=limit_files(8192)).says("state ", "cannot be written")
    assert 0 < sim.received()["records"] < 3000
    pull.run(seconds=40 * SLOW)
    check = sim.check()
    assert check["missing"] == 0 and check["extra"] <= 100, check


@pytest.mark.parametrize("below", ["a file", "a file/below", "/proc/none/state"])
def test_cannot_be_created(setup, below):
    sim, pull = setup("--records", 10)
    (pull.folder / "a file").write_text("")
    pull.state = pull.folder / below
    pull.run_without_summary(code=73).says(str(pull.state))
    assert sim.stats()["calls"] == 0


def test_made_with_its_parents_and_for_us_alone(setup):
    sim, pull = setup("--records", 10)
    pull.state = pull.folder / "some/where/below"
    pull.run()
    assert pull.state.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in pull.state.iterdir()} == {0o600}


def test_lock_held_by_another_run(settled):
    sim, pull = settled
    calls = sim.stats()["calls"]
    with open(pull.state / "source-shop.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = pull.run()
        assert "held by another run" in result.err and result.summary["sources"] == "0"
        assert sim.stats()["calls"] == calls
    pull.run()
    assert sim.stats()["calls"] == calls + 1


def test_state_of_another_app(settled):
    sim, pull = settled
    before, calls = only(pull, SOURCE).read_bytes(), sim.stats()["calls"]
    app, pull.source["app_id"] = pull.source["app_id"], OTHER_APP
    pull.run(code=78).says("shop", "a name of its own")
    assert sim.stats()["calls"] == calls and only(pull, SOURCE).read_bytes() == before
    pull.source["app_id"] = app
    pull.run()
    assert sim.whole() == 300


def test_a_wrong_app_is_mended(setup):
    """Nothing was read of the wrong one: the right one takes its place."""
    sim, pull = setup("--records", 100)
    right, pull.source["app_id"] = pull.source["app_id"], OTHER_APP
    pull.run(code=78).says("404", "app_id")
    pull.source["app_id"] = right
    pull.run()
    assert sim.whole() == 100


def test_removed_on_purpose(settled):
    """A state that is not there is a first run."""
    sim, pull = settled
    only(pull, SOURCE).unlink()
    pull.run()
    check = sim.check()
    assert (check["missing"], check["extra"]) == (0, 300)


def test_status_of_a_damaged_state(settled):
    sim, pull = settled
    only(pull, SOURCE).write_text("{")
    pull.command("status", "-c", pull.path, code=74).says(SOURCE)


def test_dead_letters_beyond_reach(setup):
    """A record that the collector refuses and that cannot be kept holds the checkpoint."""
    sim, pull = setup("--records", 40, "--sink-refuse", "#17")
    pull.run()
    pull.state.joinpath("source-shop.json").unlink()
    pull.state.joinpath("source-shop.dead-letter.jsonl").unlink()
    pull.state.joinpath("source-shop.dead-letter.jsonl").mkdir()
    pull.run(code=74).says("dead-letter.jsonl")
    pull.state.joinpath("source-shop.dead-letter.jsonl").rmdir()
    pull.run()
    assert len(pull.dead_letters()) == 1
    assert sim.check()["missing"] == 1
