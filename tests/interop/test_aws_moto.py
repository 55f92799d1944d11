"""Secrets out of moto, which checks signatures, session tokens and permissions by code of its own."""

import os
import subprocess

import pytest
from conftest import BUILD, CONFIG, DEFAULTS, SECONDS
from moto import REGION, run_moto

TOKEN = "s3cret-of-moto"


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    with run_moto(tmp_path_factory.mktemp("moto")) as running:
        running.call("secretsmanager", "secretsmanager.CreateSecret", Name="forge/prod",
                     SecretString='{"token":"%s","email":"dev@example.com"}' % TOKEN)
        running.call("ssm", "AmazonSSM.PutParameter", Name="/otlpull/app", Value="an-app", Type="SecureString")
        yield running


@pytest.fixture
def checking(moto):
    """It has all that a test prepares before; then moto.enforce() is called."""
    yield moto
    moto.enforce(False)


ALL = (["secretsmanager:GetSecretValue", "ssm:GetParameter"], "*")


def status(folder, env, code=0):
    """otlpull with a configuration that names two secrets and a parameter, which `status` needs too;
    what it says."""
    text = CONFIG % {"folder": folder, "api": "http://127.0.0.1:1", "collector": "http://127.0.0.1:1", **DEFAULTS}
    for line, value in [("email", "${aws-secret:forge/prod#email}"), ("api_token", "${aws-secret:forge/prod#token}"),
                        ("app_id", "${aws-param:/otlpull/app}")]:
        (old,) = (one for one in text.splitlines() if one.startswith(f"    {line}: "))
        text = text.replace(old, f"    {line}: {value}")
    (folder / "otlpull.yaml").write_text(text)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run([BUILD / "otlpull", "status", "-c", folder / "otlpull.yaml"], env={**clean, **env},
                          capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == code, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    return done.stderr


def test_a_user(checking, tmp_path):
    env = checking.user(ALL)
    checking.enforce()
    assert status(tmp_path, env) == ""
    assert status(tmp_path, {**env, "AWS_SECRET_ACCESS_KEY": "another"}, 77).count("SignatureDoesNotMatch: the secret") == 3
    status(tmp_path, {**env, "AWS_ACCESS_KEY_ID": "AKIANOBODYNOBODYNOBO"}, 77)
    status(tmp_path, {**env, "AWS_SESSION_TOKEN": "of-nobody"}, 77)


def test_permissions(checking, tmp_path):
    """The two actions of the README's policy suffice; without one of them it says which."""
    env = checking.user((["secretsmanager:GetSecretValue"], "*"))
    checking.enforce()
    said = status(tmp_path, env, 77)
    assert "takes the permission ssm:GetParameter" in said and "secretsmanager" not in said


def test_a_session_token(checking, tmp_path):
    role = checking.role(ALL)
    keys = checking.query("sts", "2011-06-15", "AssumeRole", RoleArn=role, RoleSessionName="s")
    env = checking.environment(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    checking.enforce()
    status(tmp_path, env)
    said = status(tmp_path, {**env, "AWS_SESSION_TOKEN": keys["SessionToken"] + "x"}, 77)
    assert keys["SessionToken"][:20] not in said
    status(tmp_path, {**env, "AWS_SESSION_TOKEN": ""}, 77)


def test_web_identity(checking, tmp_path):
    """By moto's STS, unchecked: that takes a call without a signature for nobody's."""
    role = checking.role(ALL)
    (tmp_path / "token").write_text("a.web.identity\n")
    env = checking.environment(AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "token"), AWS_ROLE_ARN=role)
    status(tmp_path, env)


def test_ec2(checking, tmp_path):
    """Its metadata, version 2; the keys that moto gives there are nobody's, so that it may not check."""
    status(tmp_path, checking.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=checking.url))


def test_names_that_are_not_there(checking, tmp_path):
    env = checking.user(ALL)
    checking.enforce()
    other = {**env, "AWS_REGION": "us-west-2"}
    said = status(tmp_path, other, 78)  # moto keeps them apart by the region that is signed
    assert said.count("there is none of this name in the region us-west-2") == 3 and REGION not in said
