from playbooks.infrastructure.ledger import StoredLedger


class Limited(StoredLedger):
    """Asked with the same limits each time."""

    def __init__(self, store, limits, **how):
        super().__init__(store, **how)
        self.limits = limits

    def ask(self, request, now):
        return super().ask(request, self.limits, now)

    def look(self, request, now):
        return super().look(request, self.limits, now)
