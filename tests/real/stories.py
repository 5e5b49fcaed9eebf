"""The life of a sign-in, told step by step: how it comes about, how it lasts, how it ends, and how it begins anew.

Each story is a generator: before every step it yields what the step must show, and raises when that is not so. A story
has a Posthouse and an application at the issuer of its own.
"""

import base64
import hashlib
import json
import secrets
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager

from browser import Browser, trusting
from issuer import DEVICE_CODE, JWT_BEARER, SCOPE, digest
from stage import LOOPBACK, PAGE, SECRET, SERVICE, SHORT, check
from world import wait_for

LOGIN = "posthouse login"


def by_redirect(stage):
    """Code and PKCE; the browser is on the same machine and comes back by itself. XOAUTH2."""
    with stage.posthouse("redirect", stage.by_browser("redirect")) as posthouse:
        yield "before anybody signed in devices are asked to wait, and the log says what to run"
        posthouse.serve()
        stage.keeps_waiting(posthouse, "signed account office in")
        _said(posthouse, "account", LOGIN)
        check(not stage.issuer.calls("redirect"), "the issuer was asked for a token")
        yield "a person signs in with a browser on this machine"
        stage.signs_in(posthouse)
        yield "the running relay takes it up at once"
        with _signing_in_by("XOAUTH2", stage):
            stage.delivers(posthouse)
        yield "after a restart nobody has to sign in, and the token at hand is used on"
        posthouse.stop()
        posthouse.serve()
        stage.delivers(posthouse)
        grants = [call.grant for call in stage.issuer.calls("redirect")]
        check(grants == ["authorization_code"], f"the issuer was asked for {grants}")
        yield "`posthouse accounts` tells how it stands"
        sign_in = posthouse.account()["sign_in"]
        check(sign_in["state"] == "kept" and sign_in["is_renewable"], f"it says {sign_in}")
        check(SCOPE in sign_in["scope"].split(), f"it says {sign_in}")


def by_paste(stage):
    """Code and PKCE; the browser is on another machine and ends on a page that is not ours. OAUTHBEARER, STARTTLS."""
    oauth = stage.by_browser("paste", PAGE)
    with stage.posthouse("paste", oauth, "starttls", "oauthbearer") as posthouse:
        yield "an answer to a question that was not asked is not taken"
        login = posthouse.login()
        asked = login.reads(rf"{stage.issuer.address}/auth\?\S+")
        landed = Browser(stage.authority.certificate).visit_until(asked, PAGE)
        login.types(landed.replace("state=", "state=x"))
        login.reads("Not taken: .*")
        yield "a person pastes the address the browser ended at"
        login.types(landed)
        login.ends()
        [call] = stage.issuer.calls("paste")
        check(call.status == 200, f"the issuer answered {call}")
        yield "a relay started afterwards sends by OAUTHBEARER"
        posthouse.serve()
        with _signing_in_by("OAUTHBEARER", stage):
            stage.delivers(posthouse)


def by_device_code(stage):
    """A code, and a browser anywhere; the issuer asks for patience."""
    with stage.posthouse("device", stage.by_device("device"), "starttls") as posthouse:
        yield "a person signs in with a code after the issuer has said `slow_down`"
        login = posthouse.login()
        code = login.reads(r"\b[A-Z]{4}-[A-Z]{4}\b")

        wait_for(lambda: "slow_down" in _errors(stage, "device"), "the issuer to say slow_down", 20)
        Browser(stage.authority.certificate).visit(f"{stage.issuer.address}/device?user_code={code}")
        login.ends()
        said = _errors(stage, "device")
        check(said == ["authorization_pending", "slow_down", None], f"the issuer said {said}")
        polls = stage.issuer.calls("device", grant=DEVICE_CODE)
        yield "it never asked sooner than it was told to, and five seconds later after that"
        check(not any(call.early for call in polls), f"it asked too soon: {polls}")
        pause = (polls[-1].began - polls[-2].ended) / 1000
        check(5.9 < pause < 12, f"it waited {pause:.1f} s")
        yield "mail goes through"
        posthouse.serve()
        stage.delivers(posthouse)


def by_itself(stage):
    """Client credentials: the secret in HTTP Basic and in the body, a certificate of either kind."""
    basic = {"client_secret": SECRET, "client_authentication": "basic"}
    ways = (
        ("a secret in HTTP Basic", "header", stage.by_itself("5f1c/app", **basic)),
        ("a secret in the body", "body", stage.by_itself("app-body", client_secret=SECRET)),
        ("a certificate with an EC key", "assertion", stage.by_certificate("ec")),
        ("a certificate with an RSA key", "assertion", stage.by_certificate("rsa")),
    )
    for way, proof, oauth in ways:
        client = oauth["client_id"]
        with stage.posthouse(f"by-{client.replace('/', '-')}", oauth) as posthouse:
            yield f"{way}: two mails and one token"
            posthouse.serve()
            stage.delivers(posthouse)
            stage.delivers(posthouse)
            calls = [(call.proof, call.status) for call in stage.issuer.calls(client, grant="client_credentials")]
            check(calls == [(proof, 200)], f"the issuer saw {calls}")


