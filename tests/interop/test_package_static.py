"""`make static`: one program that finds nothing on the machine but its configuration and a CA file."""

import random
import socket
import struct
import subprocess
import threading
import zipfile
from contextlib import contextmanager

import pytest
from conftest import BUILD
from packages import (ARCHES, HOST_ARCH, NAME, VERSION, configure, make_certificates, make_root, peer, put,
                      ready, run_in, static_program)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("arch", ARCHES)
def test_it_asks_for_nothing(arch):
    """No loader, no library, and not a fixed address."""
    read = subprocess.run(["readelf", "-hldW", static_program(arch)], capture_output=True, text=True, check=True)
    assert "INTERP" not in read.stdout and "(NEEDED)" not in read.stdout, read.stdout
    assert "Type:                              DYN" in read.stdout
    assert {"x86_64": "X86-64", "arm64": "AArch64"}[arch] in read.stdout


@pytest.mark.parametrize("arch", ARCHES)
def test_version(tmp_path, arch):
    done = run_in(make_root(tmp_path, arch), "/otlpull", "--version", arch=arch)
    assert (done.returncode, done.stdout) == (0, f"otlpull {VERSION}\n")


# Of a Debian, of Lambda, of a SUSE: where each keeps its bundle.
PLACES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"]
RUNS = [("x86_64", place, "none") for place in PLACES]
RUNS += [("x86_64", "/given.pem", "gzip"), ("x86_64", "/given.pem", "zstd"), ("arm64", PLACES[1], "zstd")]


@pytest.mark.parametrize("arch,place,compression", RUNS)
def test_tls_in_an_empty_root(tmp_path, certificates, arch, place, compression):
    """TLS 1.3 to platform and collector, both trusted by the one file that is there."""
    root = make_root(tmp_path, arch)
    env = {"SSL_CERT_FILE": place} if place == "/given.pem" else {}
    with peer(certificates) as one:
        configure(root, one.urls(), compression)
        done = run_in(root, "/otlpull", "run", arch=arch, env=env)
        assert done.returncode == 75 and "tls.ca_file" in done.stdout, done.stdout  # nobody to trust yet
        assert one.asked == 0
        put(certificates / "ca.pem", root, place)
        done = run_in(root, "/otlpull", "run", arch=arch, env=env)
        assert done.returncode == 0, done.stdout
        assert one.whole()


# ---- names, which the program looks up itself ----------------------------------------------------


def dns_answer(query, addresses):
    """The answer to a question for one name: that many addresses, the first of which is loopback."""
    name_end = query.index(b"\0", 12) + 1
    kind = struct.unpack(">H", query[name_end : name_end + 2])[0]
    found = [socket.inet_aton("127.0.0.1")] + [bytes([127, 1, n >> 8, n & 255]) for n in range(addresses - 1)]
    found = found if kind == 1 else []
    head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0)
    rows = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + address for address in found)
    return head + query[12 : name_end + 4] + rows


@contextmanager
def name_server(addresses):
    """On loopback, over UDP, and over TCP what is too long for that; yields its address and how it was
    asked. Its port is the one that name servers have, its address one that no other is likely to use."""
    asked = []
    address = f"127.{random.randrange(2, 255)}.{random.randrange(256)}.53"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((address, 53))
        udp.bind((address, 53))
        tcp.listen()

        def by_udp():
            while True:
                query, client = udp.recvfrom(4096)
                asked.append("udp")
                answer = dns_answer(query, addresses)
                if len(answer) > 512:  # cut, and said so
                    answer = answer[:2] + b"\x83\x80" + answer[4:6] + b"\0\0" + answer[8:12] + query[12:]
                udp.sendto(answer, client)

        def by_tcp():
            while True:
                with tcp.accept()[0] as client, client.makefile("rb") as stream:
                    while length := stream.read(2):
                        asked.append("tcp")
                        answer = dns_answer(stream.read(struct.unpack(">H", length)[0]), addresses)
                        client.sendall(struct.pack(">H", len(answer)) + answer)

        for work in (by_udp, by_tcp):
            threading.Thread(target=quietly, args=(work,), daemon=True).start()
        yield address, asked


def quietly(work):
    try:
        work()
    except OSError:
        pass  # its socket was closed: the end


@pytest.mark.parametrize("addresses,how", [(1, "udp"), (60, "tcp")])
def test_names(tmp_path, certificates, addresses, how):
    """By the name server of resolv.conf, over TCP where the answer is cut; the modules that nsswitch.conf
    names are not asked for."""
    root = make_root(tmp_path, HOST_ARCH)
    put(certificates / "ca.pem", root, "/etc/ssl/cert.pem")
    (root / "etc/nsswitch.conf").write_text("hosts: mymachines resolve [!UNAVAIL=return] files dns\n")
    with peer(certificates) as one, name_server(addresses) as (address, asked):
        (root / "etc/resolv.conf").write_text(f"nameserver {address}\noptions timeout:2 attempts:2\n")
        configure(root, one.urls(NAME))
        done = run_in(root, "/otlpull", "run")
        assert done.returncode == 0 and one.whole(), done.stdout
        assert how in asked and set(asked) <= {"udp", how}, asked


def test_hosts_file(tmp_path, certificates):
    root = make_root(tmp_path, HOST_ARCH)
    put(certificates / "ca.pem", root, "/etc/ssl/cert.pem")
    (root / "etc/hosts").write_text(f"127.0.0.1 other {NAME}\n")
    with peer(certificates) as one:
        configure(root, one.urls(NAME))
        done = run_in(root, "/otlpull", "run")
        assert done.returncode == 0 and one.whole(), done.stdout


# ---- the zip for Lambda --------------------------------------------------------------------------


def test_lambda_zip():
    with zipfile.ZipFile(BUILD / f"otlpull-lambda-{HOST_ARCH}.zip") as archive:
        bootstrap = archive.getinfo("bootstrap")
        assert bootstrap.external_attr >> 16 & 0o7777 == 0o755
        assert archive.read("bootstrap") == static_program(HOST_ARCH).read_bytes()
        assert "licenses/openssl" in archive.namelist()
        assert sum(entry.compress_size for entry in archive.infolist()) < 50_000_000  # what may be uploaded
