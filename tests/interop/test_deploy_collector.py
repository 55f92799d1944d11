"""deploy/collector: files that a real Collector takes, and a queue that outlives it.

Not checked: datadog.yaml and splunk.yaml, whose exporters are not among the parts of our Collector.
"""

import os
import subprocess
import urllib.request
from contextlib import contextmanager

import pytest
import yaml

from conftest import BUILD, HERE, SECONDS, api_with, free_port, otlpull_run, process, run_collector, wait_for

DEPLOY = HERE.parents[1] / "deploy/collector"
BASE = DEPLOY / "otel-collector-config.yaml"
# Where each sends to, and what else it must be told.
BACKENDS = {
    "dynatrace": ("DT_ENDPOINT", "DT_API_TOKEN"),
    "grafana-cloud": ("GRAFANA_OTLP_ENDPOINT", "GRAFANA_OTLP_AUTHORIZATION"),
    "newrelic": ("NEW_RELIC_OTLP_ENDPOINT", "NEW_RELIC_LICENSE_KEY"),
}


def environment(folder, backend, endpoint):
    names = BACKENDS.get(backend, ())
    return {**os.environ, **dict(zip(names, (endpoint, "secret"))), "QUEUE_DIRECTORY": str(folder / "queue")}


def otelcol(folder, backend, *files, command="validate"):
    command = [BUILD / "interop/otelcol", command, *(f"--config={f}" for f in files)]
    return subprocess.run(command, env=environment(folder, backend, "https://otlp.example.com"), timeout=SECONDS,
                          capture_output=True, text=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_valid_with(backend, tmp_path):
    """And all that the files say is in what the Collector makes of them: validate lets keys pass that are
    none, right in an exporter of OTLP or in its retry_on_failure."""
    files = BASE, DEPLOY / f"{backend}.yaml"
    done = otelcol(tmp_path, backend, *files)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = otelcol(tmp_path, backend, *files, command="print-config")
    assert (done.returncode, done.stderr) == (0, "")
    for file in files:
        assert unused(yaml.safe_load(file.read_text()), yaml.safe_load(done.stdout)) == []


def unused(said, used, path=""):
    """The places of what one file says and a Collector's whole configuration has not, or otherwise."""
    if isinstance(said, dict) and isinstance(used, list):  # headers
        used = {pair["name"]: pair["value"] for pair in used}
    if isinstance(said, dict):
        if not isinstance(used, dict):
            return [path]
        return [place for key in said for place in
                (unused(said[key], used[key], f"{path}/{key}") if key in used else [f"{path}/{key}"])]
    hidden = used == {} or "${" in str(said) or "REDACTED" in str(used)  # a sizer, a variable, a secret
    return [] if hidden or str(said).lower() == str(used).lower() else [path]


def test_not_valid(tmp_path):
    """Alone it would drop what it took; and a key that is none is found in either file."""
    assert "must have at least one exporter" in otelcol(tmp_path, "", BASE).stderr
    for name, key in (BASE.name, "limit_mib"), ("newrelic.yaml", "queue_size"):
        broken = tmp_path / name
        broken.write_text((DEPLOY / name).read_text().replace(key, "x" + key))
        files = [broken if f.name == name else f for f in (BASE, DEPLOY / "newrelic.yaml")]
        done = otelcol(tmp_path, "newrelic", *files)
        assert done.returncode != 0 and "x" + key in done.stderr, done.stderr


@contextmanager
def sidecar(folder, backend, endpoint):
    """The Collector of deploy/collector: its URL, once it says that it is in health, and its process."""
    port, health = free_port(), f"127.0.0.1:{free_port()}"
    env = {**environment(folder, backend, endpoint), "HEALTH_ENDPOINT": health}
    command = [BUILD / "interop/otelcol", f"--config={BASE}", f"--config={DEPLOY / backend}.yaml"]
    command += [f"--set=receivers.otlp.protocols.http.endpoint=127.0.0.1:{port}"]
    with process(*command, log=folder / "sidecar.log", env=env) as p:

        def healthy():
            assert p.poll() is None, (folder / "sidecar.log").read_text()
            try:
                return urllib.request.urlopen(f"http://{health}/", timeout=SECONDS).status == 200
            except OSError:
                return False

        wait_for("healthy Collector", healthy)
        yield f"http://127.0.0.1:{port}", p


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_queue_outlives_it(backend, tmp_path):
    """Killed while its backend is away, it still has all that it took from otlpull."""
    names = [f"record-{i}" for i in range(300)]
    texts = [f'{{"eventName":"{name}"}}' for name in names]
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with sidecar(tmp_path, backend, endpoint) as (url, collector), api_with(*texts, page_size=100) as api:
        otlpull_run(tmp_path, api=api, collector=url)
        collector.kill()
        collector.wait()
    with run_collector(tmp_path, port=port) as there, sidecar(tmp_path, backend, endpoint):
        wait_for("record", lambda: len([r for line in there.lines() for r in line]) >= len(names))
        got = [r["eventName"] for line in there.lines() for r in line]
    assert sorted(got) == sorted(names)
