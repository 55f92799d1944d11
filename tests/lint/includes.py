"""Who may include whom: STYLE's table as rules, checked over the C files given.

usage: includes.py [--root DIR] FILE...

Prints a line for each #include that its file may not have; the exit code says whether there was any.
"""

import argparse
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

# Headers that are no C library's; all others in <> must be libc's.
THIRD_PARTY = {
    "libcurl": r"curl/.*",
    "libcrypto": r"openssl/.*",
    "json-c": r"json-c/.*",
    "libyaml": r"yaml\.h",
    "zlib": r"zlib\.h",
    "zstd": r"zstd\.h",
    "xxhash": r"xxhash\.h",
    "libmicrohttpd": r"microhttpd\.h",
    "cmocka": r"cmocka\.h",
}
LIBC = re.compile(r"(arpa|net|netinet|sys)/\w+\.h|\w+\.h")
COMPILER = {"emmintrin.h"}

# Where a file is, which of our headers it may see, and which libraries. The first that fits counts.
# `stage`: the headers right in src/.
RULES = [
    (r"otlp/", r"otlp/", ""),
    (r"src/base/jread\.[ch]", r"src/base/", "json-c"),
    (r"src/base/", r"src/base/", ""),
    (r"src/net/", r"src/base/|src/net/", "libcurl libcrypto zlib zstd"),
    (r"src/aws/", r"src/base/|src/net/|src/aws/|src/(retry|config|config_url|config_subst)\.h", ""),
    (r"src/lambda/", r"src/base/|src/net/|src/lambda/|otlp/otlp\.h", ""),
    (r"src/state/", r"src/base/|src/net/|src/aws/aws\.h|src/state/", "xxhash"),
    (r"src/source/(sources|entry|hoody_answer)\.c", r"src/base/(?!clock)|otlp/otlp\.h|src/sink\.h|src/source/", "xxhash"),
    (r"src/source/", r"src/base/(?!clock)|src/net/(request|compress)\.h|otlp/otlp\.h|"
     r"src/source/(source|entry|edge|pick|\w+_\w+)\.h", ""),
    (r"src/config[^/]*\.c", r"src/base/|otlp/|src/net/request\.h|src/source/source\.h|src/[^/]+\.h",
     "libyaml"),
    (r"src/[^/]+", r"src/base/|otlp/|src/net/|src/source/source\.h|src/state/|src/aws/|src/[^/]+\.h", "xxhash"),
    (r"cmd/otlpull/", r"src/|otlp/otlp\.h|cmd/otlpull/", ""),
    (r"cmd/otlpull-sim/", r"src/|otlp/|cmd/otlpull-sim/", "libmicrohttpd json-c zlib zstd xxhash"),
    (r"tests/", r"", "libcurl json-c zlib zstd xxhash cmocka libmicrohttpd"),
]


def rule_of(path):
    for place, ours, libraries in RULES:
        if re.match(place, path):
            return re.compile(ours), libraries.split()
    return None


def library_of(header):
    for name, pattern in THIRD_PARTY.items():
        if re.fullmatch(pattern, header):
            return name
    if header in COMPILER or LIBC.fullmatch(header):
        return "libc"
    return f"<{header}>"


def resolve(root, path, header):
    """The file that "header" names: as the compiler looks it up, with -Isrc -I."""
    for folder in (Path(path).parent, Path("src"), Path(".")):
        found = folder / header
        if (root / found).is_file():
            return found.as_posix()
    return None


def own_header_first(path, includes, root):
    own = Path(path).with_suffix(".h")
    if not path.endswith(".c") or path.startswith("tests/") or not (root / own).is_file():
        return None
    first = resolve(root, path, includes[0][1]) if includes and includes[0][0] == '"' else None
    return None if first == own.as_posix() else f'does not include "{own.name}" first'


def problems_of(root, path):
    rule = rule_of(path)
    if not rule:
        yield "stands in no folder that STYLE knows"
        return
    ours, libraries = rule
    includes = INCLUDE.findall((root / path).read_text(encoding="utf-8"))
    late = own_header_first(path, includes, root)
    if late:
        yield late
    for bracket, header in includes:
        if bracket == "<":
            library = library_of(header)
            if library != "libc" and library not in libraries:
                yield f"includes <{header}>: {library} is not for this folder"
            continue
        found = resolve(root, path, header)
        if not found:
            yield f'includes "{header}", which is nowhere'
        elif not ours.match(found):
            yield f'includes "{header}" ({found}), which is not for this folder'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, default=Path("."))
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    found = 0
    for path in arguments.files:
        for problem in problems_of(arguments.root, path):
            print(f"{path}: {problem}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
