"""TLS to the platform and to the collector: whom we trust, and who we say that we are."""

import contextlib
import ssl

from stub import stub


@contextlib.contextmanager
def server(certificates, answer, want_client=False, newest=None):
    """A server that gives this answer to whatever it is asked; yields its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    if want_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates / "ca.pem")
    if newest:
        context.maximum_version = newest
    with stub(context) as one:
        one.answers["/"] = (200, {}, answer)
        yield one.url


EMPTY = b'{"appLogs":[]}'


def test_platform(setup, certificates):
    sim, pull = setup("--records", 10)
    with server(certificates, EMPTY) as pull.source["endpoint"]:
        pull.run(code=75).says("tls.ca_file")  # an authority that nobody knows
        pull.source["tls"] = {"ca_file": str(certificates / "ca.pem")}
        assert pull.run().summary["windows"] != "0"
        pull.source["tls"] = {"insecure_skip_verify": True}
        pull.run()
        pull.source["tls"] = {"ca_file": str(certificates / "nowhere.pem")}
        pull.run(code=78).says("tls.ca_file")


def test_platform_by_ssl_cert_file(setup, certificates):
    """The bundle that OpenSSL's own variable names, where the configuration names none."""
    sim, pull = setup("--records", 10)
    ours = {"SSL_CERT_FILE": str(certificates / "ca.pem")}
    with server(certificates, EMPTY) as pull.source["endpoint"]:
        pull.run(env=ours)
        pull.run(env={"SSL_CERT_FILE": str(certificates / "nowhere.pem")}, code=75).says("tls.ca_file")
        pull.source["tls"] = {"ca_file": str(certificates / "other.pem")}
        pull.run(env=ours, code=75).says("tls.ca_file")  # what it names goes first


def test_collector(setup, certificates):
    sim, pull = setup("--hours", 1, "--records", 10)
    with server(certificates, b"{}", want_client=True) as pull.exporter["endpoint"]:
        pull.exporter["tls"] = {"ca_file": str(certificates / "ca.pem")}
        pull.run(code=69)  # it wants to know who we are
        pull.exporter["tls"]["cert_file"] = str(certificates / "client.pem")
        pull.exporter["tls"]["key_file"] = str(certificates / "client.key")
        assert pull.run().summary["exported"] == "10"


def test_least_version(setup, certificates):
    sim, pull = setup("--records", 10)
    with server(certificates, EMPTY, newest=ssl.TLSVersion.TLSv1_2) as pull.source["endpoint"]:
        pull.source["tls"] = {"ca_file": str(certificates / "ca.pem"), "min_version": "1.3"}
        pull.run(code=75)
        pull.source["tls"]["min_version"] = "1.2"
        pull.run()
