//! `unique` that knows case, absent values and conditions: against a model, by many at once, and over data that are there.

use std::sync::Arc;

use pergola_testkit::TestHost;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::{
    rules::{code, run},
    told,
};

const CLUB: &str = r#"
[object.team]
fields.name = { type = "text" }
[object.member]
fields.team = { type = "ref", to = "club.team" }
fields.name = { type = "text" }
fields.place = { type = "integer" }
fields.status = { type = "choice", of = ["active", "left"] }
"#;

const RULES: &str = r#"
unique = [
    { fields = ["team", "name"], ignore_case = true, when = "status == 'active'" },
    { fields = ["team", "place"], nulls = "equal", when = "status == 'active' || place == 0" },
    { fields = ["place", "team"] },
]
[extend.contact]
fields.card = { type = "text" }
fields.shop = { type = "integer" }
unique = [{ fields = ["card", "shop"], ignore_case = true, nulls = "equal", when = "club.card != null" }, { fields = ["shop", "email"] }]
"#;

async fn install(host: &TestHost, version: &str, rest: &str) -> anyhow::Result<()> {
    host.install_manifest(&format!("id = \"club\"\nversion = \"{version}\"\napi = \"0.1\"\n{CLUB}{rest}")).await
}

async fn club() -> TestHost {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    install(&host, "1.0.0", RULES).await.unwrap();
    host
}

const NAMES: [&str; 5] = ["Anna", "ANNA", "Ёлка", "ёлка", "Straße"];

/// What a member may be, as the model knows it: team, name, place, whether active.
type Member = (Option<usize>, Option<&'static str>, Option<i64>, bool);

#[derive(Debug, Clone)]
enum Step {
    Create(Member),
    Update(usize, Member),
    Delete(usize),
}

fn member() -> impl Strategy<Value = Member> {
    let name = prop::option::weighted(0.8, prop::sample::select(NAMES.to_vec()));
    (prop::option::weighted(0.8, 0..2_usize), name, prop::option::weighted(0.7, 0..3_i64), any::<bool>())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => member().prop_map(Step::Create),
        3 => (0..8_usize, member()).prop_map(|(which, member)| Step::Update(which, member)),
        1 => (0..8_usize).prop_map(Step::Delete),
    ];
    prop::collection::vec(step, 1..30)
}

/// The rules in plain words.
fn clash(one: &Member, other: &Member) -> bool {
    let fold = |name: Option<&str>| name.map(str::to_lowercase);
    let both = |test: fn(&Member) -> bool| test(one) && test(other);
    let same_team = one.0 == other.0;
    let names = one.0.is_some() && one.1.is_some() && same_team && fold(one.1) == fold(other.1) && both(|one| one.3);
    let places = same_team && one.2 == other.2 && both(|one| one.3 || one.2 == Some(0));
    let plain = one.0.is_some() && one.2.is_some() && same_team && one.2 == other.2;
    names || places || plain
}

