//! What an account's OAuth asks for, and whether its values stand where they belong.
//!
//! Knows the mistakes people make with applications and scopes: a scope of another interface, of another cloud, of
//! another protocol; a secret's id where the secret belongs; an address for a client id. Every one ends in a refusal
//! whose words lead elsewhere. Judges what was written, whoever the provider; calls nobody.

use crate::account::Settings;
use crate::account::oauth::{Application, ClientProof, Endpoints, Given, Grant};
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Value;
use crate::config::values;

/// Judges the OAuth of one account.
pub(super) fn check(section: &Section<'_>, settings: &Settings) {
    let (Some(grant), Some(oauth)) = (settings.credential.grant(), section.section("oauth")) else { return };
    if let Grant::ServiceAccount(account) = grant {
        let is_at_google = match &account.token_endpoint {
            Some(endpoint) => endpoint.host() == GOOGLE,
            None => settings.provider.as_deref().is_some_and(|provider| provider.starts_with("gmail")),
        };
        // Without either the key's own file says where to ask; mostly that is Google.
        let surely = |verdict: Verdict| if is_at_google { verdict } else { verdict.in_doubt() };
        let elsewhere = account.token_endpoint.is_some() && !is_at_google;
        return told(&oauth, of_google(&account.scope).filter(|_| !elsewhere).map(surely));
    }
    let Some(application) = grant.application() else { return };
    let cloud = Cloud::of(&application.endpoints);
    let is_google = application.endpoints.address().host() == GOOGLE;
    client_id(&oauth, &application.client_id, cloud.is_some(), is_google);
    not_the_tenant(&oauth, &application.client_id);
    if is_google {
        told(&oauth, application.scope.as_deref().and_then(of_google));
    }
    let Some(cloud) = cloud else { return told(&oauth, application.scope.as_deref().and_then(of_graph)) };
    tenant(&oauth, grant, application, cloud);
    client_secret(&oauth, application);
    match &application.scope {
        Some(asked) => told(&oauth, of_microsoft(asked, grant, cloud)),
        None => told(&oauth, Some(nothing(grant, cloud))),
    }
}

/// Says it at the scope, if somebody wrote one: those of a provider go with grants that it takes.
fn told(oauth: &Section<'_>, finding: Option<Verdict>) {
    let key = if oauth.has("scope") { "scope" } else { "grant" };
    match finding {
        Some(_) if !oauth.wrote(key) => {}
        Some(Verdict::Never(complaint)) => oauth.error(key, complaint),
        Some(Verdict::Risk(complaint)) => oauth.warning(key, complaint),
        None => {}
    }
}

/// How sure it is that this cannot work.
enum Verdict {
    /// There will be no token, or none that SMTP takes.
    Never(Complaint),
    /// It ends sooner than expected, or may not work.
    Risk(Complaint),
}

impl Verdict {
    /// The same where it is likely, and not sure, who will be asked.
    fn in_doubt(self) -> Self {
        match self {
            Self::Never(complaint) | Self::Risk(complaint) => Self::Risk(complaint),
        }
    }
}

const GOOGLE: &str = "oauth2.googleapis.com";

/// Google has one scope for SMTP (its page on XOAUTH2); `gmail.send` and its like are for the web interface.
fn of_google(asked: &str) -> Option<Verdict> {
    if asked.split_whitespace().any(|scope| scope == "https://mail.google.com/") {
        return None;
    }
    let complaint = Complaint::new(
        "without https://mail.google.com/ Google's tokens are refused over SMTP; gmail.send and its like are for the web interface",
    );
    Some(Verdict::Never(complaint.hint("write scope = \"https://mail.google.com/\", with the slash at the end")))
}

/// One of Microsoft's clouds.
#[derive(Clone, Copy)]
struct Cloud {
    /// Where it is asked for tokens.
    login: &'static str,
    /// Whose mailboxes its tokens open; the first as the documentation spells it for a person's sign-in.
    mail: &'static [&'static str],
    /// The same as the documentation spells it for an application by itself.
    by_itself: &'static str,
}

const CLOUDS: [Cloud; 3] = [
    Cloud {
        login: "login.microsoftonline.com",
        mail: &["outlook.office.com", "outlook.office365.com"],
        by_itself: "outlook.office365.com",
    },
    Cloud {
        login: "login.microsoftonline.us",
        mail: &["outlook.office365.us", "outlook-dod.office365.us"],
        by_itself: "outlook.office365.us",
    },
    Cloud { login: "login.partner.microsoftonline.cn", mail: &["partner.outlook.cn"], by_itself: "partner.outlook.cn" },
];

