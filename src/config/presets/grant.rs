//! What a grant does not say, from the provider: its endpoints, its scope, how the browser comes back.
//!
//! Fills only what belongs to the grant. An account that names an authorization server of its own gets none of the
//! provider's endpoints that a token could go to by mistake: not where tokens are taken back, and not who must have
//! answered.

use std::rc::Rc;

use crate::account::provider::{Grant, OAuth, Preset, TenantError};
use crate::config::finding::{Complaint, Findings};
use crate::config::tree::{Node, Origin, Table, Value};

/// One `[accounts.NAME.oauth]` that is being filled.
pub(super) struct Filling<'a> {
    pub(super) section: &'a mut Table,
    /// `accounts.NAME`
    pub(super) path: &'a str,
    pub(super) preset: &'a Preset,
    pub(super) known: &'a OAuth,
    /// Where the provider was asked for.
    pub(super) asked: &'a Rc<Origin>,
    pub(super) findings: &'a Findings,
}

/// For an endpoint that cannot be had, so that one mistake is told once. Never called: an error goes with it.
const STAND_IN: &str = "https://endpoint.invalid/";

impl Filling<'_> {
    pub(super) fn fill(mut self) {
        let Some(grant) = self.text("grant").and_then(|name| Grant::named(&name)) else { return };
        if !self.has("discovery") {
            self.endpoints(grant);
        }
        self.put("scope", self.known.scope(grant));
        if grant == Grant::AuthorizationCode {
            if let Some(redirect) = &self.known.redirect_uri {
                self.put("redirect_uri", redirect);
            }
            self.parameters();
        }
    }

    fn endpoints(&mut self, grant: Grant) {
        let known = self.known;
        // Before the gaps are filled: what stands here now was written.
        let has_server = ["token_endpoint", "authorization_endpoint", "device_authorization_endpoint"]
            .into_iter()
            .any(|key| self.has(key));
        let wanted: &[(&str, Option<&str>)] = match grant {
            // The key's file says where to ask.
            Grant::ServiceAccount => return,
            Grant::AuthorizationCode => &[
                ("token_endpoint", Some(&known.token_endpoint)),
                ("authorization_endpoint", known.authorization_endpoint.as_deref()),
            ],
            Grant::DeviceCode => &[
                ("token_endpoint", Some(&known.token_endpoint)),
                ("device_authorization_endpoint", known.device_authorization_endpoint.as_deref()),
            ],
            Grant::ClientCredentials | Grant::RefreshToken | Grant::Password => {
                &[("token_endpoint", Some(&known.token_endpoint))]
            }
        };
        // What the provider refuses beyond doubt is an error of the check, and what is missing for it no other one.
        let refused = self.preset.verified && known.refusal(grant).is_some();
        let mut told = refused;
        for (key, endpoint) in wanted {
            if self.has(key) {
                continue;
            }
            match endpoint.map(|endpoint| known.with_tenant(endpoint, self.text("tenant").as_deref(), grant)) {
                Some(Ok(endpoint)) => self.put(key, &endpoint),
                Some(Err(error)) => {
                    if !told {
                        self.no_tenant(error);
                    }
                    told = true;
                    self.put(key, STAND_IN);
                }
                None if refused => self.put(key, STAND_IN),
                None => {}
            }
        }
        if has_server {
            return;
        }
        let kept = matches!(grant, Grant::AuthorizationCode | Grant::DeviceCode | Grant::RefreshToken);
        if let Some(endpoint) = known.revocation_endpoint.as_ref().filter(|_| kept) {
            self.put("revocation_endpoint", endpoint);
        }
        if let Some(issuer) = known.issuer.as_ref().filter(|_| grant == Grant::AuthorizationCode) {
            self.put("issuer", issuer);
        }
    }

    fn parameters(&mut self) {
        if self.has("parameters") || self.known.parameters.is_empty() {
            return;
        }
        let origin = self.origin();
        let text = |text: &String| Node { origin: origin.clone(), value: Value::Text(text.clone().into()) };
        let list = Value::List(self.known.parameters.iter().map(text).collect());
        self.section.put("parameters", Node { origin, value: list });
    }

    fn no_tenant(&self, error: TenantError) {
        let place = self.section.get("tenant").map_or(&**self.asked, |entry| &entry.node.origin);
        let complaint = no_tenant(error, &self.preset.title);
        self.findings.error(place, &format!("{}.oauth.tenant", self.path), complaint);
    }

    fn origin(&self) -> Origin {
        Origin::Preset(self.preset.id.as_str().into(), Rc::clone(self.asked))
    }

    fn has(&self, key: &str) -> bool {
        self.section.get(key).is_some()
    }

    fn text(&self, key: &str) -> Option<String> {
        match &self.section.get(key)?.node.value {
            Value::Text(text) => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    fn put(&mut self, key: &str, text: &str) {
        if !self.has(key) {
            let node = Node { origin: self.origin(), value: Value::Text(text.to_owned().into()) };
            self.section.put(key, node);
        }
    }
}

fn no_tenant(error: TenantError, title: &str) -> Complaint {
    let complaint = match error {
        TenantError::Missing => {
            Complaint::new(format!("there are endpoints for each tenant of {title}, and `tenant` is missing"))
        }
        TenantError::Shared => Complaint::new(
            "an application that signs in by itself belongs to one tenant; common, organizations and consumers name none",
        ),
        TenantError::Personal => Complaint::new(
            "grant = \"password\" is for accounts of an organisation, and common and consumers let personal ones in",
        ),
        TenantError::Malformed => Complaint::new("a tenant is a domain or an id of letters, digits and hyphens"),
    };
    complaint.hint(
        "write tenant = \"…\": your organisation's domain, or the directory (tenant) id on the application's page",
    )
}
