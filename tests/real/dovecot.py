"""A Dovecot instance of our own: its submission service (a proxy to the sink) and the auth service Postfix asks.

It listens on 127.0.0.2: for a client whose address equals the server's, Dovecot holds the connection to be secure and
takes passwords before STARTTLS; from 127.0.0.1 to 127.0.0.2 it does not. Passwords stand in a passwd-file, access
tokens are introspected (RFC 7662) at the token server. A strict one takes a sign-in only inside TLS in which a client
certificate was shown. /etc/dovecot is not read.
"""

import re
import shutil
import subprocess
from pathlib import Path

from mails import TIMESTAMP
from world import Trouble, port_open, wait_for

ADDRESS = "127.0.0.2"
NAME = "submission.provider.test"

CONFIGURATION = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
auth_verbose = yes
hostname = {name}
listen = {address}
protocols = submission
submission_relay_host = 127.0.0.1
submission_relay_port = {sink}
submission_relay_ssl = no

ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = yes
{strictness}

auth_mechanisms = plain login cram-md5 xoauth2 oauthbearer
auth_failure_delay = 0
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={home}/mail
}}
first_valid_uid = 1
mail_location = maildir:{home}/mail

service submission-login {{
  inet_listener submission {{
    port = {starttls}
  }}
  inet_listener submissions {{
    port = {implicit}
    ssl = yes
  }}
}}
service auth {{
  unix_listener {home}/postfix-auth {{
    mode = 0666
  }}
}}
# Failed sign-ins of one source slow down its next ones: a matter of minutes for a test that fails on purpose.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

STRICT = """
ssl_ca = <{clients}
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_ssl_require_client_cert = yes
"""

OAUTH2 = """
introspection_mode = post
introspection_url = {introspection}
username_attribute = email
active_attribute = active
active_value = true
{trust}
"""


class Dovecot:
    """Started by the constructor, ended by `stop`. `ports` maps an encryption to a port.

    `clients` is the authority whose client certificates a strict one wants; `ca_file` is whom it trusts for introspection.
    """

    def __init__(
        self, home: Path, ports, sink_port, introspection, certificate, user, password, clients=None, ca_file=None
    ):
        self.home = home
        self.log = home / "dovecot.log"
        self.auth_socket = home / "postfix-auth"
        self.ports = {"starttls": ports.take(), "implicit": ports.take()}
        (home / "mail").mkdir(parents=True)
        shutil.chown(home / "mail", "postfix", "postfix")
        (home / "users").write_text(f"{user}:{{PLAIN}}{password}\n")
        trust = f"tls_ca_cert_file = {ca_file}" if ca_file else ""
        (home / "oauth2.conf").write_text(OAUTH2.format(introspection=introspection, trust=trust))
        (home / "dovecot.conf").write_text(
            CONFIGURATION.format(
                home=home,
                name=NAME,
                address=ADDRESS,
                sink=sink_port,
                certificate=certificate[0],
                key=certificate[1],
                user="postfix",
                strictness=STRICT.format(clients=clients) if clients else "",
                **self.ports,
            )
        )
        self._start()

    def stop(self):
        """Ends the master and waits for its children: one that still holds a connection may outlive it for a moment."""
        if self._process.poll() is None:
            children = _children(self._process.pid)
            self._process.terminate()
            self._process.wait(30)
            wait_for(lambda: not any(map(_alive, children)), "Dovecot's children to end", 30)

    def restart(self):
        """Ends every connection."""
        self.stop()
        self._start()

    @staticmethod
    def trace(sender, signed_in, certified, encrypted):  # noqa: ARG004 – it writes no certificate down, and all is TLS
        """The pattern of this server's Received field."""
        if not signed_in:
            raise Trouble("Dovecot takes no mail without a sign-in")
        return (
            rf"Received: from \S+ \(\[127\.0\.0\.1\]\) by {re.escape(NAME)} with ESMTPSA id \S+ "
            rf"\(envelope-from <{re.escape(sender)}>\)( for <[^<>]+>)?; {TIMESTAMP}"
        )

    @staticmethod
    def settled():
        """A proxy keeps nothing: what it accepted, the sink had before."""
        return True

    def sign_ins(self, mechanism):
        """How many sign-ins by this mechanism the log tells of, over TLS all of them."""
        text = self.log.read_text(errors="replace")
        return len(re.findall(rf"submission-login: Info: Login: .*method={mechanism}\b.*\bTLS\b", text))

    def _start(self):
        output = (self.home / "start.log").open("ab")
        self._process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.home / "dovecot.conf"], stdout=output, stderr=output
        )

        try:
            wait_for(self._up, "Dovecot to listen")
        except Trouble:
            self.stop()
            raise

    def _up(self):
        if self._process.poll() is not None:
            raise Trouble(f"Dovecot did not start; see {self.home}/start.log and {self.log}")
        return all(port_open(ADDRESS, port) for port in self.ports.values())


def _children(master):
    """The processes the master has started; they end as its orphans."""
    return [
        int(status.parent.name)
        for status in Path("/proc").glob("[0-9]*/stat")
        if (text := _read(status)) and int(text.rpartition(") ")[2].split()[1]) == master
    ]


def _alive(pid):
    state = _read(Path(f"/proc/{pid}/stat")).rpartition(") ")[2][:1]
    return state not in ("", "Z", "X")


def _read(path):
    try:
        return path.read_text()
    except OSError:
        return ""
