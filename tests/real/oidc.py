"""Sign in once, stay signed in: Posthouse against the certified oidc-provider, its tokens against a real Dovecot.

Plays the stories of `stories.py` and `endurance.py`, says of each step whether it held, and counts.
"""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

from endurance import ENDURANCE
from mails import Difference
from stage import Failed, Stage
from stories import LIFE, no_secret_written
from world import Trouble

# The steps of all stories, as a number: what silently went away shall be missed.
EXPECTED = 36


class Score:
    """Counts the steps that held and those that did not."""

    def __init__(self):
        self.passed = self.failed = 0

    def play(self, story, stage):
        """Every step of one story; the first that fails ends it."""
        step = None
        try:
            for following in story(stage):
                self._held(step)
                step = f"{story.__name__}: {following}"
            self._held(step)
        except (Failed, Trouble, Difference, OSError, subprocess.SubprocessError, KeyError, ValueError) as reason:
            self.failed += 1
            print(f"FAILED  {step}\n        {reason!r}\n        see {stage.home}", flush=True)

    def _held(self, step):
        if step:
            self.passed += 1
            print(f"ok      {step}", flush=True)


def main():
    """The exit code is 0 only when every expected step was taken and held."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--posthouse", type=Path, required=True, help="the program to test")
    arguments.add_argument("--directory", type=Path, required=True, help="an empty directory that Dovecot may enter")
    arguments.add_argument("--node", type=Path, required=True, help="the Node that runs the issuer")
    arguments.add_argument("--modules", type=Path, required=True, help="the issuer's node_modules")
    arguments.add_argument("--only", help="one story, by its name")
    arguments = arguments.parse_args()
    # A polite end of this program is an end of everything it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    score = Score()
    with Stage(arguments.posthouse, arguments.directory, arguments.node, arguments.modules) as stage:
        for story in (*LIFE, *ENDURANCE, no_secret_written):
            if arguments.only in (None, story.__name__):
                score.play(story, stage)
    taken = score.passed + score.failed
    print(f"oidc {taken}/{EXPECTED}")
    print(f"{score.passed} passed, {score.failed} failed")
    return 0 if score.failed == 0 and taken == EXPECTED else 1


if __name__ == "__main__":
    sys.exit(main())
