"""CPU per page and peak memory of otlpull, beside floor.c, on loopback. README.md says how.

usage: bench.py BUILD
"""

import base64
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

EMAIL, TOKEN = "dev@example.com", "sim-token"
# Records in a page and bytes of their messages: pages of about 100 KB, of about 1 MB.
SMALL, LARGE = (100, 80), (1000, 130)
PAIRS = 7
IDLE_RUNS = 21

CONFIG = """\
sources:
  - name: bench
    type: forge
    endpoint: {sim.api}
    app_id: 11111111-2222-4333-8444-555555555555
    environment_id: 66666666-7777-4888-8999-000000000000
    email: dev@example.com
    api_token: sim-token
    lookback: {sim.hours}h
    lag: 0s
    overlap: 0s
    rate_limit: {{calls: 10000, period: 1s}}
    retry_on_failure: {{max_elapsed_time: 5s}}
exporter:
  endpoint: {sim.sink}
  encoding: {encoding}
  retry_on_failure: {{max_elapsed_time: 5s}}
state:
  path: {state}
"""


class Sim:
    """A simulator with a history of so many pages, and a sink that accepts everything unread."""

    def __init__(self, build, pages, shape, hours):
        self.hours = hours
        records, message_bytes = shape
        self.process = subprocess.Popen(
            [build / "otlpull-sim", "--no-live", "--rate", "0", "--sink-unread", "--sink-keep", "0",
             "--hours", str(hours), "--records", str(pages * records),
             "--page-size", str(records), "--body-bytes", str(message_bytes)],
            stdout=subprocess.PIPE)
        lines = [self.process.stdout.readline().decode().strip() for _ in range(2)]
        ports = dict(line.split("=") for line in lines)
        self.api = f"http://127.0.0.1:{ports['api']}"
        self.sink = f"http://127.0.0.1:{ports['sink']}"

    def get(self, path):
        credentials = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        request = urllib.request.Request(self.api + path,
                                         headers={"Authorization": f"Basic {credentials}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def pages(self):
        """How many it has given out."""
        return json.loads(self.get("/_sim/stats"))["pages"]

    def first_pages(self):
        """The first request of each window that was asked for, as it came."""
        calls = [json.loads(line)["target"] for line in self.get("/_sim/calls").splitlines()]
        return [c for c in calls if "cursor" not in dict(parse_qsl(urlsplit(c).query))]

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.terminate()
        self.process.wait()


class Bench:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.state = folder / "state"

    def run(self, *command, **options):
        """CPU in ms and peak memory in KiB of a command that must succeed."""
        done = subprocess.run([self.build / "bench/measure", *command], capture_output=True,
                              text=True, check=False, **options)
        if done.returncode != 0:
            sys.exit(f"bench: {command[0]} ended with {done.returncode}: {done.stderr}")
        cpu_ms, peak_kib = done.stdout.split()
        return float(cpu_ms), int(peak_kib)

    def otlpull(self, sim, fresh=True, encoding="json"):
        """One run over the whole history; with fresh=False, one with nothing left to do."""
        config = self.folder / "otlpull.yaml"
        config.write_text(CONFIG.format(sim=sim, state=self.state, encoding=encoding),
                          encoding="ascii")
        if fresh:
            shutil.rmtree(self.state, ignore_errors=True)
        return self.run(self.build / "otlpull", "run", "-c", config, "--quiet")

    def floor(self, sim, first_pages):
        requests = self.folder / "first-pages"
        requests.write_text("".join(f"{page}\n" for page in first_pages), encoding="ascii")
        with requests.open(encoding="ascii") as file:
            return self.run(self.build / "bench/floor", sim.api, sim.sink, f"{EMAIL}:{TOKEN}",
                            stdin=file)

    def cpu(self, pages, shape):
        with Sim(self.build, pages, shape, hours=10) as sim:
            self.otlpull(sim)
            first_pages = sim.first_pages()
            page_bytes = len(sim.get(first_pages[1]))
            before = sim.pages()
            self.floor(sim, first_pages)
            pages = sim.pages() - before
            pairs = [(self.otlpull(sim)[0], self.floor(sim, first_pages)[0]) for _ in range(PAIRS)]
        ours, floor = (statistics.median(side) / pages for side in zip(*pairs))
        ratio = statistics.median(ours / floor for ours, floor in pairs)
        print(f"  {pages:5} pages of {page_bytes / 1e3:6.0f} KB"
              f"{ours:12.3f}{floor:12.3f}{ratio:12.2f}", flush=True)

    def encodings(self, pages, shape):
        """Medians of the same runs by JSON and by protobuf."""
        with Sim(self.build, pages, shape, hours=10) as sim:
            self.otlpull(sim)
            pairs = [[self.otlpull(sim, encoding=e)[0] for e in ("json", "proto")]
                     for _ in range(PAIRS)]
        json_ms, proto_ms = (statistics.median(side) / pages for side in zip(*pairs))
        ratio = statistics.median(proto / json for json, proto in pairs)
        print(f"CPU, ms a page of 1 MB: {json_ms:.3f} as JSON, {proto_ms:.3f} as protobuf, "
              f"{ratio:.2f} times that", flush=True)

    def memory(self, pages, hours):
        with Sim(self.build, pages, LARGE, hours) as sim:
            return self.otlpull(sim)[1] / 1024

    def idle(self):
        """Median CPU of a run that finds nothing, how many calls it makes, and of --version."""
        with Sim(self.build, 1, SMALL, hours=1) as sim:
            self.otlpull(sim)
            before = sim.pages()
            idle = statistics.median(self.otlpull(sim, fresh=False)[0] for _ in range(IDLE_RUNS))
            calls = (sim.pages() - before) / IDLE_RUNS
        load = statistics.median(self.run(self.build / "otlpull", "--version")[0]
                                 for _ in range(IDLE_RUNS))
        return idle, calls, load


def main():
    build = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="otlpull-bench-") as folder:
        bench = Bench(build, Path(folder))
        print(f"CPU, ms a page, median of {PAIRS}      otlpull       floor       ratio")
        bench.cpu(200, LARGE)
        bench.cpu(1000, SMALL)

        bench.encodings(200, LARGE)
        few, many = bench.memory(10, hours=1), bench.memory(1000, hours=100)
        print("peak memory, pages of about 1 MB, 10 to the hour")
        print(f"    10 pages {few:10.1f} MiB\n  1000 pages {many:10.1f} MiB, {many / few:.2f} times that")
        print(f"  1000 pages {bench.memory(1000, hours=1):10.1f} MiB where all are in one hour")

        idle, calls, load = bench.idle()
        print(f"a run that finds nothing new, median of {IDLE_RUNS}")
        print(f"  CPU {idle:.1f} ms, of which {load:.1f} ms load the program (--version); {calls:g} call")


if __name__ == "__main__":
    main()
