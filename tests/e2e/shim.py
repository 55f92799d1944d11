"""tests/shim/shim.c from the side of the tests: a run whose n-th call of a kind fails, or that dies there."""

import os

from conftest import BUILD, VALGRIND

SHIM = BUILD / "shim.so"


class Shimmed:
    """What became of a run with a plan such as "write:3=EIO"; "" only counts."""

    def __init__(self, pull, plan="", sanitizer=""):
        log = pull.folder / "shim.log"
        log.unlink(missing_ok=True)
        env = {"LD_PRELOAD": str(SHIM), "OTLPULL_SHIM": plan, "OTLPULL_SHIM_LOG": str(log),
               "OTLPULL_SHIM_STATE": str(pull.state),
               "ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0:{sanitizer}"}
        self.plan, self.result = plan, pull.finish(pull.start_run(env=env))
        said = log.read_text().split() if log.exists() else []
        self.reached = "reached" in said
        self.counts = {kind: int(n) for kind, n in (word.split("=") for word in said if "=" in word)}
        assert self.reached or plan and self.counts or self.counts.get("state"), f"{plan}: the shim was not there"

    def __repr__(self):
        return f"{self.plan}: exit code {self.result.code}\n{self.result.err}"
