//! Promise 3, cell by cell: every encryption × every way to sign in × every way to verify × three certificates.
//!
//! The table says for each cell by which mechanism the mail must arrive, or why the account must be held instead, with
//! nothing signed in. All of it is loopback, where credentials may go in clear; that they may not beyond is decided in
//! `account::signin`, and tested there.

use std::time::Duration;

use posthouse::account::{self, CommandLine, Encryption, Mechanism, Source, oauth::Grant};
use posthouse::config::Config;
use posthouse::net::trust::{Pin, Verify};
use posthouse::sandbox::{self, Certificate, Extension, Protection, Sandbox, Settings};
use posthouse::smtp::sasl;

use crate::device::{Device, SENDER};
use crate::scene::{Log, provider, relay_to};

/// `encryption`, the provider's port, `mechanism` and the credential; then for `verify = "full"`, `"chain"`, `"pin"`
/// (on the key of the certificate that signed itself) and `"none"` what becomes of a mail when the provider shows a
/// good certificate, one for another name, and one that signed itself:
///
/// delivered, signed in by `P`LAIN, `L`OGIN, `C`RAM-MD5, `X`OAUTH2 or OAUTH`B`EARER, or by nothing (`-`); held, because
/// the certificate is for another `n`ame, its `i`ssuer is unknown, its `k`ey is another one, or `s`TARTTLS is missing.
const TABLE: &str = "
implicit       implicit  auto         password  P n i   P P i   k k P   P P P
implicit       implicit  auto         token     X n i   X X i   k k X   X X X
implicit       implicit  plain        password  P n i   P P i   k k P   P P P
implicit       implicit  login        password  L n i   L L i   k k L   L L L
implicit       implicit  cram_md5     password  C n i   C C i   k k C   C C C
implicit       implicit  xoauth2      token     X n i   X X i   k k X   X X X
implicit       implicit  oauthbearer  token     B n i   B B i   k k B   B B B
implicit       implicit  none         nothing   - n i   - - i   k k -   - - -
starttls       starttls  auto         password  P n i   P P i   k k P   P P P
starttls       starttls  auto         token     X n i   X X i   k k X   X X X
starttls       starttls  plain        password  P n i   P P i   k k P   P P P
starttls       starttls  login        password  L n i   L L i   k k L   L L L
starttls       starttls  cram_md5     password  C n i   C C i   k k C   C C C
starttls       starttls  xoauth2      token     X n i   X X i   k k X   X X X
starttls       starttls  oauthbearer  token     B n i   B B i   k k B   B B B
starttls       starttls  none         nothing   - n i   - - i   k k -   - - -
starttls       plain     auto         password  s s s   s s s   s s s   s s s
starttls       plain     auto         token     s s s   s s s   s s s   s s s
starttls       plain     plain        password  s s s   s s s   s s s   s s s
starttls       plain     login        password  s s s   s s s   s s s   s s s
starttls       plain     cram_md5     password  s s s   s s s   s s s   s s s
starttls       plain     xoauth2      token     s s s   s s s   s s s   s s s
starttls       plain     oauthbearer  token     s s s   s s s   s s s   s s s
starttls       plain     none         nothing   s s s   s s s   s s s   s s s
starttls_auto  starttls  auto         password  P n i   P P i   k k P   P P P
starttls_auto  starttls  auto         token     X n i   X X i   k k X   X X X
starttls_auto  starttls  plain        password  P n i   P P i   k k P   P P P
starttls_auto  starttls  login        password  L n i   L L i   k k L   L L L
starttls_auto  starttls  cram_md5     password  C n i   C C i   k k C   C C C
starttls_auto  starttls  xoauth2      token     X n i   X X i   k k X   X X X
starttls_auto  starttls  oauthbearer  token     B n i   B B i   k k B   B B B
starttls_auto  starttls  none         nothing   - n i   - - i   k k -   - - -
starttls_auto  plain     auto         password  C C C   C C C   C C C   C C C
starttls_auto  plain     auto         token     X X X   X X X   X X X   X X X
starttls_auto  plain     plain        password  P P P   P P P   P P P   P P P
starttls_auto  plain     login        password  L L L   L L L   L L L   L L L
starttls_auto  plain     cram_md5     password  C C C   C C C   C C C   C C C
starttls_auto  plain     xoauth2      token     X X X   X X X   X X X   X X X
starttls_auto  plain     oauthbearer  token     B B B   B B B   B B B   B B B
starttls_auto  plain     none         nothing   - - -   - - -   - - -   - - -
none           plain     auto         password  C C C   C C C   C C C   C C C
none           plain     auto         token     X X X   X X X   X X X   X X X
none           plain     plain        password  P P P   P P P   P P P   P P P
none           plain     login        password  L L L   L L L   L L L   L L L
none           plain     cram_md5     password  C C C   C C C   C C C   C C C
none           plain     xoauth2      token     X X X   X X X   X X X   X X X
none           plain     oauthbearer  token     B B B   B B B   B B B   B B B
none           plain     none         nothing   - - -   - - -   - - -   - - -
";

