//! A table: a heading, and a line for each thing, in columns below each other.
//!
//! As wide as the terminal where it is shown to people, and as wide as it must be elsewhere, so that a program may look
//! for words in a line. Nothing stands behind the last word of a line.

use comfy_table::{ContentArrangement, Table, presets};

/// `width`: columns of the terminal, if it is one that lines are to be broken for.
pub(super) fn text<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    width: Option<u16>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(heading).add_rows(rows);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    lines.concat()
}
