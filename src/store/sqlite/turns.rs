//! Devices in turn: what is due, a device's longest due first, no device twice before every other had its turn.
//!
//! Jumps in the index from device to device and looks at the head of each, so a device with a hundred thousand parcels
//! costs as much as one with a single one. What it remembers grows with the number of devices that have something due.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::rows::{self, WAITING, waiting};
use crate::queue::Route;
use crate::queue::parcel::ParcelId;
use crate::queue::store::{Due, Waiting};

/// When it is due, and which.
type Turn = (i64, ParcelId);

pub(super) fn due(from: &Connection, ask: &Due<'_>) -> rusqlite::Result<Vec<Waiting>> {
    let turns = turns(from, ask)?;
    let sql = format!(
        "SELECT {WAITING} FROM parcel AS p JOIN message AS m ON m.id = p.message
         WHERE p.message = ?1 AND p.number = ?2"
    );
    let mut statement = from.prepare_cached(&sql)?;
    turns.iter().map(|id| statement.query_row(params![id.message.as_bytes(), id.number], waiting)).collect()
}

fn turns(from: &Connection, ask: &Due<'_>) -> rusqlite::Result<Vec<ParcelId>> {
    if ask.per_device == 0 {
        return Ok(Vec::new());
    }
    let mut heads: Vec<(Turn, String)> = heads(from, ask)?.into_iter().map(|(device, turn)| (turn, device)).collect();
    heads.sort_unstable();
    heads.truncate(ask.limit);
    if heads.len() == ask.limit {
        return Ok(heads.into_iter().map(|((_, id), _)| id).collect());
    }
    // There is room for a second turn.
    let mut devices = Vec::with_capacity(heads.len());
    for (_, device) in &heads {
        let mut waiting = Vec::new();
        for route in ask.routes {
            waiting.extend(of_device(from, ask, route, device, ask.per_device.min(ask.limit))?);
        }
        waiting.sort_unstable();
        // A route may have been asked for twice.
        waiting.dedup();
        waiting.truncate(ask.per_device);
        devices.push(waiting);
    }
    let rounds = devices.iter().map(Vec::len).max().unwrap_or(0);
    let in_turn = (0..rounds).flat_map(|round| devices.iter().filter_map(move |device| device.get(round)));
    Ok(in_turn.take(ask.limit).map(|(_, id)| *id).collect())
}

/// What of each device is due the longest, on any of the routes.
fn heads(from: &Connection, ask: &Due<'_>) -> rusqlite::Result<HashMap<String, Turn>> {
    let sql = "WITH RECURSIVE step (device) AS (
                   SELECT min(device) FROM parcel INDEXED BY parcel_turns WHERE standing = 0 AND route = ?1
                   UNION ALL
                   SELECT (SELECT min(device) FROM parcel INDEXED BY parcel_turns
                           WHERE standing = 0 AND route = ?1 AND device > step.device)
                   FROM step WHERE step.device IS NOT NULL)
               SELECT device FROM step WHERE device IS NOT NULL";
    let mut statement = from.prepare_cached(sql)?;
    let mut heads: HashMap<String, Turn> = HashMap::new();
    for route in ask.routes {
        let mut devices = statement.query([route.to_string()])?;
        while let Some(row) = devices.next()? {
            let device: String = row.get(0)?;
            let Some(&turn) = of_device(from, ask, route, &device, 1)?.first() else { continue };
            let head = heads.entry(device).or_insert(turn);
            *head = turn.min(*head);
        }
    }
    Ok(heads)
}

/// The first few of a device on a route that are due and not out.
fn of_device(
    from: &Connection,
    ask: &Due<'_>,
    route: &Route,
    device: &str,
    most: usize,
) -> rusqlite::Result<Vec<Turn>> {
    let sql = "SELECT at, message, number FROM parcel INDEXED BY parcel_turns
               WHERE standing = 0 AND route = ?1 AND device = ?2 AND at <= ?3 ORDER BY at, message, number";
    let mut statement = from.prepare_cached(sql)?;
    let mut rows = statement.query(params![route.to_string(), device, rows::rounded_down(ask.now)])?;
    let mut turns = Vec::new();
    while turns.len() < most
        && let Some(row) = rows.next()?
    {
        let id = rows::parcel_id(row, 1)?;
        if !ask.but.contains(&id) {
            turns.push((row.get(0)?, id));
        }
    }
    Ok(turns)
}
