"""Publishes an alert from standard input on NATS, as Falcosidekick does.

    python docs/demo/publish.py SUBJECT URL

Needs nats-py. Ends with an error where the user of URL may not publish on SUBJECT.
"""

import asyncio
import sys

import nats


async def main(subject: str, url: str) -> None:
    refused = []

    async def note(error: Exception) -> None:
        refused.append(error)

    client = await nats.connect(url, error_cb=note)
    await client.publish(subject, sys.stdin.buffer.read())
    await client.flush()
    await client.close()
    if refused:
        sys.exit(f"{subject}: {refused[0]}")
    print(f"published on {subject}")


asyncio.run(main(*sys.argv[1:]))
