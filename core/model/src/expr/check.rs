//! From a parsed tree to checked nodes: names resolved, types fitted, constants folded.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators},
};

use super::{
    Compare, NODES_MAX, Node, NodeKind, Scope, TextTest, Type,
    error::{ExprError, Fault},
    fit::{self, Operand},
    literal, names,
    parse::{self, Parsed},
    sum,
};
use crate::value::Value;

const FUNCTIONS: &str = "timestamp('…'), date('…'), duration('…'), days(n), hours(n), minutes(n), has(x)";
const METHODS: &str = "a.startsWith(b), a.endsWith(b), a.contains(b)";

/// Parses and checks a whole expression.
pub(super) fn check(source: &str, scope: &Scope<'_>, expected: &Type) -> Result<Node, ExprError> {
    checked(source, scope, expected).map_err(|fault| fault.of(source))
}

fn checked(source: &str, scope: &Scope<'_>, expected: &Type) -> Result<Node, Fault> {
    let parsed = parse::parse(source)?;
    let mut checker = Checker { scope, parsed: &parsed, nodes: 0 };
    let root = checker.operand(&parsed.root)?;
    fit::whole(root, expected, scope)
}

/// The referring fields that the tree reads through, each once.
pub(super) fn relations(root: &Node) -> Vec<&str> {
    let mut found = Vec::new();
    collect_relations(root, &mut found);
    found
}

fn collect_relations<'a>(node: &'a Node, found: &mut Vec<&'a str>) {
    match &node.kind {
        NodeKind::Related { via, .. } if !found.contains(&via.as_str()) => found.push(via),
        NodeKind::Literal(_)
        | NodeKind::Field(_)
        | NodeKind::Related { .. }
        | NodeKind::Now
        | NodeKind::Parameter(_) => {}
        NodeKind::MoneyPart(inner, _) | NodeKind::Not(inner) | NodeKind::IsNull(inner) => {
            collect_relations(inner, found);
        }
        NodeKind::And(parts) | NodeKind::Or(parts) => parts.iter().for_each(|part| collect_relations(part, found)),
        NodeKind::In(item, list) => {
            collect_relations(item, found);
            list.iter().for_each(|part| collect_relations(part, found));
        }
        NodeKind::Compare(_, a, b)
        | NodeKind::HasTag(a, b)
        | NodeKind::TextTest(_, a, b)
        | NodeKind::Add(a, b)
        | NodeKind::Subtract(a, b)
        | NodeKind::Multiply(a, b) => {
            collect_relations(a, found);
            collect_relations(b, found);
        }
    }
}

struct Checker<'s, 'a> {
    scope: &'s Scope<'a>,
    parsed: &'s Parsed<'s>,
    nodes: usize,
}

