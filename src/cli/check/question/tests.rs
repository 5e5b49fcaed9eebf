//! What an administrator reads who asks where a mail goes and who gets in.
//!
//! A whole configuration goes in, the printed text comes out: the texts are the promise.

use super::*;
use crate::inbound::settings::ListenerSettings;

const OFFICE: &str = r#"
default_account = "mail"
default_domain = "corp.example"
[aliases]
boss = "boss@far.example"
[accounts.office]
host = "smtp.example.com"
address = "relay@example.com"
password = "x"
renamed_from = "mail"
[accounts.backup]
host = "smtp.example.net"
address = "relay@example.net"
password = "x"
[[listeners]]
name = "local"
bind = ["127.0.0.1:2525"]
[[listeners]]
name = "lan"
bind = ["192.168.1.2:25"]
allow = ["192.168.1.0/24", "fd00::/64"]
auth = "optional"
auth_in_clear = true
senders = ["*@corp.example"]
messages_per_hour = 100
[devices.fax1]
password = "x"
account = "backup"
messages_per_hour = 9
recipients = ["*@corp.example", "*@far.example"]
[[routes]]
sender = "billing@*"
accounts = "office"
[[routes]]
recipient = "*@far.example"
source = "192.168.1.0/25"
accounts = ["backup", "office"]
"#;

/// Loads this text and answers.
fn ask(text: &str, answer: impl Fn(&Config) -> Answer) -> Answer {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let sources = Sources { path: Some(file.path().into()), ..Sources::default() };
    loaded(&sources, answer)
}

fn route(words: &str) -> Answer {
    route_in(OFFICE, words)
}

fn route_in(office: &str, words: &str) -> Answer {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    ask(office, |config| route::answer(config, &route::Asked::parse(&words).unwrap()))
}

#[test]
fn the_account_is_explained_route_by_route() {
    let answer = route("from=scan to=boss to=x@corp.example source=::ffff:192.168.1.7");
    let expected = "\
From 192.168.1.7 to listener lan
  sender scan@corp.example: let through
  recipient boss, which becomes boss@far.example
    routes[0] does not: `sender` wants billing@*
    routes[1] fits
    goes through account backup, else office, by routes[1]
  recipient x@corp.example
    routes[0] does not: `sender` wants billing@*
    routes[1] does not: `recipient` wants *@far.example
    goes through account office, by default_account, since no route and no device decides
  limits of this device: messages_per_hour = 100
";
    assert_eq!(answer.text, expected);
    assert!(answer.good);
}

#[test]
fn without_a_queue_one_mail_goes_one_way() {
    let office = format!("{OFFICE}[delivery]\nqueue = false\n");
    let answer = route_in(&office, "from=scan to=boss to=x@corp.example source=192.168.1.7");
    let only = "account backup, else office (with delivery.queue = false the first one only), by routes[1]";
    assert!(answer.text.contains(only), "{}", answer.text);
    assert!(answer.text.contains("refused: 452 4.5.3 This recipient goes through another account"), "{}", answer.text);
    assert!(!answer.good);
}

#[test]
fn without_a_route_the_device_decides_and_then_the_default_account_under_its_present_name() {
    let device = route("from=a@corp.example to=b@corp.example source=192.168.1.200 device=FAX1");
    let said = "goes through account backup, by `account` of [devices.fax1], since no route fits";
    assert!(device.good && device.text.contains(said), "{}", device.text);
    assert!(device.text.contains("signed in as fax1") && device.text.contains("messages_per_hour = 9"), "the stricter");
    let nobody = route("from=a@corp.example to=b@corp.example");
    assert!(nobody.good && nobody.text.starts_with("From 127.0.0.1 to listener local\n"), "{}", nobody.text);
    assert!(nobody.text.contains("account office, by default_account"), "{}", nobody.text);
}

