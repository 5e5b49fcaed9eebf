//! Which account a command is about: the one that was named, or the only one there is.
//!
//! What is not quite a name of one gets the nearest name for an answer. Guesses nothing.

use crate::account::Settings;

/// The account, or why it is not clear which. `more` says what else could have been written.
pub(super) fn one<'a>(wanted: Option<&str>, accounts: &'a [Settings], more: &str) -> Result<&'a Settings, String> {
    let names = || accounts.iter().map(|account| account.name.as_str());
    let list = || names().collect::<Vec<_>>().join(", ");
    match (wanted, accounts) {
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("which account? There are {}; name one{more}", list())),
        (Some(name), _) => {
            let account = accounts.iter().find(|account| account.name.as_str() == name);
            let likeness = |own: &&str| strsim::damerau_levenshtein(own, name);
            let nearest = names().min_by_key(likeness).filter(|own| likeness(own) <= 2);
            let hint = nearest.map_or_else(|| format!("there are: {}", list()), |own| format!("do you mean `{own}`?"));
            account.ok_or_else(|| format!("there is no account `{}`; {hint}", name.escape_default()))
        }
    }
}
