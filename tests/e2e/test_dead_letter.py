"""Records that the collector refused one by one: they are listed, sent again, and never lost on the way."""

import fcntl
import json
import os
import random
import signal
import time
from collections import Counter

import pytest
from conftest import SECONDS, SLOW, VALGRIND, Pull, wait_until
from test_signals import stop
from test_state import limit_files

FULL = 256 << 20  # bytes, as a source's dead letters may be at most
KILLS = int(os.environ.get("OTLPULL_KILLS", "12"))
BATCH = 50


def letter(text, source="shop", **members):
    record = {"timeUnixNano": "1762930800000000000", "body": {"stringValue": text}}
    return json.dumps({"source": source, "time": "2026-11-12T07:00:01.250Z", "status": 400, "answer": "no",
                       "record": record, **members}) + "\n"


class Letters(Pull):
    """otlpull, and the journal of its source."""

    @property
    def journal(self):
        return self.state / "source-shop.dead-letter.jsonl"

    def keep(self, *lines):
        self.state.mkdir(exist_ok=True)
        self.journal.write_text("".join(lines))

    def texts(self):
        return [json.loads(line)["record"]["body"]["stringValue"] for line in self.journal.read_text().splitlines()]

    def start_dead_letter(self, *args, **options):
        self.write()
        return self.start("dead-letter", args[0], "-c", self.path, *args[1:], **options)

    def dead_letter(self, *args, code=0, seconds=SECONDS, **options):
        result = self.finish(self.start_dead_letter(*args, **options), seconds)
        assert result.code == code, f"exit code {result.code}, not {code}:\n{result.err}"
        assert bool(result.errors) == (code != 0), result.err
        return result

    def replay(self, *args, **options):
        """Its result, with the figures of its one line as `summary`."""
        result = self.dead_letter("replay", *args, **options)
        lines = [line for line in result.lines if " otlpull: replay " in line]
        assert len(lines) == 1 == result.err.count("otlpull: replay "), result.err
        result.figures = dict(pair.split("=", 1) for pair in lines[0].split() if "=" in pair)
        return result


@pytest.fixture
def kept(start_sim, tmp_path):
    """A simulator with these options, and an otlpull with these letters."""
    pulls = []

    def start(*lines, options=()):
        sim = start_sim("--records", 10, *options)
        pulls.append(Letters(tmp_path, sim))
        pulls[-1].keep(*lines)
        return sim, pulls[-1]

    yield start
    for process in [p for pull in pulls for p in pull.running]:
        process.kill()
        process.communicate()


def arrived(sim):
    return Counter(line["record"]["body"]["stringValue"] for line in sim.lines())


def test_from_a_run_to_its_delivery(start_sim, tmp_path):
    """What one collector refuses, and otlpull keeps, another takes: as the records beside it, once."""
    sim = start_sim("--hours", 1, "--records", 200, "--sink-refuse", "#77", "--sink-refuse", "#78")
    other = start_sim("--records", 1)
    pull = Letters(tmp_path, sim)
    pull.source["resource"] = {"service.name": "billing"}
    pull.run()
    before = pull.journal.read_text()

    listed = pull.dead_letter("list")
    *lines, total = listed.out.splitlines()
    assert total == f"shop: 2 dead letters, {len(before)} bytes"
    for line, kept in zip(lines, pull.dead_letters(), strict=True):
        assert line == f"{kept['time']} shop 400 {kept['answer']}" and "refused" in kept["answer"]
    assert pull.dead_letter("list", "--json").out == before == pull.journal.read_text()
    assert f"{len(before)} bytes of dead letters" in pull.command("status", "-c", pull.path).out
    status = json.loads(pull.command("status", "-c", pull.path, "--json").out)
    assert status["sources"][0]["dead_letter_bytes"] == len(before)

    pull.exporter["endpoint"] = other.collector
    result = pull.replay()
    assert result.figures["exported"] == "2" and result.figures["refused"] == "0"
    assert not pull.journal.exists()
    delivered = other.lines()
    assert sorted(line["record"]["body"]["stringValue"][-3:] for line in delivered) == ["#77", "#78"]
    assert all(line["resource"] == sim.lines()[0]["resource"] for line in delivered)
    assert all(line["scope"] == sim.lines()[0]["scope"] for line in delivered)
    assert sim.check()["missing"] == 2

    assert pull.replay().figures["exported"] == "0" and other.received()["requests"] == 1
    assert pull.dead_letter("list").out == ""
    assert "dead letters" not in pull.command("status", "-c", pull.path).out


