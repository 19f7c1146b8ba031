//! `capacity`: the sizes of live records with the same `on` never add up to more than there is room for.
//!
//! Decided before the batch is written, with the names of all rooms held until the commit. What the batch gives up
//! counts first, then what it asks for, in its order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pergola_model::{
    FieldIssue, Fields, Id, Object, ObjectName, Record, Value,
    expr::Env,
    object::{Capacity, Room, Waiting},
};

use super::{Planned, Unit, hold::hold_over};
use crate::{error::Error, mutants::Rule, unit::surroundings::not_computable};

/// The largest size of a record: so many of the largest batch are far from the end of 64 bits.
const SIZE_MAX: i64 = 1_000_000_000;

/// In what a record takes how much room, if it takes any.
type Claim = Option<(Id, i64)>;

/// Room of one rule, by what it is room in.
struct Rooms {
    taken: BTreeMap<Id, i64>,
    /// None where there is no limit.
    max: BTreeMap<Id, Option<i64>>,
}

impl Rooms {
    fn add(&mut self, on: Id, size: i64) {
        let taken = self.taken.entry(on).or_default();
        *taken = taken.saturating_add(size);
    }

    /// How much is left; none without a limit. Below zero when it was made smaller by other ways.
    fn left(&self, on: Id) -> Option<i64> {
        let max = self.max.get(&on).copied().flatten()?;
        Some(max.saturating_sub(self.taken.get(&on).copied().unwrap_or_default()))
    }
}

impl Unit {
    /// Holds the names of all rooms that the changes may be about, before their records are loaded: whoever waits for
    /// a room then holds no record that somebody in the room waits for.
    pub(in crate::unit) async fn hold_rooms(&mut self, object: &Object, ids: &[Id]) -> Result<(), Error> {
        if ids.is_empty() || (object.capacities.is_empty() && object.rooms.is_empty()) {
            return Ok(());
        }
        let mut names: BTreeSet<String> = BTreeSet::new();
        for room in &object.rooms {
            names.extend(ids.iter().map(|id| room_name(&room.capacity, *id)));
        }
        if !object.capacities.is_empty() {
            for record in self.tx.find_many(object, ids).await? {
                let on = |rule: &Capacity| Some(room_name(&rule.name, record.fields.get(&rule.on).as_ref_id()?));
                names.extend(object.capacities.iter().filter_map(on));
            }
        }
        self.lock_all(names).await
    }

    async fn lock_all(&mut self, names: BTreeSet<String>) -> Result<(), Error> {
        let names: Vec<String> = names.into_iter().collect();
        Ok(self.tx.lock(&names).await?)
    }

    /// Passes when there is room for all that the batch asks for; who may wait is made to wait instead.
    pub(in crate::unit) async fn fit(&mut self, object: &Object, planned: &mut [Planned]) -> Result<(), Error> {
        self.check_rooms(object, planned).await?;
        for rule in &object.capacities {
            let touched: Vec<&mut Planned> = planned.iter_mut().filter(|one| one.touches(&rule.reads)).collect();
            let ons: BTreeSet<Id> = touched
                .iter()
                .flat_map(|one| [&one.before, &one.after])
                .filter_map(|record| record.as_ref()?.fields.get(&rule.on).as_ref_id())
                .collect();
            if ons.is_empty() {
                continue;
            }
            self.lock_all(ons.iter().map(|on| room_name(&rule.name, *on)).collect()).await?;
            let mut rooms = self.rooms(object, rule, &ons).await?;
            self.give_up(rule, &touched, &mut rooms)?;
            self.ask(object, rule, touched, &mut rooms)?;
            if rule.waiting.is_some() {
                self.freed.extend(ons.into_iter().map(|on| (object.name.clone(), on)));
            }
        }
        Ok(())
    }

    /// What is about to be deleted gives up its room.
    pub(in crate::unit) async fn leave_rooms(&mut self, object: &Object, records: &[Record]) -> Result<(), Error> {
        if object.capacities.is_empty() {
            return Ok(());
        }
        let leaving = records.iter().map(|record| Planned { before: Some(record.clone()), after: None });
        self.fit(object, &mut leaving.collect::<Vec<_>>()).await
    }

