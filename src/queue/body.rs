//! The octets of a message: in memory up to 64 KiB, beyond that in a file.
//!
//! A [`Draft`] grows while the device sends; its header block is read as soon as it is complete, whatever the size of
//! the rest, and what must be repaired is repaired before it is kept. A [`Body`] is a finished one with our stamp on top;
//! it can be read from any place by several readers. The file is removed with the body unless a store has kept it.
//! Nothing here is durable: that is the store's affair.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::spool::{self, SpoolFile};
use crate::mail::header::{self, Header};
use crate::mail::repair::{self, Gathering, Repair, Repaired};

/// Up to here a body stays in memory, octets.
pub const MEMORY_LIMIT: usize = 64 * 1024;

/// Why a body cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The spool failed.
    #[error("cannot write the spool file in {directory}: {source}")]
    Spool { directory: PathBuf, source: io::Error },
    /// The header block alone is larger than [`header::LIMIT`].
    #[error("the header is larger than 1 MiB")]
    HeaderTooLarge,
}

/// A body on its way in.
#[derive(Debug)]
pub struct Draft {
    directory: PathBuf,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The header block has not ended yet; everything is in memory, at most `header::LIMIT`.
    Head(Gathering),
    /// The header is known and all of it is in memory, at most `MEMORY_LIMIT` unless the header is larger.
    Memory { header: Header, repair: Box<Repair>, content: Vec<u8> },
    /// The header is known, the octets are in the file.
    Spool { header: Header, repair: Box<Repair>, file: SpoolFile },
}

impl Draft {
    /// An empty draft, and what is repaired in it. A large body goes into the spool of this storage directory.
    #[must_use]
    pub fn new(storage: &Path, repairs: repair::Settings) -> Self {
        Self { directory: spool::incoming(storage), stage: Stage::Head(Gathering::new(repairs)) }
    }

    /// With these octets too; the first chunk is taken over without a copy.
    ///
    /// # Errors
    /// When the spool cannot be written or the header is too large.
    pub fn write(self, mut chunk: Vec<u8>) -> Result<Self, BodyError> {
        let Self { directory, stage } = self;
        let stage = match stage {
            Stage::Head(mut gathering) => {
                let end = gathering.push(chunk);
                if end.unwrap_or(gathering.len()) > header::LIMIT {
                    return Err(BodyError::HeaderTooLarge);
                }
                if end.is_none() {
                    Stage::Head(gathering)
                } else {
                    let (repair, content, end) = gathering.into_repair(end);
                    let header = header::read(&content[..end]);
                    spooled_if_large(&directory, header, Box::new(repair), content)?
                }
            }
            Stage::Memory { header, mut repair, mut content } => {
                let from = content.len();
                content.append(&mut chunk);
                repair.pass(&mut content, from);
                spooled_if_large(&directory, header, repair, content)?
            }
            Stage::Spool { header, mut repair, mut file } => {
                repair.pass(&mut chunk, 0);
                // Inline on purpose: a hop to a blocking thread per 64 KiB costs more than the write to the page cache.
                file.append(&chunk).map_err(|source| BodyError::Spool { directory: directory.clone(), source })?;
                Stage::Spool { header, repair, file }
            }
        };
        Ok(Self { directory, stage })
    }

    /// The message has ended: what is known of it, and its octets, still without a stamp.
    ///
    /// # Errors
    /// When its last octets cannot be spooled.
    pub fn finish(self) -> Result<(Known, Unstamped), BodyError> {
        let (header, repair, mut content) = match self.stage {
            Stage::Head(gathering) => {
                let (repair, content, end) = gathering.into_repair(None);
                (header::read(&content[..end]), repair, Content::Memory(content))
            }
            Stage::Memory { header, repair, content } => (header, *repair, Content::Memory(content)),
            Stage::Spool { header, repair, file } => (header, *repair, Content::Spool(file)),
        };
        let (repaired, rest) = repair.finish();
        match &mut content {
            Content::Memory(content) => content.extend_from_slice(&rest),
            Content::Spool(_) if rest.is_empty() => {}
            Content::Spool(file) => {
                file.append(&rest).map_err(|source| BodyError::Spool { directory: self.directory, source })?;
            }
        }
        Ok((Known { header, repaired }, Unstamped(content)))
    }
}

