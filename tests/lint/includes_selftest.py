"""Shows that includes.py can fail: each row is a file that breaks a rule of STYLE's table."""

import subprocess
import sys
import tempfile
from pathlib import Path

GOOD = {
    "otlp/otlp.h": "#include <stddef.h>\n",
    "otlp/scan.c": '#include "otlp.h"\n\n#include <string.h>\n',
    "src/base/buf.h": "#include <stddef.h>\n",
    "src/base/clock.h": "#include <stdint.h>\n",
    "src/base/jread.c": "#include <json-c/json.h>\n",
    "src/net/http.h": '#include "base/buf.h"\n',
    "src/net/http.c": '#include "http.h"\n\n#include <curl/curl.h>\n',
    "src/net/request.h": '#include "base/buf.h"\n',
    "src/aws/aws.h": '#include "base/buf.h"\n',
    "src/aws/aws.c": '#include "aws.h"\n\n#include "net/http.h"\n#include "config.h"\n',
    "src/net/sha256.c": "#include <openssl/evp.h>\n",
    "src/state/store.h": '#include "base/buf.h"\n',
    "src/state/file.c": '#include "store.h"\n\n#include <xxhash.h>\n',
    "src/source/source.h": '#include "net/request.h"\n#include "otlp/otlp.h"\n',
    "src/source/forge.c": '#include "source.h"\n',
    "src/config.h": '#include "source/source.h"\n',
    "src/config_yaml.c": "#include <yaml.h>\n",
    "src/pull.c": '#include "net/http.h"\n#include "state/store.h"\n',
    "cmd/otlpull/main.c": '#include "config.h"\n',
    "cmd/otlpull-sim/web.c": "#include <microhttpd.h>\n",
}
BAD = [
    ("otlp/scan.c", '#include "otlp.h"\n#include "base/buf.h"\n'),
    ("otlp/scan.c", '#include "otlp.h"\n#include <json-c/json.h>\n'),
    ("src/base/buf.c", "#include <json-c/json.h>\n"),
    ("src/base/buf.h", '#include "config.h"\n'),
    ("src/net/request.c", '#include "otlp/otlp.h"\n'),
    ("src/net/http.c", '#include <curl/curl.h>\n#include "http.h"\n'),
    ("src/state/file.c", '#include "store.h"\n#include "source/source.h"\n'),
    ("src/state/file.c", '#include "store.h"\n#include "otlp/otlp.h"\n'),
    ("src/state/file.c", '#include "store.h"\n#include <curl/curl.h>\n'),
    ("src/config.c", '#include "aws/aws.h"\n'),
    ("src/config.c", '#include "net/http.h"\n'),
    ("src/aws/aws.c", '#include "aws.h"\n#include "state/store.h"\n'),
    ("src/aws/aws.c", '#include "aws.h"\n#include <curl/curl.h>\n'),
    ("src/aws/aws.c", '#include "aws.h"\n#include <openssl/evp.h>\n'),
    ("src/source/forge.c", '#include "source.h"\n#include "base/clock.h"\n'),
    ("src/source/forge.c", '#include "source.h"\n#include "net/http.h"\n'),
    ("src/source/forge.c", '#include "source.h"\n#include "state/store.h"\n'),
    ("src/source/fly.c", '#include "source.h"\n#include "forge.c"\n'),
    ("src/pull.c", "#include <yaml.h>\n"),
    ("src/pull.c", "#include <curl/curl.h>\n"),
    ("src/pull.c", '# include "nowhere.h"\n'),
    ("cmd/otlpull/main.c", "#include <json-c/json.h>\n"),
    ("cmd/otlpull/main.c", "#include <xxhash.h>\n"),
    ("lib/new.c", "\n"),
]
CHECKER = Path(__file__).with_name("includes.py")


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="ascii")


def complaints(root, paths):
    done = subprocess.run([sys.executable, CHECKER, "--root", root, *paths], capture_output=True,
                          text=True, check=False)
    return done.returncode, done.stdout


def main():
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, GOOD)
        code, words = complaints(root, GOOD)
        if code or words:
            print(f"includes_selftest: good files are refused: {words}")
            wrong += 1
        for path, text in BAD:
            write(root, {path: text})
            code, words = complaints(root, [path])
            if code != 1 or not words.startswith(f"{path}: "):
                print(f"includes_selftest: {path} passes with {text!r}")
                wrong += 1
            write(root, {path: GOOD.get(path, "")})
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
