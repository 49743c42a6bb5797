import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.deployment.nats.users import block, of_worker
from playbooks.engines.worker.function import UNAUTHORIZED, Function, inbox_prefix
from playbooks.engines.worker.operator.protocol import PROGRAM
from specs.engines.worker.rig import UID, Rig, an_alert
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import ROOT, eventually, free_port

# The users that the documentation has, with the passwords of this spec.
USERS = (Path(__file__).resolve().parents[3] / "docs" / "nats-users.conf").read_text("utf-8")
for _name, _password in (("ADMIN", "a"), ("FALCOSIDEKICK", "s"), ("WORKER", "w")):
    USERS = USERS.replace(f"password: ${_name}", f"password: {_password}")


def a_server(self, config="", user="", **changes):
    self.nats = Nats(config=config, user=user, **changes).start()
    self.rest.append(self.nats)
    return self.nats


def a_worker(self, url="", **settings):
    self.rig = Rig(url or self.nats.url, **settings)
    self.rest.insert(0, self.rig)
    self.rig.serve("falco.error.*")
    return self.rig.start()


def works(self, worker, **options):
    """An alert that is published comes through."""
    worker.ready().says("subscribed to falco.error.*")
    self.nats.publish(("falco.error.x", an_alert("a")), **options)
    return self.rig.acted("a")


def refused(nats, url, publish, subscribe):
    """How many of these the server refuses to the user of the URL."""
    errors = []

    async def note(error):
        errors.append(str(error).lower())

    async def use(connection):
        for subject in publish:
            await connection.publish(subject, b"{}")
        for subject in subscribe:
            await connection.subscribe(subject)
        await connection.flush()

    nats.url = url
    nats.run(use, error_cb=note, inbox_prefix=inbox_prefix("specs", "falco-fake"))
    return sum("permissions violation" in error for error in errors)


def history(url):
    """What the program in a worker's pod lists, with the worker's own rights."""
    settings = {
        "PLAYBOOK": "fake",
        "FUNCTION_NAME": "falco-fake",
        "FUNCTION_NAMESPACE": "specs",
        "NATS_URL": url,
    }
    done = subprocess.run(
        [sys.executable, "-m", PROGRAM, "history", "--uid", UID],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def certificates(directory):
    """A CA, a server's certificate for 127.0.0.1 and a client's, by openssl."""

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory)

    key = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=specs")
    Path(directory, "ext").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        openssl("req", *key[:3], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=x")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-days", "2", "-out", f"{name}.pem")


def tls(directory, verify=False):
    return f"""tls {{
      cert_file: "{directory}/server.pem", key_file: "{directory}/server.key"
      ca_file: "{directory}/ca.pem", verify: {str(verify).lower()}
    }}"""


def key_pair(kind):
    import nkeys

    seed = nkeys.encode_seed(os.urandom(32), kind)
    return nkeys.from_seed(bytearray(seed)), seed.decode()


