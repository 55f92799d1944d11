"""The n-th call of a kind fails: the run ends with the right exit code, and the next one has every record
arrive, at most one batch of them twice. `make test` takes some n of each kind, `make faults` every n."""

import json
import os
import shutil
from collections import Counter

import pytest
from conftest import ENVIRONMENT, OTHER_ENVIRONMENT, VALGRIND, Pull, Sim
from shim import Shimmed

EVERY = bool(os.environ.get("OTLPULL_EVERY"))
BATCH = 30  # records
POISON = "#123"

NETWORK = ["socket=EMFILE", "connect=ECONNREFUSED", "getsockopt=EINVAL", "send=EPIPE", "send=short", "recv=ECONNRESET",
           "recv=eof", "recv=short", "poll=ENOMEM"]
HARMLESS = ["read=short", "write=short", "write=EINTR", "flock=EINTR"]
STORE = ["open=EMFILE", "read=EIO", "write=ENOSPC", "stat=EIO", "fsync=EIO", "rename=EIO", "flock=ENOLCK"]
if EVERY:
    NETWORK += ["socket=ENOBUFS", "connect=ETIMEDOUT", "connect=ENETUNREACH", "send=ECONNRESET", "recv=ETIMEDOUT", "poll=EINTR"]
    HARMLESS += ["read=EINTR"]
    STORE += ["open=EACCES", "write=EIO", "write=EROFS", "fsync=ENOSPC", "rename=ENOSPC"]


class Case:
    """A run of two windows, five pages and as many batches, one record of which the collector refuses; it
    goes on from the state of an earlier one that was stopped within the first window."""

    def __init__(self, folder):
        self.sim = Sim(folder, "--no-live", "--rate", "0", "--hours", 2, "--records", 160, "--page-size", 30,
                       "--sink-refuse", POISON, "--exit-after", "6h", "--environment", ENVIRONMENT, "--environment", OTHER_ENVIRONMENT)
        folder.joinpath("pull").mkdir()
        self.pull, self.begun = Pull(folder / "pull", self.sim), folder / "begun"
        self.pull.source["lookback"] = "100m"
        self.pull.exporter["max_batch_records"] = BATCH
        self.sim.fault("api:2-999=401")
        self.pull.run(code=77)
        self.sim.fault()
        shutil.copytree(self.pull.state, self.begun)
        assert json.loads(self.begun.joinpath("source-shop.json").read_text())["document"]["window"]["cursor"]
        self.go_back()
        clean = Shimmed(self.pull)
        assert clean.result.code == 0 and int(clean.result.summary["calls"]) >= 4, clean
        self.counts, self.due = clean.counts, self.sim.arrived()
        assert sum(self.due.values()) > 3 * BATCH and len(self.pull.dead_letters()) == 1

    def go_back(self):
        """To the state at the beginning, with a collector that has nothing."""
        shutil.rmtree(self.pull.state)
        shutil.copytree(self.begun, self.pull.state)
        self.sim.own("/_sink/reset", "POST")

    def fails(self, plan, sanitizer=""):
        """A run with this fault, or None where there was no such call; and what it must not spoil."""
        self.go_back()
        run = Shimmed(self.pull, plan, sanitizer)
        if not run.reached:
            return None
        self.is_whole(run)
        return run

    def is_whole(self, run):
        """After a run without a fault all is there; how much of it came twice."""
        after = self.pull.finish(self.pull.start_run())
        assert after.code == 0, f"{run}\nand then: exit code {after.code}\n{after.err}"
        arrived = self.sim.arrived()
        lost, twice = self.due - arrived, arrived - self.due
        assert not lost, f"{run}\nlost: {lost}"
        assert sum(twice.values()) <= BATCH, f"{run}\ntwice: {sum(twice.values())}"
        letters = Counter(json.dumps(letter["record"]["body"]) for letter in self.pull.dead_letters())
        assert len(letters) == 1 and letters.total() <= 2, f"{run}\ndead letters: {letters}"


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    case = Case(tmp_path_factory.mktemp("faults"))
    yield case
    case.sim.stop()


