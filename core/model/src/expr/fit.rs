//! Which types go together: coercion of constants, comparisons, sums.
//!
//! An operand of type null is either the word `null`, which is only good for `== null`, or a value that
//! is not there (a setting without a value, a parameter of unknown type), which takes the type of the other side.

use super::{Compare, Node, NodeKind, Scope, TextTest, Type, error::Fault, evaluate, literal, names};
use crate::value::Value;

/// A checked part and what is known of it besides.
pub(super) struct Operand<'a> {
    /// The part.
    pub(super) node: Node,
    /// Where it starts in the text.
    pub(super) at: usize,
    /// The declared codes, if it is a choice.
    pub(super) codes: Option<&'a [String]>,
    /// How it is written, if it is a name.
    pub(super) path: Option<String>,
    /// Whether it is the word `null`.
    pub(super) is_null_word: bool,
}

impl<'a> Operand<'a> {
    /// A part that is not a choice and not the word null.
    pub(super) fn new(node: Node, at: usize) -> Self {
        Self { node, at, codes: None, path: None, is_null_word: false }
    }

    /// A part that has a name.
    pub(super) fn named(named: names::Named<'a>, path: String, at: usize) -> Self {
        Self { codes: named.codes, path: Some(path), ..Self::new(named.node, at) }
    }

    /// The word `null`.
    pub(super) fn null_word(at: usize) -> Self {
        let node = Node { kind: NodeKind::Literal(Value::Null), ty: Type::Null };
        Self { is_null_word: true, ..Self::new(node, at) }
    }

    fn bool(kind: NodeKind, at: usize) -> Self {
        Self::new(Node { kind, ty: Type::Bool }, at)
    }

    /// Its value, if it is a constant.
    pub(super) fn constant(&self) -> Option<&Value> {
        if let NodeKind::Literal(value) = &self.node.kind { Some(value) } else { None }
    }

    fn is_absent(&self) -> bool {
        self.constant().is_some_and(Value::is_null)
    }

    /// Its name, for messages.
    pub(super) fn shown(&self) -> &str {
        self.path.as_deref().unwrap_or("it")
    }
}

/// A constant.
pub(super) fn literal_node(value: Value, ty: Type) -> Node {
    Node { kind: NodeKind::Literal(value), ty }
}

/// The root: of the expected type, or absent.
pub(super) fn whole(root: Operand<'_>, expected: &Type, scope: &Scope<'_>) -> Result<Node, Fault> {
    if *expected == Type::Bool {
        return condition(root);
    }
    let at = root.at;
    let is_null_word = root.is_null_word;
    let mut root = coerce(root, expected)?;
    if is_null_word {
        root.node.ty = expected.clone();
    }
    if is_same(&root.node, &literal_node(Value::Null, expected.clone()), scope) {
        return Ok(root.node);
    }
    Err(Fault::new(at, format!("the expression must give a value of type {expected}, but this is {}", root.node.ty)))
}

/// Something that is true or false.
pub(super) fn condition(part: Operand<'_>) -> Result<Node, Fault> {
    let mut node = part.node;
    match &node.ty {
        Type::Bool if matches!(node.kind, NodeKind::Literal(Value::Null)) => {
            Ok(literal_node(Value::Bool(false), Type::Bool))
        }
        Type::Bool => Ok(node),
        Type::Null if part.is_null_word => Err(Fault::new(part.at, "null is no condition; write false")),
        Type::Null if matches!(node.kind, NodeKind::Literal(_)) => Ok(literal_node(Value::Bool(false), Type::Bool)),
        Type::Null => {
            node.ty = Type::Bool;
            Ok(node)
        }
        ty => Err(Fault::new(
            part.at,
            format!("a condition must stand here, but this is a value of type {ty}; compare it with something"),
        )),
    }
}

