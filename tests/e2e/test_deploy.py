"""deploy/: what starts otlpull, read by the tools that will read it, started as they start it."""

import os
import re
import subprocess

import pytest
import yaml
from conftest import BUILD, CHECKED, SECONDS, TOKEN
from simulator import BOUND, ROOT

DEPLOY = ROOT / "deploy"
SYSTEMD = DEPLOY / "systemd"
UNITS = ["otlpull", "otlpull@"]
EVERY = 300  # seconds: how often all of them start it


def seconds(duration):
    return sum(int(n) * {"s": 1, "m": 60, "h": 3600}[unit] for n, unit in re.findall(r"(\d+)([smh])(?:in)?", duration))


def deadline(words):
    return seconds(words[words.index("--deadline") + 1])


def exit_codes():
    """Those that `otlpull help exit` knows, but for 0: all, and those that a later run may mend."""
    text = subprocess.run([BUILD / "otlpull", "help", "exit"], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^ +(\d+)  (.*)$", text, re.M)
    codes = {int(code): text for code, text in lines if code != "0"}
    return set(codes), {code for code, text in codes.items() if "worth retrying" in text}


# ---- systemd -------------------------------------------------------------------------------------


def systemd_analyze(*args):
    done = subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, done.stdout, done.stderr


def unit_settings(name):
    """What a unit says, by key, in order."""
    settings = {}
    for line in (SYSTEMD / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            settings.setdefault(key, []).append(value)
    return settings


def install_units(folder, *changes):
    """The units as copies that start our build and not one that is installed."""
    changes = [("ExecStart=otlpull ", f"ExecStart={BUILD}/otlpull "), *changes]
    for path in SYSTEMD.iterdir():
        text = path.read_text()
        for old, new in changes:
            text = text.replace(old, new)
        (folder / path.name).write_text(text)
        (folder / path.name.replace("@", "@shop")).write_text(text)
    return [folder / f"{unit}.{kind}" for unit in ("otlpull", "otlpull@shop") for kind in ("service", "timer")]


def verify(units):
    """Of the tool's own will an unknown key is no error, but it says so."""
    code, out, err = systemd_analyze("verify", "--man=no", *units)
    return (code, out + err) == (0, ""), out + err


def test_units_are_valid(tmp_path):
    good, said = verify(install_units(tmp_path))
    assert good, said
    assert sorted(path.name for path in SYSTEMD.iterdir()) == [
        "otlpull.service", "otlpull.timer", "otlpull@.service", "otlpull@.timer"]


@pytest.mark.parametrize("change", [
    ("ProtectClock=", "ProtectClok="), ("TimeoutStopSec=10s", "TimeoutStopSec=soon"), ("OnCalendar=*:0/5", "OnCalendar=5"),
    ("otlpull run", "otlpull-that-is-none run"),
])
def test_invalid_units_are_seen(tmp_path, change):
    good, said = verify(install_units(tmp_path, change))
    assert not good, said


@pytest.mark.parametrize("unit", UNITS)
def test_exposure(tmp_path, unit):
    install_units(tmp_path)
    code, out, err = systemd_analyze("security", "--offline=true", "--threshold=14", tmp_path / f"{unit}.service")
    assert code == 0 and err == "", out + err
    service = tmp_path / f"{unit}.service"
    service.write_text(service.read_text().partition("CapabilityBoundingSet=")[0])
    assert systemd_analyze("security", "--offline=true", "--threshold=14", service)[0] != 0


@pytest.mark.parametrize("unit", UNITS)
def test_times_of_units(unit):
    service, timer = unit_settings(f"{unit}.service"), unit_settings(f"{unit}.timer")
    run = deadline(service["ExecStart"][0].split())
    assert run < seconds(service["TimeoutStartSec"][0]) <= EVERY
    assert service["Type"] == ["oneshot"] and timer["Persistent"] == ["yes"]
    code, out, _ = systemd_analyze("calendar", "--iterations=3", "--base-time=2026-11-21 12:00:01 UTC", timer["OnCalendar"][0])
    assert code == 0 and [t[-2:] for t in re.findall(r"12:\d\d(?=:00 UTC)", out)][:3] == ["05", "10", "15"], out


def test_units_differ_in_names_alone():
    """An instance has its own configuration, token and state, which is not inside another's."""
    plain, instance = (unit_settings(f"{unit}.service") for unit in UNITS)
    differ = {key for key in plain.keys() | instance.keys() if plain.get(key) != instance.get(key)}
    assert differ == {"Description", "ExecStart", "LoadCredential", "StateDirectory", "Environment"}
    assert instance["StateDirectory"] == ["otlpull-%i"] and instance["Environment"] == ["OTLPULL_STATE=%S/otlpull-%i"]
    assert plain["StateDirectory"] == ["otlpull"] and plain["Environment"] == ["OTLPULL_STATE=%S/otlpull"]


def started_by_systemd(pull, unit, log, **more):
    """The service's command with what systemd would hand to it; stderr goes to its journal, `log`."""
    service = unit_settings(f"{unit}.service")
    name, _ = service["LoadCredential"][0].split(":")
    credentials = pull.folder / "credentials"
    credentials.mkdir(exist_ok=True)
    (credentials / name).write_text(TOKEN + "\n")
    words = [str(pull.path) if word == "/etc/otlpull/%i.yaml" else word for word in service["ExecStart"][0].split()]
    assert words[0] == "otlpull"
    variable = service["Environment"][0].split("=")[0]
    with open(log, "wb") as err:
        stream = os.fstat(err.fileno())
        env = {"PATH": "/usr/bin:/bin", "CREDENTIALS_DIRECTORY": str(credentials), variable: str(pull.state),
               "OTLPULL_CONFIG": str(pull.path), "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}", **more}
        done = subprocess.run([*BOUND, *CHECKED, BUILD / "otlpull", *words[1:]], stdin=subprocess.DEVNULL, stderr=err,
                              stdout=subprocess.PIPE, timeout=SECONDS, env=env)
    assert done.stdout == b""
    return done.returncode, log.read_text().splitlines()


def without_state_path(pull):
    pull.source["api_token"] = "${credential:token}"
    pull.write()
    text = pull.path.read_text()
    pull.path.write_text("".join(line for line in text.splitlines(True) if not line.startswith("state:")))


@pytest.mark.parametrize("unit", UNITS)
def test_started_by_systemd(setup, tmp_path, unit):
    """Token from the credential, state in the state directory, priorities in the journal."""
    sim, pull = setup("--hours", 1, "--records", 60)
    without_state_path(pull)
    code, lines = started_by_systemd(pull, unit, tmp_path / "journal")
    assert code == 0 and len(lines) == 1, lines
    assert lines[0].startswith("<6>run complete sources=1 exported=")
    assert sim.whole() == 60 and list(pull.state.glob("source-shop.json"))
    sim.fault("sink:*=401")
    sim.fault("api:*=401")
    code, lines = started_by_systemd(pull, unit, tmp_path / "journal")
    assert code == 77 and [line[:3] for line in lines] == ["<3>", "<6>"], lines
    assert lines[0].startswith("<3>source shop: ")


def test_journal(setup, tmp_path):
    """Only where stderr is the very stream that JOURNAL_STREAM names; JSON stays whole."""
    sim, pull = setup("--hours", 1, "--records", 20)
    without_state_path(pull)
    _, lines = started_by_systemd(pull, "otlpull", tmp_path / "a", JOURNAL_STREAM="1:2")
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z info  otlpull: run complete", lines[0]), lines
    _, lines = started_by_systemd(pull, "otlpull", tmp_path / "b", OTLPULL_LOG_FORMAT="json")
    assert lines[0].startswith("<6>{") and yaml.safe_load(lines[0][3:])["message"] == "run complete", lines


# ---- cron ----------------------------------------------------------------------------------------

CRON = DEPLOY / "cron/otlpull"


def cron_entries():
    """(five times, user, command) of each job, and the variables; as cron(8) reads a file of cron.d."""
    jobs, variables = [], {}
    for line in CRON.read_text().splitlines():
        if line.startswith("#") or not line:
            continue
        if match := re.fullmatch(r"([A-Z]+)=(\S+)", line):
            variables[match[1]] = match[2]
            continue
        words = line.split(None, 6)
        jobs.append((words[:5], words[5], words[6]))
    return jobs, variables


def test_cron_file():
    """What cron passes over in silence: a dot in the name, others who may write, no last newline."""
    assert re.fullmatch("[A-Za-z0-9_-]+", CRON.name) and not CRON.stat().st_mode & 0o022
    assert CRON.read_text().endswith("\n")
    (times, user, command), = cron_entries()[0]
    assert times == ["*/5", "*", "*", "*", "*"] and user == "otlpull"
    assert "%" not in command  # to cron, a newline
    assert "--quiet" in command.split() and deadline(command.split()) < EVERY
    assert cron_entries()[1]["MAILTO"]


def by_cron(pull):
    """What would be mailed of the job, which is started as cron does."""
    jobs, variables = cron_entries()
    env = {**variables, "PATH": f"{BUILD}:{variables['PATH']}", "HOME": str(pull.folder), "LOGNAME": "otlpull",
           "OTLPULL_CONFIG": str(pull.path)}
    done = subprocess.run([*BOUND, env["SHELL"], "-c", jobs[0][2]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=env, cwd=pull.folder, timeout=SECONDS)
    return done.returncode, done.stdout.decode().splitlines()


def test_cron_mails_only_what_is_wrong(setup):
    sim, pull = setup("--hours", 1, "--records", 20)
    pull.write()
    assert by_cron(pull) == (0, [])
    sim.whole()
    sim.fault("api:*=401")
    code, mail = by_cron(pull)
    assert code == 77 and len(mail) == 1 and " error " in mail[0], mail


# ---- Kubernetes ----------------------------------------------------------------------------------

KUBERNETES = DEPLOY / "kubernetes"
BASE, SHARDED = KUBERNETES / "base", KUBERNETES / "overlays/sharded"


def manifest(path):
    return yaml.safe_load(path.read_text())


def job_of(folder):
    """Of a CronJob: itself, its Job, its pod, otlpull in that."""
    cron = manifest(folder / "cronjob.yaml")["spec"]
    job = cron["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    container, = pod["containers"]
    return cron, job, pod, container


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.yaml")), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_yaml(path):
    """Each file is some, and says no key twice, which most readers let pass."""

    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader, node):
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{path}: a key twice in line {node.start_mark.line + 1}"
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    def short_form(loader, tag, node):
        """CloudFormation's !Ref, !Sub and so on: cfn-lint reads what they mean."""
        if isinstance(node, yaml.MappingNode):
            return mapping(loader, node)
        return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value

    Strict.add_constructor("tag:yaml.org,2002:map", mapping)
    Strict.add_multi_constructor("!", short_form)
    assert all(list(yaml.load_all(path.read_text(), Strict)))


def test_cronjob_times():
    """The run ends before its Job does, and that before the next is due."""
    cron, job, pod, container = job_of(BASE)
    assert cron["schedule"] == "*/5 * * * *" and cron["concurrencyPolicy"] == "Forbid"
    start = 30  # images, volumes, the Collector
    assert deadline(container["args"]) + start <= job["activeDeadlineSeconds"] - pod["terminationGracePeriodSeconds"]
    assert job["activeDeadlineSeconds"] <= EVERY
    assert 10 <= cron["startingDeadlineSeconds"] < EVERY


@pytest.mark.parametrize("folder, action", [(BASE, "FailJob"), (SHARDED, "FailIndex")])
def test_exit_codes_of_jobs(folder, action):
    """A code that no later run mends ends the Job; all others are tried again."""
    known, retried = exit_codes()
    assert retried == {69, 75} and {64, 77, 78} <= known
    _, job, _, container = job_of(folder)
    rule, = [rule for rule in job["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert rule["action"] == action
    assert rule["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": sorted(known - retried)}
    assert (job["backoffLimitPerIndex"] if action == "FailIndex" else job["backoffLimit"]) >= 1


def test_the_collector_beside_it():
    """It cannot keep the Job from ending, and is told what it expects."""
    _, _, pod, container = job_of(BASE)
    assert pod["restartPolicy"] == "Never" and container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    collector, = pod["initContainers"]
    assert collector["restartPolicy"] == "Always"
    env = {variable["name"]: variable["value"] for variable in collector["env"]}
    config = (DEPLOY / "collector/otel-collector-config.yaml").read_text()
    assert set(env) == set(re.findall(r"\$\{env:(\w+)", config))
    assert env["HEALTH_ENDPOINT"].endswith(f":{collector['startupProbe']['httpGet']['port']}")
    limiter = yaml.safe_load(config)["processors"]["memory_limiter"]
    assert limiter["limit_mib"] < int(collector["resources"]["limits"]["memory"].removesuffix("Mi"))
    files, = manifest(DEPLOY / "collector/kustomization.yaml")["configMapGenerator"]
    names = {file.split("=")[0]: DEPLOY / "collector" / file.split("=")[-1] for file in files["files"]}
    assert collector["args"] == [f"--config=/etc/otelcol/{name}" for name in names]
    secrets = {d["metadata"]["name"]: d for d in yaml.safe_load_all((BASE / "secrets.example.yaml").read_text())}
    asked = re.findall(r"\$\{env:(\w+)\}", names["exporter.yaml"].read_text())
    assert set(asked) == set(secrets["otelcol"]["stringData"])


def test_shards():
    _, job, _, container = job_of(SHARDED)
    env = {variable["name"]: variable["value"] for variable in container["env"]}
    assert job["completionMode"] == "Indexed"
    assert job["completions"] == job["parallelism"] == int(env["OTLPULL_SHARDS"])


@pytest.mark.parametrize("folder", [BASE, SHARDED])
def test_configurations_load(setup, folder):
    """With the files of the Secret in their place; the volume holds the state."""
    _, pull = setup()
    secrets = next(yaml.safe_load_all((BASE / "secrets.example.yaml").read_text()))
    for name in secrets["stringData"]:
        (pull.folder / name).write_text("x")
    _, _, _, container = job_of(BASE)
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    text = (folder / "otlpull.yaml").read_text()
    pull.path.write_text(text.replace(mounts["secrets"], str(pull.folder)))
    shown = pull.command("check", "-c", pull.path).out
    assert f"path: {mounts['state']}/" in shown and "endpoint: http://localhost:4318" in shown
    assert mounts["otlpull"] == "/etc/otlpull"


def test_backends_of_the_collector():
    """Each adds an exporter whose queue is on disk, and nothing else but its place in the pipeline."""
    files = [path for path in (DEPLOY / "collector").glob("*.yaml")
             if path.name not in ("otel-collector-config.yaml", "kustomization.yaml")]
    assert len(files) == 5
    for path, config in zip(files, map(manifest, files)):
        (name, exporter), = config["exporters"].items()
        assert config["service"] == {"pipelines": {"logs": {"exporters": [name]}}}, path
        assert exporter["sending_queue"]["storage"] == "file_storage", path
        assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s", path
    tails = {path.read_text().partition("    # Never given up")[2].partition("\nservice:")[0] for path in files}
    assert len(tails) == 1 and all(tails)
