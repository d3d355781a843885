#!/usr/bin/env python3
"""TLS, pins, proxies, HTTP/2 and both IP families, with a real client process and peers made by others.

tls_test.py --driver DRIVER --collector COLLECTOR [--only TEXT]

The certificates are made anew by openssl; Python's ssl ends TLS in front of the collector, nghttpx speaks HTTP/2.
"""
import argparse
import base64
import contextlib
import hashlib
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import (PATIENCE_S, SECRET, Collector, Driver, Missing, Relay, Server, expect, keep_promises, promise,
                     wait_until, word)  # noqa: E402

NAMES = "DNS:localhost,DNS:collect.example.com,IP:127.0.0.1,IP:::1"
CA_CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


# --- certificates ----------------------------------------------------------------------------------------------------

def openssl(*words):
    if shutil.which("openssl") is None:
        raise Missing("openssl")
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    expect(done.returncode == 0, "openssl", *words, done.stderr)
    return done.stdout


class Authority:
    def __init__(self, folder, name):
        self.folder = folder / name
        self.folder.mkdir()
        self.pem = self.folder / "ca.pem"
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("01\n")
        (self.folder / "config").write_text(CA_CONFIG.format(folder=self.folder))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", self.folder / "ca.key", "-out",
                self.pem)

    def certificate(self, name, names=NAMES, begin="20200101000000Z", end="20490101000000Z"):
        """The path of certificate and key in one file."""
        key, request, made = (self.folder / f"{name}.{ending}" for ending in ("key", "csr", "crt"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-addext",
                f"subjectAltName={names}", "-keyout", key, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", self.folder / "config", "-keyfile", self.folder / "ca.key", "-cert",
                self.pem, "-in", request, "-out", made, "-startdate", begin, "-enddate", end)
        whole = self.folder / f"{name}.pem"
        whole.write_text(made.read_text() + key.read_text())
        return whole


def self_signed(folder):
    key, made = folder / "self.key", folder / "self.crt"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=localhost", "-addext", f"subjectAltName={NAMES}", "-keyout", key, "-out", made)
    whole = folder / "self.pem"
    whole.write_text(made.read_text() + key.read_text())
    return whole


def pin_of(certificate):
    public = openssl("x509", "-in", certificate, "-noout", "-pubkey")
    der = base64.b64decode("".join(public.splitlines()[1:-1]))
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()


# --- peers -----------------------------------------------------------------------------------------------------------

class TlsEnd(Server):
    """Ends TLS and passes the bytes on."""

    def __init__(self, certificate, versions=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.versions = []
        if versions is not None:
            self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
            self.context.minimum_version, self.context.maximum_version = versions
        self.requests = []
        super().__init__(self.pass_on)
        self.to_port = None
        self.url = f"https://localhost:{self.port}"

    def pass_on(self, client):
        try:
            with self.context.wrap_socket(client, server_side=True) as safe:
                self.versions.append(safe.version())
                with socket.create_connection(("127.0.0.1", self.to_port)) as server:
                    # The request first, then the answer: a client of ours never sends two at once.
                    threading.Thread(target=self.pump, args=(server, safe), daemon=True).start()
                    while data := safe.recv(65536):
                        self.requests.append(data)
                        server.sendall(data)
        except (ssl.SSLError, ConnectionError):
            pass  # the client did not like what it saw, which is what some tests want

    @staticmethod
    def pump(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@contextlib.contextmanager
def endpoint(folder, certificate, **arguments):
    with TlsEnd(certificate, **arguments) as tls, Collector(options.collector, folder, "--public-url",
                                                            tls.url, "--public-url", f"https://127.0.0.1:{tls.port}",
                                                            "--public-url", "https://collect.example.com") as collector:
        tls.to_port = collector.port
        yield collector, tls


class Proxy(Server):
    """An HTTP proxy that knows every host under one address."""

    def __init__(self, to_port, user=None, refuses=None):
        self.to_port, self.user, self.refuses = to_port, user, refuses
        self.asked = []
        super().__init__(self.forward)

    def forward(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        lines = head.decode("latin1").split("\r\n")
        self.asked.append(lines[0])
        if self.refuses:
            client.sendall(f"HTTP/1.1 {self.refuses}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            return
        wanted = self.user and "Proxy-Authorization: Basic " + base64.b64encode(self.user.encode()).decode()
        if wanted and wanted not in lines:
            client.sendall(b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.to_port)) as server:
            if lines[0].startswith("CONNECT "):
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                method, url, version = lines[0].split(" ")
                path = "/" + url.split("/", 3)[3]
                server.sendall(head.replace(lines[0].encode(), f"{method} {path} {version}".encode(), 1))
            threading.Thread(target=TlsEnd.pump, args=(server, client), daemon=True).start()
            TlsEnd.pump(client, server)


def deliver(folder, url, count=3, answer="0 ok", seconds=20, environment=None, first=0, **settings):
    """What the client says after tracking `count` sentences and flushing; the queue in `folder` stays."""
    with Driver([options.driver], environment) as driver:
        driver.open(folder, url, **settings)
        for i in range(first, first + count):
            driver.track(f"c{i}")
        flushed = driver.flush(seconds)
        said = bytes.fromhex(driver.ask("last_error").strip("-")).decode()
        expect(flushed == answer, "flush answered", flushed, "-", said)
        stats = driver.stats()
        driver.close()
    return said, stats


def refused(folder, url, words, **settings):
    said, stats = deliver(folder, url, answer="2 still_waiting", seconds=3, **settings)
    expect(any(one in said for one in words), "the status does not say", " or ".join(words) + ":", said)
    expect(stats["waiting"] == 3 and stats["delivered"] == 0, stats)
    return said


# --- certificates ----------------------------------------------------------------------------------------------------

@promise("a good certificate is accepted, over TLS 1.2 at least")
def _(folder):
    authority = Authority(folder, "ours")
    with endpoint(folder, authority.certificate("good")) as (collector, tls):
        deliver(folder, tls.url, ca_file=authority.pem)
        expect(set(tls.versions) <= {"TLSv1.2", "TLSv1.3"}, tls.versions)
        collector.expect_once(f"c{i}" for i in range(3))
        return f"{tls.versions[0]}, {tls.accepted} connection"


def bad_certificates(folder):
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    good = ours.certificate("good")
    yield "expired", ours.certificate("expired", end="20210101000000Z"), ours.pem, {}, ["expired"]
    yield "not valid yet", ours.certificate("early", begin="20480101000000Z"), ours.pem, {}, ["not yet valid"]
    yield "self-signed", self_signed(folder), ours.pem, {}, ["self-signed", "self signed"]
    yield "another host's", ours.certificate("other", names="DNS:other.example.com"), ours.pem, {}, [
        "does not match", "no alternative certificate subject name"]
    yield "an unknown authority's", theirs.certificate("theirs"), ours.pem, {}, ["local issuer", "self-signed"]
    yield "good, by the system's authorities", good, None, {}, ["local issuer", "self-signed"]
    yield "good, but another pin", good, ours.pem, {"pins": pin_of(ours.certificate("next"))}, ["pinned"]


@promise("bad certificates are refused with a status that says which and why, and no option makes them pass")
def _(folder):
    told = []
    for i, (name, certificate, authority, settings, words) in enumerate(bad_certificates(folder)):
        place = folder / f"case-{i}"
        place.mkdir()
        trust = {} if authority is None else {"ca_file": authority}
        with endpoint(place, certificate) as (collector, tls):
            said = refused(place, tls.url, words, **trust, **settings)
            told.append(f"{name}: {said.split(':', 1)[1].rsplit(':', 1)[0].strip()}")
            # What is left to say in a config or around the process does not switch verification off.
            deliver(place, tls.url, count=0, answer="2 still_waiting", seconds=1, allow_plain_http="1", no_proxy="*",
                    environment={"SSL_VERIFY": "0", "GIT_SSL_NO_VERIFY": "1", "NODE_TLS_REJECT_UNAUTHORIZED": "0"},
                    **trust, **settings)
            expect(not tls.requests, "a request got through")
        # Nothing was lost by it.
        ours = Authority(place, "again")
        with endpoint(place, ours.certificate("good")) as (collector, tls):
            deliver(place, tls.url, count=0, ca_file=ours.pem)
            collector.expect_once(f"c{i}" for i in range(3))
    return "\n    " + "\n    ".join(told)


@promise("a server that speaks nothing newer than TLS 1.1 is refused")
def _(folder):
    authority = Authority(folder, "ours")
    versions = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
    with endpoint(folder, authority.certificate("good"), versions=versions) as (_, tls):
        return refused(folder, tls.url, ["version", "protocol"], ca_file=authority.pem)


@promise("with two pins the key may change, and a bad authority is refused in spite of a good pin")
def _(folder):
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    old, new = ours.certificate("old"), ours.certificate("new")
    for i, certificate in enumerate((old, new)):
        place = folder / f"pin-{i}"
        place.mkdir()
        with endpoint(place, certificate) as (collector, tls), Driver([options.driver]) as driver:
            settings = [("app_id", "network"), ("queue_dir", place / "queue"), ("endpoint", tls.url), ("key_id", "key"),
                        ("key_secret", SECRET), ("ca_file", ours.pem), ("pins", f"{pin_of(old)};{pin_of(new)}")]
            words = [half for name, value in settings for half in (name, word(value))]
            expect(driver.ask("open", *words) == "0 ok")
            driver.track("c0")
            expect(driver.flush(20) == "0 ok")
            driver.close()
            collector.expect_once(["c0"])
    place = folder / "bad"
    place.mkdir()
    strange = theirs.certificate("strange")
    with endpoint(place, strange) as (_, tls):
        return refused(place, tls.url, ["local issuer", "self-signed"], ca_file=ours.pem, pins=pin_of(strange))


@promise("a file of authorities that is not there is told, and loses nothing")
def _(folder):
    authority = Authority(folder, "ours")
    with endpoint(folder, authority.certificate("good")) as (collector, tls):
        said = refused(folder, tls.url, ["nowhere.pem"], ca_file=folder / "nowhere.pem")
        deliver(folder, tls.url, count=0, ca_file=authority.pem)
        collector.expect_once(f"c{i}" for i in range(3))
        return said


# --- proxies ---------------------------------------------------------------------------------------------------------

@promise("a proxy is used as the config or the environment says, and its password is told to nobody")
def _(folder):
    authority = Authority(folder, "ours")
    with endpoint(folder, authority.certificate("good")) as (collector, tls), \
            Proxy(tls.port, user="walter:s3cret") as proxy:
        there = "https://collect.example.com"
        with_password = f"http://walter:s3cret@127.0.0.1:{proxy.port}"
        deliver(folder, there, proxy=with_password, ca_file=authority.pem)
        expect(proxy.asked[0] == "CONNECT collect.example.com:443 HTTP/1.1", proxy.asked)
        deliver(folder, there, first=3, ca_file=authority.pem, environment={"https_proxy": with_password})
        expect(len(proxy.asked) == 2, proxy.asked)
        # Without it the name leads nowhere.
        for settings, environment in (({"proxy": with_password, "no_proxy": "collect.example.com"}, {}),
                                      ({"proxy": with_password, "no_proxy": "*"}, {}),
                                      ({}, {"https_proxy": with_password, "no_proxy": ".example.com"})):
            place = folder / "direct"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            said, _ = deliver(place, there, answer="2 still_waiting", seconds=3, ca_file=authority.pem,
                              environment=environment, **settings)
            expect("resolve" in said, said)
        # A wrong password.
        place = folder / "wrong"
        place.mkdir()
        said, _ = deliver(place, there, answer="2 still_waiting", seconds=3, ca_file=authority.pem,
                          proxy=f"http://walter:wr0ng@127.0.0.1:{proxy.port}")
        expect("407" in said and "wr0ng" not in said, said)
        collector.expect_once(f"c{i}" for i in range(6))
        return said


@promise("a proxy that is ill is an outage, and loopback never goes through one")
def _(folder):
    with Proxy(0, refuses="502 Bad") as proxy, Collector(options.collector, folder) as collector:
        there = f"http://127.0.0.1:{proxy.port}"
        said = refused(folder, "https://collect.example.com", ["502"], proxy=there)
        deliver(folder, collector.url, count=0, proxy=there, environment={"http_proxy": there, "ALL_PROXY": there})
        expect(len(proxy.asked) >= 1 and all("collect.example.com" in one for one in proxy.asked), proxy.asked)
        collector.expect_once(f"c{i}" for i in range(3))
        return said


# --- HTTP/2 ----------------------------------------------------------------------------------------------------------

class Nghttpx:
    def __init__(self, folder, certificate, to_port):
        if shutil.which("nghttpx") is None:
            raise Missing("nghttpx")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.port = port
        self.log = folder / f"access-{port}.log"
        self.process = subprocess.Popen(
            ["nghttpx", f"--frontend=127.0.0.1,{port}", f"--backend=127.0.0.1,{to_port}", "--workers=1",
             "--single-process", f"--accesslog-file={self.log}", "--accesslog-format=$alpn $request $status",
             "--no-ocsp", "--conf=/dev/null", str(certificate), str(certificate)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def listens():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return self.process.poll() is not None
        wait_until(listens, PATIENCE_S, "nghttpx listens:")
        expect(self.process.poll() is None, "nghttpx ended")

    def stop(self, sign=signal.SIGTERM):
        self.process.send_signal(sign)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@promise("HTTP/2 is spoken where it is offered, one connection for all, and a proxy that goes away costs nothing")
def _(folder):
    authority = Authority(folder, "ours")
    certificate = authority.certificate("good")
    with Relay() as relay, Collector(options.collector, folder, "--public-url",
                                     f"https://localhost:{relay.port}") as collector, Driver([options.driver]) as driver:
        peer = Nghttpx(folder, certificate, collector.port)
        try:
            relay.to_port = peer.port
            driver.open(folder, f"https://localhost:{relay.port}", ca_file=authority.pem)
            for i in range(20):
                driver.track(f"c{i}")
                expect(driver.flush(20) == "0 ok")
            expect(relay.accepted == 1, relay.accepted, "connections for 20 requests")
            lines = peer.log.read_text().splitlines()
            # A graceful end sends GOAWAY.
            peer.stop(signal.SIGQUIT)
            for i in range(20, 25):
                driver.track(f"c{i}")
            expect(driver.flush(2) == "2 still_waiting")
            peer = Nghttpx(folder, certificate, collector.port)
            relay.to_port = peer.port
            until = time.monotonic() + PATIENCE_S
            while driver.flush(15) != "0 ok":
                expect(time.monotonic() < until, "not delivered")
            driver.close()
        finally:
            peer.stop()
        expect(len(lines) == 20 and all(line.startswith("h2 POST /v1/events") for line in lines), lines[:5])
        collector.expect_once(f"c{i}" for i in range(25))
        return f"20 times {lines[0]}, over one connection"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class AngryPeer(Server):
    """Speaks just enough HTTP/2 to refuse every request."""

    def __init__(self, certificate, how):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.set_alpn_protocols(["h2"])
        self.how = how
        self.asked = 0
        super().__init__(self.refuse)

    def refuse(self, client):
        with contextlib.suppress(ssl.SSLError), self.context.wrap_socket(client, server_side=True) as safe:
            data = b""

            def more(size):
                nonlocal data
                while len(data) < size:
                    piece = safe.recv(65536)
                    if not piece:
                        raise ConnectionError
                    data += piece
                taken, data = data[:size], data[size:]
                return taken
            more(24)
            safe.sendall(frame(4, 0, 0))
            while not self.stopping.is_set():
                head = more(9)
                more(int.from_bytes(head[:3], "big"))
                if head[3] == 4 and not head[4] & 1:
                    safe.sendall(frame(4, 1, 0))
                if head[3] != 1:
                    continue
                self.asked += 1
                stream = int.from_bytes(head[5:9], "big")
                if self.how == "REFUSED_STREAM":
                    safe.sendall(frame(3, 0, stream, struct.pack(">I", 7)))
                else:
                    safe.sendall(frame(7, 0, 0, struct.pack(">II", 0, 0 if self.how == "GOAWAY" else 11)))
                    time.sleep(0.05)
                    return


@promise("GOAWAY and REFUSED_STREAM are no answer: nothing is lost, and nobody is flooded")
def _(folder):
    authority = Authority(folder, "ours")
    certificate = authority.certificate("good")
    figures = []
    for how in ("REFUSED_STREAM", "GOAWAY", "ENHANCE_YOUR_CALM"):
        place = folder / how
        place.mkdir()
        with AngryPeer(certificate, how) as peer:
            said, stats = deliver(place, f"https://localhost:{peer.port}", answer="2 still_waiting", seconds=6,
                                  ca_file=authority.pem)
            expect(stats["waiting"] == 3, stats)
            expect(1 <= peer.asked <= 40, how, "was asked", peer.asked, "times")
            figures.append(f"{how}: {peer.asked} requests in 6 s, {said}")
        with endpoint(place, certificate) as (collector, tls):
            deliver(place, tls.url, count=0, ca_file=authority.pem)
            collector.expect_once(f"c{i}" for i in range(3))
    return "\n    " + "\n    ".join(figures)


# --- addresses -------------------------------------------------------------------------------------------------------

class OneFamily(Relay):
    """Passes on what comes to one address."""

    def __init__(self, address):
        super().__init__()
        self.__exit__()
        self.stopping.clear()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, self.port), family=family)
        self.listener.settimeout(0.1)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()


@promise("IPv4 and IPv6 addresses work, and a name that has both is reached where somebody listens")
def _(folder):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        raise Missing("IPv6 on loopback") from None
    figures = []
    for i, (address, name) in enumerate((("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("127.0.0.1", "localhost"),
                                         ("::1", "localhost"))):
        place = folder / str(i)
        place.mkdir()
        with OneFamily(address) as relay, Collector(options.collector, place, "--public-url",
                                                       f"http://{name}:{relay.port}") as collector:
            relay.to_port = collector.port
            deliver(place, f"http://{name}:{relay.port}")
            expect(relay.accepted >= 1)
            collector.expect_once(f"c{i}" for i in range(3))
            figures.append(f"{name} on {address}")
    return ", ".join(figures)


parser = argparse.ArgumentParser()
parser.add_argument("--driver", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