/// `!a`
pub(super) fn not<'a>(inner: Node, at: usize) -> Operand<'a> {
    match inner.kind {
        NodeKind::Literal(Value::Bool(flag)) => Operand::bool(NodeKind::Literal(Value::Bool(!flag)), at),
        kind => Operand::bool(NodeKind::Not(Box::new(Node { kind, ty: inner.ty })), at),
    }
}

fn is_null<'a>(part: Operand<'_>) -> Operand<'a> {
    match part.constant() {
        Some(value) => Operand::bool(NodeKind::Literal(Value::Bool(value.is_null())), part.at),
        None => Operand::bool(NodeKind::IsNull(Box::new(part.node)), part.at),
    }
}

/// `has(x)`, that is `x != null`.
pub(super) fn has<'a>(part: Operand<'_>) -> Operand<'a> {
    let at = part.at;
    not(is_null(part).node, at)
}

/// Makes a constant or a parameter of unknown type one of the type, where that can be done.
pub(super) fn coerce<'a>(mut part: Operand<'a>, ty: &Type) -> Result<Operand<'a>, Fault> {
    if part.node.ty == Type::Null && !part.is_null_word {
        part.node.ty = ty.clone();
        return Ok(part);
    }
    let value = match (part.constant(), ty) {
        (Some(Value::Text(text)), _) => match literal::read(text, ty) {
            Some(read) => read.map_err(|message| Fault::new(part.at, message))?,
            None => return Ok(part),
        },
        (Some(Value::Integer(number)), Type::Decimal) => Value::Decimal((*number).into()),
        _ => return Ok(part),
    };
    Ok(Operand { node: literal_node(value, ty.clone()), ..part })
}

fn is_same(a: &Node, b: &Node, scope: &Scope<'_>) -> bool {
    match (&a.ty, &b.ty) {
        (Type::Id, Type::Ref(object)) => is_open(a) || *object == scope.object.name,
        (Type::Ref(object), Type::Id) => is_open(b) || *object == scope.object.name,
        (a, b) => a == b,
    }
}

/// A constant or parameter that is any id becomes one of the other side's object.
fn name_object(node: &mut Node, other: &Node) {
    if node.ty == Type::Id && is_open(node) && matches!(other.ty, Type::Ref(_)) {
        node.ty = other.ty.clone();
    }
}

fn is_open(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Parameter(_) | NodeKind::Literal(_))
}

/// Two parts that are compared.
fn unify<'a>(a: Operand<'a>, b: Operand<'a>, scope: &Scope<'_>) -> Result<(Operand<'a>, Operand<'a>), Fault> {
    let (a, b) = meet(a, b, scope, "be compared")?;
    check_codes(&a, &b)?;
    check_codes(&b, &a)?;
    Ok((a, b))
}

/// Two parts made of one type.
fn meet<'a>(
    a: Operand<'a>,
    b: Operand<'a>,
    scope: &Scope<'_>,
    purpose: &str,
) -> Result<(Operand<'a>, Operand<'a>), Fault> {
    let mut a = coerce(a, &b.node.ty)?;
    let mut b = coerce(b, &a.node.ty)?;
    if is_same(&a.node, &b.node, scope) {
        name_object(&mut a.node, &b.node);
        name_object(&mut b.node, &a.node);
        return Ok((a, b));
    }
    let hint = match (&a.node.ty, &b.node.ty) {
        (Type::Date, Type::DateTime) | (Type::DateTime, Type::Date) => "; write date(x) for the day of a datetime here",
        (Type::Ref(_) | Type::Id, Type::Text) | (Type::Text, Type::Ref(_) | Type::Id) => {
            "; write the id as a text, or read a field of it"
        }
        (Type::Money, Type::Integer | Type::Decimal) | (Type::Integer | Type::Decimal, Type::Money) => {
            "; compare its parts, price.amount_minor and price.currency"
        }
        (Type::Integer, Type::Text) => "; write the number without quotes",
        (Type::Text, Type::Integer | Type::Decimal) => "; write the text in quotes",
        (Type::Integer, Type::Decimal) | (Type::Decimal, Type::Integer) => {
            "; only a constant integer becomes a decimal"
        }
        _ => "",
    };
    Err(Fault::new(b.at, format!("{} and {} cannot {purpose}{hint}", a.node.ty, b.node.ty)))
}

