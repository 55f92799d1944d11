"""A double of S3, as far as a state needs it: signatures and body hashes verified, conditions enforced,
each request one moment; and with the trouble that a real one makes, on request.
"""

import collections
import contextlib
import hashlib
import http.server
import socket
import threading
import time
import urllib.parse
from email.utils import formatdate
from xml.sax.saxutils import escape

import sigv4

ACCESS_KEY, SECRET_KEY = "AKIDOTLPULLTESTS", "s3cret/key+of/the+tests"
TOKEN = "tok/+=&<"  # what a continuation token begins with: all that needs encoding
REGION, BUCKET = "eu-central-1", "state-bucket"

Request = collections.namedtuple("Request", "method key status condition body query")
Fault = collections.namedtuple("Fault", "action matches left")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client may be killed at any moment


class Cut(Exception):
    """The connection ends here."""


class Hang(Exception):
    """There is never an answer."""


class S3:
    """Objects by bucket and key, and what was asked of them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.buckets = {BUCKET: {}}
        self.keys = {ACCESS_KEY: sigv4.Key(SECRET_KEY)}
        self.region, self.moved = REGION, None  # `moved`: the region that a redirect names
        self.denied = set()  # actions, as a policy names them
        self.ignores = set()  # conditions that it does not know: if-match, if-none-match
        self.ahead = 0  # seconds that its clock is ahead of ours, ...
        self.strict_time = False  # ... and whether it minds
        self.page = 1000  # keys
        self.latency = 0  # seconds
        self.tells_etags = True  # of what was written
        self.faults, self.requests = [], []
        self.over = threading.Event()
        self.server = Server(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    # ---- for the test -------------------------------------------------------------------------------

    @property
    def environment(self):
        return {"AWS_ENDPOINT_URL_S3": self.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}

    @property
    def objects(self):
        """Content by key."""
        with self.lock:
            return dict(self.buckets[BUCKET])

    def put(self, key, content):
        with self.lock:
            self.buckets[BUCKET][key] = content

    def delete(self, key):
        with self.lock:
            del self.buckets[BUCKET][key]

    def fault(self, action, times=1, method=None, key="", condition="", skip=0):
        """The next `times` requests of this kind, after `skip` of them: a status and code ("503 SlowDown"),
        "cut" before it is carried out, "lost": carried out, and the answer cut, "hang": never an answer."""

        def matches(request):
            return (method in (None, request.method) and key in request.key
                    and (request.condition or "").startswith(condition))

        with self.lock:
            self.faults.append(Fault(action, matches, [skip, times]))

    def calm(self):
        with self.lock:
            self.faults.clear()

    def asked(self, since=0):
        """"METHOD key -> status" of each request from that one on."""
        with self.lock:
            return [f"{r.method} {r.key} -> {r.status}" for r in self.requests[since:]]

    # ---- the service --------------------------------------------------------------------------------

    def fault_for(self, request):
        for fault in self.faults:
            if not fault.matches(request) or fault.left[1] == 0:
                continue
            if fault.left[0] > 0:
                fault.left[0] -= 1
                continue
            fault.left[1] -= 1
            return fault.action
        return None

    def allow(self, action):
        if action in self.denied:
            raise sigv4.Refused(403, "AccessDenied", f"User: test is not authorized to perform: {action}")

    def authenticate(self, method, target, headers, body):
        if self.moved:
            raise sigv4.Refused(301, "PermanentRedirect", "the bucket must be addressed at its own endpoint")
        sigv4.verify(method, target, headers, body, self.keys, region=self.region, service="s3",
                     now=time.time() + self.ahead if self.strict_time else None)

    def bucket(self, name):
        if name not in self.buckets:
            raise sigv4.Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        return self.buckets[name]

    def get(self, objects, key):
        self.allow("s3:GetObject")
        if key not in objects:
            self.allow("s3:ListBucket")  # who may not list is not told what is missing
            raise sigv4.Refused(404, "NoSuchKey", "The specified key does not exist.")
        return 200, {"ETag": etag(objects[key]), "Content-Type": "application/json"}, objects[key]

    def write(self, objects, key, headers, body):
        self.allow("s3:PutObject")
        if "if-match" in headers:
            self.allow("s3:GetObject")
        if "if-none-match" in headers and "if-none-match" not in self.ignores:
            if headers["if-none-match"] != "*":
                raise sigv4.Refused(501, "NotImplemented", "If-None-Match takes *")
            if key in objects:
                raise sigv4.Refused(412, "PreconditionFailed", "At least one of the pre-conditions did not hold")
        if "if-match" in headers and "if-match" not in self.ignores:
            if key not in objects:
                raise sigv4.Refused(404, "NoSuchKey", "The specified key does not exist.")
            if headers["if-match"] != etag(objects[key]):
                raise sigv4.Refused(412, "PreconditionFailed", "At least one of the pre-conditions did not hold")
        objects[key] = body
        return 200, {"ETag": etag(body)} if self.tells_etags else {}, b""

    def list(self, bucket, objects, query):
        self.allow("s3:ListBucket")
        asked = urllib.parse.parse_qs(query, keep_blank_values=True, strict_parsing=True)
        assert asked["list-type"] == ["2"], query
        prefix, after = asked["prefix"][0], asked.get("continuation-token", [TOKEN])[0]
        assert after.startswith(TOKEN), query
        after = after.removeprefix(TOKEN)
        found = sorted(k for k in objects if k.startswith(prefix) and k > after)
        keys, more = found[: self.page], found[self.page :]
        xml = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        xml += f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
        if more:
            xml += f"<NextContinuationToken>{escape(TOKEN + keys[-1])}</NextContinuationToken>"
        for key in keys:
            xml += f"<Contents><Key>{escape(key)}</Key><ETag>{escape(etag(objects[key]))}</ETag><Size>{len(objects[key])}</Size></Contents>"
        return 200, {"Content-Type": "application/xml"}, (xml + "</ListBucketResult>").encode()

    def answer(self, method, target, headers, body):
        path, _, query = target.partition("?")
        bucket, _, key = path[1:].partition("/")
        named = {k.lower(): v for k, v in headers}
        condition = next((f"{k} {v}" for k, v in named.items() if k in ("if-match", "if-none-match")), None)
        with self.lock:
            place = len(self.requests)
            request = Request(method, key, 0, condition, body, query)
            self.requests.append(request)
            action = self.fault_for(request)
            try:
                if action in ("cut", "hang"):
                    raise Cut if action == "cut" else Hang
                if action and action != "lost":
                    status, _, code = action.partition(" ")
                    raise sigv4.Refused(int(status), code, "as the test has it")
                self.authenticate(method, target, headers, body)
                objects = self.bucket(bucket)
                if method == "GET":
                    result = self.get(objects, key) if key else self.list(bucket, objects, query)
                elif method == "PUT" and key:
                    result = self.write(objects, key, named, body)
                else:
                    raise sigv4.Refused(405, "MethodNotAllowed", "not of this double")
            except sigv4.Refused as e:
                result = self.refusal(e)
            except (Cut, Hang):
                self.requests[place] = request._replace(status=action)
                raise
            self.requests[place] = request._replace(status="lost" if action == "lost" else result[0])
            if action == "lost":
                raise Cut
            return result

    def refusal(self, e):
        """As S3 words it; of a wrong signature with all that was signed, which no log should have."""
        headers, more = {"Content-Type": "application/xml"}, ""
        if e.status == 301:
            headers["x-amz-bucket-region"] = self.moved
        if e.code == "AuthorizationHeaderMalformed":
            more = f"<Region>{self.region}</Region>"
        if e.code == "SignatureDoesNotMatch":
            more = f"<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId><StringToSign>never-in-a-log</StringToSign>"
        text = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{e.code}</Code><Message>{escape(e.message)}</Message>'
                f"{more}<RequestId>0A49CE4060975EAC</RequestId><HostId>x</HostId></Error>")
        return e.status, headers, text.encode()

    def handler(self):
        s3 = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(s3.latency)
                try:
                    status, headers, content = s3.answer(self.command, self.path, self.headers.items(), body)
                except Hang:
                    s3.over.wait(120)
                    self.close_connection = True
                    return
                except Cut:
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.send_response_only(status)
                self.send_header("Date", formatdate(time.time() + s3.ahead, usegmt=True))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

            def log_message(self, *args):
                pass

        return Handler


def etag(content):
    return f'"{hashlib.md5(content).hexdigest()}"'


@contextlib.contextmanager
def run():
    """A double until the end of the block."""
    s3 = S3()
    thread = threading.Thread(target=s3.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield s3
    finally:
        s3.over.set()
        s3.server.shutdown()
        thread.join()
        s3.server.server_close()
