//! Tokens to a syntax tree, with all mistakes of the source at once where the rest can still be read.

mod term;

use crate::ast::{ArithmeticOp, Assign, BinaryOp, ChainOp, CompareOp, Expr, ExprKind};
use crate::error::{ExprError, Span};
use crate::lexer::{Token, lex};
use crate::{DEPTH_MAX, NODES_MAX, SOURCE_BYTES_MAX};

/// Mistakes reported of one source; more would not be read.
const ERRORS_MAX: usize = 20;

/// Levels of the binary operators, loosest first.
const LEVELS: [&[&str]; 7] = [
    &["??"],
    &["&&", "||"],
    &["|"],
    &["==", "!="],
    &["<", "<=", ">", ">="],
    &["+", "-"],
    &["*", "/", "%"],
];

struct Parser {
    tokens: Vec<(Token, Span)>,
    pos: usize,
    errors: Vec<ExprError>,
    /// Between brackets a line break means nothing.
    skip_newlines: bool,
    nesting: usize,
    nodes: usize,
}

/// The program as one block, and what is wrong with it.
pub(crate) fn parse(source: &str) -> (Expr, Vec<ExprError>) {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("an expression has at most {SOURCE_BYTES_MAX} bytes");
        let error = ExprError::new(0..source.len(), message);
        return (Expr::new(0..source.len(), ExprKind::Error), vec![error]);
    }
    let (tokens, errors) = lex(source);
    let mut parser = Parser { tokens, pos: 0, errors, skip_newlines: false, nesting: 0, nodes: 0 };
    let program = parser.statements("", 0);
    if let ExprKind::Block(statements) = &program.kind
        && statements.is_empty()
        && parser.errors.is_empty()
    {
        let error = ExprError::new(0..source.len(), "the expression is empty");
        parser.errors.push(error.help("write a condition such as `.status >= 500`"));
    }
    parser.errors.truncate(ERRORS_MAX);
    (program, parser.errors)
}

impl Parser {
    fn peek(&mut self) -> &Token {
        while self.skip_newlines && self.tokens[self.pos].0 == Token::Newline {
            self.pos += 1;
        }
        &self.tokens[self.pos].0
    }

    fn span(&mut self) -> Span {
        self.peek();
        self.tokens[self.pos].1.clone()
    }

    /// Where the last token that was taken ends.
    fn last_end(&self) -> usize {
        self.pos.checked_sub(1).map_or(0, |at| self.tokens[at].1.end)
    }

    /// Takes the next token; the end stays.
    fn take(&mut self) -> (Token, Span) {
        self.peek();
        let taken = self.tokens[self.pos].clone();
        if taken.0 != Token::End {
            self.pos += 1;
        }
        taken
    }

    fn at(&mut self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = self.at(symbol);
        self.pos += usize::from(found);
        found
    }

    fn skip_line_breaks(&mut self) {
        while *self.peek() == Token::Newline {
            self.pos += 1;
        }
    }

    fn error(&mut self, error: ExprError) {
        if self.errors.last().is_none_or(|last| last.span != error.span) {
            self.errors.push(error);
        }
    }

    fn node(&mut self, span: Span, kind: ExprKind) -> Expr {
        self.nodes += 1;
        let expr = Expr::new(span.clone(), kind);
        if expr.depth <= DEPTH_MAX && self.nodes <= NODES_MAX {
            return expr;
        }
        self.give_up(span)
    }

    /// Reports an expression that is too large, once, and reads no further.
    fn give_up(&mut self, span: Span) -> Expr {
        if self.pos + 1 < self.tokens.len() || self.nodes < usize::MAX / 2 {
            let message = if self.nodes > NODES_MAX {
                format!("the expression has more than {NODES_MAX} parts")
            } else {
                format!("the expression is nested more than {DEPTH_MAX} levels deep")
            };
            self.errors.push(ExprError::new(span.clone(), message).help("split it"));
            self.pos = self.tokens.len() - 1;
            self.nodes = usize::MAX / 2;
        }
        Expr::new(span, ExprKind::Error)
    }

    fn gave_up(&self) -> bool {
        self.nodes >= usize::MAX / 2
    }

    /// Expressions parted by line breaks or `;`, up to `close` (or the end, if that is empty).
    fn statements(&mut self, close: &'static str, start: usize) -> Expr {
        let outer = std::mem::replace(&mut self.skip_newlines, false);
        let mut statements = Vec::new();
        loop {
            while *self.peek() == Token::Newline || self.at(";") {
                self.pos += 1;
            }
            if *self.peek() == Token::End || (!close.is_empty() && self.at(close)) {
                break;
            }
            let before = self.pos;
            statements.push(self.statement());
            self.end_of_statement(close);
            if self.pos == before {
                self.take();
            }
        }
        self.skip_newlines = outer;
        if !close.is_empty() {
            self.expect_close(close, start);
        }
        self.node(start..self.last_end().max(start), ExprKind::Block(statements))
    }

