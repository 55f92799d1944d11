"""deploy/lambda: a template that cfn-lint knows nothing against, and files that go with it."""

import os
import re
import subprocess

import pytest
import yaml
from conftest import BUILD, HERE, SECONDS

LAMBDA = HERE.parents[1] / "deploy/lambda"
TEMPLATE = LAMBDA / "template.yaml"


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags: !Ref X is {"Ref": "X"}."""


def construct(loader, tag, node):
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence,
             yaml.MappingNode: loader.construct_mapping}
    value = kinds[type(node)](node, **({} if isinstance(node, yaml.ScalarNode) else {"deep": True}))
    return {tag: value}


Loader.add_multi_constructor("!", construct)


@pytest.fixture(scope="module")
def template():
    return yaml.load(TEMPLATE.read_text(), Loader)


def function(template):
    return template["Resources"]["Function"]["Properties"]


def lint(path):
    """What cfn-lint says, down to its hints."""
    return subprocess.run([BUILD / "interop/lambda/bin/cfn-lint", "--include-checks", "I", "--", path], capture_output=True,
                          text=True, timeout=2 * SECONDS)


def test_nothing_against_it():
    done = lint(TEMPLATE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("right, wrong, code", [
    ("LessThanThreshold", "LessThan", "E3030"), ("ReservedConcurrentExecutions", "ReservedConcurrency", "E3002"),
    ("Timeout: !Ref TimeoutSeconds", "Timeout: soon", "E3012"), ("!Ref LogGroup\n", "!Ref LogGruop\n", "E1020"),
    ("RetentionInDays", "RetentionDays", "E3002")])
def test_a_mistake_is_found(tmp_path, right, wrong, code):
    broken = tmp_path / "template.yaml"
    text = TEMPLATE.read_text()
    assert right in text
    broken.write_text(text.replace(right, wrong))
    done = lint(broken)
    assert done.returncode != 0 and re.search(rf"^{code}", done.stdout, re.M), done.stdout


def test_a_run_ends_before_the_next_begins(template):
    defaults = {name: p.get("Default") for name, p in template["Parameters"].items()}
    assert defaults["TimeoutSeconds"] < 60 * defaults["Minutes"]
    invoke = function(template)["EventInvokeConfig"]
    tick = function(template)["Events"]["Tick"]["Properties"]["RetryPolicy"]
    for retries in invoke, tick:
        assert (retries["MaximumRetryAttempts"], retries["MaximumEventAgeInSeconds"]) == (0, 60)
    assert function(template)["ReservedConcurrentExecutions"] == 1


def test_the_role_may_do_what_the_configuration_needs_and_no_more(template):
    statements = template["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    allowed = {action for s in statements for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    assert allowed == {"logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:PutObject",
                       "s3:ListBucket", "secretsmanager:GetSecretValue"}
    assert not [s for s in statements if s["Resource"] == "*"]
    secrets = set(re.findall(r"\$\{aws-secret:([^}#]+)", (LAMBDA / "function/otlpull.yaml").read_text()))
    assert secrets == {template["Parameters"]["SecretName"]["Default"]}


def environment(template):
    """The function's variables, each with a value of its kind."""
    values = {"OTLPULL_CONFIG": str(LAMBDA / "function/otlpull.yaml"), "STATE_BUCKET": "otlpull-state",
              "FORGE_APP_ID": "11111111-2222-4333-8444-555555555555",
              "FORGE_ENVIRONMENT_ID": "66666666-7777-4888-8999-000000000000",
              "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
              "OPENTELEMETRY_COLLECTOR_CONFIG_URI": "/var/task/collector.yaml",
              "BACKEND_ENDPOINT": "https://otlp.example.com"}
    names = function(template)["Environment"]["Variables"].keys()
    assert names == values.keys()
    return values


def test_its_configuration_is_one(template):
    """With the variables that the template sets, and no others."""
    env = {"PATH": os.environ["PATH"], "AWS_REGION": "eu-central-1", **environment(template)}
    done = subprocess.run([BUILD / "otlpull", "check"], env=env, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert "path: s3://otlpull-state/otlpull" in done.stdout and "localhost:4318" in done.stdout


def test_its_collector_is_one(template, tmp_path):
    """The layer's collector fetches the secret; ours, which has no part for that, gets a text."""
    text = (LAMBDA / "function/collector.yaml").read_text()
    file = tmp_path / "collector.yaml"
    file.write_text(re.sub(r"\$\{secretsmanager:[^}]+\}", "Bearer x", text))
    command = [BUILD / "interop/otelcol", "validate", f"--config={file}"]
    done = subprocess.run(command, env={**os.environ, **environment(template)}, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    config = yaml.safe_load(text)
    assert not config["exporters"]["otlphttp"]["sending_queue"]["enabled"] and "processors" not in config
