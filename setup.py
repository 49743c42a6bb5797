import re
from pathlib import Path

from setuptools import find_packages, setup

# In C, where there are wheels of them for this Python: the worker does without them, too.
FASTER = ("msgspec>=0.18", "httptools>=0.6", "uvloop>=0.19")

HERE = Path(__file__).parent
CORE = (HERE / "playbooks" / "core" / "__init__.py").read_text(encoding="utf-8")

setup(
    # PyPI's "playbooks" is another project.
    name="falco-playbooks",
    version=re.findall(r'^VERSION = "(.+)"$', CORE, re.MULTILINE)[0],
    description="Playbooks that answer a Falco alert as serverless functions",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # Of the programs and the worker. Functions run on Python 3.8 and later, without this package.
    python_requires=">=3.11",
    classifiers=[
        "Environment :: Console",
        "Intended Audience :: System Administrators",
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX",
        *(f"Programming Language :: Python :: {version}" for version in ("3.11", "3.12", "3.13")),
        "Topic :: Security",
        "Topic :: System :: Systems Administration",
    ],
    packages=find_packages(include=["playbooks", "playbooks.*"]),
    package_data={
        "playbooks.deployment.packaging": ["requirements/*.txt", "requirements/*/*.txt"],
        "playbooks.deployment.request": ["*.json"],
        "playbooks.simulation": ["*.jinja"],
    },
    entry_points={
        "console_scripts": [
            "deploy_playbook = playbooks.deployment.__main__:run",
            "falco-playbook = playbooks.commands.__main__:run",
        ]
    },
    # Functions and workers install none of this: they have lists of their own, in packaging.
    install_requires=[
        *("click>=8.1", "jinja2>=3.1", "rich>=13"),
        *("requests>=2.31", "urllib3>=1.26", "pyyaml>=6", "websocket-client>=1.6"),
    ],
    extras_require={
        # What these two had is always installed.
        "cli": [],
        "simulate": [],
        "cel": ["cel-python>=0.5"],
        "evidence": ["fsspec>=2024.10", "s3fs>=2024.10", "gcsfs>=2024.10"],
        "gcf": ["functions-framework>=3.5", "google-auth>=2.29"],
        "knative": ["h11>=0.16"],
        # Lambda's runtime has both of botocore and its own interface: this runs a function here.
        "lambda": ["awslambdaric>=2.0", "botocore>=1.34", "urllib3>=1.26"],
        "local": ["nats-py>=2.7"],
        "otel": ["opentelemetry-sdk>=1.20", "opentelemetry-exporter-otlp-proto-http>=1.20"],
        "notify": ["apprise>=1.9"],
        "worker": ["nats-py[nkeys]>=2.7", "prometheus-client>=0.20", "h11>=0.16", *FASTER],
    },
)
