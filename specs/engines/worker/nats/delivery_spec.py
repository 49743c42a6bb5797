from unittest import mock

from expects import be_none, equal, expect, raise_error
from mamba import description, it

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import Instant
from playbooks.engines.worker.nats.delivery import Delivery, Origin
from specs.engines.worker.rig import an_alert

REPLY = "$JS.ACK.FALCO.falco-uid-abc.3.17.20.1795255343850547970.5"


with description("Where a message lies") as self:
    with it("is read from its reply subject, to the nanosecond"):
        expect(Origin.of(REPLY)).to(
            equal(Origin("FALCO", 17, Instant(1795255343850547970), number=3, pending=5))
        )

    with it("is read from that of a server with a domain and account"):
        reply = "$JS.ACK.hub.ABC.FALCO.falco-uid-abc.3.17.20.1795255343850547970.5.random"

        expect(Origin.of(reply).sequence).to(equal(17))
        expect(Origin.of(reply).stream).to(equal("FALCO"))

    with it("is nowhere for other messages"):
        for reply in ("", "_INBOX.abc", "$JS.ACK.FALCO", REPLY + ".x", REPLY.replace("17", "x")):
            expect(Origin.of(reply)).to(be_none)

    with it("is told apart from the same number of a stream that was lost"):
        again = Origin.of(REPLY.replace("1795255343850547970", "1795255343850547971"))

        expect(Origin.of(REPLY).key).not_to(equal(again.key))

    with it("is the same for every delivery"):
        expect(Origin.of(REPLY).key).to(
            equal(Origin.of(REPLY.replace(".3.17.20.", ".4.17.29.")).key)
        )


with description("The alert of a delivery") as self:

    def delivery(self, body):
        return Delivery("falco.>", "falco.error.x", body, Origin.of(REPLY), channel=None)

    with it("is read once, for all who ask"):
        delivery = self.delivery(an_alert("shell"))

        expect(delivery.alert).to(equal(Alert.parse(delivery.body)))
        expect(delivery.alert is delivery.alert).to(equal(True))

    with it("is the body, where that is no alert"):
        expect(self.delivery(b"no alert").alert).to(equal(b"no alert"))

    with it("is read no second time, where that is no alert, and why is known"):
        found = self.delivery(b'{"rule": "x"}').alert
        with mock.patch("json.loads") as loads:
            expect(lambda: Alert.parse(found)).to(
                raise_error(InvalidAlert, "priority is missing, expected a value")
            )

        expect(loads.called).to(equal(False))
