"""What every engine does with the same inputs: the outcome is the playbook's, and only the wire
form is the engine's own."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Tuple, Type

from expects import contain, equal, expect, have_len

from playbooks.core.errors import ClusterUnavailable, InvalidAlert, NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.delete import playbook
from playbooks.engines.runtime import Intent
from playbooks.infrastructure.ledger import change
from playbooks.testing import FixedClock, InMemoryCluster, some_collaborators
from specs.support.engines import inputs as engine_inputs
from specs.support.engines.callers import Answer, Caller
from specs.support.engines.inputs import NOW, TOO_LARGE, Input, a_cluster, an_alert_about

Engine = Type[Caller]

SETTINGS = {"MAX_ALERT_AGE": "off"}

# Failures in a row: none of the engine's own attempts succeeds.
ALWAYS = 1000


def answers_good_alerts(engine: Engine) -> None:
    """answers good alerts of all versions and sources of Falco as the playbook does"""
    _alike(engine, engine_inputs.GOOD)


def says_what_is_no_alert(engine: Engine) -> None:
    """says of what is no alert why it is none"""
    _alike(engine, engine_inputs.BAD)


def takes_large_alerts(engine: Engine) -> None:
    """takes alerts of 1 MiB, and refuses larger ones where it has the bytes"""
    _alike(engine, engine_inputs.HUGE)


def acts_once_on_what_comes_twice(engine: Engine) -> None:
    """acts once on what comes twice"""
    _alike(engine, engine_inputs.DUPLICATE)


def is_not_disarmed_by_bytes(engine: Engine) -> None:
    """answers alerts whose bytes are no UTF-8, unless these decide"""
    _alike(engine, engine_inputs.ENCODING)


def leaves_others_alone(engine: Engine) -> None:
    """touches nothing where the target is missing"""
    _alike(engine, engine_inputs.MISSING)


def asks_for_what_may_succeed_later(engine: Engine) -> None:
    """asks for another delivery of what may succeed later"""
    answer = _failing(engine, ClusterUnavailable("no answer"))

    expect(answer.wire).to(equal(engine.WIRE[Intent.AGAIN]))


def gives_up_what_would_fail_again(engine: Engine) -> None:
    """gives up what would fail again"""
    answer = _failing(engine, NotPermitted("pods is forbidden"))

    expect(answer.wire).to(equal(engine.WIRE[Intent.GIVE_UP]))
    expect(_outcome(answer)["reason"]).to(equal("not-permitted"))


def outlives_a_playbook_that_exits(engine: Engine) -> None:
    """outlives a playbook that calls sys.exit"""
    cluster = a_cluster()
    with _calling(engine, cluster) as caller:
        cluster.failures["pod"] = [SystemExit(3)]
        failed = _outcome(caller.call(_web()))
        afterwards = _outcome(caller.call(_web()))

    expect(failed["reason"]).to(equal("unexpected"))
    expect(failed["message"]).to(contain("sys.exit(3)"))
    expect(afterwards["reason"]).to(equal("deletion-accepted"))


def is_held_by_a_pause(engine: Engine) -> None:
    """does nothing while the playbook is paused"""
    cluster = a_cluster()
    change(cluster.store, lambda book: book.pause("anna", NOW))
    with _calling(engine, cluster) as caller:
        answer = caller.call(_web())

    expect(_outcome(answer)["reason"]).to(equal("paused"))
    expect(_outcome(answer)["message"]).to(contain("anna"))
    expect(answer.wire).to(equal(engine.WIRE[Intent.SKIPPED]))
    expect(cluster.writes).to(equal([]))


def is_held_by_a_budget_that_is_used_up(engine: Engine) -> None:
    """does nothing once the budget is used up"""
    cluster = a_cluster()
    with _calling(engine, cluster, MAX_ACTIONS="1") as caller:
        first = _outcome(caller.call(_web()))
        second = caller.call(_raw())

    expect(first["reason"]).to(equal("deletion-accepted"))
    expect(_outcome(second)["reason"]).to(equal("budget-used-up"))
    expect(second.wire).to(equal(engine.WIRE[Intent.SKIPPED]))
    expect(cluster.writes).to(have_len(1))


def _web() -> bytes:
    return json.dumps(an_alert_about("web-0")).encode()


def _raw() -> bytes:
    """Of another pod of the same namespace."""
    return json.dumps(an_alert_about("raw-0", "1376fe875691")).encode()


@contextmanager
def _calling(engine: Engine, cluster: InMemoryCluster, **settings: str) -> Iterator[Caller]:
    """The engine with the playbook ``delete`` on this cluster."""
    collaborators = some_collaborators(cluster, clock=FixedClock(NOW))
    on_cluster = replace(playbook, collaborators=lambda *_: collaborators)
    caller = engine(on_cluster, {**SETTINGS, **settings})
    try:
        yield caller
    finally:
        caller.close()


def _failing(engine: Engine, error: Exception) -> Answer:
    cluster = a_cluster()
    cluster.failures["pod"] = [error] * ALWAYS
    with _calling(engine, cluster) as caller:
        return caller.call(_web())


def _outcome(answer: Answer) -> Dict[str, Any]:
    """As every engine tells it: how often it tried is its own affair."""
    assert answer.outcome is not None, f"no outcome, only {answer.wire!r}"
    details = {k: v for k, v in answer.outcome["details"].items() if k != "attempts"}
    return {**answer.outcome, "details": details}


def _alike(engine: Engine, kind: str) -> None:
    """The inputs of this kind have the outcomes that the table says and that the playbook gives
    itself, and the engine's own replies; and the cluster was changed as by the playbook."""
    for given in engine_inputs.inputs():
        if given.kind == kind:
            expect((given.name, _seen(engine, given))).to(
                equal((given.name, _expected(engine, given)))
            )


def _seen(engine: Engine, given: Input) -> List[Any]:
    cluster = a_cluster()
    with _calling(engine, cluster) as caller:
        answers = [caller.call(body) for body in given.deliveries]
    if given.reasons == (TOO_LARGE,) and engine.TOO_LARGE is not None:
        return [*(answer.wire for answer in answers), cluster.writes]
    return [*((answer.wire, _outcome(answer)) for answer in answers), cluster.writes]


def _expected(engine: Engine, given: Input) -> List[Any]:
    if given.reasons == (TOO_LARGE,) and engine.TOO_LARGE is not None:
        return [engine.TOO_LARGE, []]
    outcomes, writes = _of_the_playbook(given)
    if given.reasons != (TOO_LARGE,):
        expect((given.name, tuple(outcome.reason for outcome in outcomes))).to(
            equal((given.name, given.reasons))
        )
    told = [(_wire(engine, outcome), outcome.to_dict()) for outcome in outcomes]
    return [*told, writes]


# The same for all engines.
@lru_cache(maxsize=None)
def _of_the_playbook(given: Input) -> Tuple[List[Outcome], List[Any]]:
    """What it says itself, and what it writes."""
    cluster = a_cluster()
    collaborators = some_collaborators(cluster, clock=FixedClock(NOW))
    responder = playbook.responder(SETTINGS, collaborators)
    return [responder.answer(body) for body in given.deliveries], cluster.writes


def _wire(engine: Engine, outcome: Outcome) -> Any:
    if isinstance(outcome.error, InvalidAlert) and engine.INVALID is not None:
        return engine.INVALID
    return engine.WIRE[Intent.of(outcome)]
