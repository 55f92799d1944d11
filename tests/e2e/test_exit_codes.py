"""The table of exit codes, a row at a time, and which of several is the one."""

import json
import re

import pytest
from conftest import OTHER_ENVIRONMENT, TOKEN

# One line on stderr is a whole one: when, how grave, who, what.
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warn|error)\s+otlpull: \S")


def start(setup):
    return setup("--hours", 1, "--records", 60, "--page-size", 20)


def break_collector(pull):
    pull.sim.fault("sink:*=503")


def break_platform(pull):
    pull.sim.fault("api:*=503")


def break_token(pull):
    pull.source["api_token"] = "wrong"


def break_app(pull):
    pull.source["environment_id"] = "99999999-9999-4999-8999-999999999999"


def break_state(pull):
    pull.state.mkdir()
    (pull.state / "source-shop.json").write_text("?")


def break_folder(pull):
    pull.state.write_text("")


def break_configuration(pull):
    pull.source["wnidow"] = "1h"


ROWS = [
    (0, lambda pull: None, ""),
    (69, break_collector, "503"),
    (73, break_folder, "state"),
    (74, break_state, "source-shop.json"),
    (75, break_platform, "503"),
    (77, break_token, "401"),
    (78, break_app, "404"),
    (78, break_configuration, "wnidow"),
]


@pytest.mark.parametrize("code, breaks, words", ROWS, ids=[f"{code} {f.__name__}" for code, f, _ in ROWS])
def test_code(setup, code, breaks, words):
    sim, pull = start(setup)
    breaks(pull)
    result = pull.run(code=code)
    assert all(LINE.match(line) for line in result.lines), result.err
    assert all(len(line) < 1000 for line in result.lines)
    assert words in "".join(result.errors[:1])
    if breaks in (break_folder, break_configuration):
        assert sim.stats()["calls"] == 0
    else:
        assert result.summary["exit"] == str(code)


USAGE = {
    "no command": [],
    "no such command": ["fly"],
    "a command that is not there yet": ["backfill"],
    "no such option": ["run", "--fast"],
    "an option without its value": ["run", "--config"],
    "a bad duration": ["run", "--deadline", "soon"],
    "no duration": ["run", "--deadline", "0s"],
    "a bad level": ["run", "--log-level", "loud"],
    "an argument too many": ["check", "this"],
    "an option of another command": ["check", "--dry-run"],
    "help on nothing": ["help", "nothing"],
}


@pytest.mark.parametrize("what", USAGE)
def test_usage(setup, what):
    sim, pull = start(setup)
    result = pull.command(*USAGE[what], code=64)
    assert result.out == "" and result.err


def test_source_that_is_not_configured(setup):
    sim, pull = start(setup)
    pull.write()
    result = pull.command("run", "-c", pull.path, "--source", "shop", "--source", "other", code=64)
    assert "other" in result.errors[0] and sim.stats()["calls"] == 0


def broken_source(pull, name, **changes):
    return {**pull.source, "name": name, "environment_id": OTHER_ENVIRONMENT, **changes}


@pytest.mark.parametrize("worst, others", [(78, [77, 75]), (77, [75]), (75, [])])
def test_the_worst_of_several(setup, worst, others):
    """In the order 78 77 74 73 70 69 75 0; the good source among them is worked all the same."""
    sim, pull = start(setup)
    broken = {78: broken_source(pull, "absent"), 77: broken_source(pull, "denied", api_token="wrong"),
              75: broken_source(pull, "deaf", endpoint="http://127.0.0.1:1")}
    pull.sources = [broken[code] for code in [*others, worst]] + [pull.source]
    result = pull.run(code=worst)
    assert len(result.errors) == 1 + len(others)
    assert result.summary["exit"] == str(worst) and result.summary["exported"] == "60"
    sim.whole()


def test_a_damaged_source_among_good_ones(setup):
    sim, pull = start(setup)
    pull.run()
    pull.sources = [pull.source, broken_source(pull, "absent")]
    pull.run(code=78).says("absent")
    (pull.state / "source-shop.json").write_text("?")
    result = pull.run(code=78)
    assert len(result.errors) == 2
    pull.sources = [pull.source, broken_source(pull, "deaf", endpoint="http://127.0.0.1:1")]
    result = pull.run(code=74)
    assert len(result.errors) == 2 and TOKEN not in result.err


def test_json_lines(setup):
    """With --log-format json each line is an object, with the same words and figures."""
    sim, pull = start(setup)
    sim.fault("api:2-99=403")
    pull.write()
    result = pull.finish(pull.start("run", "-c", pull.path, "--log-format", "json"))
    assert result.code == 77
    lines = [json.loads(line) for line in result.lines]
    assert [line["level"] for line in lines] == ["error", "info"]
    assert "403" in lines[0]["message"] and lines[1]["exit"] == 77 and lines[1]["sources"] == 1


def test_quiet(setup):
    sim, pull = start(setup)
    pull.write()
    assert pull.command("run", "-c", pull.path, "--quiet").err == ""
    sim.whole()
    pull.source["api_token"] = "wrong"
    pull.write()
    assert len(pull.command("run", "-c", pull.path, "--quiet", code=77).lines) == 1
