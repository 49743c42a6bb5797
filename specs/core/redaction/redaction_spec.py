import json
import time
from pathlib import Path

from expects import be_below, contain, equal, expect
from mamba import before, description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.outcome import Outcome
from playbooks.core.redaction.redaction import SETTINGS, Redaction
from playbooks.core.settings import read
from specs.support.mothers import an_alert

ALERTS = Path(__file__).parents[2] / "support" / "alerts" / "falco_alerts.jsonl"

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
    "said Bearer S3cret.S3cret": "said Bearer ***",
    "Cookie: session=S3cret": "Cookie: ***",
    "https://hooks.slack.com/services/T0/B0/S3cret": "https://hooks.slack.com/***",
    "id AKIAIOSFODNN7EXAMPLE": "id ***",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345": "***",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl-S3cret": "***",
    "-----BEGIN RSA PRIVATE KEY-----\nS3cret\n-----END RSA PRIVATE KEY----- x": "*** x",
    "-----BEGIN PRIVATE KEY-----\nS3cret, cut": "***",
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
)

# What is slow for patterns that look again at what they have seen.
HARD = ("--password ", "://a:@", "eyJa.", "-----BEGIN PRIVATE KEY-----")


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

    with it("takes linear time, whatever it is given"):
        for piece in HARD:
            started = time.process_time()
            self.redaction.text(piece * (1_000_000 // len(piece)))
            expect(time.process_time() - started).to(be_below(5))

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

    with it("goes through the words of an alert"):
        alert = an_alert({"proc.cmdline": "mysql -pS3cret"}, output="mysql -pS3cret")
        redacted = self.redaction.alert(alert)

        expect(redacted.fields["proc.cmdline"]).to(equal("mysql -p***"))
        expect(redacted.output).to(equal("mysql -p***"))
