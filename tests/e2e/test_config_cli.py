"""What a user types and reads: check, help, version, status, dry-run, and the environment alone."""

import json
import os

import pytest
from conftest import APP, ENVIRONMENT, RECORD_TEXT, SLOW, TOKEN


def start(setup, *args):
    return setup("--hours", 1, "--records", 60, "--page-size", 20, *args)


def check(pull, code=0, **options):
    pull.write()
    return pull.command("check", "-c", pull.path, code=code, **options)


def test_version_and_help(setup):
    sim, pull = start(setup)
    version = pull.command("--version")
    assert version.out.startswith("otlpull ") and version.err == ""
    whole = pull.command("help")
    assert all(command in whole.out for command in ("run", "check", "status", "help"))
    assert pull.command("run", "--help").out == pull.command("help", "run").out != whole.out
    assert "api_token" in pull.command("help", "sources").out
    assert "  75 " in pull.command("help", "exit").out


def test_check_shows_what_will_be_used(setup):
    """Every default in its place, no secret, and no call is made."""
    sim, pull = start(setup)
    pull.source["headers"] = {"X-Key": "header-secret"}
    pull.exporter["headers"] = {"Authorization": "Bearer of-mine"}
    result = check(pull)
    for text in ("name: shop", "window: 1h", "max_batch_records: 8192", APP, "***"):
        assert text in result.out, result.out
    assert all(secret not in result.out for secret in (TOKEN, "header-secret", "of-mine"))
    assert sim.stats()["calls"] == 0 and not pull.state.exists()


def test_all_faults_of_a_file_at_once(setup):
    """Each with its place, its key, what it got and what it takes."""
    sim, pull = start(setup)
    pull.path.write_text(f"""sources:
  - name: shop
    type: forge
    app_id: {APP}
    wnidow: 1h
    lookback: 15d
    email: ${{env:NOBODY_SET_THIS}}
    api_token: {TOKEN}
    levels: [LOUD]
exporter:
  endpoint: ftp://localhost
  compression: lzma
  compression: gzip
state: []
""")
    result = pull.command("check", "-c", pull.path, code=78)
    for place in ("5:5: ", "6:15: ", "7:12: ", "9:14: ", "11:13: ", "12:16: ", "13:3: ", "14:8: "):
        assert f"{pull.path}:{place}" in result.err, result.err
    for word in ("wnidow", "15d", "NOBODY_SET_THIS", "LOUD", "environment_id", "ftp://localhost", "lzma"):
        assert word in result.err, result.err
    again = pull.command("run", "-c", pull.path, code=78)
    assert [line.split(None, 1)[1] for line in again.lines] == [line.split(None, 1)[1] for line in result.lines]