def by_service_account(stage):
    """RFC 7523, with a key file as Google gives out."""
    with stage.posthouse("service-account", stage.by_service_account(), "starttls", "oauthbearer") as posthouse:
        yield "a key file is enough"
        posthouse.serve()
        stage.delivers(posthouse)
        statuses = [call.status for call in stage.issuer.calls(SERVICE, grant=JWT_BEARER)]
        check(statuses == [200], f"the issuer answered {statuses}")


def expiry(stage):
    """Tokens end, refresh tokens rotate, and nobody notices."""
    with stage.posthouse("expiry", stage.by_browser("expiry")) as posthouse:
        yield "a token that has ended is renewed before the next mail"
        posthouse.serve()
        stage.signs_in(posthouse)
        stage.delivers(posthouse)
        _let_it_end(stage, "expiry")
        stage.delivers(posthouse)
        check(stage.issuer.calls("expiry", grant="refresh_token"), "nothing was renewed")
        yield "what replaced the refresh token outlives a restart"
        posthouse.stop()
        _let_it_end(stage, "expiry")
        posthouse.serve()
        stage.delivers(posthouse)
        posthouse.stop()
        check_chain(stage.issuer.calls("expiry"))


def withdrawn(stage):
    """The person takes the consent back while the token would be good for an hour."""
    with stage.posthouse("withdrawn", stage.by_browser("withdrawn")) as posthouse:
        yield "the account is held: the device hears 4xx, nothing is bounced, the log says what to run"
        posthouse.serve()
        stage.signs_in(posthouse)
        stage.delivers(posthouse)
        stage.issuer.withdraw("withdrawn")
        stage.keeps_waiting(posthouse)
        _said(posthouse, "account", LOGIN)
        asked = len(stage.issuer.calls("withdrawn"))
        [refusal] = stage.issuer.calls("withdrawn", grant="refresh_token")
        check(refusal.error == "invalid_grant", f"the issuer answered {refusal}")
        yield "while it is held nobody is asked again, and the tokens are kept"
        stage.keeps_waiting(posthouse)
        stage.keeps_waiting(posthouse)
        check(len(stage.issuer.calls("withdrawn")) == asked, "the issuer was asked again")
        check(posthouse.account()["hold"], "`posthouse accounts` tells of no hold")
        yield "a new sign-in beside the running relay lets the next mail through"
        stage.signs_in(posthouse)
        stage.delivers(posthouse)
        check(not posthouse.account()["hold"], "`posthouse accounts` still tells of a hold")


def stolen(stage):
    """A thief uses an old refresh token: the issuer sees it twice and takes the whole grant back."""
    with stage.posthouse("stolen", stage.by_browser("stolen")) as posthouse:
        yield "the account is held when the issuer has taken everything back"
        posthouse.serve()
        stage.signs_in(posthouse)
        _let_it_end(stage, "stolen")
        stage.delivers(posthouse)
        first = stage.issuer.calls("stolen")[0].issued
        old = next(token for token in stage.issuer.tokens() if digest(token) == first)
        _ask(stage, "/token", grant_type="refresh_token", client_id="stolen", refresh_token=old)
        seen = [call for call in stage.issuer.calls("stolen") if call.refresh_token == first]
        check(seen[-1].detail == "refresh token already used", f"the issuer saw {seen}")
        _let_it_end(stage, "stolen")
        stage.keeps_waiting(posthouse)
        _said(posthouse, "account", LOGIN)
        yield "a new sign-in lets the next mail through"
        stage.signs_in(posthouse)
        stage.delivers(posthouse)


def brought(stage):
    """A refresh token that was had elsewhere; it is replaced at its first use."""
    token = _sign_in_elsewhere(stage, "brought")
    oauth = stage.by_browser("brought") | {"grant": "refresh_token", "refresh_token": token}
    for key in ("redirect_uri", "parameters"):
        del oauth[key]
    with stage.posthouse("brought", oauth) as posthouse:
        yield "it works without a sign-in"
        posthouse.serve()
        stage.delivers(posthouse)
        yield "after a restart the one that replaced it is used, not the one in the configuration"
        posthouse.stop()
        _let_it_end(stage, "brought")
        posthouse.serve()
        stage.delivers(posthouse)
        posthouse.stop()
        check_chain(stage.issuer.calls("brought"))


