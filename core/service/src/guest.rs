//! What plugins' code may ask for, the same inside a transaction and outside: queries and messages.

mod timers;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{
    Actor, Catalog, Change, Fields, Id, Object, ObjectName, Page, PluginId, Query, Record, Value,
    expr::{Expression, Scope, Type},
    name::Name,
    query::{
        self, Cursor,
        aggregate::{Aggregate, AggregateText, Table},
    },
};

use crate::{
    balances::{BalancePage, BalanceQuery},
    error::Error,
    lookup::{Address, Holder},
    ports::{
        plugins::{
            Budget, Failure, GuestAggregate, GuestBalances, GuestQuery, Host, OutgoingMessage, Request, Response,
        },
        store::{OwnTimer, StoredTimer, TimerKey},
    },
    rights::Rights,
    workspace::{RecordOf, Workspace, no_object},
};

/// Rows in a guest's page when it does not say, and the most.
const GUEST_LIMIT: (u32, u32) = (200, 1_000);
/// The longest message, in characters.
const MESSAGE_CHARS_MAX: usize = 10_000;
/// The most messages that one call cancels.
const CANCEL_MAX: u32 = 200;

/// How a guest's requests reach records: through the transaction that it is in, or each on its own.
#[async_trait]
pub(crate) trait Access: Send {
    /// The workspace's catalog for this call.
    fn catalog(&self) -> Arc<Catalog>;
    /// The time of the request.
    fn now(&self) -> Timestamp;
    /// Finds within the rights.
    async fn find(&mut self, rights: &Rights, object: &ObjectName, id: Id) -> Result<Option<Record>, Error>;
    /// Lists within the rights.
    async fn list(&mut self, rights: &Rights, query: &Query) -> Result<Page, Error>;
    /// Answers a question about groups within the rights.
    async fn aggregate(&mut self, rights: &Rights, asked: &Aggregate) -> Result<Table, Error>;
    /// Lists balances within the rights.
    async fn balances(&mut self, rights: &Rights, query: &BalanceQuery) -> Result<BalancePage, Error>;
    /// Who has the phone number, within the rights.
    async fn lookup(&mut self, rights: &Rights, number: &str) -> Result<Vec<Holder>, Error>;
    /// Applies within the rights, all or nothing.
    async fn apply(&mut self, rights: &Rights, changes: Vec<Change>) -> Result<Vec<RecordOf>, Error>;
    /// Sets a plugin's own timer.
    async fn set_timer(&mut self, timer: OwnTimer) -> Result<(), Error>;
    /// Clears a timer; whether it was set.
    async fn cancel_timer(&mut self, key: TimerKey) -> Result<bool, Error>;
    /// The timer of that key.
    async fn find_timer(&mut self, key: &TimerKey) -> Result<Option<StoredTimer>, Error>;
    /// A plugin's own timers of an action, by name, after a name.
    async fn list_timers(
        &mut self,
        plugin: &PluginId,
        action: &Name,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredTimer>, Error>;
}

/// Answers one request of a guest.
pub(crate) async fn answer(access: &mut dyn Access, rights: &Rights, request: Request) -> Result<Response, Failure> {
    let answered = match request {
        Request::Get { object, id } => get(access, rights, &object, id).await,
        Request::Query(guest) => page(access, rights, guest).await,
        Request::Aggregate(guest) => aggregate(access, rights, guest).await,
        Request::Balances(guest) => balances(access, rights, guest).await,
        Request::Apply(changes) => access.apply(rights, changes).await.map(Response::Records),
        Request::Lookup { number } => access.lookup(rights, &number).await.map(Response::Holders),
        Request::QueueMessage(message) => queue_message(access, rights, message).await.map(Response::Id),
        Request::CancelMessages { object, id } => {
            cancel_messages(access, rights, &object, id).await.map(Response::Count)
        }
        Request::Timer(request) => timers::answer(access, rights, request).await,
    };
    answered.map_err(Error::into_failure)
}

async fn get(access: &mut dyn Access, rights: &Rights, object: &str, id: Id) -> Result<Response, Error> {
    let name = object_named(&access.catalog(), object)?.name.clone();
    let record = access.find(rights, &name, id).await?;
    Ok(Response::Record(record.map(|record| (name, record))))
}

async fn page(access: &mut dyn Access, rights: &Rights, guest: GuestQuery) -> Result<Response, Error> {
    let catalog = access.catalog();
    let object = object_named(&catalog, &guest.object)?;
    let columns = match guest.fields.as_slice() {
        [] => object.fields.keys().cloned().collect(),
        named => named.to_vec(),
    };
    let query = compile_query(&catalog, &object, guest, access.now())?;
    let page = access.list(rights, &query).await?;
    Ok(Response::Page { columns, records: page.records, next: page.next.map(|cursor| cursor.encode()) })
}

async fn aggregate(access: &mut dyn Access, rights: &Rights, guest: GuestAggregate) -> Result<Response, Error> {
    let catalog = access.catalog();
    let object = object_named(&catalog, &guest.object)?;
    let text = AggregateText {
        filter: &guest.filter,
        groups: &guest.groups,
        measures: &guest.measures,
        sort: &guest.sort,
        limit: guest.limit,
    };
    let asked = compile_aggregate(&catalog, &object, text, guest.parameters, access.now())?;
    access.aggregate(rights, &asked).await.map(Response::Table)
}

async fn balances(access: &mut dyn Access, rights: &Rights, guest: GuestBalances) -> Result<Response, Error> {
    let object = object_named(&access.catalog(), &guest.object)?.name.clone();
    let query = BalanceQuery { object, account: guest.account, after: guest.after, limit: rows_of(guest.limit) };
    access.balances(rights, &query).await.map(Response::Balances)
}

/// Rows of a page, as a guest asks for them.
fn rows_of(limit: u32) -> u32 {
    if limit == 0 { GUEST_LIMIT.0 } else { limit.min(GUEST_LIMIT.1) }
}

fn object_named(catalog: &Catalog, name: &str) -> Result<Arc<Object>, Error> {
    catalog.find_object(name).cloned().ok_or_else(|| no_object(name))
}

fn compile_query(catalog: &Catalog, object: &Object, guest: GuestQuery, now: Timestamp) -> Result<Query, Error> {
    if let Some(unknown) = guest.fields.iter().find(|key| object.field(key).is_none()) {
        let message = format!("{} has no field {unknown}", object.name);
        return Err(Error::BadRequest { code: "bad_fields", message });
    }
    let types: Vec<Type> = guest.parameters.iter().map(Type::of_value).collect();
    let filter = match guest.filter.as_str() {
        "" => None,
        text => Some(compile_filter(catalog, object, text, &types)?),
    };
    let sort = parse_sort(object, &guest.sort)?;
    let after = guest.after.as_deref().map(|text| decode_cursor(object, text, &sort)).transpose()?;
    let limit = rows_of(guest.limit);
    let fields = (!guest.fields.is_empty()).then_some(guest.fields);
    Ok(Query { object: object.name.clone(), filter, parameters: guest.parameters, now, sort, fields, limit, after })
}

/// Compiles a filter over an object's records.
///
/// # Errors
/// `bad_filter`, with the place in the text.
pub fn compile_filter(
    catalog: &Catalog,
    object: &Object,
    text: &str,
    parameters: &[Type],
) -> Result<Expression, Error> {
    catalog
        .filter(object, text, parameters)
        .map_err(|error| Error::BadRequest { code: "bad_filter", message: error.to_string() })
}

/// Checks a question about groups of an object's records.
///
/// # Errors
/// `bad_filter`, `bad_group`, `bad_measure`, `bad_sort`, `bad_limit`, `too_costly`, with the place in the text.
pub fn compile_aggregate(
    catalog: &Catalog,
    object: &Object,
    text: AggregateText<'_>,
    parameters: Vec<Value>,
    now: Timestamp,
) -> Result<Aggregate, Error> {
    let types: Vec<Type> = parameters.iter().map(Type::of_value).collect();
    let settings = std::collections::BTreeMap::new();
    let scope = Scope { object, objects: catalog, settings: &settings, parameters: &types, zone: &catalog.zone };
    Aggregate::read(text, &scope, parameters, now)
        .map_err(|error| Error::BadRequest { code: error.code, message: error.message })
}

/// Reads a sort order.
///
/// # Errors
/// `bad_sort`.
pub fn parse_sort(object: &Object, text: &str) -> Result<Vec<query::SortKey>, Error> {
    query::parse_sort(text, object).map_err(|error| Error::BadRequest { code: "bad_sort", message: error.to_string() })
}

/// Reads a cursor that an earlier page gave.
///
/// # Errors
/// `bad_cursor`.
pub fn decode_cursor(object: &Object, text: &str, sort: &[query::SortKey]) -> Result<Cursor, Error> {
    Cursor::decode(text, object, sort)
        .map_err(|error| Error::BadRequest { code: "bad_cursor", message: error.to_string() })
}

/// Messages are the host's own records: the grant is the capability, not rights on `message`.
fn message_rights(access: &dyn Access, rights: &Rights) -> Result<(String, Rights), Error> {
    let plugin = rights.plugin().map(ToString::to_string).unwrap_or_default();
    let granted = access.catalog().plugins.get(plugin.as_str()).is_some_and(|one| one.manifest.capabilities.messages);
    if granted {
        Ok((plugin, Rights::of(&Actor::System)))
    } else {
        Err(Error::Forbidden(format!(
            "plugin {plugin} may not send messages: add messages = true under [capabilities] in its plugin.toml"
        )))
    }
}

async fn queue_message(access: &mut dyn Access, rights: &Rights, message: OutgoingMessage) -> Result<Id, Error> {
    let (plugin, system) = message_rights(access, rights)?;
    if message.body.chars().count() > MESSAGE_CHARS_MAX {
        return Err(Error::invalid(
            "body",
            "too_long",
            format!("a message has at most {MESSAGE_CHARS_MAX} characters"),
        ));
    }
    let key = format!("{plugin}:{}", message.key);
    if let Some(earlier) = find_message(access, &system, &key).await? {
        return Ok(earlier);
    }
    let contact = access
        .find(&system, &core_object("contact")?, message.contact)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no contact {}", message.contact)))?;
    let (channel, address) = address_of(&contact, &message.channel)?;
    let mut fields = Fields::new()
        .with("contact", message.contact)
        .with("channel", channel)
        .with("address", address)
        .with("subject", message.subject)
        .with("body", message.body)
        .with("plugin", plugin)
        .with("key", key);
    if let Some((object, id)) = message.about {
        fields.set("about_object", object);
        fields.set("about_id", id.to_string());
    }
    let written = access.apply(&system, vec![Change::create(core_object("message")?, fields)]).await?;
    written.first().map(|(_, record)| record.id).ok_or_else(|| Error::NotFound("the message is gone".to_owned()))
}

async fn find_message(access: &mut dyn Access, system: &Rights, key: &str) -> Result<Option<Id>, Error> {
    let page = list_messages(access, system, "key == p0", vec![Value::from(key)], 1).await?;
    Ok(page.first().map(|record| record.id))
}

async fn list_messages(
    access: &mut dyn Access,
    system: &Rights,
    filter: &str,
    parameters: Vec<Value>,
    limit: u32,
) -> Result<Vec<Record>, Error> {
    let catalog = access.catalog();
    let object = object_named(&catalog, "message")?;
    let guest = GuestQuery {
        object: "message".to_owned(),
        filter: filter.to_owned(),
        parameters,
        sort: String::new(),
        fields: vec!["status".to_owned()],
        limit,
        after: None,
    };
    let query = compile_query(&catalog, &object, guest, access.now())?;
    Ok(access.list(system, &query).await?.records)
}

/// The asked channel, or else e-mail before sms, as far as the contact has an address for it.
fn address_of(contact: &Record, channel: &str) -> Result<(&'static str, String), Error> {
    let of = |field: &str| contact.fields.get(field).as_text().map(str::to_owned);
    let found = match channel {
        "email" => of("email").map(|address| ("email", address)),
        "sms" => of("phone").map(|address| ("sms", address)),
        "" => of("email").map(|address| ("email", address)).or_else(|| of("phone").map(|address| ("sms", address))),
        other => {
            return Err(Error::invalid("channel", "not_a_choice", format!("{other:?} is not email, sms or empty")));
        }
    };
    found.ok_or_else(|| Error::Conflict {
        code: "no_address",
        message: format!("contact {} has no address for this message", contact.id),
        issues: vec![],
    })
}

async fn cancel_messages(access: &mut dyn Access, rights: &Rights, object: &str, id: Id) -> Result<u32, Error> {
    let (plugin, system) = message_rights(access, rights)?;
    let filter = "about_id == p0 && about_object == p1 && plugin == p2 && status == 'queued'";
    let parameters = vec![Value::from(id.to_string()), Value::from(object), Value::from(plugin)];
    let queued = list_messages(access, &system, filter, parameters, CANCEL_MAX).await?;
    let name = core_object("message")?;
    let cancelled = Fields::new().with("status", "cancelled");
    let changes: Vec<Change> =
        queued.iter().map(|record| Change::update(name.clone(), record.id, cancelled.clone())).collect();
    let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    if count > 0 {
        access.apply(&system, changes).await?;
    }
    Ok(count)
}

pub(crate) fn core_object(name: &str) -> Result<ObjectName, Error> {
    ObjectName::new(name).map_err(|error| Error::Internal(Box::new(error)))
}

/// The host of a handler that runs after commit: every request is its own.
pub(crate) struct WorkspaceHost {
    pub(crate) workspace: Workspace,
    pub(crate) rights: Rights,
    pub(crate) budget: Arc<Budget>,
    pub(crate) now: Timestamp,
}

#[async_trait]
impl Host for WorkspaceHost {
    async fn ask(&mut self, request: Request) -> Result<Response, Failure> {
        let rights = self.rights.clone();
        answer(self, &rights, request).await
    }
}

#[async_trait]
impl Access for WorkspaceHost {
    fn catalog(&self) -> Arc<Catalog> {
        self.workspace.catalog()
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    async fn find(&mut self, rights: &Rights, object: &ObjectName, id: Id) -> Result<Option<Record>, Error> {
        self.workspace.find_with(rights, object, id).await
    }

    async fn list(&mut self, rights: &Rights, query: &Query) -> Result<Page, Error> {
        self.workspace.list_with(rights, query).await
    }

    async fn aggregate(&mut self, rights: &Rights, asked: &Aggregate) -> Result<Table, Error> {
        self.workspace.aggregate_with(rights, asked).await
    }

    async fn balances(&mut self, rights: &Rights, query: &BalanceQuery) -> Result<BalancePage, Error> {
        self.workspace.balances_with(rights, query).await
    }

    async fn lookup(&mut self, rights: &Rights, number: &str) -> Result<Vec<Holder>, Error> {
        let address = Address::phone(number, &self.workspace.locale())?;
        self.workspace.lookup_with(rights, &address).await
    }

    async fn apply(&mut self, rights: &Rights, changes: Vec<Change>) -> Result<Vec<RecordOf>, Error> {
        self.workspace.apply_with(rights.clone(), changes, Arc::clone(&self.budget), 1).await
    }

    async fn set_timer(&mut self, timer: OwnTimer) -> Result<(), Error> {
        self.workspace.set_own_timer(timer).await
    }

    async fn cancel_timer(&mut self, key: TimerKey) -> Result<bool, Error> {
        self.workspace.cancel_own_timer(key).await
    }

    async fn find_timer(&mut self, key: &TimerKey) -> Result<Option<StoredTimer>, Error> {
        self.workspace.find_timer(key).await
    }

    async fn list_timers(
        &mut self,
        plugin: &PluginId,
        action: &Name,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredTimer>, Error> {
        self.workspace.list_own_timers(plugin, action, after, limit).await
    }
}
