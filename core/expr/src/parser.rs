//! Tokens to a syntax tree, with all mistakes of the source at once where the rest can still be read.

use std::sync::Arc;

use lograil_event::json_text::PathStep;

use crate::ast::{
    Argument, ArithmeticOp, BinaryOp, Call, ChainOp, CompareOp, Expr, ExprKind, If, Literal,
};
use crate::error::{ExprError, Span};
use crate::lexer::{Token, lex};
use crate::literal::parse_timestamp;
use crate::pattern::compile_regex;
use crate::{DEPTH_MAX, NODES_MAX, SOURCE_BYTES_MAX};

/// Mistakes reported of one source; more would not be read.
const ERRORS_MAX: usize = 20;

/// Levels of the binary operators, loosest first.
const LEVELS: [&[&str]; 6] =
    [&["??"], &["&&", "||"], &["==", "!="], &["<", "<=", ">", ">="], &["+", "-"], &["*", "/", "%"]];

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
            statements.push(self.expression(0));
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

    fn end_of_statement(&mut self, close: &str) {
        let ends = match self.peek() {
            Token::Newline | Token::End => true,
            Token::Symbol(symbol) => *symbol == ";" || (!close.is_empty() && *symbol == close),
            _ => false,
        };
        if ends {
            return;
        }
        let error = self.unexpected("an operator or the end of the expression");
        self.error(error);
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
            Token::String(_) => "a string".to_owned(),
            Token::Regex(_) => "a regex".to_owned(),
            Token::Timestamp(_) => "a timestamp".to_owned(),
            Token::Path(_) => "a path".to_owned(),
            Token::Newline => "the end of the line".to_owned(),
            Token::End | Token::Bad => "the end".to_owned(),
        };
        let error = ExprError::new(span, format!("expected {wanted}, found {found}"));
        let help = match self.peek() {
            Token::Symbol("=") => "`=` assigns; a comparison is `==`",
            Token::Symbol("|") => "did you mean `||`?",
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

    fn operator(&mut self, level: usize) -> Option<&'static str> {
        let known = |token: &Token, symbols: &[&str]| match token {
            Token::Symbol(symbol) if symbols.contains(symbol) => Some(*symbol),
            _ => None,
        };
        let from = self.pos;
        let mut at = self.pos;
        while self.tokens[at].0 == Token::Newline {
            at += 1;
        }
        // A line may begin with an operator, unless it could be the beginning of an expression.
        let found = known(&self.tokens[at].0, LEVELS[level])?;
        if at != from && !self.skip_newlines && matches!(found, "-" | "%") {
            return None;
        }
        self.pos = at + 1;
        self.skip_line_breaks();
        Some(found)
    }

    fn expression(&mut self, level: usize) -> Expr {
        if level == LEVELS.len() {
            return self.unary();
        }
        let mut left = self.expression(level + 1);
        let mut chain: Option<(ChainOp, Vec<Expr>)> = None;
        while let Some(symbol) = self.operator(level) {
            let op_span = self.tokens[self.pos - 1].1.clone();
            let right = self.expression(level + 1);
            let span = left.span.start..right.span.end.max(left.span.start);
            let op = match symbol {
                "&&" => ChainOp::And,
                "||" => ChainOp::Or,
                "??" => ChainOp::Coalesce,
                _ => {
                    let kind = ExprKind::Binary(binary_op(symbol), Box::new(left), Box::new(right));
                    left = self.node(span, kind);
                    continue;
                }
            };
            chain = Some(match chain.take() {
                None => (op, vec![left, right]),
                Some((same, mut parts)) if same == op => {
                    parts.push(right);
                    (op, parts)
                }
                Some((other, parts)) => {
                    if other == ChainOp::Or {
                        self.error(mixed_logic(op_span.clone()));
                    }
                    let inner = self
                        .node(parts[0].span.start..op_span.start, ExprKind::Chain(other, parts));
                    (op, vec![inner, right])
                }
            });
            left = Expr::new(span, ExprKind::Error);
        }
        match chain {
            Some((op, parts)) => self.node(left.span, ExprKind::Chain(op, parts)),
            None => left,
        }
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

    /// `parse_json!(.m).a[0]`: a path right behind a value.
    fn postfix(&mut self, target: Expr) -> Expr {
        let mut segments = Vec::new();
        while self.tokens[self.pos].1.start == self.last_end() && self.pos > 0 {
            match &self.tokens[self.pos].0 {
                Token::Path(path) if !path.is_empty() => {
                    segments.extend(path.iter().cloned());
                    self.pos += 1;
                }
                Token::Symbol("[") => {
                    let negative = self.tokens[self.pos + 1].0 == Token::Symbol("-");
                    let at = self.pos + 1 + usize::from(negative);
                    let (Some((Token::Integer(index), _)), Some((Token::Symbol("]"), _))) =
                        (self.tokens.get(at), self.tokens.get(at + 1))
                    else {
                        break;
                    };
                    let index = i64::try_from(*index).unwrap_or(i64::MAX);
                    segments.push(PathStep::Index(if negative { -index } else { index }));
                    self.pos = at + 2;
                }
                _ => break,
            }
        }
        if segments.is_empty() {
            return target;
        }
        let span = target.span.start..self.last_end();
        self.node(span, ExprKind::Query(Box::new(target), segments))
    }

    fn primary(&mut self) -> Expr {
        let span = self.span();
        let kind = match self.peek().clone() {
            Token::Path(segments) => {
                self.pos += 1;
                ExprKind::Path(segments)
            }
            Token::Bad => {
                self.pos += 1;
                ExprKind::Error
            }
            Token::Identifier(name) => return self.word(&name, span),
            Token::Symbol("(") => return self.group(),
            Token::Symbol("[") => return self.array(),
            Token::Symbol("{") => return self.braces(),
            Token::Symbol("-") => return self.negative(),
            token => match self.literal(token, &span) {
                Some(kind) => {
                    self.pos += 1;
                    kind
                }
                None => {
                    let error = self.unexpected("a value");
                    self.error(error);
                    if !matches!(
                        self.peek(),
                        Token::Symbol(")" | "]" | "}" | "," | ";") | Token::Newline | Token::End
                    ) {
                        self.pos += 1;
                    }
                    ExprKind::Error
                }
            },
        };
        self.node(span, kind)
    }

    fn literal(&mut self, token: Token, span: &Span) -> Option<ExprKind> {
        let literal = match token {
            Token::Integer(value) => match i64::try_from(value) {
                Ok(value) => Literal::Integer(value),
                Err(_) => return Some(self.out_of_range(span)),
            },
            Token::Float(value) => Literal::Float(value),
            Token::String(text) => Literal::String(text),
            Token::Timestamp(text) => match parse_timestamp(&text) {
                Some(ns) => Literal::Timestamp(ns),
                None => {
                    self.error(
                        ExprError::new(span.clone(), format!("`{text}` is not a timestamp"))
                            .help("write it as RFC 3339: t'2026-01-31T23:59:59Z'"),
                    );
                    return Some(ExprKind::Error);
                }
            },
            Token::Regex(pattern) => match compile_regex(&pattern, span) {
                Ok(regex) => Literal::Regex(Arc::new(regex)),
                Err(error) => {
                    self.error(error);
                    return Some(ExprKind::Error);
                }
            },
            _ => return None,
        };
        Some(ExprKind::Literal(literal))
    }

    fn out_of_range(&mut self, span: &Span) -> ExprKind {
        self.error(
            ExprError::new(span.clone(), "the integer does not fit in 64 bits")
                .help("integers go from -9223372036854775808 to 9223372036854775807"),
        );
        ExprKind::Error
    }

    fn negative(&mut self) -> Expr {
        let (_, minus) = self.take();
        let (token, number) = (self.peek().clone(), self.span());
        let span = minus.start..number.end;
        let kind = match token {
            Token::Integer(value) if value <= 1 << 63 => {
                ExprKind::Literal(Literal::Integer(0i64.wrapping_sub_unsigned(value)))
            }
            Token::Integer(_) => self.out_of_range(&span),
            Token::Float(value) => ExprKind::Literal(Literal::Float(-value)),
            _ => {
                self.error(
                    ExprError::new(minus, "`-` needs a number behind it, or a value before it")
                        .help("to negate a value, write `0 - .a`"),
                );
                return self.unary();
            }
        };
        self.pos += 1;
        self.node(span, kind)
    }

    fn word(&mut self, name: &str, span: Span) -> Expr {
        match name {
            "if" => return self.conditional(),
            "true" | "false" => {
                self.pos += 1;
                return self.node(span, ExprKind::Literal(Literal::Boolean(name == "true")));
            }
            "null" => {
                self.pos += 1;
                return self.node(span, ExprKind::Literal(Literal::Null));
            }
            _ => self.pos += 1,
        }
        let bang = usize::from(self.tokens[self.pos].0 == Token::Symbol("!"));
        let paren = self.tokens.get(self.pos + bang);
        if matches!(paren, Some((Token::Symbol("("), open)) if open.start <= span.end + bang) {
            self.pos += bang;
            return self.call(name, span);
        }
        self.node(span, ExprKind::Variable(name.to_owned()))
    }

    fn call(&mut self, name: &str, name_span: Span) -> Expr {
        let open = self.span().start;
        let mut arguments = Vec::new();
        self.list(")", |parser| {
            let (token, span) = (parser.peek().clone(), parser.span());
            let mut argument_name = None;
            if let Token::Identifier(name) = token
                && parser.tokens[parser.pos + 1].0 == Token::Symbol(":")
            {
                parser.pos += 2;
                argument_name = Some((name, span));
            }
            let value = parser.expression(0);
            arguments.push(Argument { name: argument_name, value });
        });
        let span = name_span.start..self.last_end().max(open);
        let name = name.to_owned();
        self.node(span, ExprKind::Call(Call { name, name_span, arguments }))
    }

    /// Items parted by commas between the bracket at hand and `close`; a comma may end the list.
    fn list(&mut self, close: &'static str, mut item: impl FnMut(&mut Self)) {
        let outer = std::mem::replace(&mut self.skip_newlines, true);
        let open = self.take().1.start;
        while !self.at(close) && *self.peek() != Token::End {
            let before = self.pos;
            item(self);
            if !self.accept(",") || self.pos == before {
                break;
            }
        }
        self.expect_close(close, open);
        self.skip_newlines = outer;
    }

    fn group(&mut self) -> Expr {
        let outer = std::mem::replace(&mut self.skip_newlines, true);
        let open = self.take().1.start;
        let mut inner = self.expression(0);
        self.expect_close(")", open);
        self.skip_newlines = outer;
        inner.span = open..self.last_end();
        inner
    }

    fn array(&mut self) -> Expr {
        let start = self.span().start;
        let mut items = Vec::new();
        self.list("]", |parser| items.push(parser.expression(0)));
        let span = start..self.last_end().max(start);
        self.node(span, ExprKind::Array(items))
    }

    /// An object where a string and a colon follow (or nothing), otherwise a block.
    fn braces(&mut self) -> Expr {
        let start = self.span().start;
        let mut next = self.pos + 1;
        while self.tokens[next].0 == Token::Newline {
            next += 1;
        }
        let keyed = matches!(self.tokens[next].0, Token::String(_))
            && self.tokens[next + 1].0 == Token::Symbol(":");
        if !keyed && self.tokens[next].0 != Token::Symbol("}") {
            self.pos += 1;
            return self.statements("}", start);
        }
        let mut members = Vec::new();
        self.list("}", |parser| {
            let (token, _) = (parser.peek().clone(), parser.span());
            if let Token::String(key) = token {
                parser.pos += 1;
                if parser.accept(":") {
                    let value = parser.expression(0);
                    members.push((key, value));
                    return;
                }
            }
            let error = parser.unexpected("a member of an object such as `\"key\": 1`");
            parser.error(error);
        });
        let span = start..self.last_end().max(start);
        self.node(span, ExprKind::Object(members))
    }

    fn conditional(&mut self) -> Expr {
        if self.nesting >= DEPTH_MAX {
            let span = self.span();
            return self.give_up(span);
        }
        self.nesting += 1;
        let start = self.take().1.start;
        let condition = self.expression(0);
        let then = self.block();
        let before = self.pos;
        self.skip_line_breaks();
        let otherwise = if *self.peek() == Token::Identifier("else".to_owned()) {
            self.pos += 1;
            self.skip_line_breaks();
            let again = *self.peek() == Token::Identifier("if".to_owned());
            Some(if again { self.conditional() } else { self.block() })
        } else {
            self.pos = before;
            None
        };
        self.nesting -= 1;
        let span = start..self.last_end().max(start);
        self.node(span, ExprKind::If(Box::new(If { condition, then, otherwise })))
    }

    fn block(&mut self) -> Expr {
        self.skip_line_breaks();
        let start = self.span().start;
        if self.accept("{") {
            return self.statements("}", start);
        }
        let error = self.unexpected("`{`");
        let span = error.span.clone();
        self.error(error.help("write `if .a == 1 { true } else { false }`"));
        Expr::new(span, ExprKind::Error)
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
