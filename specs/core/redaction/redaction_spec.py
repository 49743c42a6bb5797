import json
import random
import time
import uuid
from pathlib import Path

from expects import be_above, be_below, contain, equal, expect
from mamba import before, description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.outcome import Outcome
from playbooks.core.redaction.redaction import SETTINGS, Redaction
from playbooks.core.settings import read
from playbooks.testing import UID, an_alert

ALERTS = Path(__file__).parents[2] / "support" / "alerts" / "falco_alerts.jsonl"

LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"

# What nobody else may see, and what is left of it.
HIDDEN = {
    "mysql -u root -pS3cret shop": "mysql -u root -p*** shop",
    "command=/usr/bin/mysql -p S3cret parent=bash": "command=/usr/bin/mysql -p *** parent=bash",
    "sshpass -p S3cret ssh root@host -p 22": "sshpass -p *** ssh root@host -p ***",
    "curl -u me:S3cret http://host/": "curl -u me:*** http://host/",
    "curl --user=me:S3cret http://host/": "curl --user=me:*** http://host/",
    "docker login -u me -p S3cret": "docker login -u me -p ***",
    "redis-cli -a S3cret": "redis-cli -a ***",
    "psql postgres://app:S3cret@db/shop": "psql postgres://app:***@db/shop",
    "mysql://app:S3@cret@db/shop": "mysql://app:***@db/shop",
    "git clone https://S3cret@host/x": "git clone https://***@host/x",
    "env PGPASSWORD=S3cret psql": "env PGPASSWORD=*** psql",
    "AWS_SECRET_ACCESS_KEY=S3cret": "AWS_SECRET_ACCESS_KEY=***",
    "MYSQL_PWD=S3cret": "MYSQL_PWD=***",
    "--password S3cret -v": "--password *** -v",
    "--db-password='my S3cret' -v": "--db-password=*** -v",
    "--api-key S3cret": "--api-key ***",
    "token=S3cret&x=1": "token=***",
    "http://host/?api_key=S3cret": "http://host/?api_key=***",
    '{"password": "my \\" S3cret", "user": "me"}': '{"password": ***, "user": "me"}',
    '{\\"token\\":\\"my S3cret\\",\\"user\\"}': '{\\"token\\":***,\\"user\\"}',
    "curl -H Authorization: Bearer S3cret http://x": "curl -H Authorization: Bearer *** http://x",
    "-H 'Authorization: Basic S3cret='": "-H 'Authorization: Basic ***'",
    "Authorization:S3cret": "Authorization:***",
    "curl -H Authorization: ApiKey S3cret http://x": "curl -H Authorization: *** http://x",
    "curl -H Authorization: S3cret -k http://x": "curl -H Authorization: *** -k http://x",
    "curl -H Authorization: S3cret http://x": "curl -H Authorization: *** http://x",
    "command=curl -H Authorization:S3cret user=a": "command=curl -H Authorization:*** user=a",
    "Authorization: ApiKey S3cretS3cret==": "Authorization: ***",
    '{"Authorization": "GenieKey S3cret", "a": 1}': '{"Authorization": "***", "a": 1}',
    "curl --oauth2-bearer S3cret http://x": "curl --oauth2-bearer *** http://x",
    "said Bearer S3cret.S3cret": "said Bearer ***",
    "Cookie: session=S3cret": "Cookie: ***",
    "https://hooks.slack.com/services/T0/B0/S3cret": "https://hooks.slack.com/***",
    "id AKIAIOSFODNN7EXAMPLE": "id ***",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345": "***",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl-S3cret": "***",
    "RABBITMQ_DEFAULT_PASS=S3cret DB_PASS: S3cret": "RABBITMQ_DEFAULT_PASS=*** DB_PASS: ***",
    "MASTER_KEY=S3cret dbpwd=S3cret userSecret: S3cret": "MASTER_KEY=*** dbpwd=*** userSecret: ***",
    "DB_PASSWORD_2=S3cret PASS1=S3cret": "DB_PASSWORD_2=*** PASS1=***",
    "command=curl -sku me:S3cret https://host/": "command=curl -sku me:*** https://host/",
    "curl -sSfLume:S3cret http://host/": "curl -sSfLume:*** http://host/",
    "curl -b a=S3cret http://host/": "curl -b *** http://host/",
    "ldapsearch -xw S3cret -D cn=admin": "ldapsearch -xw *** -D cn=admin",
    'Cookie: a=S3cret; b=S3cret; c="S3cret" parent=sh': "Cookie: *** parent=sh",
    "curl -H 'Cookie: a=S3cret;b=S3cret' http://x": "curl -H 'Cookie: ***' http://x",
    "Set-Cookie: sid=S3cret; Path=/; HttpOnly": "Set-Cookie: ***",
    "vault login hvs.S3cret parent=sh": "vault login *** parent=sh",
    "openssl pkcs12 -passin pass:S3cret -in f": "openssl pkcs12 -passin *** -in f",
    "openssl enc -k S3cret -in f": "openssl enc -k *** -in f",
    "aws configure set aws_secret_access_key S3cret": "aws configure set aws_secret_access_key ***",
    "npm config set //r.example/:_authToken S3cret": "npm config set //r.example/:_authToken ***",
    "kubectl create secret generic x --from-literal=pin=S3cret": (
        "kubectl create secret generic x --from-literal=pin=***"
    ),
    "sqlplus app/S3cret@db parent=sh": "sqlplus app/***@db parent=sh",
    "htpasswd -b f u S3cret parent=sh": "htpasswd -b f u *** parent=sh",
    "htpasswd -nb u S3cret": "htpasswd -nb u ***",
    "rabbitmqctl add_user u S3cret": "rabbitmqctl add_user u ***",
    "redis-cli -h db AUTH S3cret": "redis-cli -h db AUTH ***",
    "smbclient //h/s -U u%S3cret": "smbclient //h/s -U u%***",
    "-----BEGIN RSA PRIVATE KEY-----\nS3cret\n-----END RSA PRIVATE KEY----- x": "*** x",
    "-----BEGIN PRIVATE KEY-----\nS3cret, cut": "***",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nS3cret\n-----END PGP PRIVATE KEY BLOCK----- x": "*** x",
}

