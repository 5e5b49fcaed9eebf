//! The subscriber: text for people, JSON for machines, on standard error.
//!
//! Also the panic hook: a panic is logged with its place; its text is shown only when it was written in the source,
//! because a formatted one may hold anything.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `error`, `warn`, `info`, `debug` or `trace`; or a filter such as `info,posthouse::transcript=debug`.
    pub level: String,
    /// How lines look.
    pub format: Format,
}

/// `[log] format = …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people, coloured on a terminal.
    Text,
    /// One object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self { level: "info".into(), format: Format::Text }
    }
}

/// Makes this the process's log. Later calls do nothing.
pub fn install(settings: &Settings) {
    let colours = std::io::stderr().is_terminal();
    let _ = tracing::subscriber::set_global_default(subscriber(settings, std::io::stderr, colours));
    std::panic::set_hook(Box::new(|panic| report_panic(panic)));
}

/// The subscriber itself, for a log that goes elsewhere.
pub fn subscriber<W>(settings: &Settings, writer: W, colours: bool) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Other people's crates speak only when something is wrong: their debug lines are not ours to answer for.
    let level = settings.level.as_str();
    let filter = if level.contains(['=', ',']) { level.to_owned() } else { format!("warn,posthouse={level}") };
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new("warn,posthouse=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    match settings.format {
        Format::Text => Box::new(builder.with_target(false).finish()),
        Format::Json => {
            Box::new(builder.json().flatten_event(true).with_current_span(true).with_span_list(false).finish())
        }
    }
}

fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let text = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(place, "internal error: {}", text.unwrap_or("(text withheld, it may hold anything)"));
}
