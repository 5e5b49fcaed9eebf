//! The subscriber: text for people, JSON for machines, on standard error.
//!
//! Also the panic hook: a panic is logged with its place; its text is shown only when it was written in the source,
//! because a formatted one may hold anything.

#[cfg(test)]
pub(crate) mod heard;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::Masks;

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `level`; default info. From debug on the transcripts of both sides are written.
    pub level: tracing::Level,
    /// `format`; default auto.
    pub format: Format,
    /// `mask`; default nothing.
    pub masks: Masks,
}

/// `[log] format = …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people, coloured on a terminal.
    Auto,
    /// For people, without colours.
    Text,
    /// One object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self { level: tracing::Level::INFO, format: Format::Auto, masks: Masks::default() }
    }
}

/// Makes this the process's log. Later calls do nothing.
pub fn install(settings: &Settings) {
    let colours = settings.format == Format::Auto && std::io::stderr().is_terminal();
    let _ = tracing::subscriber::set_global_default(subscriber(settings, std::io::stderr, colours));
    std::panic::set_hook(Box::new(report_panic));
}

/// The subscriber itself, for a log that goes elsewhere.
pub fn subscriber<W>(settings: &Settings, writer: W, colours: bool) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Other people's crates speak only when something is wrong: their debug lines are not ours to answer for.
    let filter = EnvFilter::new(format!("warn,posthouse={}", settings.level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(false)
        // A log that cannot be written is no reason to fail the mail; complaining about it on standard error panics.
        .log_internal_errors(false);
    match settings.format {
        Format::Auto | Format::Text => Box::new(builder.finish()),
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
