//! What is refused, and how that is told.

use super::{Type, World};

/// Every line with its error and place.
pub(super) fn errors(sources: &str) -> String {
    let world = World::new();
    let told = sources.lines().map(str::trim).filter(|line| !line.is_empty()).map(|source| {
        match world.compile(source, &Type::Bool) {
            Ok(_) => format!("{source}\n    compiles"),
            Err(error) => format!("{}\n    {}", error.excerpt, error.message),
        }
    });
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn unknown_names_are_told_with_what_there_is() {
    insta::assert_snapshot!(errors(
        "
        paid && statsu == 'booked'
        master.nmae == 'a'
        master.rate.amount == 1
        contact.salon.preferred_master.name == 'a'
        parent.contact.name == 'a'
        settings.vip == 1
        name.first == 'a'
        p9 == 1
        names().size() > 1
        "
    ), @r"
    paid && statsu == 'booked'
            ^
        booking.appointment has no field statsu (did you mean status?); there are: name, visits, discount, price, paid, day, starts_at, ends_at, pause, status, contact, master, parent, labels, extra, missing, missing_text, missing_flag, missing_at, other_price, …, now
    master.nmae == 'a'
    ^
        booking.resource has no field nmae (did you mean name?); there are: name, rate, kind, chief, id, version, created_at, updated_at
    master.rate.amount == 1
    ^
        money has the parts master.rate.amount_minor and master.rate.currency
    contact.salon.preferred_master.name == 'a'
        compiles
    parent.contact.name == 'a'
        compiles
    settings.vip == 1
    ^
        no setting is called vip; there are: opening, unset, vip_after
    name.first == 'a'
    ^
        name is a value of type text and has no parts
    p9 == 1
    ^
        booking.appointment has no field p9 (did you mean p0?); there are: name, visits, discount, price, paid, day, starts_at, ends_at, pause, status, contact, master, parent, labels, extra, missing, missing_text, missing_flag, missing_at, other_price, …, now
    names().size() > 1
    ^
        there is no function names(); there are: timestamp('…'), date(x), duration('…'), days(n), hours(n), minutes(n), day(x), week(x), month(x), quarter(x), year(x), has(x), size(text)
    ");
}

#[test]
fn values_that_do_not_compare_are_told_with_what_to_write() {
    insta::assert_snapshot!(errors(
        "
        visits == '3'
        name == 3
        name
        day == '31.03.2026'
        day < now
        starts_at > '2026-04-01'
        master == 'Anna'
        master == contact
        discount == visits
        price > 100
        labels == 'vip'
        extra == 'a'
        status == 'boked'
        paid > false
        "
    ), @r#"
    visits == '3'
              ^
        integer and text cannot be compared; write the number without quotes
    name == 3
            ^
        text and integer cannot be compared; write the text in quotes
    name
    ^
        a condition must stand here, but this is a value of type text; compare it with something
    day == '31.03.2026'
           ^
        "31.03.2026" is not a date like '2026-03-31'
    day < now
          ^
        date and datetime cannot be compared; write date(x) for the day of a datetime here
    starts_at > '2026-04-01'
                ^
        "2026-04-01" is not an instant with its zone, like '2026-03-31T10:00:00Z'
    master == 'Anna'
              ^
        "Anna" is not an id like '01890a5d-ac96-774b-bcce-b302099a8057'
    master == contact
              ^
        ref to booking.resource and ref to contact cannot be compared
    discount == visits
                ^
        decimal and integer cannot be compared; only a constant integer becomes a decimal
    price > 100
            ^
        money and integer cannot be compared; compare its parts, price.amount_minor and price.currency
    labels == 'vip'
    ^
        tags are looked for one by one: 'x' in labels
    extra == 'a'
    ^
        of JSON only == null and != null can be asked
    status == 'boked'
              ^
        status has no code "boked" (did you mean booked?); there are: booked, arrived, cancelled
    paid > false
         ^
        values of type bool have no order; write == or !=
    "#);
}

#[test]
fn operations_that_do_not_fit_are_told_with_what_to_write() {
    insta::assert_snapshot!(errors(
        "
        starts_at > now + 1
        starts_at > now - '24h'
        pause > duration('1 day')
        discount * 2 > 3
        price.amount_minor + price > 1
        'vip' in name
        status in ['booked', 'paid']
        visits < null
        visits in [1, null]
        name + 'a' == 'b'
        -name == 'a'
        day + days(1) == '2026-01-01'
        duration(24) == pause
        timestamp(name) == now
        name.contains(3)
        "
    ), @r#"
    starts_at > now + 1
                    ^
        datetime + integer has no meaning; write days(n), hours(n) or minutes(n)
    starts_at > now - '24h'
                    ^
        datetime - text has no meaning; write duration('24h')
    pause > duration('1 day')
                     ^
        "1 day" is not a length of time like '24h', '1h30m', '90s' or '2d'
    discount * 2 > 3
             ^
        decimal * integer has no meaning; only integers and durations multiply
    price.amount_minor + price > 1
                       ^
        integer + money has no meaning; write price.amount_minor
    'vip' in name
             ^
        after in stands a list, ['a', 'b'], or tags, but this is text
    status in ['booked', 'paid']
                         ^
        status has no code "paid"; there are: booked, arrived, cancelled
    visits < null
           ^
        null is neither less nor greater; write x == null or x != null
    visits in [1, null]
                  ^
        null is never in a list; write x == null
    name + 'a' == 'b'
         ^
        text + text has no meaning; texts cannot be joined
    -name == 'a'
    ^
        - can stand before a number or a duration, but this is a value of type text
    day + days(1) == '2026-01-01'
        compiles
    duration(24) == pause
             ^
        duration() takes a text that is written out: duration('…')
    timestamp(name) == now
              ^
        timestamp() takes a text that is written out: timestamp('…')
    name.contains(3)
                  ^
        a text must stand here, but this is a value of type integer
    "#);
}

#[test]
fn syntax_of_other_languages_is_told_with_what_to_write() {
    insta::assert_snapshot!(errors(
        "
        paid and paid
        not paid
        status = 'booked'
        status <> 'booked'
        paid ? true : false
        visits / 2 == 1
        labels[0] == 'vip'
        labels.exists(x, x == 'vip')
        name.matches('a.*')
        size(name) > 3
        hour(1) == pause
        name == «Анна»
        if == 1
        `name` == 'a'
        "
    ), @r"
    paid and paid
         ^
        write && for and
    not paid
    ^
        write ! for not, != for not equal
    status = 'booked'
           ^
        write == to compare; an expression cannot set anything
    status <> 'booked'
           ^
        write != for not equal
    paid ? true : false
        compiles
    visits / 2 == 1
           ^
        expressions have no division; multiply the other side instead
    labels[0] == 'vip'
          ^
        expressions have no index; to look for a tag: 'x' in tags
    labels.exists(x, x == 'vip')
    ^
        no records are called labels; those that refer to booking.appointment: booking.appointments, booking.visits, booking.payments
    name.matches('a.*')
         ^
        there is no .matches(); there are: a.startsWith(b), a.endsWith(b), a.contains(b), a.size(), a.getFullYear(), a.getMonth(), a.getDate(), a.getDayOfWeek(), a.getHours(), a.getMinutes(), and of records exists, count, sum, min, max
    size(name) > 3
        compiles
    hour(1) == pause
    ^
        there is no function hour() (did you mean hours?); there are: timestamp('…'), date(x), duration('…'), days(n), hours(n), minutes(n), day(x), week(x), month(x), quarter(x), year(x), has(x), size(text)
    name == «Анна»
            ^
        write texts in plain quotes: 'text'
    if == 1
    ^
        write condition ? yes : no
    `name` == 'a'
    ^
        '`' has no meaning here; a text needs quotes: 'text'
    ");
}

#[test]
fn broken_syntax_is_told_with_its_place() {
    insta::assert_snapshot!(errors(
        "
        name == 'Haircut
        (visits == 3
        visits == 3)
        visits ==
        visits == 3 4
        visits == 99999999999999999999
        visits == 3u
        name == '\\q'
        [1] == [1]
        .name == 'a'
        name == b'a'
        days(1, 2) == pause
        "
    ), @r#"
    name == 'Haircut
            ^
        the text that starts here has no closing ' on its line
    (visits == 3
    ^
        this bracket has no closing )
    visits == 3)
               ^
        this ) closes nothing
    visits ==
             ^
        the expression ends too early: something must follow here
    visits == 3 4
                ^
        "4" cannot stand here
    visits == 99999999999999999999
              ^
        99999999999999999999 is out of the range of numbers
    visits == 3u
              ^
        write the number without u
    name == '\q'
            ^
        the text has a bad escape; write \\ for \ and \' for '
    [1] == [1]
    ^
        a list can only stand after in: status in ['a', 'b']
    .name == 'a'
     ^
        no point can stand before the first name
    name == b'a'
            ^
        write the text without b
    days(1, 2) == pause
    ^
        days() takes one value
    "#);
}
