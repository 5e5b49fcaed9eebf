//! Every stage at which a provider speaks × every way in which it can fail to: what the device hears, and how it ends.
//!
//! Two tables hold all that is expected, and both are policy, written down before anything was run: which outcome a
//! failure has (by its cause, which follows from stage and digit), and what an outcome means for the device, for the
//! queue, for the account and for whoever gets mail. Every cell is played twice: with a device that waits for the
//! outcome, and with a mail that lay in the queue before it was tried. Nothing here waits for time to pass: the relay
//! goes by a clock that is set, and its patience with a silent provider is used up in one step.

use posthouse::account::health::EndsBy;
use posthouse::words::Cause;

use super::cell::{At, How, Play, Told, play};

/// How an attempt ends for its mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The provider has it: what happens at QUIT changes nothing.
    Delivered,
    /// Cause network: tried again by the schedule.
    Away,
    /// Cause throttle: the same.
    Throttled,
    /// Cause account: the account is held, and signs in by itself after five minutes to see whether it is over.
    Held,
    /// Cause config, before a sign-in: the account is held, and the server looked at every hour.
    Unfit,
    /// Cause message: told to the device if it still waits, else to the sender.
    Never,
    /// The dot was written and not answered: again, not before ten minutes, through the same account alone.
    Uncertain,
}

/// What must follow from an outcome.
#[derive(Debug)]
pub struct Follows {
    /// What the device hears begins so.
    pub heard: &'static str,
    /// What stands in the queue afterwards.
    pub stands: Stands,
    /// Why it is there.
    pub cause: Option<Cause>,
    /// What ends the hold of the account, if it is held.
    pub hold: Option<EndsBy>,
    /// Minutes after which it must have gone out again; nothing where it must not.
    pub again: Option<i64>,
    /// Copies of the mail at the provider in the end, where the provider took none in the first attempt.
    pub copies: usize,
    /// Notices at the provider in the end.
    pub notices: usize,
}

/// What stands in the queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Stands {
    Nothing,
    /// Open, due so many seconds from now, from the first to the second; so many attempts count.
    Due {
        seconds: (i64, i64),
        attempts: u32,
    },
    /// Kept for the administrator.
    Failed,
}

const QUEUED: &str = "250 2.0.0 Ok: queued as ";
/// The default schedule begins with a minute, a fifth shorter to a fifth longer.
const A_MINUTE: (i64, i64) = (48, 72);
const TEN_MINUTES: (i64, i64) = (600, 720);
/// As soon as the account can be used again.
const SOON: (i64, i64) = (0, 60);

/// The second table.
pub fn follows(ends: Ends, told: Told) -> Follows {
    let row = |heard, stands, cause, hold, again, copies, notices| Follows {
        heard,
        stands,
        cause,
        hold,
        again,
        copies,
        notices,
    };
    let due = |seconds, attempts| Stands::Due { seconds, attempts };
    let (taken, refused) = ("250 2.0.0 Ok: taken as ", "554 5.3.0 Not at all");
    let (network, throttle, account) = (Some(Cause::Network), Some(Cause::Throttle), Some(Cause::Account));
    let (config, message, uncertain) = (Some(Cause::Config), Some(Cause::Message), Some(Cause::Uncertain));
    let (probe, change) = (Some(EndsBy::Probe), Some(EndsBy::Change));
    let nothing = Stands::Nothing;
    match (ends, told) {
        // heard, in the queue, why, the account held until, again after minutes, copies, notices
        (Ends::Delivered, Told::Outcome) => row(taken, nothing, None, None, None, 1, 0),
        (Ends::Delivered, Told::Queued) => row(QUEUED, nothing, None, None, None, 1, 0),
        (Ends::Away, _) => row(QUEUED, due(A_MINUTE, 1), network, None, Some(2), 1, 0),
        (Ends::Throttled, _) => row(QUEUED, due(A_MINUTE, 1), throttle, None, Some(2), 1, 0),
        // A hold costs no attempt.
        (Ends::Held, _) => row(QUEUED, due(SOON, 0), account, probe, Some(5), 1, 0),
        (Ends::Unfit, _) => row(QUEUED, due(SOON, 0), config, change, Some(60), 1, 0),
        (Ends::Never, Told::Outcome) => row(refused, nothing, None, None, None, 0, 0),
        (Ends::Never, Told::Queued) => row(QUEUED, Stands::Failed, message, None, None, 0, 1),
        (Ends::Uncertain, _) => row(QUEUED, due(TEN_MINUTES, 1), uncertain, None, Some(12), 1, 0),
    }
}

