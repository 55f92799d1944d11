#!/bin/sh
# Show the exporter at work, on loopback and in a temporary folder: a simulated platform with a few
# hours of an app's logs, a run, what arrived, status, and a second run. With an OpenTelemetry Collector
# (otelcol, otelcol-contrib, ...) on PATH it goes through that too. Called by `make demo`, which takes
# PLATFORM=forge, nodion, fly, scalingo or hoody.
set -eu

cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
PYTHON=${PYTHON:-/usr/bin/python3}
PLATFORM=${PLATFORM:-forge}
app=11111111-2222-4333-8444-555555555555
work=$(mktemp -d)
sim_pid=
collector_pid=

finish() {
    for pid in $sim_pid $collector_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() {
    printf '\n== %s\n' "$*"
}

# Show a command as one would type it, then run it.
show() {
    printf '$ %s\n' "$*" | sed "s|$BUILD/||; s|$work/||g"
    "$@" 2>&1
}

# Wait up to five seconds for a command to succeed.
wait_for() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || {
            echo "demo: gave up waiting for: $*" >&2
            exit 1
        }
        sleep 0.05
    done
}

ask() { # URL
    "$PYTHON" -c 'import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end="")' "$1"
}

# Of the sink's records on stdin: the resource of the first, and three of them, laid out.
lay_out() {
    "$PYTHON" -c '
import json
import sys


def members(value):
    for key, inner in value.items():
        if isinstance(inner, list):
            yield f"  {key}:"
            yield from (f"    {json.dumps(item, ensure_ascii=False)}" for item in inner)
        else:
            yield f"  {key}: {json.dumps(inner, ensure_ascii=False)}"


arrived = [json.loads(line) for line in sys.stdin]
print("resource", *members(arrived[0]["resource"]), sep="\n")
for item in arrived[:3]:
    print("logRecord", *members(item["record"]), sep="\n")
print(f"... and {len(arrived) - 3} more")'
}

# The keys that only this type of source has.
write_keys() {
    case $PLATFORM in
    forge)
        cat <<YAML
    endpoint: http://127.0.0.1:$api
    app_id: $app
    environment_id: 66666666-7777-4888-8999-000000000000
    email: dev@example.com
    api_token: sim-token
YAML
        ;;
    nodion)
        cat <<YAML
    endpoint: http://127.0.0.1:$api
    application_id: $app
    api_key: sim-token
YAML
        ;;
    fly)
        cat <<YAML
    endpoint: http://127.0.0.1:$api
    app: $app
    token: sim-token
YAML
        ;;
    scalingo)
        cat <<YAML
    auth_endpoint: http://127.0.0.1:$api
    api_endpoint: http://127.0.0.1:$api
    app: $app
    api_token: sim-token
YAML
        ;;
    hoody)
        cat <<YAML
    base_url: http://127.0.0.1:$api/api/proxy-logs
    token: sim-token
YAML
        ;;
    *)
        echo "demo: PLATFORM is \"$PLATFORM\", takes forge, nodion, fly, scalingo or hoody" >&2
        exit 2
        ;;
    esac
}

write_config() { # FILE ENDPOINT STATE
    cat >"$1" <<YAML
sources:
  - name: demo
    type: $PLATFORM
$(write_keys)
    lookback: 3h
exporter:
  endpoint: $2
state:
  path: $3
YAML
}

say "A simulated app on $PLATFORM with 3 hours of logs, and a sink that reads OTLP as a Collector does"
"$BUILD/otlpull-sim" --platform "$PLATFORM" --app "$app" --ports-file "$work/ports" --hours 3 --records 900 --no-live --exit-after 5m \
    >/dev/null &
sim_pid=$!
wait_for test -s "$work/ports"
api=$(sed -n 's/^api=//p' "$work/ports")
sink=$(sed -n 's/^sink=//p' "$work/ports")
echo "API on 127.0.0.1:$api, with the platform's limits; sink on 127.0.0.1:$sink"

say "The configuration"
write_config "$work/otlpull.yaml" "http://127.0.0.1:$sink" "$work/state"
cat "$work/otlpull.yaml"

say "One run: the last 3 hours, page by page, to the sink"
show "$BUILD/otlpull" run --config "$work/otlpull.yaml"

say "Three of the records that the sink has"
ask "http://127.0.0.1:$sink/_sink/records" | lay_out

say "Where it stands"
show "$BUILD/otlpull" status --config "$work/otlpull.yaml"

say "A second run looks for records that came late, and sends nothing twice"
show "$BUILD/otlpull" run --config "$work/otlpull.yaml"

say "The simulator compares what it had up to the checkpoint with what the sink has"
checkpoint=$("$BUILD/otlpull" status --json --config "$work/otlpull.yaml" |
    sed -n 's/.*"checkpoint":"\([^"]*\)".*/\1/p')
case $PLATFORM in
forge | nodion) ask "http://127.0.0.1:$api/_sim/check?to=$checkpoint" ;;
*) ask "http://127.0.0.1:$api/_sim/check" ;; # these give all they have, beyond it too
esac

collector=
for name in otelcol otelcol-contrib otelcol-core otelcol-otlp otelcol-k8s; do
    if command -v "$name" >/dev/null; then
        collector=$name
        break
    fi
done
if [ -z "$collector" ]; then
    say "No OpenTelemetry Collector (otelcol, otelcol-contrib) is on PATH: that part is left out"
    exit 0
fi

say "The same into a real Collector: $($collector --version 2>&1 | head -n 1)"
port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/collector.yaml" <<YAML
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:$port
exporters:
  debug:
    verbosity: detailed
service:
  pipelines:
    logs:
      receivers: [otlp]
      exporters: [debug]
  telemetry:
    metrics:
      level: none
YAML
"$collector" --config "$work/collector.yaml" >"$work/collector.log" 2>&1 &
collector_pid=$!
wait_for grep -q 'Everything is ready' "$work/collector.log"
write_config "$work/collector-run.yaml" "http://127.0.0.1:$port" "$work/state-collector"
show "$BUILD/otlpull" run --config "$work/collector-run.yaml"
wait_for grep -q '^LogRecord #' "$work/collector.log"
say "The first of them, as the Collector's debug exporter prints it"
sed -n '/^LogRecord #0/,/^LogRecord #1/p' "$work/collector.log" | sed '/^LogRecord #1/,$d'
echo "... $(grep -c '^LogRecord #' "$work/collector.log") in all"