impl<'a> Checker<'_, 'a> {
    fn operand(&mut self, expr: &IdedExpr) -> Result<Operand<'a>, Fault> {
        let at = self.parsed.place(expr);
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            return Err(Fault::new(at, format!("the expression has more than {NODES_MAX} parts")));
        }
        match &expr.expr {
            Expr::Literal(constant) => self.literal(expr, constant, at),
            Expr::Ident(_) | Expr::Select(_) => self.name(expr, at),
            Expr::Call(call) => self.call(expr, call, at),
            Expr::List(_) => Err(Fault::new(at, "a list can only stand after in: status in ['a', 'b']")),
            _ => Err(Fault::new(at, "this cannot be part of an expression")),
        }
    }

    fn literal(&self, expr: &IdedExpr, constant: &LiteralValue, at: usize) -> Result<Operand<'a>, Fault> {
        let value = match constant {
            LiteralValue::Null => return Ok(Operand::null_word(at)),
            LiteralValue::Boolean(flag) => Value::Bool(*flag.inner()),
            LiteralValue::Int(number) => Value::Integer(*number.inner()),
            LiteralValue::String(text) => Value::Text(text.inner().to_owned()),
            LiteralValue::Double(number) => {
                let sign = if number.is_sign_negative() { "-" } else { "" };
                let written = self.parsed.written(expr).unwrap_or_default();
                let exact = literal::decimal(&format!("{sign}{}", written.trim_start_matches('-')));
                Value::Decimal(exact.ok_or_else(|| Fault::new(at, format!("{written} has too many digits")))?)
            }
            LiteralValue::UInt(_) => return Err(Fault::new(at, "write the number without u")),
            LiteralValue::Bytes(_) => return Err(Fault::new(at, "write the text without b")),
        };
        let ty = Type::of_value(&value);
        Ok(Operand::new(Node { kind: NodeKind::Literal(value), ty }, at))
    }

    fn name(&self, expr: &IdedExpr, at: usize) -> Result<Operand<'a>, Fault> {
        let mut path = Vec::new();
        let mut rest = expr;
        loop {
            match &rest.expr {
                Expr::Select(select) if !select.test => {
                    path.push(select.field.as_str());
                    rest = &select.operand;
                }
                Expr::Ident(name) => {
                    path.push(name.as_str());
                    break;
                }
                _ => return Err(Fault::new(self.parsed.offset(expr), "only a name can stand before a point")),
            }
        }
        path.reverse();
        if path.first().is_some_and(|name| name.starts_with('.')) {
            return Err(Fault::new(at, "no point can stand before the first name"));
        }
        let named = names::resolve(self.scope, &path).map_err(|message| Fault::new(at, message))?;
        Ok(Operand::named(named, path.join("."), at))
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr, at: usize) -> Result<Operand<'a>, Fault> {
        let sign = self.parsed.offset(expr);
        if let Some(target) = &call.target {
            return self.method(&call.func_name, target, &call.args, self.parsed.called(expr, &call.func_name));
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, _) => self.chain(call, at),
            (operators::LOGICAL_NOT, [inner]) => Ok(fit::not(self.condition(inner)?, at)),
            (operators::NEGATE, [inner]) => sum::negate(self.operand(inner)?, at),
            (operators::IN, [item, list]) => self.is_in(item, list, at),
            (operators::ADD, [a, b]) => sum::add(self.operand(a)?, self.operand(b)?, sign),
            (operators::SUBSTRACT, [a, b]) => sum::subtract(self.operand(a)?, self.operand(b)?, sign),
            (operators::MULTIPLY, [a, b]) => sum::multiply(self.operand(a)?, self.operand(b)?, sign),
            (name, [a, b]) if comparison(name).is_some() => {
                let op = comparison(name).unwrap_or(Compare::Equal);
                fit::compare(op, self.operand(a)?, self.operand(b)?, self.scope, sign)
            }
            (name, args) => self.function(name, args, self.parsed.called(expr, name)),
        }
    }

    fn condition(&mut self, expr: &IdedExpr) -> Result<Node, Fault> {
        fit::condition(self.operand(expr)?)
    }

    /// `a && b && …`, which the parser gives as a balanced tree.
    fn chain(&mut self, call: &CallExpr, at: usize) -> Result<Operand<'a>, Fault> {
        let is_and = call.func_name == operators::LOGICAL_AND;
        let mut parts = Vec::new();
        for arg in &call.args {
            let part = self.condition(arg)?;
            match part.kind {
                NodeKind::And(inner) if is_and => parts.extend(inner),
                NodeKind::Or(inner) if !is_and => parts.extend(inner),
                kind => parts.push(Node { kind, ty: part.ty }),
            }
        }
        let kind = if is_and { NodeKind::And(parts) } else { NodeKind::Or(parts) };
        Ok(Operand::new(Node { kind, ty: Type::Bool }, at))
    }

    fn is_in(&mut self, item: &IdedExpr, list: &IdedExpr, at: usize) -> Result<Operand<'a>, Fault> {
        let item = self.operand(item)?;
        if let Expr::List(list) = &list.expr {
            let elements = list.elements.iter().map(|element| self.operand(element)).collect::<Result<_, _>>()?;
            return fit::is_in(item, elements, self.scope, at);
        }
        fit::has_tag(self.operand(list)?, item, at)
    }

    fn method(&mut self, name: &str, target: &IdedExpr, args: &[IdedExpr], at: usize) -> Result<Operand<'a>, Fault> {
        let test = match name {
            "startsWith" => TextTest::StartsWith,
            "endsWith" => TextTest::EndsWith,
            "contains" => TextTest::Contains,
            _ => {
                let near = names::meant(name, ["startsWith", "endsWith", "contains"]);
                return Err(Fault::new(at, format!("there is no .{name}(){near}; there are: {METHODS}")));
            }
        };
        let [arg] = args else { return Err(Fault::new(at, format!(".{name}() takes one text"))) };
        fit::text_test(test, self.operand(target)?, self.operand(arg)?, self.parsed.place(target))
    }

    fn function(&mut self, name: &str, args: &[IdedExpr], at: usize) -> Result<Operand<'a>, Fault> {
        let known = ["timestamp", "date", "duration", "days", "hours", "minutes", "has"];
        if name == operators::CONDITIONAL {
            return Err(Fault::new(at, "expressions have no a ? b : c; write conditions with && and ||"));
        }
        if !known.contains(&name) {
            let near = names::meant(name, known);
            return Err(Fault::new(at, format!("there is no function {name}(){near}; there are: {FUNCTIONS}")));
        }
        let [arg] = args else { return Err(Fault::new(at, format!("{name}() takes one value"))) };
        let arg = self.operand(arg)?;
        match name {
            "has" => Ok(fit::has(arg)),
            "timestamp" => fit::constant(arg, &Type::DateTime, name),
            "date" => fit::constant(arg, &Type::Date, name),
            "duration" => fit::constant(arg, &Type::Duration, name),
            "days" => sum::units(arg, 86_400, name),
            "hours" => sum::units(arg, 3_600, name),
            _ => sum::units(arg, 60, name),
        }
    }
}

fn comparison(name: &str) -> Option<Compare> {
    Some(match name {
        operators::EQUALS => Compare::Equal,
        operators::NOT_EQUALS => Compare::NotEqual,
        operators::LESS => Compare::Less,
        operators::LESS_EQUALS => Compare::LessOrEqual,
        operators::GREATER => Compare::Greater,
        operators::GREATER_EQUALS => Compare::GreaterOrEqual,
        _ => return None,
    })
}
