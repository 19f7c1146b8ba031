//! Proves that frequent filters and orders use indexes, by asking SQLite for its plan.

use std::sync::Arc;

use pergola_model::{
    Catalog, Query, Value,
    catalog::PluginSource,
    expr::{Expression, Scope, Type},
    query::{Cursor, SortKey},
};
use pergola_service::ports::store::Store as _;

use super::{Wanted, list_sql, sort_text};
use crate::{Options, SqliteStore, connect, dialect::Dialect, layout::Layouts, row::Cells, sql::Sql};

const SALON: &str = r#"
id = "salon"
version = "1.0.0"
api = "0.1"
[object.visit]
fields.contact = { type = "ref", to = "contact" }
fields.master = { type = "ref", to = "contact" }
fields.starts_at = { type = "datetime", indexed = true }
fields.ends_at = { type = "datetime" }
fields.number = { type = "integer", unique = true }
fields.note = { type = "text" }
exclude = [{ on = "master", during = ["starts_at", "ends_at"] }]
"#;

fn catalog() -> Catalog {
    let manifest = Arc::new(toml::from_str(SALON).unwrap());
    Catalog::build(&[PluginSource { manifest, digest: String::new(), settings: Default::default() }]).unwrap()
}

fn query(catalog: &Catalog, filter: &str, sort: &str) -> Query {
    query_of(catalog, "salon.visit", filter, sort)
}

fn query_of(catalog: &Catalog, object: &str, filter: &str, sort: &str) -> Query {
    let object = catalog.find_object(object).unwrap();
    let scope = Scope { object, objects: catalog, settings: &Default::default(), parameters: &[], zone: &catalog.zone };
    let sort = sort
        .split_terminator(',')
        .map(|key| SortKey { field: key.trim_start_matches('-').to_owned(), descending: key.starts_with('-') });
    Query {
        object: object.name.clone(),
        filter: Some(Expression::compile(filter, &scope, &Type::Bool).unwrap()),
        parameters: Vec::new(),
        now: jiff::Timestamp::UNIX_EPOCH,
        sort: sort.collect(),
        fields: None,
        limit: 50,
        after: None,
    }
}

async fn plan(catalog: &Catalog, query: &Query) -> String {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("plans.db");
    let store = SqliteStore::open(&path, Options::default()).await.unwrap();
    let steps = store.plan(catalog, &pergola_model::upgrade::Upgrade::default()).await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.apply_schema(&steps).await.unwrap();
    tx.commit().await.unwrap();

    let layouts = Layouts::new(Dialect::Sqlite);
    let layout = layouts.of(catalog.object(&query.object).unwrap());
    let wanted = Wanted::new(&layout, query);
    let mut explain = Sql::new("EXPLAIN QUERY PLAN ");
    explain.append(list_sql(&layouts, catalog, query, &layout, &wanted).unwrap());
    let mut connection = connect::open(&connect::writing(&path, Options::default().busy_timeout)).await.unwrap();
    let rows = connection.fetch_all(explain).await.unwrap();
    let detail = |row| {
        let mut cells = Cells::new(row);
        for _ in 0..3 {
            cells.take::<i64>().unwrap();
        }
        cells.take::<String>().unwrap()
    };
    rows.iter().map(detail).collect::<Vec<_>>().join("\n")
}

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn frequent_filters_use_an_index() {
    let catalog = catalog();
    for (filter, wanted) in [
        (format!("id == '{ID}'"), "SEARCH t USING PRIMARY KEY (id=?)"),
        (format!("contact == '{ID}'"), "USING INDEX salon.visit$contact (contact=?)"),
        (format!("contact in ['{ID}', '{ID}']"), "USING INDEX salon.visit$contact (contact=?)"),
        (format!("contact == '{ID}' && note != 'x' && !(note == null)"), "USING INDEX salon.visit$contact (contact=?)"),
        ("number == 5".to_owned(), "(number=?)"),
        ("starts_at >= now && starts_at < now + duration('7d')".to_owned(), "(starts_at>? AND starts_at<?)"),
        (format!("master == '{ID}' && ends_at > now && starts_at < now"), "(master=? AND ends_at>?)"),
        ("contact.phone == '+79990000001'".to_owned(), "(phone=?)"),
        ("contact.phone == '+79990000001'".to_owned(), "USING INDEX salon.visit$contact (contact=?)"),
        ("contact.name.startsWith('Ан')".to_owned(), "(name>? AND name<?)"),
        (format!("contact == '{ID}' || number == 5"), "MULTI-INDEX OR"),
    ] {
        let plan = plan(&catalog, &query(&catalog, &filter, "")).await;
        assert!(plan.contains(wanted), "{filter}\n{plan}");
    }
}

#[tokio::test]
async fn a_question_about_children_uses_the_index_of_their_reference() {
    let catalog = catalog();
    for filter in [
        "salon.visits.via('contact').exists(v, v.ends_at > now)",
        "salon.visits.via('contact').count(v) > 3",
        "salon.visits.via('contact').sum(v, v.number, v.note != 'x') > 3",
    ] {
        let plan = plan(&catalog, &query_of(&catalog, "contact", filter, "")).await;
        assert!(
            plan.contains("SEARCH c") && plan.contains("INDEX salon.visit$contact (contact=?)"),
            "{filter}\n{plan}"
        );
    }
}

#[tokio::test]
async fn an_indexed_order_needs_no_sorting_and_a_page_starts_at_its_cursor() {
    let catalog = catalog();
    for (sort, bounded) in [("", "(id>?)"), ("-id", "(id<?)"), ("starts_at", "(starts_at>?)"), ("-starts_at", "")] {
        let mut query = query(&catalog, "note != 'x'", sort);
        let values = query.sort.iter().map(|key| match key.field.as_str() {
            "id" => Value::Ref(ID.parse().unwrap()),
            _ => Value::DateTime(query.now),
        });
        let cursor = Cursor { sort: sort_text(&query.sort), values: values.collect(), id: ID.parse().unwrap() };
        for after in [None, Some(cursor)] {
            let is_next = after.is_some();
            query.after = after;
            let plan = plan(&catalog, &query).await;
            assert!(!plan.contains("TEMP B-TREE"), "{sort}\n{plan}");
            assert!(!is_next || plan.contains(bounded), "{sort}\n{plan}");
        }
    }
}
