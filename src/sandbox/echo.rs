//! A provider that repeats a credential, in the disguises a careless server would use.
//!
//! Only for practice: it shows whether the other side lets a repeated secret into a log or a transcript. The sandbox's
//! own transcript never holds what is made here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::secret::Secret;

/// In which form the credential comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// As it is.
    Raw,
    /// Base64 of it, with this many octets (0, 1 or 2) before it: the three alignments look wholly different.
    Base64 { alignment: u8 },
    /// Percent-encoded (RFC 3986 §2.1): every octet that is not a letter or digit.
    Percent,
    /// Inside a JSON string, with every character escaped.
    Json,
    /// The SASL response or HTTP field that carried it, as it came.
    AsSent,
}

impl Echo {
    /// Every form once.
    pub const ALL: [Self; 7] = [
        Self::Raw,
        Self::Base64 { alignment: 0 },
        Self::Base64 { alignment: 1 },
        Self::Base64 { alignment: 2 },
        Self::Percent,
        Self::Json,
        Self::AsSent,
    ];
}

/// A credential as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    /// The password, token or client secret itself.
    pub secret: Secret,
    /// What carried it.
    pub as_sent: Secret,
}

impl Received {
    /// The credential in one of its disguises.
    pub(super) fn echoed(&self, echo: Echo) -> String {
        let secret = self.secret.expose();
        match echo {
            Echo::Raw => secret.into(),
            Echo::Base64 { alignment } => {
                let before = &"id"[..usize::from(alignment.min(2))];
                STANDARD.encode(format!("{before}{secret}."))
            }
            Echo::Percent => utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            Echo::Json => {
                let escaped: Vec<String> = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("{{\"value\":\"{}\"}}", escaped.concat())
            }
            Echo::AsSent => self.as_sent.expose().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_leads_back_to_the_secret() {
        let received =
            Received { secret: Secret::new("pa/ss wörd".into()), as_sent: Secret::new("cGEvc3Mgd8O2cmQ=".into()) };
        assert_eq!(received.echoed(Echo::Raw), "pa/ss wörd");
        for alignment in 0..3 {
            let decoded = STANDARD.decode(received.echoed(Echo::Base64 { alignment })).unwrap();
            assert_eq!(&decoded[usize::from(alignment)..], "pa/ss wörd.".as_bytes());
        }
        let percent = received.echoed(Echo::Percent);
        assert!(!percent.contains('/'));
        assert_eq!(percent_encoding::percent_decode_str(&percent).decode_utf8().unwrap(), "pa/ss wörd");
        let json: serde_json::Value = serde_json::from_str(&received.echoed(Echo::Json)).unwrap();
        assert_eq!(json["value"], "pa/ss wörd");
        assert_eq!(received.echoed(Echo::AsSent), "cGEvc3Mgd8O2cmQ=");
    }
}
