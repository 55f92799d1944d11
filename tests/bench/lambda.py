"""`otlpull lambda` beside a function on Node that does the same job, in AWS's own emulator. README.md says
how; BUILD names the folder of the programs.
"""

import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "interop"))
import rie  # noqa: E402
from conftest import BUILD  # noqa: E402

COLD, WARM, LOADED = 25, 200, 7
PAGES, RECORDS, MESSAGE_BYTES = 50, 1000, 130
APP, ENVIRONMENT = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-000000000000"
CONFIG = """\
sources:
  - name: bench
    type: forge
    endpoint: {api}
    app_id: {app}
    environment_id: {environment}
    email: dev@example.com
    api_token: sim-token
    lookback: 1h
    lag: 0s
    rate_limit: {{calls: 200, period: 1s}}
exporter:
  endpoint: {collector}
state:
  path: {state}
telemetry:
  logs: {{level: error}}
"""


class Sim:
    """The platform, and a collector that accepts everything unread."""

    def __init__(self, build, records):
        self.process = subprocess.Popen(
            [build / "otlpull-sim", "--no-live", "--rate", "0", "--sink-unread", "--sink-keep", "0", "--hours", "1",
             "--records", str(records), "--page-size", str(RECORDS), "--body-bytes", str(MESSAGE_BYTES)],
            stdout=subprocess.PIPE)
        ports = dict(self.process.stdout.readline().decode().strip().split("=") for _ in range(2))
        self.api, self.collector = (f"http://127.0.0.1:{ports[name]}" for name in ("api", "sink"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Slate:
    """A platform without a record, which notes when it is first asked."""

    def __init__(self):
        self.asked = None
        slate = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                slate.asked = slate.asked or time.monotonic()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"appLogs":[]}')

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.api = self.collector = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Bench:
    def __init__(self, build, folder, commands):
        self.build, self.folder, self.commands = build, folder, commands

    @contextlib.contextmanager
    def function(self, who, peer):
        """One that no event has started yet, with a state of its own."""
        state, config = self.folder / "state", self.folder / "otlpull.yaml"
        shutil.rmtree(state, ignore_errors=True)
        config.write_text(CONFIG.format(api=peer.api, collector=peer.collector, app=APP, environment=ENVIRONMENT, state=state))
        env = {"OTLPULL_CONFIG": str(config), "API": peer.api, "COLLECTOR": peer.collector, "APP_ID": APP,
               "ENVIRONMENT_ID": ENVIRONMENT, "EMAIL": "dev@example.com", "TOKEN": "sim-token", "WINDOW_MS": "3599000"}
        with rie.function(self.folder, *self.commands[who], env=env) as one:
            yield one

    def cold(self, who):
        """From the caller's request, which starts the program, to its first call of the platform, in ms."""
        with Slate() as slate, self.function(who, slate) as one:
            began = time.monotonic()
            invoke(one)
            return (slate.asked - began) * 1000

    def warm(self, who):
        """Invocations that find nothing new: each one's ms, and the peak memory."""
        with Sim(self.build, 0) as sim, self.function(who, sim) as one:
            invoke(one)
            return [invoke(one)[1] for _ in range(WARM)], peak_mib(one)

    def loaded(self, who):
        """The first invocation, with an hour's records: ms, peak memory."""
        with Sim(self.build, PAGES * RECORDS) as sim, self.function(who, sim) as one:
            answer, ms = invoke(one)
            if answer["exported"] < 0.99 * PAGES * RECORDS:
                raise SystemExit(f"lambda: {who}: {answer}")
            return ms, peak_mib(one)


def invoke(function):
    """The answer, which must be no error, and how long it took in ms."""
    began = time.monotonic()
    status, answer = function.invoke({})
    ms = (time.monotonic() - began) * 1000
    if status != 200 or "exported" not in answer:
        raise SystemExit(f"lambda: {status}: {answer}")
    return answer, ms


def peak_mib(function):
    status = Path(f"/proc/{function.pid()}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024


def commands_of(build, folder):
    """What is measured, by its name; otlpull is first."""
    found = {}
    static = build / "static" / ("arm64" if platform.machine() == "aarch64" else "x86_64") / "otlpull"
    for name, program in ("otlpull", build / "otlpull"), ("otlpull, static", static):
        if program.exists():
            bootstrap = folder / name.replace(", ", "-") / "bootstrap"
            bootstrap.parent.mkdir()
            bootstrap.symlink_to(program.absolute())
            found[name] = [bootstrap]
    node = shutil.which("node")
    if not node:
        raise SystemExit("lambda: node is not on PATH")
    found["Node"] = [node, HERE / "lambda_loop.mjs", HERE / "lambda_sample.mjs"]
    return found


def main():
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # the state is none of a disk's on Lambda
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        bench = Bench(BUILD, folder, commands_of(BUILD, folder))
        rows = list(bench.commands)
        cold = {who: [] for who in rows}
        for _ in range(COLD):  # in turn
            for who in rows:
                cold[who].append(bench.cold(who))
        warm = {who: bench.warm(who) for who in rows}
        loaded = {who: [] for who in rows}
        for _ in range(LOADED):
            for who in rows:
                loaded[who].append(bench.loaded(who))
        show(rows, cold, warm, loaded)


def show(rows, cold, warm, loaded):
    heads = "cold start, ms", "idle, ms", "peak, MiB", f"{PAGES} pages, ms", "peak, MiB"
    print(f"{'median (least)':26}" + "".join(f"{head:>18}" for head in heads))
    table = {who: (cold[who], warm[who][0], [warm[who][1]], [ms for ms, _ in loaded[who]], [mib for _, mib in loaded[who]])
             for who in rows}
    for who, columns in table.items():
        print(f"{who:26}" + "".join(f"{both(c, digits):>18}" for c, digits in zip(columns, (1, 2, 1, 0, 1))))
    for who in rows[1:]:
        ratios = (statistics.median(b) / statistics.median(a) for a, b in zip(table[rows[0]], table[who]))
        print(f"{who + ' / ' + rows[0]:26}" + "".join(f"{r:18.2f}" for r in ratios))


def both(figures, digits):
    if len(figures) == 1:
        return f"{figures[0]:.{digits}f}"
    return f"{statistics.median(figures):.{digits}f} ({min(figures):.{digits}f})"


if __name__ == "__main__":
    main()
