//! Which account it is, by table; and by chance, that the first rule that fits decides.
//!
//! Books and messages are written in one line each: `sender=*@a.example -> backup office`, and
//! `sender recipient login source listener`.

use super::*;
use crate::mail::pattern::Pattern;

fn accounts(text: &str) -> Vec<Listed> {
    let listed = |word: &str| match word.split_once('<') {
        Some((name, former)) => Listed { name: name.into(), former: former.split('<').map(Into::into).collect() },
        None => Listed { name: word.into(), former: Vec::new() },
    };
    text.split_whitespace().map(listed).collect()
}

fn names(text: &str) -> Vec<AccountName> {
    text.split_whitespace().map(AccountName::from).collect()
}

/// `sender=*@a.example recipient=x@y listener=lan -> office backup`
fn rule(text: &str) -> Rule {
    let (conditions, through) = text.split_once("->").unwrap();
    let mut rule = Rule { accounts: names(through), ..Rule::default() };
    for (key, value) in conditions.split_whitespace().map(|condition| condition.split_once('=').unwrap()) {
        match key {
            "sender" => rule.sender.push(value.into()),
            "recipient" => rule.recipient.push(value.into()),
            "device" => rule.device.push(value.into()),
            "source" => rule.source.push(value.parse().unwrap()),
            "listener" => rule.listener.push(value.into()),
            _ => panic!("{key}"),
        }
    }
    rule
}

fn book(listed: &str, rules: &[&str], default: Option<&str>) -> Result<Book, BookError> {
    let rules = rules.iter().map(|text| rule(text)).collect();
    Book::new(accounts(listed), rules, default.map(AccountName::from).as_ref())
}

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

/// A message: `sender recipient login source listener`, with `-` for no login and for the null sender.
struct Asked {
    sender: ReversePath,
    recipient: Address,
    login: Option<DeviceName>,
    own: Option<AccountName>,
    source: IpAddr,
    listener: ListenerName,
}

fn asked(text: &str) -> Asked {
    let [sender, recipient, login, source, listener] = text.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    Asked {
        sender: if sender == "-" { ReversePath::Null } else { ReversePath::Mailbox(address(sender)) },
        recipient: address(recipient),
        login: (login != "-").then(|| login.into()),
        own: None,
        source: source.parse().unwrap(),
        listener: listener.into(),
    }
}

impl Asked {
    fn origin(&self) -> Origin<'_> {
        let Self { sender, login, own, source, listener, .. } = self;
        Origin { sender, login: login.as_ref(), own: own.as_ref(), source: *source, listener }
    }

    fn goes(&self, book: &Book) -> Result<String, BookError> {
        book.choose(&self.origin(), &self.recipient).map(|route| route.account().to_string())
    }
}

const ANY: &str = "a@a.example x@x.example - 192.0.2.7 local";

fn pick(listed: &str, default: Option<&str>, own: Option<&str>) -> Result<String, BookError> {
    let mut asked = asked(ANY);
    asked.own = own.map(AccountName::from);
    asked.goes(&book(listed, &[], default)?)
}

#[test]
fn the_device_decides_before_the_default_and_the_default_before_the_only_one() {
    assert_eq!(pick("office backup", Some("office"), Some("backup")).unwrap(), "backup");
    assert_eq!(pick("office backup", Some("backup"), None).unwrap(), "backup");
    assert_eq!(pick("office", None, None).unwrap(), "office");
}

#[test]
fn a_route_decides_before_the_device() {
    let book = book("office backup", &["sender=*@a.example -> office"], None).unwrap();
    let mut asked = asked(ANY);
    asked.own = Some("backup".into());
    assert_eq!(asked.goes(&book).unwrap(), "office");
    asked.sender = ReversePath::Null;
    assert_eq!(asked.goes(&book).unwrap(), "backup");
}

#[test]
fn an_open_choice_is_not_guessed_and_the_cure_is_said() {
    let said = pick("office backup", None, None).unwrap_err().to_string();
    assert!(said.contains("(office, backup)") && said.contains("`default_account`"), "{said}");
    assert_eq!(pick("office backup", None, Some("office")).unwrap(), "office", "that device still knows");
}

#[test]
fn an_account_that_is_not_there_is_not_replaced_by_another() {
    let gone = |present: &str, wanted: &str| BookError::Unknown { wanted: wanted.into(), accounts: names(present) };
    assert_eq!(pick("office", None, Some("ofice")), Err(gone("office", "ofice")));
    assert_eq!(book("office", &[], Some("x")).unwrap_err(), gone("office", "x"));
    assert_eq!(book("office", &["-> office x"], None).unwrap_err(), gone("office", "x"), "a fallback neither");
    assert_eq!(book("", &[], None).unwrap_err(), BookError::NoAccount);
    assert_eq!(book("office", &["->"], None).unwrap_err(), BookError::RouteWithoutAccount { route: 0 });
}

