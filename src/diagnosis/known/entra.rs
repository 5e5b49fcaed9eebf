//! Microsoft's AADSTS numbers, which stand in the `error_description` of Entra's token endpoint.
//!
//! Numbers that ask for the same cure share a row. A number nobody has written down is judged by the name of the
//! error, and Microsoft's own page for it is named. The meanings are those of Microsoft's list of Entra error codes.

use crate::words::Cause;

/// What some numbers mean.
pub(in crate::diagnosis) struct Row {
    /// [`crate::diagnosis::Diagnosis::code`]; unique.
    pub code: &'static str,
    pub numbers: &'static [u32],
    /// For endpoints that leave the number out, those of personal accounts: this in the description; lower case.
    pub words: &'static [&'static str],
    pub cause: Cause,
    pub sentence: &'static str,
    pub cure: &'static str,
}

const ANY: Row = Row { code: "", numbers: &[], words: &[], cause: Cause::Account, sentence: "", cure: "" };

/// The scope of client credentials.
const DEFAULT_SCOPE: &str = "With client credentials set `oauth.scope = \"https://outlook.office365.com/.default\"` of this account, or leave it out where `provider` is given; for a person's sign-in it is `https://outlook.office.com/SMTP.Send offline_access`.";
const LATER: &str = "Nothing to do if it passes: it is tried again later; https://status.cloud.microsoft shows whether Microsoft has trouble.";
const SIGN_IN_LOGS: &str = "An administrator looks at the failed sign-in at https://entra.microsoft.com (Monitoring & health, Sign-in logs) and exempts this application from the policy named there.";
const NEW_SECRET: &str = "Make a new secret at https://entra.microsoft.com (App registrations, the application, Certificates & secrets) and put its *value*, not its id, into `oauth.client_secret_file` of this account.";
const OWN_TENANT: &str = "Put the Directory (tenant) ID from https://entra.microsoft.com (Overview) into `oauth.tenant` of this account; where it names no `provider`, into the path of `oauth.token_endpoint`.";
const CONSENT: &str = "An administrator grants consent at https://entra.microsoft.com (App registrations, the application, API permissions, Grant admin consent).";
const SIGN_IN_ANEW: &str = "Sign in anew: `posthouse login NAME`, with the name of this account; a refresh token from elsewhere is had anew where it came from.";

