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
    /// Microsoft, where it serves persons: nobody administers their mailboxes.
    OutlookCom,
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
    /// The names of its presets.
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
        presets.contains(&provider)
            || domains.iter().any(|domain| is_below(context.host, domain))
            || signatures.iter().any(|signature| text.contains(signature))
    }

    fn marks(self) -> Marks {
        let marks = |presets, domains| Marks { presets, domains, signatures: &[] };
        match self {
            Self::Google => Marks {
                presets: &["gmail", "gmail-relay"],
                domains: &["gmail.com", "googlemail.com", "googleapis.com", "google.com"],
                signatures: &[" gsmtp"],
            },
            Self::Microsoft => Marks {
                presets: &[
                    "microsoft365",
                    "microsoft365-gcc-high",
                    "microsoft365-dod",
                    "microsoft365-china",
                    "microsoft365-hve",
                    "outlook.com",
                ],
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
            Self::OutlookCom => marks(&["outlook.com"], &["smtp-mail.outlook.com"]),
            Self::Yahoo => marks(
                &["yahoo", "aol", "att", "verizon"],
                &["yahoo.com", "aol.com", "att.net", "verizon.net", "yahoodns.net"],
            ),
            Self::Apple => marks(&["icloud"], &["me.com", "icloud.com"]),
            Self::Fastmail => marks(&["fastmail"], &["fastmail.com", "messagingengine.com"]),
            Self::Yandex => marks(&["yandex"], &["yandex.com", "yandex.ru", "yandex.net"]),
            Self::MailRu => marks(&["mail.ru"], &["mail.ru"]),
            Self::Zoho => marks(
                &["zoho", "zoho-pro"],
                &["zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp", "zoho.sa", "zoho.com.cn", "zohocloud.ca"],
            ),
            Self::Gmx => {
                marks(&["gmx", "gmx.com", "web.de", "mail.com"], &["gmx.net", "gmx.com", "web.de", "mail.com"])
            }
            Self::Ionos => {
                marks(&["ionos", "1und1"], &["ionos.com", "ionos.de", "ionos.co.uk", "ionos.fr", "1und1.de"])
            }
            Self::Comcast => marks(&["comcast"], &["comcast.net"]),
            Self::Qq => marks(&["qq", "qq-enterprise"], &["qq.com"]),
            Self::NetEase => marks(&["163", "126", "netease-enterprise"], &["163.com", "126.com", "yeah.net"]),
            Self::Ses => marks(&["ses"], &["amazonaws.com"]),
            Self::SendGrid => marks(&["sendgrid"], &["sendgrid.net"]),
            Self::Mailgun => marks(&["mailgun"], &["mailgun.org"]),
            Self::Postmark => marks(&["postmark", "postmark-broadcast"], &["postmarkapp.com"]),
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

    const EVERYBODY: [Speaker; 20] = {
        use Speaker::*;
        [
            Apple, Brevo, Comcast, Fastmail, Gmx, Google, Ionos, MailRu, Mailgun, Mailjet, Microsoft, NetEase,
            OutlookCom, Postmark, Qq, SendGrid, Ses, Yahoo, Yandex, Zoho,
        ]
    };

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
    fn every_preset_that_is_listened_for_exists() {
        let known = include_str!("../../../config/providers.toml");
        for preset in EVERYBODY.iter().flat_map(|speaker| speaker.marks().presets) {
            let (plain, quoted) = (format!("\n[providers.{preset}]\n"), format!("\n[providers.\"{preset}\"]\n"));
            assert!(known.contains(&plain) || known.contains(&quoted), "no preset is named {preset}");
        }
    }

    #[test]
    fn whoever_bears_no_mark_is_nobody_in_particular() {
        for host in ["", "m", "mail.example.com", "notgmail.com", "gmail.com.example.net"] {
            assert!(!Speaker::Google.speaks(of(None, host), "username and password not accepted"), "{host}");
        }
    }
}
