//! Posthouse: a local SMTP relay for devices that cannot speak modern SMTP.
//!
//! A device hands its mail over in plain SMTP; Posthouse signs in to the provider with OAuth 2.0 or a password, over
//! verified TLS, and sends the mail on. This page is the plan of the house. `tests/house.rs` reads the sources and
//! fails when they no longer follow it.
//!
//! # The rooms
//!
//! Each module is a room and may name only rooms to its left:
//!
//! ```text
//! ground < mail < smtp < diagnosis < journal < net < account < upstream < queue
//!        < { inbound | outbound | sandbox | store } < config < app < cli < main
//! ```
//!
//! | room | what it is for |
//! |---|---|
//! | ground: [`ids`], [`words`], [`secret`], [`redact`], [`disk`], [`failpoint`], [`pem`], [`x509`] | identities, the words of a delivery, secrets and how to find them in what comes back, files and whose they are |
//! | [`mail`] | what a message is: address, envelope, header, body; what of it is repaired, rewritten, signed (pure) |
//! | [`smtp`] | the language and both dialogues, without a socket (pure) |
//! | [`diagnosis`] | what a failure means: cause, sentence, cure (pure) |
//! | [`journal`] | what happened: events, transcripts, the sessions now open |
//! | [`net`] | sockets, proxies, TLS and whom it believes, the control socket, the clock |
//! | [`account`] | who we are upstream: routes, providers, grants, credentials and their keeper, the vault's port, holds |
//! | [`upstream`] | a signed-in line to the provider, and the trial of an account step by step |
//! | [`queue`] | what is owed; the one meeting point of door and courier |
//! | [`inbound`] | the front door: who may send what to whom, and how much |
//! | [`outbound`] | the courier, who also looks after idle sign-ins, and the single page of policy on failures |
//! | [`sandbox`] | the practice provider: real TLS, real OAuth, real SMTP, on loopback |
//! | [`store`] | storage, behind the ports of the rooms that need it: the vault as one sealed file, the queue in `SQLite` |
//! | [`config`] | the only room that knows TOML: what was written, what a provider's preset fills in, what is wrong with it |
//! | [`app`] | builds the rooms from the configuration, starts and ends them; what commands may ask a running relay |
//! | [`cli`] | the commands |
//!
//! # The way of one message
//!
//! 1. [`net::listen`] accepts on an address that passed [`net::guard`]; [`inbound::door`] gives the connection a seat in
//!    [`journal::live`]; [`net::link`] pumps octets between the socket and [`smtp::server::Server`].
//! 2. The dialogue asks (login, sender, recipient); the session answers from [`inbound::policy`], which has
//!    [`account::book`] pick the account, and from [`inbound::limits`], which counts.
//! 3. The body is unstuffed and its line endings repaired by [`smtp::body`] in the pass that finds its end; gathered in a
//!    [`queue::body::Draft`], which repairs octets ([`mail::repair`]) and learns what the mail is ([`mail::mime`]); and
//!    stamped ([`mail::stamp`]).
//! 4. [`queue::Queue::offer`] hands it to a courier and comes back with the one answer the device hears.
//! 5. A courier of the account ([`outbound`]) takes a [`queue::Lease`], reuses its line or makes one with
//!    [`upstream::Upstream::connect`], composes what this account may send, as pieces over the stored octets
//!    ([`mail::sender`], [`mail::rewrite`], [`mail::mime::seven_bit`], [`mail::smime`], [`mail::pieces`]), and carries
//!    that with [`smtp::client::Client`]. To connect is to get a credential ([`account::keeper`]), to dial
//!    ([`net::dial`], or [`net::proxy`] on the way), to verify the server as the account says ([`net::trust`]), to say
//!    EHLO and to sign in ([`account::signin`]). `posthouse test` goes this
//!    very way ([`upstream::probe`]) and tells of each [`upstream::step`].
//!    Whether and how fast the account may be used says its desk: its hold, breaker, budget and pace
//!    ([`account::health`], [`account::breaker`], [`account::budget`], [`outbound::throttle`]) shut and open its lane.
//! 6. What fails is judged by [`diagnosis::diagnose`] and turned into an outcome by [`outbound::verdict`];
//!    [`queue::Lease::settle`] ends it, and only then is the device answered.
//!
//! # The way of what waits
//!
//! 1. What is not settled while its device waits is stored by the queue ([`queue::store`], kept by [`store::sqlite`]) before
//!    the device hears `250`: as parcels ([`queue::parcel`]), the recipients of a message that go out together.
//! 2. A parcel that is due is handed to a courier of the first account of its route that can be used; what happens after
//!    an attempt is decided in [`queue::schedule`], and told to a human by [`queue::notice`].
//! 3. What is committed before a dot is written is that it may have gone out; a stored parcel that was only claimed was
//!    certainly not sent. What was in its window and is delivered is never on the disk, unless a report of that is owed.
//! 4. A device waits for all parcels of its message, but not one for another's account: a second after the first may have
//!    gone out, what is left is stored. When the relay ends, windows end too, and only who waits for the reply to a dot
//!    is waited for.
//! 5. `posthouse queue` looks ([`app::queue`]) and acts ([`queue::acts`]), through the running relay or as the owner of
//!    the directory.
//!
//! # The way of a sign-in
//!
//! 1. `posthouse login` has a person agree ([`account::login`]: [`account::oauth::authorization_code`] or
//!    [`account::oauth::device_code`]) and keeps what that brings in the [`account::vault`], which is [`store::file`].
//!    It tells the running relay over [`net::control`]; one that was not told sees it in the vault.
//! 2. The [`account::keeper`] hands the kept token out while it is good. When it is not, the keeper takes the account's
//!    [`account::vault::Lease`], asks the provider with nothing locked ([`account::oauth::refresh_token`]), and has the
//!    answer durable before anybody uses it. Other grants ask for a token anew ([`account::oauth`], a file each).
//! 3. A refused token is renewed once. What a person must do holds the account ([`account::health`]); a new sign-in
//!    ends the hold. What will end a sign-in is said ahead of time ([`account::warning`]).
//! 4. `posthouse accounts` asks the relay that owns the storage directory ([`disk::Ownership`]) how all of them stand
//!    ([`app::control`]); without one, configuration and vault tell.
//!
//! # Rules that keep it simple
//!
//! - **Sans-IO.** `mail`, `smtp`, `diagnosis`, `account::{book, provider, signin, health, breaker, budget, tokens, life,
//!   warning}`, `queue::{parcel, schedule, notice}`, `inbound::{policy, limits}`, `outbound::{verdict, throttle, fitness,
//!   ahead}`, `config::check` touch no socket, file or clock. A dialogue takes octets and the time and gives
//!   [`smtp::Output`]; replies gather until it would wait.
//! - **Stages own their data.** What a stage knows lives in its enum variant, so that STARTTLS forgets EHLO because the
//!   stage that held it is gone.
//! - **Proof by type.** `Server<A>` answers a body with 250 only by consuming an `A`; the relay's `A` is
//!   [`queue::Accepted`], which only the queue can make. The dot is written only with a [`queue::DotPermit`]. A listener
//!   binds only a [`net::guard::Guarded`] address, and [`net::control`] only for whoever has the [`disk::Ownership`] of
//!   the directory. Credentials are [`secret::Secret`]s, which print nothing.
//! - **One place each.** Replacing a file in `disk`, what a failure leads to in `outbound::verdict`, when a mail is tried
//!   again in `queue::schedule`, meanings in `diagnosis`, facts about providers in `config/providers.toml`, TOML in
//!   `config`, PEM in `pem`.
//! - **Errors** are one enum a room. What a device hears and what the journal says are two texts.
//!
//! # Not here yet
//!
//! The journal on disk, alerts and the console.

pub mod disk;
pub mod failpoint;
pub mod ids;
pub mod pem;
pub mod redact;
pub mod secret;
pub mod words;
pub mod x509;

pub mod mail;
pub mod smtp;

pub mod diagnosis;

pub mod journal;

pub mod net;

pub mod account;

pub mod upstream;

pub mod queue;

pub mod inbound;
pub mod outbound;
pub mod sandbox;
pub mod store;

pub mod config;

pub mod app;

pub mod cli;
