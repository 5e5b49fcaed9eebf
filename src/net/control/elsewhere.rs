//! Where there are no Unix sockets: no door, and nobody to ask.
//!
//! Commands then work from the configuration and the vault alone, and a running relay notices a sign-in by the file.

use std::io;
use std::path::Path;

use axum::Router;
use hyper::Method;

use super::{Answer, AskError, DoorError, socket};
use crate::disk::Ownership;

/// Never there.
#[derive(Debug)]
pub enum Door {}

impl Door {
    /// # Errors
    /// Always.
    pub fn open(owner: &Ownership, _: Router) -> Result<Self, DoorError> {
        Err(DoorError::Other { path: socket(owner.directory()), source: io::ErrorKind::Unsupported.into() })
    }

    pub fn close(self) -> std::future::Ready<()> {
        match self {}
    }
}

/// # Errors
/// Always.
pub async fn ask(directory: &Path, _: Method, _: &str) -> Result<Answer, AskError> {
    std::future::ready(Err(AskError::NotRunning { directory: directory.into() })).await
}

/// # Errors
/// Always.
pub async fn tell(directory: &Path, path: &str, _: Vec<u8>) -> Result<Answer, AskError> {
    ask(directory, Method::POST, path).await
}
