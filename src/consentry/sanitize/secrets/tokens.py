"""Secrets with a shape of their own: the prefixes and alphabets that issuers publish.

Each shape names literals of which one stands in every match, so that a multi-literal search finds the places and the
expression runs there only. Expressions are bounded and free of lookaround.
Sources: the token documentation of each issuer; where several exist, the union of the shapes in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from consentry.sanitize.secrets import checks

WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
TOKEN: Final = WORD | frozenset("-")
BASE64: Final = TOKEN | frozenset("+/")


@dataclass(frozen=True, slots=True)
class Shape:
    """One published form of secret.

    A match holds one of `triggers` (literals, or one expression in Hyperscan's syntax too), and `expression` is tried
    at the `back` characters before the end of a trigger. `check` sees the matched value; `left` and `right` are the
    characters that may not touch the match on either side.
    """

    subtype: str
    triggers: tuple[str, ...]
    expression: re.Pattern[str]
    back: int
    check: Callable[[str], bool] = checks.varied
    left: frozenset[str] = WORD
    right: frozenset[str] = WORD
    score: float = 0.95


def _shape(
    subtype: str,
    literals: str,
    expression: str,
    *,
    lead: int = 0,
    trigger: str | None = None,
    back: int = 0,
    check: Callable[[str], bool] = checks.varied,
    left: frozenset[str] = WORD,
    right: frozenset[str] = WORD,
    score: float = 0.95,
) -> Shape:
    words = literals.split()
    triggers = (trigger,) if trigger else tuple(re.escape(word) for word in words)
    reach = back or lead + max(len(word) for word in words)
    return Shape(subtype, triggers, re.compile(expression), reach, check, left, right, score)


NONE: Final[frozenset[str]] = frozenset()

SHAPES: Final[tuple[Shape, ...]] = (
    # Clouds
    _shape(
        "aws_access_key",
        "",
        r"(?:A3T[A-Z0-9]|A(?:KIA|SIA|BIA|CCA|GPA|IDA|IPA|NPA|NVA|ROA|PKA|SCA))[A-Z0-9]{16}",
        trigger=r"\bA(?:3T[A-Z0-9]|KIA|SIA|BIA|CCA|GPA|IDA|IPA|NPA|NVA|ROA|PKA|SCA)[A-Z0-9]{6}",
        back=10,
        check=checks.aws_access_key,
        right=WORD | frozenset("+="),
    ),
    _shape("aws_mws_key", "amzn.mws.", r"amzn\.mws\.[0-9a-zA-Z]{8}(?:-[0-9a-zA-Z]{4}){3}-[0-9a-zA-Z]{12}"),
    _shape("aws_bedrock_key", "ABSK", r"ABSK[A-Za-z0-9+/]{100,200}={0,2}", left=BASE64),
    _shape("aws_bedrock_key", "bedrock-api-key-", r"bedrock-api-key-[A-Za-z0-9+/=]{32,2000}"),
    _shape("aws_appsync_key", "da2-", r"da2-[a-z0-9]{26}"),
    _shape("google_api_key", "AIza", r"AIza[0-9A-Za-z_\-]{35}", right=TOKEN),
    _shape("google_oauth_secret", "GOCSPX-", r"GOCSPX-[0-9A-Za-z_\-]{28}", right=TOKEN),
    _shape("google_oauth_token", "ya29.", r"ya29\.[0-9A-Za-z_\-]{20,1024}", right=TOKEN),
    _shape("google_refresh_token", "1//0", r"1//0[0-9A-Za-z_\-]{20,200}", right=TOKEN, left=BASE64),
    _shape(
        "google_client_id",
        ".apps.googleusercontent.com",
        r"[0-9]{6,21}-[0-9a-z]{32}\.apps\.googleusercontent\.com",
        lead=54,
        score=0.7,
    ),
    _shape(
        "firebase_key",
        "",
        r"AAAA[A-Za-z0-9_\-]{7}:APA91b[A-Za-z0-9_\-]{100,160}",
        trigger=r"\bAAAA[A-Za-z0-9_\-]{7}:APA91b",
        back=18,
        right=TOKEN,
    ),
    _shape(
        "azure_client_secret",
        "8Q~ 7Q~",
        r"[a-zA-Z0-9_~.\-]{3}[78]Q~[a-zA-Z0-9_~.\-]{31,34}",
        lead=3,
        right=WORD | frozenset("~.-"),
    ),
    _shape("azure_storage_key", "AccountKey=", r"AccountKey=(?P<value>[A-Za-z0-9+/]{86}==)", right=NONE),
    _shape(
        "azure_storage_key",
        "+AStAAAA +ASt",
        r"[A-Za-z0-9+/]{76}\+(?:ASt|AMC|AEb|ACR|ARm)[A-Za-z0-9+/]{4,6}={0,2}",
        lead=76,
        left=BASE64,
    ),
    _shape(
        "azure_shared_key", "SharedAccessKey=", r"SharedAccessKey=(?P<value>[A-Za-z0-9+/]{42,44}={0,2})", right=NONE
    ),
    _shape("azure_sas", "sig=", r"sig=(?P<value>[A-Za-z0-9%]{43,88}%3[dD]|[A-Za-z0-9+/]{43}=)", left=WORD, right=NONE),
    _shape("azure_devops_token", "AZDO", r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}", lead=76),
    _shape("azure_function_key", "AzFu", r"[A-Za-z0-9_\-]{44}AzFu[A-Za-z0-9_\-]{4,6}={0,2}", lead=44),
    _shape(
        "azure_token",
        "eyJ0eXAiOiJKV1Qi",
        r"eyJ0eXAiOiJKV1Qi[A-Za-z0-9_\-]{10,600}\.[A-Za-z0-9_\-]{20,8000}\.[A-Za-z0-9_\-]{20,1200}",
        right=TOKEN,
        check=checks.jwt,
    ),
    _shape("alibaba_access_key", "LTAI", r"LTAI[A-Za-z0-9]{12,24}"),
    _shape("tencent_secret_id", "AKID", r"AKID[A-Za-z0-9]{32}"),
    _shape(
        "ibm_cloud_key",
        "",
        r"ApiKey-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        trigger=r"\bApiKey-[0-9a-f]{8}-",
        back=16,
    ),
    _shape("oracle_ocid_key", "ocid1.user.", r"ocid1\.user\.oc[1-9]\.\.[a-z0-9]{60}", score=0.6),
    _shape("digitalocean_token", "dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[0-9a-f]{64}"),
    _shape("cloudflare_token", "cfat_ cfut_ cfk_", r"cf(?:at|ut|k)_[A-Za-z0-9]{40}[0-9a-zA-Z]{8}", check=checks.varied),
    _shape("cloudflare_origin_ca_key", "v1.0-", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}"),
    _shape(
        "heroku_key",
        "HRKU-",
        r"HRKU-(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[A-Za-z0-9_\-]{58,64})",
        right=TOKEN,
    ),
    _shape("fly_token", "fo1_ fm1a_ fm1r_ fm2_", r"(?:fo1_[\w\-]{43}|fm(?:1[ar]|2)_[A-Za-z0-9+/]{100,2000}={0,3})"),
    _shape("akamai_token", "akab-", r"akab-[a-z0-9]{16}-[a-z0-9]{16}", right=WORD | frozenset(".-")),
    _shape(
        "yandex_token",
        "",
        r"(?:AQVN[A-Za-z0-9_\-]{35,38}|y0_[A-Za-z0-9_\-]{54,60}"
        r"|t1\.[A-Z0-9a-z_\-]{1,200}={0,2}\.[A-Z0-9a-z_\-]{86}={0,2})",
        trigger=r"\b(?:AQVN[A-Za-z0-9_\-]{20}|y0_[A-Za-z0-9_\-]{20}|t1\.[A-Z0-9a-z_\-]{20})",
        back=24,
        right=TOKEN,
    ),
    _shape("scaleway_token", "", r"SCW[A-Z0-9]{17}", trigger=r"\bSCW[A-Z0-9]{17}", back=20),
    _shape("linode_token", "ltt_", r"ltt_[0-9a-f]{64}"),
    _shape("netlify_token", "nfp_ nfc_ nfo_ nfu_ nfb_", r"nf[pcoub]_[A-Za-z0-9_]{36,40}"),
    _shape("vercel_token", "vck_ vcp_ vci_ vca_ vcr_", r"vc[kpiar]_[A-Za-z0-9]{24,60}"),
    # Version control and building
    _shape("github_token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,251}"),
    _shape("github_token", "github_pat_", r"github_pat_[0-9a-zA-Z]{22}_[0-9a-zA-Z]{59}"),
    _shape(
        "gitlab_token",
        "glpat- gloas- gldt- glrt- glrtr- glptt- glft- glimt- glagent- glsoat- glffct- glwt- glcbt-",
        r"gl(?:pat|oas|dt|rt|rtr|ptt|ft|imt|agent|soat|ffct|wt"
        r"|cbt)-[A-Za-z0-9_\-]{20,300}(?:\.[0-9a-z]{2}\.[A-Za-z0-9_\-]{7,12})?",
        right=TOKEN,
    ),
    _shape("gitlab_token", "GR1348941", r"GR1348941[A-Za-z0-9_\-]{20}", right=TOKEN),
    _shape("gitlab_session", "_gitlab_session=", r"_gitlab_session=(?P<value>[0-9a-f]{32})", left=NONE),
    _shape("bitbucket_token", "ATBB", r"ATBB[A-Za-z0-9]{24}[A-F0-9]{8}"),
    _shape("bitbucket_token", "ATCTT3xFfG", r"ATCTT3xFf[A-Za-z0-9_=\-]{100,300}", right=TOKEN),
    _shape("bitbucket_token", "BBDC-", r"BBDC-[A-Za-z0-9+/@_\-]{40,50}", right=TOKEN),
    _shape("atlassian_token", "ATATT3xFf", r"ATATT3xFf[A-Za-z0-9_=\-]{100,300}", right=TOKEN),
    _shape(
        "atlassian_token",
        "",
        r"[MNO][A-Za-z0-9][A-Za-z0-9+/]{42}",
        trigger=r"(?:MT|MD|Mj|Mz|ND|NT|Nj|Nz|OD|OT)[A-Za-z0-9+/]{42}",
        back=44,
        check=checks.atlassian_pat,
        left=WORD,
        right=WORD,
        score=0.8,
    ),
    _shape("jfrog_token", "AKCp", r"AKCp[0-9A-Za-z]{69}"),
    _shape("jfrog_token", "cmVmdGtu", r"cmVmdGtu[A-Za-z0-9+/=_\-]{56}", check=checks.jfrog_reference),
    _shape("npm_token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _shape(
        "npm_token",
        ":_authToken= :_password=",
        r":_(?:authToken|password)=[\"']?(?P<value>[A-Za-z0-9+/=_\-]{20,128})",
        left=NONE,
        right=NONE,
    ),
    _shape("pypi_token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_\-]{50,1000}", right=TOKEN),
    _shape("rubygems_token", "rubygems_", r"rubygems_[0-9a-f]{48}"),
    _shape("nuget_key", "", r"oy2[a-z0-9]{43}", trigger=r"\boy2[a-z0-9]{10}", back=13),
    _shape("clojars_token", "CLOJARS_", r"CLOJARS_[a-z0-9]{60}"),
    _shape("crates_token", "", r"cio[A-Za-z0-9]{32}", trigger=r"\bcio[A-Za-z0-9]{32}", back=35, score=0.8),
    _shape(
        "docker_token", "dckr_pat_ dckr_oat_", r"dckr_(?:pat_[A-Za-z0-9_\-]{27}|oat_[A-Za-z0-9_\-]{32})", right=TOKEN
    ),
    _shape("docker_swarm_token", "SWMTKN-1-", r"SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}"),
    _shape("docker_swarm_key", "SWMKEY-1-", r"SWMKEY-1-[A-Za-z0-9+/]{43}"),
    _shape("hashicorp_token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=\-]{60,90}", lead=14, right=TOKEN),
    _shape("vault_token", "hvs. hvb. hvr.", r"hv[sbr]\.[A-Za-z0-9_\-]{24,300}", right=TOKEN, left=TOKEN),
    _shape("pulumi_token", "pul-", r"pul-[0-9a-f]{40}"),
    _shape("databricks_token", "", r"dapi[0-9a-f]{32}(?:-\d)?", trigger=r"\bdapi[0-9a-f]{32}", back=36),
    _shape("sonar_token", "squ_ sqp_ sqa_", r"sq[upa]_[0-9a-f]{40}"),
    _shape("snyk_token", "snyk_", r"snyk_(?:uat|pat|sat)\.[0-9a-z]{8}\.[A-Za-z0-9_.\-]{40,120}", right=TOKEN),
    _shape("sourcegraph_token", "sgp_ slk_", r"(?:sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}|slk_[a-f0-9]{64})"),
    _shape(
        "sentry_token", "sntrys_ sntryu_", r"(?:sntrys_eyJ[A-Za-z0-9+/=_\-]{80,500}|sntryu_[0-9a-f]{64})", right=TOKEN
    ),
    _shape("buildkite_token", "bkua_", r"bkua_[a-z0-9]{40}"),
    _shape("circleci_token", "CCIPAT_ CCIPRJ_", r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[0-9a-f]{40}"),
    _shape(
        "doppler_token",
        "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.",
        r"dp\.(?:pt|ct|sa|scim|audit|st(?:\.[a-z0-9_\-]{2,35})?)\.[A-Za-z0-9]{40,44}",
    ),
    _shape(
        "launchdarkly_key",
        "",
        r"(?:sdk|api|mob)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        trigger=r"\b(?:sdk|api|mob)-[0-9a-f]{8}-",
        back=13,
    ),
    _shape("postman_key", "PMAK- PMAT-", r"(?:PMAK-[0-9a-f]{24}-[0-9a-f]{34}|PMAT-[A-Z0-9]{26})"),
    _shape("prefect_key", "", r"pn[ub]_[A-Za-z0-9]{36}", trigger=r"\bpn[ub]_[A-Za-z0-9]{36}", back=40),
    _shape("readme_key", "rdme_", r"rdme_[a-z0-9]{70}"),
    _shape("infracost_key", "ico-", r"ico-[A-Za-z0-9]{32}"),
    _shape(
        "planetscale_token",
        "pscale_pw_ pscale_tkn_ pscale_oauth_",
        r"pscale_(?:pw|tkn|oauth)_[A-Za-z0-9_.=\-]{32,64}",
        right=TOKEN,
    ),
    _shape("supabase_key", "sbp_ sb_secret_", r"(?:sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_\-]{20,60})", right=TOKEN),
    _shape("neon_key", "napi_", r"napi_[a-z0-9]{60,70}"),
    # Watching and searching
    _shape("grafana_token", "glc_", r"glc_eyJ[A-Za-z0-9+/=_\-]{30,400}", right=TOKEN),
    _shape("grafana_token", "glsa_", r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    _shape("grafana_token", "eyJrIjoi", r"eyJrIjoi[A-Za-z0-9+/=_\-]{60,400}", right=TOKEN, check=checks.anything),
    _shape(
        "newrelic_key",
        "NRAK- NRBR- NRII- NRJS- NRSP- NRRA- NRIQ- NRAA- NRAL",
        r"NR(?:AK-[A-Z0-9]{27}|(?:BR|JS)-[0-9a-f]{19}|II-[A-Za-z0-9_\-]{20,40}"
        r"|SP-[0-9a-z]{2}[0-9A-Z]{31,40}|RA-[0-9a-f]{42}|IQ-[A-Za-z0-9_\-]{32}|AA-[0-9a-f]{27})"
        r"|[0-9a-z]{36}NRAL",
        lead=36,
        check=checks.anything,
    ),
    _shape("dynatrace_token", "dt0c01. dt0s01. dt0s16.", r"dt0[a-z]\d\d\.[A-Z2-7]{8,24}\.[A-Z2-7]{64}"),
    _shape("honeycomb_key", "hcaik_ hcbik_ hcamk_ hcxik_", r"hc[a-z]{1,2}[im]k_[a-z0-9]{58,64}"),
    _shape("algolia_key", "algolia_", r"algolia_[0-9a-f]{32}"),
    # Chat and mail
    _shape(
        "slack_token",
        "xoxb- xoxp- xoxa- xoxr- xoxs- xoxo- xoxe- xoxe. xoxc- xoxd- xapp-",
        r"(?:xox[baprsoce]|xoxd|xapp|xoxe\.xox[bp])-(?:[0-9A-Za-z%]{1,300}-?){1,12}",
        right=TOKEN,
        check=checks.long_enough(20),
    ),
    _shape(
        "slack_webhook",
        "hooks.slack.com/",
        r"hooks\.slack\.com/(?P<value>(?:services|workflows|triggers)/[A-Z0-9]{6,14}/[A-Za-z0-9/]{20,90})",
        left=NONE,
    ),
    _shape(
        "discord_webhook",
        "/api/webhooks/ /webhooks/",
        r"discord(?:app)?\.com/api(?:/v\d{1,2})?/webhooks(?P<value>/[0-9]{17,20}/[A-Za-z0-9_\-]{60,72})",
        lead=19,
        left=NONE,
        right=TOKEN,
    ),
    _shape(
        "discord_bot_token",
        "",
        r"[MNO][A-Za-z\d_\-]{23,27}\.[GXYZCD][A-Za-z\d_\-]{5}\.[A-Za-z\d_\-]{27,40}",
        trigger=r"[MNO][A-Za-z\d_\-]{23,27}\.[GXYZCD][A-Za-z\d_\-]{5}\.",
        back=36,
        lead=28,
        right=TOKEN,
        check=checks.discord_bot,
    ),
    _shape(
        "teams_webhook",
        ".webhook.office.com/ outlook.office.com/webhook",
        r"(?:[a-z0-9]{1,60}\.webhook\.office\.com/webhookb2"
        r"|outlook\.office(?:365)?\.com/webhook)/(?P<value>[0-9a-f\-]{36}@[0-9a-f\-]{36}/IncomingWebho"
        r"ok/[0-9a-z]{32}/[0-9a-f\-]{36})",
        lead=61,
        left=NONE,
    ),
    _shape(
        "telegram_token",
        "",
        r"[0-9]{8,10}:AA[A-Za-z0-9_\-]{32,34}",
        trigger=r"\b\d{8,10}:AA",
        back=13,
        lead=10,
        right=TOKEN,
    ),
    _shape(
        "sendgrid_key",
        "",
        r"SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{16,64}",
        trigger=r"\bSG\.[A-Za-z0-9_\-]{16}",
        back=19,
        right=TOKEN,
        check=checks.anything,
    ),
    _shape("mailgun_key", "", r"(?:pub)?key-[0-9a-f]{32}", trigger=r"\b(?:pub)?key-[0-9a-f]{32}", back=39),
    _shape("mailchimp_key", "", r"[0-9a-f]{32}-us[0-9]{1,2}", trigger=r"\b[0-9a-f]{32}-us", back=35, lead=32),
    _shape("brevo_key", "xkeysib- xsmtpsib-", r"x(?:key|smtp)sib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    _shape("resend_key", "", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}", trigger=r"\bre_[A-Za-z0-9]{8}_", back=12),
    _shape(
        "twilio_key",
        "",
        r"(?:SK|AC|AP)(?:[0-9a-f]{32})",
        trigger=r"\b(?:SK|AC|AP)[0-9a-f]{32}",
        back=34,
        check=checks.hex_digits,
        left=TOKEN,
        right=TOKEN,
    ),
    _shape("messagebird_signing", "vonage_", r"vonage_[0-9a-f]{32}"),
    # Money and shops
    _shape(
        "stripe_key",
        "sk_live_ sk_test_ rk_live_ rk_test_ pk_live_ pk_test_ sk_org_",
        r"(?:sk|rk|pk)_(?:live|test|org_live|org_test)_[0-9A-Za-z]{20,247}",
    ),
    _shape("stripe_webhook_secret", "whsec_", r"whsec_[A-Za-z0-9+/]{24,64}={0,2}"),
    _shape(
        "square_token",
        "EAAA sq0atp- sq0csp- sq0idp- sq0idb-",
        r"(?:EAAA[A-Za-z0-9+_\-]{60}|sq0(?:atp|idp|idb)-[0-9A-Za-z_\-]{22}|sq0csp-[0-9A-Za-z_\-]{43})",
        right=TOKEN,
    ),
    _shape(
        "braintree_token",
        "access_token$",
        r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}",
        left=NONE,
    ),
    _shape("shopify_token", "shpat_ shpca_ shppa_ shpss_ shpua_", r"shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{32}"),
    _shape(
        "plaid_token",
        "",
        r"access-(?:sandbox|development|production)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        trigger=r"\baccess-(?:sandbox|development|production)-",
        back=19,
    ),
    _shape("razorpay_key", "rzp_live_ rzp_test_", r"rzp_(?:live|test)_[A-Za-z0-9]{14}"),
    _shape("flutterwave_key", "FLWSECK", r"FLWSECK(?:_TEST)?-[0-9a-zA-Z]{32}-X"),
    _shape("picatic_key", "sk_live_", r"sk_live_[0-9a-z]{32}"),
    _shape(
        "coinbase_key",
        "",
        r"organizations/[0-9a-f\-]{36}/apiKeys/[0-9a-f\-]{36}",
        trigger=r"organizations/[0-9a-f\-]{36}/apiKeys/",
        back=59,
    ),
    _shape("duffel_token", "duffel_live_ duffel_test_", r"duffel_(?:live|test)_[A-Za-z0-9_\-=]{43}", right=TOKEN),
    _shape("easypost_key", "EZAK EZTK", r"EZ[AT]K[A-Za-z0-9]{54}"),
    _shape("shippo_token", "shippo_live_ shippo_test_", r"shippo_(?:live|test)_[0-9a-f]{40}"),
    # Models
    _shape(
        "openai_key",
        "T3BlbkFJ",
        r"sk-(?:proj-|svcacct-|admin-|None-)?[A-Za-z0-9_\-]{18,80}T3BlbkFJ[A-Za-z0-9_\-]{18,80}",
        lead=92,
        right=TOKEN,
    ),
    _shape("openai_key", "sk-proj- sk-svcacct-", r"sk-(?:proj|svcacct)-[A-Za-z0-9_\-]{40,200}", right=TOKEN),
    _shape("anthropic_key", "sk-ant-", r"sk-ant-(?:api|admin|oat|ort|sid)\d\d-[A-Za-z0-9_\-]{80,120}", right=TOKEN),
    _shape("openrouter_key", "sk-or-v1-", r"sk-or-v1-[0-9a-f]{64}"),
    _shape("deepseek_key", "", r"sk-[0-9a-f]{32}", trigger=r"\bsk-[0-9a-f]{32}", back=35, right=TOKEN),
    _shape("openai_key", "", r"sk-[A-Za-z0-9]{48}", trigger=r"\bsk-[A-Za-z0-9]{48}", back=51, right=TOKEN),
    _shape(
        "huggingface_token",
        "",
        r"(?:hf_|api_org_)[A-Za-z]{34}",
        trigger=r"\b(?:hf|api_org)_[A-Za-z]{34}",
        back=42,
        check=checks.varied,
    ),
    _shape("groq_key", "gsk_", r"gsk_[A-Za-z0-9]{52}"),
    _shape("perplexity_key", "pplx-", r"pplx-[A-Za-z0-9]{48}"),
    _shape("xai_key", "xai-", r"xai-[A-Za-z0-9]{80}"),
    _shape("replicate_token", "r8_", r"r8_[A-Za-z0-9]{37}"),
    _shape("nvidia_key", "nvapi-", r"nvapi-[A-Za-z0-9_\-]{60,70}", right=TOKEN),
    _shape("tavily_key", "tvly-", r"tvly-(?:dev-|prod-)?[A-Za-z0-9_\-]{20,60}", right=TOKEN),
    _shape("langchain_key", "lsv2_pt_ lsv2_sk_ ls__", r"(?:lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}|ls__[0-9a-f]{32})"),
    _shape("langfuse_key", "sk-lf- pk-lf-", r"[sp]k-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    _shape("pinecone_key", "pcsk_", r"pcsk_[A-Za-z0-9]{5,7}_[A-Za-z0-9]{60,64}"),
    _shape("elevenlabs_key", "", r"sk_[0-9a-f]{48}", trigger=r"\bsk_[0-9a-f]{48}", back=51),
    _shape("fireworks_key", "", r"fw_[A-Za-z0-9]{24}", trigger=r"\bfw_[A-Za-z0-9]{24}", back=27),
    _shape("mistral_key", "tgp_v1_", r"tgp_v1_[A-Za-z0-9_\-]{43}", right=TOKEN),
    # Work and other services
    _shape(
        "notion_token",
        "",
        r"(?:secret_[A-Za-z0-9]{43}|ntn_[0-9]{11}[A-Za-z0-9]{35})",
        trigger=r"\b(?:secret_[A-Za-z0-9]{43}|ntn_[0-9]{11})",
        back=50,
    ),
    _shape("airtable_token", "", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", trigger=r"\bpat[A-Za-z0-9]{14}\.", back=18),
    _shape("asana_token", "", r"[12]/\d{16}(?:/\d{16})?:[0-9a-f]{32}", trigger=r"\b[12]/\d{16}", back=18),
    _shape("linear_key", "lin_api_ lin_oauth_", r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}"),
    _shape("figma_token", "figd_ figo_ figu_ figor_", r"fig(?:d|o|u|or)_[A-Za-z0-9_\-]{40}", right=TOKEN),
    _shape(
        "dropbox_token",
        "",
        r"sl\.(?:u\.)?[A-Za-z0-9_\-]{130,1300}",
        trigger=r"\bsl\.(?:u\.)?[A-Za-z0-9_\-]{60}",
        back=65,
        right=TOKEN,
    ),
    _shape(
        "dropbox_token",
        "",
        r"[A-Za-z0-9_\-]{11}AAAAAAAAAA[A-Za-z0-9_\-]{43}",
        trigger=r"\b[A-Za-z0-9_\-]{11}A{10}",
        back=21,
        lead=13,
        left=BASE64,
        right=TOKEN,
        check=checks.dropbox_long,
    ),
    _shape("hubspot_token", "pat-na pat-eu", r"pat-(?:na|eu)\d-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    _shape("contentful_token", "CFPAT-", r"CFPAT-[A-Za-z0-9_\-]{43}", right=TOKEN),
    _shape("typeform_token", "tfp_", r"tfp_[A-Za-z0-9_.=\-]{40,60}", right=TOKEN),
    _shape("frameio_token", "fio-u-", r"fio-u-[A-Za-z0-9_=\-]{64}", right=TOKEN),
    _shape(
        "mapbox_token",
        "sk.eyJ pk.eyJ tk.eyJ",
        r"[spt]k\.eyJ[A-Za-z0-9_\-]{20,300}\.[A-Za-z0-9_\-]{20,30}",
        right=TOKEN,
    ),
    _shape("facebook_token", "", r"EAA[A-Za-z0-9]{80,400}", trigger=r"\bEAA[A-Za-z0-9]{40}", back=43),
    _shape(
        "facebook_token",
        "",
        r"[0-9]{15,16}\|[A-Za-z0-9_\-]{27}",
        trigger=r"\b\d{15,16}\|[A-Za-z0-9_\-]{27}",
        back=44,
        lead=16,
        right=TOKEN,
    ),
    _shape("vk_token", "vk1.a.", r"vk1\.a\.[A-Za-z0-9_\-]{80,300}", right=TOKEN),
    _shape("wechat_app_id", "", r"wx[0-9a-f]{16}", trigger=r"\bwx[0-9a-f]{16}", back=18, check=checks.wechat),
    _shape("instagram_token", "IGQV IGAA IGQW", r"IG(?:QV|QW|AA)[A-Za-z0-9_\-]{60,300}", right=TOKEN),
    _shape(
        "twitter_bearer", "", r"A{20,24}[A-Za-z0-9%]{60,120}", trigger=r"\bA{20}", back=20, check=checks.long_enough(80)
    ),
    _shape(
        "salesforce_token",
        "",
        r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9_.]{80,150}",
        trigger=r"\b00D[A-Za-z0-9]{12,15}!",
        back=19,
        lead=18,
        check=checks.anything,
    ),
    _shape("salesforce_token", "3MVG", r"3MVG[A-Za-z0-9_.]{76,110}"),
    _shape(
        "okta_token",
        "",
        r"00[A-Za-z0-9_\-]{40}",
        trigger=r"\b00[A-Za-z0-9_\-]{40}",
        back=42,
        check=checks.okta,
        right=TOKEN,
        left=BASE64,
        score=0.7,
    ),
    _shape(
        "onepassword_token",
        "ops_eyJ A3-",
        r"(?:ops_eyJ[A-Za-z0-9+/=]{200,1000}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}"
        r"|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5})",
    ),
    _shape(
        "age_key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", check=checks.bech32
    ),
    _shape("nkey_seed", "SUA SAA SNA SCA SOA", r"S[UANCO]A[A-Z2-7]{55}"),
    _shape(
        "wireguard_key",
        "PrivateKey PresharedKey",
        r"(?:PrivateKey|PresharedKey)\s{0,4}=\s{0,4}(?P<value>[A-Za-z0-9+/]{43}=)",
        right=NONE,
    ),
    _shape(
        "ntlm_token",
        "TlRMTVNTUAAD TlRMTVNTUAAB",
        r"TlRMTVNTUAA[A-Za-z0-9+/]{60,4000}={0,2}",
        check=checks.anything,
        left=BASE64,
    ),
    _shape(
        "shadow_hash",
        "$6$ $5$ $y$ $1$",
        r"\$(?:[156]|y)\$(?:rounds=\d{1,9}\$)?[A-Za-z0-9./$]{1,40}\$[A-Za-z0-9./]{22,90}",
        left=NONE,
        score=0.8,
    ),
    _shape("password_hash", "$2a$ $2b$ $2y$", r"\$2[aby]\$\d\d\$[A-Za-z0-9./]{53}", left=NONE, right=WORD, score=0.7),
    _shape(
        "password_hash",
        "$argon2",
        r"\$argon2(?:id|i|d)\$v=\d{1,3}\$[mtp=,0-9]{5,40}\$[A-Za-z0-9+/]{8,90}\$[A-Za-z0-9+/]{16,140}",
        left=NONE,
        score=0.7,
    ),
    _shape(
        "otp_seed",
        "otpauth://",
        r"otpauth://(?:totp|hotp)/[^\s\"'<>?]{1,200}\?[^\s\"'<>]{0,100}secret=(?P<value>[A-Z2-7a-z]{16,128})",
        left=NONE,
    ),
    _shape(
        "jwt",
        "",
        r"eyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-]{2,16000}\.[A-Za-z0-9_\-]{6,2000}",
        trigger=r"\beyJ[A-Za-z0-9_\-]{8}",
        back=11,
        check=checks.jwt,
        left=TOKEN,
        right=TOKEN,
    ),
)
