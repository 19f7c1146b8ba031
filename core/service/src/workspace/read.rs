//! Reading: one record, a page, a count; and the system's rows that the host asks for.

use std::sync::Arc;

use jiff::tz::TimeZone;
use pergola_model::{
    Actor, Catalog, Fields, Id, Locale, ObjectName, Operation, Page, Query, Record,
    query::aggregate::{Aggregate, Table},
};
use serde::{Deserialize, Serialize};

use super::Workspace;
use crate::{
    error::Error,
    ports::store::{StoredToken, StoredUser},
    rights::Rights,
};

#[derive(Serialize, Deserialize)]
struct StoredLocale {
    /// Absent in workspaces that were created before there was a choice.
    #[serde(default = "english")]
    language: String,
    region: String,
    currency: String,
    zone: String,
}

fn english() -> String {
    "en".to_owned()
}

pub(super) fn locale_from_json(json: &serde_json::Value) -> Result<Locale, Error> {
    let stored: StoredLocale =
        serde_json::from_value(json.clone()).map_err(|error| Error::Internal(Box::new(error)))?;
    let zone = TimeZone::get(&stored.zone).map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(Locale { language: stored.language, region: stored.region, currency: stored.currency, zone })
}

impl Workspace {
    /// The record, or none.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or the store's.
    pub async fn find(&self, actor: &Actor, object: &ObjectName, id: Id) -> Result<Option<Record>, Error> {
        self.find_with(&Rights::of(actor), object, id).await
    }

    pub(crate) async fn find_with(
        &self,
        rights: &Rights,
        object: &ObjectName,
        id: Id,
    ) -> Result<Option<Record>, Error> {
        rights.check(Operation::Read, object, &Fields::new())?;
        let catalog = self.catalog();
        let object = catalog.object(object).ok_or_else(|| no_object(object.as_str()))?;
        Ok(self.0.store.read_once().await?.find(object, id).await?)
    }

    /// One page of records.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or the store's.
    pub async fn list(&self, actor: &Actor, query: &Query) -> Result<Page, Error> {
        self.list_with(&Rights::of(actor), query).await
    }

    pub(crate) async fn list_with(&self, rights: &Rights, query: &Query) -> Result<Page, Error> {
        let catalog = self.catalog();
        rights.check_reads(&catalog, &query.object, query.filter.iter())?;
        Ok(self.0.store.read_once().await?.list(&catalog, query).await?)
    }

    /// How many records match.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or the store's.
    pub async fn count(&self, actor: &Actor, query: &Query) -> Result<u64, Error> {
        let catalog = self.catalog();
        Rights::of(actor).check_reads(&catalog, &query.object, query.filter.iter())?;
        Ok(self.0.store.read_once().await?.count(&catalog, query).await?)
    }

    /// The answer to a question about groups of records.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless all objects that it looks at may be read; `out_of_range` for a sum that leaves 64 bits
    /// or meets several currencies, and for too many groups; or the store's.
    pub async fn aggregate(&self, actor: &Actor, asked: &Aggregate) -> Result<Table, Error> {
        self.aggregate_with(&Rights::of(actor), asked).await
    }

    pub(crate) async fn aggregate_with(&self, rights: &Rights, asked: &Aggregate) -> Result<Table, Error> {
        let catalog = self.catalog();
        rights.check_reads(&catalog, &asked.object, asked.expressions())?;
        Ok(self.0.store.read().await?.aggregate(&catalog, asked).await?)
    }

    /// Sets how people write phones, dates and money here, what they read, and in which zone expressions tell days and
    /// hours.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_locale(&self, locale: Locale) -> Result<(), Error> {
        let stored = StoredLocale {
            language: locale.language.clone(),
            region: locale.region.clone(),
            currency: locale.currency.clone(),
            zone: locale.zone.iana_name().unwrap_or("UTC").to_owned(),
        };
        let json = serde_json::to_value(stored).map_err(|error| Error::Internal(Box::new(error)))?;
        self.detached(move |workspace| {
            let (locale, json) = (locale.clone(), json.clone());
            async move { workspace.put_locale_once(locale, &json).await }
        })
        .await
    }

    async fn put_locale_once(&self, locale: Locale, json: &serde_json::Value) -> Result<(), Error> {
        let _alone = self.0.gate.write().await;
        let mut tx = self.0.store.write().await?;
        tx.lock(&[super::install::SCHEMA.to_owned()]).await?;
        let stored = self.list_plugins().await?;
        let sources = stored.iter().map(super::install::source_of).collect::<Result<Vec<_>, _>>()?;
        let catalog = Catalog::build_in(&sources, &locale.zone).map_err(Error::Manifest)?;
        tx.put_setting("locale", json).await?;
        tx.commit().await?;
        self.set_catalog(Arc::new(catalog));
        self.set_locale(locale);
        Ok(())
    }

    /// One of the workspace's own settings.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_setting(&self, key: &str) -> Result<Option<serde_json::Value>, Error> {
        Ok(self.0.store.read_once().await?.find_setting(key).await?)
    }

    /// Sets one of the workspace's own settings.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_setting(&self, key: &str, value: &serde_json::Value) -> Result<(), Error> {
        let mut tx = self.0.store.write().await?;
        tx.put_setting(key, value).await?;
        Ok(tx.commit().await?)
    }

    /// Who has the token with this SHA-256, unless it has ended.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_token(&self, sha256: &[u8]) -> Result<Option<StoredToken>, Error> {
        let token = self.0.store.read_once().await?.find_token(sha256).await?;
        let now = self.0.clock.now();
        Ok(token.filter(|token| token.expires_at.is_none_or(|end| end > now)))
    }

    /// Adds a token.
    ///
    /// # Errors
    /// The store's.
    pub async fn insert_token(&self, token: &StoredToken) -> Result<(), Error> {
        let mut tx = self.0.store.write().await?;
        tx.insert_token(token).await?;
        Ok(tx.commit().await?)
    }

    /// The user with this e-mail address.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_user(&self, email: &str) -> Result<Option<StoredUser>, Error> {
        Ok(self.0.store.read_once().await?.find_user(email).await?)
    }

    /// Adds or replaces a user.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_user(&self, user: &StoredUser) -> Result<(), Error> {
        let mut tx = self.0.store.write().await?;
        tx.put_user(user).await?;
        Ok(tx.commit().await?)
    }
}

pub(crate) fn no_object(name: &str) -> Error {
    Error::NotFound(format!("there is no object {name} in this workspace"))
}
