//! What the dialogues must show: a list written by hand, held against what they say they show.
//!
//! `tests/dialogues/coverage.txt` has one entry a line. `grid SIDE: a b × x y` demands that each pair `SIDE-a/x` is an
//! entry or is left out by name, `left out ENTRY: reason`. Each dialogue must be the only one to show something, so
//! that none can be removed unnoticed.

use std::collections::{BTreeMap, BTreeSet};

/// The list.
#[derive(Debug, Default)]
pub struct Coverage {
    entries: BTreeSet<String>,
    left_out: BTreeSet<String>,
    grid: BTreeSet<String>,
}

impl Coverage {
    /// Reads the list.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut list = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(grid) = line.strip_prefix("grid ") {
                list.grid.extend(pairs(grid).ok_or(format!("expected grid SIDE: a b × x y, found {line}"))?);
            } else if let Some(left_out) = line.strip_prefix("left out ") {
                let (entry, _) = left_out.split_once(": ").ok_or(format!("left out without a reason: {line}"))?;
                list.left_out.insert(entry.to_owned());
            } else if line.contains(' ') || !list.entries.insert(line.to_owned()) {
                return Err(format!("not an entry, or one that is there already: {line}"));
            }
        }
        Ok(list)
    }

    /// Everything in which list and dialogues (name, entries covered) disagree.
    pub fn check(&self, dialogues: &[(String, Vec<String>)]) -> Vec<String> {
        let mut shown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, covers) in dialogues {
            for entry in covers {
                shown.entry(entry).or_default().push(name);
            }
        }
        let mut faults = Vec::new();
        for pair in &self.grid {
            if self.entries.contains(pair) == self.left_out.contains(pair) {
                faults.push(format!("{pair} must be either listed or left out with a reason"));
            }
        }
        for entry in self.left_out.difference(&self.grid) {
            faults.push(format!("{entry} is left out of nothing"));
        }
        for entry in self.entries.iter().filter(|entry| !shown.contains_key(entry.as_str())) {
            faults.push(format!("no dialogue shows {entry}"));
        }
        for (entry, names) in shown.iter().filter(|(entry, _)| !self.entries.contains(**entry)) {
            faults.push(format!("{names:?} shows {entry}, which is not in the list"));
        }
        for (name, covers) in dialogues {
            if !covers.iter().any(|entry| shown[entry.as_str()].len() == 1) {
                faults.push(format!("{name} shows nothing that another dialogue does not show"));
            }
        }
        faults
    }
}

/// `client: a b × x y` as `client-a/x`, `client-a/y`, …
fn pairs(grid: &str) -> Option<Vec<String>> {
    let (side, axes) = grid.split_once(": ")?;
    let (rows, columns) = axes.split_once(" × ")?;
    let columns: Vec<&str> = columns.split_whitespace().collect();
    Some(
        rows.split_whitespace()
            .flat_map(|row| columns.iter().map(move |column| format!("{side}-{row}/{column}")))
            .collect(),
    )
}