/// A code that a choice does not have is a mistake in spelling, not a comparison that is never true.
fn check_codes(choice: &Operand<'_>, constant: &Operand<'_>) -> Result<(), Fault> {
    let (Some(codes), Some(Value::Text(code))) = (choice.codes, constant.constant()) else { return Ok(()) };
    if codes.contains(code) {
        return Ok(());
    }
    let near = names::meant(code, codes.iter().map(String::as_str));
    let field = choice.shown();
    Err(Fault::new(constant.at, format!("{field} has no code {code:?}{near}; there are: {}", codes.join(", "))))
}

/// A part that can be compared at all.
fn comparable<'a>(part: Operand<'a>) -> Result<Operand<'a>, Fault> {
    let message = match part.node.ty {
        Type::Tags => format!("tags are looked for one by one: 'x' in {}", part.path.as_deref().unwrap_or("tags")),
        Type::Json => "of JSON only == null and != null can be asked".to_owned(),
        _ => return Ok(part),
    };
    Err(Fault::new(part.at, message))
}

/// `a == b` and its sisters.
pub(super) fn compare<'a>(
    op: Compare,
    a: Operand<'a>,
    b: Operand<'a>,
    scope: &Scope<'_>,
    sign: usize,
) -> Result<Operand<'a>, Fault> {
    let at = a.at;
    if a.is_null_word || b.is_null_word {
        let test = is_null(if b.is_null_word { a } else { b }).node;
        return match op {
            Compare::Equal => Ok(Operand::new(test, at)),
            Compare::NotEqual => Ok(not(test, at)),
            _ => Err(Fault::new(sign, "null is neither less nor greater; write x == null or x != null")),
        };
    }
    let (a, b) = unify(comparable(a)?, comparable(b)?, scope)?;
    let is_equality = matches!(op, Compare::Equal | Compare::NotEqual);
    if let (false, Type::Bool | Type::Ref(_)) = (is_equality, &a.node.ty) {
        return Err(Fault::new(sign, format!("values of type {} have no order; write == or !=", a.node.ty)));
    }
    if let (Some(left), Some(right)) = (a.constant(), b.constant()) {
        let holds = evaluate::compare(op, left, right);
        return Ok(Operand::bool(NodeKind::Literal(Value::Bool(holds)), at));
    }
    if a.is_absent() || b.is_absent() {
        return Ok(Operand::bool(NodeKind::Literal(Value::Bool(op == Compare::NotEqual)), at));
    }
    Ok(Operand::bool(NodeKind::Compare(op, Box::new(a.node), Box::new(b.node)), at))
}

/// `a ? b : c`
pub(super) fn choose<'a>(
    condition: Node,
    yes: Operand<'a>,
    no: Operand<'a>,
    scope: &Scope<'_>,
    at: usize,
) -> Result<Operand<'a>, Fault> {
    let (yes, no) = match (yes.is_null_word, no.is_null_word) {
        (true, true) => return Err(Fault::new(at, "one of the two answers must have a value")),
        (true, false) => (as_absent(yes, &no), no),
        (false, true) => {
            let no = as_absent(no, &yes);
            (yes, no)
        }
        (false, false) => meet(yes, no, scope, "both be the answer")?,
    };
    let ty = yes.node.ty.clone();
    if matches!(ty, Type::Null | Type::Tags | Type::Json) {
        let message =
            format!("an answer cannot be of type {ty}; write values whose type is known, and no tags or JSON");
        return Err(Fault::new(yes.at, message));
    }
    let kind = match condition.kind {
        NodeKind::Literal(Value::Bool(true)) => return Ok(Operand { at, codes: None, ..yes }),
        NodeKind::Literal(_) => return Ok(Operand { at, codes: None, ..no }),
        _ => NodeKind::If(Box::new(condition), Box::new(yes.node), Box::new(no.node)),
    };
    Ok(Operand::new(Node { kind, ty }, at))
}