def chosen(count, some):
    """All, or some of them from the first to the last; one past the end shows that there are no more."""
    if EVERY or count <= some:
        return range(1, count + 3)
    return sorted({1 + i * (count - 1) // (some - 1) for i in range(some)})


def at_each(case, fault, some, codes):
    """A fault at the calls of a kind: by which exit codes the runs ended, each one of `codes`."""
    kind, what = fault.split("=")
    ended = Counter()
    assert case.counts[kind] > 0, f"no call of {kind}"
    for n in chosen(case.counts[kind], 2 if VALGRIND else some):
        run = case.fails(f"{kind}:{n}={what}")
        if run is None:  # how often it polls, or locks, is never the same
            continue
        assert run.result.code in codes, run
        ended[run.result.code] += 1
    assert sum(ended.values()) > 0
    print(f"{fault}: {case.counts[kind]} calls, exit codes {dict(ended)}")
    return ended


@pytest.mark.parametrize("fault", NETWORK)
def test_network(case, fault):
    """It is tried again, and the run succeeds."""
    at_each(case, fault, 3, {0})


@pytest.mark.parametrize("fault", HARMLESS)
def test_store_goes_on(case, fault):
    at_each(case, fault, 2, {0})


@pytest.mark.parametrize("fault", STORE)
def test_store_fails(case, fault):
    """73 where it is a lock file that cannot be made."""
    at_each(case, fault, 3, {73, 74} if fault.startswith("open") else {74})


def test_store_close_fails(case):
    """Of a file that was written it is an error; of others it does no harm."""
    ended = at_each(case, "close=EIO", 4, {0, 74})
    assert ended[74] > 0


def test_store_is_not_made(setup):
    sim, pull = setup("--records", 20)
    run = Shimmed(pull, "mkdir:1=EACCES")
    assert run.reached and run.result.code == 73, run
    pull.recovers()


def test_threads(setup):
    """One that cannot be had costs time and nothing else."""
    sim, pull = setup("--records", 60, "--page-size", 10, "--environment", ENVIRONMENT, "--environment", OTHER_ENVIRONMENT)
    pull.sources.append({**pull.source, "name": "test", "environment_id": OTHER_ENVIRONMENT})
    count = Shimmed(pull).counts["pthread_create"]
    assert count > 0
    for n in chosen(count, 4):
        shutil.rmtree(pull.state)
        sim.own("/_sink/reset", "POST")
        run = Shimmed(pull, f"pthread_create:{n}=EAGAIN")
        assert run.result.code == 0, run
        assert sim.whole() == 120


def at_each_allocation(case, kind, some, codes, sanitizer="detect_leaks=0"):
    """Those of a run that failed leak nothing any more: it has ended, or is the library's own affair."""
    assert case.counts[kind] > 0, f"no call of {kind}"
    ended = Counter()
    for n in chosen(case.counts[kind], some):
        run = case.fails(f"{kind}:{n}=ENOMEM", sanitizer)
        if run is None:
            continue
        assert run.result.code in codes, run
        assert run.result.code != 70 or run.result.lines[-1] == "otlpull: out of memory", run
        ended[run.result.code] += 1
    print(f"{kind}: {case.counts[kind]} calls, exit codes {dict(ended)}")
    return ended


@pytest.mark.skipif(VALGRIND, reason="valgrind has an allocator of its own")
def test_allocator(case):
    """What the program asks for itself: one line, and its end. 0: a library did, as its last step, and can
    do without; that looks like the program's own."""
    ended = at_each_allocation(case, "malloc", 8, {0, 70})
    assert ended[70] > 5 * ended[0]


@pytest.mark.skipif(VALGRIND, reason="valgrind has an allocator of its own")
def test_allocator_of_libraries(case):
    """A library may do without, or make an error of it; never one that blames the configuration or the
    credentials, and never what the state then says."""
    at_each_allocation(case, "library-malloc", 12, {0, 69, 70, 74, 75})


@pytest.mark.skipif(VALGRIND, reason="valgrind has an allocator of its own")
def test_allocator_of_json(case):
    """json-c does not survive all of it: it may die of SIGSEGV in its own code, which loses nothing; what it
    silently drops of a state is missed."""
    at_each_allocation(case, "json-malloc", 8, {0, 69, 70, 74, 75, -11}, "detect_leaks=0:handle_segv=0")
