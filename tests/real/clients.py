"""The devices: swaks, curl, msmtp and Python's smtplib, each sending one mail and telling what it heard.

Each program gets the mail the way its users have it (a Unix file, or CRLF bytes) and does its own line endings and dot
stuffing. Passwords go by file or by argument, whichever the program has; they are worthless.
"""

import re
import smtplib
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

HELO = "scanner.test"
# Beyond each program's own patience with one reply, which is set to 30 s below.
DEADLINE = 60


@dataclass(frozen=True)
class Gate:
    """Where a device connects, and how: `encryption` is none, starttls or implicit; `login` a name and password."""

    port: int
    encryption: str = "none"
    login: tuple = None
    mechanism: str = None
    ca_file: Path = None


@dataclass(frozen=True)
class Heard:
    """What the device was told: 250, or the code and text of the refusal; `output` is all the program said."""

    code: int
    text: str
    output: str


def swaks(gate, mail, sender, recipients, directory):
    """Perl; the postmaster's own tool. Reads a Unix file, and always adds a line ending: hence one less here."""
    command = [
        "swaks",
        "--server",
        "127.0.0.1",
        "--port",
        gate.port,
        "--helo",
        HELO,
        "--from",
        sender,
        "--to",
        ",".join(recipients),
        "--timeout",
        30,
        "--suppress-data",
    ]
    if mail.raw.endswith(b"\r\n\r\n"):
        # It always sends at least one empty line of body; only with the terminating dot put there by hand it does not.
        command += ["--no-data-fixup", "--data", f"@{_file(directory, mail.raw + b'.')}"]
    else:
        unix = mail.unix.removesuffix(b"\n")
        command += ["--data", f"@{_file(directory, unix)}"]
    if gate.encryption == "starttls":
        command += ["--tls", "--tls-verify", "--tls-ca-path", gate.ca_file]
    elif gate.encryption == "implicit":
        command += ["--tls-on-connect", "--tls-verify", "--tls-ca-path", gate.ca_file]
    if gate.login:
        command += ["--auth", gate.mechanism.upper(), "--auth-user", gate.login[0], "--auth-password", gate.login[1]]
    # `<**` marks a refusal in clear, `<~*` one inside TLS.
    return _run(command, r"^<(?:\*\*|~\*) +(\d{3})[ -](.*)$")


def curl(gate, mail, sender, recipients, directory):
    """libcurl; in a great many devices. Wants CRLF in the file: it doubles only dots that follow one."""
    scheme = "smtps" if gate.encryption == "implicit" else "smtp"
    command = [
        "curl",
        "--verbose",
        "--silent",
        "--show-error",
        "--max-time",
        30,
        "--mail-from",
        sender,
        "--upload-file",
        _file(directory, mail.raw),
    ]
    for recipient in recipients:
        command += ["--mail-rcpt", recipient]
    if gate.encryption != "none":
        command += ["--ssl-reqd", "--cacert", gate.ca_file]
    if gate.login:
        command += ["--user", ":".join(gate.login), "--login-options", f"AUTH={gate.mechanism.upper()}"]
    return _run([*command, f"{scheme}://localhost:{gate.port}/{HELO}"], r"^< ([45]\d\d)[ -](.*)$")


def msmtp(gate, mail, sender, recipients, directory):
    """The sendmail stand-in of small machines. Reads a Unix file."""
    command = [
        "msmtp",
        "--host",
        "localhost",
        "--port",
        gate.port,
        "--domain",
        HELO,
        "--from",
        sender,
        "--timeout=30",
        "--set-date-header=off",
        "--set-msgid-header=off",
        "--set-from-header=off",
    ]
    if gate.encryption == "none":
        command += ["--tls=off"]
    else:
        starttls = "on" if gate.encryption == "starttls" else "off"
        command += ["--tls=on", f"--tls-starttls={starttls}", f"--tls-trust-file={gate.ca_file}"]
    if gate.login:
        secret = directory / "msmtp-password"
        secret.write_text(gate.login[1])
        # `auth on` would pick a mechanism itself, and without TLS refuses PLAIN and LOGIN; naming one is what makes
        # msmtp send it in clear, so that is what its users must write for a relay on the same machine.
        command += [f"--auth={gate.mechanism}", f"--user={gate.login[0]}", f"--passwordeval=cat {secret}"]
    with open(_file(directory, mail.unix), "rb") as message:
        return _run([*command, "--", *recipients], r"^msmtp: server message: ([45]\d\d)[ -](.*)$", stdin=message)


def python_smtplib(gate, mail, sender, recipients, _directory):
    """Python's standard library; in many a script. Gets CRLF bytes."""
    context = ssl.create_default_context(cafile=str(gate.ca_file)) if gate.ca_file else None
    try:
        if gate.encryption == "implicit":
            client = smtplib.SMTP_SSL("localhost", gate.port, HELO, timeout=30, context=context)
        else:
            client = smtplib.SMTP("localhost", gate.port, HELO, timeout=30)
        with client:
            if gate.encryption == "starttls":
                client.starttls(context=context)
            if gate.login:
                client.login(*gate.login)
            refused = client.sendmail(sender, recipients, mail.raw)
            if refused:
                return Heard(*_reply(*next(iter(refused.values()))), repr(refused))
    except smtplib.SMTPRecipientsRefused as refusal:
        return Heard(*_reply(*next(iter(refusal.recipients.values()))), repr(refusal))
    except smtplib.SMTPResponseException as refusal:
        return Heard(*_reply(refusal.smtp_code, refusal.smtp_error), repr(refusal))
    except (smtplib.SMTPException, OSError) as failure:
        return Heard(0, repr(failure), repr(failure))
    return Heard(250, "", "")


ALL = {"swaks": swaks, "curl": curl, "msmtp": msmtp, "smtplib": python_smtplib}


def _file(directory, data):
    path = directory / "mail.eml"
    path.write_bytes(data)
    return path


def _reply(code, text):
    return code, text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _run(command, refusal, stdin=subprocess.DEVNULL):
    """250 when the program says it went well; else the last refusal it printed, or 0 and the end of its output."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=DEADLINE, check=False)
    except subprocess.TimeoutExpired:
        return Heard(0, f"{command[0]} had not ended after {DEADLINE} s", "")
    output = (done.stdout + done.stderr).decode("utf-8", "replace").replace("\r", "")
    if done.returncode == 0:
        return Heard(250, "", output)
    refusals = re.findall(refusal, output, re.MULTILINE)
    if refusals:
        return Heard(int(refusals[-1][0]), refusals[-1][1], output)
    return Heard(0, f"exit {done.returncode}: {output[-300:]}", output)
