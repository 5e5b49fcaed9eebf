//! Identities of what passes through the house, and the names the administrator gives.
//!
//! Ids are UUID v7: unique without coordination and sorted by time of birth. Names are short shared strings, cheap to
//! clone, safe to log (the configuration admits only letters, digits, `-`, `_` and `.` in them; device names made
//! from an address hold only what an address can hold).

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "uuid::serde::simple")] uuid::Uuid);

        impl $name {
            /// A new id, later than every id made before it in this process.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "an id is made, never defaulted")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }

            /// As it lies in a database.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From a database.
            #[must_use]
            pub fn from_bytes(octets: [u8; 16]) -> Self {
                Self(uuid::Uuid::from_bytes(octets))
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_simple().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written in the configuration.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(
    /// One connection of a device.
    SessionId
);
id!(
    /// One message, from MAIL to its last outcome; given before the body is read.
    MessageId
);
id!(
    /// One try to deliver one message through one account.
    AttemptId
);
name!(
    /// `[accounts.NAME]`
    AccountName
);
name!(
    /// Whoever connects: its login if it has one, else its source address; all of loopback on one listener is one
    /// device.
    DeviceName
);
name!(
    /// `[[listeners]] name = …`
    ListenerName
);
