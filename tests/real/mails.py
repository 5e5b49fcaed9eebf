"""The mails that are sent, and the comparison of what arrives with what was sent, octet by octet.

A mail is compared in CRLF form. Off come, from the front and in this order, the `Received` field of the server at the
end and the one of Posthouse, each checked against what this very delivery must have been; the rest must be equal.
"""

import base64
import email
import email.policy
import re
from dataclasses import dataclass

import documents

RELAY = "relay.test"
# RFC 5322 §3.3, with the name of the zone as a comment where a server likes to say it.
TIMESTAMP = r"\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}( \(\w+\))?"
DATE = "Sun, 22 Nov 2026 10:00:00 +0000"


class Difference(Exception):
    """What arrived is not what was sent."""


@dataclass(frozen=True)
class Mail:
    """One mail as it should arrive. `raw` has CRLF endings; `complete` tells whether Date and Message-ID are there."""

    raw: bytes
    complete: bool = True

    @property
    def arriving(self):
        """SMTP has no way to send a last line without its ending (RFC 5321 §4.1.1.4)."""
        return self.raw if self.raw.endswith(b"\r\n") else self.raw + b"\r\n"

    @property
    def unix(self):
        """With LF endings, as a file on a Unix machine has it."""
        return self.raw.replace(b"\r\n", b"\n")


def _mail(identifier, sender, body, extra=(), complete=True):
    fields = [f"From: Scanner 3 <{sender}>", "To: Office <office@provider.test>", f"Subject: Scan {identifier}"]
    if complete:
        fields += [f"Date: {DATE}", f"Message-ID: <{identifier}@scanner.test>"]
    return Mail("\r\n".join([*fields, *extra, "", ""]).encode() + body, complete)


def plain(identifier, sender):
    """A short text."""
    return _mail(identifier, sender, b"The scan is attached.\r\n")


def leading_dots(identifier, sender):
    """Dots where SMTP doubles them, a line that looks like the end of data included."""
    return _mail(identifier, sender, b".\r\n..\r\n...three\r\n.hidden\r\nplain\r\n.\r\n\r\n. .\r\n")


def long_line(identifier, sender):
    """A line of 998 octets, the most RFC 5322 §2.1.1 allows, and one of 998 that begins with a dot."""
    return _mail(identifier, sender, b"a" * 998 + b"\r\n." + b"b" * 997 + b"\r\nend\r\n")


def eight_bit(identifier, sender):
    """UTF-8 that nobody encoded, and octets that are no UTF-8 at all."""
    extra = ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
    return _mail(identifier, sender, "Grüße aus Łódź: 100 €, 日本語\r\n".encode() + b"\xa4\xff\xfe\x80\r\n", extra)


def attachment(identifier, sender):
    """2 MiB, in base64, as a scanner sends a document."""
    return _document(identifier, sender, 2 * 1024 * 1024)


def attachments(identifier, sender):
    """A page in UTF-8 that nobody encoded, a picture in it, and a document, as multifunction devices send them."""
    page = (
        "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        '<p>Grüße vom Gerät im Flur <img src="cid:page1@scanner.test"></p>\r\n'
    ).encode()
    shown_as = ["Content-ID: <page1@scanner.test>", 'Content-Disposition: inline; filename="1.png"']
    picture = _attached(["Content-Type: image/png", *shown_as], documents.png(64, 48))
    named = "Content-Disposition: attachment;\r\n filename*=utf-8''Z%C3%A4hler%20M%C3%A4rz.pdf"
    document = _attached(["Content-Type: application/pdf", named], documents.pdf(100_000))
    shown = b'Content-Type: multipart/related; boundary="inner"\r\n\r\n' + _parts(b"inner", page, picture)
    extra = ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="outer"']
    return _mail(identifier, sender, _parts(b"outer", shown, document), extra)


