"""deploy/kubernetes as kustomize builds it: what an API server would take, and whether its parts agree."""

import re
import subprocess

import pytest
import yaml

from conftest import BUILD, HERE, SECONDS

DEPLOY = HERE.parents[1] / "deploy/kubernetes"


def kustomize(folder):
    """The text of all that `kubectl apply -k` would send."""
    done = subprocess.run([BUILD / "interop/kustomize", "build", folder], capture_output=True, text=True,
                          timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def accepted(text):
    """What is said of each document, and whether all are in order."""
    done = subprocess.run([BUILD / "interop/manifests"], input=text, capture_output=True, text=True,
                          timeout=SECONDS)
    return done.returncode == 0, done.stdout.splitlines(), done.stderr


def objects(text):
    return {(d["kind"], re.sub("-[a-z0-9]{10}$", "", d["metadata"]["name"])): d for d in yaml.safe_load_all(text)}


@pytest.mark.parametrize("folder, kinds", [
    ("base", {"ConfigMap": 2, "CronJob": 1, "Namespace": 1, "NetworkPolicy": 1, "PersistentVolumeClaim": 1}),
    ("overlays/sharded", {"ConfigMap": 1, "CronJob": 1, "Namespace": 1, "NetworkPolicy": 1, "PersistentVolumeClaim": 1}),
])
def test_an_api_server_takes_it(folder, kinds):
    """Every key known to the published types, and the pod let in by the restricted standard."""
    text = kustomize(DEPLOY / folder)
    good, names, complaints = accepted(text)
    assert good, complaints
    found = [name.split()[0] for name in names]
    assert {kind: found.count(kind) for kind in found} == kinds
    whole = objects(text)
    pod = whole["CronJob", "otlpull"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for volume in pod["volumes"]:  # the very ConfigMap that goes with it: a change of it is a new pod's
        if name := volume.get("configMap", {}).get("name"):
            assert any(d["kind"] == "ConfigMap" and d["metadata"]["name"] == name for d in whole.values())
    secrets = accepted((DEPLOY / "base/secrets.example.yaml").read_text())
    assert secrets[0] and secrets[1] == ["Secret otlpull", "Secret otelcol"], secrets


# What must not pass, or the test above says nothing: what to replace, by what, and the complaint.
BROKEN = {
    "a key that is none": ("startingDeadlineSeconds:", "startingDeadlineSecond:", "unknown field"),
    "a word for a number": ("activeDeadlineSeconds: 300", "activeDeadlineSeconds: 5m", "cannot unmarshal"),
    "a kind that is none": ("kind: CronJob", "kind: CronJobs", "unknown kind"),
    "a key twice": ("concurrencyPolicy: Forbid", "concurrencyPolicy: Forbid\n  concurrencyPolicy: Allow",
                    "already set"),
    "a user who may be root": ("runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
    "capabilities": ("- ALL", "- CHOWN", "unrestricted capabilities"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_and_refuses(what):
    old, new, complaint = BROKEN[what]
    text = kustomize(DEPLOY / "base")
    assert old in text
    good, _, said = accepted(text.replace(old, new, 1))
    assert not good and complaint in said, said


def test_the_overlay_changes_no_more_than_it_says():
    base, sharded = (objects(kustomize(DEPLOY / f))["CronJob", "otlpull"]["spec"] for f in ("base", "overlays/sharded"))
    job = sharded["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    assert job["completionMode"] == "Indexed" and job["backoffLimitPerIndex"] == 1
    assert not pod["initContainers"] and "backoffLimit" not in job
    assert [rule["action"] for rule in job["podFailurePolicy"]["rules"]] == ["FailIndex", "Ignore"]
    same = base["jobTemplate"]["spec"]["template"]["spec"]
    for spec in pod, same:
        spec.pop("initContainers")
        spec.pop("volumes")
        spec["containers"][0].pop("env", None)
    assert pod == same
    assert base.pop("jobTemplate") and sharded.pop("jobTemplate") and base == sharded
