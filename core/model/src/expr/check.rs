//! From a parsed tree to checked nodes: names resolved, types fitted, constants folded.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators},
};

use super::{
    Compare, NODES_MAX, Node, NodeKind, Scope, TextTest, Type, calendar, children,
    cost::Cost,
    error::{ExprError, Fault},
    fit::{self, Operand},
    literal, names,
    parse::{self, Parsed},
    sum,
};
use crate::value::Value;

const FUNCTIONS: &str = "timestamp('…'), date(x), duration('…'), days(n), hours(n), minutes(n), day(x), week(x), \
                         month(x), quarter(x), year(x), has(x), size(text)";
const METHODS: &str = "a.startsWith(b), a.endsWith(b), a.contains(b), a.size(), a.getFullYear(), a.getMonth(), a.getDate(), \
                       a.getDayOfWeek(), a.getHours(), a.getMinutes(), and of records exists, count, sum, min, max";
const METHOD_NAMES: [&str; 10] = [
    "startsWith",
    "endsWith",
    "contains",
    "size",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
];
const FUNCTION_NAMES: [&str; 13] = [
    "timestamp",
    "date",
    "duration",
    "days",
    "hours",
    "minutes",
    "day",
    "week",
    "month",
    "quarter",
    "year",
    "has",
    "size",
];

/// Parses and checks a whole expression, of that type or of any; gives its cost too.
pub(super) fn check(source: &str, scope: &Scope<'_>, expected: Option<&Type>) -> Result<(Node, u32), ExprError> {
    checked(source, scope, expected).map_err(|fault| fault.of(source))
}

fn checked(source: &str, scope: &Scope<'_>, expected: Option<&Type>) -> Result<(Node, u32), Fault> {
    let parsed = parse::parse(source)?;
    let mut checker = Checker { scope: *scope, parsed: &parsed, nodes: 0, cost: Cost::default(), variable: None };
    let root = checker.operand(&parsed.root)?;
    let root = match expected {
        Some(expected) => fit::whole(root, expected, scope)?,
        None => root.node,
    };
    Ok((root, checker.cost.total()))
}

/// Goes through a parsed tree.
pub(super) struct Checker<'s, 'a> {
    /// What names mean here: inside a question about children, of the children.
    pub(super) scope: Scope<'a>,
    pub(super) parsed: &'s Parsed<'s>,
    nodes: usize,
    pub(super) cost: Cost,
    /// Inside a question about children, what each child is called.
    pub(super) variable: Option<String>,
}

impl<'a> Checker<'_, 'a> {
    /// A part and all below it.
    pub(super) fn operand(&mut self, expr: &IdedExpr) -> Result<Operand<'a>, Fault> {
        let at = self.parsed.place(expr);
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            return Err(Fault::new(at, format!("the expression has more than {NODES_MAX} parts")));
        }
        self.cost.part(at)?;
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

    /// The names of a path such as `contact.organization.name`.
    pub(super) fn path<'e>(&self, expr: &'e IdedExpr) -> Result<Vec<&'e str>, Fault> {
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
            return Err(Fault::new(self.parsed.place(expr), "no point can stand before the first name"));
        }
        Ok(path)
    }

    fn name(&mut self, expr: &IdedExpr, at: usize) -> Result<Operand<'a>, Fault> {
        let path = self.path(expr)?;
        let named =
            names::resolve(&self.scope, self.variable.as_deref(), &path).map_err(|message| Fault::new(at, message))?;
        let field = if let NodeKind::MoneyPart(money, _) = &named.node.kind { money } else { &named.node };
        if let NodeKind::Related { path, .. } = &field.kind {
            self.cost.path(path, at)?;
        }
        Ok(Operand::named(named, path.join("."), at))
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr, at: usize) -> Result<Operand<'a>, Fault> {
        let sign = self.parsed.offset(expr);
        if let Some(target) = &call.target {
            let at = self.parsed.called(expr, &call.func_name);
            if children::METHODS.contains(&call.func_name.as_str()) {
                return self.children(&call.func_name, target, &call.args, at);
            }
            return self.method(&call.func_name, target, &call.args, at);
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
                fit::compare(op, self.operand(a)?, self.operand(b)?, &self.scope, sign)
            }
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let condition = self.condition(condition)?;
                fit::choose(condition, self.operand(yes)?, self.operand(no)?, &self.scope, at)
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
            return fit::is_in(item, elements, &self.scope, at);
        }
        fit::has_tag(self.operand(list)?, item, at)
    }

    fn method(&mut self, name: &str, target: &IdedExpr, args: &[IdedExpr], at: usize) -> Result<Operand<'a>, Fault> {
        let test = match name {
            "startsWith" => TextTest::StartsWith,
            "endsWith" => TextTest::EndsWith,
            "contains" => TextTest::Contains,
            "size" if args.is_empty() => return calendar::size(self.operand(target)?),
            "via" => return Err(Fault::new(at, "after .via() stands what is asked: deals.via('contact').count(d)")),
            _ => return self.calendar_part(name, target, args, at),
        };
        let [arg] = args else { return Err(Fault::new(at, format!(".{name}() takes one text"))) };
        fit::text_test(test, self.operand(target)?, self.operand(arg)?, self.parsed.place(target))
    }

    fn calendar_part(
        &mut self,
        name: &str,
        target: &IdedExpr,
        args: &[IdedExpr],
        at: usize,
    ) -> Result<Operand<'a>, Fault> {
        if !METHOD_NAMES.contains(&name) {
            let near = names::meant(name, METHOD_NAMES.into_iter().chain(children::METHODS));
            return Err(Fault::new(at, format!("there is no .{name}(){near}; there are: {METHODS}")));
        }
        let zone = match args {
            [] => None,
            [zone] => {
                let text = self.written_text(zone, "a zone is written out: 'Europe/Moscow'")?;
                Some(calendar::zone(text).map_err(|message| Fault::new(self.parsed.place(zone), message))?)
            }
            _ => return Err(Fault::new(at, format!(".{name}() takes nothing, or one zone"))),
        };
        let target = self.operand(target)?;
        calendar::part(name, target, zone.as_ref(), self.scope.zone)
            .unwrap_or_else(|| Err(Fault::new(at, format!(".{name}() takes nothing"))))
    }

    fn function(&mut self, name: &str, args: &[IdedExpr], at: usize) -> Result<Operand<'a>, Fault> {
        if !FUNCTION_NAMES.contains(&name) {
            let near = names::meant(name, FUNCTION_NAMES);
            return Err(Fault::new(at, format!("there is no function {name}(){near}; there are: {FUNCTIONS}")));
        }
        let [arg] = args else { return Err(Fault::new(at, format!("{name}() takes one value"))) };
        let arg = self.operand(arg)?;
        if let Some(period) = calendar::period(name) {
            return calendar::first_of(period, arg, self.scope.zone);
        }
        match name {
            "has" => Ok(fit::has(arg)),
            "timestamp" => fit::constant(arg, &Type::DateTime, name),
            "date" | "day" => calendar::date(arg, self.scope.zone),
            "duration" => fit::constant(arg, &Type::Duration, name),
            "days" => sum::units(arg, 86_400, name),
            "hours" => sum::units(arg, 3_600, name),
            "minutes" => sum::units(arg, 60, name),
            _ => calendar::size(arg),
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