#[test]
fn each_condition_by_itself() {
    for (condition, fits, does_not) in [
        ("sender=*@A.example", ANY, "a@b.example x@x.example - 192.0.2.7 local"),
        ("sender=<>", "- x@x.example - 192.0.2.7 local", ANY),
        ("recipient=x@*", ANY, "a@a.example y@x.example - 192.0.2.7 local"),
        ("device=FAX*", "a@a.example x@x.example fax1 192.0.2.7 local", ANY),
        ("device=*", "a@a.example x@x.example fax1 192.0.2.7 local", ANY),
        ("source=192.0.2.0/24", ANY, "a@a.example x@x.example - 192.0.3.7 local"),
        ("source=192.0.2.7", "a@a.example x@x.example - ::ffff:192.0.2.7 local", "a@a.example x@x.example - ::1 local"),
        ("source=::ffff:192.0.2.7", ANY, "a@a.example x@x.example - 192.0.2.8 local"),
        ("source=fd00::/8", "a@a.example x@x.example - fd00::1 local", ANY),
        ("listener=LOCAL", ANY, "a@a.example x@x.example - 192.0.2.7 lan"),
        ("sender=no sender=a@*", ANY, "b@a.example x@x.example - 192.0.2.7 local"),
    ] {
        let book = book("office backup", &[&format!("{condition} -> backup")], Some("office")).unwrap();
        assert_eq!(asked(fits).goes(&book).unwrap(), "backup", "{condition} fits {fits}");
        assert_eq!(asked(does_not).goes(&book).unwrap(), "office", "{condition} does not fit {does_not}");
    }
}

#[test]
fn all_conditions_must_hold() {
    let all = "sender=a@* recipient=x@* device=fax source=192.0.2.7 listener=local -> backup";
    let book = book("office backup", &[all], Some("office")).unwrap();
    assert_eq!(asked("a@a x@x fax 192.0.2.7 local").goes(&book).unwrap(), "backup");
    for (other, condition) in [
        ("b@a x@x fax 192.0.2.7 local", Condition::Sender),
        ("a@a y@x fax 192.0.2.7 local", Condition::Recipient),
        ("a@a x@x scanner 192.0.2.7 local", Condition::Device),
        ("a@a x@x fax 192.0.2.8 local", Condition::Source),
        ("a@a x@x fax 192.0.2.7 lan", Condition::Listener),
    ] {
        let asked = asked(other);
        assert_eq!(asked.goes(&book).unwrap(), "office", "{other}");
        let origin = asked.origin();
        let said: Vec<_> = book.explain(&origin, &asked.recipient).map(|(_, _, why_not)| why_not).collect();
        assert_eq!(said, [Some(condition)], "{other}");
    }
}

#[test]
fn a_route_carries_its_fallbacks_in_order() {
    let book = book("office backup last", &["-> backup last office"], Some("office")).unwrap();
    let asked = asked(ANY);
    let route = book.choose(&asked.origin(), &asked.recipient).unwrap();
    assert_eq!(route.account().as_str(), "backup");
    assert_eq!(route.fallbacks().to_vec(), names("last office"));
    assert_eq!(route.by, Reason::Rule(0));
}

#[test]
fn a_renamed_account_is_found_by_its_former_names_and_called_by_the_present_one() {
    let listed = "office<desk<bureau backup";
    assert_eq!(pick(listed, Some("desk"), None).unwrap(), "office");
    assert_eq!(pick(listed, None, Some("bureau")).unwrap(), "office");
    let book = book(listed, &["-> backup desk"], None).unwrap();
    let asked = asked(ANY);
    assert_eq!(book.choose(&asked.origin(), &asked.recipient).unwrap().fallbacks().to_vec(), names("office"));
    assert!(matches!(pick(listed, Some("dek"), None), Err(BookError::Unknown { .. })));
    assert_eq!(pick("office<backup backup", Some("backup"), None).unwrap(), "backup", "the present name wins");
}

#[test]
fn before_the_recipients_every_route_that_may_come_is_known() {
    let rules = ["recipient=*@x -> backup", "sender=other@* -> last", "recipient=*@y -> last"];
    let reach = |book: &Book, text: &str| {
        let routes = book.reachable(&asked(text).origin());
        routes.map(|routes| routes.iter().map(|route| route.account().to_string()).collect::<Vec<_>>())
    };
    let with_default = book("office backup last", &rules, Some("office")).unwrap();
    assert_eq!(reach(&with_default, ANY).unwrap(), ["backup", "last", "office"]);
    let other = "other@a x@x - 192.0.2.7 local";
    assert_eq!(reach(&with_default, other).unwrap(), ["backup", "last"], "nothing comes behind a rule that fits all");
    let without = book("office backup last", &rules, None).unwrap();
    assert_eq!(reach(&without, ANY).unwrap(), ["backup", "last"], "some recipients have a route");
    let none = book("office backup", &["sender=z@* -> office"], None).unwrap();
    assert!(matches!(reach(&none, ANY), Err(BookError::Ambiguous { .. })));
}