    fn give_up(&self, rule: &Capacity, touched: &[&mut Planned], rooms: &mut Rooms) -> Result<(), Error> {
        for one in touched {
            let (before, after) = self.claims(rule, one)?;
            if let Some((on, size)) = before {
                let stays = after.filter(|(to, _)| *to == on).map_or(0, |(_, after)| after.min(size));
                rooms.add(on, stays.saturating_sub(size));
            }
        }
        Ok(())
    }

    fn ask(
        &self,
        object: &Object,
        rule: &Capacity,
        touched: Vec<&mut Planned>,
        rooms: &mut Rooms,
    ) -> Result<(), Error> {
        for one in touched {
            let (before, after) = self.claims(rule, one)?;
            let Some((on, size)) = after else { continue };
            let has = before.filter(|(from, _)| *from == on).map_or(0, |(_, before)| before.min(size));
            let more = size.saturating_sub(has);
            match rooms.left(on) {
                Some(left) if more > left.max(0) && !self.workspace.is_off(Rule::Capacity) => {
                    if one.before.as_ref().is_some_and(|before| self.is_late(object, before)) {
                        return Err(hold_over(object));
                    }
                    // Who has a place does not lose it by asking for more.
                    let waits = rule.waiting.as_ref().filter(|_| before.is_none());
                    if !self.made_to_wait(object, rule, waits, one)? {
                        return Err(full(rule, left, more, rooms.max.get(&on).copied().flatten()));
                    }
                }
                _ => rooms.add(on, more),
            }
        }
        Ok(())
    }

    /// Whether the record waits now. It does not, where that would be no declared step, or where it would still count.
    fn made_to_wait(
        &self,
        object: &Object,
        rule: &Capacity,
        waiting: Option<&Waiting>,
        one: &mut Planned,
    ) -> Result<bool, Error> {
        let (Some(waiting), Some(after)) = (waiting, one.after.as_mut()) else { return Ok(false) };
        let before = one.before.as_ref().and_then(|before| before.fields.get(&waiting.field).as_text());
        let is_step = before.is_none_or(|before| before == waiting.value || has_step(object, waiting, before));
        if is_step {
            after.fields.set(waiting.field.clone(), waiting.value.as_str());
        }
        Ok(is_step && self.claim(rule, after)?.is_none())
    }

    fn claims(&self, rule: &Capacity, one: &Planned) -> Result<(Claim, Claim), Error> {
        let claim = |record: &Option<Record>| record.as_ref().map_or(Ok(None), |record| self.claim(rule, record));
        Ok((claim(&one.before)?, claim(&one.after)?))
    }

    /// In what the record takes how much room, if it takes any.
    pub(super) fn claim(&self, rule: &Capacity, record: &Record) -> Result<Claim, Error> {
        let Some(on) = record.fields.get(&rule.on).as_ref_id() else { return Ok(None) };
        let env = Env { record, related: &BTreeMap::new(), children: &(), now: self.now, parameters: &[] };
        if let Some(when) = &rule.when
            && !when.holds(&env).map_err(|error| not_computable(when, &error))?
        {
            return Ok(None);
        }
        let Some(size) = &rule.size else { return Ok(Some((on, 1))) };
        match size.evaluate(&env).map_err(|error| not_computable(size, &error))? {
            Value::Integer(number) if (0..=SIZE_MAX).contains(&number) => Ok(Some((on, number))),
            Value::Integer(_) => {
                let message = format!("{} must be from 0 to {SIZE_MAX}", size.source());
                let field = size.reads().fields.into_iter().next().unwrap_or_else(|| rule.on.clone());
                Err(Error::invalid(&field, "out_of_range", message))
            }
            _ => Ok(Some((on, 1))),
        }
    }

    /// What is taken, as stored, and how much there is.
    async fn rooms(&mut self, object: &Object, rule: &Capacity, ons: &BTreeSet<Id>) -> Result<Rooms, Error> {
        let ids: Vec<Id> = ons.iter().copied().collect();
        let catalog = Arc::clone(&self.catalog);
        let taken = self.tx.sum_taken(&catalog, object, rule, &ids, self.now).await?;
        let targets = match self.catalog.object(&rule.target).cloned() {
            Some(target) => self.tx.find_many(&target, &ids).await?,
            None => Vec::new(),
        };
        let mut max = BTreeMap::new();
        for target in targets {
            max.insert(target.id, self.max(rule, target)?);
        }
        Ok(Rooms { taken, max })
    }

