"""${aws-secret:...} and ${aws-param:...}: fetched when otlpull runs, each once; what to mend where not."""

import json
import re
import signal
import ssl

import pytest
from aws_double import ACCESS_KEY, BREAK, LOST, Answer, aws_double, json_answer
from conftest import APP, SLOW, TOKEN, wait_until

SECRET = "forge/prod"


@pytest.fixture
def ready(setup, aws):
    """An otlpull whose credentials are AWS's secrets, and all that it needs to come by them."""
    sim, pull = setup("--hours", 1, "--records", 20)
    aws.secrets[SECRET] = json.dumps({"email": "dev@example.com", "token": TOKEN, "port": 4318})
    aws.parameters["/otlpull/app"] = APP
    pull.source.update(email=f"${{aws-secret:{SECRET}#email}}", api_token=f"${{aws-secret:{SECRET}#token}}",
                       app_id="${aws-param:/otlpull/app}")
    return pull, aws


def told(pull, env, code):
    """The words of each fault of a configuration that is not taken."""
    pull.write()
    result = pull.command("run", "-c", pull.path, code=code, env=env)
    faults = [line for line in result.errors if re.search(r"otlpull\.yaml:\d+:\d+: ", line)]
    assert faults and "run " not in result.err
    return faults


# ---- fetched -------------------------------------------------------------------------------------


def test_a_run(ready):
    pull, aws = ready
    aws.secrets["rare"] = b"bin\xc3\xa4ry\n"
    pull.exporter["headers"] = {"x-key": "a-${aws-secret:rare}-b", "x-port": f"${{aws-secret:{SECRET}#port}}"}
    pull.run(env=aws.environment())
    pull.sim.whole()
    assert sorted(r.service for r in aws.requests) == ["secretsmanager", "secretsmanager", "ssm"]  # once a name


def test_what_was_kept_is_never_said(ready):
    pull, aws = ready
    name, key = aws.new_credentials()
    env = aws.environment(AWS_ACCESS_KEY_ID=name, AWS_SECRET_ACCESS_KEY=key.secret, AWS_SESSION_TOKEN=key.token)
    assert TOKEN not in pull.run("--log-level", "debug", env=env).err
    env["AWS_SECRET_ACCESS_KEY"] = key.secret + "x"  # the answer quotes the session token
    for line in told(pull, env, code=77):
        assert "InvalidSignatureException" in line and "secret access key is wrong" in line
        assert key.token[:20] not in line and key.secret[:20] not in line


def test_a_rotated_token(ready):
    pull, aws = ready
    aws.secrets[SECRET] = json.dumps({"email": "dev@example.com", "token": "before"})
    pull.run(code=77, env=aws.environment()).says("401")
    aws.secrets[SECRET] = json.dumps({"email": "dev@example.com", "token": TOKEN})
    pull.run(env=aws.environment())
    pull.sim.whole()


def test_check_fetches_nothing(ready):
    pull, aws = ready
    pull.exporter["endpoint"] = "${aws-param:/otlpull/endpoint}"
    pull.rest["run"] = {"concurrency": "${aws-param:/otlpull/workers}"}
    pull.write()
    result = pull.command("check", "-c", pull.path, env={"AWS_ENDPOINT_URL": aws.url})  # no region, no credentials
    assert not aws.requests and not result.errors
    assert 'api_token: "***"' in result.out and "aws-secret" not in result.out.split("api_token")[1].split("\n")[0]
    for words in ["app_id: is fetched", "aws-param-otlpull-app ", "https://aws-param-otlpull-endpoint ",
                  "run.concurrency: is fetched when otlpull runs; here the default stands"]:
        assert words in result.err
    assert "concurrency: 4" in result.out and "api_token" not in result.err


# ---- faults --------------------------------------------------------------------------------------


def put(pull, **settings):
    pull.source.update(settings)


@pytest.mark.parametrize(("written", "words"), [
    ("${aws-secret:none}", "AWS secret none: there is none of this name in the region eu-test-1"),
    ("${aws-param:/none}", "AWS parameter /none: there is none of this name in the region eu-test-1"),
    (f"${{aws-secret:{SECRET}#no}}", f"AWS secret {SECRET} has nothing under the key no"),
    (f"${{aws-secret:{SECRET}#map}}", f"AWS secret {SECRET} has no text under the key map"),
    ("${aws-secret:plain#token}", "AWS secret plain is not a JSON object, so that #token picks nothing"),
    ("${aws-secret:lines}", "got a line break, takes one line"),
    ("${aws-secret:latin}", "got bytes that are not UTF-8, takes UTF-8"),
    ("${aws-secret:bad name}", "bad ${aws-secret:...}; takes ${aws-secret:NAME} or ${aws-secret:NAME#json_key}"),
    ("${aws-secret:x#}", "bad ${aws-secret:...}; takes"),
    ("${aws-param:}", "bad ${aws-param:...}; takes ${aws-param:NAME}"),
    ("${aws-param:/a#b}", "bad ${aws-param:...}; takes ${aws-param:NAME}"),
])
def test_what_is_to_be_mended(ready, written, words):
    pull, aws = ready
    aws.secrets |= {SECRET: '{"token":"t","email":"e","map":{}}', "plain": "s3cret-plain", "lines": "s3cret\nline",
                    "latin": b"s3cret\xe9"}
    put(pull, app_id=APP, email="e", api_token=written)
    (line,) = told(pull, aws.environment(), code=78)
    assert f"sources[0].api_token: {words}" in line and "s3cret" not in line


