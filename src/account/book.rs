//! Which account a message goes to. Pure.
//!
//! The device's account, else `default_account`, else the only one there is. Where that leaves a choice nobody made,
//! the answer is an error that says what to configure, never a guess.

use crate::ids::AccountName;

/// The accounts there are, and the one that is meant when nobody says which.
#[derive(Debug, Clone)]
pub struct Book {
    accounts: Vec<AccountName>,
    default_account: Option<AccountName>,
}

/// Why no account can be picked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    #[error("there is no account; add one, for instance [accounts.office]")]
    NoAccount,
    #[error(
        "several accounts and nothing that says which one is meant ({}); set `default_account`, or `account` of each device",
        list(.accounts)
    )]
    Ambiguous { accounts: Vec<AccountName> },
    #[error("there is no account {wanted}; there is {}", list(.accounts))]
    Unknown { wanted: AccountName, accounts: Vec<AccountName> },
}

impl Book {
    /// A book of these accounts.
    ///
    /// # Errors
    /// When there is none, or `default_account` is not among them.
    pub fn new(accounts: Vec<AccountName>, default_account: Option<AccountName>) -> Result<Self, BookError> {
        if accounts.is_empty() {
            return Err(BookError::NoAccount);
        }
        let book = Self { accounts, default_account };
        match &book.default_account {
            Some(wanted) => book.named(wanted).map(drop)?,
            None => {}
        }
        Ok(book)
    }

    /// The account for a message of a device; `device` is that device's `account = …`, if it has one.
    ///
    /// # Errors
    /// When the device names an account that is not there, or nothing says which of several is meant.
    pub fn choose(&self, device: Option<&AccountName>) -> Result<&AccountName, BookError> {
        match (device.or(self.default_account.as_ref()), self.accounts.as_slice()) {
            (Some(wanted), _) => self.named(wanted),
            (None, [only]) => Ok(only),
            (None, _) => Err(BookError::Ambiguous { accounts: self.accounts.clone() }),
        }
    }

    fn named(&self, wanted: &AccountName) -> Result<&AccountName, BookError> {
        let unknown = || BookError::Unknown { wanted: wanted.clone(), accounts: self.accounts.clone() };
        self.accounts.iter().find(|account| *account == wanted).ok_or_else(unknown)
    }
}

fn list(accounts: &[AccountName]) -> String {
    accounts.iter().map(AccountName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<AccountName> {
        text.split_whitespace().map(AccountName::from).collect()
    }

    fn pick(accounts: &str, default: Option<&str>, device: Option<&str>) -> Result<String, BookError> {
        let book = Book::new(names(accounts), default.map(AccountName::from))?;
        book.choose(device.map(AccountName::from).as_ref()).map(ToString::to_string)
    }

    #[test]
    fn the_device_decides_before_the_default_and_the_default_before_the_only_one() {
        assert_eq!(pick("office backup", Some("office"), Some("backup")).unwrap(), "backup");
        assert_eq!(pick("office backup", Some("backup"), None).unwrap(), "backup");
        assert_eq!(pick("office", None, None).unwrap(), "office");
    }

    #[test]
    fn an_open_choice_is_not_guessed_and_the_cure_is_said() {
        let said = pick("office backup", None, None).unwrap_err().to_string();
        assert!(said.contains("(office, backup)") && said.contains("`default_account`"), "{said}");
        assert_eq!(pick("office backup", None, Some("office")).unwrap(), "office", "that device still knows");
    }

    #[test]
    fn an_account_that_is_not_there_is_not_replaced_by_another() {
        let gone =
            |accounts: &str, wanted: &str| BookError::Unknown { wanted: wanted.into(), accounts: names(accounts) };
        assert_eq!(pick("office", None, Some("ofice")), Err(gone("office", "ofice")));
        assert_eq!(Book::new(names("office"), Some("x".into())).unwrap_err(), gone("office", "x"));
        assert_eq!(Book::new(Vec::new(), None).unwrap_err(), BookError::NoAccount);
    }
}
