from expects import be_false, be_true, contain, equal, expect
from mamba import description, it

from playbooks.core.guards.guard import Case
from playbooks.core.guards.stale import StaleAlerts
from playbooks.core.instant import after
from playbooks.core.subjects import Priority
from playbooks.testing import NOW, an_alert


def asked(age, *, longest=600.0, priority="Notice", held_from=Priority.NOTICE, **given):
    alert = an_alert(time=str(after(NOW, -age)), priority=priority)
    return StaleAlerts(longest, held_from).of_alert(Case(alert, NOW, **given))


with description("The guard against stale alerts") as self:
    with it("is ten minutes long unless told otherwise"):
        setting = StaleAlerts.SETTINGS[0]

        expect(setting.check(setting.default)).to(equal(600.0))

    with it("passes up to the very age, and refuses what is older"):
        expect(asked(600).reason).to(equal(""))
        expect(asked(600.001).reason).to(equal("stale-alert"))

    with it("passes up to two minutes of skew, and refuses what is further ahead"):
        expect(asked(-120).reason).to(equal(""))
        expect(asked(-120.001).reason).to(equal("alert-from-the-future"))

    with it("says how old"):
        expect(asked(61).words).to(equal("the alert was 1m 1s old"))
        expect(asked(3700).words).to(contain("1h 1m old, more than MAX_ALERT_AGE (10m)"))

    with it("counts no time that the alert waited for us"):
        expect(asked(3600, received=after(NOW, -3000)).reason).to(equal(""))
        expect(asked(3600, received=after(NOW, -2999)).reason).to(equal("stale-alert"))
        expect(asked(-60, received=after(NOW, -61)).reason).to(equal("alert-from-the-future"))

    with it("says of a recorded alert that its own time counts"):
        expect(asked(0, recorded=True).words).to(
            equal("recorded alert: its own time counts as now")
        )

    with it("says whether it is held, and why"):
        expect(asked(3600, priority="Error").words).to(
            contain("; held, because its priority is Notice or above")
        )
        expect(asked(-3600, priority="Debug").words).to(
            contain("; not held, because its priority is below Notice")
        )

    with it("holds what is of priority Notice and above, unless told otherwise"):
        for priority in ("Notice", "Warning", "Error", "Critical", "Alert", "Emergency"):
            expect(asked(3600, priority=priority).held).to(be_true)
            expect(asked(-3600, priority=priority).held).to(be_true)
        for priority in ("Informational", "Debug"):
            expect(asked(3600, priority=priority).held).to(be_false)
        expect(asked(3600, held_from=Priority.ERROR).held).to(be_false)

    with it("lets go on what a person released"):
        expect(asked(86400, released_by="ada").reason).to(equal(""))

    with it("asks nothing where it is off"):
        expect(asked(10**8, longest=None).reason).to(equal(""))
