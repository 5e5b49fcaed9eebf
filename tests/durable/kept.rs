//! What a queue holds, read through its own store, as the next process would find it.

use std::collections::HashMap;
use std::path::Path;

use posthouse::disk::Ownership;
use posthouse::queue::store::{Filter, Page, Store};
use posthouse::store::sqlite::Sqlite;

/// Every message in the queue of this storage directory: its octets, by its name.
pub fn kept(storage: &Path) -> Result<HashMap<String, Vec<u8>>, String> {
    if !storage.is_dir() {
        // The relay had not come so far.
        return Ok(HashMap::new());
    }
    let owner = Ownership::take(storage).map_err(|error| error.to_string())?;
    let store = Sqlite::open(&owner).map_err(|error| error.to_string())?;
    let all =
        store.list(&Filter::default(), Page { after: None, limit: 100_000 }).map_err(|error| error.to_string())?;
    let mut kept = HashMap::new();
    for waiting in all {
        let id = waiting.parcel.id.message;
        let message =
            store.message(id).map_err(|error| format!("{id}: {error}"))?.ok_or(format!("{id} is half there"))?;
        let (mut octets, size) = (Vec::new(), usize::try_from(message.body.size()).unwrap());
        message.body.read_at(0, size, &mut octets).map_err(|error| format!("{id}: {error}"))?;
        kept.insert(id.to_string(), octets);
    }
    Ok(kept)
}
