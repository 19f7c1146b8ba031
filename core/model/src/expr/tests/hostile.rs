//! Texts that are made to break the compiler.

use proptest::prelude::*;

use super::{Type, World, value};
use crate::value::Value;

#[test]
fn hostile_texts_are_refused_before_they_cost_anything() {
    let world = World::new();
    let long = |part: &str| part.repeat(4_096 / part.len());
    let sources = [
        String::new(),
        " \n\t".to_owned(),
        "a".repeat(5_000),
        long("("),
        long("["),
        long("!"),
        long("- "),
        long("a."),
        long("1+"),
        long("(1+"),
        long("a.f("),
        long("a=="),
        long("x in "),
        long("has("),
        long("[["),
        long("&&"),
        long("'"),
        long("''"),
        long("\\"),
        long("a,"),
        long("1 "),
        long("я"),
        format!("{}paid{}", "(".repeat(2_000), ")".repeat(2_000)),
        format!("{}paid{}", "!(".repeat(1_000), ")".repeat(1_000)),
        format!("paid{}", " && paid".repeat(510)),
        format!("1{} == 1", "+1".repeat(2_000)),
    ];
    for source in sources {
        let error = world.compile(&source, &Type::Bool).unwrap_err();
        assert!(error.message.len() < 700, "{}", error.message);
    }
    let wide = format!("paid{}", " || paid".repeat(240));
    assert!(world.compile(&wide, &Type::Bool).is_ok());
    let deep = format!("{}paid{}", "!(".repeat(31), ")".repeat(31));
    assert!(world.compile(&deep, &Type::Bool).is_ok());
}

/// Pieces that make texts which are nearly expressions.
fn nearly_expression() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "name",
        "visits",
        "discount",
        "price",
        "starts_at",
        "pause",
        "status",
        "master",
        "labels",
        "missing",
        "paid",
        ".",
        "name",
        "amount_minor",
        "settings",
        "unset",
        "now",
        "p0",
        "p2",
        "null",
        "true",
        "(",
        ")",
        "[",
        "]",
        ",",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        "+",
        "-",
        "*",
        "in",
        "'a'",
        "'2026-01-01'",
        "'24h'",
        "1",
        "2.5",
        "9223372036854775807",
        "days(",
        "has(",
        "duration(",
        ".contains(",
        "'",
        "\\",
        "?",
        "я",
        "u",
        "e9",
        "0x",
    ]);
    prop::collection::vec(pieces, 0..20).prop_map(|pieces| pieces.join(" "))
}

/// Conditions that mostly compile.
fn condition() -> impl Strategy<Value = String> {
    let number =
        prop::sample::select(vec!["visits", "missing", "p0", "p2", "3", "-9223372036854775808", "settings.unset"])
            .prop_map(str::to_owned);
    let sum = number.prop_recursive(4, 16, 2, |inner| {
        (inner.clone(), prop::sample::select(vec!["+", "-", "*"]), inner)
            .prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    });
    let leaf = (sum.clone(), prop::sample::select(vec!["==", "!=", "<", ">="]), sum)
        .prop_map(|(a, op, b)| format!("{a} {op} {b}"));
    leaf.prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} || {b}")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(source in ".{0,200}", nearly in nearly_expression()) {
        let world = World::new();
        for source in [source, nearly] {
            if let Err(error) = world.compile(&source, &Type::Bool) {
                prop_assert!(error.position.is_some_and(|at| at <= source.chars().count()), "{}", error);
            } else {
                prop_assert!(value(&world, &source, &Type::Bool).is_ok() || source.contains(['+', '-', '*']));
            }
        }
    }

    #[test]
    fn evaluation_gives_a_bool_or_an_error_and_not_is_the_opposite(source in condition()) {
        let world = World::new();
        let opposite = format!("!({source})");
        match (value(&world, &source, &Type::Bool), value(&world, &opposite, &Type::Bool)) {
            (Ok(Value::Bool(holds)), Ok(Value::Bool(fails))) => prop_assert_ne!(holds, fails, "{}", source),
            (Err(one), Err(_)) => prop_assert!(one.contains("out of range") || one.contains("too deep"), "{}: {}", source, one),
            other => prop_assert!(false, "{}: {:?}", source, other),
        }
    }
}
