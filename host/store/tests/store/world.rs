//! A store with a catalog of every field type, and short ways to make records.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use pergola_model::{
    Catalog, Fields, Id, Object, Query, Record,
    catalog::PluginSource,
    expr::{ExprError, Expression, Scope, Type},
    query::SortKey,
};
use pergola_service::ports::store::{Store, StoreError};

/// An object with a field of every type, and rules of every kind.
pub(crate) const LAB: &str = r#"
id = "lab"
version = "1.0.0"
api = "0.1"
[object.sample]
fields.title = { type = "text" }
fields.body = { type = "long_text" }
fields.amount = { type = "integer", indexed = true }
fields.weight = { type = "decimal", scale = 3 }
fields.fee = { type = "decimal", scale = 2 }
fields.price = { type = "money" }
fields.open = { type = "bool" }
fields.day = { type = "date" }
fields.starts_at = { type = "datetime" }
fields.ends_at = { type = "datetime" }
fields.length = { type = "duration" }
fields.status = { type = "choice", of = ["booked", "cancelled"] }
fields.phone = { type = "phone", unique = true }
fields.email = { type = "email" }
fields.url = { type = "url" }
fields.data = { type = "json" }
fields.room = { type = "ref", to = "lab.sample", on_delete = "clear" }
fields.contact = { type = "ref", to = "contact" }
fields.tags = { type = "tags" }
unique = [{ fields = ["title", "day"] }]
exclude = [{ on = "room", during = ["starts_at", "ends_at"], when = "status != 'cancelled'" }]
[extend.contact]
fields.card = { type = "text", unique = true }
fields.discount = { type = "decimal", scale = 1 }
"#;

/// The time of all tests.
pub(crate) fn now() -> Timestamp {
    "2026-03-31T12:00:00Z".parse().unwrap()
}

/// So many seconds after [`now`].
pub(crate) fn after(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + seconds).unwrap()
}

/// The catalog of the core and one plugin.
pub(crate) fn catalog(manifest: &str) -> Catalog {
    let source = PluginSource {
        manifest: Arc::new(toml::from_str(manifest).unwrap()),
        digest: String::new(),
        settings: Default::default(),
    };
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    Catalog::build_in(&[source], &zone).unwrap_or_else(|issues| panic!("{issues:#?}"))
}

/// A store with its tables made.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalog: Catalog,
    next_id: AtomicU64,
    /// What must live as long, such as a folder.
    _keep: Box<dyn Any + Send + Sync>,
}

impl World {
    /// Makes the tables of [`LAB`].
    pub(crate) async fn new(store: Arc<dyn Store>, keep: impl Any + Send + Sync) -> Self {
        let world = Self { store, catalog: catalog(LAB), next_id: AtomicU64::new(1), _keep: Box::new(keep) };
        world.apply(&world.catalog).await.unwrap();
        world
    }

    /// Makes the stored tables fit.
    pub(crate) async fn apply(&self, catalog: &Catalog) -> Result<(), StoreError> {
        let steps = self.store.plan(catalog, &pergola_model::upgrade::Upgrade::default()).await?;
        let mut tx = self.store.write().await?;
        tx.apply_schema(&steps).await?;
        tx.commit().await
    }

    pub(crate) fn object(&self, name: &str) -> &Object {
        self.catalog.find_object(name).unwrap()
    }

    pub(crate) fn sample(&self) -> &Object {
        self.object("lab.sample")
    }

    /// A new record with these fields.
    pub(crate) fn record(&self, fields: Fields) -> Record {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        record(number, fields)
    }

    /// Writes records and returns when they are durable.
    pub(crate) async fn insert(&self, object: &str, records: &[Record]) -> Result<(), StoreError> {
        let mut tx = self.store.write().await?;
        tx.insert(self.object(object), records).await?;
        tx.commit().await
    }

    pub(crate) async fn find(&self, object: &str, id: Id) -> Option<Record> {
        self.store.read().await.unwrap().find(self.object(object), id).await.unwrap()
    }

    pub(crate) async fn count(&self, object: &str) -> u64 {
        let query = self.query(object);
        self.store.read().await.unwrap().count(&self.catalog, &query).await.unwrap()
    }

    /// All records, by id.
    pub(crate) fn query(&self, object: &str) -> Query {
        Query {
            object: object.parse().unwrap(),
            filter: None,
            parameters: Vec::new(),
            now: now(),
            sort: Vec::new(),
            fields: None,
            limit: 500,
            after: None,
        }
    }

    /// A condition over an object's records.
    pub(crate) fn expression(&self, object: &str, source: &str, parameters: &[Type]) -> Expression {
        self.compile(object, source, parameters).unwrap_or_else(|error| panic!("{source}: {error}"))
    }

    /// The same, or what is wrong with it.
    pub(crate) fn compile(&self, object: &str, source: &str, parameters: &[Type]) -> Result<Expression, ExprError> {
        let object = self.object(object);
        let scope = Scope {
            object,
            objects: &self.catalog,
            settings: &Default::default(),
            parameters,
            zone: &self.catalog.zone,
        };
        Expression::compile(source, &scope, &Type::Bool)
    }
}

/// A record with that number for an id.
pub(crate) fn record(number: u64, fields: Fields) -> Record {
    let id = Id(uuid::Uuid::from_u128((7 << 76) | u128::from(number)));
    Record { id, version: 1, created_at: now(), updated_at: now(), fields }
}

/// `-amount` and the like.
pub(crate) fn sort(keys: &[&str]) -> Vec<SortKey> {
    let key = |key: &&str| match key.strip_prefix('-') {
        Some(field) => SortKey { field: field.to_owned(), descending: true },
        None => SortKey { field: (*key).to_owned(), descending: false },
    };
    keys.iter().map(key).collect()
}
