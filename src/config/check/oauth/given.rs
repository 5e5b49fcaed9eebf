//! A secret of a grant: written in the configuration, or in a file that is named there.
//!
//! Notes both at once. Reads no file: the file is looked at afterwards, and read by the account at each use.

use std::path::Path;

use crate::account::oauth::Given;
use crate::config::check::Aside;
use crate::config::files::NamedFile;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Origin;
use crate::config::values;
use crate::secret::Secret;

/// Reads `[here, file]`; `None` if neither is there. What cannot be read is noted and stood in for, so that its lack is
/// not told as well.
pub(super) fn read(
    section: &Section<'_>,
    [here, file]: [&str; 2],
    directory: &Path,
    aside: &mut Aside,
) -> Option<Given> {
    let stand_in = || Given::Here(Secret::new(String::new()));
    match (section.has(here), section.has(file)) {
        (true, true) => {
            let complaint = Complaint::new(format!("`{here}` and `{file}` are both given"));
            section.error(file, complaint.hint("keep one of them"));
            Some(stand_in())
        }
        (true, false) => {
            aside.holds_secret |= matches!(section.origin_of(here), Origin::File(_));
            Some(section.get(here, values::secret).map_or_else(stand_in, Given::Here))
        }
        (false, true) => Some(section.path(file, directory).map_or_else(stand_in, |path| {
            aside.name(section, file, NamedFile::Secret(path.clone()));
            Given::File(path)
        })),
        (false, false) => None,
    }
}
