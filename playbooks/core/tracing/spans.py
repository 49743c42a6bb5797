"""The port for spans of traces, and what stands in for them where nobody wants any."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import ContextManager, Optional

from playbooks.core.tracing.traceparent import TraceParent

# The spans of one answer: of the alert, and within it what the guards say of the alert alone, the
# proof of the target, what the guards say of the action, and the action.
ALERT, GUARDS_OF_ALERT, PROOF = "alert", "guards of the alert", "proof"
GUARDS_OF_ACTION, ACTION = "guards of the action", "action"


class Span(ABC):
    """``trace_id``: of the trace that it belongs to; empty where it is recorded nowhere."""

    trace_id: str = ""

    @abstractmethod
    def note(self, *, failed: str = "", **attributes: str) -> None:
        """Add facts. ``failed``: why what it stands for went wrong. The names have underscores for
        dots."""


class Spans(ABC):
    """Threads may share it. No method raises, or waits for anybody."""

    @abstractmethod
    def span(self, name: str, parent: Optional[TraceParent] = None) -> ContextManager[Span]:
        """Lasts while it is entered. Within another one of this thread it belongs to that, else to
        ``parent``, else it begins a trace."""

    @abstractmethod
    def end(self, seconds: float) -> None:
        """Send what is left, within so many seconds."""


class NoSpan(Span):
    def note(self, *, failed: str = "", **attributes: str) -> None:
        pass


class NoSpans(Spans):
    _NOTHING: ContextManager[Span] = nullcontext(NoSpan())

    def span(self, name: str, parent: Optional[TraceParent] = None) -> ContextManager[Span]:  # noqa: ARG002
        return self._NOTHING

    def end(self, seconds: float) -> None:
        pass
