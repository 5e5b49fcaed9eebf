//! Who is speaking, where a reply's words alone do not say it.
//!
//! `535 Authentication failed` means something else from each provider. A speaker is known by the account's preset, by
//! the name of the host, or by the signature some leave in every reply. Nobody is guessed: what bears none of the
//! three is spoken by nobody in particular.

use crate::diagnosis::Context;

/// A provider, or a family of providers on the same machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis) enum Speaker {
    Apple,
    Brevo,
    Comcast,
    Fastmail,
    Gmx,
    Google,
    Ionos,
    MailRu,
    Mailgun,
    Mailjet,
    Microsoft,
    NetEase,
    Postmark,
    Qq,
    SendGrid,
    Ses,
    /// With AOL, AT&T and Verizon.
    Yahoo,
    Yandex,
    Zoho,
}

/// By what one is known.
struct Marks {
    /// How the names of its presets begin.
    presets: &'static [&'static str],
    /// Its domains; hosts below them count.
    domains: &'static [&'static str],
    /// In its replies, lower case.
    signatures: &'static [&'static str],
}

impl Speaker {
    /// Whether this one is speaking; `text` is in lower case.
    pub fn speaks(self, context: Context<'_>, text: &str) -> bool {
        let Marks { presets, domains, signatures } = self.marks();
        let provider = context.provider.unwrap_or_default();
        presets.iter().any(|preset| provider.starts_with(preset))
            || domains.iter().any(|domain| is_below(context.host, domain))
            || signatures.iter().any(|signature| text.contains(signature))
    }

    fn marks(self) -> Marks {
        let marks = |presets, domains| Marks { presets, domains, signatures: &[] };
        match self {
            Self::Google => Marks {
                presets: &["gmail", "google"],
                domains: &["gmail.com", "googlemail.com", "googleapis.com", "google.com"],
                signatures: &[" gsmtp"],
            },
            Self::Microsoft => Marks {
                presets: &["microsoft", "office365", "outlook", "hotmail", "exchange"],
                domains: &[
                    "office365.com",
                    "office365.us",
                    "outlook.com",
                    "partner.outlook.cn",
                    "microsoftonline.com",
                    "microsoftonline.us",
                    "partner.microsoftonline.cn",
                ],
                signatures: &["prod.outlook.com", "prod.exchangelabs.com"],
            },
            Self::Yahoo => marks(
                &["yahoo", "aol", "att", "verizon"],
                &["yahoo.com", "aol.com", "att.net", "verizon.net", "yahoodns.net"],
            ),
            Self::Apple => marks(&["icloud", "apple"], &["me.com", "icloud.com"]),
            Self::Fastmail => marks(&["fastmail"], &["fastmail.com", "messagingengine.com"]),
            Self::Yandex => marks(&["yandex"], &["yandex.com", "yandex.ru", "yandex.net"]),
            Self::MailRu => marks(&["mailru", "mail_ru", "mail.ru", "mail-ru"], &["mail.ru"]),
            Self::Zoho => marks(
                &["zoho"],
                &["zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp", "zoho.sa", "zoho.com.cn", "zohocloud.ca"],
            ),
            Self::Gmx => marks(&["gmx", "webde", "web.de", "web_de", "mailcom"], &["gmx.net", "gmx.com", "web.de"]),
            Self::Ionos => {
                marks(&["ionos", "1und1"], &["ionos.com", "ionos.de", "ionos.co.uk", "ionos.fr", "1und1.de"])
            }
            Self::Comcast => marks(&["comcast", "xfinity"], &["comcast.net"]),
            Self::Qq => marks(&["qq", "exmail"], &["qq.com"]),
            Self::NetEase => marks(&["netease", "163", "126", "yeah"], &["163.com", "126.com", "yeah.net"]),
            Self::Ses => marks(&["ses", "amazon_ses", "amazon-ses", "aws"], &["amazonaws.com"]),
            Self::SendGrid => marks(&["sendgrid"], &["sendgrid.net"]),
            Self::Mailgun => marks(&["mailgun"], &["mailgun.org"]),
            Self::Postmark => marks(&["postmark"], &["postmarkapp.com"]),
            Self::Brevo => marks(&["brevo"], &["brevo.com"]),
            Self::Mailjet => marks(&["mailjet"], &["mailjet.com"]),
        }
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    let Some(start) = host.len().checked_sub(domain.len()) else { return false };
    let (above, end) = host.as_bytes().split_at(start);
    end.eq_ignore_ascii_case(domain.as_bytes()) && (above.is_empty() || above.ends_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(provider: Option<&'static str>, host: &'static str) -> Context<'static> {
        Context { provider, host, ..Context::default() }
    }

    #[test]
    fn a_preset_a_host_or_a_signature_tells_who_speaks() {
        assert!(Speaker::Google.speaks(of(Some("gmail"), "127.0.0.1"), ""));
        assert!(Speaker::Google.speaks(of(None, "SMTP.Gmail.com"), ""));
        assert!(Speaker::Google.speaks(of(None, ""), "username and password not accepted 5-20 gsmtp"));
        assert!(Speaker::Microsoft.speaks(of(None, "smtp.office365.com"), ""));
    }

    #[test]
    fn whoever_bears_no_mark_is_nobody_in_particular() {
        for host in ["", "m", "mail.example.com", "notgmail.com", "gmail.com.example.net"] {
            assert!(!Speaker::Google.speaks(of(None, host), "username and password not accepted"), "{host}");
        }
    }
}
