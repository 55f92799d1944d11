"""`make image`: what is in it, who runs it, and that it runs: its root under chroot."""

import hashlib
import io
import json
import os
import tarfile

import pytest
import yaml
from conftest import BUILD
from packages import (HOST_ARCH, ROOT, USER, VERSION, configure, make_certificates, peer, put, ready, run_in,
                      static_program)

ARCHIVE = BUILD / f"otlpull-image-{HOST_ARCH}.tar"


class Image:
    """An OCI archive, read as its specification says, every blob checked by its name."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            self.files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
        index = json.loads(self.files["index.json"])
        (entry,) = index["manifests"]
        self.name = entry["annotations"]["org.opencontainers.image.ref.name"]
        manifest = json.loads(self.blob(entry))
        self.config = json.loads(self.blob(manifest["config"]))
        self.layers = [self.blob(layer) for layer in manifest["layers"]]

    def blob(self, descriptor):
        kind, digest = descriptor["digest"].split(":")
        data = self.files[f"blobs/{kind}/{digest}"]
        assert hashlib.new(kind, data).hexdigest() == digest and len(data) == descriptor["size"]
        return data


@pytest.fixture(scope="module")
def image():
    return Image(ARCHIVE)


@pytest.fixture
def root(image, tmp_path):
    """Its file system, with the owners that it says."""
    for layer in image.layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            tar.extractall(tmp_path, numeric_owner=True)
    return tmp_path


def test_settings(image):
    config = image.config["config"]
    assert image.name == f"otlpull:{VERSION}"
    assert config["User"] == f"{USER}:{USER}" and config["WorkingDir"] == "/var/lib/otlpull"
    assert config["Entrypoint"] == ["/usr/bin/otlpull"] and config["Cmd"] == ["run"]
    assert image.config["architecture"] == {"x86_64": "amd64"}.get(HOST_ARCH, HOST_ARCH)
    assert image.config["os"] == "linux"


def test_contents(root):
    files = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    notices = {f for f in files if f.startswith("usr/share/doc/otlpull/")}
    assert files - notices == {"usr/bin/otlpull", "etc/ssl/certs/ca-certificates.crt"}
    assert len(notices) > 5
    assert (root / "usr/bin/otlpull").read_bytes() == static_program(HOST_ARCH).read_bytes()
    bundle = (root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert bundle.count("BEGIN CERTIFICATE") > 50


def test_nothing_but_its_state_is_its_own(root):
    for path in root.rglob("*"):
        status, own = path.lstat(), str(path.relative_to(root)) == "var/lib/otlpull"
        assert status.st_uid == (USER if own else 0), path
        assert not status.st_mode & 0o022, path
    assert (root / "var/lib/otlpull").stat().st_mode & 0o777 == 0o700


def test_it_runs(image, root, tmp_path_factory):
    """As its user, by its entry point, with what a volume would bring: configuration and an authority."""
    certificates = make_certificates(tmp_path_factory.mktemp("tls"))
    put(certificates / "ca.pem", root, "/etc/otlpull/ca.pem")
    entry = [*image.config["config"]["Entrypoint"], *image.config["config"]["Cmd"]]
    env = dict(pair.split("=", 1) for pair in image.config["config"].get("Env", []))
    with peer(certificates) as one:
        configure(root, one.urls())
        done = run_in(root, *entry, env=env)
        assert done.returncode == 75 and "tls.ca_file" in done.stdout, done.stdout  # not in Debian's bundle
        done = run_in(root, *entry, env={**env, "SSL_CERT_FILE": "/etc/otlpull/ca.pem"})
        assert done.returncode == 0 and one.whole(), done.stdout
    state = list((root / "var/lib/otlpull").iterdir())
    assert state and all(path.stat().st_uid == USER for path in state)


def test_kubernetes_names_this_image(image):
    """The manifests say the same name, version and user."""
    base = ROOT / "deploy/kubernetes/base"
    images = {i["name"]: i for i in yaml.safe_load((base / "kustomization.yaml").read_text())["images"]}
    name, version = image.name.split(":")
    assert images["otlpull"]["newName"].rpartition("/")[2] == name and images["otlpull"]["newTag"] == version
    job = yaml.safe_load((base / "cronjob.yaml").read_text())
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    security = pod["securityContext"]
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == image.config["config"]["User"]
    (container,) = pod["containers"]
    assert container["image"] == "otlpull" and "command" not in container
    mounts = [os.path.join("/", m["mountPath"]) for m in container["volumeMounts"]]
    assert image.config["config"]["WorkingDir"] in mounts
