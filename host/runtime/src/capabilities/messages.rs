//! `messages`: messages to people, put on the contact's timeline and sent after commit.

use pergola_service::ports::plugins::{OutgoingMessage, Request, Response};
use wasmtime::Result;

use crate::{
    bindings::pergola::plugin::{messages, types},
    capabilities::wrong_answer,
    guest::Guest,
    limits::Stop,
    values::{Unfit, failure_to_guest, id_from_guest, id_to_guest},
};

impl messages::Host for Guest {
    async fn queue(&mut self, message: messages::Outgoing) -> Result<Result<types::Id, types::Failure>> {
        let message = message_from_guest(message).map_err(Stop::from)?;
        match self.ask(Request::QueueMessage(message), 1).await? {
            Ok(Response::Id(id)) => Ok(Ok(id_to_guest(id))),
            Ok(_) => Err(wrong_answer("messages")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }

    async fn cancel_about(&mut self, object: String, id: types::Id) -> Result<Result<u32, types::Failure>> {
        let id = id_from_guest(id).map_err(Stop::from)?;
        match self.ask(Request::CancelMessages { object, id }, 1).await? {
            Ok(Response::Count(count)) => Ok(Ok(count)),
            Ok(_) => Err(wrong_answer("messages")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }
}

fn message_from_guest(message: messages::Outgoing) -> Result<OutgoingMessage, Unfit> {
    let about = message.about.map(|(object, id)| Ok((object, id_from_guest(id)?))).transpose()?;
    Ok(OutgoingMessage {
        contact: id_from_guest(message.contact)?,
        channel: message.channel,
        subject: message.subject,
        body: message.body,
        key: message.key,
        about,
    })
}