LEFT = (
    "K8s Secret Created (user=admin secret=db-login ns=shop resp=201 decision=allow)",
    "cat /etc/passwd: read by cat",
    "ls /var/run/secrets/kubernetes.io/serviceaccount/token",
    "docker run -p 80:80 nginx",
    "ssh -p 22 host",
    "PWD=/root",
    "--password-file /run/x",
    "mysqld --port 3306",
    "pod shop/token-server-1 (uid 5b0c2f6e-9d3a-4a52-8f0b-2f2d3f6f4c11)",
    "image=docker.io/library/mysql:5 container=1376fe875695",
    "3 of 10 actions in 10m in shop",
    "bypass=true compass: north OLDPWD=/root public_key=x publicKey: y",
    "curl -b cookies.txt -sSL http://host/",
    "curl -Lo file -u me http://host/",
    "aws configure set region eu-west-1",
    "vault login -method=userpass username=me",
    "vault status",
    "cat a/b@c exp/x",
    "htpasswd -v f u",
    "image=docker.io/library/web@sha256:" + "0123456789abcdef" * 4,
    "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDgmCcu36uN",
    "pod aks-web-5d7f9c6b8d-x7k2p on aks-nodepool1-30954262-vmss000002",
    "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0 /proc/self/task",
    "com.google.common.util.concurrent.AbstractFutureState3Helper",
)

# Tokens that providers issue: the beginning of each, and of what the rest is.
ISSUED = {
    **dict.fromkeys(("ghp_", "gho_", "npm_", "hf_", "sk_live_", "rk_test_"), LETTERS + DIGITS),
    **dict.fromkeys(("github_pat_", "glpat-", "hvs.", "dckr_pat_", "sk-", "sk-ant-"), LETTERS),
    **dict.fromkeys(("xoxb-", "xapp-1-", "GOCSPX-", "ya29.", "pypi-AgEI", "glrt-"), LETTERS),
    **dict.fromkeys(("AKIA", "ASIA"), "ABCDEFGH23456789"),
    **dict.fromkeys(("dop_v1_", "dapi", "shpat_"), "0123456789abcdef"),
    "SU": "ABCDEFGH234567",
    "AIza": LETTERS,
}
LENGTHS = {"AKIA": 16, "ASIA": 16, "SU": 56, "AIza": 35, "dapi": 32, "shpat_": 32}

# What is slow for patterns that look again at what they have seen.
HARD = (
    *(
        "--password ",
        "://a:@",
        "eyJa.",
        "-----BEGIN PRIVATE KEY-----",
        "cookie: a=b; ",
        "; a=b",
    ),
    *(
        "config set ",
        "config set a",
        "--from-literal=",
        "curl -s",
        "-sssssss",
        "curl -sku a:b ",
    ),
    *(
        "hvs.",
        "sk-",
        "SG.a.",
        "gl",
        "aB3",
        "aB3xY9-",
        "pass",
        "key",
        "_key",
        "passkey=",
        "sqlplus a/",
    ),
    *("htpasswd -b ", "A", " ", '\\"', "'", '"', "=", ";", "cookie:", "secret_"),
)


