//! What the log says on this thread, for tests.
//!
//! Listens from when it is made until it is dropped; what other threads say is not heard. Tests of the whole relay have
//! the same in `tests/relay/scene.rs`.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

use super::{Settings, subscriber};

/// The lines so far.
pub(crate) struct Heard {
    text: Text,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Heard {
    /// From now on.
    pub(crate) fn begin() -> Self {
        // A line that is first reached by a thread without a log, while only one log lives, would be off for that log
        // as well: tracing then asks that thread alone whether anybody wants it. So there are always two.
        static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| Dispatch::new(subscriber(&Settings::default(), io::sink, false)));
        let text = Text::default();
        let writer = text.clone();
        let subscriber = subscriber(&Settings::default(), move || writer.clone(), false);
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// How many lines hold all of these words.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        let text = String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}
