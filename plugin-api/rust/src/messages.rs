//! Messages to people: on the contact's timeline, and sent after commit. Asks for the capability `messages`.

use crate::bindings::pergola::plugin::messages;
use crate::{Failure, Id};

/// A message to send.
///
/// # Examples
/// ```no_run
/// use pergola_plugin::prelude::*;
///
/// fn remind(contact: Id, appointment: Id) -> Result<Id, Failure> {
///     let message = Message::to(contact, format!("remind:{appointment}"))
///         .subject("See you tomorrow")
///         .body("We are waiting for you at 10:30.")
///         .about("booking.appointment", appointment);
///     messages::queue(message)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// To whom; the address comes from the contact.
    pub contact: Id,
    /// `email` or `sms`; empty lets the host choose by what the contact has.
    pub channel: String,
    /// One line; may be empty for `sms`.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// Names this message for good: a second one with the same key is not sent.
    pub key: String,
    /// Object and record that it is about, for [`cancel_about`].
    pub about: Option<(String, Id)>,
}

impl Message {
    /// A message to a contact. A second one with the same `key` is not sent.
    pub fn to(contact: Id, key: impl Into<String>) -> Self {
        Self {
            contact,
            channel: String::new(),
            subject: String::new(),
            body: String::new(),
            key: key.into(),
            about: None,
        }
    }

    /// Sends it by `email` or `sms`, whatever else the contact has.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = channel.into();
        self
    }

    /// Gives it a subject: one line.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Gives it a text.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Says which record it is about.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>, id: Id) -> Self {
        self.about = Some((object.into(), id));
        self
    }
}

/// Queues a message and gives its id; the earlier one's, where the key is known.
///
/// # Errors
/// The host's, such as a capability that was not granted or a contact without an address.
pub fn queue(message: Message) -> Result<Id, Failure> {
    let Message { contact, channel, subject, body, key, about } = message;
    let about = about.map(|(object, id)| (object, id.to_wit()));
    let outgoing = messages::Outgoing { contact: contact.to_wit(), channel, subject, body, key, about };
    messages::queue(&outgoing).map(Id::from_wit).map_err(Failure::from_wit)
}

/// Cancels this plugin's messages about a record that have not left yet; gives how many.
///
/// # Errors
/// The host's, such as a capability that was not granted.
pub fn cancel_about(object: &str, id: Id) -> Result<u32, Failure> {
    messages::cancel_about(object, id.to_wit()).map_err(Failure::from_wit)
}
