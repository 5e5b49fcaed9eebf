//! `[providers.NAME]`: the providers somebody wrote about, with all that is in force for them.
//!
//! Those of which nothing was written are the program's own; `posthouse providers` lists them.

use super::page::Page;
use super::{Origins, words};
use crate::account::provider::oauth::Pkce;
use crate::account::provider::{
    Limits, OAuth, PasswordKind, Preset, Presets, RefusedAt, Replies, SenderRule, Username,
};
use crate::smtp::reply::Reply;

/// The pages of all that were written about.
pub(super) fn pages<'a>(presets: &Presets, origins: &'a Origins) -> Vec<Page<'a>> {
    let written = |preset: &&Preset| origins.has_section(&format!("providers.{}.", preset.id));
    presets.iter().filter(written).flat_map(|preset| provider(preset, origins)).collect()
}

fn provider<'a>(preset: &Preset, origins: &'a Origins) -> Vec<Page<'a>> {
    let (path, header) = (format!("providers.{}", preset.id), format!("providers.{}", words::key(&preset.id)));
    let section = |name: &str| Page::new(&format!("[{header}.{name}]"), &format!("{path}.{name}"), origins);

    let mut page = Page::new(&format!("[{header}]"), &path, origins);
    page.put("title", preset.title.as_str());
    page.put_list("domains", &preset.domains);
    page.put("host", preset.host.as_str());
    page.put_list("implicit", &preset.implicit);
    page.put_list("starttls", &preset.starttls);
    page.put_list("mechanisms", &preset.mechanisms);
    page.put_some("password_mechanism", preset.password_mechanism.as_ref().map(|name| name.to_ascii_lowercase()));
    page.put_list("extensions", &preset.extensions);
    page.put("username", username(&preset.username));
    page.put("password_kind", password_kind(preset.password));
    page.put_some("password_help", preset.password_help.as_deref());
    page.put("password_spaces", preset.password_spaces);
    page.put("sender", sender(preset.sender));
    page.put_list("notes", &preset.notes);
    page.put_list("source", &preset.source);
    page.put("verified", preset.verified);

    let mut regions = section("regions");
    preset.regions.iter().for_each(|(name, host)| regions.put(name, host.as_str()));
    let mut pages = vec![page, regions, limits(section("limits"), preset.limits)];
    if let Some(known) = &preset.oauth {
        pages.push(oauth(section("oauth"), known));
        let (mut scopes, mut refused) = (section("oauth.scopes"), section("oauth.refused"));
        known.scopes.iter().for_each(|(grant, scope)| scopes.put(grant.name(), scope.as_str()));
        known.refused.iter().for_each(|(grant, why)| refused.put(grant.name(), why.as_str()));
        pages.extend([scopes, refused]);
    }
    pages.push(replies(section("replies"), &preset.replies));
    pages
}

fn limits(mut page: Page<'_>, limits: Limits) -> Page<'_> {
    page.put_some("connections", limits.connections.map(words::whole));
    page.put_some("recipients_per_message", limits.recipients_per_message.map(words::whole));
    page.put_some("messages_per_minute", limits.messages_per_minute.map(words::whole));
    page.put_some("recipients_per_day", limits.recipients_per_day.map(words::whole));
    page.put_some("size", limits.size.map(words::size));
    page.put_some("null_sender", limits.null_sender);
    page
}

fn oauth<'a>(mut page: Page<'a>, oauth: &OAuth) -> Page<'a> {
    page.put_some("authorization_endpoint", oauth.authorization_endpoint.as_deref());
    page.put("token_endpoint", oauth.token_endpoint.as_str());
    page.put_some("device_authorization_endpoint", oauth.device_authorization_endpoint.as_deref());
    page.put_some("revocation_endpoint", oauth.revocation_endpoint.as_deref());
    page.put_some("issuer", oauth.issuer.as_deref());
    page.put("always_names_issuer", oauth.always_names_issuer);
    page.put_some("redirect_uri", oauth.redirect_uri.as_deref());
    page.put("scope", oauth.scope.as_str());
    page.put_list("parameters", &oauth.parameters);
    page.put("pkce", if oauth.pkce == Pkce::Required { "required" } else { "supported" });
    page.put("wants_secret", oauth.wants_secret);
    page.put_some("unused_refresh_token_life", oauth.unused_refresh_token_life.map(words::duration));
    page.put_list("grants", &oauth.grants);
    page.put_some("registration", oauth.registration.as_deref());
    page
}

fn replies<'a>(mut page: Page<'a>, replies: &Replies) -> Page<'a> {
    let said = |reply: &Option<Reply>| reply.as_ref().map(reply_in_words);
    page.put_some("greeting", replies.greeting.as_deref());
    page.put_some("signature", replies.signature.as_deref());
    page.put_some("wrong_password", said(&replies.wrong_password));
    page.put_some("wrong_token", said(&replies.wrong_token));
    if let Some((at, reply)) = &replies.foreign_sender {
        page.put("foreign_sender", reply_in_words(reply));
        page.put("refused_at", if *at == RefusedAt::End { "end" } else { "mail" });
    }
    page.put_some("too_many_recipients", said(&replies.too_many_recipients));
    page.put_some("quota", said(&replies.quota));
    page
}

/// With its line breaks, which `Display` takes out.
fn reply_in_words(reply: &Reply) -> String {
    let enhanced = reply.enhanced.map(|enhanced| format!(" {enhanced}")).unwrap_or_default();
    format!("{}{enhanced} {}", reply.code, reply.text)
}

fn username(username: &Username) -> &str {
    match username {
        Username::Address => "{address}",
        Username::LocalPart => "{local_part}",
        Username::Own => "{own}",
        Username::Word(word) => word,
    }
}

fn password_kind(kind: PasswordKind) -> &'static str {
    match kind {
        PasswordKind::Mailbox => "mailbox",
        PasswordKind::App => "app",
        PasswordKind::Token => "token",
        PasswordKind::Smtp => "smtp",
        PasswordKind::Ending => "ending",
        PasswordKind::Ended => "ended",
    }
}

fn sender(rule: SenderRule) -> &'static str {
    match rule {
        SenderRule::Account => "account",
        SenderRule::Alias => "alias",
        SenderRule::Rewritten => "rewritten",
        SenderRule::Verified => "verified",
        SenderRule::Unknown => "unknown",
    }
}
