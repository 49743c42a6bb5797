"""What a function on AWS finds around it: EKS, Secrets Manager and S3 (of moto), on a free port of
the loopback. STS is not asked, and moto would say yes to everything."""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Dict

from specs.support.conditions import Condition

MOTO = Condition(all(map(find_spec, ("moto", "boto3"))), "moto and boto3 are not installed")
MOTO_S3 = Condition(all(map(find_spec, ("moto", "s3fs"))), "moto and s3fs are not installed")

REGION, ACCOUNT = "eu-west-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/falco-delete"

#: Of the session of the execution role.
KEYS = {
    "AWS_ACCESS_KEY_ID": "ASIASPECSPECSPECSPEC",
    "AWS_SECRET_ACCESS_KEY": "specspecspecspecspecspecspecspecspecspec",
    "AWS_SESSION_TOKEN": "IQoJ/spec+spec==",
}


class AwsCloud:
    """``environ``: as Lambda gives it to a function, with the endpoints of this cloud."""

    def __init__(self, region: str = REGION) -> None:
        self.url = _server()
        self._region = region
        self.environ: Dict[str, str] = {
            **KEYS,
            "AWS_REGION": region,
            "AWS_ENDPOINT_URL": self.url,
        }

    def stop(self) -> None:
        """Forget what its region was given."""
        from moto.eks import eks_backends
        from moto.secretsmanager import secretsmanager_backends

        for backends in (eks_backends, secretsmanager_backends):
            backends[ACCOUNT][self._region].reset()

    def client(self, service: str) -> Any:
        return _client(service, self._region, self.url)

    def make_cluster(self, name: str, server: str, authority: str) -> None:
        """moto makes an address and an authority up: these two are put in their place."""
        from moto.eks import eks_backends

        self.client("eks").create_cluster(
            name=name, roleArn=ROLE, resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]}
        )
        made = eks_backends[ACCOUNT][self._region].clusters[name]
        made.endpoint = server
        made.certificate_authority = {"data": authority}

    def keep(self, name: str, text: str) -> None:
        self.client("secretsmanager").create_secret(Name=name, SecretString=text)


class Bucket:
    """One of S3. ``settings``: those of a playbook that keeps evidence in it."""

    def __init__(self, name: str) -> None:
        self.settings: Dict[str, str] = {
            "EVIDENCE_URL": f"s3://{name}/prefix",
            "AWS_ENDPOINT_URL": _server(),
            "AWS_ACCESS_KEY_ID": "spec",
            "AWS_SECRET_ACCESS_KEY": "spec",
        }
        self.client().makedirs(name, exist_ok=True)

    def client(self) -> Any:
        """A client of the spec's own."""
        import s3fs

        return s3fs.S3FileSystem(
            key="spec",
            secret="spec",
            endpoint_url=self.settings["AWS_ENDPOINT_URL"],
            skip_instance_cache=True,
            use_listings_cache=False,
        )


@lru_cache(maxsize=None)
def _server() -> str:
    """The URL of the only one, which ends with the process: all of a process share what they have
    been given, and each takes half a second to stop."""
    from moto.server import ThreadedMotoServer  # takes a second

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    return f"http://127.0.0.1:{port}"


@lru_cache(maxsize=None)
def _client(service: str, region: str, url: str) -> Any:
    import boto3

    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="spec",
        aws_secret_access_key="spec",
    )