fn spooled_if_large(
    directory: &Path,
    header: Header,
    repair: Box<Repair>,
    content: Vec<u8>,
) -> Result<Stage, BodyError> {
    if content.len() <= MEMORY_LIMIT {
        return Ok(Stage::Memory { header, repair, content });
    }
    let spool = || -> io::Result<SpoolFile> {
        let mut file = SpoolFile::create(directory)?;
        file.append(&content)?;
        Ok(file)
    };
    let file = spool().map_err(|source| BodyError::Spool { directory: directory.to_owned(), source })?;
    Ok(Stage::Spool { header, repair, file })
}

/// What is known of a message that has come whole.
#[derive(Debug)]
pub struct Known {
    /// What its header says.
    pub header: Header,
    /// What its body says, and what was repaired.
    pub repaired: Repaired,
}

/// A body that lacks only what the relay puts on top.
#[derive(Debug)]
pub struct Unstamped(Content);

impl Unstamped {
    /// Puts the stamp on top.
    #[must_use]
    pub fn stamp(self, stamp: String) -> Body {
        Body { stamp: stamp.into_bytes(), content: Arc::new(self.0) }
    }
}

#[derive(Debug)]
enum Content {
    Memory(Vec<u8>),
    Spool(SpoolFile),
}

/// A finished body.
#[derive(Debug)]
pub struct Body {
    stamp: Vec<u8>,
    content: Arc<Content>,
}

impl Body {
    /// A body as it was stored: what lay in the row, and behind it what lies in a file, if anything does.
    #[must_use]
    pub fn stored(front: Vec<u8>, file: Option<SpoolFile>) -> Self {
        let content = file.map_or(Content::Memory(Vec::new()), Content::Spool);
        Self { stamp: front, content: Arc::new(content) }
    }

    /// How it is to be stored: what belongs into a row, in two pieces, and the file behind it, if there is one.
    #[must_use]
    pub fn parts(&self) -> ([&[u8]; 2], Option<&SpoolFile>) {
        match &*self.content {
            Content::Memory(content) => ([&self.stamp, content], None),
            Content::Spool(file) => ([&self.stamp, &[]], Some(file)),
        }
    }

    /// A body that the relay itself has written.
    #[must_use]
    pub fn from_memory(octets: Vec<u8>) -> Self {
        Self { stamp: Vec::new(), content: Arc::new(Content::Memory(octets)) }
    }

    /// The same octets, which both share, under these fields.
    #[must_use]
    pub fn under(&self, fields: String) -> Self {
        let mut stamp = fields.into_bytes();
        stamp.extend_from_slice(&self.stamp);
        Self { stamp, content: Arc::clone(&self.content) }
    }

    /// Octets in all, stamp included: the SIZE of RFC 1870.
    #[must_use]
    pub fn size(&self) -> u64 {
        let content = match &*self.content {
            Content::Memory(content) => content.len() as u64,
            Content::Spool(file) => file.size(),
        };
        self.stamp.len() as u64 + content
    }