/// The same over implicit TLS with a good certificate, where the provider offers this mechanism alone: with `auto` and
/// a password, `auto` and a token, and each of the others by name. `m` is held, because there is no mechanism to use.
const OFFERS: &str = "
PLAIN        P m   P m m   m m
LOGIN        L m   m L m   m m
CRAM-MD5     m m   m m C   m m
XOAUTH2      m X   m m m   X m
OAUTHBEARER  m B   m m m   m B
none         m m   m m m   m m
";

const SIGN_INS: [(&str, &str); 8] = [
    ("auto", "password"),
    ("auto", "token"),
    ("plain", "password"),
    ("login", "password"),
    ("cram_md5", "password"),
    ("xoauth2", "token"),
    ("oauthbearer", "token"),
    ("none", "nothing"),
];
const VERIFIES: [Verify; 4] = [Verify::Full, Verify::Chain, Verify::Pin, Verify::None];
const CERTIFICATES: [Certificate; 3] = [Certificate::Good, Certificate::WrongHost, Certificate::SelfSigned];

/// How an account signs in, in the words of the table.
#[derive(Clone, Copy)]
struct SignIn<'a> {
    mechanism: &'a str,
    credential: &'a str,
}

impl SignIn<'_> {
    fn set(self, account: &mut account::Settings, sandbox: &Sandbox) {
        account.mechanism = match self.mechanism {
            "auto" => Mechanism::Auto,
            "plain" => Mechanism::Only(sasl::Mechanism::Plain),
            "login" => Mechanism::Only(sasl::Mechanism::Login),
            "cram_md5" => Mechanism::Only(sasl::Mechanism::CramMd5),
            "xoauth2" => Mechanism::Only(sasl::Mechanism::XOAuth2),
            "oauthbearer" => Mechanism::Only(sasl::Mechanism::OAuthBearer),
            "none" => Mechanism::None,
            other => panic!("{other}"),
        };
        account.credential = match self.credential {
            "password" => Source::Password(sandbox.settings().password.clone()),
            "token" => {
                let token = sandbox.issue_token(&sandbox.settings().username, Duration::from_hours(1)).unwrap();
                let print = vec!["/bin/echo".into(), token.expose().to_owned()];
                Source::from(Grant::Command { command: CommandLine::new(print) })
            }
            "nothing" => Source::None,
            other => panic!("{other}"),
        };
    }
}

/// A provider that offers these mechanisms and takes mail without any, too.
async fn offering(mechanisms: Vec<sandbox::Mechanism>) -> Sandbox {
    let offer = provider().offer.without(&Extension::Auth(vec![]));
    let offer = if mechanisms.is_empty() { offer } else { offer.with(Extension::Auth(mechanisms)) };
    Sandbox::start(Settings { offer, require_auth: false, ..provider() }).await.unwrap()
}

/// One mail through a relay of its own: what became of it, as a letter of the table.
async fn letter(sandbox: &Sandbox, protection: Protection, change: impl FnOnce(&mut Config)) -> char {
    let log = Log::capture();
    let (relay, _config, _directory) = relay_to(sandbox, change).unwrap();
    let (mails, signed_in) = (sandbox.mailbox().count(), sandbox.counters().auth_attempts);
    let heard = Device::greeted(relay.listening()[0].1).await.mail().await;
    let signed_in = sandbox.counters().auth_attempts - signed_in;
    if heard.starts_with("250 ") {
        let delivery = sandbox.mailbox().deliveries().pop().unwrap();
        assert_eq!((sandbox.mailbox().count(), delivery.protection), (mails + 1, protection));
        assert_eq!(signed_in, u64::from(delivery.login.is_some()), "one mechanism, one try");
        return delivery.login.as_ref().map_or('-', |login| {
            assert_eq!(login.username, SENDER);
            match login.mechanism {
                sandbox::Mechanism::Plain => 'P',
                sandbox::Mechanism::Login => 'L',
                sandbox::Mechanism::CramMd5 => 'C',
                sandbox::Mechanism::XOAuth2 => 'X',
                sandbox::Mechanism::OAuthBearer => 'B',
            }
        });
    }
    assert!(heard.starts_with("451 4.7.0 Not sent, the account cannot be used: "), "{heard}");
    assert_eq!((sandbox.mailbox().count(), signed_in), (mails, 0), "nothing left: {heard}");
    log.assert_line(&["attempt failed", "cause=config"]);
    log.assert_line(&["account held", "cause=config"]);
    let reasons = [
        ("is for another name", 'n'),
        ("is signed by nobody", 'i'),
        ("shows another key", 'k'),
        ("does not offer STARTTLS", 's'),
        ("No way to sign in", 'm'),
    ];
    reasons.iter().find(|(words, _)| heard.contains(words)).unwrap_or_else(|| panic!("{heard}")).1
}

