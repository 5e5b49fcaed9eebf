//! How an account's mail may be changed: its fix-ups, and its header rules.
//!
//! Of header rules the names are shown and not the values: some providers take a key in a header field.

use super::page::Page;
use super::pages::HIDDEN;
use super::{Origins, words};
use crate::account;
use crate::mail::rewrite::Fixups;
use crate::mail::rewrite::rule::SubjectRule;

/// Adds the sections of this account.
pub(super) fn fill<'a>(
    pages: &mut Vec<Page<'a>>,
    settings: &account::Settings,
    header: &str,
    path: &str,
    origins: &'a Origins,
) {
    let section = |name: &str| Page::new(&format!("[{header}.{name}]"), &format!("{path}.{name}"), origins);
    let Fixups { broken_from, undisclosed, bcc, return_path, duplicates, mime_version, encoded_words, eight_bit_body } =
        settings.fixups;
    let mut page = section("fixups");
    page.put("broken_from", broken_from);
    page.put("undisclosed", undisclosed);
    page.put("bcc", bcc);
    page.put("return_path", return_path);
    page.put("duplicates", duplicates);
    page.put("mime_version", mime_version);
    page.put("encoded_words", encoded_words);
    page.put("eight_bit_body", eight_bit_body);
    pages.push(page);
    if settings.headers.is_empty() && settings.subject.is_none() {
        return;
    }
    let mut page = section("headers");
    let names = |verb: &str| -> Vec<String> {
        settings.headers.iter().filter(|rule| rule.verb() == verb).map(|rule| rule.name().to_owned()).collect()
    };
    page.put_list("remove", &names("remove"));
    for verb in ["set", "add"] {
        let rules: Vec<String> = names(verb).into_iter().map(|name| format!("{name}: {HIDDEN}")).collect();
        if !rules.is_empty() {
            page.hidden(verb, words::list(&rules));
        }
    }
    match &settings.subject {
        Some(SubjectRule::Prefix(_)) => page.hidden("subject_prefix", HIDDEN),
        Some(SubjectRule::Replace(_)) => page.hidden("subject", HIDDEN),
        None => {}
    }
    pages.push(page);
}
