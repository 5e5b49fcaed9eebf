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
SECONDS = 60
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
    """The relay is killed over and over: at any time, or just when the issuer has replaced the refresh token."""
    chance = random.Random(SEED)
    heard = []
    with stage.posthouse("killed", stage.by_browser("killed")) as posthouse:
        yield f"{KILLS} times killed: the vault opens, and the account works or is held with the token it had"
        posthouse.serve()
        stage.signs_in(posthouse)
        works = 0
        for number in range(KILLS):
            heard += _kill(stage, posthouse, chance, aimed=number % 3 > 0)
            posthouse.serve()
            if _works(stage, posthouse, number):
                works += 1
            else:
                stage.signs_in(posthouse)
                stage.delivers(posthouse)
        print(f"        {KILLS} kills: {works} times it worked on, {KILLS - works} times it was held with its token")
        yield "no device ever heard that its mail is refused"
        refused = [(code, text) for code, text in heard if code >= 500]
        check(heard and not refused, f"a device heard {refused[:3]}")


def _kill(stage, posthouse, chance, aimed):
    """Ends the relay under devices that send; what they heard."""
    seen = len(stage.issuer.calls("killed"))
    devices = Devices(posthouse, 2, pause=0.05)
    try:
        if aimed:
            # The answer is on its way now; it has to be read, stored and used.
            wait_for(lambda: len(stage.issuer.calls("killed")) > seen, "a renewal", 5, pause=0.001)
            time.sleep(chance.uniform(0, 0.01))
        else:
            time.sleep(chance.uniform(0, 2))
        posthouse.kill()
    finally:
        heard = devices.stop()
    return heard.values()


def _works(stage, posthouse, number):
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
