//! Posthouse: a local SMTP relay for devices that cannot speak modern SMTP.

pub mod disk;
pub mod ids;
pub mod pem;
pub mod redact;
pub mod secret;
pub mod words;

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

pub mod config;

pub mod app;

pub mod cli;
