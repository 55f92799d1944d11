"""What each platform yields goes into a real Collector, which writes it to its file unchanged: resources,
scopes and records as our own strict sink got them, whose simulator has judged them whole."""

import json
import subprocess
import urllib.request
from collections import Counter

import pytest

from conftest import BUILD, SECONDS, process, run_collector, wait_for

APP = "shop-1"
KEYS = {
    "forge": {"app_id": APP, "environment_id": "66666666-7777-4888-8999-000000000000",
              "email": "dev@example.com", "api_token": "sim-token"},
    "nodion": {"application_id": APP, "api_key": "sim-token"},
    "fly": {"app": APP, "token": "sim-token"},
    "scalingo": {"app": APP, "api_token": "sim-token"},
    "hoody": {"token": "sim-token"},
}  # fmt: skip
WHERE = {"scalingo": ("auth_endpoint", "api_endpoint"), "hoody": ("base_url",)}


def get(url):
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        return [json.loads(line) for line in answer]


def run(folder, platform, api, collector, encoding):
    """A run with a state of its own."""
    url = api + ("/api/proxy-logs" if platform == "hoody" else "")
    source = {"name": "shop", "type": platform, **KEYS[platform], "lookback": "3h", "lag": "0s",
              **{key: url for key in WHERE.get(platform, ("endpoint",))},
              "rate_limit": {"calls": 10000, "period": "1m"}}  # fmt: skip
    config = {"sources": [source], "exporter": {"endpoint": collector, "encoding": encoding, "max_batch_records": 300},
              "state": {"path": str(folder / "state")}}  # fmt: skip
    folder.mkdir()
    (folder / "otlpull.yaml").write_text(json.dumps(config))
    command = [BUILD / "otlpull", "run", "--config", folder / "otlpull.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * SECONDS)
    assert done.returncode == 0, done.stderr


def by_content(resource, scope, record):
    """One record with all that stands around it, whatever the order of what has none; the Collector leaves
    out what is empty."""
    record = {k: v for k, v in record.items() if k != "observedTimeUnixNano" and v not in ("", "0", [])}
    attributes = sorted(json.dumps(a, sort_keys=True) for a in resource.get("attributes", []))
    return json.dumps([attributes, scope, record], sort_keys=True)


@pytest.mark.parametrize("encoding", ["json", "proto"])
@pytest.mark.parametrize("platform", KEYS)
def test_unchanged(tmp_path, platform, encoding):
    ports = tmp_path / "ports"
    command = [BUILD / "otlpull-sim", "--platform", platform, "--app", APP, "--ports-file", ports, "--no-live",
               "--hours", "2", "--records", "1500", "--twins", "5", "--seed", "11", "--rate", "0"]  # fmt: skip
    with process(*command, log=tmp_path / "sim.log"), run_collector(tmp_path) as collector:
        wait_for("ports of the simulator", ports.exists)
        port = dict(line.split("=") for line in wait_for("ports", ports.read_text).split())
        api, sink = (f"http://127.0.0.1:{port[name]}" for name in ("api", "sink"))
        run(tmp_path / "sink", platform, api, sink, encoding)
        check = get(api + "/_sim/check")[0]
        assert (check["missing"], check["extra"]) == (0, 0) and check["delivered"] == 1500, check
        run(tmp_path / "collector", platform, api, collector.endpoint, encoding)
        logs = collector.written()
        want = Counter(by_content(x["resource"], x["scope"], x["record"]) for x in get(sink + "/_sink/records"))
    got = Counter(by_content(r["resource"], s["scope"], x)
                  for r in logs for s in r["scopeLogs"] for x in s["logRecords"])  # fmt: skip
    assert sum(got.values()) == 1500
    assert {"extra": got - want, "missing": want - got} == {"extra": {}, "missing": {}}