BROKEN = {
    "not YAML": "sources: [",
    "not a map": "- 1",
    "empty": "",
    "no sources": "sources: []",
    "binary": "\x00\x01\x02",
    "an alias": "sources: &a [*a]",
    "deep": "[" * 5000,
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_is_none(setup, what):
    sim, pull = start(setup)
    pull.path.write_text(BROKEN[what])
    assert str(pull.path) in pull.command("run", "-c", pull.path, code=78).errors[0]
    assert not pull.state.exists()


def test_a_file_that_cannot_be_read(setup):
    sim, pull = start(setup)
    for path in (pull.folder / "none.yaml", pull.folder):
        assert str(path) in pull.command("run", "-c", path, code=78).says().errors[0]


def test_credentials_in_clear_are_refused(setup):
    sim, pull = start(setup)
    pull.source["endpoint"] = "http://logs.example.com"
    assert "allow_insecure" in check(pull, code=78).err
    pull.source["allow_insecure"] = True
    check(pull)


def test_not_yet(setup):
    """What later issues bring is refused, and not ignored."""
    sim, pull = start(setup)
    for where, key, value in ((pull.rest, "state", {"path": "s3://b/p"}),
                              (pull.rest, "telemetry", {"metrics": {"enabled": True}}), (pull.source, "type", "fly")):
        before = where.get(key)
        where[key] = value
        assert key in check(pull, code=78).err
        del where[key]
        if before:
            where[key] = before


def test_substitution(setup):
    sim, pull = start(setup)
    secret = pull.folder / "token"
    secret.write_text(TOKEN + "\n")
    pull.source["api_token"] = f"${{file:{secret}}}"
    pull.source["email"] = "${env:WHO}@${env:DOMAIN:-example.com}"
    pull.run(env={"WHO": "dev"})
    sim.whole()
    pull.source["api_token"] = "${credential:forge}"
    (pull.folder / "forge").write_text(TOKEN)
    pull.run(env={"WHO": "dev", "CREDENTIALS_DIRECTORY": str(pull.folder)})


def environment(sim, pull, **more):
    return {"FORGE_APP_ID": APP, "FORGE_ENVIRONMENT_ID": ENVIRONMENT, "FORGE_EMAIL": "dev@example.com",
            "FORGE_API_TOKEN": TOKEN, "FORGE_API_ENDPOINT": sim.endpoint, "OTLPULL_STATE": str(pull.state),
            "OTEL_EXPORTER_OTLP_ENDPOINT": sim.collector, **more}


no_file = pytest.mark.skipif(os.path.exists("/etc/otlpull/otlpull.yaml"), reason="this machine has a configuration")


@no_file
def test_the_environment_alone(setup):
    """No file at all: each record, less the lag of a minute, under the names that the variables give."""
    sim, pull = start(setup, "--sink-header", "x-key=a b")
    env = environment(sim, pull, OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20b", OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
                      OTEL_SERVICE_NAME="billing", OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=staging",
                      OTLPULL_LOG_FORMAT="json")
    result = pull.command("run", env=env)
    assert json.loads(result.lines[-1])["exit"] == 0
    check_ = sim.check()
    assert check_["delivered"] > 55 and check_["extra"] == 0
    assert sim.received()["last_encoding"] == "gzip"
    resource = {a["key"]: a["value"]["stringValue"] for a in sim.lines()[0]["resource"]["attributes"]}
    assert resource["service.name"] == "billing" and resource["deployment.environment.name"] == "staging"


@no_file
@pytest.mark.parametrize("name", ["FORGE_APP_ID", "FORGE_API_TOKEN"])
def test_the_environment_lacks_something(setup, name):
    sim, pull = start(setup)
    env = environment(sim, pull)
    del env[name]
    assert name in pull.command("run", env=env, code=78).errors[0]


def test_the_file_wins_over_the_environment(setup):
    sim, pull = start(setup)
    pull.run(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
    sim.whole()
    assert sim.received()["last_encoding"] == "gzip"


def test_config_by_variable(setup):
    sim, pull = start(setup)
    pull.write()
    pull.command("run", env={"OTLPULL_CONFIG": str(pull.path)})
    sim.whole()


def test_dry_run(setup):
    """The documents that would be sent, to stdout; nothing is sent, kept or moved."""
    sim, pull = start(setup)
    pull.exporter["max_batch_records"] = 25
    result = pull.run("--dry-run")
    documents = [json.loads(line) for line in result.out.splitlines()]
    records = [record for d in documents for r in d["resourceLogs"] for s in r["scopeLogs"] for record in s["logRecords"]]
    assert len(records) == 60 and len(documents) == 3
    assert RECORD_TEXT.search(result.out) and TOKEN not in result.out
    assert sim.received()["requests"] == 0
    assert not list(pull.state.glob("source-*.json"))
    assert pull.run("--dry-run").summary["exported"] == "60"
    pull.run()
    assert sim.whole() == 60
    assert pull.run("--dry-run").summary["exported"] == "0"


def status(pull, *args, code=0):
    pull.write()
    return pull.command("status", "-c", pull.path, *args, code=code).out


def test_status(setup):
    sim, pull = start(setup)
    assert "none: no run has begun yet" in status(pull)
    assert json.loads(status(pull, "--json"))["sources"][0]["checkpoint"] is None
    calls = int(pull.run().summary["calls"])
    before = sim.stats()["calls"]
    text = status(pull)
    assert "shop (forge)" in text and "exported 60" in text and "gaps        none" in text
    one = json.loads(status(pull, "--json"))["sources"][0]
    assert one["name"] == "shop" and one["last_run"]["exported"] == 60 and one["last_run"]["exit_code"] == 0
    assert one["last_run"]["calls"] == calls and one["gaps"] == [] and "unfinished" not in one
    assert 0 <= one["lag_seconds"] < 60 * SLOW and one["budget"]["calls"] == 1000
    assert sim.stats()["calls"] == before


def test_status_in_the_midst(setup):
    sim, pull = start(setup)
    sim.fault("api:7-99999=503")
    pull.run(code=75)
    one = json.loads(status(pull, "--json"))["sources"][0]
    assert one["last_run"]["exit_code"] == 75 and one["unfinished"]["records_read"] > 0
    assert one["backlog_seconds"] > 60
    pull.recovers()


def test_status_of_chosen_sources(setup):
    sim, pull = start(setup)
    pull.sources.append({**pull.source, "name": "other"})
    names = [s["name"] for s in json.loads(status(pull, "--json", "--source", "other"))["sources"]]
    assert names == ["other"]


def test_stdout_that_cannot_be_written(setup):
    sim, pull = start(setup)
    pull.write()
    with open("/dev/full", "w") as full:
        for command in (["check"], ["status"], ["run", "--dry-run"]):
            process = pull.start(command[0], "-c", pull.path, *command[1:], out=full)
            assert pull.finish(process).code == 74