def test_refused_again(kept):
    """It stays, with what the collector says now; what it takes leaves."""
    sim, pull = kept(letter("one"), letter("poison", status=500, answer="of old"), letter("two"),
                     options=["--sink-refuse", "poison"])
    began = time.time()
    result = pull.replay(code=69).says("shop", "refuses 1 dead letter again (400)")
    assert result.figures["exported"] == "2" and result.figures["refused"] == "1"
    assert arrived(sim) == {"one": 1, "two": 1}
    (again,) = pull.dead_letters()
    assert again["status"] == 400 and "refused" in again["answer"]
    assert again["record"]["body"]["stringValue"] == "poison"
    assert pull.journal.read_text().startswith('{"source":"shop","time":"' + time.strftime("%Y-", time.gmtime(began)))
    before = pull.journal.stat().st_size
    pull.replay(code=69)
    assert pull.texts() == ["poison"] and pull.journal.stat().st_size == before


def test_all_refused_again(kept):
    """Unlike a run, which stops and keeps none: they are kept already, and one that would pass may be the last."""
    texts = [f"poison {i}" for i in range(30)]
    sim, pull = kept(*map(letter, texts), letter("good"), options=["--sink-refuse", "poison"])
    pull.replay(code=69).says("refuses 30 dead letters")
    assert pull.texts() == texts and arrived(sim) == {"good": 1}


@pytest.mark.parametrize("action, code", [("503", 69), ("reset", 69), ("401", 77), ("404", 78)])
@pytest.mark.parametrize("at", [1, 3])
def test_collector_fails(kept, action, code, at):
    """What it has answered for is done; the rest is as it was."""
    lines = [letter(f"text {i}") for i in range(200)]
    sim, pull = kept(*lines)
    pull.exporter["max_batch_records"] = BATCH
    sim.fault(f"sink:{at}-9999={action}")
    result = pull.replay(code=code).says("shop")
    done = (at - 1) * BATCH
    assert result.figures["exported"] == str(done)
    assert pull.journal.read_text() == "".join(lines[done:])
    sim.fault()
    pull.replay()
    assert arrived(sim) == {f"text {i}": 1 for i in range(200)}


