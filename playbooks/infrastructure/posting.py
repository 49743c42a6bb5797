"""What is posted to people and programs outside of the cluster, over HTTP.

Its URL is a secret: no error that is raised here holds it, nor what caused it.
"""

from __future__ import annotations

from typing import Mapping, Optional, Union

import requests

# Seconds to connect and to wait for an answer.
TIMEOUT = (3.05, 10.0)

# Characters of an answer that an error repeats.
LONGEST_ANSWER = 200


def post(url: str, content: bytes, headers: Mapping[str, str]) -> Union[requests.Response, str]:
    """The answer, or the name of the error for which there is none. Redirects are not followed."""
    try:
        return requests.post(
            url, data=content, headers=dict(headers), timeout=TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as error:
        return type(error).__name__


def words(answer: requests.Response, url: str) -> str:
    """The beginning of what was answered, without the URL."""
    return answer.text[:LONGEST_ANSWER].replace(url, "(webhook URL)").strip()


def retry_after(answer: requests.Response) -> Optional[float]:
    """Seconds for which the other side asks us to wait."""
    header = answer.headers.get("Retry-After")
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