impl Cloud {
    fn of(endpoints: &Endpoints) -> Option<Self> {
        let host = endpoints.address().host();
        CLOUDS.into_iter().find(|cloud| host == cloud.login)
    }

    /// What to ask for there with this grant.
    fn write(self, grant: &Grant) -> String {
        match grant {
            Grant::ClientCredentials { .. } => format!("write scope = \"https://{}/.default\"", self.by_itself),
            _ => format!("write scope = \"https://{}/SMTP.Send offline_access\"", self.mail[0]),
        }
    }
}

/// No scope at all, where one is needed.
fn nothing(grant: &Grant, cloud: Cloud) -> Verdict {
    Verdict::Never(Complaint::new("Microsoft gives no token without a scope").hint(cloud.write(grant)))
}

/// Tokens for Microsoft Graph, wherever they are asked for.
fn of_graph(asked: &str) -> Option<Verdict> {
    let complaint = Complaint::new(GRAPH_ONLY);
    let hint = "write the scope for SMTP, as your provider's pages give it";
    asked.split_whitespace().any(is_graph).then(|| Verdict::Never(complaint.hint(hint)))
}

const GRAPH_ONLY: &str = "this scope is for Microsoft Graph, and its tokens are refused over SMTP";

/// The first thing that is wrong with the scopes that are asked for.
fn of_microsoft(asked: &str, grant: &Grant, cloud: Cloud) -> Option<Verdict> {
    let scopes: Vec<&str> = asked.split_whitespace().collect();
    let write = || cloud.write(grant);
    let never = |message: &str, hint: String| Some(Verdict::Never(Complaint::new(message).hint(hint)));
    if scopes.iter().any(|scope| is_graph(scope)) {
        let hint = format!("{}; in the portal it is listed under Microsoft Graph all the same", write());
        return never(GRAPH_ONLY, hint);
    }
    let all = scopes.iter().filter(|scope| scope.ends_with("/.default")).count();
    if all > 0 && scopes.iter().any(|scope| !scope.ends_with("/.default") && !is_of_openid(scope)) || all > 1 {
        return never("`.default` stands for all that was granted, and goes with no other scope", write());
    }
    if let Grant::ClientCredentials { .. } = grant
        && all == 0
    {
        return never(
            "with client_credentials Microsoft takes nothing but `.default`, which stands for all that was granted",
            write(),
        );
    }
    if scopes.iter().any(|scope| is_bare(scope)) {
        return never(
            "a scope without a resource is one of Microsoft Graph, and its tokens are refused over SMTP",
            write(),
        );
    }
    if let Some(foreign) = scopes.iter().find_map(|scope| resource(scope)).filter(|host| !cloud.mail.contains(host)) {
        let elsewhere = CLOUDS.iter().any(|other| other.mail.contains(&foreign));
        let message = if elsewhere {
            "this scope belongs to another of Microsoft's clouds than the token endpoint"
        } else {
            "this scope is for something else than mail, and its tokens are refused over SMTP"
        };
        return never(message, write());
    }
    if all == 0 && !scopes.iter().any(|scope| is_for_sending(scope)) {
        return never("none of these scopes allows to send over SMTP", write());
    }
    person(&scopes, all, grant, cloud)
}

/// What only matters where a person signs in.
fn person(scopes: &[&str], all: usize, grant: &Grant, cloud: Cloud) -> Option<Verdict> {
    let risk = |message: &str| Some(Verdict::Risk(Complaint::new(message).hint(cloud.write(grant))));
    if grant.needs_sign_in() && !scopes.contains(&"offline_access") {
        return risk(
            "without `offline_access` Microsoft gives no refresh token, and somebody must sign in again every hour",
        );
    }
    if grant.needs_sign_in() && all > 0 {
        return risk(
            "`.default` asks a person for everything the application is registered for, and for nothing that is not",
        );
    }
    if grant.needs_sign_in() && scopes.iter().any(|scope| is_for_reading(scope)) {
        return risk("these scopes also let the mail be read, which is not needed to send");
    }
    None
}

const GRAPH: [&str; 3] = ["graph.microsoft.com", "graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"];

fn is_graph(scope: &str) -> bool {
    resource(scope).is_some_and(|host| GRAPH.contains(&host) || host == "dod-graph.microsoft.us")
}

/// The host of `https://host/Permission`.
fn resource(scope: &str) -> Option<&str> {
    let rest = scope.strip_prefix("https://")?;
    rest.split('/').next()
}

/// Scopes of `OpenID` Connect, which stand beside any other.
fn is_of_openid(scope: &str) -> bool {
    matches!(scope, "openid" | "profile" | "email" | "offline_access")
}

