//! `parse_xml`: a document as objects, by the rules of VRL.

use roxmltree::{Document, Node, ParsingOptions};

use super::{Arguments, Function, fails, gives, optional, required};
use crate::error::EvalError;
use crate::json;
use crate::kind::Kind;
use crate::value::{Member, Object, Value};

/// Elements, attributes and texts of a document.
const NODES_MAX: u32 = 100_000;
/// Attributes of an element: each is compared with all others of it.
const ATTRIBUTES_MAX: usize = 256;
/// Namespaces that all elements name: each element that names some copies those of the elements around it.
const NAMESPACES_MAX: usize = 1_000;

pub(super) const FUNCTIONS: &[Function] = &[Function::new(
    "parse_xml",
    &[
        required("value", Kind::STRING),
        optional("trim", Kind::BOOLEAN),
        optional("include_attr", Kind::BOOLEAN),
        optional("attr_prefix", Kind::STRING),
        optional("text_key", Kind::STRING),
        optional("always_use_text_key", Kind::BOOLEAN),
        optional("parse_bool", Kind::BOOLEAN),
        optional("parse_null", Kind::BOOLEAN),
        optional("parse_number", Kind::BOOLEAN),
    ],
    Kind::OBJECT,
    "The elements of an XML document by their names; several of one name become an array. Attributes have the prefix \
     `@` (`attr_prefix`), or are left out (`include_attr: false`). An element with nothing but text is that text; text \
     beside attributes or elements has the key `text` (`text_key`), with `always_use_text_key` all text has. Texts that \
     are numbers, `true`, `false` or `null` become such values unless `parse_number`, `parse_bool` or `parse_null` is false. \
     `trim: false` keeps blanks between elements. Documents with a DTD, more than 256 attributes of an element or \
     more than 1000 namespaces are refused.",
    &[
        gives(
            "parse_xml!(.a)",
            r#"{"a":"<book category=\"C\"><title lang=\"en\">Potter</title><author>Row</author><year>2005</year></book>"}"#,
            r#"{"book":{"@category":"C","title":{"@lang":"en","text":"Potter"},"author":"Row","year":2005}}"#,
        ),
        gives(
            "parse_xml!(.a, parse_number: false, include_attr: false)",
            r#"{"a":"<e><id n=\"1\">7</id> <d>x</d> <d/></e>"}"#,
            r#"{"e":{"id":"7","d":["x",{}]}}"#,
        ),
        gives(
            "parse_xml!(.a, always_use_text_key: true, text_key: \"#\")",
            r#"{"a":"<e><ok>true</ok></e>"}"#,
            r##"{"e":{"ok":{"#":true}}}"##,
        ),
        fails("parse_xml!(.a)", r#"{"a":"<e>"}"#, "`parse_xml`: the text is not XML"),
    ],
    |arguments| {
        let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
        let text = arguments.utf8(0)?.trim_start();
        check_attributes(text.as_bytes()).map_err(|what| arguments.error(what))?;
        let document = Document::parse_with_options(text, options);
        let document = document.map_err(|_| arguments.error("the text is not XML"))?;
        let reader = Reader::new(arguments)?;
        Ok(Value::Object(reader.children(document.root(), crate::VALUE_DEPTH_MAX)?))
    },
)
.fallible()];

/// Refuses what takes the parser time that grows with the square of the text. Of a text that is no XML it may say
/// anything: the parser gets no further than the place that makes it none.
fn check_attributes(text: &[u8]) -> Result<(), &'static str> {
    let (mut at, mut namespaces) = (0, 0);
    while let Some(start) = memchr::memchr(b'<', &text[at..]).map(|start| at + start) {
        let rest = &text[start..];
        let skipped = [
            (&b"<!--"[..], &b"-->"[..]),
            (&b"<![CDATA["[..], &b"]]>"[..]),
            (&b"<?"[..], &b"?>"[..]),
        ];
        if let Some((open, close)) = skipped.into_iter().find(|(open, _)| rest.starts_with(open)) {
            let inner = start + open.len();
            let Some(end) = memchr::memmem::find(&text[inner..], close) else { return Ok(()) };
            at = inner + end + close.len();
            continue;
        }
        let (end, attributes) = tag(rest);
        if attributes > ATTRIBUTES_MAX {
            return Err("an element has more than 256 attributes");
        }
        at = start + end;
        namespaces += memchr::memmem::find_iter(&text[start..at], b"xmlns").count();
        if namespaces > NAMESPACES_MAX {
            return Err("the elements name more than 1000 namespaces");
        }
    }
    Ok(())
}

