"""A double of AWS on loopback: verifies every signature (sigv4.py), speaks Secrets Manager, SSM, STS, the
container's credentials endpoint and EC2's metadata. Other services are added by `services[NAME] = handler`.
"""

import base64
import contextlib
import dataclasses
import http.server
import json
import secrets
import threading
import time
import urllib.parse

import sigv4
from sigv4 import Key, Refused

REGION = "eu-test-1"
ACCESS_KEY, SECRET_KEY = "AKIATESTTESTTESTTEST", "s3cret-key/of+the=double"


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: list  # (name, value), as they came
    body: bytes
    service: str = None  # what it was signed for
    access_key: str = None

    @property
    def path(self):
        return self.target.partition("?")[0]

    def header(self, name):
        return sigv4.one(self.headers, name.lower())


@dataclasses.dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)


def json_answer(status, value):
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/x-amz-json-1.1"})


def xml_error(status, code, message, **more):
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in {"Code": code, "Message": message, **more}.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})


LOST = "lost"  # carried out, but no answer comes: the connection breaks
BREAK = "break"  # the connection breaks before anything is carried out


class Double:
    def __init__(self):
        self.keys = {ACCESS_KEY: Key(SECRET_KEY)}
        self.region = REGION
        self.secrets = {}  # name: text or bytes
        self.parameters = {}
        self.denied = set()  # names that AccessDenied holds for
        self.requests = []  # all that came
        # A fault for each signed request to come: None, LOST, BREAK, or an Answer. Then all is well.
        self.faults = []
        self.lasting = None  # or one for every request
        self.services = {"secretsmanager": self.secrets_manager, "ssm": self.ssm}
        self.lifetime = 3600  # seconds that credentials given out are good for
        self.container_token = None  # what Authorization must hold
        self.web_identity = None  # the token that STS takes
        self.role = "the-role"  # of the EC2 instance; None: it has none
        self.metadata_tokens = set()
        self.clock_offset = 0
        self.lock = threading.RLock()

    def environment(self, **more):
        """What a process needs to come here, with the keys of ours."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": self.region, "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY, **more}

    def without_keys(self, **more):
        env = self.environment(**more)
        return {k: v for k, v in env.items() if not k.endswith(("_KEY_ID", "_ACCESS_KEY"))}

    def now(self):
        return time.time() + self.clock_offset

    def new_credentials(self):
        """A temporary key, known from now on until it expires."""
        with self.lock:
            name = "ASIA" + secrets.token_hex(8).upper()
            key = Key(secrets.token_urlsafe(30) + "/+=", secrets.token_urlsafe(1500), self.now() + self.lifetime)
            self.keys[name] = key
            return name, key

    def expire_all(self):
        for key in self.keys.values():
            if key.expires is not None:
                key.expires = 0

    def targets(self, prefix=""):
        return [r.target for r in self.requests if r.target.startswith(prefix)]

    # ---- the services ---------------------------------------------------------------------------

    def secrets_manager(self, request):
        if request.header("X-Amz-Target") != "secretsmanager.GetSecretValue":
            raise Refused(400, "UnknownOperationException")
        name = json.loads(request.body)["SecretId"]
        if name in self.denied:
            raise Refused(400, "AccessDeniedException",
                          f"User: arn:aws:iam::1:user/u is not authorized to perform: "
                          f"secretsmanager:GetSecretValue on resource: {name}")
        if name not in self.secrets:
            raise Refused(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        value = self.secrets[name]
        kind = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": base64.b64encode(value).decode()}
        return json_answer(200, {"ARN": f"arn:aws:secretsmanager:::secret:{name}", "Name": name, **kind})

    def ssm(self, request):
        if request.header("X-Amz-Target") != "AmazonSSM.GetParameter":
            raise Refused(400, "UnknownOperationException")
        asked = json.loads(request.body)
        if asked["Name"] in self.denied:
            raise Refused(400, "AccessDeniedException", f"not authorized to perform: ssm:GetParameter on {asked['Name']}")
        if asked["Name"] not in self.parameters:
            raise Refused(400, "ParameterNotFound")
        value = self.parameters[asked["Name"]] if asked.get("WithDecryption") is True else "AQICAHencrypted"
        return json_answer(200, {"Parameter": {"Name": asked["Name"], "Type": "SecureString", "Value": value}})

    def sts(self, request):
        form = dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))
        if request.header("Authorization"):
            return self.sts_error("InvalidAction", "AssumeRoleWithWebIdentity is not signed")
        if form.get("Action") != "AssumeRoleWithWebIdentity" or form.get("Version") != "2011-06-15":
            return self.sts_error("InvalidAction", "not that")
        if not form.get("RoleArn", "").startswith("arn:aws:iam::") or not form.get("RoleSessionName"):
            return self.sts_error("ValidationError", "RoleArn, RoleSessionName")
        if form.get("WebIdentityToken") != self.web_identity:
            return self.sts_error("InvalidIdentityToken", f"bad token {form.get('WebIdentityToken')}")
        name, key = self.new_credentials()
        body = f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/{form['RoleSessionName']}</Arn></AssumedRoleUser>
    <Credentials>
      <SessionToken>{key.token}</SessionToken>
      <SecretAccessKey>{key.secret}</SecretAccessKey>
      <Expiration>{self.stamp(key.expires)}</Expiration>
      <AccessKeyId>{name}</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
        return Answer(200, body.encode(), {"Content-Type": "text/xml"})

    @staticmethod
    def sts_error(code, message):
        body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        return Answer(400, body.encode(), {"Content-Type": "text/xml"})

    @staticmethod
    def stamp(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))

    def credentials_json(self, **more):
        name, key = self.new_credentials()
        return json_answer(200, {"AccessKeyId": name, "SecretAccessKey": key.secret, "Token": key.token,
                                 "Expiration": self.stamp(key.expires), **more})

    def container(self, request):
        if self.container_token is not None and request.header("Authorization") != self.container_token:
            return json_answer(401, {"code": "AccessDenied", "message": "unauthorized"})
        return self.credentials_json()

    def metadata(self, request):
        roles = "/latest/meta-data/iam/security-credentials/"
        if request.path == "/latest/api/token":
            ttl = request.header("X-aws-ec2-metadata-token-ttl-seconds")
            if request.method != "PUT" or not 1 <= int(ttl or 0) <= 21600:
                return Answer(400)
            token = secrets.token_urlsafe(40) + "=="
            self.metadata_tokens.add(token)
            return Answer(200, token.encode(), {"Content-Type": "text/plain"})
        if request.header("X-aws-ec2-metadata-token") not in self.metadata_tokens:
            return Answer(401)
        if request.path == roles and self.role:
            return Answer(200, self.role.encode(), {"Content-Type": "text/plain"})
        if self.role and request.path == roles + urllib.parse.quote(self.role, safe=""):
            return self.credentials_json(Code="Success", Type="AWS-HMAC")
        return Answer(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})

    # ---- the way in -----------------------------------------------------------------------------

    def unsigned(self, request):
        if request.path.startswith("/credentials"):
            return self.container(request)
        if request.path.startswith("/latest/"):
            return self.metadata(request)
        if request.body.startswith(b"Action="):
            return self.sts(request)
        return None

    def signed(self, request):
        request.access_key, request.service = sigv4.verify(
            request.method, request.target, request.headers, request.body, self.keys, self.now(), self.region)
        if request.service not in self.services:
            raise Refused(403, "SignatureDoesNotMatch", f"no service {request.service}")
        return self.services[request.service](request)

    @staticmethod
    def refusal(request, refused):
        """As XML for S3; the others say JSON, and 400 for most."""
        target = request.header("X-Amz-Target")
        message = refused.message
        if refused.code == "SignatureDoesNotMatch":  # as the real ones: it quotes what was signed
            message += f"\ntoken {request.header('x-amz-security-token')}"
        if not target:
            return xml_error(refused.status, refused.code, message)
        names = {"SignatureDoesNotMatch": "InvalidSignatureException", "InvalidAccessKeyId": "UnrecognizedClientException",
                 "InvalidToken": "UnrecognizedClientException", "ExpiredToken": "ExpiredTokenException",
                 "RequestTimeTooSkewed": "InvalidSignatureException"}
        name = names.get(refused.code, refused.code)
        return json_answer(400, {"__type": f"com.amazonaws.x#{name}", "message": message})

    def answer(self, request):
        """An Answer, or None: the connection breaks."""
        with self.lock:
            self.requests.append(request)
            answer = self.unsigned(request)
            if answer:
                return answer
            fault = self.faults.pop(0) if self.faults else self.lasting
            if fault == BREAK:
                return None
            if isinstance(fault, Answer):
                return fault
            try:
                answer = self.signed(request)
            except Refused as refused:
                answer = self.refusal(request, refused)
            return None if fault == LOST else answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client may hang up


def handler_of(double):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = double.answer(Request(self.command, self.path, list(self.headers.items()), body))
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status not in (204, 304):
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD" and answer.status not in (204, 304):
                self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_any

        def log_message(self, *args):
            pass

    return Handler


@contextlib.contextmanager
def aws_double(tls=None):
    """A double until the end of the block; `tls` is the ssl context of one that speaks it."""
    double = Double()
    server = Server(("127.0.0.1", 0), handler_of(double))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    double.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
