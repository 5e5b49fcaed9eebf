//! `posthouse queue export`: the octets of a message as every attempt sends them, which is a file mail programs open.
//!
//! A file is written whole or not at all, for its user alone; one that is there is not written over.

use std::io::{ErrorKind, Write};
use std::path::Path;

use super::clerk::Clerk;
use super::{Undone, which};
use crate::cli::sysexits::{EX_CANTCREAT, EX_IOERR};
use crate::ids::MessageId;

pub(super) async fn export(id: &str, output: Option<&Path>, clerk: &Clerk) -> Result<(String, u8), Undone> {
    let id = which::one(id, clerk).await?;
    let Some(path) = output else {
        copy(id, clerk, &mut std::io::stdout().lock(), "standard output").await?;
        return Ok((String::new(), 0));
    };
    let name = path.display().to_string();
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => (EX_CANTCREAT, format!("{name} is there already; write another name")),
        _ => (EX_CANTCREAT, format!("{name} cannot be written: {error}")),
    };
    // Beside its place, for its user alone, and there only when it is whole.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let size = copy(id, clerk, file.as_file_mut(), &name).await?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    Ok((format!("{name}: {size} octets.\n"), 0))
}

/// Page by page, so that it is never whole in memory.
async fn copy(id: MessageId, clerk: &Clerk, to: &mut impl Write, name: &str) -> Result<u64, Undone> {
    let failed = |error: std::io::Error| (EX_IOERR, format!("{name} cannot be written: {error}"));
    let mut size = 0;
    loop {
        let octets = clerk.body(id, size).await?;
        if octets.is_empty() {
            to.flush().map_err(failed)?;
            return Ok(size);
        }
        to.write_all(&octets).map_err(failed)?;
        size += octets.len() as u64;
    }
}
