//! `log`: a guest's lines in the host's log, marked with the plugin's name.

use wasmtime::Result;

use crate::{bindings::pergola::plugin::log, guest::Guest, limits::Stop, values::shorten};

/// What is kept of a line.
const LINE_BYTES_MAX: usize = 2 << 10;

impl log::Host for Guest {
    fn write(&mut self, level: String, message: String) -> Result<()> {
        if !self.context.budget.take_log_line() {
            self.warn_once();
            return Ok(());
        }
        let (plugin, handler, line) = (&self.plugin, self.handler, printable(&message));
        match level.as_str() {
            "debug" => tracing::debug!(target: "plugin", %plugin, handler, "{line}"),
            "info" => tracing::info!(target: "plugin", %plugin, handler, "{line}"),
            "warn" => tracing::warn!(target: "plugin", %plugin, handler, "{line}"),
            "error" => tracing::error!(target: "plugin", %plugin, handler, "{line}"),
            unknown => return Err(Stop::Nonsense(format!("{:?} is no log level", shorten(unknown))).into()),
        }
        Ok(())
    }
}

impl Guest {
    fn warn_once(&mut self) {
        if !self.log_full {
            self.log_full = true;
            let lines_max = self.context.budget.limits.log_lines;
            tracing::warn!(plugin = %self.plugin, handler = self.handler, lines_max, "further log lines are dropped");
        }
    }
}

/// A line that stays one line, of bounded length.
fn printable(message: &str) -> String {
    let kept = message.get(..message.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or_default();
    kept.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_a_letter_and_stays_one_line() {
        assert_eq!(printable("a\nWARN b"), "a WARN b");
        assert_eq!(printable(&"я".repeat(LINE_BYTES_MAX)).len(), LINE_BYTES_MAX);
        assert_eq!(printable(&"€".repeat(LINE_BYTES_MAX)).len(), LINE_BYTES_MAX - 2);
    }
}