def test_permission(ready):
    pull, aws = ready
    aws.denied |= {SECRET, "/otlpull/app"}
    lines = told(pull, aws.environment(), code=77)
    assert len(lines) == 3  # each place that it is wanted at
    assert sum("takes the permission secretsmanager:GetSecretValue" in line for line in lines) == 2
    assert sum("takes the permission ssm:GetParameter" in line for line in lines) == 1
    put(pull, lag="never")  # a file that must be mended outweighs it
    assert len(told(pull, aws.environment(), code=78)) == 4


@pytest.mark.parametrize(("change", "code", "words"), [
    ({"AWS_REGION": ""}, 78, "no region for AWS: set AWS_REGION"),
    ({"AWS_REGION": "eu west"}, 78, "AWS_REGION takes a region's name"),
    ({"AWS_SECRET_ACCESS_KEY": ""}, 78, "AWS_ACCESS_KEY_ID is set, but not AWS_SECRET_ACCESS_KEY"),
    ({"AWS_SECRET_ACCESS_KEY": "k3y\n"}, 78, "AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN has a blank, a line break"),
    ({"AWS_SESSION_TOKEN": "t\r\nX-Evil: y"}, 78, "AWS_SESSION_TOKEN has a blank, a line break"),
    ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"}, 77, "UnrecognizedClientException"),
    ({"AWS_SESSION_TOKEN": "t"}, 77, "UnrecognizedClientException"),
    ({"AWS_ENDPOINT_URL": "ftp://x"}, 78, "AWS_ENDPOINT_URL takes an http:// or https:// URL"),
    ({"AWS_ENDPOINT_URL_SSM": "x"}, 78, "AWS_ENDPOINT_URL_SSM takes an http:// or https:// URL"),
    ({"AWS_CA_BUNDLE": "/none/x.pem", "AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, 75, "gave up after 5 attempts"),
])
def test_what_the_environment_lacks(ready, change, code, words):
    pull, aws = ready
    lines = told(pull, aws.environment(**change), code=code)
    assert all(words in line for line in lines) and len(lines) == 3
    assert len(aws.requests) <= 1  # what one finds out, all know


def test_a_clock_that_is_wrong(ready):
    pull, aws = ready
    aws.clock_offset = 3600
    assert all("clock" in line for line in told(pull, aws.environment(), code=77))


def test_the_default_region(ready):
    pull, aws = ready
    pull.run(env={**aws.environment(AWS_REGION=""), "AWS_DEFAULT_REGION": aws.region})


def test_an_endpoint_of_its_own(ready):
    pull, aws = ready
    with aws_double() as other:
        other.parameters = aws.parameters
        pull.run(env=aws.environment(AWS_ENDPOINT_URL_SSM=other.url + "/"))
        assert [r.service for r in other.requests] == ["ssm"] and [r.service for r in aws.requests] == ["secretsmanager"]


# ---- faults of AWS -------------------------------------------------------------------------------


def test_asked_again(ready):
    pull, aws = ready
    throttled = json_answer(400, {"__type": "com.amazon#ThrottlingException", "message": "Rate exceeded"})
    aws.faults = [Answer(503), BREAK, LOST, throttled, None, Answer(500, b"<html>"), Answer(429)]
    pull.run(env=aws.environment(), seconds=60 * SLOW)
    pull.sim.whole()
    assert len(aws.requests) == 8


def test_an_answer_that_is_none(ready):
    pull, aws = ready
    aws.lasting = Answer(200, b'{"SecretString":')
    assert [line for line in told(pull, aws.environment(), code=75) if "the answer: not " not in line] == []
    aws.lasting = json_answer(200, {"Name": "x"})
    assert all("the answer: n" in line for line in told(pull, aws.environment(), code=75))


def test_aws_is_down(ready):
    pull, aws = ready
    aws.lasting = Answer(503)
    assert all("gave up after 5 attempts" in line and ": 503" in line for line in told(pull, aws.environment(), code=75))
    assert len(aws.requests) == 5  # for all of them together


def test_a_signal_meanwhile(ready):
    pull, aws = ready
    aws.lasting = Answer(503, headers={"Retry-After": "20"})
    process = pull.start_run(env=aws.environment())
    wait_until("a call", lambda: aws.requests)
    process.send_signal(signal.SIGTERM)
    result = pull.finish(process, 15 * SLOW)
    assert result.code == -signal.SIGTERM and len(aws.requests) == 1


def test_a_deadline(ready):
    pull, aws = ready
    aws.lasting = Answer(503, headers={"Retry-After": "20"})
    pull.write()
    result = pull.command("run", "-c", pull.path, "--deadline", "3s", code=75, env=aws.environment())
    assert "as the deadline leaves no time for another" in result.err and len(aws.requests) == 1


# ---- TLS -----------------------------------------------------------------------------------------


@pytest.fixture
def tls(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    return context


def test_tls(ready, tls, certificates):
    pull, aws = ready
    with aws_double(tls) as secure:
        secure.secrets, secure.parameters = aws.secrets, aws.parameters
        pull.run(env=secure.environment(AWS_CA_BUNDLE=str(certificates / "ca.pem")))
        lines = told(pull, secure.environment(), code=75)
        assert all("AWS_CA_BUNDLE names the authority to trust" in line for line in lines)
    assert ACCESS_KEY not in "".join(lines)
