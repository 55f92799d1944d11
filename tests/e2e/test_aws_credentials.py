"""Where the credentials for AWS are found, in which order, and what is said where they are not."""

import ssl

import pytest
import sigv4
from aws_double import Answer, aws_double
from conftest import APP, TOKEN


@pytest.fixture
def ready(setup, aws):
    """An otlpull that has one secret to fetch, so that it needs credentials."""
    sim, pull = setup("--hours", 1, "--records", 10)
    aws.secrets["token"] = TOKEN
    pull.source["api_token"] = "${aws-secret:token}"
    return pull, aws


def used(aws):
    """Whose key the calls were signed with: of ours, or a temporary one."""
    return {r.access_key[:4] for r in aws.requests if r.access_key}


def refused(pull, env, code, *words):
    pull.write()
    result = pull.command("run", "-c", pull.path, code=code, env=env)
    assert TOKEN not in result.err
    for word in words:
        assert word in result.err
    return result.err


def test_the_double_takes_a_published_signature():
    """The example of S3's documentation, "GET Object", so that the double is not wrong with us."""
    signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    key = {"AKIAIOSFODNN7EXAMPLE": sigv4.Key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")}
    headers = [("Host", "examplebucket.s3.amazonaws.com"), ("Range", "bytes=0-9"),
               ("x-amz-content-sha256", sigv4.digest(b"")), ("x-amz-date", "20130524T000000Z"),
               ("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                f"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature={signature}")]
    at = 1369353600
    assert sigv4.verify("GET", "/test.txt", headers, b"", key, at) == ("AKIAIOSFODNN7EXAMPLE", "s3")
    for broken in [("GET", "/test.tx", headers, b""), ("PUT", "/test.txt", headers, b""),
                   ("GET", "/test.txt?a=", headers, b""), ("GET", "/test.txt", headers[:1] + headers[2:], b""),
                   ("GET", "/test.txt", [*headers, ("x-amz-acl", "private")], b""), ("GET", "/test.txt", headers, b"x")]:
        with pytest.raises(sigv4.Refused):
            sigv4.verify(*broken, key, at)
    with pytest.raises(sigv4.Refused, match="RequestTimeTooSkewed"):
        sigv4.verify("GET", "/test.txt", headers, b"", key, at + 901)


# ---- web identity --------------------------------------------------------------------------------


def web_identity(aws, folder, token="header.pay/load+x==.sign"):
    aws.web_identity = token
    (folder / "token").write_text(token + "\n")
    return aws.without_keys(AWS_WEB_IDENTITY_TOKEN_FILE=str(folder / "token"), AWS_ROLE_ARN="arn:aws:iam::1:role/r")


def test_web_identity(ready, tmp_path):
    pull, aws = ready
    pull.run(env=web_identity(aws, tmp_path))
    assert used(aws) == {"ASIA"}
    assert b"RoleSessionName=otlpull&" in aws.requests[0].body
    pull.run(env={**web_identity(aws, tmp_path, "another"), "AWS_ROLE_SESSION_NAME": "nightly"})
    assert b"RoleSessionName=nightly&" in aws.requests[2].body


def test_web_identity_at_sts_of_its_own(ready, tmp_path):
    pull, aws = ready
    with aws_double() as sts:
        env = web_identity(sts, tmp_path)
        sts.keys = aws.keys
        pull.run(env={**env, "AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_STS": sts.url})
        assert len(sts.requests) == 1 and len(aws.requests) == 1


def test_web_identity_refused(ready, tmp_path):
    pull, aws = ready
    env = web_identity(aws, tmp_path)
    aws.web_identity = "otherwise"
    err = refused(pull, env, 77, "400 InvalidIdentityToken", str(tmp_path / "token"))
    assert "pay/load" not in err  # which the answer quotes
    (tmp_path / "token").write_text("\n")
    refused(pull, env, 78, "token: empty")
    (tmp_path / "token").unlink()
    refused(pull, env, 78, "token: No such file or directory")
    refused(pull, {**env, "AWS_ROLE_ARN": ""}, 78, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but not AWS_ROLE_ARN")


# ---- the container's endpoint --------------------------------------------------------------------


def container(aws, **more):
    return aws.without_keys(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/credentials?id=1", **more)


def test_container(ready):
    pull, aws = ready
    pull.run(env=container(aws))
    assert used(aws) == {"ASIA"} and aws.targets()[0] == "/credentials?id=1"


def test_container_with_a_token(ready, tmp_path):
    pull, aws = ready
    aws.container_token = "Basic s3cr/et=="
    pull.run(env=container(aws, AWS_CONTAINER_AUTHORIZATION_TOKEN="Basic s3cr/et=="))
    (tmp_path / "token").write_text("Basic s3cr/et==\n")  # goes before the variable
    env = container(aws, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"),
                    AWS_CONTAINER_AUTHORIZATION_TOKEN="stale")
    pull.run(env=env)
    (tmp_path / "token").write_text("Basic n3w")  # read anew each time
    aws.container_token = "Basic n3w"
    pull.run(env=env)
    aws.container_token = "else"
    assert "n3w" not in refused(pull, env, 77, "credentials from the container's endpoint", "401 AccessDenied")


@pytest.mark.parametrize("uri", ["http://169.254.170.2.example.com/x", "http://169.254.170.2:80@evil.example/x",
                                 "http://192.0.2.1/x", "http://metadata.example/x", "x"])
def test_container_elsewhere(ready, uri):
    """A token, or the credentials, would go over the wire in clear."""
    pull, aws = ready
    env = aws.without_keys(AWS_CONTAINER_CREDENTIALS_FULL_URI=uri, AWS_CONTAINER_AUTHORIZATION_TOKEN="t0ken")
    assert "t0ken" not in refused(pull, env, 78, "AWS_CONTAINER_CREDENTIALS_FULL_URI takes an https:// URL, or http://")


def test_container_with_a_token_that_is_none(ready, tmp_path):
    pull, aws = ready
    refused(pull, container(aws, AWS_CONTAINER_AUTHORIZATION_TOKEN="a\nX: y"), 78, "TOKEN has a line break in it")
    (tmp_path / "token").write_text("a\nX: y\n")
    env = container(aws, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"))
    refused(pull, env, 78, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "not a token, which is one line of text")
    assert not aws.requests


def test_container_without_proxy(ready, certificates):
    """A proxy is for the world: what hands out credentials is on this machine."""
    pull, aws = ready
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    with aws_double(context) as secure:
        secure.secrets, secure.keys = aws.secrets, aws.keys
        env = {**container(aws), "AWS_ENDPOINT_URL": secure.url, "AWS_CA_BUNDLE": str(certificates / "ca.pem"),
               "http_proxy": "http://127.0.0.1:1"}
        pull.write()  # the simulator would be asked through the proxy: that it gets there is enough
        result = pull.command("run", "-c", pull.path, code=75, env=env)
        assert "api_token" not in result.err and len(secure.requests) == 1 and len(aws.requests) == 1


# ---- EC2 -----------------------------------------------------------------------------------------


def ec2(aws, **more):
    return aws.without_keys(AWS_EC2_METADATA_SERVICE_ENDPOINT=aws.url + "/", **more)


def test_ec2(ready):
    pull, aws = ready
    aws.role = "the role/1"  # as it comes, it goes into a URL
    pull.run(env=ec2(aws))
    assert used(aws) == {"ASIA"}
    roles = "/latest/meta-data/iam/security-credentials/"
    assert aws.targets("/latest") == ["/latest/api/token", roles, roles + "the%20role%2F1"]


def test_ec2_without_a_role(ready):
    pull, aws = ready
    aws.role = None
    refused(pull, ec2(aws), 78, "no credentials for AWS: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give",
            "security-credentials/: 404")
    before = len(aws.requests)
    refused(pull, ec2(aws, AWS_EC2_METADATA_DISABLED="True"), 78, "no credentials for AWS")
    assert len(aws.requests) == before
    silent = {**ec2(aws), "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}
    refused(pull, silent, 78, "no credentials for AWS", "gave up after 2 attempts")


# ---- order, expiry -------------------------------------------------------------------------------


def test_the_first_that_is_configured(ready, tmp_path):
    pull, aws = ready
    everything = {**ec2(aws), **container(aws), **web_identity(aws, tmp_path), **aws.environment()}
    pull.run(env=everything)
    assert used(aws) == {"AKIA"} and aws.targets() == ["/"]
    aws.requests.clear()
    without = {k: v for k, v in everything.items() if not k.endswith(("_KEY_ID", "_ACCESS_KEY"))}
    pull.run(env=without)
    assert aws.requests[0].body.startswith(b"Action=") and len(aws.requests) == 2
    aws.requests.clear()
    without["AWS_WEB_IDENTITY_TOKEN_FILE"] = ""
    pull.run(env=without)
    assert aws.targets()[0].startswith("/credentials") and len(aws.requests) == 2
    # One that fails is not passed over: the next is another identity.
    aws.container_token = "must"
    refused(pull, without, 77, "401")


def test_expired_on_the_way(ready):
    """What was good when it was given out is renewed, once, when AWS says that it is no longer."""
    pull, aws = ready
    expired = Answer(400, b'{"__type":"ExpiredTokenException","message":"The security token is expired"}')
    aws.faults = [expired]
    pull.run(env=container(aws))
    assert len(aws.targets("/credentials")) == 2
    aws.lasting = expired
    refused(pull, container(aws), 77, "400 ExpiredTokenException: the credentials have expired")
    assert len(aws.targets("/credentials")) == 4  # and not for ever


def test_expired_for_good(ready):
    pull, aws = ready
    name, key = aws.new_credentials()
    aws.expire_all()
    env = aws.environment(AWS_ACCESS_KEY_ID=name, AWS_SECRET_ACCESS_KEY=key.secret, AWS_SESSION_TOKEN=key.token)
    refused(pull, env, 77, "AWS_SESSION_TOKEN has expired, and nothing here renews what the environment gives")


def test_nonsense_from_the_container(ready):
    pull, aws = ready
    for answer, words in [(b"<html>", "endpoint: not "), (b'{"AccessKeyId":"A"}', "no access key and secret key"),
                          (b'{"AccessKeyId":"A","SecretAccessKey":"b","Token":"t\\r\\nX: y"}', "not printable"),
                          (b'{"AccessKeyId":"A","SecretAccessKey":"b","Expiration":"soon"}', "Expiration is not a time")]:
        aws.container = lambda request, answer=answer: Answer(200, answer)
        refused(pull, container(aws), 75, "the container's credentials endpoint", words)
    aws.container = lambda request: Answer(503)
    refused(pull, container(aws), 75, "503", "gave up after 3 attempts")


def test_an_app_of_a_parameter(ready):
    """Signed alike, at another service."""
    pull, aws = ready
    aws.parameters["/app"] = APP
    pull.source["app_id"] = "${aws-param:/app}"
    pull.run(env=container(aws))
    assert sorted(r.service for r in aws.requests if r.service) == ["secretsmanager", "ssm"]
    assert len(aws.targets("/credentials")) == 1  # fetched once, used for both
