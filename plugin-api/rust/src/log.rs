//! Lines in the host's log, marked with the plugin's name. At most 64 a call; the rest are dropped.

use crate::bindings::pergola::plugin::log;

/// For the plugin's author; hosts usually do not keep it.
pub fn debug(message: impl AsRef<str>) {
    log::write("debug", message.as_ref());
}

/// For the people who run the business.
pub fn info(message: impl AsRef<str>) {
    log::write("info", message.as_ref());
}

/// Something that somebody should look at soon.
pub fn warn(message: impl AsRef<str>) {
    log::write("warn", message.as_ref());
}

/// Something that does not work.
pub fn error(message: impl AsRef<str>) {
    log::write("error", message.as_ref());
}
