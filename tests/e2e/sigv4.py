"""AWS's Signature Version 4 from the server's side, written from its description and not from a client:
canonical request, string to sign, four HMACs. Strict: what a real service would refuse is refused here.
"""

import calendar
import dataclasses
import hashlib
import hmac
import re
import time
import urllib.parse

SKEW = {"s3": 900}  # seconds that the signer's clock may be off; others: 300
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})")


@dataclasses.dataclass
class Key:
    secret: str
    token: str = None  # the session token that must come with it
    expires: float = None  # Unix seconds


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


def digest(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def canonical_path(path, service):
    """S3 signs a path encoded once; all others what is on the wire, encoded again."""
    text = urllib.parse.unquote(path) if service == "s3" else path
    return urllib.parse.quote(text, safe="/-_.~") or "/"


def canonical_query(query):
    def encoded(text):
        return urllib.parse.quote(urllib.parse.unquote(text), safe="-_.~")

    pairs = [part.partition("=") for part in query.split("&") if part]
    return "&".join(f"{k}={v}" for k, v in sorted((encoded(k), encoded(v)) for k, _, v in pairs))


def canonical_headers(headers, names):
    """`headers` is a list of (name, value); a name that came twice has both values."""
    lines = []
    for name in names:
        values = [" ".join(v.split()) for k, v in headers if k.lower() == name]
        if not values:
            raise Refused(403, "SignatureDoesNotMatch", f"signed header {name} was not sent")
        lines.append(f"{name}:{','.join(values)}\n")
    return "".join(lines)


def one(headers, name):
    """A header's value, which must not come twice; None: it did not come."""
    values = [v for k, v in headers if k.lower() == name]
    if len(values) > 1:
        raise Refused(403, "SignatureDoesNotMatch", f"{name} came twice")
    return values[0] if values else None


def check_key(keys, access_key, headers, now):
    key = keys.get(access_key)
    if not key:
        raise Refused(403, "InvalidAccessKeyId", "no such access key")
    token = one(headers, "x-amz-security-token")
    if token != key.token:
        raise Refused(403, "InvalidToken", "the session token is not that of the key")
    if key.expires is not None and now >= key.expires:
        raise Refused(400, "ExpiredToken", "the token has expired")
    return key


def check_time(headers, day, service, now):
    stamp = one(headers, "x-amz-date") or ""
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or stamp[:8] != day:
        raise Refused(403, "SignatureDoesNotMatch", "x-amz-date is not a time of the scope's day")
    sent = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    if abs(now - sent) > SKEW.get(service, 300):
        raise Refused(403, "RequestTimeTooSkewed", "the clocks are too far apart")
    return stamp


def check_body(headers, service, body):
    said = one(headers, "x-amz-content-sha256")
    if said is None and service == "s3":
        raise Refused(400, "InvalidRequest", "x-amz-content-sha256 is missing")
    if said is not None and said != digest(body):
        raise Refused(400, "XAmzContentSHA256Mismatch", "it is not the body's")


def verify(method, target, headers, body, keys, now=None, region=None, service=None):
    """The access key and the service that a request is rightly signed for, else Refused. `target` is
    the request line's, `keys` maps access keys to Key; `region`, `service`: what it must be for."""
    now = time.time() if now is None else now
    found = AUTHORIZATION.fullmatch(one(headers, "authorization") or "")
    if not found:
        raise Refused(403, "MissingAuthenticationToken", "no AWS4-HMAC-SHA256 Authorization")
    access_key, day, of_region, of_service, signed, signature = found.groups()
    if region and of_region != region:
        raise Refused(400, "AuthorizationHeaderMalformed", f"the region is {region}, not {of_region}")
    if service and of_service != service:
        raise Refused(403, "SignatureDoesNotMatch", f"the service is {service}, not {of_service}")
    names = signed.split(";")
    must = {"host"} | {k.lower() for k, _ in headers if k.lower().startswith("x-amz-")}
    if names != sorted(set(names)) or not must <= set(names):
        raise Refused(403, "SignatureDoesNotMatch", f"signed headers {names}, must have {sorted(must)}")
    key = check_key(keys, access_key, headers, now)
    stamp = check_time(headers, day, of_service, now)
    path, _, query = target.partition("?")
    request = "\n".join([method, canonical_path(path, of_service), canonical_query(query),
                         canonical_headers(headers, names), signed, digest(body)])
    scope = f"{day}/{of_region}/{of_service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest(request.encode())}"
    secret = ("AWS4" + key.secret).encode()
    for part in (day, of_region, of_service, "aws4_request"):
        secret = mac(secret, part)
    if not hmac.compare_digest(mac(secret, text).hex(), signature):
        raise Refused(403, "SignatureDoesNotMatch", f"expected the canonical request\n{request}")
    check_body(headers, of_service, body)
    return access_key, of_service
