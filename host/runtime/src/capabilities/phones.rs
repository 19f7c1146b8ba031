//! `phones`: phone numbers as the workspace spells them, and who has them.

use pergola_model::{field::FieldType, normal};
use pergola_service::{
    lookup::Holder,
    ports::plugins::{Failure, Request, Response},
};
use wasmtime::Result;

use crate::{
    bindings::pergola::plugin::{phones, types},
    capabilities::wrong_answer,
    guest::Guest,
    values::{failure_to_guest, id_to_guest},
};

impl phones::Host for Guest {
    async fn normalise(&mut self, text: String) -> Result<Result<String, types::Failure>> {
        Ok(normal::address(&FieldType::Phone, &text, &self.context.locale)
            .map_err(|issue| failure_to_guest(Failure::new(issue.code, issue.message))))
    }

    async fn lookup(&mut self, number: String) -> Result<Result<Vec<phones::Holder>, types::Failure>> {
        match self.ask(Request::Lookup { number }, 0).await? {
            Ok(Response::Holders(holders)) => {
                self.take_rows(holders.len())?;
                Ok(Ok(holders.into_iter().map(holder_to_guest).collect()))
            }
            Ok(_) => Err(wrong_answer("phones")),
            Err(failure) => Ok(Err(failure_to_guest(failure))),
        }
    }
}

fn holder_to_guest(holder: Holder) -> phones::Holder {
    phones::Holder {
        object: holder.object.name.to_string(),
        id: id_to_guest(holder.record.id),
        title: holder.title().to_owned(),
        field: holder.field,
    }
}