#[test]
fn a_rule_covers_another_when_nothing_is_left_for_that_one() {
    for (earlier, later) in [
        ("->", "sender=a@b device=fax source=::1 ->"),
        ("sender=* listener=** ->", "recipient=x@y ->"),
        ("sender=*@a ->", "sender=b@a sender=c*@a ->"),
        ("device=* ->", "device=fax* ->"),
        ("source=10.0.0.0/8 ->", "source=10.1.0.0/16 source=::ffff:10.2.3.4 ->"),
        ("recipient=*@a recipient=*@b ->", "recipient=x@b sender=c@d ->"),
    ] {
        assert!(rule(earlier).covers(&rule(later)), "{earlier} covers {later}");
    }
    for (earlier, later) in [
        ("device=* ->", "sender=a@b ->"),
        ("source=0.0.0.0/0 ->", "->"),
        ("sender=a@b ->", "->"),
        ("sender=a@b ->", "sender=*@b ->"),
        ("sender=*@a ->", "sender=b@a sender=b@c ->"),
        ("sender=*@a recipient=*@b ->", "sender=x@a ->"),
        ("source=10.0.0.0/8 ->", "source=fd00::/8 ->"),
    ] {
        assert!(!rule(earlier).covers(&rule(later)), "{earlier} does not cover {later}");
    }
}

#[test]
fn a_rule_takes_all_mail_of_a_login_or_a_listener() {
    let takes =
        |text: &str, login: Option<&str>| rule(text).takes_all_of(login.map(DeviceName::from).as_ref(), &"lan".into());
    assert!(takes("sender=* listener=l* ->", None) && takes("device=fax* ->", Some("fax1")));
    for (text, login) in [
        ("device=fax* ->", None),
        ("device=fax* ->", Some("scanner")),
        ("listener=local ->", None),
        ("sender=*@a ->", None),
        ("recipient=*@a ->", None),
        ("source=0.0.0.0/0 ->", None),
    ] {
        assert!(!takes(text, login), "{text}");
    }
}

mod chance {
    use proptest::prelude::*;

    use super::*;

    const WORDS: [&str; 4] = ["a", "b", "ab", "c"];

    fn patterns() -> impl Strategy<Value = Vec<Pattern>> {
        let one = prop_oneof![Just("*"), Just("a*"), Just("*b"), Just("c")].prop_map(Pattern::from);
        proptest::collection::vec(one, 0..3)
    }

    fn rules() -> impl Strategy<Value = Vec<Rule>> {
        let one = (patterns(), patterns(), patterns(), 0..3_usize).prop_map(|(sender, recipient, device, account)| {
            let accounts = vec![AccountName::from(["one", "two", "three"][account])];
            Rule { sender, recipient, device, accounts, ..Rule::default() }
        });
        proptest::collection::vec(one, 0..6)
    }

    /// What the rules mean, said the plain way.
    fn fits(rule: &Rule, asked: &Asked) -> bool {
        let one = |patterns: &[Pattern], text: &str| patterns.is_empty() || patterns.iter().any(|p| p.matches(text));
        let login = asked.login.as_ref().map_or("", DeviceName::as_str);
        one(&rule.sender, &asked.sender.to_string())
            && one(&rule.recipient, asked.recipient.as_str())
            && (rule.device.is_empty() || asked.login.is_some() && one(&rule.device, login))
    }

    proptest! {
        #[test]
        fn the_first_rule_that_fits_decides_and_those_behind_it_change_nothing(
            rules in rules(), more in rules(), s in 0..4_usize, r in 0..4_usize, d in 0..5_usize,
        ) {
            let login = WORDS.get(d).unwrap_or(&"-");
            let asked = asked(&format!("{} {} {login} 192.0.2.7 local", WORDS[s], WORDS[r]));
            let book = |rules: &[Rule]| Book::new(accounts("zero one two three"), rules.to_vec(), Some(&"zero".into())).unwrap();
            let route = book(&rules).choose(&asked.origin(), &asked.recipient).unwrap();
            let first = rules.iter().position(|rule| fits(rule, &asked));
            prop_assert_eq!(route.by, first.map_or(Reason::Default, Reason::Rule));
            let account = first.map_or_else(|| "zero".into(), |i| rules[i].accounts[0].clone());
            prop_assert_eq!(route.account(), &account);
            if first.is_some() {
                let longer = [rules.clone(), more].concat();
                prop_assert_eq!(&book(&longer).choose(&asked.origin(), &asked.recipient).unwrap(), &route);
            }
            let reachable = book(&rules).reachable(&asked.origin()).unwrap();
            prop_assert!(reachable.contains(&route), "what comes is among what may come");
        }
    }
}