    /// An expression or an assignment: `target = value`, `target |= value`, `ok, error = value`.
    pub(super) fn statement(&mut self) -> Expr {
        let target = self.expression(0);
        let mut error = None;
        if self.at(",") && is_target(&target) && self.allows_pair() {
            self.pos += 1;
            error = Some(self.expression(0));
        }
        let merge = self.at("|=");
        if !self.at("=") && !merge {
            return target;
        }
        let place = self.take().1;
        for target in [Some(&target), error.as_ref()].into_iter().flatten() {
            if !is_target(target) && !matches!(target.kind, ExprKind::Error) {
                let mistake = ExprError::new(target.span.clone(), "this cannot be assigned to");
                self.error(mistake.help(
                    "assign to a path (`.a.b`) or a variable (`name`); `=` assigns, a comparison is `==`",
                ));
            }
        }
        if merge && error.is_some() {
            let mistake = ExprError::new(place, "`|=` has one target");
            self.error(mistake.help("write `ok, error = .a | .b`"));
        }
        self.skip_line_breaks();
        if self.nesting >= DEPTH_MAX {
            let span = self.span();
            return self.give_up(span);
        }
        self.nesting += 1;
        let value = self.statement();
        self.nesting -= 1;
        let span = target.span.start..value.span.end.max(target.span.end);
        self.node(span, ExprKind::Assign(Box::new(Assign { target, error, merge, value })))
    }

    /// Whether the comma at hand is that of `ok, error =`: a target and `=` follow.
    fn allows_pair(&self) -> bool {
        let end = |token: &Token| matches!(token, Token::Newline | Token::End);
        let line = self.tokens[self.pos..].iter().take_while(|(token, _)| !end(token));
        line.take(8).any(|(token, _)| *token == Token::Symbol("="))
    }

    fn end_of_statement(&mut self, close: &str) {
        let ends = match self.peek() {
            Token::Newline | Token::End => true,
            Token::Symbol(symbol) => *symbol == ";" || (!close.is_empty() && *symbol == close),
            _ => false,
        };
        if ends {
            return;
        }
        let after_bad = self.pos > 0 && self.tokens[self.pos - 1].0 == Token::Bad;
        if !after_bad {
            let error = self.unexpected("an operator or the end of the expression");
            self.error(error);
        }
        while !matches!(self.peek(), Token::Newline | Token::End) && !self.at(";") {
            if !close.is_empty() && self.at(close) {
                break;
            }
            self.pos += 1;
        }
    }

    fn unexpected(&mut self, wanted: &str) -> ExprError {
        let span = self.span();
        let found = match self.peek() {
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::Identifier(name) => format!("`{name}`"),
            Token::Integer(_) | Token::Float(_) => "a number".to_owned(),
            Token::String(_) | Token::Template(_) => "a string".to_owned(),
            Token::Regex(_) => "a regex".to_owned(),
            Token::Timestamp(_) => "a timestamp".to_owned(),
            Token::Path(_) => "a path".to_owned(),
            Token::Newline => "the end of the line".to_owned(),
            Token::End | Token::Bad => "the end".to_owned(),
        };
        let error = ExprError::new(span, format!("expected {wanted}, found {found}"));
        let help = match self.peek() {
            Token::Symbol("=") => "`=` assigns; a comparison is `==`",
            Token::Symbol("%") if wanted == "a value" => {
                "events have no metadata (`%name`); for what a program is to remember write `name = ...`"
            }
            Token::Identifier(name) => match name.as_str() {
                "and" | "AND" => "write `&&`",
                "or" | "OR" => "write `||`",
                "in" | "IN" => "write `includes([\"a\", \"b\"], .field)`",
                "is" | "eq" | "equals" => "write `==`",
                "matches" | "like" | "LIKE" => "write `match(.field, r'...')`",
                "contains" | "starts_with" | "ends_with" => {
                    "it is a function: `contains(.a, \"b\")`"
                }
                _ => return error,
            },
            _ => return error,
        };
        error.help(help)
    }

    fn expect_close(&mut self, close: &'static str, opened: usize) {
        if self.accept(close) || self.gave_up() {
            return;
        }
        if *self.peek() == Token::End {
            let message = format!("this is not closed, `{close}` is missing");
            self.error(ExprError::new(opened..opened + 1, message));
            return;
        }
        let error = self.unexpected(&format!("`{close}`"));
        self.error(error);
        let mut depth = 0usize;
        while *self.peek() != Token::End {
            match self.take().0 {
                Token::Symbol("(" | "[" | "{") => depth += 1,
                Token::Symbol(")" | "]" | "}") if depth == 0 => return,
                Token::Symbol(")" | "]" | "}") => depth -= 1,
                _ => {}
            }
        }
    }