    /// How much is left in one room; none without a limit.
    pub(super) async fn left(&mut self, object: &Object, rule: &Capacity, on: Id) -> Result<Option<i64>, Error> {
        Ok(self.rooms(object, rule, &BTreeSet::from([on])).await?.left(on))
    }

    /// How much room a record offers that others refer to.
    fn max(&self, rule: &Capacity, target: Record) -> Result<Option<i64>, Error> {
        let record = Record { fields: Fields::new().with(rule.on.clone(), target.id), ..target.clone() };
        let related = BTreeMap::from([(vec![rule.on.clone()], target)]);
        let env = Env { record: &record, related: &related, children: &(), now: self.now, parameters: &[] };
        let max = rule.max.evaluate(&env).map_err(|error| not_computable(&rule.max, &error))?;
        Ok(if let Value::Integer(max) = max { Some(max) } else { None })
    }

    /// Passes when no room is made smaller than what is taken in it. Where it grows, who waits is let in afterwards.
    async fn check_rooms(&mut self, object: &Object, planned: &[Planned]) -> Result<(), Error> {
        for Room { object: other, capacity, reads } in &object.rooms {
            let Some(other) = self.catalog.object(other).cloned() else { continue };
            let Some(rule) = other.capacities.iter().find(|rule| rule.name == *capacity) else { continue };
            let mut changed: BTreeMap<Id, &Record> = BTreeMap::new();
            for one in planned.iter().filter(|one| one.before.is_some() && one.touches(reads)) {
                changed.extend(one.after.as_ref().map(|after| (after.id, after)));
            }
            if changed.is_empty() {
                continue;
            }
            let ons: BTreeSet<Id> = changed.keys().copied().collect();
            self.lock_all(ons.iter().map(|on| room_name(capacity, *on)).collect()).await?;
            let rooms = self.rooms(&other, rule, &ons).await?;
            for (on, after) in changed {
                let taken = rooms.taken.get(&on).copied().unwrap_or_default();
                let before = rooms.max.get(&on).copied().flatten();
                let Some(max) = self.max(rule, after.clone())? else { continue };
                if max < taken && before.is_none_or(|before| max < before) && !self.workspace.is_off(Rule::Capacity) {
                    return Err(too_small(&other, reads, taken, max));
                }
            }
            if rule.waiting.is_some() {
                self.freed.extend(ons.into_iter().map(|on| (other.name.clone(), on)));
            }
        }
        Ok(())
    }
}

fn has_step(object: &Object, waiting: &Waiting, from: &str) -> bool {
    object.transitions.iter().find(|rule| rule.field == waiting.field).is_none_or(|rule| {
        let fits = |step: &&pergola_model::object::Step| step.from.as_deref().is_none_or(|one| one == from);
        rule.steps.iter().filter(fits).any(|step| step.to == waiting.value)
    })
}

fn room_name(capacity: &str, on: Id) -> String {
    format!("{capacity}:{on}")
}

fn full(rule: &Capacity, left: i64, wanted: i64, max: Option<i64>) -> Error {
    let max = max.unwrap_or_default();
    let message = format!(
        "{} of {max} are left in this {}, and {wanted} are wanted; take fewer or another one",
        left.max(0),
        rule.on
    );
    Error::Conflict {
        code: "full",
        issues: vec![FieldIssue::new(rule.on.clone(), "full", format!("{} are left", left.max(0)))],
        message,
    }
}

fn too_small(other: &Object, reads: &BTreeSet<String>, taken: i64, max: i64) -> Error {
    let fields: Vec<&str> = reads.iter().map(String::as_str).collect();
    let message = format!(
        "{taken} are taken by {} already, so {max} are too few; free some first, or make {} larger",
        other.plural,
        fields.join(", ")
    );
    let issues = fields.iter().map(|field| FieldIssue::new(*field, "full", format!("{taken} are taken"))).collect();
    Error::Conflict { code: "full", message, issues }
}

/// Rooms in which something may have become free: the object whose records wait, and what they wait for.
pub(in crate::unit) type Freed = BTreeSet<(ObjectName, Id)>;