pub(in crate::diagnosis) const ROWS: &[Row] = &[
    // The application.
    Row {
        code: "entra_application_unknown",
        numbers: &[700_016],
        sentence: "Microsoft does not know this application in this tenant.",
        cure: "`oauth.client_id` of this account must be the Application (client) ID at https://entra.microsoft.com (App registrations), not an address or a name, and `oauth.tenant` the Directory (tenant) ID shown there, not `common`.",
        ..ANY
    },
    Row {
        code: "entra_application_disabled",
        numbers: &[70_001, 7_000_112],
        sentence: "The application is switched off in this tenant.",
        cure: "An administrator sets `Enabled for users to sign-in` at https://entra.microsoft.com (Enterprise applications, the application, Properties).",
        ..ANY
    },
    Row {
        code: "entra_service_principal_missing",
        numbers: &[7_000_229],
        sentence: "The application is registered and has no enterprise application (service principal) in this tenant.",
        cure: "An administrator runs `New-MgServicePrincipal -AppId CLIENT_ID`, or grants consent at https://entra.microsoft.com (App registrations, the application, API permissions).",
        ..ANY
    },
    Row {
        code: "entra_secret_wrong",
        numbers: &[7_000_215, 70_002],
        sentence: "Microsoft does not know this client secret.",
        cure: NEW_SECRET,
        ..ANY
    },
    Row {
        code: "entra_secret_expired",
        numbers: &[7_000_222],
        sentence: "The client secret has expired.",
        cure: NEW_SECRET,
        ..ANY
    },
    Row {
        code: "entra_secret_missing",
        numbers: &[7_000_216, 7_000_218],
        cause: Cause::Config,
        sentence: "Microsoft wants a client secret or certificate, and none was sent.",
        cure: "Give this account `oauth.client_secret_file`; or, for a person's sign-in, set `Allow public client flows` at https://entra.microsoft.com (App registrations, the application, Authentication).",
        ..ANY
    },
    Row {
        code: "entra_response_type_off",
        numbers: &[700_051, 700_054],
        cause: Cause::Config,
        sentence: "The application is not registered for this kind of sign-in.",
        cure: "Leave `response_type` out of `oauth.parameters` of this account, and register `http://localhost` as Mobile and desktop applications at https://entra.microsoft.com (App registrations, the application, Authentication).",
        ..ANY
    },
    Row {
        code: "entra_public_client",
        numbers: &[700_025],
        cause: Cause::Config,
        sentence: "The application is registered as a public client, which has no secret.",
        cure: "Leave `oauth.client_secret` and `oauth.client_secret_file` out, or register a Web platform for it at https://entra.microsoft.com (App registrations, the application, Authentication).",
        ..ANY
    },
    Row {
        code: "entra_certificate_refused",
        numbers: &[50_012, 50_013, 50_027, 700_027, 700_030],
        sentence: "Microsoft does not take the signature that stands for the client secret: it does not know the certificate.",
        cure: "Upload the certificate of the key in use at https://entra.microsoft.com (App registrations, the application, Certificates & secrets, Certificates).",
        ..ANY
    },
    Row {
        code: "entra_certificate_ended",
        numbers: &[1_000_502],
        sentence: "The time of the client certificate is over, or has not come.",
        cure: "Make a new key and certificate, upload the certificate at https://entra.microsoft.com (App registrations, the application, Certificates & secrets, Certificates), and put both where `oauth.client_certificate` and `oauth.client_key` of this account point.",
        ..ANY
    },
    Row {
        code: "entra_assertion_of_another_tenant",
        numbers: &[700_021, 700_023],
        cause: Cause::Config,
        sentence: "The signature that stands for the client secret was made for another endpoint or another application.",
        cure: OWN_TENANT,
        ..ANY
    },
    Row {
        code: "entra_clock_wrong",
        numbers: &[500_133, 700_024],
        cause: Cause::Config,
        sentence: "Microsoft does not believe the time in the request: this machine's clock is wrong.",
        cure: "Set the clock: `timedatectl set-ntp true`, then `timedatectl` must say that it is synchronized.",
        ..ANY
    },
    Row {
        code: "entra_single_page_application",
        numbers: &[9_002_327, 700_084],
        cause: Cause::Config,
        sentence: "The application is registered as a single-page application, whose tokens end after a day and are for browsers.",
        cure: "Register the redirect `http://localhost` as Mobile and desktop applications at https://entra.microsoft.com (App registrations, the application, Authentication), remove it from Single-page application, and sign in anew: `posthouse login NAME`.",
        ..ANY
    },
    Row {
        code: "entra_redirect_unknown",
        numbers: &[50_011, 500_113, 900_971],
        cause: Cause::Config,
        sentence: "The address the browser should come back to is not registered for the application.",
        cure: "Add `http://localhost` as Mobile and desktop applications at https://entra.microsoft.com (App registrations, the application, Authentication).",
        ..ANY
    },
    // The tenant.
    Row {
        code: "entra_tenant_unknown",
        numbers: &[90_002, 900_023, 50_059, 50_128, 90_019],
        sentence: "Microsoft does not know this tenant.",
        cure: OWN_TENANT,
        ..ANY
    },
    Row {
        code: "entra_not_multi_tenant",
        numbers: &[50_194],
        cause: Cause::Config,
        sentence: "The application is for one tenant only and was asked for in `common`.",
        cure: OWN_TENANT,
        ..ANY
    },
    Row {
        code: "entra_grant_needs_tenant",
        numbers: &[9_001_023],
        cause: Cause::Config,
        sentence: "This grant is not given over `common` or `consumers`.",
        cure: OWN_TENANT,
        ..ANY
    },
    Row {
        code: "entra_personal_only",
        numbers: &[9_002_346],
        cause: Cause::Config,
        sentence: "The application is registered for personal Microsoft accounts only.",
        cure: "For a personal mailbox write `provider = \"outlook.com\"`; for an organisation's, let the application be used by organisations at https://entra.microsoft.com (App registrations, the application, Authentication, Supported account types).",
        ..ANY
    },
    // Scope and consent.
    Row {
        code: "entra_scope_invalid",
        numbers: &[70_011],
        words: &["the provided value for the input parameter 'scope' is not valid"],
        cause: Cause::Config,
        sentence: "The scope is not valid.",
        cure: DEFAULT_SCOPE,
    },
    Row {
        code: "entra_scope_not_default",
        numbers: &[1_002_012],
        words: &["client credential flows must have a scope value"],
        cause: Cause::Config,
        sentence: "With client credentials Microsoft wants a scope that ends in /.default.",
        cure: DEFAULT_SCOPE,
    },
    Row {
        code: "entra_resource_unknown",
        numbers: &[500_011, 50_001],
        words: &["resource principal named"],
        cause: Cause::Config,
        sentence: "The scope names a resource that Microsoft does not know in this tenant.",
        cure: DEFAULT_SCOPE,
    },
    Row {
        code: "entra_resource_disabled",
        numbers: &[500_014],
        sentence: "Exchange Online is switched off or has no subscription in this tenant.",
        cure: "An administrator looks at https://entra.microsoft.com (Enterprise applications, Microsoft Applications, Office 365 Exchange Online, Properties) and at the licences.",
        ..ANY
    },
    Row {
        code: "entra_consent_missing",
        numbers: &[65_001, 65_005, 90_094, 90_095],
        sentence: "Nobody has consented to what the application asks for.",
        cure: CONSENT,
        ..ANY
    },
    Row {
        code: "entra_consent_declined",
        numbers: &[65_004],
        sentence: "The person at the sign-in has declined what the application asks for.",
        cure: "Sign in anew and accept: `posthouse login NAME`; or let an administrator grant consent at https://entra.microsoft.com (App registrations, the application, API permissions).",
        ..ANY
    },
    Row {
        code: "entra_not_assigned",
        numbers: &[50_105],
        sentence: "This user is not assigned to the application, which takes only assigned users.",
        cure: "An administrator adds the user at https://entra.microsoft.com (Enterprise applications, the application, Users and groups).",
        ..ANY
    },
    // The grant.
    Row {
        code: "entra_grant_unused",
        numbers: &[700_082],
        sentence: "The sign-in has ended because it was not used for 90 days.",
        cure: SIGN_IN_ANEW,
        ..ANY
    },
    Row {
        code: "entra_grant_revoked",
        numbers: &[50_132, 50_133, 50_173],
        sentence: "The sign-in was ended: the password was changed or reset, or somebody revoked the sessions.",
        cure: SIGN_IN_ANEW,
        ..ANY
    },
    Row {
        code: "entra_grant_expired",
        numbers: &[70_000, 70_008, 70_019],
        sentence: "The sign-in or its code has expired or was revoked.",
        cure: SIGN_IN_ANEW,
        ..ANY
    },
    Row {
        code: "entra_sign_in_frequency",
        numbers: &[70_043, 70_044],
        sentence: "A Conditional Access policy ends every sign-in after a time (sign-in frequency).",
        cure: "Sign in anew: `posthouse login NAME`; an administrator exempts this application from the sign-in frequency at https://entra.microsoft.com (Conditional Access, Policies, the policy, Session).",
        ..ANY
    },
    Row {
        code: "entra_device_code_unknown",
        numbers: &[70_018],
        sentence: "The code that was entered is not the one that was shown, or has expired.",
        cure: "Begin the sign-in anew and enter the code as it is shown.",
        ..ANY
    },
    Row {
        code: "entra_code_redeemed",
        numbers: &[54_005],
        sentence: "The code of this sign-in was redeemed before: by another program with the same grant, or twice at once.",
        cure: "Sign in anew: `posthouse login NAME`, and let only one program use the grant.",
        ..ANY
    },
    // The person.
    Row {
        code: "entra_user_unknown",
        numbers: &[50_034, 51_004],
        sentence: "Microsoft does not know this user in this tenant.",
        cure: "Check `username` and `oauth.tenant` of this account.",
        ..ANY
    },
    Row {
        code: "entra_user_of_another_tenant",
        numbers: &[50_020, 50_014],
        sentence: "This user belongs to another tenant and is no member, or no confirmed guest, of this one.",
        cure: "Sign in with a user of the organisation that `oauth.tenant` of this account names; a personal mailbox needs `provider = \"outlook.com\"`.",
        ..ANY
    },
    Row {
        code: "entra_user_locked",
        numbers: &[50_053],
        sentence: "Microsoft has locked this user, or this machine's address, after too many failed sign-ins.",
        cure: "Correct the password wherever an old one is still in use, and wait; an administrator can unlock the user at https://entra.microsoft.com (Users).",
        ..ANY
    },
    Row {
        code: "entra_password_expired",
        numbers: &[50_055, 50_144],
        sentence: "The user's password has expired.",
        cure: "Set a new one at https://myaccount.microsoft.com (Change password), then sign in anew: `posthouse login NAME`.",
        ..ANY
    },
    Row {
        code: "entra_user_disabled",
        numbers: &[50_057],
        sentence: "This user is disabled.",
        cure: "An administrator enables the user at https://entra.microsoft.com (Users, the user, Account status).",
        ..ANY
    },
    Row {
        code: "entra_password_wrong",
        numbers: &[50_056, 50_126],
        sentence: "The user name or the password is wrong.",
        cure: "Check `username` and the password of this account.",
        ..ANY
    },
    Row {
        code: "entra_sign_in_pending",
        numbers: &[70_016],
        sentence: "The person at the sign-in has not yet entered the code.",
        cure: "Enter the code that was shown at https://www.microsoft.com/link, before it expires.",
        ..ANY
    },
    Row {
        code: "entra_person_needed",
        numbers: &[50_058, 50_097, 50_140, 50_158],
        sentence: "Microsoft wants a person at the sign-in.",
        cure: SIGN_IN_ANEW,
        ..ANY
    },
    Row {
        code: "entra_mfa_required",
        numbers: &[50_072, 50_074, 50_076, 50_078, 50_079, 500_121],
        sentence: "Microsoft wants a second factor for this user.",
        cure: "Sign in anew and pass the second factor: `posthouse login NAME`; a program that signs in alone needs the client credentials grant.",
        ..ANY
    },
    Row {
        code: "entra_conditional_access",
        numbers: &[50_005, 50_131, 53_000, 53_001, 53_002, 53_003, 53_004, 530_032],
        sentence: "A Conditional Access policy, or security defaults, refuses the token.",
        cure: SIGN_IN_LOGS,
        ..ANY
    },
    // The request, and Microsoft itself.
    Row {
        code: "entra_request_invalid",
        numbers: &[70_003, 90_013, 90_014, 900_144, 9_002_313],
        cause: Cause::Config,
        sentence: "Microsoft finds the request malformed.",
        cure: "Check `oauth.grant`, `oauth.client_id`, `oauth.scope`, `oauth.tenant` and `oauth.token_endpoint` of this account for missing or stray characters.",
        ..ANY
    },
    Row {
        code: "entra_throttled",
        numbers: &[50_196, 90_055],
        cause: Cause::Throttle,
        sentence: "Microsoft is asked for tokens too often.",
        cure: "Nothing to do here: it is tried again later; look for another program that asks in a loop with the same application.",
        ..ANY
    },
    Row {
        code: "entra_out_of_order",
        numbers: &[70_012, 80_001, 80_002, 90_006, 90_024, 90_033, 90_036],
        cause: Cause::Network,
        sentence: "Microsoft's sign-in, or the organisation's own directory behind it, is out of order.",
        cure: LATER,
        ..ANY
    },
];

/// The number in a description: `AADSTS700016: Application with …`.
pub(in crate::diagnosis) fn number(description: &str) -> Option<u32> {
    let (_, after) = description.split_once("AADSTS")?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    after[..digits].parse().ok()
}

/// The row of a description.
pub(in crate::diagnosis) fn find(description: &str) -> Option<&'static Row> {
    if let Some(number) = number(description) {
        return ROWS.iter().find(|row| row.numbers.contains(&number));
    }
    let description = description.to_ascii_lowercase();
    ROWS.iter().find(|row| row.words.iter().any(|words| description.contains(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_in_one_row_and_is_read_whole() {
        let mut seen = std::collections::BTreeSet::new();
        for number in ROWS.iter().flat_map(|row| row.numbers) {
            assert!(seen.insert(number), "AADSTS{number} stands twice");
        }
        let found = |description| find(description).map(|row| row.code);
        assert_eq!(found("AADSTS700025: public"), Some("entra_public_client"));
        assert_eq!(found("AADSTS7000215: invalid secret"), Some("entra_secret_wrong"));
        assert_eq!(found("AADSTS70: nothing"), None);
        assert_eq!(found("AADSTS99999999999999999999: far too long"), None);
        assert_eq!(found("no number"), None);
    }
}
