//! `[accounts.NAME.smime]` as it is in force.
//!
//! Names the files and shows no password. The identity that stands in the section itself is shown there, the others in
//! sections of their own below it.

use super::page::Page;
use super::pages::HIDDEN;
use super::{Origins, words};
use crate::account::smime::{Form, IdentityFile, OverLimit, Passphrase, Settings, Without};

pub(super) fn pages<'a>(settings: &Settings, header: &str, path: &str, origins: &'a Origins) -> Vec<Page<'a>> {
    let mut page = Page::new(&format!("[{header}.smime]"), &format!("{path}.smime"), origins);
    // Those of the list follow the one in the section, if there is one.
    let (own, more) = match settings.identities.split_first() {
        Some((own, more)) if page.is_written("identity") => (Some(own), more),
        _ => (None, &settings.identities[..]),
    };
    if let Some(own) = own {
        identity(&mut page, own);
    }
    page.put(
        "form",
        match settings.form {
            Form::Clear => "clear",
            Form::Opaque => "opaque",
        },
    );
    let over = match settings.over_limit {
        OverLimit::Clear => "clear",
        OverLimit::Hold => "hold",
    };
    // For clear signatures they mean nothing, and a complaint if they are written.
    if settings.form == Form::Opaque || page.is_written("opaque_limit") {
        page.put("opaque_limit", words::size(settings.opaque_limit));
    }
    if settings.form == Form::Opaque || page.is_written("over_limit") {
        page.put("over_limit", over);
    }
    let without = match settings.without {
        Without::Hold => "hold",
        Without::SendUnsigned => "send_unsigned",
    };
    page.put("without", without);
    let mut pages = vec![page];
    for (index, file) in more.iter().enumerate() {
        let path = format!("{path}.smime.identities[{index}]");
        let mut page = Page::new(&format!("[[{header}.smime.identities]]"), &path, origins);
        identity(&mut page, file);
        pages.push(page);
    }
    pages
}

fn identity(page: &mut Page<'_>, file: &IdentityFile) {
    page.put("identity", words::path(&file.identity));
    page.put_some("key", file.key.as_deref().map(words::path));
    match &file.passphrase {
        Passphrase::None => {}
        Passphrase::Given(_) => page.hidden("password", HIDDEN),
        Passphrase::File(path) => page.put("password_file", words::path(path)),
    }
    page.put_list("senders", &file.senders);
}
