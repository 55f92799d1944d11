"""`make deb`: checked by lintian, installed into a Debian of its own, and purged without a trace."""

import os
import platform
import re
import shutil
import subprocess

import pytest
from conftest import BUILD, SECONDS
from packages import HOST_ARCH, ROOT, VERSION, ready

PACKAGE = BUILD / f"otlpull_{VERSION}-1_{'arm64' if HOST_ARCH == 'arm64' else 'amd64'}.deb"
SUITE = platform.freedesktop_os_release()["VERSION_CODENAME"]
UNITS = ["otlpull.service", "otlpull.timer", "otlpull@.service", "otlpull@.timer"]
MINUTES = 600  # seconds, for a Debian by way of a network


def command(*words, code=0, seconds=4 * SECONDS, **options):
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=seconds, **options)
    assert done.returncode == code, done.stdout
    return done.stdout


def field(name):
    return command("dpkg-deb", "-f", PACKAGE, name).strip()


def libraries():
    """The names of the packages that it depends on."""
    return sorted(re.sub(r" \(.*?\)", "", one) for one in field("Depends").split(", "))


@pytest.fixture(scope="session")
def debian():
    """The smallest Debian with systemd, which does not run, and with what the package depends on; kept
    for the next time."""
    root, made_of = BUILD / "interop/debian", BUILD / "interop/debian.packages"
    packages = ",".join(["systemd", *libraries()])
    if not made_of.exists() or made_of.read_text() != packages:
        shutil.rmtree(root, ignore_errors=True)
        command("debootstrap", "--variant=minbase", f"--include={packages}", SUITE, root, mirror(), seconds=MINUTES)
        made_of.write_text(packages)
    return root


def mirror():
    """Where this machine's own packages come from."""
    targets = command("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages")
    found = [line.split()[0] for line in targets.splitlines() if line.split()[1:] == [SUITE]]
    assert found, f"apt has no package list of {SUITE}: run apt-get update"
    return found[0]


@pytest.fixture
def root(debian, tmp_path):
    """A copy, to be thrown away."""
    command("cp", "-a", "--reflink=auto", debian, tmp_path / "root")
    return tmp_path / "root"


def inside(root, *words, code=0, **options):
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    return command("chroot", root, *words, code=code, env=env, **options)


def install(root):
    shutil.copy(PACKAGE, root / "tmp/otlpull.deb")
    inside(root, "dpkg", "-i", "/tmp/otlpull.deb")
    (root / "tmp/otlpull.deb").unlink()


def files(root):
    """Every file and folder, with what it holds, but for dpkg's records of what it did."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = os.path.join(folder, name)
            short = os.path.relpath(path, root)
            if re.match(r"(var/lib/dpkg|var/log|var/cache)(/|$)", short):
                continue
            content = b""
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as f:
                    content = f.read()
            found[short] = content
    return found


def test_lintian():
    out = command("lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", "--allow-root", PACKAGE)
    assert not re.search("^[EW]: ", out, re.M), out


def test_libraries_are_debians():
    assert field("Version") == f"{VERSION}-1"
    assert {"libc6", "libcurl4", "libjson-c5", "libyaml-0-2", "libzstd1", "zlib1g"} <= set(libraries())


def test_installed(root):
    install(root)
    assert inside(root, "otlpull", "--version") == f"otlpull {VERSION}\n"
    for unit in UNITS:
        assert (root / "lib/systemd/system" / unit).read_bytes() == (ROOT / "deploy/systemd" / unit).read_bytes()
    assert (root / "usr/share/man/man1/otlpull.1.gz").exists()
    assert inside(root, "dpkg-query", "-W", "-f", "${Conffiles}", "otlpull").split()[0] == "/etc/otlpull/otlpull.yaml"
    out = inside(root, "dpkg", "--verify", "otlpull")
    assert "etc" not in out and "bin" not in out, out


def test_configuration_to_fill_in(root):
    """As installed it names what is missing; filled in as its comments say, it is whole."""
    install(root)
    credentials = root / "run/credentials"
    credentials.mkdir()
    (credentials / "token").write_text("sim-token\n")
    check = ["env", "CREDENTIALS_DIRECTORY=/run/credentials", "otlpull", "check"]
    out = inside(root, *check, code=78)
    assert set(re.findall(r"app_id|environment_id|email|api_token", out)) == {"app_id", "environment_id", "email"}, out
    path = root / "etc/otlpull/otlpull.yaml"
    text = path.read_text()
    for key, value in [("app_id", "11111111-2222-4333-8444-555555555555"), ("email", "dev@example.com"),
                       ("environment_id", "66666666-7777-4888-8999-000000000000")]:
        text = text.replace(f"{key}: ", f"{key}: {value} ", 1)
    path.write_text(text)
    inside(root, *check)


def test_units_as_installed(root):
    """systemd reads them, and neither installing nor upgrading turns the timer on or off."""
    install(root)
    units = [unit.replace("@", "@shop") for unit in UNITS]
    out = command("systemd-analyze", "verify", "--man=no", f"--root={root}", *units)
    assert "otlpull" not in out, out

    def enabled(code):
        return command("systemctl", f"--root={root}", "is-enabled", "otlpull.timer", code=code).strip()

    assert enabled(1) == "disabled"
    command("systemctl", f"--root={root}", "enable", "otlpull.timer")
    install(root)
    assert enabled(0) == "enabled"


def use(root):
    """What an administrator and some weeks leave behind."""
    (root / "etc/otlpull/token").write_text("secret")
    (root / "etc/otlpull/shop.yaml").write_text("sources: []")
    for unit in ("otlpull.timer", "otlpull@shop.timer"):
        command("systemctl", f"--root={root}", "enable", unit)
        (root / "var/lib/systemd/timers").mkdir(parents=True, exist_ok=True)
        (root / f"var/lib/systemd/timers/stamp-{unit}").touch()
    for state in ("otlpull", "otlpull-shop"):
        (root / "var/lib/private" / state).mkdir(parents=True)
        (root / "var/lib/private" / state / "source-shop.json").write_text("{}")
        (root / "var/lib" / state).symlink_to(f"private/{state}")


def test_purge_leaves_nothing(root):
    for folder in ("var/lib/private", "var/lib/systemd/timers"):
        (root / folder).mkdir(parents=True, exist_ok=True)  # systemd's own, once it has run
    before = files(root)
    install(root)
    use(root)
    inside(root, "dpkg", "--purge", "otlpull")
    after = files(root)
    left = {path for path in after if path not in before}
    assert left == set() and after == before


def test_removal_keeps_what_is_the_users(root):
    install(root)
    use(root)
    with open(root / "etc/otlpull/otlpull.yaml", "a", encoding="ascii") as f:
        f.write("# ours\n")
    inside(root, "dpkg", "--remove", "otlpull")
    assert not (root / "usr/bin/otlpull").exists()
    assert (root / "etc/otlpull/token").exists() and (root / "var/lib/otlpull/source-shop.json").exists()
    install(root)
    assert (root / "etc/otlpull/otlpull.yaml").read_text().endswith("# ours\n")
    inside(root, "dpkg", "--purge", "otlpull")
    assert not (root / "etc/otlpull").exists() and not os.path.lexists(root / "var/lib/otlpull")
