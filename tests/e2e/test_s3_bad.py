"""A state in S3 that cannot be used: each says what to mend, makes no call to the platform and loses
nothing; and what a policy or another store may lack without harm."""

import random
import socket
import time

import pytest
import sigv4
from aws_s3 import ACCESS_KEY, BUCKET, REGION, SECRET_KEY
from cloud import LETTERS, PREFIX, SOURCE, cloud, lease_of, make_cloud, s3  # noqa: F401
from conftest import SLOW

OTHER = "us-west-2"


def refuse_all(s3):
    """A store that takes conditions for unknown."""
    s3.fault("501 NotImplemented", times=99, method="PUT")


# What is wrong: how the bucket or the environment comes to it, the exit code, and words of the message.
BAD = {
    "wrong secret": (lambda s3, env: env.update(AWS_SECRET_ACCESS_KEY="not-the-secret"), 77, ["403", "SignatureDoesNotMatch"]),
    "unknown key": (lambda s3, env: env.update(AWS_ACCESS_KEY_ID="AKIDNOBODY"), 77, ["403", "InvalidAccessKeyId"]),
    "expired token": (lambda s3, env: (s3.keys.update({ACCESS_KEY: sigv4.Key(SECRET_KEY, "a-token", time.time() - 9)}),
                                       env.update(AWS_SESSION_TOKEN="a-token")), 77, ["expired"]),
    "wrong token": (lambda s3, env: env.update(AWS_SESSION_TOKEN="of-another-role"), 77, ["InvalidToken"]),
    "may not write": (lambda s3, env: s3.denied.add("s3:PutObject"), 77, ["403", "AccessDenied", "s3:PutObject"]),
    "may do nothing": (lambda s3, env: s3.denied.update({"s3:PutObject", "s3:GetObject", "s3:ListBucket"}), 77,
                       ["403", "AccessDenied", "s3:GetObject"]),
    "clock is wrong": (lambda s3, env: (setattr(s3, "ahead", 1200), setattr(s3, "strict_time", True)), 77,
                       ["RequestTimeTooSkewed", "clock"]),
    "no such bucket": (lambda s3, env: s3.buckets.clear(), 78, ["NoSuchBucket", "state.path", REGION]),
    "wrong region": (lambda s3, env: env.update(AWS_REGION=OTHER), 78, ["AuthorizationHeaderMalformed", REGION, OTHER]),
    "moved": (lambda s3, env: setattr(s3, "moved", OTHER), 78, ["301", REGION, OTHER]),
    "no region": (lambda s3, env: env.pop("AWS_REGION"), 78, ["AWS_REGION"]),
    "no credentials": (lambda s3, env: (env.pop("AWS_ACCESS_KEY_ID"), env.pop("AWS_SECRET_ACCESS_KEY")), 78, ["credentials"]),
    "ignores If-None-Match": (lambda s3, env: s3.ignores.add("if-none-match"), 78, ["conditional writes"]),
    "ignores If-Match": (lambda s3, env: s3.ignores.add("if-match"), 78, ["conditional writes"]),
    "knows no conditions": (lambda s3, env: refuse_all(s3), 78, ["conditional writes", "NotImplemented"]),
    "nobody listens": (lambda s3, env: env.update(AWS_ENDPOINT_URL_S3=closed_port()), 74, ["gave up after", "state s3://"]),
    "not a URL": (lambda s3, env: env.update(AWS_ENDPOINT_URL_S3="minio:9000"), 78, ["AWS_ENDPOINT_URL_S3"]),
}
HARMS_WRITERS_ALONE = ["may not write", "ignores If-None-Match", "ignores If-Match", "knows no conditions"]


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}"


@pytest.mark.parametrize("what", BAD)
def test_bad(cloud, what):
    spoil, code, words = BAD[what]
    sim, pull, s3 = cloud("--records", 60)
    good, policy = dict(pull.environment), (dict(s3.keys), dict(s3.buckets))
    spoil(s3, pull.environment)
    result = pull.run(code=code, seconds=60 * SLOW).says(*words)
    assert len(result.errors[0]) < 700, "too long to be read"
    assert sim.stats()["calls"] == 0 and sim.received()["requests"] == 0
    if what not in HARMS_WRITERS_ALONE:
        pull.say("status", code=code, seconds=60 * SLOW)
    pull.environment = good
    s3.keys, s3.buckets = policy
    s3.denied.clear(), s3.ignores.clear(), s3.calm()
    s3.ahead, s3.strict_time, s3.moved = 0, False, None
    pull.recovers()


@pytest.mark.parametrize("path, words", [
    ("s3://", "bucket of 3 to 63"), ("s3://ab/x", "bucket of 3 to 63"), ("s3://My_Bucket/x", "bucket of 3 to 63"),
    ("s3://-bucket/x", "bucket of 3 to 63"), ("s3://a..bucket/x", "bucket of 3 to 63"), ("s3://bucket/a b", "a prefix of"),
    ("s3://bucket/a//b", "a prefix of"), ("s3://bucket/../b", "a prefix of"), ("s3://bucket/ä", "a prefix of"),
    ("s3://bucket/a=b", "a prefix of"), ("s3://bucket/" + "x" * 800, "a prefix of"),
    ("gs://bucket/x", "s3://bucket/prefix"), ("https://s3.amazonaws.com/bucket", "s3://bucket/prefix"),
])
def test_path_that_is_none(cloud, path, words):
    sim, pull, s3 = cloud("--records", 10)
    pull.state = path
    result = pull.say("check", code=78)
    assert "state.path" in result.err and words in result.err and "otlpull.yaml:" in result.err
    pull.run(code=78)
    assert s3.requests == []


