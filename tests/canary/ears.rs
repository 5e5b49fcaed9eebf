//! Hears everything: the product's own log at every level and in both formats at once, what other crates would say if
//! anyone let them, and whatever a test adds (replies, reports, debug prints).
//!
//! One subscriber hands each event to ten of `journal::log`, made exactly as the product makes its own, each writing
//! to a tape. A test hears what happens on its own thread, so the runtime of a story has to be a single-threaded one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};

use posthouse::journal::log::{Format, Settings, subscriber};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest, set_default};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;

use crate::detector::{Canary, finds};

pub const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// What one log wrote.
#[derive(Clone, Default)]
pub struct Tape(Arc<Mutex<Vec<u8>>>);

impl Tape {
    pub fn octets(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl std::io::Write for Tape {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Tape {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What one test hears.
#[derive(Clone)]
pub struct Ears {
    /// The product's log, by level and format.
    logs: Vec<(String, Tape)>,
    /// What the test itself overheard.
    said: Tape,
    /// Events of other crates, at every level.
    strangers: Tape,
}

/// While it lives, events of this thread are heard.
pub struct Listening(#[expect(dead_code, reason = "held for its drop")] DefaultGuard);

impl Ears {
    pub fn open() -> (Self, Listening) {
        let (mut logs, mut subscribers) = (Vec::new(), Vec::new());
        for level in LEVELS {
            for format in [Format::Text, Format::Json] {
                let tape = Tape::default();
                subscribers.push(subscriber(&Settings { level, format, ..Settings::default() }, tape.clone(), false));
                logs.push((format!("{level} {format:?}"), tape));
            }
        }
        let (said, strangers) = (Tape::default(), Tape::default());
        let fan = Fan { subscribers, spans: Mutex::default(), next: AtomicU64::new(1), strangers: strangers.clone() };
        listen_to_the_older_facade();
        OLDER.with_borrow_mut(|older| *older = Some(strangers.clone()));
        (Self { logs, said, strangers }, Listening(set_default(fan)))
    }

    /// Adds what was printed or heard elsewhere.
    pub fn hear(&self, text: impl AsRef<[u8]>) {
        let mut octets = self.said.0.lock().unwrap();
        octets.extend_from_slice(text.as_ref());
        octets.push(b'\n');
    }

    /// Everything the most talkative of the product's text logs wrote.
    pub fn log(&self) -> String {
        let (_, tape) = self.logs.iter().find(|(name, _)| name == "TRACE Text").unwrap();
        String::from_utf8(tape.octets()).unwrap()
    }

    /// The names of the places in which one of these is found, and the finds.
    pub fn finds(&self, canaries: &[Canary]) -> Vec<(String, Vec<String>)> {
        let own = [(String::from("said"), self.said.clone())];
        let all = self.logs.iter().chain(&own).map(|(name, tape)| (name.clone(), finds(canaries, &tape.octets())));
        all.filter(|(_, finds)| !finds.is_empty()).collect()
    }

    /// Fails if one of these came out anywhere.
    pub fn are_clean_of(&self, story: &str, canaries: &[Canary]) {
        let finds = self.finds(canaries);
        let shown: Vec<String> = finds.iter().map(|(place, finds)| format!("{place}:\n{}", finds.join("\n"))).collect();
        assert!(shown.is_empty(), "{story}: a secret came out in\n{}", shown.join("\n"));
    }

    /// What other crates said, one event a line.
    pub fn strangers(&self) -> Vec<u8> {
        self.strangers.octets()
    }
}

thread_local! {
    static OLDER: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// `rustls` speaks through the `log` crate, which the product does not listen to at all.
fn listen_to_the_older_facade() {
    struct Older;
    impl log::Log for Older {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            use std::io::Write as _;
            OLDER.with_borrow_mut(|tape| {
                if let Some(tape) = tape {
                    writeln!(tape, "{} {}: {}", record.level(), record.target(), record.args()).unwrap();
                }
            });
        }

        fn flush(&self) {}
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Older).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// Hands everything to several subscribers, each of which decides for itself.
struct Fan {
    subscribers: Vec<Box<dyn Subscriber + Send + Sync>>,
    /// What each of them calls a span of ours.
    spans: Mutex<HashMap<u64, Vec<Option<Id>>>>,
    next: AtomicU64,
    strangers: Tape,
}

impl Fan {
    fn each(&self, id: &Id, what: impl Fn(&dyn Subscriber, &Id)) {
        let theirs = self.spans.lock().unwrap().get(&id.into_u64()).cloned().unwrap_or_default();
        for (subscriber, id) in self.subscribers.iter().zip(theirs) {
            if let Some(id) = id {
                what(subscriber, &id);
            }
        }
    }
}

impl Subscriber for Fan {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        for subscriber in &self.subscribers {
            subscriber.register_callsite(metadata);
        }
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let metadata = attributes.metadata();
        let span = |s: &dyn Subscriber| s.enabled(metadata).then(|| s.new_span(attributes));
        let ids = self.subscribers.iter().map(|s| span(s)).collect();
        if !metadata.target().starts_with("posthouse") {
            let mut fields = Fields(format!("{} {} {}", metadata.level(), metadata.target(), metadata.name()));
            attributes.record(&mut fields);
            fields.tell(&self.strangers);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.spans.lock().unwrap().insert(id, ids);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.each(id, |subscriber, id| subscriber.record(id, values));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        for subscriber in &self.subscribers {
            if subscriber.enabled(event.metadata()) && subscriber.event_enabled(event) {
                subscriber.event(event);
            }
        }
        let metadata = event.metadata();
        if !metadata.target().starts_with("posthouse") {
            let mut fields = Fields(format!("{} {}", metadata.level(), metadata.target()));
            event.record(&mut fields);
            fields.tell(&self.strangers);
        }
    }

    fn enter(&self, id: &Id) {
        self.each(id, <dyn Subscriber>::enter);
    }

    fn exit(&self, id: &Id) {
        self.each(id, <dyn Subscriber>::exit);
    }
}

/// The fields of an event as text.
struct Fields(String);

impl Fields {
    fn tell(self, tape: &Tape) {
        use std::io::Write as _;
        writeln!(tape.clone(), "{}", self.0).unwrap();
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}
