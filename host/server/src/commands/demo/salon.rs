//! A believable salon: masters, services, clients, a month of visits and a week of appointments.
//!
//! All of it takes the one write path, with the packs' hooks, as an import or a receptionist would.

use anyhow::Context;
use fastrand::Rng;
use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};
use pergola_model::{Actor, Change, Fields, Id, Money, ObjectName, Query, Role, Value};
use pergola_service::{ApplyMode, Workspace};

use super::names::{FIRST_NAMES, LAST_NAMES, MASTERS, SERVICES, SOURCES};
use crate::say::{Progress, problem};

/// The setting that tells whether the salon was filled: false while it is being filled.
const FILLED: &str = "demo_filled";
const CLIENTS: usize = 2_000;
const BATCH: usize = 100;
/// Salons open at ten and close at eight; the break is at two.
const OPEN: (i64, i64) = (600, 1_200);
const BREAK: (i64, i64) = (840, 900);
const DAYS_BACK: i64 = 30;
const DAYS_AHEAD: i64 = 7;

/// Something to book in the sample commands.
pub(super) struct Sample {
    pub(super) service: Id,
    pub(super) master: Id,
    pub(super) starts_at: Timestamp,
}

struct Service {
    id: Id,
    category: &'static str,
    minutes: i64,
}

struct Master {
    id: Id,
    categories: &'static [&'static str],
}

/// Fills the workspace, once.
pub(super) async fn fill(workspace: &Workspace) -> anyhow::Result<()> {
    match workspace.find_setting(FILLED).await? {
        None => workspace.put_setting(FILLED, &serde_json::Value::Bool(false)).await?,
        Some(serde_json::Value::Bool(true)) => return Ok(()),
        // Filling it again would double the half that is there.
        Some(_) => return Err(problem("filling it was cut off the last time; start anew with --reset")),
    }
    // The same salon every time: a bug report can name a client.
    let mut random = Rng::with_seed(7);
    let services = add_services(workspace).await?;
    let masters = add_masters(workspace, &services).await?;
    let clients = add_clients(workspace, &masters, &mut random).await?;
    add_visits(workspace, &services, &masters, &clients, &mut random).await?;
    add_pipeline(workspace).await?;
    workspace.put_setting(FILLED, &serde_json::Value::Bool(true)).await?;
    Ok(())
}

fn actor() -> Actor {
    Actor::User { name: "demo".to_owned(), role: Role::Owner }
}

async fn create(workspace: &Workspace, object: &str, rows: Vec<Fields>) -> anyhow::Result<Vec<Id>> {
    let object = ObjectName::new(object)?;
    let mut ids = Vec::with_capacity(rows.len());
    let changes: Vec<Change> = rows.into_iter().map(|fields| Change::create(object.clone(), fields)).collect();
    for batch in changes.chunks(BATCH) {
        let written = workspace.apply_each(&actor(), vec![batch.to_vec()], ApplyMode::Commit).await?;
        for records in written {
            ids.extend(
                records.with_context(|| format!("cannot create {object}"))?.into_iter().map(|(_, record)| record.id),
            );
        }
    }
    Ok(ids)
}

async fn add_services(workspace: &Workspace) -> anyhow::Result<Vec<Service>> {
    let currency = workspace.locale().currency.clone();
    let rows = SERVICES.iter().map(|(name, category, minutes, amount_minor)| {
        Fields::new()
            .with("name", *name)
            .with("category", *category)
            .with("minutes", *minutes)
            .with("price", Value::Money(Money { amount_minor: *amount_minor, currency: currency.clone() }))
    });
    let ids = create(workspace, "booking.service", rows.collect()).await?;
    let services =
        ids.into_iter().zip(SERVICES).map(|(id, (_, category, minutes, _))| Service { id, category, minutes });
    Ok(services.collect())
}

async fn add_masters(workspace: &Workspace, services: &[Service]) -> anyhow::Result<Vec<Master>> {
    let rows = MASTERS
        .iter()
        .zip(1_i64..)
        .map(|((name, _), position)| Fields::new().with("name", *name).with("position", position));
    let ids = create(workspace, "booking.resource", rows.collect()).await?;
    let masters: Vec<Master> =
        ids.into_iter().zip(MASTERS).map(|(id, (_, categories))| Master { id, categories }).collect();
    let mut offerings = Vec::new();
    let mut hours = Vec::new();
    for master in &masters {
        for service in services.iter().filter(|service| master.categories.contains(&service.category)) {
            offerings.push(Fields::new().with("resource", master.id).with("service", service.id));
        }
        for weekday in 1..=7_i64 {
            for (kind, (from, until)) in [("work", OPEN), ("break", BREAK)] {
                let row = Fields::new().with("resource", master.id).with("weekday", weekday).with("kind", kind);
                hours.push(row.with("from_minute", from).with("until_minute", until));
            }
        }
    }
    create(workspace, "booking.offering", offerings).await?;
    create(workspace, "booking.hours", hours).await?;
    Ok(masters)
}

async fn add_clients(workspace: &Workspace, masters: &[Master], random: &mut Rng) -> anyhow::Result<Vec<Id>> {
    let mut progress = Progress::new("adding clients", Some(CLIENTS as u64));
    let mut ids = Vec::with_capacity(CLIENTS);
    while ids.len() < CLIENTS {
        let rows =
            (ids.len()..(ids.len() + BATCH).min(CLIENTS)).map(|number| client(number, masters, random)).collect();
        ids.extend(create(workspace, "contact", rows).await?);
        progress.at(ids.len() as u64, CLIENTS as u64);
    }
    progress.done();
    Ok(ids)
}