    /// Reads up to `limit` octets from `offset` into `buffer`, replacing what was there; fewer only at the end, none
    /// behind it.
    ///
    /// # Errors
    /// When the spool file cannot be read.
    pub fn read_at(&self, offset: u64, limit: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        let left = usize::try_from(self.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        // Not cleared before: a buffer that is used again need not be zeroed again.
        buffer.resize(left.min(limit), 0);
        self.read_exact_at(offset, buffer)
    }

    /// Fills `octets` from `offset`.
    ///
    /// # Errors
    /// When there are not so many, or the spool file cannot be read.
    pub fn read_exact_at(&self, offset: u64, octets: &mut [u8]) -> io::Result<()> {
        if octets.is_empty() {
            return Ok(());
        }
        let stamp = usize::try_from(offset).ok().and_then(|offset| self.stamp.get(offset..)).unwrap_or_default();
        let (stamped, rest) = octets.split_at_mut(stamp.len().min(octets.len()));
        stamped.copy_from_slice(&stamp[..stamped.len()]);
        let start = offset.saturating_sub(self.stamp.len() as u64);
        match &*self.content {
            Content::Memory(content) => {
                let there = usize::try_from(start).ok().and_then(|start| content.get(start..start + rest.len()));
                rest.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Content::Spool(file) => file.read_exact_at(rest, start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(body: &Body, step: usize) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), Vec::new());
        loop {
            body.read_at(all.len() as u64, step, &mut buffer).unwrap();
            if buffer.is_empty() {
                return all;
            }
            all.extend_from_slice(&buffer);
        }
    }

    fn draft(content: &[u8], step: usize) -> Result<Draft, BodyError> {
        let directory = tempfile::tempdir().unwrap();
        let draft = Draft::new(directory.path(), repair::Settings::default());
        content.chunks(step).try_fold(draft, |draft, chunk| draft.write(chunk.to_vec()))
    }

    #[test]
    fn small_and_large_bodies_come_out_as_they_went_in() {
        for size in [0, 10, 11, MEMORY_LIMIT, MEMORY_LIMIT + 1, 300_000] {
            let mut content = b"Subject: x\r\nMessage-ID: <y>\r\n\r\n".to_vec();
            content.extend((0..size).map(|i| if i % 80 == 79 { b'\n' } else { u8::try_from(i % 249 + 1).unwrap() }));
            let draft = draft(&content, 4096).unwrap();
            assert_eq!(matches!(draft.stage, Stage::Spool { .. }), content.len() > MEMORY_LIMIT);
            let (known, unstamped) = draft.finish().unwrap();
            assert!(known.header.has_message_id && known.repaired.changes.is_empty());
            let body = unstamped.stamp("Received: z\r\n".into());
            assert_eq!(body.parts().1.is_some(), content.len() > MEMORY_LIMIT);
            assert_eq!(body.size(), content.len() as u64 + 13);
            for step in [5, 1000, 65536] {
                let expected = [b"Received: z\r\n".as_slice(), &content].concat();
                assert!(whole(&body, step) == expected, "{size} octets read {step} at a time");
            }
            let copy = body.under("X-Original-To: a@b\r\n".into());
            drop(body);
            assert!(whole(&copy, 1000) == [b"X-Original-To: a@b\r\nReceived: z\r\n".as_slice(), &content].concat());
        }
    }

    #[test]
    fn a_large_header_is_read_whole_and_an_endless_one_is_refused() {
        let mut content = format!("X: {}\r\n", "a".repeat(200)).repeat(500).into_bytes();
        content.extend_from_slice(b"Received: a\r\n\r\nbody\r\n");
        assert_eq!(draft(&content, 1000).unwrap().finish().unwrap().0.header.received, 1);
        let endless = vec![b'a'; header::LIMIT + 70_000];
        assert!(matches!(draft(&endless, 65536), Err(BodyError::HeaderTooLarge)));
    }

    #[test]
    fn what_no_provider_takes_is_repaired_in_memory_and_in_the_spool() {
        for lines in [10, 20_000] {
            let content = format!("Subj\0ect: x\r\n\r\n{}{}\r\n", "text\r\n".repeat(lines), "y\0 ".repeat(400));
            let (known, unstamped) = draft(content.as_bytes(), 4096).unwrap().finish().unwrap();
            assert_eq!(matches!(unstamped.0, Content::Spool(_)), lines > 10);
            assert_eq!(known.repaired.facts.subject.as_deref(), Some("x"));
            let expected = content.replace('\0', "");
            assert_eq!(known.repaired.changes.len(), 1, "{:?}", known.repaired.changes);
            assert!(whole(&unstamped.stamp(String::new()), 1000) == expected.as_bytes());
        }
    }

    #[test]
    fn an_unusable_spool_directory_is_named() {
        let draft = Draft::new(Path::new("/proc/no-such-place"), repair::Settings::default());
        let error = draft.write([b"A: b\r\n\r\n".as_slice(), &b"x\r\n".repeat(MEMORY_LIMIT)].concat()).unwrap_err();
        assert!(error.to_string().contains("/proc/no-such-place"), "{error}");
    }
}