/// The end of the tag that a text begins with, and how many attributes it has.
fn tag(text: &[u8]) -> (usize, usize) {
    let (mut at, mut attributes) = (1, 0);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'>' => return (at, attributes),
            b'=' => attributes += 1,
            quote @ (b'"' | b'\'') => {
                let Some(len) = memchr::memchr(*quote, &text[at..]) else { break };
                at += len + 1;
            }
            _ => {}
        }
    }
    (text.len(), attributes)
}

struct Reader<'a, 'r, 'c> {
    arguments: &'r Arguments<'a, 'c>,
    trim: bool,
    /// The prefix of attributes, if they are wanted.
    attributes: Option<&'a [u8]>,
    text_key: &'a [u8],
    always_text_key: bool,
    booleans: bool,
    nulls: bool,
    numbers: bool,
}

impl<'a, 'r, 'c> Reader<'a, 'r, 'c> {
    fn new(arguments: &'r Arguments<'a, 'c>) -> Result<Self, EvalError> {
        let prefix = arguments.string_or(3, "@")?;
        Ok(Self {
            arguments,
            trim: arguments.flag(1, true)?,
            attributes: arguments.flag(2, true)?.then_some(prefix),
            text_key: arguments.string_or(4, "text")?,
            always_text_key: arguments.flag(5, false)?,
            booleans: arguments.flag(6, true)?,
            nulls: arguments.flag(7, true)?,
            numbers: arguments.flag(8, true)?,
        })
    }

    /// Attributes and children by their names.
    fn children(&self, node: Node<'_, '_>, depth: usize) -> Result<Object<'a>, EvalError> {
        let below = depth.checked_sub(1).ok_or(EvalError::TooMuch)?;
        let context = self.arguments.context;
        let mut members: Vec<(&'a [u8], Vec<Value<'a>>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        let mut add = |name: &'a [u8], value: Value<'a>| {
            let at = *places.entry(name).or_insert(members.len());
            match members.get_mut(at) {
                Some((_, values)) => values.push(value),
                None => members.push((name, vec![value])),
            }
        };
        for attribute in node.attributes().filter(|_| self.attributes.is_some()) {
            let prefix = self.attributes.unwrap_or_default();
            let name = [prefix, attribute.name().as_bytes()].concat();
            add(context.bump.alloc_slice_copy(&name), context.text(attribute.value().as_bytes())?);
        }
        for child in node.children() {
            if let Some(text) = self.text(child) {
                add(self.text_key, self.scalar(text)?);
            } else if child.is_element() {
                let name = context.bump.alloc_str(child.tag_name().name()).as_bytes();
                add(name, self.element(child, below)?);
            }
        }
        let members = members.into_iter().map(|(name, values)| match values.as_slice() {
            [only] => (name, *only),
            _ => (name, context.array(values)),
        });
        let members: Vec<Member<'a>> = members.collect();
        Ok(Object::Members(context.bump.alloc_slice_copy(&members)))
    }