fn client(number: usize, masters: &[Master], random: &mut Rng) -> Fields {
    let first = pick(&FIRST_NAMES, random);
    let last = pick(&LAST_NAMES, random);
    let mut fields = Fields::new()
        .with("name", format!("{first} {last}"))
        .with("phone", format!("+7916{:07}", 1_000_000 + number * 37))
        .with("source", pick(&SOURCES, random))
        .with("language", if random.u8(..10) < 7 { "ru" } else { "en" });
    if random.u8(..10) < 6 {
        fields.set("email", format!("{}.{}{number}@example.com", first.to_lowercase(), last.to_lowercase()));
    }
    if random.u8(..10) < 5 {
        let birthday = civil::Date::new(random.i16(1955..2008), random.i8(1..13), random.i8(1..29)).unwrap_or_default();
        fields.set("birthday", Value::Date(birthday));
    }
    if random.u8(..10) < 3
        && let Some(master) = random.choice(masters)
    {
        fields.set("salon.preferred_master", master.id);
    }
    if random.u8(..10) < 4 {
        fields.set("salon.consent", "given");
    }
    fields
}

fn pick(list: &[&'static str], random: &mut Rng) -> &'static str {
    random.choice(list).copied().unwrap_or_default()
}

/// A month of visits, most of them done, and the appointments of the coming week.
async fn add_visits(
    workspace: &Workspace,
    services: &[Service],
    masters: &[Master],
    clients: &[Id],
    random: &mut Rng,
) -> anyhow::Result<()> {
    let zone = workspace.locale().zone.clone();
    let today = workspace.now().to_zoned(zone.clone()).date();
    let now = workspace.now();
    let total = u64::try_from(DAYS_BACK + DAYS_AHEAD)?;
    let mut progress = Progress::new("adding visits", Some(total));
    for (day, done) in (-DAYS_BACK..DAYS_AHEAD).zip(1..) {
        let date = today.checked_add(day.days())?;
        let mut rows = Vec::new();
        for master in masters {
            rows.extend(visits_of(master, date, &zone, now, services, clients, random)?);
        }
        create(workspace, "booking.appointment", rows).await?;
        progress.at(done, total);
    }
    progress.done();
    Ok(())
}

/// One master's day: visits one after the other, with gaps.
fn visits_of(
    master: &Master,
    date: civil::Date,
    zone: &TimeZone,
    now: Timestamp,
    services: &[Service],
    clients: &[Id],
    random: &mut Rng,
) -> anyhow::Result<Vec<Fields>> {
    let offered: Vec<&Service> =
        services.iter().filter(|service| master.categories.contains(&service.category)).collect();
    let mut rows = Vec::new();
    let mut minute = OPEN.0 + random.i64(0..3) * 30;
    while let Some(service) = random.choice(&offered) {
        let end = minute + service.minutes;
        if minute < BREAK.1 && end > BREAK.0 {
            minute = BREAK.1;
            continue;
        }
        if end > OPEN.1 {
            break;
        }
        let starts_at = date
            .to_datetime(civil::Time::midnight())
            .checked_add(minute.minutes())?
            .to_zoned(zone.clone())?
            .timestamp();
        let ends_at = starts_at.checked_add(service.minutes.minutes())?;
        let status = match random.u8(..100) {
            _ if starts_at > now => "booked",
            _ if ends_at > now => "arrived",
            0..4 => "no_show",
            4..10 => "cancelled",
            _ => "done",
        };
        if let Some(client) = random.choice(clients) {
            let row = Fields::new().with("contact", *client).with("service", service.id).with("master", master.id);
            rows.push(row.with("starts_at", starts_at).with("ends_at", ends_at).with("status", status));
        }
        minute = (end + random.i64(0..4) * 30 + 14) / 15 * 15;
    }
    Ok(rows)
}

/// The core's own part: a pipeline for what a salon sells besides visits.
async fn add_pipeline(workspace: &Workspace) -> anyhow::Result<()> {
    let pipelines = create(workspace, "pipeline", vec![Fields::new().with("name", "Wedding packages")]).await?;
    let pipeline = *pipelines.first().context("the pipeline was not created")?;
    let stages = [("Enquiry", "open", 20), ("Trial", "open", 50), ("Booked", "won", 100), ("Lost", "lost", 0)];
    let rows = stages.iter().zip(1_i64..).map(|((name, kind, probability), position)| {
        let row = Fields::new().with("pipeline", pipeline).with("name", *name).with("kind", *kind);
        row.with("position", position).with("probability_pct", i64::from(*probability))
    });
    create(workspace, "stage", rows.collect()).await?;
    Ok(())
}

/// A master, what they do, and a time some days ahead, for the sample commands.
pub(super) async fn sample(workspace: &Workspace) -> anyhow::Result<Sample> {
    let master = first(workspace, "booking.resource").await?;
    let service = first(workspace, "booking.service").await?;
    let zone = workspace.locale().zone.clone();
    let day = workspace.now().to_zoned(zone.clone()).date().checked_add((DAYS_AHEAD + 1).days())?;
    let starts_at = day.at(11, 0, 0, 0).to_zoned(zone)?.timestamp();
    Ok(Sample { service, master, starts_at })
}

async fn first(workspace: &Workspace, object: &str) -> anyhow::Result<Id> {
    let query = Query {
        object: ObjectName::new(object)?,
        filter: None,
        parameters: vec![],
        now: workspace.now(),
        sort: vec![],
        fields: Some(vec![]),
        limit: 1,
        after: None,
    };
    let page = workspace.list(&actor(), &query).await?;
    page.records.first().map(|record| record.id).with_context(|| format!("the demo has no {object}"))
}
