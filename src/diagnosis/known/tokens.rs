//! Known refusals of token endpoints: Google's texts and the error names of the standards.
//!
//! A row matches on who speaks, the error's name and words of its description; the first that matches decides.
//! Microsoft's numbers stand in [`super::entra`] and are looked at first. The names are those of RFC 6749 §4.1.2.1 and
//! §5.2, RFC 8628 §3.5, `OpenID` Connect Core §3.1.2.6 and some of Google's own.

use super::Speaker;
use crate::diagnosis::Context;
use crate::words::Cause;

/// One known refusal.
pub(in crate::diagnosis) struct Row {
    /// [`crate::diagnosis::Diagnosis::code`]; unique.
    pub code: &'static str,
    /// Only when this one speaks.
    pub speaker: Option<Speaker>,
    /// One of these error names; none means any.
    pub errors: &'static [&'static str],
    /// All of these in the description; lower case.
    pub words: &'static [&'static str],
    pub cause: Cause,
    pub sentence: &'static str,
    pub cure: &'static str,
}

const ANY: Row =
    Row { code: "", speaker: None, errors: &[], words: &[], cause: Cause::Account, sentence: "", cure: "" };

const LATER: &str = "Nothing to do if it passes: it is tried again later.";

pub(in crate::diagnosis) const ROWS: &[Row] = &[
    // Google.
    Row {
        code: "google_grant_ended",
        errors: &["invalid_grant"],
        words: &["token has been expired or revoked"],
        sentence: "Google has ended this grant; while the consent screen is in Testing this happens every seven days.",
        cure: "Publish the app at https://console.cloud.google.com/auth/audience (`Publish app`), and only then sign in anew: `posthouse login NAME`, with the name of this account.",
        ..ANY
    },
    Row {
        code: "google_clock_wrong",
        errors: &["invalid_grant"],
        words: &["invalid jwt", "reasonable timeframe"],
        cause: Cause::Config,
        sentence: "Google does not believe the time in the request: this machine's clock is wrong.",
        cure: "Set the clock: `timedatectl set-ntp true`, then `timedatectl` must say that it is synchronized.",
        ..ANY
    },
    Row {
        code: "google_service_account_key",
        errors: &["invalid_grant"],
        words: &["invalid jwt signature"],
        sentence: "Google does not know the key of this service account any more.",
        cure: "Make a new key at https://console.cloud.google.com/iam-admin/serviceaccounts (the account, Keys) and put its file in place of the old one.",
        ..ANY
    },
    Row {
        code: "google_no_such_mailbox",
        errors: &["invalid_grant"],
        words: &["invalid email or user id"],
        sentence: "The mailbox that the service account should act for does not exist.",
        cure: "Set `username` of this account to the address of a mailbox in your Workspace.",
        ..ANY
    },
    Row {
        code: "google_account_deleted",
        errors: &["invalid_grant"],
        words: &["account has been deleted"],
        sentence: "Google has deleted the account this grant belongs to.",
        cure: "Sign in anew with an account that exists: `posthouse login NAME`.",
        ..ANY
    },
    Row {
        code: "google_delegation_missing",
        errors: &["unauthorized_client"],
        words: &["client is unauthorized to retrieve access tokens"],
        sentence: "The service account may not act for mailboxes of this Workspace.",
        cure: "An administrator adds its client id with the scope `https://mail.google.com/` at https://admin.google.com/ac/owl/domainwidedelegation.",
        ..ANY
    },
    Row {
        code: "google_scope_not_delegated",
        errors: &["unauthorized_client"],
        words: &["unauthorized client or scope in request"],
        sentence: "The service account may not act for this mailbox with this scope.",
        cure: "An administrator adds its client id with exactly the scope that `oauth.scope` of this account names at https://admin.google.com/ac/owl/domainwidedelegation; personal Gmail mailboxes know no service accounts.",
        ..ANY
    },
    Row {
        code: "google_not_an_address",
        errors: &["invalid_grant"],
        words: &["not a valid email"],
        sentence: "The service account, or the mailbox it should act for, is no address that Google knows.",
        cure: "Check `oauth.subject` (by default the login name) of this account, and that `client_email` in its key file was not changed.",
        ..ANY
    },
    Row {
        code: "google_client_deleted",
        errors: &["deleted_client", "disabled_client"],
        sentence: "The OAuth client has been deleted or switched off at Google.",
        cure: "Make a new OAuth client at https://console.cloud.google.com/apis/credentials, put it into `oauth.client_id` of this account and sign in anew: `posthouse login NAME`.",
        ..ANY
    },
    Row {
        code: "google_client_unknown",
        speaker: Some(Speaker::Google),
        errors: &["invalid_client"],
        sentence: "Google does not know the OAuth client, or its secret is another one.",
        cure: "Compare `oauth.client_id` and the client secret of this account with https://console.cloud.google.com/apis/credentials.",
        ..ANY
    },
    Row {
        code: "google_device_flow_scope",
        errors: &["invalid_scope"],
        words: &["invalid device flow scope"],
        cause: Cause::Config,
        sentence: "Google gives no mail scope to the device code flow.",
        cure: "Set `oauth.grant = \"authorization_code\"` for this account.",
        ..ANY
    },
    Row {
        code: "google_admin_policy",
        errors: &["admin_policy_enforced"],
        sentence: "The Workspace's administrator does not allow this application or its scope.",
        cure: "An administrator trusts the application at https://admin.google.com/ac/owl/list (Security, API controls, App access control).",
        ..ANY
    },
    Row {
        code: "google_internal_only",
        errors: &["org_internal"],
        sentence: "The OAuth client is for members of its own organisation only, and this account is none.",
        cure: "Make the app External at https://console.cloud.google.com/auth/audience, or use an account of that organisation.",
        ..ANY
    },
    Row {
        code: "google_redirect_unknown",
        speaker: Some(Speaker::Google),
        errors: &["redirect_uri_mismatch"],
        cause: Cause::Config,
        sentence: "The address the browser should come back to is not registered for this OAuth client.",
        cure: "Use a client of the type `Desktop app`, which takes every port of this machine, or add the address in `oauth.redirect_uri` of this account to the client at https://console.cloud.google.com/apis/credentials.",
        ..ANY
    },
    Row {
        code: "google_access_denied",
        speaker: Some(Speaker::Google),
        errors: &["access_denied"],
        sentence: "The person has declined, or the app is in Testing and this account is not one of its test users.",
        cure: "Sign in anew with `posthouse login NAME` and agree; if Google does not even ask, publish the app or add the account as a test user at https://console.cloud.google.com/auth/audience.",
        ..ANY
    },
    Row {
        code: "google_reauthentication",
        words: &["reauth related error"],
        sentence: "The Workspace's rules on session length want a person to sign in again.",
        cure: "Sign in anew: `posthouse login NAME`; an administrator can exempt the application at https://admin.google.com (Security, Google Cloud session control).",
        ..ANY
    },
    Row {
        code: "google_grant_refused",
        speaker: Some(Speaker::Google),
        errors: &["invalid_grant"],
        sentence: "Google does not take this grant: it has ended, was revoked, or belongs to another OAuth client.",
        cure: "Sign in anew: `posthouse login NAME`; if it ends every seven days, publish the app at https://console.cloud.google.com/auth/audience.",
        ..ANY
    },
    // The standards' names.
    Row {
        code: "oauth_invalid_client",
        errors: &["invalid_client"],
        sentence: "The token endpoint does not know the client, or its secret is another one.",
        cure: "Check `oauth.client_id` and the client secret of this account; some servers want `oauth.client_authentication = \"basic\"`.",
        ..ANY
    },
    Row {
        code: "oauth_invalid_grant",
        errors: &["invalid_grant"],
        sentence: "The grant has ended, was revoked, or was made for another client.",
        cure: "Sign in anew with the client that `oauth.client_id` of this account names: `posthouse login NAME`; a refresh token from elsewhere is had anew where it came from.",
        ..ANY
    },
    Row {
        code: "oauth_unauthorized_client",
        errors: &["unauthorized_client"],
        sentence: "The client may not use this grant.",
        cure: "Allow the grant that `oauth.grant` of this account names where the client is registered.",
        ..ANY
    },
    Row {
        code: "oauth_access_denied",
        // Microsoft has a name of its own for a device code that was declined.
        errors: &["access_denied", "authorization_declined"],
        sentence: "The user or a rule of the provider has said no.",
        cure: "Sign in anew and agree to what is asked: `posthouse login NAME`; if nobody was asked, let an administrator of the provider's side allow the client.",
        ..ANY
    },
    Row {
        code: "oauth_person_needed",
        errors: &["interaction_required", "login_required", "account_selection_required"],
        sentence: "The provider wants a person to sign in again, perhaps with a second factor.",
        cure: "Sign in anew: `posthouse login NAME`.",
        ..ANY
    },
    Row {
        code: "oauth_consent_needed",
        errors: &["consent_required"],
        sentence: "Nobody has consented to what the client asks for.",
        cure: "Sign in anew and agree: `posthouse login NAME`; or let an administrator grant consent where the client is registered.",
        ..ANY
    },
    Row {
        code: "oauth_sign_in_pending",
        errors: &["authorization_pending"],
        sentence: "The person at the sign-in has not yet entered the code.",
        cure: "Enter the code at the address that was shown with it, before it expires.",
        ..ANY
    },
    Row {
        code: "oauth_code_expired",
        // The second is Microsoft's for a device code it does not know any more.
        errors: &["expired_token", "bad_verification_code"],
        sentence: "The device code was not used in time.",
        cure: "Begin the sign-in anew.",
        ..ANY
    },
    Row {
        code: "oauth_redirect_unknown",
        errors: &["redirect_uri_mismatch", "invalid_redirect_uri"],
        cause: Cause::Config,
        sentence: "The address the browser should come back to is not registered for the client.",
        cure: "Register the address in `oauth.redirect_uri` of this account, letter by letter, where the client is registered.",
        ..ANY
    },
    Row {
        code: "oauth_unsupported_grant",
        errors: &["unsupported_grant_type", "unsupported_response_type"],
        cause: Cause::Config,
        sentence: "The token endpoint does not know this kind of grant.",
        cure: "Use another `oauth.grant` for this account.",
        ..ANY
    },
    Row {
        code: "oauth_invalid_scope",
        errors: &["invalid_scope", "invalid_target"],
        cause: Cause::Config,
        sentence: "The token endpoint does not know the scope, or does not give it to this client.",
        cure: "Check `oauth.scope` of this account against what the provider's documentation names for SMTP.",
        ..ANY
    },
    Row {
        code: "oauth_invalid_request",
        errors: &["invalid_request"],
        cause: Cause::Config,
        sentence: "The token endpoint finds the request incomplete or contradictory.",
        cure: "Check `oauth.client_id`, `oauth.scope`, `oauth.redirect_uri` and `oauth.token_endpoint` of this account.",
        ..ANY
    },
    Row {
        code: "oauth_slow_down",
        errors: &["slow_down", "rate_limit_exceeded"],
        cause: Cause::Throttle,
        sentence: "The token endpoint is asked too often.",
        cure: LATER,
        ..ANY
    },
    Row {
        code: "oauth_endpoint_away",
        errors: &["temporarily_unavailable", "server_error"],
        cause: Cause::Network,
        sentence: "The token endpoint is out of order.",
        cure: LATER,
        ..ANY
    },
];

/// The first row that matches; `context` names the endpoint's host.
pub(in crate::diagnosis) fn find(error: &str, description: &str, context: Context<'_>) -> Option<&'static Row> {
    let description = description.to_ascii_lowercase();
    ROWS.iter().find(|row| {
        (row.errors.is_empty() || row.errors.contains(&error))
            && row.words.iter().all(|word| description.contains(word))
            && row.speaker.is_none_or(|speaker| speaker.speaks(context, ""))
    })
}