def signed(issuer, subject, name, claims):
    """A JWT as NATS has them: ed25519-nkey, the id a hash of the claims."""

    def text(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    payload = {
        "iat": int(time.time()),
        "iss": issuer.public_key.decode(),
        "sub": subject,
        "name": name,
        "nats": {"version": 2, **claims},
    }
    digest = hashlib.sha256(json.dumps(payload).encode()).digest()
    payload["jti"] = base64.b32encode(digest).rstrip(b"=").decode()
    head = text(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    body = f"{head}.{text(json.dumps(payload).encode())}"
    return f"{body}.{text(issuer.sign(body.encode()))}"


def credentials(directory):
    """A server's configuration with accounts by JWT, and a user's credentials file."""
    import nkeys

    operator, _ = key_pair(nkeys.PREFIX_BYTE_OPERATOR)
    limits = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
    storage = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    everything = {**dict.fromkeys(limits, -1), "wildcards": True}
    accounts = {}
    for name, more in (("SYS", {}), ("FALCO", storage)):
        account, _ = key_pair(nkeys.PREFIX_BYTE_ACCOUNT)
        public = account.public_key.decode()
        claims = {"type": "account", "limits": {**everything, **more}}
        accounts[name] = (account, public, signed(operator, public, name, claims))
    user, seed = key_pair(nkeys.PREFIX_BYTE_USER)
    claims = {"type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1}
    token = signed(accounts["FALCO"][0], user.public_key.decode(), "worker", claims)
    path = Path(directory, "worker.creds")
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    preload = "\n".join(f"{public}: {jwt}" for _, public, jwt in accounts.values())
    root = signed(operator, operator.public_key.decode(), "specs", {"type": "operator"})
    system = accounts["SYS"][1]
    config = f"operator: {root}\nsystem_account: {system}\nresolver: MEMORY\n"
    return config + f"resolver_preload: {{\n{preload}\n}}\n", str(path)


with description("The worker's connection to NATS") as self:
    with before.each:
        self.rest = []
        self.directory = tempfile.mkdtemp(prefix="worker-auth-")

    with after.each:
        for thing in self.rest:
            thing.remove()

    with it("takes a user and a password in the URL, and shows neither"):
        nats = a_server(self, "authorization { user: u, password: secret1 }", "u:secret1")
        worker = a_worker(self)

        expect(works(self, worker)).to(equal(["a"]))
        expect(worker.log).not_to(contain("secret1"))
        expect(worker.log).not_to(contain("accepts anonymous connections"))
        expect(worker.log).to(contain(f"nats://127.0.0.1:{nats.port}"))

    with it("takes them from settings of their own"):
        nats = a_server(self, "authorization { user: u, password: secret1 }", "u:secret1")
        url = f"nats://127.0.0.1:{nats.port}"
        worker = a_worker(self, url, NATS_USER="u", NATS_PASSWORD="secret1")

        expect(works(self, worker)).to(equal(["a"]))

    with it("takes a password that is percent-encoded in the URL, as Falcosidekick does"):
        nats = a_server(self, 'authorization { user: u, password: "p@ss#w/rd" }')
        worker = a_worker(self, f"nats://u:p%40ss%23w%2Frd@127.0.0.1:{nats.port}")

        expect(works(self, worker, user="u", password="p@ss#w/rd")).to(equal(["a"]))
        expect(worker.log).not_to(contain("rd@"))

    with it("connects where one of two servers is dead"):
        nats = a_server(self, "authorization { user: u, password: secret1 }", "u:secret1")
        worker = a_worker(self, f"nats://u:secret1@127.0.0.1:{free_port()},{nats.url}")

        expect(works(self, worker)).to(equal(["a"]))

    with it("connects where one of two servers takes connections and says nothing"):
        nats = a_server(self, "authorization { user: u, password: secret1 }", "u:secret1")
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            other = f"127.0.0.1:{silent.getsockname()[1]}"
            worker = a_worker(self, f"nats://u:secret1@{other},{nats.url}")

            expect(works(self, worker)).to(equal(["a"]))

    with it("takes a token in the URL"):
        a_server(self, "authorization { token: secret2 }", "secret2")

        expect(works(self, a_worker(self))).to(equal(["a"]))

    with it("takes a token from a file"):
        nats = a_server(self, "authorization { token: secret2 }", "secret2")
        path = Path(self.directory, "token")
        path.write_text("secret2\n")
        worker = a_worker(self, f"nats://127.0.0.1:{nats.port}", NATS_TOKEN_FILE=str(path))

        expect(works(self, worker)).to(equal(["a"]))

    with it("takes a credentials file"):
        config, path = credentials(self.directory)
        a_server(self, config)
        worker = a_worker(self, NATS_CREDS=path)

        expect(works(self, worker, user_credentials=path)).to(equal(["a"]))

    with it("says what is wrong with its credentials, is not ready, and goes on trying"):
        nats = a_server(self, "authorization { user: u, password: secret1 }", "u:secret1")
        worker = a_worker(self, f"nats://u:wrong@127.0.0.1:{nats.port}")
        worker.says("Authorization Violation")

        expect(worker.get("/readyz")[0]).to(equal(503))
        expect(worker.get("/healthz")[0]).to(equal(200))
        expect(worker.log).not_to(contain("wrong"))

    with it("says of the user of another worker, which hears no answer, that waiting is no use"):
        other = Function("specs", "falco-other", UID)
        theirs = block(other, of_worker(other, ()))
        theirs = theirs.replace("$SPECS_FALCO_OTHER", "w")
        users = USERS.partition('    { user: "worker",')[0] + theirs + "  ]\n}\n"
        nats = a_server(self, users, "admin:a")
        worker = a_worker(self, f"nats://specs.falco-other:w@127.0.0.1:{nats.port}")
        worker.says("permissions violation for subscription to")

        expect(worker.log).to(contain(f'"reason": "{UNAUTHORIZED}"'))

    with it("says of a user that is limited to a Function that was removed what gives it this one"):
        earlier = Function("specs", "falco-fake", "uid-0")
        mine = block(earlier, of_worker(earlier, ())).replace("$SPECS_FALCO_FAKE", "w")
        users = USERS.partition('    { user: "worker",')[0] + mine + "  ]\n}\n"
        nats = a_server(self, users, "admin:a")
        worker = a_worker(self, f"nats://specs.falco-fake:w@127.0.0.1:{nats.port}")
        worker.says("run deploy_playbook -S --with-nats again")

        expect(worker.log).to(contain(f'"reason": "{UNAUTHORIZED}"'))

    with it("waits for a server that is not there yet"):
        nats = Nats()
        self.nats = nats
        self.rest.append(nats)
        worker = a_worker(self, nats.url)
        worker.says("Connect")
        ready = 'playbook_ready{playbook="fake"}'
        before = worker.metric(ready)
        nats.start()

        expect(works(self, worker)).to(equal(["a"]))
        expect([before, worker.metric(ready)]).to(equal([0, 1]))

    with it("warns where the server accepts anonymous connections"):
        a_server(self)

        a_worker(self).ready().says("accepts anonymous connections")

    with it("needs no more rights than the documented ones, and Falcosidekick but one"):
        nats = a_server(self, USERS, "admin:a")
        limits = {"max_age": 72 * 3600 * 10**9}
        nats.stream("FALCO", "falco.>", **limits)
        nats.stream("FALCO_DEAD", "falco-dead.>")
        nats.stream("FALCO_INBOX", "falco-inbox.>")
        nats.stream("FALCO_OUTCOMES", "falco-outcomes.>")
        worker = a_worker(self, f"nats://worker:w@127.0.0.1:{nats.port}")
        worker.ready().says("subscribed to falco.error.*")
        nats.url = f"nats://falcosidekick:s@127.0.0.1:{nats.port}"
        nats.alert("a")
        nats.alert("b", rule="forbidden")
        self.rig.acted("a")

        expect(worker.post(an_alert("posted"))[0]).to(equal(200))
        nats.url = f"nats://admin:a@127.0.0.1:{nats.port}"
        (dead,) = eventually(lambda: nats.messages("FALCO_DEAD"))
        expect(dead["body"]).to(contain(b"forbidden"))
        eventually(lambda: len(nats.messages("FALCO_OUTCOMES")) == 3)
        expect(history(f"nats://worker:w@127.0.0.1:{nats.port}")[-1]).to(equal({"end": 3}))
        self.rig.serve("falco.debug.*")
        worker.says("unsubscribed from falco.error.*")
        expect(worker.log.lower()).not_to(contain("permissions violation"))

    with it("needs no more rights than nats-user prints, and has none on another worker's"):
        own, other = (Function("specs", "falco-fake", uid) for uid in (UID, "uid-2"))
        topics = ("falco.error.*", "falco.debug.*")
        mine = block(own, of_worker(own, topics))
        mine = mine.replace("$SPECS_FALCO_FAKE", "w").replace('"specs.falco-fake"', "worker")
        one = USERS.partition('    { user: "worker",')[0] + mine + "  ]\n}\n"
        nats = a_server(self, one, "admin:a")
        for name in ("FALCO", "FALCO_DEAD", "FALCO_INBOX", "FALCO_OUTCOMES"):
            nats.stream(name, f"{name.lower().replace('_', '-')}.>")
        url = f"nats://worker:w@127.0.0.1:{nats.port}"
        worker = a_worker(self, url, WORKER_SPEC_LOOKS="1")
        worker.ready().says("subscribed to falco.error.*")
        for name, rule in (("a", "ok"), ("b", "forbidden")):
            nats.alert(name, rule=rule)
        self.rig.acted("a")

        expect(worker.post(an_alert("posted"))[0]).to(equal(200))
        eventually(lambda: nats.messages("FALCO_DEAD"))
        for _ in range(4):  # At once again, while the consumers of before are still there.
            expect(history(url)[-1]).to(equal({"end": 3}))
        self.rig.serve("falco.debug.*")
        worker.says("unsubscribed from falco.error.*")
        expect(worker.log.lower()).not_to(contain("permissions violation"))
        stolen = [
            *("falco.error.x", other.inbox, "falco-dead.falco-other"),
            f"$JS.API.CONSUMER.MSG.NEXT.FALCO.{other.consumer(topics[0])}",
            f"$JS.API.CONSUMER.CREATE.FALCO.{other.consumer(topics[0])}.falco.error.*",
            "$JS.API.STREAM.PURGE.FALCO",
        ]
        expect(refused(nats, url, stolen, ["_INBOX.>", other.outcome(">")])).to(
            equal(len(stolen) + 2)
        )

    with it("acts where it may keep no outcomes, says so, and counts them"):
        without = USERS.replace('"falco-outcomes.*"', '"nothing"')
        nats = a_server(self, without, "admin:a")
        for name, subjects in (("FALCO", "falco.>"), ("FALCO_DEAD", "falco-dead.>")):
            nats.stream(name, subjects)
        nats.stream("FALCO_INBOX", "falco-inbox.>")
        worker = a_worker(self, f"nats://worker:w@127.0.0.1:{nats.port}")
        worker.ready().says("outcomes are not kept in a stream for now")
        worker.says("subscribed to falco.error.*")
        for name in ("a", "b"):
            nats.alert(name)
        self.rig.acted("a", "b", seconds=5)
        failed = 'playbook_records_failed_total{playbook="fake",recorder="Stream"}'

        eventually(lambda: worker.metric(failed) == 2)

with description("The worker's connection to NATS, with TLS") as self:
    with before.all:
        self.directory = tempfile.mkdtemp(prefix="worker-tls-")
        certificates(self.directory)
        self.ca = f"{self.directory}/ca.pem"
        self.pair = {
            "NATS_CERT": f"{self.directory}/client.pem",
            "NATS_KEY": f"{self.directory}/client.key",
        }

    with before.each:
        self.rest = []

    with after.each:
        for thing in self.rest:
            thing.remove()

    with it("trusts the CA that it was given"):
        nats = a_server(self, tls(self.directory))
        worker = a_worker(self, f"tls://127.0.0.1:{nats.port}", NATS_CA=self.ca)

        worker.ready().says("subscribed to falco.error.*")

    with it("trusts no other"):
        nats = a_server(self, tls(self.directory))
        worker = a_worker(self, f"tls://127.0.0.1:{nats.port}")
        worker.says("CERTIFICATE_VERIFY_FAILED")

        expect(worker.get("/readyz")[0]).to(equal(503))

    with it("shows its own certificate, and needs no warning then"):
        nats = a_server(self, tls(self.directory, verify=True))
        url = f"tls://127.0.0.1:{nats.port}"
        worker = a_worker(self, url, NATS_CA=self.ca, **self.pair)
        worker.ready().says("subscribed to falco.error.*")

        expect(worker.log).not_to(contain("accepts anonymous connections"))

    with it("sends no password in the clear where TLS was asked for and the server has none"):
        nats = a_server(self, "authorization { user: u, password: secret1 }", "u:secret1")
        worker = a_worker(self, f"tls://u:secret1@127.0.0.1:{nats.port}", NATS_CA=self.ca)
        worker.says("the server offers none")

        expect(worker.get("/readyz")[0]).to(equal(503))


# Needs no cluster, but real servers and two minutes.
not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
not_run_unless(program("openssl"), globals())