async fn follow(steps: Vec<Step>) {
    let host = club().await;
    let teams = [json!({"name": "A"}), json!({"name": "B"})];
    let mut ids = Vec::new();
    for team in &teams {
        ids.push(host.create("club.team", team).await.unwrap()["id"].clone());
    }
    let json_of = |member: &Member| {
        json!({
            "team": member.0.map(|team| ids[team].clone()),
            "name": member.1,
            "place": member.2,
            "status": if member.3 { "active" } else { "left" },
        })
    };
    let mut model: Vec<(Json, Member)> = Vec::new();
    for step in steps {
        match step {
            Step::Create(new) => {
                let is_free = !model.iter().any(|(_, other)| clash(&new, other));
                let made = host.create("club.member", &json_of(&new)).await;
                assert_eq!(code(&made), if is_free { "done" } else { "taken" }, "{new:?} among {model:?}");
                model.extend(made.ok().map(|made| (made["id"].clone(), new)));
            }
            Step::Update(which, new) if which < model.len() => {
                let others = || model.iter().enumerate().filter(|(place, _)| *place != which);
                let is_free = !others().any(|(_, (_, other))| clash(&new, other));
                let done = host.update("club.member", &model[which].0, &json_of(&new)).await;
                assert_eq!(code(&done), if is_free { "done" } else { "taken" }, "{which} to {new:?} among {model:?}");
                if is_free {
                    model[which].1 = new;
                }
            }
            Step::Delete(which) if which < model.len() => {
                let (id, _) = model.remove(which);
                host.delete("club.member", &id).await.unwrap();
            }
            _ => {}
        }
    }
    assert_eq!(host.list("club.member", "").await.unwrap().len(), model.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_refuses_what_the_model_refuses(steps in steps()) {
        run(follow(steps));
    }
}

#[tokio::test]
async fn a_refusal_names_the_fields_and_says_nothing_of_keys() {
    let host = club().await;
    let team = host.create("club.team", &json!({"name": "A"})).await.unwrap()["id"].clone();
    let anna = json!({"team": team, "name": "Anna", "place": 1, "status": "active"});
    host.create("club.member", &anna).await.unwrap();
    let again = json!({"team": team, "name": "ANNA", "place": 2, "status": "active"});
    let refused = told(host.create("club.member", &again).await);
    assert_eq!(refused, r#"taken ["team", "name"]: another club.member has the same team and name"#);
    let card = |card: &str, shop: Option<i64>| json!({"name": "A", "club": {"card": card, "shop": shop}});
    host.create("contact", &card("ab1", None)).await.unwrap();
    host.create("contact", &card("AB1", Some(1))).await.unwrap();
    host.create("contact", &json!({"name": "without a card"})).await.unwrap();
    host.create("contact", &json!({"name": "nor this one"})).await.unwrap();
    let refused = told(host.create("contact", &card("Ab1", None)).await);
    assert_eq!(refused, r#"taken ["club.card", "club.shop"]: another contact has the same club.card and club.shop"#);
}

#[tokio::test]
async fn long_texts_that_differ_at_their_ends_are_two() {
    let host = club().await;
    let team = host.create("club.team", &json!({"name": "A"})).await.unwrap()["id"].clone();
    let long = |end: &str| json!({"team": team, "name": format!("{}{end}", "ж".repeat(990)), "status": "active"});
    let with_place = |mut member: Json, place: i64| {
        member["place"] = json!(place);
        member
    };
    host.create("club.member", &with_place(long("a"), 1)).await.unwrap();
    host.create("club.member", &with_place(long("b"), 2)).await.unwrap();
    assert_eq!(code(&host.create("club.member", &with_place(long("A"), 3)).await), "taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_the_same_at_once_one_gets_it() {
    let host = Arc::new(club().await);
    let team = host.create("club.team", &json!({"name": "A"})).await.unwrap()["id"].clone();
    let wishes = (0..24_i64).map(|number| {
        let (host, team) = (Arc::clone(&host), team.clone());
        tokio::spawn(async move {
            let name = if number % 2 == 0 { "ёлка" } else { "ЁЛКА" };
            let wish = json!({"team": team, "name": name, "place": number, "status": "active"});
            code(&host.create("club.member", &wish).await)
        })
    });
    let mut codes = Vec::new();
    for wish in wishes {
        codes.push(wish.await.unwrap());
    }
    assert_eq!(codes.iter().filter(|code| *code == "done").count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| code == "done" || code == "taken"), "{codes:?}");
    assert_eq!(host.list("club.member", "").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_rule_over_data_that_are_there_counts_them_or_names_those_that_break_it() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    install(&host, "1.0.0", "").await.unwrap();
    let mut twins = Vec::new();
    for number in 0..600 {
        let name = if number < 12 { format!("Twin {}", number % 6) } else { format!("Member {number}") };
        let name = if number < 6 { name.to_uppercase() } else { name };
        let made = host.create("club.member", &json!({"name": name, "status": "active"})).await.unwrap();
        if number < 12 {
            twins.push(made["id"].clone());
        }
    }
    let rule = "unique = [{ fields = [\"name\"], ignore_case = true, when = \"status == 'active'\" }]";
    let refused = install(&host, "1.1.0", rule).await.unwrap_err().to_string();
    assert_eq!(refused.matches("win ").count() + refused.matches("WIN ").count(), 10, "{refused}");
    assert!(refused.starts_with("cannot make name of club.member unique"), "{refused}");
    assert!(refused.contains(twins[0].as_str().unwrap()) && refused.contains("and others"), "{refused}");
    let same = json!({"name": "member 599", "status": "active"});
    host.create("club.member", &same).await.expect("nothing of the rule is kept");

    for twin in twins.iter().take(6) {
        host.update("club.member", twin, &json!({"status": "left"})).await.unwrap();
    }
    let doubled = host.list("club.member", "name == 'member 599'").await.unwrap();
    host.delete("club.member", &doubled[0]["id"]).await.unwrap();
    install(&host, "1.1.0", rule).await.unwrap();
    assert_eq!(code(&host.create("club.member", &same).await), "taken");
    assert_eq!(code(&host.update("club.member", &twins[0], &json!({"status": "active"})).await), "taken");
    assert!(host.workspace.examine(false).await.unwrap().is_empty());

    // Another condition is another rule, and none is none.
    let other = "unique = [{ fields = [\"name\"], ignore_case = true, when = \"status == 'left'\" }]";
    install(&host, "1.2.0", other).await.unwrap();
    host.create("club.member", &same).await.unwrap();
    assert_eq!(code(&host.create("club.member", &json!({"name": "twin 0", "status": "left"})).await), "taken");
    install(&host, "1.3.0", "").await.unwrap();
    host.create("club.member", &json!({"name": "twin 0", "status": "left"})).await.unwrap();
    let refused = install(&host, "1.4.0", other).await.unwrap_err().to_string();
    assert!(refused.contains("name of club.member"), "{refused}");
}

#[tokio::test]
async fn a_condition_that_cannot_be_computed_refuses_the_record() {
    let host = TestHost::start_on(super::backend()).await.unwrap();
    let rule = "unique = [{ fields = [\"name\"], when = \"place * 1000000000000 > 0\" }]";
    install(&host, "1.0.0", rule).await.unwrap();
    host.create("club.member", &json!({"name": "A", "place": 1})).await.unwrap();
    let refused = told(host.create("club.member", &json!({"name": "B", "place": i64::MAX})).await);
    assert!(
        refused.starts_with(r#"invalid ["name"]: name: place * 1000000000000 > 0 cannot be computed"#),
        "{refused}"
    );
}