#[test]
fn whatever_keeps_a_mail_out_is_said() {
    for (words, said) in [
        ("from=a@corp.example to=b@c source=192.168.2.7 listener=lan", "192.168.2.7 is not in `allow` of listener lan"),
        ("from=a@elsewhere.example to=b@c listener=lan source=fd00::1", "sender refused: 550 5.7.1"),
        ("from=a@corp.example to=b@c source=192.168.1.7 device=fax1", "refused: 550 5.7.1 This recipient"),
        ("from=a@corp.example to=b@c device=fax1", "auth = \"none\", so nobody signs in there"),
        ("from=a@corp.example to=b@c device=nobody", "configured devices: fax1"),
        ("from=a@corp.example to=b@c listener=nowhere", "configured listeners: local, lan"),
    ] {
        let answer = route(words);
        assert!(!answer.good && answer.text.contains(said), "{words}: {}", answer.text);
    }
}

#[test]
fn for_a_program_the_same_in_json() {
    let json = route("from=<> to=boss@far.example source=192.168.1.7").json;
    assert_eq!((&json["ok"], &json["sender"]), (&true.into(), &"<>".into()));
    let recipient = &json["recipients"][0];
    assert_eq!(recipient["account"], "backup");
    assert_eq!(recipient["fallbacks"][0], "office");
    assert_eq!(recipient["tried"][0]["why_not"], "`sender` wants billing@*");
    assert_eq!(recipient["decided_by"], "routes[1]");
}

#[test]
fn a_question_that_makes_no_sense_is_not_answered() {
    let parse = |words: &str| {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        route::Asked::parse(&words).unwrap_err()
    };
    assert!(parse("to=a@b").contains("from=ADDRESS is missing"));
    assert!(parse("from=a@b").contains("to=ADDRESS is missing"));
    assert!(parse("from=a@b to=c@d source=10.0.0").contains("expected an IP address"));
    assert!(parse("from=a@b to=c@d colour=red").contains("the keys are from, to"));
    assert!(parse("from=a@b\n to=c@d").contains("cannot stand in an address"));
}

#[test]
fn a_broken_configuration_is_told_instead() {
    let answer = ask("[accounts.a]\nhost = 1\n", |_| panic!("there is no configuration"));
    assert!(!answer.good && answer.text.contains("accounts.a.host"), "{}", answer.text);
    assert_eq!(answer.json["findings"][1]["key"], "accounts.a.host");
}

#[test]
fn who_gets_in_is_listed_and_proved() {
    let answer = ask(OFFICE, open_relay::answer);
    let expected = "\
Listener local at 127.0.0.1:2525
  may connect: 127.0.0.0/8, ::1/128 (only this machine reaches these addresses)
  may send:    whoever may connect, without a login
  travels:     mail in clear
  closed:      36 addresses of every kind were tried
Listener lan at 192.168.1.2:25
  may connect: 192.168.1.0/24, fd00::/64
  may send:    whoever may connect, without a login
  travels:     mail and logins in clear
  closed:      36 addresses of every kind were tried
Closed: nobody outside these lists gets in.
";
    assert_eq!(answer.text, expected);
    assert!(answer.good && answer.json["closed"] == true);
    assert_eq!(answer.json["listeners"][1]["allow"][0], "192.168.1.0/24");
}

#[test]
fn a_hole_is_named() {
    let wide = |change: &dyn Fn(&mut ListenerSettings)| {
        ask(OFFICE, |config| {
            let mut config = config.clone();
            change(&mut config.listeners[1]);
            open_relay::answer(&config)
        })
    };
    let answer = wide(&|listener| listener.allow = vec!["0.0.0.0/0".parse().unwrap()]);
    let said = "HOLE:        192.168.1.2:25 can be reached from other machines and `allow` holds 0.0.0.0/0";
    assert!(!answer.good && answer.text.contains(said) && answer.text.ends_with("does not start like this.\n"));
    assert_eq!(answer.json["closed"], false);
    let answer = wide(&|listener| {
        listener.allow = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        listener.auth = crate::inbound::settings::DeviceAuth::Required;
    });
    assert!(answer.good && answer.text.contains("only who signs in"), "{}", answer.text);
}
