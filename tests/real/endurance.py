"""A minute of tokens that end every two seconds under fifty devices, and a relay that is killed over and over.

Told as the stories are. The issuer takes its time over each answer, so that two calls at once would be seen.
"""

import itertools
import random
import threading
import time

import clients
import mails
from stage import MAILBOX, check
from stories import check_chain
from world import Trouble, wait_for

DEVICES = 50
SECONDS = int(__import__("os").environ.get("SECS","60"))
FEWEST, MOST = 25, 60

KILLS = 30
SEED = 4


def minute(stage):
    """Each mail signs in anew: the server ends every connection with its first mail."""
    with stage.posthouse("minute", stage.by_browser("minute"), connections=8) as posthouse:
        yield f"{DEVICES} devices send for {SECONDS} s and no mail fails"
        posthouse.serve()
        stage.signs_in(posthouse)
        before, began = stage.dovecot.sign_ins("XOAUTH2"), time.time()
        devices = Devices(posthouse, DEVICES, pause=0.5)
        time.sleep(SECONDS)
        heard = devices.stop()
        ended = time.time()
        failed = {(code, text) for code, text in heard.values() if code != 250}
        check(not failed, f"{len(failed)} kinds of refusals: {sorted(failed)[:3]}")
        arrived = [to for delivery in stage.sink.all() for to in delivery.recipients if to.startswith("minute-d")]
        check(sorted(arrived) == sorted(heard), f"{len(heard)} were sent and {len(arrived)} arrived")
        yield "each of them signed in anew"
        sign_ins = stage.dovecot.sign_ins("XOAUTH2") - before
        check(sign_ins >= len(heard), f"{sign_ins} sign-ins")
        yield f"the token was renewed {FEWEST} to {MOST} times"
        calls = stage.issuer.calls("minute")
        renewals = [call for call in calls if call.grant == "refresh_token"]
        within = [call for call in renewals if began <= call.began / 1000 <= ended]
        print(f"        {len(heard)} mails, {sign_ins} sign-ins, {len(within)} renewals in {ended - began:.0f} s")
        check(FEWEST <= len(within) <= MOST, f"{len(within)} renewals")
        yield "never two at once"
        by_time = sorted(renewals, key=lambda call: call.began)
        overlapping = [pair for pair in itertools.pairwise(by_time) if pair[1].began < pair[0].ended]
        check(not overlapping, f"these two overlap: {overlapping[:1]}")
        yield "no refresh token was presented twice, and each was the newest"
        presented = [call.refresh_token for call in renewals]
        check(len(set(presented)) == len(presented), "one was presented twice")
        check_chain(calls)


def killed(stage):
    """The token ends every second, and the relay is killed while it is being renewed, or at any other time."""
    chance = random.Random(SEED)
    with stage.posthouse("killed", stage.by_browser("killed")) as posthouse:
        yield f"{KILLS} times killed: the vault opens, and the account works or is held with its token"
        posthouse.serve()
        stage.signs_in(posthouse)
        works = held = 0
        for number in range(KILLS):
            _kill_in_the_middle(stage, posthouse, chance, aimed=number % 3 > 0)
            posthouse.serve()
            if _goes_on(stage, posthouse, number):
                works += 1
            else:
                held += 1
                stage.signs_in(posthouse)
                stage.delivers(posthouse)
        print(f"        {KILLS} kills: {works} times it worked on, {held} times it was held with its token")
        yield "no device ever heard that its mail is refused"
        check(works + held == KILLS, f"{works} + {held}")


def _kill_in_the_middle(stage, posthouse, chance, aimed):
    """Aimed: just when an answer leaves the issuer, which has replaced the refresh token by then."""
    seen = len(stage.issuer.calls("killed"))
    devices = Devices(posthouse, 2, pause=0.05)
    try:
        if aimed:
            wait_for(lambda: len(stage.issuer.calls("killed")) > seen, "a renewal", 5)
            time.sleep(chance.uniform(0, 0.02))
        else:
            time.sleep(chance.uniform(0, 1.2))
        posthouse.kill()
    finally:
        heard = devices.stop()
    refused = [(code, text) for code, text in heard.values() if code >= 500]
    check(not refused, f"a device heard {refused[:3]}")


def _goes_on(stage, posthouse, number):
    """Whether the account works; if it does not it must be held, with what it had."""
    check(posthouse.vault.exists(), "the vault is gone")
    posthouse.run("vault", "status")
    heard, _, _ = posthouse.send(f"after-kill-{number}", MAILBOX)
    if heard.code == 250:
        return True
    check(400 <= heard.code <= 499, f"the device heard {heard.code} {heard.text}")
    said = posthouse.account()
    check(said["hold"], f"the device heard {heard.code} {heard.text}, and the account is not held")
    check(said["sign_in"]["state"] == "kept" and said["sign_in"]["is_renewable"], f"the sign-in is {said['sign_in']}")
    # It was refused because the kill came after the issuer had replaced it: the old one was there and was shown.
    last = [call for call in stage.issuer.calls("killed") if call.grant == "refresh_token"][-1]
    check(last.detail == "refresh token already used", f"the issuer said {last.detail}")
    return False


class Devices:
    """So many devices that send one mail after the other until `stop`."""

    _numbers = itertools.count(1)

    def __init__(self, posthouse, number, pause):
        self._posthouse, self._pause = posthouse, pause
        self._over, self._lock = threading.Event(), threading.Lock()
        self._heard = {}
        self._threads = [threading.Thread(target=self._send_on, daemon=True) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Waits for the mails under way; what each recipient's sender heard: a code and a text, 0 for no answer."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            if thread.is_alive():
                raise Trouble("a device still waits for its answer")
        return self._heard

    def _send_on(self):
        while not self._over.is_set():
            with self._lock:
                identifier = f"{self._posthouse.home.name}-d{next(Devices._numbers)}"
            recipient = f"{identifier}@provider.test"
            mail = mails.plain(identifier, MAILBOX)
            gate = clients.Gate(self._posthouse.port)
            heard = clients.python_smtplib(gate, mail, MAILBOX, [recipient], None)
            with self._lock:
                self._heard[recipient] = heard.code, heard.text
            self._over.wait(self._pause)


ENDURANCE = (minute, killed)
