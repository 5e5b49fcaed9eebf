"""The end of the chain: a small SMTP server that keeps every message byte for byte, with its envelope.

It repairs nothing: what stands in `Delivery.data` is what came over the wire between DATA and the terminating dot, with
the dots of RFC 5321 §4.5.2 removed and nothing else. It can be told to take one mail a connection, as some providers do,
and hangs up at the next; a proxy in front then does the same to its clients. Recipients whose local part begins with `refused` or `later` are
refused here as well, because a proxy in front (Dovecot) leaves that to the server behind it.
"""

import socketserver
import threading
from dataclasses import dataclass

REFUSED = "550 5.1.1 No such mailbox here"
LATER = "450 4.2.1 Mailbox is resting"


@dataclass(frozen=True)
class Delivery:
    """One accepted message."""

    sender: str
    recipients: tuple
    data: bytes


class Sink:
    """Listens on one loopback port until `stop`."""

    def __init__(self, port, one_mail_a_connection=False):
        self.port, self.one_mail_a_connection = port, one_mail_a_connection
        self._deliveries = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Session)
        self._server.sink = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def keep(self, delivery):
        with self._lock:
            self._deliveries.append(delivery)

    def all(self):
        """Everything accepted so far, oldest first."""
        with self._lock:
            return list(self._deliveries)

    def for_recipient(self, address):
        """Every accepted message with this recipient."""
        return [delivery for delivery in self.all() if address in delivery.recipients]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _Session(socketserver.StreamRequestHandler):
    timeout = 60

    def handle(self):
        self._sender, self._recipients = None, []
        served = False
        self._say("220 sink.test ESMTP")
        while line := self.rfile.readline(4096):
            command = line.decode("utf-8", "replace").strip()
            verb = command.upper()
            if verb.startswith("EHLO"):
                self._say(
                    "250-sink.test",
                    "250-PIPELINING",
                    "250-SIZE 52428800",
                    "250-8BITMIME",
                    "250-SMTPUTF8",
                    "250 ENHANCEDSTATUSCODES",
                )
            elif verb.startswith("MAIL FROM:"):
                if served and self.server.sink.one_mail_a_connection:
                    self._say("421 4.3.2 One mail a connection here")
                    return
                self._sender, self._recipients = _address(command), []
                self._say("250 2.1.0 Ok")
            elif verb.startswith("RCPT TO:"):
                self._recipient(_address(command))
            elif verb == "DATA":
                served = self._data()
            elif verb == "QUIT":
                self._say("221 2.0.0 Bye")
                return
            elif verb in ("RSET", "NOOP"):
                self._say("250 2.0.0 Ok")
            else:
                self._say("502 5.5.1 Not known here")

    def _recipient(self, address):
        if address.startswith("refused"):
            self._say(REFUSED)
        elif address.startswith("later"):
            self._say(LATER)
        else:
            self._recipients.append(address)
            self._say("250 2.1.5 Ok")

    def _data(self):
        if not self._recipients:
            self._say("554 5.5.1 No valid recipients")
            return False
        self._say("354 Go ahead")
        lines, previous_ended = [], True
        while True:
            line = self.rfile.readline()
            if not line:
                return False
            if line == b".\r\n" and previous_ended:
                break
            if previous_ended and line.startswith(b"."):
                line = line[1:]
            lines.append(line)
            # A bare LF does not end a line: a dot after it is an ordinary dot.
            previous_ended = line.endswith(b"\r\n")
        self.server.sink.keep(Delivery(self._sender, tuple(self._recipients), b"".join(lines)))
        self._say("250 2.0.0 Kept")
        return True

    def _say(self, *lines):
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


def _address(command):
    return command[command.index("<") + 1 : command.index(">")]
