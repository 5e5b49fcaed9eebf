//! What a person pastes into the terminal, or a program writes there: one answer at a time, however it is torn.
//!
//! A terminal that wrapped the address has put line breaks into it, so lines that come in one go belong together.
//! What is read is bounded, is never written anywhere, and ends quietly when the input does.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

/// A person needs longer than this between two lines, and a terminal that pastes, much less.
const ONE_GO: Duration = Duration::from_millis(150);
/// Longest text kept, in octets; what goes beyond is read and dropped.
const LONGEST: usize = 64 * 1024;

/// The input, read by a task of its own: a read from a terminal cannot be taken back.
#[derive(Debug)]
pub(super) struct Pasted {
    pieces: mpsc::Receiver<Vec<u8>>,
    text: Vec<u8>,
    /// Whether the last line that came is whole.
    is_line: bool,
}

impl Pasted {
    /// Reads from here on. Must be called inside the runtime.
    pub(super) fn from(mut input: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let (sender, pieces) = mpsc::channel(4);
        tokio::spawn(async move {
            let mut piece = vec![0; 4096];
            while let Ok(octets @ 1..) = input.read(&mut piece).await {
                if sender.send(piece[..octets].to_vec()).await.is_err() {
                    return;
                }
            }
        });
        Self { pieces, text: Vec::new(), is_line: false }
    }

    /// The next text that has something in it; nothing once the input has ended. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            let piece = if self.is_line {
                // Whatever belongs to it follows at once.
                tokio::time::timeout(ONE_GO, self.pieces.recv()).await.unwrap_or(None)
            } else {
                self.pieces.recv().await
            };
            if let Some(piece) = piece {
                self.is_line = piece.ends_with(b"\n");
                self.text.extend(piece);
                self.text.truncate(LONGEST);
                continue;
            }
            let was_line = std::mem::take(&mut self.is_line);
            let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).trim().to_owned();
            if !text.is_empty() {
                return Some(text);
            }
            if !was_line {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_that_come_in_one_go_are_one_text_and_later_ones_another() {
        let (mut terminal, input) = tokio::io::duplex(64);
        let mut pasted = Pasted::from(input);
        // A terminal that pastes, and a person who goes on typing.
        let torn = async {
            for (text, pause) in [("http://localhost/?co\n", 100), ("de=1\n", 100), ("&state=2\n", 200)] {
                terminal.write_all(text.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            terminal.write_all(b"later\n").await.unwrap();
        };
        let (text, ()) = tokio::join!(pasted.next(), torn);
        assert_eq!(text.unwrap(), "http://localhost/?co\nde=1\n&state=2");
        assert_eq!(pasted.next().await.unwrap(), "later");
        terminal.write_all(b"\n\n").await.unwrap();
        terminal.write_all(b"second\n").await.unwrap();
        assert_eq!(pasted.next().await.unwrap(), "second", "empty lines are no answer");
        terminal.write_all(b"without an end").await.unwrap();
        drop(terminal);
        assert_eq!(pasted.next().await.unwrap(), "without an end");
        assert_eq!(pasted.next().await, None);
        assert_eq!(pasted.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_is_cancelled_loses_nothing() {
        let (mut terminal, input) = tokio::io::duplex(64);
        let mut pasted = Pasted::from(input);
        terminal.write_all(b"half ").await.unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(5), pasted.next()).await.is_err());
        terminal.write_all(b"and half\n").await.unwrap();
        assert_eq!(pasted.next().await.unwrap(), "half and half");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_off() {
        let mut pasted = Pasted::from(tokio::io::repeat(b'x').take(3 * LONGEST as u64));
        assert_eq!(pasted.next().await.unwrap().len(), LONGEST);
        assert_eq!(pasted.next().await, None);
    }
}
