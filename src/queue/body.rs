//! The octets of a message: in memory up to 64 KiB, beyond that in a file.
//!
//! A [`Draft`] grows while the device sends; its header block is read as soon as it is complete, whatever the size of
//! the rest. A [`Body`] is a finished one with our stamp on top; it can be read from any place by several readers. The
//! file is removed with the body unless a store has kept it. Nothing here is durable: that is the store's affair.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::spool::{self, SpoolFile};
use crate::mail::header::{self, Header};

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
    Head { content: Vec<u8>, searched: usize },
    /// The header is known and all of it is in memory, at most `MEMORY_LIMIT` unless the header is larger.
    Memory { header: Header, content: Vec<u8> },
    /// The header is known, the octets are in the file.
    Spool { header: Header, file: SpoolFile },
}

impl Draft {
    /// An empty draft. A large body goes into the spool of this storage directory.
    #[must_use]
    pub fn new(storage: &Path) -> Self {
        Self { directory: spool::incoming(storage), stage: Stage::Head { content: Vec::new(), searched: 0 } }
    }

    /// Appends octets; the first chunk is taken over without a copy.
    ///
    /// # Errors
    /// When the spool cannot be written or the header is too large. The draft is of no use afterwards.
    pub fn write(&mut self, chunk: Vec<u8>) -> Result<(), BodyError> {
        match &mut self.stage {
            Stage::Head { content, searched } => {
                append(content, chunk);
                let Some(end) = header::end(content, *searched) else {
                    *searched = content.len();
                    return if content.len() > header::LIMIT { Err(BodyError::HeaderTooLarge) } else { Ok(()) };
                };
                if end > header::LIMIT {
                    return Err(BodyError::HeaderTooLarge);
                }
                self.stage = Stage::Memory { header: header::read(&content[..end]), content: std::mem::take(content) };
                self.spool_if_large()
            }
            Stage::Memory { content, .. } => {
                append(content, chunk);
                self.spool_if_large()
            }
            Stage::Spool { file, .. } => {
                // Inline on purpose: a hop to a blocking thread per 64 KiB costs more than the write to the page cache.
                file.append(&chunk).map_err(|source| BodyError::Spool { directory: self.directory.clone(), source })
            }
        }
    }

    fn spool_if_large(&mut self) -> Result<(), BodyError> {
        let Stage::Memory { header, content } = &self.stage else { return Ok(()) };
        if content.len() <= MEMORY_LIMIT {
            return Ok(());
        }
        let spool = || -> io::Result<SpoolFile> {
            let mut file = SpoolFile::create(&self.directory)?;
            file.append(content)?;
            Ok(file)
        };
        let file = spool().map_err(|source| BodyError::Spool { directory: self.directory.clone(), source })?;
        self.stage = Stage::Spool { header: *header, file };
        Ok(())
    }

    /// The message has ended: what its header says, and its octets, still without a stamp.
    #[must_use]
    pub fn finish(self) -> (Header, Unstamped) {
        match self.stage {
            Stage::Head { content, .. } => (header::read(&content), Unstamped(Content::Memory(content))),
            Stage::Memory { header, content } => (header, Unstamped(Content::Memory(content))),
            Stage::Spool { header, file } => (header, Unstamped(Content::Spool(file))),
        }
    }
}

fn append(content: &mut Vec<u8>, chunk: Vec<u8>) {
    if content.is_empty() { *content = chunk } else { content.extend_from_slice(&chunk) }
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
        let mut draft = Draft::new(directory.path());
        for chunk in content.chunks(step) {
            draft.write(chunk.to_vec())?;
        }
        Ok(draft)
    }

    #[test]
    fn small_and_large_bodies_come_out_as_they_went_in() {
        for size in [0, 10, MEMORY_LIMIT, MEMORY_LIMIT + 1, 300_000] {
            let mut content = b"Subject: x\r\nDate: y\r\n\r\n".to_vec();
            content.extend((0..size).map(|i| u8::try_from(i % 251).unwrap()));
            let draft = draft(&content, 4096).unwrap();
            assert_eq!(matches!(draft.stage, Stage::Spool { .. }), content.len() > MEMORY_LIMIT);
            let (header, unstamped) = draft.finish();
            assert!(header.has_date);
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
        assert_eq!(draft(&content, 1000).unwrap().finish().0.received, 1);
        let endless = vec![b'a'; header::LIMIT + 70_000];
        assert!(matches!(draft(&endless, 65536), Err(BodyError::HeaderTooLarge)));
    }

    #[test]
    fn an_unusable_spool_directory_is_named() {
        let mut draft = Draft::new(Path::new("/proc/no-such-place"));
        let error = draft.write([b"A: b\r\n\r\n".as_slice(), &vec![b'x'; MEMORY_LIMIT]].concat()).unwrap_err();
        assert!(error.to_string().contains("/proc/no-such-place"), "{error}");
    }
}
