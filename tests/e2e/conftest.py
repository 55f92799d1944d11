"""The real binary against the simulator: what every scenario needs.

BUILD names the folder of the binaries; with VALGRIND=1 otlpull runs under valgrind and all time limits
are longer. Every process is bounded in time and ends with its test, even when the test is killed.
"""

import json
import os
import re
import subprocess
import threading
import time
from collections import Counter

import pytest
import simulator
from aws_double import aws_double
from simulator import APP, ENVIRONMENT

BUILD = simulator.ROOT / os.environ.get("BUILD", "build")
VALGRIND = bool(os.environ.get("VALGRIND"))
SLOW = 8 if VALGRIND else 1  # by how much longer all may take
SECONDS = 20 * SLOW  # what a run may take where a test says nothing else

OTHER_APP = "22222222-2222-4333-8444-555555555555"
OTHER_ENVIRONMENT = "77777777-7777-4888-8999-000000000000"
TOKEN = "s3cret-t0ken-of-the-tests"
# What none but a record has: the end of each message, its rarer words, its members.
RECORD_TEXT = re.compile(r"#\d|webhook|naïve|日本|stringValue|invocationId|functionKey")
SANITIZER = re.compile(r"Sanitizer|runtime error:|^==\d+==", re.M)

CHECKED = ["valgrind", "-q", "--vgdb=no", "--error-exitcode=99", "--leak-check=full",
           "--errors-for-leak-kinds=definite,indirect,possible"] if VALGRIND else []


def wait_until(what, holds, seconds=10 * SLOW):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.005)


class Sim(simulator.Sim):
    """The simulator, as judge of what otlpull did."""

    wrapper = []

    def __init__(self, folder, *args):
        super().__init__(folder, "--token", TOKEN, *args)
        self.endpoint, self.collector = (f"http://127.0.0.1:{port}" for port in (self.api, self.sink))

    def fault(self, *rules):
        """From now on these rules, in place of those before; none: all is well."""
        self.own("/_sim/fault", "POST", "\n".join(rules))

    def set(self, setting):
        self.own("/_sim/set?" + setting, "POST")

    def calls(self):
        return self.own("/_sim/calls")

    def received(self):
        """The sink's figures."""
        return self.own("/_sink/stats")[0]

    def batches(self):
        return self.own("/_sink/batches")

    def lines(self):
        """Each record that arrived, with its resource and scope."""
        return self.own("/_sink/records")

    def whole(self, **query):
        """That every record arrived, once and unchanged; how many."""
        check = self.check(**query)
        assert (check["missing"], check["extra"]) == (0, 0), check
        assert check["expected"] > 0
        return check["delivered"]

    def arrived(self):
        """How often each message arrived."""
        return Counter(json.dumps(line["record"]["body"]) for line in self.lines())


@pytest.fixture
def start_sim(tmp_path):
    """Start a simulator with these options: no limit of calls and no new records unless they say so."""
    sims = []

    def start(*args):
        defaults = ["--no-live"] + ([] if "--rate" in args else ["--rate", "0"])
        sims.append(Sim(tmp_path, *defaults, *args))
        return sims[-1]

    yield start
    for sim in sims:
        sim.stop()


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds
        self.lines = err.splitlines()
        self.errors = [line for line in self.lines if " error " in line]

    @property
    def summary(self):
        """The figures of the run's one line."""
        lines = [line for line in self.lines if " otlpull: run " in line]
        assert len(lines) == 1, self.err
        return dict(pair.split("=", 1) for pair in lines[0].split() if "=" in pair)

    def says(self, *words):
        """One line of error, with these words in it."""
        assert len(self.errors) == 1, self.err
        for word in words:
            assert word in self.errors[0], self.err
        return self


