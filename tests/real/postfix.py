"""A Postfix instance of our own: submission ports in every flavour the matrix asks for, behind them the sink.

Runs from its own configuration, queue and data directories on high loopback ports; /etc/postfix is not read. Ports
named `cyrus` sign in through Cyrus SASL (PLAIN, LOGIN, CRAM-MD5), ports named `dovecot` through Dovecot's auth service
(XOAUTH2, OAUTHBEARER too), `open` ones ask for no sign-in, `foreign` and `misnamed` show certificates a careful client
must refuse, `strict` ones require a client certificate.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from mails import TIMESTAMP
from world import Trouble, port_open, run_tool, wait_for

NAME = "mx.provider.test"

MAIN_CF = """
compatibility_level = 3.7
config_directory = {home}/etc
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/postfix.log
maillog_file_prefixes = {home}
myhostname = {name}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
# Everything accepted goes on to the sink, byte for byte: no header is completed, no address rewritten.
relay_domains = provider.test
relay_transport = smtp:[127.0.0.1]:{sink}
local_header_rewrite_clients =
smtp_tls_security_level = none
smtp_host_lookup = native
smtp_dns_support_level = disabled
message_size_limit = 52428800
# The Received field of this server then tells what really happened: TLS, and who signed in.
smtpd_tls_received_header = yes
smtpd_sasl_authenticated_header = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access regexp:{home}/etc/recipients, permit
# Answers that a provider gives slowly come at once here.
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_tls_auth_only = yes
smtpd_sasl_security_options = noanonymous
cyrus_sasl_config_path = {home}/etc/sasl
"""

MASTER_CF = """
postlog    unix-dgram n - n - 1 postlogd
pickup     unix n - n 60 1 pickup
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n - - trivial-rewrite
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
trace      unix - - n - 0 bounce
verify     unix - - n - 1 verify
flush      unix n - n 1000? 0 flush
proxymap   unix - - n - - proxymap
smtp       unix - - n - - smtp
relay      unix - - n - - smtp
error      unix - - n - - error
retry      unix - - n - - error
discard    unix - - n - - discard
anvil      unix - - n - 1 anvil
scache     unix - - n - 1 scache
"""

RECIPIENTS = """
/^refused/ 550 5.1.1 No such mailbox here
/^later/   450 4.2.1 Mailbox is resting
"""

SIGN_INS = {
    "cyrus": ["smtpd_sasl_auth_enable=yes", "smtpd_sasl_type=cyrus", "smtpd_sasl_path=smtpd"],
    "dovecot": ["smtpd_sasl_auth_enable=yes", "smtpd_sasl_type=dovecot", "smtpd_sasl_path={auth_socket}"],
    "strict": [
        "smtpd_sasl_auth_enable=yes",
        "smtpd_sasl_type=cyrus",
        "smtpd_sasl_path=smtpd",
        "smtpd_tls_req_ccert=yes",
        "smtpd_tls_CAfile={clients}",
    ],
    "open": ["smtpd_relay_restrictions=permit_mynetworks,reject"],
}
ENCRYPTIONS = {
    "implicit": ["smtpd_tls_wrappermode=yes"],
    "starttls": ["smtpd_tls_security_level=encrypt"],
    "none": ["smtpd_tls_security_level=none", "smtpd_tls_auth_only=no"],
}


class Postfix:
    """Started by the constructor, ended by `stop`. `ports` maps (flavour, encryption) to a port."""

    def __init__(self, home: Path, ports, sink_port, auth_socket, certificates, clients, user, password):
        self.home = home
        self.log = home / "postfix.log"
        self._auth_socket, self._clients = auth_socket, clients
        self._configure(sink_port, user, password)
        self.ports = {}
        services = [MASTER_CF]
        for flavour, (sign_in, shown) in {
            "cyrus": ("cyrus", "right"),
            "dovecot": ("dovecot", "right"),
            "open": ("open", "right"),
            "foreign": ("cyrus", "foreign"),
            "misnamed": ("cyrus", "misnamed"),
            "strict": ("strict", "right"),
        }.items():
            for encryption in ENCRYPTIONS:
                port = self.ports[flavour, encryption] = ports.take()
                services.append(self._service(port, sign_in, encryption, certificates[shown]))
        (home / "etc/master.cf").write_text("".join(services))
        self._start()

    def stop(self):
        """Ends the instance through its own master, by the pid file in our own queue directory."""
        subprocess.run(["postfix", "-c", self.home / "etc", "stop"], capture_output=True, timeout=30, check=False)
        self._process.wait(30)

    def restart(self):
        """Ends every connection."""
        self.stop()
        self._start()

    @staticmethod
    def trace(sender, signed_in, certified, encrypted):
        """The pattern of this server's Received field: TLS, our certificate and the sign-in, where there were any."""
        shown = r'Client CN "relay", Issuer "Posthouse test authority" \(verified OK\)'
        signed = r" client-signature [^()]+( \([^()]+\))?( client-digest \S+)?" if certified else ""
        client = shown if certified else "No client certificate requested"
        # A resumed TLS session has no new signature, and so no digest of one.
        who = rf"\(Authenticated sender: {re.escape(sender)}\) " if signed_in else ""
        tls = (
            r"\(using TLSv1\.3 with cipher [^()]+ \([^()]+\) "
            rf"key-exchange [^()]+( \([^()]+\))? server-signature [^()]+( \([^()]+\))?( server-digest \S+)?{signed}\) "
            rf"\({client}\) "
        )
        protocol = f"ESMTP{'S' if encrypted else ''}{'A' if signed_in else ''}"
        return (
            rf"Received: from \S+ \(\S+ \[127\.0\.0\.1\]\) {tls if encrypted else ''}{who}"
            rf"by {re.escape(NAME)} \(Postfix\) with {protocol} id \S+( for <[^<>]+>)?; {TIMESTAMP}"
        )

    def settled(self):
        """Whether everything accepted so far has left for the sink."""
        busy = ("incoming", "active", "deferred", "maildrop", "hold")
        return not any(files for name in busy for _, _, files in os.walk(self.home / "queue" / name))

    def sign_ins(self, mechanism):
        """How many sign-ins by this mechanism the log tells of."""
        text = self.log.read_text(errors="replace")
        return len(re.findall(rf"client=.*sasl_method={mechanism}\b", text))

    def _configure(self, sink_port, user, password):
        etc = self.home / "etc"
        (etc / "sasl").mkdir(parents=True)
        for name in ("queue", "data"):
            (self.home / name).mkdir()
        shutil.chown(self.home / "data", "postfix")
        (etc / "main.cf").write_text(MAIN_CF.format(home=self.home, sink=sink_port, name=NAME))
        (etc / "recipients").write_text(RECIPIENTS)
        database = etc / "sasl/sasldb2"
        (etc / "sasl/smtpd.conf").write_text(
            f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\nmech_list: PLAIN LOGIN CRAM-MD5\n"
        )
        name, domain = user.split("@")
        run_tool(["saslpasswd2", "-p", "-c", "-f", database, "-u", domain, name], input=password)
        shutil.chown(database, "postfix")

    def _service(self, port, sign_in, encryption, certificate):
        options = [f"smtpd_tls_chain_files={certificate[1]},{certificate[0]}"]
        options += [option.format(auth_socket=self._auth_socket, clients=self._clients) for option in SIGN_INS[sign_in]]
        options += ENCRYPTIONS[encryption]
        lines = "".join(f"    -o {option}\n" for option in options)
        return f"127.0.0.1:{port} inet n - n - - smtpd\n{lines}"

    def _start(self):
        # start-fg: a child of ours to wait for, and no daemon left behind when this program is killed hard.
        output = (self.home / "start.log").open("ab")
        self._process = subprocess.Popen(["postfix", "-c", self.home / "etc", "start-fg"], stdout=output, stderr=output)

        try:
            wait_for(self._up, "Postfix to listen")
        except Trouble:
            self.stop()
            raise

    def _up(self):
        if self._process.poll() is not None:
            raise Trouble(f"Postfix did not start; see {self.home}/start.log and {self.log}")
        return all(port_open("127.0.0.1", port) for port in self.ports.values())
