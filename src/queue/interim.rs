//! Who is told of what failed, in its plainest form.
//!
//! Guarantees only that nobody is told anything; the notices proper take its place.

pub mod notice {
    use std::collections::HashMap;
    use std::sync::Arc;

    use jiff::Zoned;

    use super::super::parcel::{Owed, Parcel, State};
    use super::super::{AccountFacts, Message, Notices};
    use crate::ids::{AccountName, MessageId};

    #[allow(dead_code)]
    pub struct Terms<'a> {
        pub notices: &'a Notices,
        pub accounts: &'a HashMap<AccountName, AccountFacts>,
        pub hostname: &'a str,
        pub id: MessageId,
        pub now: &'a Zoned,
        pub kept: bool,
    }

    pub struct Told {
        pub notice: Option<(Arc<Message>, Vec<Parcel>)>,
        pub alert: Option<String>,
    }

    pub struct Ended<'a>(&'a Owed);

    impl<'a> Ended<'a> {
        pub fn new(_parcel: &'a Parcel, owed: &'a Owed) -> Self {
            Self(owed)
        }
    }

    pub fn of(_message: &Message, ended: &[Ended<'_>], _terms: &Terms<'_>) -> Told {
        let never = ended.iter().filter(|ended| matches!(ended.0.state, State::Never { .. })).count();
        let alert = (never > 0).then(|| format!("{never} recipients will never get this message"));
        Told { notice: None, alert }
    }
}