macro_rules! stages {
    ($($stage:ident: $at:ident => $($ends:ident)*;)*) => {
        $(#[test]
        fn $stage() {
            row(At::$at, [$(Ends::$ends),*]);
        })*
    };
}

// The first table. Before AUTH every refusal is the network's; at AUTH 4yz is a throttle and 5yz the account's; from
// MAIL on 4yz is a throttle and 5yz the message's. Silence, an end and nonsense are the network's up to the dot.
stages! {
    // test             the stage              4yz        5yz        close      hang       garbage
    token_endpoint:     TokenEndpoint       => Held       Away       Away       Away       Away;
    greeting:           Greeting            => Away       Away       Away       Away       Away;
    ehlo:               Ehlo                => Away       Away       Away       Away       Away;
    starttls:           StartTls            => Away       Away       Away       Away       Away;
    // Who answers, and not with TLS, does not fit the configuration; a handshake that is cut is the network's.
    handshake:          Handshake           => Unfit      Unfit      Away       Away       Unfit;
    handshake_behind:   HandshakeBehindStartTls
                                            => Unfit      Unfit      Away       Away       Unfit;
    ehlo_inside_tls:    EhloInsideTls       => Away       Away       Away       Away       Away;
    user_prompt:        UserPrompt          => Throttled  Held       Away       Away       Away;
    password_prompt:    PasswordPrompt      => Throttled  Held       Away       Away       Away;
    password_verdict:   PasswordVerdict     => Throttled  Held       Away       Away       Away;
    token_invitation:   TokenInvitation     => Throttled  Held       Away       Away       Away;
    token_verdict:      TokenVerdict        => Throttled  Held       Away       Away       Away;
    mail:               Mail                => Throttled  Never      Away       Away       Away;
    recipient:          Recipient           => Throttled  Never      Away       Away       Away;
    data:               Data                => Throttled  Never      Away       Away       Away;
    // A body that has not all been taken: the dot cannot have been written.
    body:               LongBody            => Throttled  Never      Away       Away       Away;
    // One that leaves in one write with its dot: what is heard is heard behind the dot.
    body_and_dot:       ShortBody           => Throttled  Never      Uncertain  Uncertain  Uncertain;
    dot:                Dot                 => Throttled  Never      Uncertain  Uncertain  Uncertain;
    quit:               Quit                => Delivered  Delivered  Delivered  Delivered  Delivered;
}

fn row(at: At, ends: [Ends; 5]) {
    let ways = [How::Refuses4yz, How::Refuses5yz, How::Closes, How::Hangs, How::Babbles];
    for (how, ends) in ways.into_iter().zip(ends) {
        both(at, how, ends);
    }
}

fn both(at: At, how: How, ends: Ends) {
    for told in [Told::Outcome, Told::Queued] {
        // Each has a runtime, and so a time, of its own: it may move it on.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(Play { at, how, told }, ends, &follows(ends, told)));
    }
}

/// Nobody listens where the provider should be, or nobody answers there.
#[test]
fn connect() {
    both(At::Connect, How::Closes, Ends::Away);
    both(At::Connect, How::Hangs, Ends::Away);
}

/// The provider has it and nobody can know: the one case in which it arrives twice (RFC 1047).
#[test]
fn taken_and_cut() {
    both(At::Dot, How::TakesAndCloses, Ends::Uncertain);
}