with description("Redaction") as self:
    with before.each:
        self.redaction = Redaction()

    with it("leaves the name and hides the value"):
        for text, left in HIDDEN.items():
            expect(self.redaction.text(text)).to(equal(left))

    with it("leaves what only looks like it"):
        for text in LEFT:
            expect(self.redaction.text(text)).to(equal(text))

    with it("is the same when it is done twice"):
        for left in HIDDEN.values():
            expect(self.redaction.text(left)).to(equal(left))

    with it("leaves Falco's own alerts as they are, which hold no secret"):
        for line in ALERTS.read_text(encoding="utf-8").splitlines():
            output = json.loads(line).get("output")
            expect(self.redaction.text(str(output))).to(equal(str(output)))

    with it("finds a secret within them"):
        for line in ALERTS.read_text(encoding="utf-8").splitlines():
            output = f"{json.loads(line).get('output')} (command=mysql -pS3cret -h db)"
            expect(self.redaction.text(output)).not_to(contain("S3cret"))

    with it("hides the tokens that providers issue, wherever they stand"):
        for begin, letters in ISSUED.items():
            rest = (letters * 80)[: LENGTHS.get(begin, 60)]
            for around in (
                "{}",
                "run --x {} y",
                '{{"a":"{}"}}',
                "a={}",
                "echo {}|sh",
                "x,{},y",
            ):
                text = around.format(begin + rest)
                expect(self.redaction.text(text)).not_to(contain(rest[:12]))

    with it("hides nearly every random word, and of Falco's own alerts none"):
        dice = random.Random(1)
        alphabet = LETTERS + LETTERS.upper() + DIGITS
        words = ["".join(dice.choices(alphabet, k=32)) for _ in range(1000)]
        hidden = [word for word in words if self.redaction.text(f"run {word} now") == "run *** now"]

        expect(len(hidden)).to(be_above(950))

    with it("leaves the numbers and names that people need"):
        dice = random.Random(2)
        for _ in range(500):
            number = f"{dice.getrandbits(256):064x}"
            name = "".join(dice.choices("bcdfghjklmnpqrstvwxz2456789", k=10))
            uid = str(uuid.UUID(int=dice.getrandbits(128)))
            text = (
                f"{number} {number[:12]} sha256:{number} web-{name}-{name[:5]} {uid} {uid.upper()}"
            )
            expect(self.redaction.text(text)).to(equal(text))

    with it("leaves where a set of evidence lies, which has a time and a uid in its name"):
        place = "file:///evidence/shop/web-0/20261126T150349.123456789Z-" + UID

        expect(self.redaction.text(place)).to(equal(place))

    with it("takes linear time, whatever it is given"):
        for piece in HARD:
            started = time.process_time()
            self.redaction.text(piece * (25_000 // len(piece)))
            expect(time.process_time() - started).to(be_below(0.125))

    with it("hides the values of further names"):
        settings = read(SETTINGS, {"REDACT_NAMES": "pin, x-my-key"})
        redaction = Redaction.of(settings)

        expect(redaction.text("pin=1234 --pin 1234 X-My-Key: 1234 spin=1")).to(
            equal("pin=*** --pin *** X-My-Key: *** spin=1")
        )

    with it("takes names only, and no patterns"):
        try:
            read(SETTINGS, {"REDACT_NAMES": "(a+)+$"})
            said = ""
        except InvalidSetting as error:
            said = str(error)

        expect(said).to(contain("expected names such as pin"))

    with it("can be turned off"):
        redaction = Redaction.of(read(SETTINGS, {"REDACT": "false"}))

        expect(redaction.text("token=S3cret")).to(equal("token=S3cret"))

    with it("goes through all the words of an outcome, and leaves the rest"):
        outcome = Outcome.acted("pod a/b", "done", "token=x", uid="1", deep={"said": ["pwd_pwd=x"]})
        redacted = self.redaction.outcome(outcome)

        expect(redacted.message).to(equal("token=***"))
        expect(redacted.details).to(equal({"uid": "1", "deep": {"said": ["pwd_pwd=***"]}}))
        expect(redacted.target).to(equal("pod a/b"))

    with it("redacts an alert as it was sent, and leaves it JSON"):
        body = json.dumps({"output": 'x "token": "S3cret"', "output_fields": {"db_pass": "S3cret"}})
        found = self.redaction.body(body.encode())

        expect(json.loads(found)["output_fields"]).to(equal({"db_pass": "***"}))
        expect(found).not_to(contain("S3cret"))
        for strange in (
            b"\xff token=S3cret",
            b'{"output": "token=S3cret',
            b"[" * 100_000,
        ):
            expect(self.redaction.body(strange)).not_to(contain("S3cret"))

    with it("goes through the words of an alert"):
        alert = an_alert({"proc.cmdline": "mysql -pS3cret"}, output="mysql -pS3cret")
        redacted = self.redaction.alert(alert)

        expect(redacted.fields["proc.cmdline"]).to(equal("mysql -p***"))
        expect(redacted.output).to(equal("mysql -p***"))