/// The pin of a provider's certificate, as the relay names it where it refuses that certificate.
async fn pin_of(sandbox: &Sandbox, certificate: Certificate) -> Pin {
    let log = Log::capture();
    sandbox.present(certificate);
    let (relay, _config, _directory) = relay_to(sandbox, |_| {}).unwrap();
    Device::greeted(relay.listening()[0].1).await.mail().await;
    let text = log.text();
    let named = text.find("sha256/").unwrap_or_else(|| panic!("no pin is named: {text}"));
    text[named..][.."sha256/".len() + 44].parse().unwrap()
}

/// Plays all rows of the table that begin with these words.
async fn rows(encryption: &str, port: &str) {
    let sandbox = offering(sandbox::Mechanism::ALL.to_vec()).await;
    let pin = pin_of(&sandbox, Certificate::SelfSigned).await;
    let (settings, protection) = match (encryption, port) {
        ("implicit", _) => (Encryption::Implicit, Protection::Implicit),
        ("starttls", _) => (Encryption::StartTls, Protection::StartTls),
        ("starttls_auto", "starttls") => (Encryption::StartTlsAuto, Protection::StartTls),
        ("starttls_auto", _) => (Encryption::StartTlsAuto, Protection::Clear),
        _ => (Encryption::None, Protection::Clear),
    };
    let address = match port {
        "implicit" => sandbox.implicit(),
        "starttls" => sandbox.starttls(),
        _ => sandbox.plain(),
    };
    let mut played = Vec::new();
    for (mechanism, credential) in SIGN_INS {
        let sign_in = SignIn { mechanism, credential };
        let mut cells = Vec::new();
        for verify in VERIFIES {
            for certificate in CERTIFICATES {
                sandbox.present(certificate);
                let got = letter(&sandbox, protection, |config| {
                    let account = &mut config.accounts[0];
                    (account.encryption, account.port) = (settings, address.port());
                    account.trust.verify = verify;
                    account.trust.pins = if verify == Verify::Pin { vec![pin] } else { vec![] };
                    sign_in.set(account, &sandbox);
                });
                cells.push(got.await.to_string());
            }
        }
        let cells: Vec<String> = cells.chunks(CERTIFICATES.len()).map(|verify| verify.join(" ")).collect();
        played.push(format!("{encryption:<14} {port:<9} {mechanism:<12} {credential:<9} {}", cells.join("   ")));
    }
    let begin = format!("{encryption:<14} {port:<9} ");
    let expected: Vec<&str> = TABLE.lines().filter(|line| line.starts_with(&begin)).collect();
    assert_eq!(played, expected);
    assert_eq!(sandbox.violations(), []);
}

macro_rules! rows {
    ($($name:ident: $encryption:literal, $port:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            rows($encryption, $port).await;
        })*

        /// No row is forgotten, and none is there that nobody plays.
        #[test]
        fn the_table_is_whole() {
            assert_eq!(TABLE.trim().lines().count(), [$($name as fn(),)*].len() * SIGN_INS.len());
        }
    };
}

rows! {
    implicit: "implicit", "implicit";
    starttls: "starttls", "starttls";
    starttls_where_it_is_not_offered: "starttls", "plain";
    starttls_auto: "starttls_auto", "starttls";
    starttls_auto_where_it_is_not_offered: "starttls_auto", "plain";
    none: "none", "plain";
}

#[tokio::test]
async fn what_is_offered_decides_and_nothing_else_is_tried() {
    let mut played = Vec::new();
    for offered in sandbox::Mechanism::ALL.map(Some).into_iter().chain([None]) {
        let sandbox = offering(offered.into_iter().collect()).await;
        let mut cells = Vec::new();
        for (mechanism, credential) in &SIGN_INS[..7] {
            let sign_in = SignIn { mechanism, credential };
            let got = letter(&sandbox, Protection::Implicit, |config| sign_in.set(&mut config.accounts[0], &sandbox));
            cells.push(got.await.to_string());
        }
        let name = offered.map_or("none", sandbox::Mechanism::name);
        let groups = [&cells[..2], &cells[2..5], &cells[5..]].map(|group| group.join(" "));
        played.push(format!("{name:<12} {}", groups.join("   ")));
        assert_eq!(sandbox.violations(), []);
    }
    let mut expected: Vec<&str> = OFFERS.trim().lines().collect();
    expected.sort_unstable();
    played.sort_unstable();
    assert_eq!(played, expected);
}
