//! Reading: one record, a page, a count; and the system's rows that the host asks for.

use jiff::tz::TimeZone;
use pergola_model::{Actor, Fields, Id, Locale, ObjectName, Operation, Page, Query, Record};
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
        rights.check(Operation::Read, &query.object, &Fields::new())?;
        let catalog = self.catalog();
        Ok(self.0.store.read_once().await?.list(&catalog, query).await?)
    }

    /// How many records match.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or the store's.
    pub async fn count(&self, actor: &Actor, query: &Query) -> Result<u64, Error> {
        Rights::of(actor).check(Operation::Read, &query.object, &Fields::new())?;
        let catalog = self.catalog();
        Ok(self.0.store.read_once().await?.count(&catalog, query).await?)
    }

    /// Sets how people write phones, dates and money here, and what they read.
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
        let mut tx = self.0.store.write().await?;
        tx.put_setting("locale", &json).await?;
        tx.commit().await?;
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
