"""otlpull with its state in a bucket of our double: fixtures for the tests that need them."""

import json

import aws_s3
import pytest
from aws_s3 import BUCKET, SECRET_KEY
from conftest import Pull

PREFIX = "otlpull/prod"
SOURCE = PREFIX + "/source-shop.json"
LETTERS = PREFIX + "/source-shop.dead-letter.jsonl"
LEASE = 60  # seconds: S3_LEASE_NS


class CloudPull(Pull):
    def __init__(self, folder, sim, s3):
        super().__init__(folder, sim)
        self.s3, self.state = s3, f"s3://{BUCKET}/{PREFIX}"
        self.environment = s3.environment

    def start(self, *args, env=None, **options):
        return super().start(*args, env={**self.environment, **(env or {})}, **options)

    def finish(self, *args, **options):
        result = super().finish(*args, **options)
        secrets = [SECRET_KEY, self.environment.get("AWS_SESSION_TOKEN"), "never-in-a-log"]
        assert not any(secret and secret in result.err + result.out for secret in secrets), result.err
        return result

    def dead_letters(self, source="shop"):
        text = self.s3.objects.get(f"{PREFIX}/source-{source}.dead-letter.jsonl", b"")
        return [json.loads(line) for line in text.splitlines()]

    def say(self, *args, **options):
        """A command beside `run`."""
        self.write()
        command = [word for word in args if not word.startswith("-")]
        return self.command(*command, "-c", self.path, *args[len(command):], **options)


def lease_of(content):
    """Who holds a document, None: nobody; and the document alone."""
    lines = content.splitlines(keepends=True)
    if not lines or not lines[-1].startswith(b'{"lease":'):
        return None, content
    return json.loads(lines[-1])["lease"], b"".join(lines[:-1])


@pytest.fixture
def s3():
    with aws_s3.run() as one:
        yield one


@pytest.fixture
def make_cloud(tmp_path, s3):
    pulls = []

    def make(sim):
        folder = tmp_path / f"cloud{len(pulls)}"
        folder.mkdir()
        pulls.append(CloudPull(folder, sim, s3))
        return pulls[-1]

    yield make
    for process in [p for pull in pulls for p in pull.running]:
        process.kill()
        process.communicate()


@pytest.fixture
def cloud(start_sim, make_cloud, s3):
    """A simulator with these options, an otlpull to read it, and where that keeps its state."""

    def start(*args):
        sim = start_sim(*args)
        return sim, make_cloud(sim), s3

    return start
