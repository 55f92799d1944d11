"""A state in S3 as other people play it: moto, which checks signatures and permissions, and versitygw, which
checks signatures, body hashes and conditions. Each is asked by several runs at once."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import BUILD, CONFIG, DEFAULTS, HERE, SECONDS, free_port, process, wait_for
from moto import REGION, run_moto

sys.path.append(str(HERE.parent / "e2e"))
import simulator  # noqa: E402

CONFIG = CONFIG.replace("    lookback:", "    lag: 0s\n    lookback:")
BUCKET, PREFIX = "otlpull-state", "team/prod"
LEASE = 60  # seconds


class Store:
    """A bucket, and the environment of who may use it."""

    def __init__(self, environment):
        self.environment = environment

    def start(self, folder, *words, template=CONFIG, **settings):
        path = folder / "otlpull.yaml"
        text = template % {"folder": folder, **DEFAULTS, "lookback": "3h", **settings}
        text = re.sub(r"path: .*", f"path: s3://{BUCKET}/{PREFIX}", text)
        if not path.exists() or path.read_text() != text:  # another may read it at this moment
            path.write_text(text)
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        command = ["setpriv", "--pdeathsig", "KILL", BUILD / "otlpull", *words, "-c", path]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**env, **self.environment})

    def finish(self, running, code=0):
        out, err = running.communicate(timeout=4 * SECONDS)
        assert running.returncode == code, err
        return out + err

    def say(self, folder, *words, code=0, **more):
        return self.finish(self.start(folder, *words, **more), code)


def create_bucket_unchecked(url):
    """By a signature that is none, as long as nobody checks."""
    scope = f"mock/20260101/{REGION}/s3/aws4_request"
    body = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0", "Content-Type": "application/xml"}
    request = urllib.request.Request(f"{url}/{BUCKET}", body.encode(), headers, method="PUT")
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        assert answer.status == 200


# What the README says suffices.
POLICY = [(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{BUCKET}/{PREFIX}/*"), (["s3:ListBucket"], f"arn:aws:s3:::{BUCKET}")]


@contextlib.contextmanager
def of_moto(folder):
    with run_moto(folder) as moto:
        create_bucket_unchecked(moto.url)
        store = Store(moto.user(*POLICY))
        store.users = {"reader": moto.user((["s3:GetObject"], "*"), POLICY[1]), "lister": moto.user(POLICY[1]),
                       "no lister": moto.user(POLICY[0])}
        moto.enforce()
        yield store


@contextlib.contextmanager
def of_versitygw(folder):
    port, root = free_port(), folder / "root"
    (root / BUCKET).mkdir(parents=True)  # a bucket is a folder
    access, secret = "otlpull-tests", "a/secret+of=tests"
    command = [BUILD / "interop/versitygw", "--access", access, "--secret", secret, "--region", REGION, "--port", f"127.0.0.1:{port}",
               "posix", root]
    with process(*command, log=folder / "versitygw.log") as p:

        def listens():
            assert p.poll() is None, (folder / "versitygw.log").read_text()
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        wait_for("listening versitygw", listens)
        yield Store({"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}", "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": access,
                     "AWS_SECRET_ACCESS_KEY": secret})


@pytest.fixture(params=[of_moto, of_versitygw], ids=["moto", "versitygw"])
def store(request, tmp_path):
    with request.param(tmp_path) as store:
        yield store


@pytest.fixture
def moto_store(tmp_path):
    with of_moto(tmp_path) as store:
        yield store


@contextlib.contextmanager
def sim(folder, *options):
    with simulator.run(folder, "--no-live", *(() if "--rate" in options else ("--rate", "0")), *options) as one:
        one.urls = {"api": f"http://127.0.0.1:{one.api}", "collector": f"http://127.0.0.1:{one.sink}"}
        yield one


def all_once(sim, count):
    check = sim.check()
    assert (check["missing"], check["extra"], check["delivered"]) == (0, 0, count), check


def test_runs_one_after_the_other(store, tmp_path):
    with sim(tmp_path, "--hours", 1, "--records", 300, "--page-size", 20) as s:
        for exported in (300, 0, 0):
            assert f"exported={exported} " in store.say(tmp_path, "run", **s.urls)
        all_once(s, 300)
        assert '"exported":0' in store.say(tmp_path, "status", "--json", **s.urls)


def test_two_writers_at_once(store, tmp_path):
    """Of three runs one works and two leave it to that, again and again."""
    with sim(tmp_path, "--hours", 1, "--records", 300, "--page-size", 10, "--latency", "10ms") as s:
        for _ in range(4):
            running = [store.start(tmp_path, "run", **s.urls) for _ in range(3)]
            said = "".join(store.finish(one) for one in running)
            assert " error " not in said, said
        all_once(s, 300)


def test_one_budget_for_two(store, tmp_path):
    """Two runs at once with sources of their own of one app: never more calls than it may make."""
    template = CONFIG.replace("calls: 10000, period: 1m", "calls: 30, period: 3s")
    with sim(tmp_path, "--hours", 1, "--records", 600, "--page-size", 10, "--rate", "30/3s") as s:
        running = []
        for name, levels in ("a", "TRACE, DEBUG, INFO"), ("b", "WARN, ERROR, FATAL"):
            folder = tmp_path / name
            folder.mkdir()
            own = template.replace("name: shop", f"name: {name}\n    levels: [{levels}]", 1)
            running.append(store.start(folder, "run", template=own, **s.urls))
        for one in running:
            store.finish(one)
        all_once(s, 600)
        stats = s.stats()
        assert stats["max_in_period"] <= 30 and set(stats["by_status"]) == {"200"} and stats["calls"] > 60, stats


def test_dead_letters(store, tmp_path):
    with sim(tmp_path, "--hours", 1, "--records", 300, "--sink-refuse", "#12") as refusing:
        store.say(tmp_path, "run", **refusing.urls)
        listed = store.say(tmp_path, "dead-letter", "list", **refusing.urls)
        assert re.search(r"shop: [1-9]\d* dead letter", listed), listed
    with sim(tmp_path) as accepting:
        store.say(tmp_path, "dead-letter", "replay", **accepting.urls)
        assert accepting.own("/_sink/stats")[0]["records"] > 0
        assert "shop" not in store.say(tmp_path, "dead-letter", "list", **accepting.urls)


@pytest.mark.parametrize("store", [of_moto], indirect=True, ids=["moto"])
def test_lease_of_a_dead_run(store, tmp_path):
    """By a clock that nobody moves: taken over after its end, and not before."""
    with sim(tmp_path, "--hours", 1, "--records", 200, "--page-size", 10, "--latency", "50ms") as s:
        running = store.start(tmp_path, "run", **s.urls)
        wait_for("some calls", lambda: s.stats()["calls"] >= 3)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        died, calls = time.monotonic(), s.stats()["calls"]
        while "held by another run" in store.say(tmp_path, "run", **s.urls):
            assert s.stats()["calls"] == calls and time.monotonic() - died < 2 * LEASE
            time.sleep(1)
        assert LEASE - 3 < time.monotonic() - died < LEASE + 15
        all_once(s, 200)


WRONG_SECRET = {"AWS_SECRET_ACCESS_KEY": "another"}, 77, "SignatureDoesNotMatch"
UNKNOWN_KEY = {"AWS_ACCESS_KEY_ID": "AKIANOBODYNOBODYNOBO"}, 77, "InvalidAccessKeyId"
ANOTHER_REGION = {"AWS_REGION": "us-east-2"}, 78, REGION
BAD = [(of_moto, WRONG_SECRET), (of_moto, UNKNOWN_KEY), (of_versitygw, WRONG_SECRET), (of_versitygw, ANOTHER_REGION)]


@pytest.mark.parametrize("store, bad", BAD, indirect=["store"],
                         ids=["moto-secret", "moto-key", "versitygw-secret", "versitygw-region"])
def test_refused(store, tmp_path, bad):
    env, code, word = bad
    with sim(tmp_path, "--records", 10) as s:
        good, store.environment = store.environment, {**store.environment, **env}
        said = store.say(tmp_path, "run", code=code, **s.urls)
        assert word in said and s.stats()["calls"] == 0, said
        store.environment = good
        store.say(tmp_path, "run", **s.urls)


def test_permissions(moto_store, tmp_path):
    """Each that is missing is named; but for s3:ListBucket, without which a run does."""
    store = moto_store
    with sim(tmp_path, "--hours", 1, "--records", 60) as s:
        for user, code, words in (("reader", 77, "s3:PutObject"), ("lister", 77, "s3:GetObject"), ("no lister", 0, "exported=60")):
            store.environment = store.users[user]
            said = store.say(tmp_path, "run", code=code, **s.urls)
            assert words in said, said
        all_once(s, 60)
