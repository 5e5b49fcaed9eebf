//! OAuth 2.0 at a provider: its endpoints, its scopes, and which grants give a token that SMTP takes.
//!
//! Endpoints may have a gap, `{tenant}`, which the account's `oauth.tenant` fills. Holds no client id: an application
//! is registered by whoever runs the relay. Calls nobody.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A way to get a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// RFC 6749 §4.1, with a browser.
    AuthorizationCode,
    /// RFC 8628, with a browser on another machine.
    DeviceCode,
    /// RFC 6749 §4.4: the application signs in by itself.
    ClientCredentials,
    /// RFC 7523: a key that may act for a mailbox.
    ServiceAccount,
    /// RFC 6749 §6, with a refresh token that was had elsewhere.
    RefreshToken,
    /// RFC 6749 §4.3; RFC 9700 §2.4 forbids it.
    Password,
}

impl Grant {
    /// Every grant.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::DeviceCode,
        Self::ClientCredentials,
        Self::ServiceAccount,
        Self::RefreshToken,
        Self::Password,
    ];

    /// As it stands behind `grant = …`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::DeviceCode => "device_code",
            Self::ClientCredentials => "client_credentials",
            Self::ServiceAccount => "service_account",
            Self::RefreshToken => "refresh_token",
            Self::Password => "password",
        }
    }

    /// The grant of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much a provider thinks of PKCE (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// It does no harm, and is always sent.
    Supported,
    /// Without it there is no token, and there is no client secret.
    Required,
}

/// OAuth 2.0 at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth {
    /// RFC 6749 §3.1
    pub authorization_endpoint: Option<String>,
    /// RFC 6749 §3.2
    pub token_endpoint: String,
    /// RFC 8628 §3.1
    pub device_authorization_endpoint: Option<String>,
    /// RFC 7009
    pub revocation_endpoint: Option<String>,
    /// What `iss` must say (RFC 9207).
    pub issuer: Option<String>,
    /// Whether `iss` is always there.
    pub always_names_issuer: bool,
    /// Where the browser brings the answer, spelt as the provider's registration wants it.
    pub redirect_uri: Option<String>,
    /// What to ask for.
    pub scope: String,
    /// What to ask for with certain grants instead.
    pub scopes: BTreeMap<Grant, String>,
    /// What else goes into the authorization request, as `name=value`.
    pub parameters: Vec<String>,
    /// Whether PKCE is a must.
    pub pkce: Pkce,
    /// Whether every application has a secret, and must send it even with PKCE.
    pub wants_secret: bool,
    /// How long a refresh token is kept that nobody uses.
    pub unused_refresh_token_life: Option<Duration>,
    /// The grants whose tokens SMTP takes.
    pub grants: Vec<Grant>,
    /// Why other grants do not work.
    pub refused: BTreeMap<Grant, String>,
    /// Where an application is registered, in one sentence.
    pub registration: Option<String>,
}

/// Why a gap for a tenant cannot be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantError {
    /// The endpoint has a gap and nothing was written.
    Missing,
    /// `common` and its like name no tenant, and an application that signs in by itself belongs to one.
    Shared,
    /// `common` and `consumers` let personal accounts in, whose passwords are not taken by this grant.
    Personal,
    /// It is neither a domain nor an id.
    Malformed,
}

/// Where an endpoint names the tenant.
const GAP: &str = "{tenant}";

/// What stands for a tenant where personal accounts may sign in.
const PERSONAL: [&str; 2] = ["common", "consumers"];

/// What stands for a tenant where any user may sign in.
const SHARED: [&str; 3] = ["common", "organizations", "consumers"];

impl OAuth {
    /// Whether an endpoint has a gap for the tenant.
    #[must_use]
    pub fn wants_tenant(&self) -> bool {
        self.token_endpoint.contains(GAP)
    }

    /// The token endpoint for a tenant and a grant.
    ///
    /// # Errors
    /// When the gap cannot be filled.
    pub fn token_endpoint(&self, tenant: Option<&str>, grant: Grant) -> Result<String, TenantError> {
        self.with_tenant(&self.token_endpoint, tenant, grant)
    }

    /// One of the endpoints with its gap filled.
    ///
    /// # Errors
    /// When the gap cannot be filled.
    pub fn with_tenant(&self, endpoint: &str, tenant: Option<&str>, grant: Grant) -> Result<String, TenantError> {
        if !endpoint.contains(GAP) {
            return Ok(endpoint.to_owned());
        }
        // There is none that is right for everybody: an application of one organisation is unknown everywhere else.
        let tenant = tenant.ok_or(TenantError::Missing)?.trim();
        let octets = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if tenant.is_empty() || tenant.len() > 253 || !tenant.bytes().all(octets) {
            return Err(TenantError::Malformed);
        }
        let is = |shared: &str| shared.eq_ignore_ascii_case(tenant);
        match grant {
            Grant::ClientCredentials if SHARED.into_iter().any(is) => Err(TenantError::Shared),
            Grant::Password if PERSONAL.into_iter().any(is) => Err(TenantError::Personal),
            _ => Ok(endpoint.replace(GAP, tenant)),
        }
    }

    /// What to ask for with this grant.
    #[must_use]
    pub fn scope(&self, grant: Grant) -> &str {
        self.scopes.get(&grant).unwrap_or(&self.scope)
    }

    /// Whether a grant gives a token that SMTP takes. A refresh token that was had elsewhere is as good as a sign-in.
    #[must_use]
    pub fn takes(&self, grant: Grant) -> bool {
        let has = |grant| self.grants.contains(&grant);
        has(grant) || (grant == Grant::RefreshToken && (has(Grant::AuthorizationCode) || has(Grant::DeviceCode)))
    }

    /// Why a grant does not work; `None` when it does.
    #[must_use]
    pub fn refusal(&self, grant: Grant) -> Option<&str> {
        if self.takes(grant) {
            return None;
        }
        Some(self.refused.get(&grant).map_or("it is not known to give a token that SMTP takes", String::as_str))
    }
}