DAMAGE = {
    "cut": letter("x")[:60] + "\n",
    "no JSON": "hello\n",
    "empty": "\n",
    "zeros": "\0" * 100 + "\n",
    "an array": "[]\n",
    "no record": '{"source":"shop","time":"2026-11-12T07:00:01Z","status":400,"answer":""}\n',
    "a text as record": letter("x", record="x"),
    "a status that is none": letter("x", status="400"),
    "a time that is none": letter("x", time="yesterday"),
    "two on a line": letter("x")[:-1] + letter("y"),
    "another source's": letter("x", source="old"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_line(kept, what):
    """It is named and kept; those around it are delivered."""
    lines = [letter("one"), letter("two"), DAMAGE[what], letter("three"), DAMAGE[what], letter("four")]
    sim, pull = kept(*lines)
    listed = pull.dead_letter("list", code=74).says("shop", "line 3 ", "nor are 1 more")
    assert listed.out.splitlines()[-1].startswith("shop: 4 dead letters")
    assert pull.dead_letter("list", "--json", code=74).out == "".join(line for line in lines if line != DAMAGE[what])
    pull.replay(code=74).says("shop", "line 1 ", "nor are 1 more")  # where it now stands
    assert pull.journal.read_text() == 2 * DAMAGE[what]
    assert arrived(sim) == {text: 1 for text in ("one", "two", "three", "four")}
    pull.replay(code=74).says("line 1 ")
    assert sim.received()["records"] == 4


def test_last_line_without_its_end(kept):
    """As a power loss leaves it, or an editor."""
    sim, pull = kept(letter("one"), letter("two")[:-1])
    assert pull.dead_letter("list", "--json").out == letter("one") + letter("two")
    sim.fault("sink:1=400", "sink:2=400")  # the first stays
    pull.replay(code=69)
    assert arrived(sim) == {"two": 1} and pull.texts() == ["one"]


def test_what_is_not_plain_stays_whole(kept):
    """Escapes, other letters, numbers and members that nobody here knows arrive as they were."""
    record = r'{"timeUnixNano":"1762930800000000000","body":{"stringValue":"\u00e9\ud83d\ude00 \"x\" 日本"},' \
             r'"attributes":[{"key":"n","value":{"doubleValue":1.50}}]}'
    line = letter("x").replace(json.dumps(json.loads(letter("x"))["record"]), record).replace("{", '{ "new": [1], ', 1)
    sim, pull = kept(line)
    assert record in pull.replay("--dry-run").out.replace(',"observedTimeUnixNano":"1794466801250000000"', "")
    pull.replay()
    assert arrived(sim) == {'é😀 "x" 日本': 1}


def test_words_on_a_terminal(kept):
    """The collector's words are another's text: no control character of theirs reaches a terminal."""
    sim, pull = kept(letter("x", answer="a\x1b[31mb\nc\x7fd\x9be"))
    assert pull.dead_letter("list").out.splitlines()[0].endswith(" 400 a [31mb c d  e")


def test_source_that_is_no_more(kept):
    """Its letters are listed, and left as they are."""
    sim, pull = kept(letter("one"))
    old = pull.state / "source-old.dead-letter.jsonl"
    old.write_text(letter("two", source="old"))
    lines = pull.dead_letter("list").out.splitlines()
    assert lines[-1].startswith("old: 1 dead letter, ") and "no such source" in lines[-1]
    result = pull.replay()
    assert "source old" in result.err and "left as they are" in result.err
    assert arrived(sim) == {"one": 1} and old.read_text() == letter("two", source="old")
    assert "old" not in pull.dead_letter("list", "--source", "shop").out
    pull.write()
    pull.command("dead-letter", "replay", "-c", pull.path, "--source", "old", code=64).says("old")


def test_one_of_two_sources(kept):
    sim, pull = kept(letter("one"))
    pull.sources = [pull.source, {**pull.source, "name": "other"}]
    other = pull.state / "source-other.dead-letter.jsonl"
    other.write_text(letter("two", source="other"))
    assert "other" not in pull.dead_letter("list", "--source", "shop").out
    assert pull.replay("--source", "other").figures["sources"] == "1"
    assert arrived(sim) == {"two": 1} and pull.texts() == ["one"] and not other.exists()
    assert pull.replay().figures["exported"] == "1"


def test_dry_run(kept):
    sim, pull = kept(*(letter(f"text {i}") for i in range(5)))
    pull.exporter["max_batch_records"] = 3
    result = pull.replay("--dry-run")
    documents = [json.loads(line) for line in result.out.splitlines()]
    records = [scope["logRecords"] for d in documents for r in d["resourceLogs"] for scope in r["scopeLogs"]]
    assert [len(r) for r in records] == [3, 2]
    assert [r["body"]["stringValue"] for part in records for r in part] == [f"text {i}" for i in range(5)]
    assert sim.received()["requests"] == 0 and len(pull.texts()) == 5
    assert sorted(path.name for path in pull.state.iterdir()) == [pull.journal.name]


def test_nothing_there(kept):
    sim, pull = kept()
    pull.journal.unlink()
    pull.state.rmdir()
    assert pull.dead_letter("list").out == ""
    assert pull.replay("--dry-run").figures["sources"] == "0" and not pull.state.exists()
    assert pull.replay().figures["sources"] == "0"
    assert sim.received()["requests"] == 0


def test_beside_a_run(kept):
    """Whoever comes second leaves the source to the first."""
    sim, pull = kept(*(letter(f"text {i}") for i in range(100)))
    with open(pull.state / "source-shop.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = pull.replay()
        assert "held by another run" in result.err and "left to it" in result.err
        assert result.figures["sources"] == "0" and sim.received()["requests"] == 0
        assert len(pull.dead_letter("list").out.splitlines()) == 101
    pull.exporter["timeout"] = "60s"
    sim.fault("sink:1=hang")
    replay = pull.start_dead_letter("replay")
    wait_until("its request", lambda: sim.received()["requests"] == 1)
    run = pull.run()
    assert "held by another run" in run.err and sim.stats()["calls"] == 0
    sim.fault()
    stop(pull, replay)
    assert len(pull.texts()) == 100
    pull.replay()
    assert sim.received()["records"] == 100 and pull.run().summary["exported"] == "10"


def test_in_the_midst(kept):
    """A signal: it ends soon, what was answered for is done, and the next goes on."""
    sim, pull = kept(*(letter(f"poison {i}") if i % 2 else letter(f"text {i}") for i in range(2000)),
                     options=["--sink-refuse", "poison", "--sink-latency", "5ms"])
    process = pull.start_dead_letter("replay")
    wait_until("some requests", lambda: sim.received()["requests"] >= 50)
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    result = pull.finish(process)
    assert time.monotonic() - asked < 2 * SLOW and result.code == -signal.SIGTERM, result.err
    assert "stopped by a signal" in result.err
    sim.set("sink-latency=0")
    assert 1000 < len(pull.texts()) < 2000
    pull.replay(code=69)
    assert arrived(sim) == {f"text {i}": 1 for i in range(0, 2000, 2)}
    assert sorted(pull.texts()) == sorted(f"poison {i}" for i in range(1, 2000, 2))


def test_kill_at_random_moments(kept):
    """Nothing is lost, and at most one batch is sent twice for each kill."""
    count = KILLS * BATCH * (40 if VALGRIND else 15)
    lines = [letter(f"poison {i}") if i % 41 == 40 else letter(f"text {i}") for i in range(count)]
    sim, pull = kept(*lines, options=["--sink-refuse", "poison", "--sink-latency", "4ms"])
    pull.exporter["max_batch_records"] = BATCH
    moments = random.Random(int(os.environ.get("OTLPULL_SEED", time.time_ns())))
    good = {f"text {i}" for i in range(count) if i % 41 != 40}
    poison = Counter(f"poison {i}" for i in range(count) if i % 41 == 40)
    for _ in range(KILLS):
        process = pull.start_dead_letter("replay")
        time.sleep(moments.uniform(0, 4 if VALGRIND else 0.4))
        process.kill()
        assert pull.finish(process).code == -9, "all was done before the last kill"
        left = Counter(pull.texts())
        assert Counter(text for text in left.elements() if text.startswith("poison")) == poison
        assert good <= left.keys() | arrived(sim).keys(), "lost"
    assert 0 < sim.received()["records"]
    sim.set("sink-latency=0")
    pull.replay(code=69, seconds=60 * SLOW)
    assert Counter(pull.texts()) == poison
    got = arrived(sim)
    assert got.keys() == good
    assert got.total() - len(good) <= KILLS * BATCH


def test_kill_between_the_answer_and_its_note(kept):
    sim, pull = kept(*(letter(f"text {i}") for i in range(150)))
    pull.exporter["max_batch_records"] = BATCH
    sim.fault("sink:2=lost")
    pull.exporter["timeout"] = "60s"
    pull.exporter["retry_on_failure"]["initial_interval"] = "50s"
    pull.exporter["retry_on_failure"]["max_interval"] = "50s"
    pull.exporter["retry_on_failure"]["max_elapsed_time"] = "600s"
    process = pull.start_dead_letter("replay")
    wait_until("second batch", lambda: sim.received()["records"] >= 2 * BATCH)
    process.kill()
    assert pull.finish(process).code == -9
    assert pull.texts() == [f"text {i}" for i in range(BATCH, 150)]
    sim.fault()
    pull.replay()
    assert arrived(sim) == {f"text {i}": 1 + (BATCH <= i < 2 * BATCH) for i in range(150)}


@pytest.mark.skipif(VALGRIND, reason="valgrind has files of its own to write")
def test_disk_full(kept):
    """Found before anything is sent."""
    sim, pull = kept(*(letter(f"text {i}") for i in range(100)))
    before = pull.journal.read_text()
    pull.replay(code=74, preexec_fn=limit_files(4096)).says("cannot be written")
    assert sim.received()["requests"] == 0 and pull.journal.read_text() == before
    assert [p.name for p in pull.state.iterdir() if p.name.endswith(".tmp")] == []
    pull.replay()
    assert sim.received()["records"] == 100


def test_journal_that_is_none(kept):
    sim, pull = kept()
    pull.journal.unlink()
    pull.journal.mkdir()
    pull.dead_letter("list", code=74).says("not a regular file")
    pull.replay(code=74).says("not a regular file")
    pull.write()
    pull.command("status", "-c", pull.path, code=74).says("not a regular file")


def test_full(start_sim, tmp_path):
    """No room for one more: the run says what to do and ends, and no checkpoint moves past the record. What
    was delivered beside it is not sent again; so that the next run has nothing but a record that is refused."""
    sim = start_sim("--hours", 1, "--records", 200, "--sink-refuse", "#77")
    pull = Letters(tmp_path, sim)
    pull.keep()
    os.truncate(pull.journal, FULL - 100)
    checkpoints = set()
    for code, words in (74, ["dead-letter.jsonl", "full", "otlpull dead-letter replay", "remove it"]), (69, ["1 record"]):
        pull.run(code=code).says(*words)
        checkpoints.add(json.loads(pull.command("status", "-c", pull.path, "--json").out)["sources"][0]["checkpoint"])
    assert len(checkpoints) == 1 and pull.journal.stat().st_size == FULL - 100
    check = sim.check()
    assert (check["missing"], check["extra"]) == (1, 0), check


USAGE = {
    "no action": ["dead-letter"],
    "no such action": ["dead-letter", "remove"],
    "an argument too many": ["dead-letter", "list", "shop"],
    "an option of another action": ["dead-letter", "list", "--dry-run"],
    "and the other way": ["dead-letter", "replay", "--json"],
}


@pytest.mark.parametrize("what", USAGE)
def test_usage(kept, what):
    sim, pull = kept()
    pull.command(*USAGE[what], code=64)


def test_help(kept):
    sim, pull = kept()
    assert "dead-letter" in pull.command("help").out
    text = pull.command("help", "dead-letter").out
    assert "list" in text and "replay" in text and text == pull.command("dead-letter", "--help").out