class Pull:
    """otlpull with a configuration and a state of its own."""

    def __init__(self, folder, sim):
        self.folder, self.sim = folder, sim
        self.path, self.state = folder / "otlpull.yaml", folder / "state"
        quick = {"initial_interval": "20ms", "max_interval": "100ms", "max_elapsed_time": f"{600 * SLOW}ms"}
        self.source = {
            "name": "shop", "type": "forge", "endpoint": sim.endpoint, "app_id": APP,
            "environment_id": ENVIRONMENT, "email": "dev@example.com", "api_token": TOKEN,
            "lookback": "5h", "lag": "0s", "timeout": f"{5 * SLOW}s",
            "rate_limit": {"calls": 1000, "period": "1s"}, "retry_on_failure": quick,
        }
        self.sources = [self.source]
        self.exporter = {"endpoint": sim.collector, "timeout": f"{5 * SLOW}s", "retry_on_failure": quick}
        self.rest = {}
        self.running = []

    def write(self):
        state = {"path": str(self.state)}
        whole = {"sources": self.sources, "exporter": self.exporter, **self.rest}
        whole["state"] = {**state, **self.rest.get("state", {})}
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in whole.items())
        self.path.write_text(text)

    def start(self, *args, env=None, out=subprocess.PIPE, program=BUILD / "otlpull", **options):
        """One that runs; end it with finish()."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FORGE_", "OTLPULL_", "AWS_"))}
        process = subprocess.Popen([*simulator.BOUND, *CHECKED, program, *map(str, args)], stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.PIPE, cwd=self.folder,
                                   env={**clean, **(env or {})}, **options)
        process.began = time.monotonic()
        self.running.append(process)
        return process

    def finish(self, process, seconds=SECONDS):
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"still running after {seconds} s:\n{err.decode()}")
        result = Result(process.returncode, (out or b"").decode(), err.decode(), time.monotonic() - process.began)
        assert not SANITIZER.search(result.err) and result.code != 99, result.err
        assert TOKEN not in result.err and not RECORD_TEXT.search(result.err), result.err
        return result

    def command(self, *args, code=0, seconds=SECONDS, **options):
        result = self.finish(self.start(*args, **options), seconds)
        assert result.code == code, f"exit code {result.code}, not {code}:\n{result.err}"
        return result

    def start_run(self, *args, **options):
        self.write()
        return self.start("run", "-c", self.path, *args, **options)

    def run(self, *args, code=0, seconds=SECONDS, **options):
        result = self.finish(self.start_run(*args, **options), seconds)
        assert result.code == code, f"exit code {result.code}, not {code}:\n{result.err}"
        assert bool(result.errors) == (code != 0), result.err
        return result

    def run_without_summary(self, code):
        """One that ends before there is anything to sum up."""
        result = self.run(code=code)
        assert len(result.lines) == 1, result.err
        return result

    def dead_letters(self, source="shop"):
        path = self.state / f"source-{source}.dead-letter.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def recovers(self):
        """The fault is over: one more run, and every record has arrived once. Its figures."""
        self.sim.fault()
        result = self.run()
        self.sim.whole()
        return result


@pytest.fixture
def aws():
    """AWS's services on loopback."""
    with aws_double() as double:
        yield double


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority of our own, and what it signed: a server on loopback, a client."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=60)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=another authority",
            "-keyout", "other.key", "-out", "other.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ["server", "client"]:
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "names", "-out", f"{name}.pem")
    return folder


@pytest.fixture
def make_pull(tmp_path):
    pulls = []

    def make(sim, folder=None):
        folder = folder or tmp_path / f"pull{len(pulls)}"
        folder.mkdir(exist_ok=True)
        pulls.append(Pull(folder, sim))
        return pulls[-1]

    yield make
    for process in [p for pull in pulls for p in pull.running]:
        process.kill()
        process.communicate()


@pytest.fixture
def setup(start_sim, make_pull):
    """A simulator with these options, and an otlpull to read it."""

    def start(*args):
        sim = start_sim(*args)
        return sim, make_pull(sim)

    return start


@pytest.fixture(scope="session", autouse=True)
def minute(request, tmp_path_factory):
    """Thirty calls a minute, as the vendor has it, take a minute to see: begun before all else, beside
    which it runs, and read by test_whole_minute.py, the last."""
    if not any(item.name == "test_thirty_calls_a_minute" for item in request.session.items):
        yield None
        return
    folder = tmp_path_factory.mktemp("minute")
    sim = Sim(folder, "--no-live", "--hours", 3, "--records", 900, "--page-size", 25, "--rate", "30/1m")
    pull = Pull(folder, sim)
    pull.source["rate_limit"] = {"calls": 30, "period": "1m"}
    results = []

    def work():
        at_once = [pull.start_run(), pull.start_run()]
        results.extend(pull.finish(process, 100 * SLOW) for process in at_once)
        results.append(pull.finish(pull.start_run(), 100 * SLOW))  # just after

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield sim, worker, results
        sim.stop()
    finally:
        for process in [sim.process, *pull.running]:
            process.kill()
        worker.join()
        sim.process.wait()
