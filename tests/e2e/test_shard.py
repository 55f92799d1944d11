"""Many apps shared out over runs side by side: run --shard, and what an Indexed Job says in its place."""

import pytest
from conftest import ENVIRONMENT, OTHER_ENVIRONMENT

APPS = [f"11111111-2222-4333-8444-{i:012}" for i in range(8)]
OF_THREE = [2, 2, 2, 1, 1, 0, 1, 0]  # the shard of each: never another, or old and new versions disagree


@pytest.fixture
def apps(setup):
    """Eight apps, two sources each."""
    apps = [word for app in APPS for word in ("--app", app)]
    sim, pull = setup("--hours", 1, "--records", 20, *apps, "--environment", ENVIRONMENT,
                      "--environment", OTHER_ENVIRONMENT)
    pull.sources = [{**pull.source, "name": f"{place}-{i}", "app_id": app, "environment_id": environment}
                    for i, app in enumerate(APPS)
                    for place, environment in (("prod", ENVIRONMENT), ("test", OTHER_ENVIRONMENT))]
    return sim, pull


def worked(pull, *args, **options):
    """The sources of which a run finds no state yet, and leaves one."""
    before = set(pull.state.glob("source-*.json"))
    result = pull.run(*args, **options)
    new = {path.name[len("source-"):-len(".json")] for path in set(pull.state.glob("source-*.json")) - before}
    assert int(result.summary["sources"]) == len(new), result.err
    return new


def of_shard(index):
    return {f"{place}-{i}" for i, shard in enumerate(OF_THREE) if shard == index for place in ("prod", "test")}


def test_every_source_in_one_shard(apps):
    """And with its app; another number of shards goes on from the same state."""
    sim, pull = apps
    for index in range(3):
        assert worked(pull, "--shard", f"{index}/3") == of_shard(index)
    assert sim.whole() == 20 * len(pull.sources)
    again = [pull.run("--shard", f"{index}/5").summary for index in range(5)]
    assert sum(int(summary["sources"]) for summary in again) == len(pull.sources)
    sim.whole()


def test_an_indexed_job(apps):
    sim, pull = apps
    job = {"OTLPULL_SHARDS": "3", "JOB_COMPLETION_INDEX": "1"}
    assert worked(pull, env=job) == of_shard(1)
    assert worked(pull, "--shard", "2/3", env=job) == of_shard(2)  # the command line wins
    all_of_them = pull.run(env={**job, "OTLPULL_SHARDS": ""})  # empty is unset
    assert all_of_them.summary["sources"] == str(len(pull.sources))


def test_a_source_of_another_shard(apps):
    sim, pull = apps
    assert worked(pull, "--shard", "2/3", "--source", "prod-0", "--source", "prod-3") == {"prod-0"}
    calls = sim.stats()["calls"]
    assert worked(pull, "--shard", "0/3", "--source", "prod-3") == set()
    assert sim.stats()["calls"] == calls


@pytest.mark.parametrize("value", ["3/3", "0/0", "-1/3", "1", "1/", "a/b", "1/3/5", "0/100001"])
def test_bad_shard(setup, value):
    sim, pull = setup()
    pull.write()
    pull.command("run", "-c", pull.path, f"--shard={value}", code=64).says("--shard", value)


@pytest.mark.parametrize("index, count, words", [
    (None, "3", "JOB_COMPLETION_INDEX"), ("", "3", "JOB_COMPLETION_INDEX"), ("3", "3", "OTLPULL_SHARDS"),
    ("one", "3", "one"), ("0", "many", "many"), ("0", "0", "OTLPULL_SHARDS"),
])
def test_bad_job(setup, index, count, words):
    sim, pull = setup()
    env = {"OTLPULL_SHARDS": count, **({"JOB_COMPLETION_INDEX": index} if index is not None else {})}
    pull.write()
    pull.command("run", "-c", pull.path, code=78, env=env).says(words)
    assert sim.stats()["calls"] == 0 and not pull.state.exists()


def test_only_run_has_shards(setup):
    sim, pull = setup()
    pull.write()
    for command in "check", "status":
        pull.command(command, "-c", pull.path, "--shard", "0/2", code=64).says(command)
        pull.command(command, "-c", pull.path, env={"OTLPULL_SHARDS": "nonsense"})
