//! Visits whose time is over: one that nobody has closed or given up took place. What visits come to for a client is
//! counted by the host, from those that are done.

use pergola_plugin::prelude::*;

/// The timer at an appointment's end.
pub(crate) fn over(appointment: &Record) -> Result<(), Failure> {
    if !is_open(&appointment.fields) {
        return Ok(());
    }
    let done = Fields::new().with("status", "done");
    // At this version: whoever changes it meanwhile makes the timer fire again, on what they wrote.
    let change = Change::update("booking.appointment", appointment.id, done).if_version(appointment.version);
    records::apply([change]).map(|_| ())
}

fn is_open(appointment: &Fields) -> bool {
    matches!(appointment.text("status"), Some("booked" | "arrived"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_closed_or_gave_up_is_closed() {
        let open = ["booked", "arrived", "done", "cancelled", "no_show"]
            .map(|code| is_open(&Fields::new().with("status", code)));
        assert_eq!(open, [true, true, false, false, false]);
    }
}
