//! Letting in who waits, once there is room: in the same unit of work and by the same path, as the system.

use std::{collections::BTreeMap, sync::Arc};

use pergola_model::{
    Actor, Change, Fields, Id, Object, Query, Record, Value,
    expr::Type,
    object::{Capacity, Waiting},
    query::SortKey,
};

use super::Unit;
use crate::{error::Error, guest::compile_filter, mutants::Rule, rights::Rights};

/// The most waiting records that are looked at for one room in one go.
const LOOKED_AT_MAX: u32 = 500;

impl Unit {
    /// Lets in who fits wherever something became free; answers those who were let in.
    ///
    /// First those who came first; one who does not fit is passed over, and so is one whom a rule or a hook refuses.
    pub(in crate::unit) async fn let_in(&mut self, depth: u32) -> Result<BTreeMap<Id, Record>, Error> {
        let mut let_in = BTreeMap::new();
        // What letting in frees elsewhere is looked at by the loop that lets in.
        if self.is_letting_in {
            return Ok(let_in);
        }
        self.is_letting_in = true;
        let result = self.let_in_everywhere(depth, &mut let_in).await;
        self.is_letting_in = false;
        result.map(|()| let_in)
    }

    async fn let_in_everywhere(&mut self, depth: u32, let_in: &mut BTreeMap<Id, Record>) -> Result<(), Error> {
        while let Some((object, on)) = self.freed.pop_first() {
            let Some(object) = self.catalog.object(&object).cloned() else { continue };
            for rule in &object.capacities {
                if let Some(waiting) = &rule.waiting {
                    self.let_into(&object, rule, waiting, on, depth, let_in).await?;
                }
            }
        }
        Ok(())
    }

    async fn let_into(
        &mut self,
        object: &Object,
        rule: &Capacity,
        waiting: &Waiting,
        on: Id,
        depth: u32,
        let_in: &mut BTreeMap<Id, Record>,
    ) -> Result<(), Error> {
        if self.workspace.is_off(Rule::Promotion) {
            return Ok(());
        }
        let mut left = self.left(object, rule, on).await?;
        if left.is_some_and(|left| left <= 0) {
            return Ok(());
        }
        for mut record in self.waiting(object, rule, waiting, on).await? {
            let id = record.id;
            record.fields.set(waiting.field.clone(), waiting.then.as_str());
            // A size that makes no sense is of a record from before the rule.
            let Ok(claim) = self.claim(rule, &record) else { continue };
            if left.is_some_and(|left| claim.is_some_and(|(_, size)| size > left)) {
                continue;
            }
            let then = Fields::new().with(waiting.field.clone(), waiting.then.as_str());
            let change = Change::update(object.name.clone(), id, then);
            match self.apply_nested(&Rights::of(&Actor::System), vec![change], depth).await {
                Ok(written) => let_in.extend(written.into_iter().map(|(_, record)| (record.id, record))),
                Err(error) if error.is_about_the_record() => {
                    tracing::warn!(object = %object.name, record = %id, %error, "who waits could not be let in");
                    continue;
                }
                Err(error) => return Err(error),
            }
            // A hook may have taken or given up room, too.
            left = self.left(object, rule, on).await?;
            if left.is_some_and(|left| left <= 0) {
                break;
            }
        }
        Ok(())
    }

    /// Who waits for this room, first come first.
    async fn waiting(
        &mut self,
        object: &Object,
        rule: &Capacity,
        waiting: &Waiting,
        on: Id,
    ) -> Result<Vec<Record>, Error> {
        let catalog = Arc::clone(&self.catalog);
        let text = format!("{} == p0 && {} == p1", rule.on, waiting.field);
        let filter = compile_filter(&catalog, object, &text, &[Type::Id, Type::Text])?;
        let query = Query {
            object: object.name.clone(),
            filter: Some(filter),
            parameters: vec![Value::Ref(on), Value::from(waiting.value.as_str())],
            now: self.now,
            sort: vec![SortKey { field: "created_at".to_owned(), descending: false }],
            fields: None,
            limit: LOOKED_AT_MAX,
            after: None,
        };
        Ok(self.tx.list(&catalog, &query).await?.records)
    }
}
