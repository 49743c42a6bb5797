import json

from expects import equal, expect
from mamba import description, it

from playbooks.core.errors import Throttled
from playbooks.core.outcome import Outcome

with description("An outcome") as self:
    with it("is a plain dict on the wire"):
        outcome = Outcome.acted("pod shop/web-0", "deletion-accepted", "deleted", uid="u")

        expect(json.loads(json.dumps(outcome.to_dict()))).to(
            equal(
                {
                    "status": "acted",
                    "target": "pod shop/web-0",
                    "reason": "deletion-accepted",
                    "message": "deleted",
                    "details": {"uid": "u"},
                    "why": [],
                    "held": False,
                }
            )
        )

    with it("says of a failure what it was and whether to try again"):
        outcome = Outcome.failed(Throttled("slow down"))

        expect(outcome.to_dict()).to(
            equal(
                {
                    "status": "failed",
                    "target": "",
                    "reason": "throttled",
                    "message": "slow down",
                    "details": {"error": "Throttled", "retryable": True},
                    "why": [],
                    "held": False,
                }
            )
        )
