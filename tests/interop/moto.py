"""moto, an AWS of somebody else's writing, with its checks of signatures and permissions turned on."""

import contextlib
import itertools
import json
import re
import urllib.error
import urllib.parse
import urllib.request

from conftest import BUILD, SECONDS, free_port, process, wait_for

REGION = "eu-west-1"
FORM = "application/x-www-form-urlencoded"


class Moto:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.names = (f"name{i}" for i in itertools.count())

    def send(self, body, path="/", service=None, **headers):
        """What is answered to a POST; with `service` it looks signed for that, which suffices before
        enforce(). A header is named with _ for -."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if service:
            scope = f"mock/20260101/{REGION}/{service}/aws4_request"
            headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        request = urllib.request.Request(self.url + path, body.encode(), headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.read().decode()

    def call(self, service, target, **members):
        """Of a service that speaks JSON."""
        return self.send(json.dumps(members), service=service, X_Amz_Target=target,
                         Content_Type="application/x-amz-json-1.1")

    def query(self, service, version, action, **members):
        """Of one that takes forms: the texts of its answer's elements, by name."""
        form = urllib.parse.urlencode({"Action": action, "Version": version, **members})
        return dict(re.findall(r"<(\w+)>([^<]+)<", self.send(form, service=service, Content_Type=FORM)))

    def iam(self, action, **members):
        return self.query("iam", "2010-05-08", action, **members)

    @staticmethod
    def policy(*statements):
        """Each a list of actions and a resource."""
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in statements]})

    def user(self, *statements):
        """A new one who may do just this; the environment of a program that runs as him."""
        name = next(self.names)
        self.iam("CreateUser", UserName=name)
        self.iam("PutUserPolicy", UserName=name, PolicyName="p", PolicyDocument=self.policy(*statements))
        key = self.iam("CreateAccessKey", UserName=name)
        return self.environment(key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, *statements):
        """The name of a new role that may do just this, and that anyone may take on."""
        name = next(self.names)
        trust = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"]}]})
        self.iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=trust)
        self.iam("PutRolePolicy", RoleName=name, PolicyName="p", PolicyDocument=self.policy(*statements))
        return f"arn:aws:iam::123456789012:role/{name}"

    def environment(self, access_key="", secret_key="", token="", **more):
        """Without keys: what there is besides them."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": access_key,
                "AWS_SECRET_ACCESS_KEY": secret_key, "AWS_SESSION_TOKEN": token, **more}

    def enforce(self, on=True):
        """Check each call from now on, also ours: signature, key, token, policy."""
        self.send("0" if on else "inf", "/moto-api/reset-auth", Content_Type="text/plain")


@contextlib.contextmanager
def run_moto(folder):
    port, log = free_port(), folder / "moto.log"
    with process(BUILD / "interop/moto/bin/moto_server", "-H", "127.0.0.1", "-p", port, log=log) as p:
        moto = Moto(port)

        def listens():
            assert p.poll() is None, f"moto ended:\n{log.read_text()}"
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                return moto.send("", "/moto-api/reset")

        wait_for("listening moto", listens)
        yield moto
