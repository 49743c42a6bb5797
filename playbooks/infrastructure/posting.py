"""What is posted to people and programs outside of the cluster, over HTTP.

Its URL is a secret: no error that is raised here holds it, nor what caused it.
"""

from __future__ import annotations

from typing import Callable, Mapping, Optional, Type, Union

import requests

from playbooks.core.errors import PlaybookError, RetryableError, Throttled

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


def failure(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    who: str,
    unavailable: Type[RetryableError],
    rejected: Type[PlaybookError],
    took: Callable[[int, str], bool] = lambda status, _: 200 <= status < 300,
) -> Optional[PlaybookError]:
    """Post, and return what went wrong, to be raised where nothing that holds the URL is its cause.
    ``who`` was asked. ``took``: whether an answer of this status and these words is a good one."""
    answer = post(url, content, headers)
    if isinstance(answer, str):
        return unavailable(f"{who} did not answer: {answer}")
    status, said = answer.status_code, _words(answer, url)
    message = f"{who} answered {status}: {said or 'nothing'}"
    if status == 429:
        return Throttled(message, retry_after=_retry_after(answer))
    if status >= 500:
        return unavailable(message)
    return None if took(status, said) else rejected(message)


def _words(answer: requests.Response, url: str) -> str:
    """The beginning of what was answered, without the URL."""
    return answer.text[:LONGEST_ANSWER].replace(url, "(webhook URL)").strip()


def _retry_after(answer: requests.Response) -> Optional[float]:
    """Seconds for which the other side asks us to wait."""
    header = answer.headers.get("Retry-After")
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
