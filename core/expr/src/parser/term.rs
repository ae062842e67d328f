//! What operators stand between: literals, paths, calls, containers, `if`.

use std::sync::Arc;

use lograil_codec::time::parse_rfc3339;
use lograil_event::json_text::PathStep;

use super::Parser;
use crate::DEPTH_MAX;
use crate::ast::{Argument, Call, Closure, Expr, ExprKind, If, Literal};
use crate::error::{ExprError, Span};
use crate::lexer::{Part, Token};
use crate::pattern::compile_regex;

impl Parser {
    /// `parse_json!(.m).a[0]`: a path right behind a value.
    pub(super) fn postfix(&mut self, target: Expr) -> Expr {
        let mut segments = Vec::new();
        let closed = self.pos.checked_sub(1).map(|at| &self.tokens[at].0);
        let named = matches!(target.kind, ExprKind::Variable(_));
        if !named && !matches!(closed, Some(Token::Symbol(")" | "]" | "}"))) {
            return target;
        }
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
            if segments.len() > DEPTH_MAX {
                let span = self.span();
                return self.give_up(span);
            }
        }
        if segments.is_empty() {
            return target;
        }
        let span = target.span.start..self.last_end();
        self.node(span, ExprKind::Query(Box::new(target), segments))
    }

    pub(super) fn primary(&mut self) -> Expr {
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
            Token::Template(parts) => {
                self.pos += 1;
                let parts = parts.into_iter().map(|part| match part {
                    Part::Text(text) => {
                        self.node(span.clone(), ExprKind::Literal(Literal::String(text)))
                    }
                    Part::Variable(name, span) => self.node(span, ExprKind::Variable(name)),
                });
                ExprKind::Template(parts.collect())
            }
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
            Token::Timestamp(text) => match parse_rfc3339(text.as_bytes()) {
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
            "abort" | "return" => {
                self.pos += 1;
                let bare = matches!(
                    self.tokens[self.pos].0,
                    Token::Newline | Token::End | Token::Symbol(";" | "}" | ")" | "," | "??")
                );
                let value = if bare { None } else { Some(Box::new(self.expression(0))) };
                let span = span.start..self.last_end();
                let kind = match name {
                    "abort" => ExprKind::Abort(value),
                    _ => ExprKind::Return(value),
                };
                return self.node(span, kind);
            }
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
            return self.call(name, span, bang == 1);
        }
        self.node(span, ExprKind::Variable(name.to_owned()))
    }

    fn call(&mut self, name: &str, name_span: Span, bang: bool) -> Expr {
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
        let closure = if self.at("->") { Some(Box::new(self.closure())) } else { None };
        let span = span.start..self.last_end().max(span.end);
        self.node(span, ExprKind::Call(Call { name, name_span, arguments, bang, closure }))
    }

    /// `-> |a, b| { body }`
    fn closure(&mut self) -> Closure {
        let start = self.take().1.start;
        let mut parameters = Vec::new();
        if !self.accept("||") {
            if !self.accept("|") {
                let error = self.unexpected("`|`");
                self.error(error.help("write `for_each(.a) -> |key, value| { ... }`"));
            }
            while let Token::Identifier(name) = self.peek().clone() {
                parameters.push((name, self.span()));
                self.pos += 1;
                if !self.accept(",") {
                    break;
                }
            }
            self.accept("|");
        }
        let outer = std::mem::replace(&mut self.skip_newlines, false);
        let body = if self.nesting >= DEPTH_MAX {
            let span = self.span();
            self.give_up(span)
        } else {
            self.nesting += 1;
            let body = self.block();
            self.nesting -= 1;
            body
        };
        self.skip_newlines = outer;
        Closure { span: start..self.last_end(), parameters, body }
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
        let mut inner = self.statement();
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
