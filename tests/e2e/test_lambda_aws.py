"""`otlpull lambda` with what it has on AWS: its secrets in Secrets Manager, its state in a bucket."""

import json
import time

import pytest
from cloud import SOURCE, cloud, lease_of, make_cloud, s3  # noqa: F401
from conftest import SLOW, TOKEN, wait_until
from lambda_double import NEXT, double, start, stop  # noqa: F401

SECRET = "otlpull/forge"
ALL = 200


@pytest.fixture
def world(setup, aws):
    sim, pull = setup("--records", ALL)
    pull.source["api_token"] = f"${{aws-secret:{SECRET}#api_token}}"
    return sim, pull, aws


def test_a_secret_is_fetched_at_init_and_after_a_401(world, double):
    sim, pull, aws = world
    aws.secrets[SECRET] = json.dumps({"api_token": "of last week"})
    process = start(pull, double, env=aws.environment())
    wait_until("init", double.waiting.is_set)
    assert len(aws.requests) == 1
    aws.secrets[SECRET] = json.dumps({"api_token": TOKEN})
    assert double.invoke().is_answer()["exported"] == ALL
    for _ in range(3):
        assert double.invoke().is_answer()["exit"] == 0
    assert len(aws.requests) == 2 and sim.whole() == ALL
    stop(pull, process)


@pytest.mark.parametrize("denied, error_type", [(False, "Runtime.ConfigInvalid"), (True, "Function.CredentialsRefused")])
def test_a_secret_that_is_not_to_be_had(world, double, denied, error_type):
    sim, pull, aws = world
    if denied:
        aws.denied.add(SECRET)
    result = pull.finish(start(pull, double, env=aws.environment()))
    assert result.code == 1 and NEXT not in double.requests
    double.init.is_error(error_type, SECRET, "api_token")


def test_a_secret_that_is_gone_later(world, double):
    """What was read before still holds, so that an invocation finds it where it has come back."""
    sim, pull, aws = world
    aws.secrets[SECRET] = json.dumps({"api_token": "of last week"})
    process = start(pull, double, env=aws.environment())
    wait_until("init", double.waiting.is_set)
    del aws.secrets[SECRET]
    double.invoke().is_error("Function.CredentialsRefused", "401")
    aws.secrets[SECRET] = json.dumps({"api_token": TOKEN})
    assert double.invoke().is_answer()["exported"] == ALL
    assert SECRET in stop(pull, process).err


def test_the_state_is_in_a_bucket(cloud, double):
    """Opened once, and let go of after each run: the machine that stands still holds nothing."""
    sim, pull, s3 = cloud("--records", ALL, "--page-size", 50)
    process = start(pull, double)
    assert double.invoke(timeout=60 * SLOW).is_answer()["exported"] == ALL
    for _ in range(3):
        assert lease_of(s3.objects[SOURCE])[0] is None
        before = len(s3.requests)
        answer = double.invoke(timeout=60 * SLOW).is_answer()
        assert (answer["exported"], answer["exit"]) == (0, 0)
        asked = s3.asked(before)
        assert len(asked) <= 8 and not any("self-test" in line for line in asked), asked
    assert sim.whole() == ALL
    stop(pull, process)


def test_a_bucket_that_is_not_to_be_had_for_a_while(cloud, double):
    sim, pull, s3 = cloud("--records", ALL)
    process = start(pull, double)
    assert double.invoke(timeout=60 * SLOW).is_answer()["exported"] == ALL
    s3.fault("503 SlowDown", times=1000)
    began, timeout = time.time(), 10 * SLOW
    outcome = double.invoke(timeout=timeout)
    outcome.is_error("Function.StateUnavailable", "503")
    assert outcome.at < began + timeout
    s3.calm()
    assert double.invoke(timeout=60 * SLOW).is_answer()["exit"] == 0
    assert sim.whole() == ALL
    stop(pull, process)
