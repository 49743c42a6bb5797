"""``python -m playbooks.engines.knative``: what a container of a Knative Service runs."""

import sys

from playbooks.engines.knative.service import main

if __name__ == "__main__":
    sys.exit(main())