def goodbye(stage):
    """`posthouse logout`."""
    with stage.posthouse("goodbye", stage.by_browser("goodbye")) as posthouse:
        yield "the refresh token is revoked at the issuer"
        posthouse.serve()
        stage.signs_in(posthouse)
        stage.delivers(posthouse)
        posthouse.run("logout", "office")
        kept = stage.issuer.calls("goodbye")[-1].issued
        revoked = [(call.token, call.status) for call in stage.issuer.calls("goodbye", "/token/revocation")]
        check((kept, 200) in revoked, f"of {kept} nothing is in {revoked}")
        yield "nothing of it is kept, and the running relay sends no more mail with it"
        check(posthouse.account()["sign_in"]["state"] == "missing", "`posthouse accounts` tells of a sign-in")
        stage.keeps_waiting(posthouse)
        yield "a new sign-in lets the next mail through"
        stage.signs_in(posthouse)
        stage.delivers(posthouse)


def no_secret_written(stage):
    """What stands in files that Posthouse wrote, the vault included."""
    yield "no token and no secret stands in any file of any of them"
    words = [word.encode() for word in (*stage.issuer.tokens(), SECRET, urllib.parse.quote_plus(SECRET))]
    check(len(words) > 100, f"the issuer handed out {len(words)} tokens only")
    for path in _files(stage):
        text = path.read_bytes()
        found = any(word in text for word in words)
        check(not found, f"one stands in {path}")


def _files(stage):
    """Every file of every installation; each of them has a vault or a log at least."""
    for installation in stage.installations:
        files = installation.written()
        check(files, f"{installation.home} is empty")
        yield from files


def check_chain(calls):
    """Each refresh token is the one that came with the call before, and no call failed."""
    failed = [call for call in calls if call.status != 200]
    check(not failed, f"the issuer refused {failed[:3]}")
    renewals = [call for call in calls if call.grant == "refresh_token"]
    before = [call.issued for call in calls]
    for call in renewals:
        at = calls.index(call)
        # The first one may have been brought from elsewhere.
        is_newest = at == 0 or call.refresh_token == before[at - 1]
        check(is_newest, f"call {at} did not present the refresh token of the call before it")


def _said(posthouse, cause, words):
    """The log names the cause, and in the same line what to do."""

    def found():
        return any(line.get("cause") == cause and words in json.dumps(line) for line in posthouse.logged())

    wait_for(found, f"cause {cause} and {words!r} in {posthouse.log}", 5)


def _errors(stage, client):
    """What the issuer said to each question for a token; nothing where it gave one."""
    return [call.error for call in stage.issuer.calls(client)]


@contextmanager
def _signing_in_by(mechanism, stage):
    """Dovecot's log tells of a sign-in by this mechanism meanwhile, or a moment later."""
    before = stage.dovecot.sign_ins(mechanism)
    yield
    wait_for(lambda: stage.dovecot.sign_ins(mechanism) > before, f"a sign-in by {mechanism} in {stage.dovecot.log}", 5)


def _let_it_end(stage, client):
    """Until the last token of this client has ended; the issuer counts in whole seconds."""
    ended = stage.issuer.calls(client)[-1].ended / 1000 + SHORT + 1
    wait_for(lambda: time.time() > ended, "a token to end", SHORT + 2)


def _ask(stage, path, **form):
    """One call by somebody else; the answer, whatever the status."""
    request = urllib.request.Request(stage.issuer.address + path, urllib.parse.urlencode(form).encode())
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusting(stage.authority.certificate)) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return json.load(refusal)


def _sign_in_elsewhere(stage, client):
    """The refresh token that another program has got for the same application."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    question = {
        "client_id": client,
        "response_type": "code",
        "redirect_uri": LOOPBACK,
        "scope": f"{SCOPE} offline_access",
        "prompt": "consent",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    page = f"{stage.issuer.address}/auth?{urllib.parse.urlencode(question)}"
    landed = Browser(stage.authority.certificate).visit_until(page, LOOPBACK)
    [code] = urllib.parse.parse_qs(urllib.parse.urlsplit(landed).query)["code"]
    answer = _ask(
        stage,
        "/token",
        grant_type="authorization_code",
        client_id=client,
        code=code,
        redirect_uri=LOOPBACK,
        code_verifier=verifier,
    )
    return answer["refresh_token"]


LIFE = (
    by_redirect,
    by_paste,
    by_device_code,
    by_itself,
    by_service_account,
    expiry,
    withdrawn,
    stolen,
    brought,
    goodbye,
)