/// `SMTP.Send`, `Mail.Send`: without a resource they mean Microsoft Graph. A resource may also be an id.
fn is_bare(scope: &str) -> bool {
    !scope.contains('/') && !is_of_openid(scope)
}

/// The permission behind the resource.
fn permission(scope: &str) -> &str {
    scope.rsplit('/').next().unwrap_or(scope)
}

fn is_for_sending(scope: &str) -> bool {
    ["SMTP.Send", "SMTP.SendAsApp"].iter().any(|name| permission(scope).eq_ignore_ascii_case(name))
}

fn is_for_reading(scope: &str) -> bool {
    let names = ["IMAP.AccessAsUser.All", "POP.AccessAsUser.All", "EWS.AccessAsUser.All", "Mail.ReadWrite"];
    names.iter().any(|name| permission(scope).eq_ignore_ascii_case(name))
}

/// What stands for a tenant where any user may sign in.
const SHARED: [&str; 3] = ["common", "organizations", "consumers"];

/// The tenant in an endpoint. What an application by itself needs is judged where the gap of a provider is filled; only
/// an endpoint that was written out is judged here.
fn tenant(oauth: &Section<'_>, grant: &Grant, application: &Application, cloud: Cloud) {
    let address = application.endpoints.address().as_str();
    let named = address.strip_prefix("https://").and_then(|rest| rest.strip_prefix(cloud.login)?.strip_prefix('/'));
    let named = named.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let shared = SHARED.into_iter().find(|shared| shared.eq_ignore_ascii_case(named));
    let Some(shared) = shared else { return };
    let Some(key) = ["tenant", "discovery", "token_endpoint"].into_iter().find(|key| oauth.wrote(key)) else { return };
    let hint = "put your organisation's domain, or the directory (tenant) id, in its place";
    if matches!(grant, Grant::ClientCredentials { .. }) {
        if key != "tenant" {
            let message = format!("an application that signs in by itself belongs to one tenant; {shared} names none");
            oauth.error(key, Complaint::new(message).hint(hint));
        }
    } else if shared != "consumers" {
        // Which one it is only Microsoft knows, and most are of one: the form of the registration begins with that.
        let message = format!(
            "{shared} is for applications of many organisations; one that is registered for a single tenant is refused there (AADSTS50194)"
        );
        oauth.warning(key, Complaint::new(message).hint(hint));
    }
}

/// What stands where the identity of an application belongs. Some servers take anything for one.
fn client_id(oauth: &Section<'_>, id: &str, is_microsoft: bool, is_google: bool) {
    let id = id.trim();
    let (what, hint) = if values::is_mail_address(id) && id.contains('@') {
        ("this is a mail address", "the login name belongs in `address` or `username` of the account")
    } else if id.starts_with("http://") || id.starts_with("https://") {
        ("this is an address", "the page of the application calls it client id, or application (client) id")
    } else if is_microsoft && id.contains('~') {
        (
            "this looks like a secret of Microsoft's",
            "the secret belongs in `client_secret_file`; the application (client) id is on the application's first page",
        )
    } else {
        return;
    };
    let complaint = Complaint::new(format!("{what}, and the identity of an application is wanted")).hint(hint);
    if is_microsoft || is_google { oauth.error("client_id", complaint) } else { oauth.warning("client_id", complaint) }
}

/// Both stand on the same page, one below the other.
fn not_the_tenant(oauth: &Section<'_>, id: &str) {
    let same = |value: &Value| match value {
        Value::Text(text) => Ok(text.trim().eq_ignore_ascii_case(id.trim())),
        _ => Ok(false),
    };
    if oauth.get("tenant", same) == Some(true) {
        let complaint = Complaint::new("this is the tenant, and the identity of an application is wanted");
        oauth.error(
            "client_id",
            complaint.hint("take the application (client) id; the directory (tenant) id is the line below it"),
        );
    }
}

/// Microsoft shows two values for each secret, and the id is the one that stays visible.
fn client_secret(oauth: &Section<'_>, application: &Application) {
    let ClientProof::Secret { secret: Given::Here(_), .. } = &application.proof else { return };
    let looks_like_id = |value: &Value| match value {
        Value::Text(text) => Ok(uuid::Uuid::try_parse(text.trim()).is_ok() && text.contains('-')),
        _ => Ok(false),
    };
    if oauth.get("client_secret", looks_like_id) == Some(true) {
        let complaint = Complaint::new("this looks like the id of a secret, and the secret itself is wanted");
        oauth.error(
            "client_secret",
            complaint.hint(
                "make a new one at Certificates & secrets and take what stands under Value; it is shown only then",
            ),
        );
    }
}
