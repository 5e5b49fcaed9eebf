//! Sockets, TLS and the clock: the only room that moves octets.
//!
//! [`link`] pumps any [`crate::smtp::Conversation`] over any [`stream`]; [`listen`] binds only addresses that passed
//! the [`guard`] of promise 8; [`dial`] races IPv6 and IPv4 and refuses to reach [`ours`]; [`proxy`] goes on from there
//! through somebody else; [`tls`] and [`trust`] build what rustls needs; [`http`] makes the one kind of HTTP client
//! token calls use; [`control`] is how commands reach a running relay. Nothing here knows what a message is.

mod alarm;
pub mod clock;
pub mod control;
pub mod dial;
pub mod gateway;
pub mod guard;
pub mod http;
pub mod link;
pub mod listen;
pub mod network;
pub mod ours;
pub mod proxy;
pub mod stream;
pub mod tls;
pub mod trust;
