//! Findings on paper: for a human with the line in question and a hint, or as JSON.
//!
//! Guarantees that nothing but the findings' own texts and the masked file is printed. Colours only where the caller
//! says that the output is a terminal.

use std::fmt;
use std::ops::Range;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use super::finding::{Finding, Masked, Place, Severity};

/// Everything wrong and risky with a configuration that cannot be used.
#[derive(Debug)]
pub struct Report {
    /// At least one of them is an error.
    pub findings: Vec<Finding>,
}

impl std::error::Error for Report {}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.findings, false))
    }
}

/// All findings for a human, with a last line that counts them; empty when there are none.
#[must_use]
pub fn text(findings: &[Finding], colours: bool) -> String {
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_context_lines(0).without_cause_chain();
    let mut out = String::new();
    for finding in findings {
        // Writing to a String cannot fail; should the renderer fail itself, the bare sentence still comes out.
        if handler.render_report(&mut out, &OnPaper::new(finding)).is_err() {
            out.push_str(&finding.message);
        }
        out.push('\n');
    }
    if !findings.is_empty() {
        out.push_str(&summary(findings));
        out.push('\n');
    }
    out
}

/// `2 errors, 1 warning`
#[must_use]
pub fn summary(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let count = |n: usize, word| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    format!("{}, {}", count(errors, "error"), count(findings.len() - errors, "warning"))
}

/// All findings for a program: an array of objects with `severity`, `key`, `message`, and where known `hint`, `file`,
/// `line`, `column`, `variable`, `flag`.
#[must_use]
pub fn json(findings: &[Finding]) -> serde_json::Value {
    findings.iter().map(object).collect()
}

fn object(finding: &Finding) -> serde_json::Value {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut object = serde_json::json!({ "severity": severity, "key": finding.key, "message": finding.message });
    if let Some(hint) = &finding.hint {
        object["hint"] = hint.as_str().into();
    }
    match &finding.place {
        Place::File { file, line, column, .. } => {
            object["file"] = file.name.as_str().into();
            object["line"] = (*line).into();
            object["column"] = (*column).into();
        }
        Place::Variable(name) => object["variable"] = name.as_str().into(),
        Place::Flag(name) => object["flag"] = name.as_str().into(),
        Place::Nowhere => {}
    }
    object
}

/// A finding dressed for the renderer.
#[derive(Debug)]
struct OnPaper<'a> {
    finding: &'a Finding,
    line: Option<OneLine<'a>>,
}

impl<'a> OnPaper<'a> {
    fn new(finding: &'a Finding) -> Self {
        let line = match &finding.place {
            Place::File { file, line, column, span } => Some(OneLine::new(file, *line, *column, span)),
            _ => None,
        };
        Self { finding, line }
    }
}

/// The line a finding is about, and no other: the lines around it are mostly remarks, which are blank.
#[derive(Debug)]
struct OneLine<'a> {
    name: &'a str,
    text: &'a str,
    /// Where the line begins in the file.
    start: usize,
    /// What to underline; a value over several lines is pointed at where it begins.
    mark: SourceSpan,
    line: usize,
    column: usize,
}

impl<'a> OneLine<'a> {
    fn new(file: &'a Masked, line: usize, column: usize, span: &Range<usize>) -> Self {
        let (before, from_here) = file.text.split_at_checked(span.start).unwrap_or((&file.text, ""));
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = before.len() + from_here.find(['\r', '\n']).unwrap_or(from_here.len());
        // The remark behind a value is blank in the mask.
        let end = start + file.text[start..end].trim_end().len().max((span.end.min(end)).saturating_sub(start));
        let length = end.min(span.end).saturating_sub(span.start);
        let mark = SourceSpan::new(span.start.into(), length);
        Self { name: &file.name, text: &file.text[start..end], start, mark, line, column }
    }
}

impl SourceCode for OneLine<'_> {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let span = SourceSpan::new(self.start.into(), self.text.len());
        let contents = MietteSpanContents::new_named(
            self.name.to_owned(),
            self.text.as_bytes(),
            span,
            self.line - 1,
            self.column - 1,
            1,
        );
        Ok(Box::new(contents))
    }
}

impl std::error::Error for OnPaper<'_> {}

impl fmt::Display for OnPaper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Place::Variable(name) | Place::Flag(name) = &self.finding.place {
            write!(f, "{name}: ")?;
        }
        f.write_str(&self.finding.message)
    }
}

impl Diagnostic for OnPaper<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.finding.key.is_empty()).then(|| Box::new(&self.finding.key) as Box<dyn fmt::Display>)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.line.as_ref().map(|line| line as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let mark = self.line.as_ref()?.mark;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, mark))))
    }
}