@pytest.mark.parametrize("path", [f"s3://{BUCKET}", f"s3://{BUCKET}/", f"s3://{BUCKET}/a/b.c/D_~9-/"])
def test_path(cloud, path):
    """And `check` makes no call."""
    sim, pull, s3 = cloud("--records", 60)
    pull.state = path
    assert path in pull.say("check").out and s3.requests == []
    pull.run()
    prefix = path.removeprefix(f"s3://{BUCKET}").strip("/")
    assert (prefix + "/source-shop.json").lstrip("/") in s3.objects
    assert pull.run().summary["exported"] == "0"
    assert sim.whole() == 60


def test_session_token(cloud):
    sim, pull, s3 = cloud("--records", 60)
    token = "x/+=" * 700
    s3.keys[ACCESS_KEY] = sigv4.Key(SECRET_KEY, token)
    pull.environment["AWS_SESSION_TOKEN"] = token
    pull.run()
    assert sim.whole() == 60


def test_a_store_that_tells_no_etag_of_what_was_written(cloud):
    """Then it is asked for."""
    sim, pull, s3 = cloud("--records", 60)
    s3.tells_etags = False
    pull.run()
    assert pull.run().summary["exported"] == "0"
    assert sim.whole() == 60 and lease_of(s3.objects[SOURCE])[0] is None
    assert all(r.condition for r in s3.requests if r.method == "PUT")


def test_without_the_right_to_list(cloud):
    """What is missing then looks as what is denied."""
    sim, pull, s3 = cloud("--hours", 1, "--records", 170, "--sink-refuse", "#12")
    s3.denied.add("s3:ListBucket")
    pull.say("status", code=77).says("s3:ListBucket")  # nothing there, not even what would tell
    pull.run()
    assert pull.dead_letters()
    s3.delete(LETTERS)
    before = len(s3.requests)
    assert pull.run().summary["exported"] == "0"
    assert len(s3.requests) - before <= 8, s3.asked(before)
    assert "last run" in pull.say("status").out
    listed = pull.say("dead-letter", "list", code=77)  # its own; those of sources that are no more it cannot find
    listed.says("s3:ListBucket")
    pull.source["name"] = "another"
    pull.run()
    assert PREFIX + "/source-another.json" in s3.objects


DAMAGE = {
    "a byte changed": lambda b: b[:90] + bytes([b[90] ^ 1]) + b[91:],
    "cut short": lambda b: b[: len(b) // 2],
    "a newer version": lambda b: b.replace(b'"otlpull":1', b'"otlpull":12', 1),
    "not ours": lambda b: b"hello\n",
    "binary": lambda b: bytes(range(256)) * 10,
    "part of a lease": lambda b: b + b'{"lease":{"by":"',
    "a lease of nobody": lambda b: b + b'{"lease":{"by":"","until":"never"}}\n',
}


@pytest.mark.parametrize("document", ["source", "budget"])
@pytest.mark.parametrize("how", DAMAGE)
def test_damaged(cloud, how, document):
    sim, pull, s3 = cloud("--records", 60)
    pull.run()
    key = next(key for key in s3.objects if f"/{document}" in key)
    good, calls = s3.objects[key], sim.stats()["calls"]
    bad = DAMAGE[how](good)
    s3.put(key, bad)
    pull.run(code=74).says(key.rpartition("/")[2], "newer version" if how == "a newer version" else "put a good copy back")
    assert sim.stats()["calls"] == calls, "a call was made"
    assert s3.objects[key] == bad, "it was begun anew"
    s3.put(key, good)
    pull.run()
    assert sim.whole() == 60


def test_what_a_bucket_may_hold(cloud):
    """Whatever stands where a document should: it is refused, or it is read; nothing breaks."""
    sim, pull, s3 = cloud("--records", 10)
    seed = time.time_ns()
    noise = random.Random(seed)
    pull.run()
    good = s3.objects[SOURCE]
    tails = [b"", b"\n", b"}}\n", b'{"lease":{}}\n', b'{"lease":{"by":"a","until":"2020-01-01T00:00:00Z"}}\n', b"\0", b'{"lease":{' * 40 + b"}}\n"]
    for i in range(12):
        content = bytearray(good if i % 2 else noise.randbytes(noise.randrange(400)))
        for _ in range(i % 3 and 3):
            content[noise.randrange(len(content) or 1):][:2] = noise.randbytes(2)
        s3.put(SOURCE, bytes(content) + noise.choice(tails))
        result = pull.finish(pull.start_run())
        assert result.code in (0, 74), f"seed {seed}: {result.err}"