def fifteen_mebibytes(identifier, sender):
    """A document that makes 15 MiB of base64."""
    return _document(identifier, sender, 15 * 1024 * 1024 // 78 * 57)


def _document(identifier, sender, octets):
    extra = ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="part"']
    text = b"Content-Type: text/plain\r\n\r\nSee the scan.\r\n"
    document = _attached(["Content-Type: application/pdf"], documents.octets(octets))
    return _mail(identifier, sender, _parts(b"part", text, document), extra)


def _attached(fields, content):
    """A part in base64."""
    header = "\r\n".join([*fields, "Content-Transfer-Encoding: base64", "", ""]).encode()
    return header + base64.encodebytes(content).replace(b"\n", b"\r\n")


def _parts(boundary, *parts):
    """A multipart body of these."""
    return b"".join(b"--%b\r\n%b" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary


def empty_body(identifier, sender):
    """A header block, the empty line, nothing."""
    return _mail(identifier, sender, b"")


def no_final_newline(identifier, sender):
    """The last line has no ending of its own."""
    return _mail(identifier, sender, b"first\r\nlast")


def bare(identifier, sender):
    """Neither Date nor Message-ID: the relay adds both."""
    return _mail(identifier, sender, b"From a device without a clock.\r\n", complete=False)


def entity(octets: bytes):
    """What a mail or a signed entity is about: type, name and content of each part, however encoded on the way."""
    message = email.message_from_bytes(octets, policy=email.policy.compat32)
    parts = [(part.get_content_type(), part.get_filename(), part.get_payload(decode=True)) for part in message.walk()]
    # An encoding may end with a line ending that is not the content's.
    return [(*named, content and content.replace(b"\r\n", b"\n").rstrip(b"\n")) for *named, content in parts]


def compare(arrived: bytes, mail: Mail, trace_of_server: str, protocol: str):
    """Raises `Difference` unless `arrived` is `mail` below the two trace fields.

    `trace_of_server` is a pattern for the server's field, `protocol` what Posthouse's says the device spoke (RFC 3848).
    """
    rest = _take_field(arrived, trace_of_server, "the server's Received")
    by_relay = rf"Received: from \S+ .*\bby {re.escape(RELAY)} .*\bwith {protocol} id \S+.*; {TIMESTAMP}"
    rest = _take_field(rest, by_relay, "Posthouse's Received")
    if not mail.complete:
        rest = _take_added(rest, rb"Date: \S[^\r\n]+")
        rest = _take_added(rest, rb"Message-ID: <[^\s<>@]+@[^\s<>@]+>")
    if rest != mail.arriving:
        raise Difference(_first_difference(rest, mail.arriving))


def _split_field(data):
    """The first header field, with its folded lines, and what follows it."""
    end = re.search(rb"\r\n(?![ \t])", data)
    if not end:
        raise Difference(f"no header field at all: {data[:200]!r}")
    return data[: end.start()], data[end.end() :]


def _take_field(data, pattern, what):
    field, rest = _split_field(data)
    unfolded = " ".join(field.decode("latin-1").split())
    if not re.fullmatch(pattern, unfolded):
        raise Difference(f"{what} is not as this delivery must have been: {unfolded!r}")
    return rest


def _take_added(data, pattern):
    """Takes out the one field of the header block that matches."""
    header, empty_line, body = data.partition(b"\r\n\r\n")
    fields = header.split(b"\r\n")
    matching = [field for field in fields if re.fullmatch(pattern, field)]
    if len(matching) != 1:
        raise Difference(f"{len(matching)} fields match {pattern!r} instead of one")
    fields.remove(matching[0])
    return b"\r\n".join(fields) + empty_line + body


def _first_difference(arrived, sent):
    at = next((i for i, (a, b) in enumerate(zip(arrived, sent, strict=False)) if a != b), min(len(arrived), len(sent)))
    return (
        f"octet {at} differs ({len(arrived)} arrived, {len(sent)} sent): "
        f"arrived {arrived[max(0, at - 20) : at + 40]!r}, sent {sent[max(0, at - 20) : at + 40]!r}"
    )