    /// Takes the next binary operator if it binds at least as tightly as `loosest`; gives it and its level.
    fn operator(&mut self, loosest: usize) -> Option<(&'static str, usize)> {
        let from = self.pos;
        let mut at = self.pos;
        while self.tokens[at].0 == Token::Newline {
            at += 1;
        }
        let Token::Symbol(found) = self.tokens[at].0 else { return None };
        let level = LEVELS.iter().position(|symbols| symbols.contains(&found))?;
        // A line may begin with an operator, unless it could be the beginning of an expression.
        let begins = at != from && !self.skip_newlines && matches!(found, "-" | "%");
        if level < loosest || begins {
            return None;
        }
        self.pos = at + 1;
        self.skip_line_breaks();
        Some((found, level))
    }

    /// Operands and operators down to a level; a run of one of `&&`, `||`, `??` becomes one chain.
    fn expression(&mut self, loosest: usize) -> Expr {
        let mut left = self.unary();
        let mut chain: Option<(ChainOp, Vec<Expr>)> = None;
        while let Some((symbol, level)) = self.operator(loosest) {
            let op_span = self.tokens[self.pos - 1].1.clone();
            let op = match symbol {
                "&&" => Some(ChainOp::And),
                "||" => Some(ChainOp::Or),
                "??" => Some(ChainOp::Coalesce),
                _ => None,
            };
            if let Some((other, parts)) = chain.take_if(|(other, _)| Some(*other) != op) {
                if (other, op) == (ChainOp::Or, Some(ChainOp::And)) {
                    self.error(mixed_logic(op_span));
                }
                left = self.chain(other, parts);
            }
            let right = self.expression(level + 1);
            match (op, &mut chain) {
                (Some(_), Some((_, parts))) => parts.push(right),
                (Some(op), None) => {
                    let blank = Expr::new(right.span.clone(), ExprKind::Error);
                    chain = Some((op, vec![std::mem::replace(&mut left, blank), right]));
                }
                (None, _) => left = self.binary(symbol, left, right),
            }
        }
        match chain {
            Some((op, parts)) => self.chain(op, parts),
            None => left,
        }
    }

    fn chain(&mut self, op: ChainOp, parts: Vec<Expr>) -> Expr {
        let start = parts.first().map_or(0, |part| part.span.start);
        let end = parts.last().map_or(start, |part| part.span.end.max(start));
        self.node(start..end, ExprKind::Chain(op, parts))
    }

    fn binary(&mut self, symbol: &str, left: Expr, right: Expr) -> Expr {
        let span = left.span.start..right.span.end.max(left.span.start);
        let (left, right) = (Box::new(left), Box::new(right));
        self.node(
            span,
            match symbol {
                "|" => ExprKind::Merge(left, right),
                _ => ExprKind::Binary(binary_op(symbol), left, right),
            },
        )
    }

    fn unary(&mut self) -> Expr {
        if self.nesting >= DEPTH_MAX {
            let span = self.span();
            return self.give_up(span);
        }
        self.nesting += 1;
        let start = self.span().start;
        let expr = if self.accept("!") {
            let inner = self.unary();
            let span = start..inner.span.end.max(start);
            self.node(span, ExprKind::Not(Box::new(inner)))
        } else {
            let primary = self.primary();
            self.postfix(primary)
        };
        self.nesting -= 1;
        expr
    }
}

fn is_target(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Path(_) | ExprKind::Variable(_) => true,
        ExprKind::Query(inner, _) => matches!(inner.kind, ExprKind::Variable(_)),
        _ => false,
    }
}

fn binary_op(symbol: &str) -> BinaryOp {
    match symbol {
        "==" => BinaryOp::Compare(CompareOp::Eq),
        "!=" => BinaryOp::Compare(CompareOp::Ne),
        "<" => BinaryOp::Compare(CompareOp::Lt),
        "<=" => BinaryOp::Compare(CompareOp::Le),
        ">" => BinaryOp::Compare(CompareOp::Gt),
        ">=" => BinaryOp::Compare(CompareOp::Ge),
        "-" => BinaryOp::Arithmetic(ArithmeticOp::Sub),
        "*" => BinaryOp::Arithmetic(ArithmeticOp::Mul),
        "/" => BinaryOp::Arithmetic(ArithmeticOp::Div),
        "%" => BinaryOp::Arithmetic(ArithmeticOp::Rem),
        _ => BinaryOp::Arithmetic(ArithmeticOp::Add),
    }
}

fn mixed_logic(span: Span) -> ExprError {
    ExprError::new(span, "`||` before `&&` needs parentheses").help(
        "VRL reads `a || b && c` as `(a || b) && c`, most languages as `a || (b && c)`: say which",
    )
}
