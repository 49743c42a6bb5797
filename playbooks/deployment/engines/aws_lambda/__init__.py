"""The engine ``-E lambda``."""

from playbooks.deployment.engines.aws_lambda.engine import Lambda

ENGINE = Lambda()
