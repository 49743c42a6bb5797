"""Tokens that are known by their form alone, whatever stands around them."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Tuple

# What a text shows in small letters that it may hold one, and the form. Above it: whose it is, and
# who says so.
_ISSUED: Tuple[Tuple[str, str], ...] = (
    # AWS: docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    ("akia asia abia acca", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    # GitHub: github.blog/2021-04-05-behind-githubs-new-authentication-token-formats
    ("ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{20,255}"),
    # GitHub, fine-grained: docs.github.com/en/authentication
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{20,255}"),
    # GitLab: docs.gitlab.com/security/tokens/#token-prefixes
    (
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glagent- gloas- glsoat- glffct-",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{20,255}",
    ),
    # Slack: docs.slack.dev/authentication/tokens
    ("xox xapp-", r"(?:xox[abceoprs]|xapp)-[A-Za-z0-9-]{10,255}"),
    # Google, API key: cloud.google.com/docs/authentication
    ("aiza", r"AIza[A-Za-z0-9_-]{35}"),
    # Google, OAuth: developers.google.com/identity/protocols/oauth2
    ("ya29. gocspx-", r"(?:ya29\.|GOCSPX-)[A-Za-z0-9_.-]{20,2000}"),
    # HashiCorp Vault: developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
    ("hvs. hvb. hvr.", r"hv[sbr]\.[A-Za-z0-9_-]{20,255}"),
    # HCP Terraform: developer.hashicorp.com/terraform/cloud-docs
    (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{20,255}"),
    # Stripe: docs.stripe.com/keys
    (
        "sk_live_ sk_test_ rk_live_ rk_test_ whsec_",
        r"(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{10,255}",
    ),
    # OpenAI, Anthropic: platform.openai.com/docs, docs.claude.com
    ("sk-", r"sk-[A-Za-z0-9_-]{20,255}"),
    # Hugging Face: huggingface.co/docs/hub/security-tokens
    ("hf_", r"hf_[A-Za-z0-9]{20,255}"),
    # npm: github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format
    ("npm_", r"npm_[A-Za-z0-9]{20,255}"),
    # PyPI: pypi.org/help/#apitoken
    ("pypi-", r"pypi-[A-Za-z0-9_-]{50,255}"),
    # Docker Hub: docs.docker.com/security/access-tokens
    ("dckr_pat_ dckr_oat_", r"dckr_[po]at_[A-Za-z0-9_-]{20,255}"),
    # SendGrid: docs.sendgrid.com/ui/account-and-settings/api-keys
    ("sg.", r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}"),
    # DigitalOcean: docs.digitalocean.com/reference/api
    ("dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[a-f0-9]{32,128}"),
    # Databricks: docs.databricks.com/dev-tools/auth
    ("dapi", r"dapi[a-f0-9]{32}(?:-\d)?"),
    # Grafana: grafana.com/docs/grafana
    ("glsa_ glc_", r"gl(?:sa|c)_[A-Za-z0-9_+/=]{20,500}"),
    # Shopify: shopify.dev/docs/api/usage
    ("shp", r"shp(?:at|ca|pa|ss|ua)_[A-Fa-f0-9]{32}"),
    # Atlassian: support.atlassian.com
    ("atatt3", r"ATATT3[A-Za-z0-9_=-]{50,500}"),
    # New Relic: docs.newrelic.com/docs/apis
    ("nrak-", r"NRAK-[A-Z0-9]{20,64}"),
    # Postman: learning.postman.com
    ("pmak-", r"PMAK-[A-Za-z0-9-]{20,128}"),
    # Linear: linear.app/developers
    ("lin_api_", r"lin_api_[A-Za-z0-9]{20,128}"),
    # age: age-encryption.org/v1
    ("age-secret-key-", r"AGE-SECRET-KEY-1[A-Z0-9]{40,80}"),
    # NATS, seed of an NKey: docs.nats.io/using-nats/developer/connecting/nkey
    ("su sa so sc sn sx", r"S[UAOCNX][A-Z2-7]{56}(?![A-Za-z0-9])"),
    # JWT: www.rfc-editor.org/rfc/rfc7519
    ("eyj", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
)

#: Hints and patterns. None begins within a word.
FORMS = tuple((tuple(hints.split()), rf"(?<![A-Za-z0-9_-])(?:{form})") for hints, form in _ISSUED)

# A word is random where it is long, has small and capital letters and digits, changes between them
# as often as dice do, and repeats itself as little. Hexadecimal numbers (ids of containers, uids,
# digests), names of Kubernetes' objects and paths do not. Measured: specs/core/redaction.
SHORTEST, CHANGES, BITS = 20, 0.4, 3.7

_WORD = re.compile(rf"[A-Za-z0-9_+~-]{{{SHORTEST},}}={{0,2}}")

# A uid, which may stand in a longer word: that of a set of evidence, say.
_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What is printed to be compared: fingerprints of SSH, and integrity of what is loaded.
_DIGEST = re.compile(r"sha(?:1|256|384|512)[:-]|h1:", re.IGNORECASE)


def without_random_words(text: str, left: str) -> str:
    """The text with ``left`` in place of each word that looks random."""

    def hidden(found: re.Match[str]) -> str:
        word = found[0]
        around = text[max(0, found.start() - 7) : found.start() + 7]
        return left if is_random(_UID.sub("", word)) and not _DIGEST.search(around) else word

    return _WORD.sub(hidden, text)


def is_random(word: str) -> bool:
    kinds = ["a" if c.islower() else "A" if c.isupper() else "0" for c in word if c.isalnum()]
    if len(set(kinds)) < 3 or len(kinds) < SHORTEST:
        return False
    changes = sum(one != other for one, other in zip(kinds, kinds[1:]))
    counts = Counter(word).values()
    bits = -sum(n / len(word) * math.log2(n / len(word)) for n in counts)
    return changes >= CHANGES * len(kinds) and bits >= BITS