    /// An element: its text, if there is nothing else.
    fn element(&self, node: Node<'_, '_>, depth: usize) -> Result<Value<'a>, EvalError> {
        let has_attributes = self.attributes.is_some() && node.attributes().len() > 0;
        let mut children =
            node.children().filter(|child| child.is_element() || self.text(*child).is_some());
        if !has_attributes
            && !self.always_text_key
            && let (Some(only), None) = (children.next(), children.next())
            && let Some(text) = self.text(only)
        {
            return self.scalar(text);
        }
        self.children(node, depth).map(Value::Object)
    }

    /// The text of a node that is text, and is wanted.
    fn text<'t>(&self, node: Node<'t, '_>) -> Option<&'t str> {
        let text = node.text().filter(|_| node.is_text())?;
        let is_blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
        (!(self.trim && is_blank)).then_some(text)
    }

    fn scalar(&self, text: &str) -> Result<Value<'a>, EvalError> {
        let is_number = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
                && text.parse::<f64>().is_ok_and(f64::is_finite)
        };
        match text {
            "true" | "false" if self.booleans => Ok(Value::Boolean(text == "true")),
            "null" if self.nulls => Ok(Value::Null),
            _ if self.numbers && is_number(text) => Ok(json::number(text.as_bytes())),
            _ => self.arguments.context.text(text.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ATTRIBUTES_MAX, NAMESPACES_MAX};
    use crate::tests::events::run;

    fn read(xml: &str) -> String {
        let event = serde_json::json!({ "a": xml }).to_string();
        run("parse_xml(.a)", &event)
    }

    #[test]
    fn documents_as_vrl_reads_them() {
        let event = "<Event xmlns=\"urn:e\"><System><Provider Name=\"P\"/><EventID>4624</EventID></System>\n\
                     <EventData><Data Name=\"a\">x</Data><Data Name=\"b\">1.5</Data></EventData></Event>";
        for (xml, value) in [
            (
                event,
                r#"{"Event":{"System":{"Provider":{"@Name":"P"},"EventID":4624},"EventData":{"Data":[{"@Name":"a","text":"x"},{"@Name":"b","text":1.5}]}}}"#,
            ),
            ("<?xml version=\"1.0\"?>\n<a/>", r#"{"a":{}}"#),
            ("<a>x<b>1</b>y</a>", r#"{"a":{"text":["x","y"],"b":1}}"#),
            ("<a><![CDATA[<b>]]></a>", r#"{"a":"<b>"}"#),
            ("<a>&lt;&amp;</a><!-- c -->", r#"{"a":"<&"}"#),
            ("<a>null</a>", r#"{"a":null}"#),
            ("<a>007</a>", r#"{"a":7}"#),
            ("<a>+5</a>", r#"{"a":5}"#),
            ("<a>inf</a>", r#"{"a":"inf"}"#),
        ] {
            assert_eq!(read(xml), value, "{xml}");
        }
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"xxxx\"><!ENTITY y \"&x;&x;&x;\">]><a>&y;</a>";
        assert!(read(bomb).starts_with("error: `parse_xml`"));
        let deep = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000));
        assert!(read(&deep).starts_with("error: "), "{}", &read(&deep)[..60]);
        let wide = format!("<r>{}</r>", "<a/>".repeat(200_000));
        assert!(read(&wide).starts_with("error: `parse_xml`"));
    }

    #[test]
    fn tags_of_too_many_attributes_are_refused() {
        let attributes = |count: usize| -> String {
            let value = |at| format!(" a{at}='='");
            (0..count).map(value).collect()
        };
        let most = attributes(ATTRIBUTES_MAX);
        assert!(read(&format!("<e{most}>x='=' y='</e>")).starts_with("{\"e\":{\"@a0\":\"=\""));
        let more = attributes(ATTRIBUTES_MAX + 1);
        for before in
            ["", "<!-- it's -->", "<?p it's ?>", "<a b=\"'\"/>", "<![CDATA[<a b=']]>", "it's"]
        {
            let xml = format!("<r>{before}<e{more}/></r>");
            assert_eq!(
                read(&xml),
                "error: `parse_xml`: an element has more than 256 attributes",
                "{before}"
            );
        }
        let namespaces = |count: usize| -> String {
            let element = |at| format!("<e xmlns:a{at}='u{at}'/>");
            (0..count).map(element).collect()
        };
        assert!(read(&format!("<r>{}</r>", namespaces(NAMESPACES_MAX))).starts_with("{\"r\""));
        let xml = format!("<r>{}</r>", namespaces(NAMESPACES_MAX + 1));
        assert_eq!(read(&xml), "error: `parse_xml`: the elements name more than 1000 namespaces");
    }
}