/// The word null as an absent value of the other side's type.
fn as_absent<'a>(null: Operand<'a>, other: &Operand<'_>) -> Operand<'a> {
    Operand::new(literal_node(Value::Null, other.node.ty.clone()), null.at)
}

/// `a in [b, c]`
pub(super) fn is_in<'a>(
    item: Operand<'a>,
    list: Vec<Operand<'a>>,
    scope: &Scope<'_>,
    at: usize,
) -> Result<Operand<'a>, Fault> {
    let mut item = comparable(item)?;
    let mut elements = Vec::with_capacity(list.len());
    for element in list {
        if item.is_null_word || element.is_null_word {
            return Err(Fault::new(element.at, "null is never in a list; write x == null"));
        }
        let (left, element) = unify(item, comparable(element)?, scope)?;
        if left.node.ty == Type::Money {
            return Err(Fault::new(element.at, "money is not looked for in lists; write a == b || a == c"));
        }
        item = left;
        if !element.is_absent() {
            elements.push(element.node);
        }
    }
    if item.is_null_word {
        return Err(Fault::new(at, "null is never in a list; write x == null"));
    }
    let kind = if elements.is_empty() || item.is_absent() {
        NodeKind::Literal(Value::Bool(false))
    } else {
        NodeKind::In(Box::new(item.node), elements)
    };
    Ok(Operand::bool(kind, at))
}

/// `'x' in tags`
pub(super) fn has_tag<'a>(tags: Operand<'a>, tag: Operand<'a>, at: usize) -> Result<Operand<'a>, Fault> {
    if tags.node.ty != Type::Tags {
        let message = format!("after in stands a list, ['a', 'b'], or tags, but this is {}", tags.node.ty);
        return Err(Fault::new(tags.at, message));
    }
    let tag = text(tag)?;
    let kind = if tag.is_absent() || tags.is_absent() {
        NodeKind::Literal(Value::Bool(false))
    } else {
        NodeKind::HasTag(Box::new(tags.node), Box::new(tag.node))
    };
    Ok(Operand::bool(kind, at))
}

fn text<'a>(part: Operand<'a>) -> Result<Operand<'a>, Fault> {
    let at = part.at;
    let part = coerce(part, &Type::Text)?;
    if part.node.ty == Type::Text {
        return Ok(part);
    }
    Err(Fault::new(at, format!("a text must stand here, but this is a value of type {}", part.node.ty)))
}

/// `a.contains(b)` and its sisters.
pub(super) fn text_test<'a>(test: TextTest, a: Operand<'a>, b: Operand<'a>, at: usize) -> Result<Operand<'a>, Fault> {
    let (a, b) = (text(a)?, text(b)?);
    let kind = match (a.constant(), b.constant()) {
        (Some(left), Some(right)) => NodeKind::Literal(Value::Bool(evaluate::text_test(test, left, right))),
        _ if a.is_absent() || b.is_absent() => NodeKind::Literal(Value::Bool(false)),
        _ => NodeKind::TextTest(test, Box::new(a.node), Box::new(b.node)),
    };
    Ok(Operand::bool(kind, at))
}

/// `timestamp('…')` and its sisters: a constant of the type.
pub(super) fn constant<'a>(part: Operand<'a>, ty: &Type, function: &str) -> Result<Operand<'a>, Fault> {
    let at = part.at;
    match part.constant() {
        Some(Value::Text(_)) => coerce(Operand { path: None, ..part }, ty),
        Some(Value::Null) if !part.is_null_word => coerce(part, ty),
        Some(value) if ty.fits(value) => Ok(part),
        _ => Err(Fault::new(at, format!("{function}() takes a text that is written out: {function}('…')"))),
    }
}
