"""A simulated Hoody, an otlpull that reads it, and what its tests share."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import TOKEN

PROJECT, CONTAINER = "proj_ab", "cnt_cd"
TENANTS = ["--app", "proj_ab", "--app", "proj_xy", "--environment", "cnt_1", "--environment", "cnt_2"]
MINUTE = 60_000_000_000


class Hoody:
    """A simulator and an otlpull that reads one of its tenants, or with `admin` all."""

    def __init__(self, sim, pull, admin=False, **settings):
        self.sim, self.pull = sim, pull
        self.path = "/api/proxy-logs" if admin else f"/kit/{PROJECT}/{CONTAINER}"
        old = pull.source
        pull.source = {key: old[key] for key in ("name", "timeout", "rate_limit", "retry_on_failure")}
        pull.source.update({"type": "hoody", "base_url": sim.endpoint + self.path, "lookback": "5h", "limit": 50,
                            **settings})
        if admin:
            pull.source["token"] = TOKEN
        pull.sources = [pull.source]
        self.start_ns = time.time_ns()

    def run(self, **options):
        """One run; the URL, which is a credential, is nowhere in what it says or keeps."""
        result = self.pull.run(**options)
        said = result.err + result.out + "".join(p.read_text() for p in self.pull.state.glob("*") if p.is_file())
        assert self.path not in said, said
        return result

    def queries(self):
        """What was asked for so far, as (path, parameters)."""
        parts = [urlsplit(call["target"]) for call in self.sim.calls()]
        assert all(part.path.startswith(self.path + "/_logs") for part in parts)
        return [{key: ",".join(values) for key, values in parse_qs(part.query).items()} for part in parts]

    def see(self, minutes):
        """The platform shows what arrived up to so many minutes before the start."""
        self.sim.set(f"visible-until={self.start_ns - int(minutes * MINUTE)}")

    def whole(self):
        assert self.sim.whole() > 0


@pytest.fixture
def hoody(setup):
    def start(*args, admin=False, **settings):
        scope = [] if "--app" in args else ["--app", PROJECT, "--environment", CONTAINER]
        sim, pull = setup("--platform", "hoody", "--hours", 3, "--records", 400, *scope, *args)
        return Hoody(sim, pull, admin, **settings)

    return start


def attributes(line):
    return {a["key"]: next(iter(a["value"].values())) for a in line["record"]["attributes"]}


def resource(line):
    return {a["key"]: a["value"]["stringValue"] for a in line["resource"]["attributes"]}


SHAPES = {
    "object": [],
    "array": ["--quirk", "array"],
    "ring": ["--quirk", "ring"],
    "small ring": ["--quirk", "ring=60"],
    "no numbers": ["--quirk", "no-ids"],
    "no afterId": ["--quirk", "no-after"],
    "no afterId, arrays": ["--quirk", "no-after", "--quirk", "array"],
    "fewer at once": ["--quirk", "most=30"],
    "fewer at once by offset": ["--quirk", "most=30", "--quirk", "no-after"],
    "purged": ["--quirk", "purge=150"],
    "purged by offset": ["--quirk", "purge=150", "--quirk", "no-after"],
    "purged, of a page": ["--quirk", "purge=100", "--quirk", "no-after"],
    "purged ring": ["--quirk", "purge=150", "--quirk", "ring"],
    "purged, no numbers": ["--quirk", "purge=150", "--quirk", "no-ids"],
}
