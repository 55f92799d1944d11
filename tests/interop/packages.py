"""What the tests of packages share: a platform and a collector that speak TLS, and roots of file
systems in which a program finds nothing but what a test put there."""

import contextlib
import gzip
import json
import os
import pathlib
import platform
import re
import shutil
import ssl
import subprocess
import threading
import time
from ctypes import CDLL, c_char_p, c_size_t, create_string_buffer
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import APP, BUILD, ENVIRONMENT, SECONDS, records

ROOT = pathlib.Path(__file__).parents[2]
VERSION = re.search(r"^VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)[1]
ARCHES = ["x86_64", "arm64"]
HOST_ARCH = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
USER = 65532  # of the image and of the manifests
NAME = "platform.example.test"

CONFIG = f"""
sources:
  - name: shop
    type: forge
    endpoint: %(api)s
    app_id: {APP}
    environment_id: {ENVIRONMENT}
    email: dev@example.com
    api_token: sim-token
    tls: {{min_version: "1.3"}}
    retry_on_failure: {{max_elapsed_time: 1s}}
exporter:
  endpoint: %(collector)s
  compression: %(compression)s
  tls: {{min_version: "1.3"}}
  retry_on_failure: {{max_elapsed_time: 1s}}
state:
  path: /var/lib/otlpull
"""


def static_program(arch):
    return BUILD / "static" / arch / "otlpull"


@pytest.fixture(scope="module", autouse=True)
def ready():
    """To be imported by each file that tests packages."""
    assert os.geteuid() == 0, "chroot and debootstrap want root"
    assert static_program(ARCHES[-1]).exists(), "there are no packages: run make packages"


def make_certificates(folder):
    """ca.pem, an authority, and what it signed: a server on loopback, also by its name."""

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=SECONDS)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority",
            "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "names").write_text(f"subjectAltName=IP:127.0.0.1,DNS:{NAME}")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", "server.key",
            "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "names", "-out", "server.pem")
    return folder


def unzstd(data):
    lib = CDLL("libzstd.so.1")
    lib.ZSTD_decompress.restype = c_size_t
    lib.ZSTD_decompress.argtypes = [c_char_p, c_size_t, c_char_p, c_size_t]
    out = create_string_buffer(1 << 20)
    length = lib.ZSTD_decompress(out, len(out), data, len(data))
    return out.raw[:length]


UNPACK = {None: bytes, "gzip": gzip.decompress, "zstd": unzstd}


class Peer:
    """A platform with one page of `records` and a collector in one, over TLS 1.3 alone."""

    def __init__(self, port, texts):
        self.port, self.records = port, texts
        self.asked = 0
        self.received = []  # encoding and body of each POST

    def delivered(self):
        """The texts of all records that arrived, in order."""
        documents = [json.loads(UNPACK[encoding](body)) for encoding, body in self.received]
        logs = [r for d in documents for r in records(d["resourceLogs"])]
        return sorted(r["body"]["stringValue"] for r in logs)

    def whole(self):
        """Every record arrived, once."""
        return self.delivered() == sorted(r["body"]["stringValue"] for r in self.records) != []

    def urls(self, host="127.0.0.1"):
        return {"api": f"https://{host}:{self.port}", "collector": f"https://{host}:{self.port}"}


@contextlib.contextmanager
def peer(certificates, count=3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    now = time.time_ns()
    texts = [{"timeUnixNano": str(now - 600_000_000_000 + n), "severityText": "INFO",
              "body": {"stringValue": f"record {n}"}} for n in range(count)]

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass  # a client that does not trust us hangs up

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, document):
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            one.asked += 1
            self.answer({"appLogs": one.records if one.asked == 1 else []})

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one.received.append((self.headers["Content-Encoding"], body))
            self.answer({})

        def log_message(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        one = Peer(server.server_port, texts)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield one
        server.shutdown()


def make_root(root, arch, program=True):
    """What a program of that architecture needs of a root, which is nothing; and where its state goes."""
    state = root / "var/lib/otlpull"
    state.mkdir(parents=True, exist_ok=True)
    os.chown(state, USER, USER)
    (root / "etc/otlpull").mkdir(parents=True, exist_ok=True)
    if program:
        shutil.copy(static_program(arch), root / "otlpull")
    return root


def emulator(arch):
    """What runs programs of the architecture that is not this machine's."""
    if arch == HOST_ARCH:
        return None
    return pathlib.Path("/usr/bin", f"qemu-{'aarch64' if arch == 'arm64' else arch}-static")


def run_in(root, *command, arch=HOST_ARCH, env=None):
    """A command in that root, as the image's user, with no variables but these; what it said is its
    stdout and stderr in one."""
    inside = list(command)
    if emulator(arch):
        shutil.copy(emulator(arch), root / "emulator")
        inside = ["/emulator", *inside]
    root.chmod(0o755)  # pytest keeps its folders to itself
    words = ["/usr/sbin/chroot", f"--userspec={USER}:{USER}", "--groups=", str(root), *map(str, inside)]
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=2 * SECONDS, env=env or {})


def configure(root, urls, compression="none"):
    """The configuration for a peer, where otlpull looks for it."""
    (root / "etc/otlpull/otlpull.yaml").write_text(CONFIG % {**urls, "compression": compression})


def put(source, root, path):
    """A copy of a file at an absolute path of the root, for all to read."""
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
