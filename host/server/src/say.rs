//! What the program says: results on standard output, everything else on standard error.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// What the user gave cannot be taken: exit code 3, in contrast to what broke on our side.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) String);

impl Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

/// The doctor has told what is wrong, and there is nothing to add: exit code 4.
#[derive(Debug)]
pub(crate) struct Unwell;

impl Display for Unwell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("something is not as it should be")
    }
}

impl std::error::Error for Unwell {}

/// What the user gave cannot be taken.
pub(crate) fn problem(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Problem(message.into()))
}

/// A line of the result. A closed pipe is the reader's business.
pub(crate) fn line(text: impl Display) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// A line about what goes on.
pub(crate) fn note(text: impl Display) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    note(format_args!("pergola: {error:#}"));
    ExitCode::from(1)
}

pub(crate) fn refuse(error: &anyhow::Error) -> ExitCode {
    note(format_args!("pergola: {error:#}"));
    ExitCode::from(3)
}

/// A long step: a bar on a terminal, lines elsewhere.
pub(crate) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    told_tenth: u64,
}

impl Progress {
    /// A step of `total` parts; a spinner if that is not known.
    pub(crate) fn new(what: impl Into<String>, total: Option<u64>) -> Self {
        let what = what.into();
        if !io::stderr().is_terminal() {
            note(format_args!("{what} …"));
            return Self { what, bar: None, told_tenth: 0 };
        }
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match total {
            Some(_) => "{msg:32} [{bar:30}] {pos}/{len} {eta}",
            None => "{spinner} {msg} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.clone());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { what, bar: Some(bar), told_tenth: 0 }
    }

    /// So many parts are done.
    pub(crate) fn at(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            return;
        }
        let tenth = (done * 10).checked_div(total).unwrap_or(0);
        if tenth > self.told_tenth {
            self.told_tenth = tenth;
            note(format_args!("{}: {done} of {total}", self.what));
        }
    }

    /// What goes on just now.
    pub(crate) fn detail(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}: {text}", self.what)),
            None => note(format_args!("  {text}")),
        }
    }

    pub(crate) fn done(self) {
        if let Some(bar) = self.bar {
            bar.finish_with_message(format!("{} ✓", self.what));
        }
    }
}
