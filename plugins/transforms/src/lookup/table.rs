//! A table in memory: which row has which key, and what the row adds to an event.
//!
//! **Invariant:** reads text only, no file; what it refuses it refuses with the line.

use lograil_event::{Field, Span, ValueRef};
use serde_json::{Map, Value};

use crate::event_key::{KeyHasher, KeyMap, append_text};
use crate::held::Parts;

/// Most columns of a table, and most bytes of one row of CSV.
const COLUMNS_MAX: usize = 1_000;
const ROW_BYTES_MAX: usize = 1 << 20;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// CSV (RFC 4180) whose first line has the names.
    Csv,
    /// An array of objects, or an object on each line.
    Json,
}

/// What of a file is wanted.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) notation: Notation,
    /// The columns that make up the key.
    pub(super) keys: Vec<String>,
    /// The columns that are added; none: all but those of the key.
    pub(super) columns: Option<Vec<String>>,
    /// What the key of the hash is.
    pub(super) hash_key: u128,
}

/// A table.
pub(super) struct Table {
    /// The names of the columns that are added.
    pub(super) columns: Vec<String>,
    /// The texts of all rows, row by row, and their values.
    text: Vec<u8>,
    fields: Vec<Field>,
    rows: Vec<RowEnd>,
    by_key: KeyMap<u32>,
    /// Rows whose key an earlier row has; the last one counts.
    pub(super) repeated: usize,
}

/// Where the texts and the values of a row end; they begin where those of the row before end.
#[derive(Debug, Clone, Copy, Default)]
struct RowEnd {
    text: usize,
    field: usize,
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'t> {
    /// All texts of the row.
    pub(super) text: &'t [u8],
    /// Its values but for those that it lacks: the key is the number of the column, spans are of the row's text.
    pub(super) fields: &'t [Field],
}

impl Table {
    pub(super) fn parse(text: &[u8], wanted: &Wanted) -> Result<Self, String> {
        let mut builder = Builder::new(wanted);
        match wanted.notation {
            Notation::Csv => builder.read_csv(text)?,
            Notation::Json => builder.read_json(text)?,
        }
        Ok(builder.table)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number of the row with a key.
    pub(super) fn find(&self, hash: u128) -> Option<u32> {
        self.by_key.get(&hash).copied()
    }

    /// The row with a number.
    pub(super) fn row(&self, number: u32) -> Option<Row<'_>> {
        let end = self.rows.get(number as usize)?;
        let before = (number as usize).checked_sub(1).map(|before| self.rows[before]);
        let start = before.unwrap_or_default();
        let text = &self.text[start.text..end.text];
        Some(Row { text, fields: &self.fields[start.field..end.field] })
    }

    /// Adds a row of values, one for each column.
    fn add_row<'v>(
        &mut self,
        values: impl Iterator<Item = Option<ValueRef<'v>>>,
    ) -> Result<u32, &'static str> {
        let number = u32::try_from(self.rows.len()).map_err(|_| "there are too many rows")?;
        let start = self.text.len();
        for (column, value) in (0..).zip(values) {
            let Some(value) = value else { continue };
            self.fields.push(match Parts::of(value) {
                Parts::Scalar(tag, payload) => Field::scalar(column, tag, payload),
                Parts::Text(tag, text, flags) => {
                    let part = |len| u32::try_from(len).map_err(|_| "its texts are too long");
                    let (offset, len) = (part(self.text.len() - start)?, part(text.len())?);
                    self.text.extend_from_slice(text);
                    Field::text(column, tag, Span { segment: 0, offset, len }, flags)
                }
            });
        }
        self.rows.push(RowEnd { text: self.text.len(), field: self.fields.len() });
        Ok(number)
    }
}

/// Appends what a value is compared by: its text, so that the number 200 finds the text `200` of a CSV file. Nothing
/// is like `null` or a value that is missing.
pub(super) fn append_key(value: Option<ValueRef<'_>>, form: &mut Vec<u8>) -> Option<()> {
    let text = match value? {
        ValueRef::Null => return None,
        ValueRef::Bool(value) => value.to_string(),
        ValueRef::I64(value) | ValueRef::Timestamp(value) => value.to_string(),
        ValueRef::U64(value) => value.to_string(),
        ValueRef::F64(value) => value.to_string(),
        value => {
            append_text(b's', value.as_bytes()?, form);
            return Some(());
        }
    };
    append_text(b's', text.as_bytes(), form);
    Some(())
}

struct Builder<'w> {
    wanted: &'w Wanted,
    hasher: KeyHasher,
    table: Table,
}

impl<'w> Builder<'w> {
    fn new(wanted: &'w Wanted) -> Self {
        let columns = wanted.columns.clone().unwrap_or_default();
        let table = Table {
            columns,
            text: Vec::new(),
            fields: Vec::new(),
            rows: Vec::new(),
            by_key: KeyMap::default(),
            repeated: 0,
        };
        Self { wanted, hasher: KeyHasher::with_key(wanted.hash_key), table }
    }

    /// Adds a row; `key` are the values of the key's columns.
    fn add<'v>(
        &mut self,
        key: impl Iterator<Item = Option<ValueRef<'v>>>,
        row: impl Iterator<Item = Option<ValueRef<'v>>>,
    ) -> Result<(), String> {
        self.hasher.form.clear();
        for (value, column) in key.zip(&self.wanted.keys) {
            if append_key(value, &mut self.hasher.form).is_none() {
                return Err(format!("`{column}`, which is a part of the key, is missing"));
            }
        }
        let number = self.table.add_row(row)?;
        let before = self.table.by_key.insert(self.hasher.hash(), number);
        self.table.repeated += usize::from(before.is_some());
        Ok(())
    }

    fn read_csv(&mut self, text: &[u8]) -> Result<(), String> {
        let mut records = Records::new(text);
        let (_, names) =
            records.next_record()?.ok_or("it is empty; the first line has the names")?;
        let names: Vec<String> =
            names.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        let place = |column: &String| {
            let at = names.iter().position(|name| name == column);
            at.ok_or_else(|| {
                format!("line 1: there is no column `{column}`, but {}", listed(&names))
            })
        };
        let keys = self.wanted.keys.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        if self.wanted.columns.is_none() {
            let added = names.iter().enumerate().filter(|(at, _)| !keys.contains(at));
            self.table.columns = added.map(|(_, name)| name.clone()).collect();
        }
        let columns = self.table.columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        while let Some((line, values)) = records.next_record()? {
            if values.len() != names.len() {
                return Err(format!(
                    "line {line}: it has {} values, not {}",
                    values.len(),
                    names.len()
                ));
            }
            if let Some(at) = values.iter().position(|value| std::str::from_utf8(value).is_err()) {
                return Err(format!("line {line}: `{}` is not UTF-8", names[at]));
            }
            let value = |at: &usize| {
                let text = &*values[*at];
                (!text.is_empty()).then_some(ValueRef::Str { text, clean: false })
            };
            self.add(keys.iter().map(value), columns.iter().map(value))
                .map_err(|why| format!("line {line}: {why}"))?;
        }
        Ok(())
    }

    fn read_json(&mut self, text: &[u8]) -> Result<(), String> {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let is_array = text.trim_ascii_start().starts_with(b"[");
        let rows: Vec<Map<String, Value>> = if is_array {
            serde_json::from_slice(text).map_err(|error| error.to_string())?
        } else {
            let rows = serde_json::Deserializer::from_slice(text).into_iter();
            rows.collect::<Result<_, _>>().map_err(|error| error.to_string())?
        };
        if self.wanted.columns.is_none() {
            for name in rows.iter().flat_map(Map::keys) {
                let is_known = self.wanted.keys.contains(name) || self.table.columns.contains(name);
                if !is_known && self.table.columns.len() < COLUMNS_MAX {
                    self.table.columns.push(name.clone());
                }
            }
        }
        let columns = self.table.columns.clone();
        for (at, row) in rows.iter().enumerate() {
            let value = |name: &String| row.get(name).map(Text::of);
            let keys: Vec<Option<Text>> = self.wanted.keys.iter().map(value).collect();
            let values: Vec<Option<Text>> = columns.iter().map(value).collect();
            let keys = keys.iter().map(|key| key.as_ref().map(Text::value));
            let values = values.iter().map(|value| value.as_ref().map(Text::value));
            self.add(keys, values).map_err(|why| format!("object {}: {why}", at + 1))?;
        }
        Ok(())
    }
}

/// A JSON value with its text.
enum Text<'v> {
    Str(&'v str),
    Plain(ValueRef<'static>),
    Number(String),
    Object(String),
    Array(String),
}

impl<'v> Text<'v> {
    fn of(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Plain(ValueRef::Null),
            Value::Bool(value) => Self::Plain(ValueRef::Bool(*value)),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Str(text),
            Value::Array(_) => Self::Array(value.to_string()),
            Value::Object(_) => Self::Object(value.to_string()),
        }
    }

    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Str(text) => ValueRef::str(text),
            Self::Plain(value) => *value,
            Self::Number(text) => ValueRef::Number(text.as_bytes()),
            Self::Object(text) => ValueRef::Object(text.as_bytes()),
            Self::Array(text) => ValueRef::Array(text.as_bytes()),
        }
    }
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The line on which a record begins, and its values.
type Record = (u64, Vec<Box<[u8]>>);

/// The records of a CSV text with the numbers of their lines.
struct Records<'t> {
    reader: csv_core::Reader,
    rest: &'t [u8],
    output: Vec<u8>,
    ends: Vec<usize>,
}

impl<'t> Records<'t> {
    fn new(text: &'t [u8]) -> Self {
        let (output, ends) = (vec![0; 4096], vec![0; 64]);
        Self { reader: csv_core::Reader::new(), rest: text, output, ends }
    }

    fn next_record(&mut self) -> Result<Option<Record>, String> {
        let (mut written, mut ended) = (0, 0);
        let line = self.reader.line();
        loop {
            let (result, read, wrote, ends) = self.reader.read_record(
                self.rest,
                &mut self.output[written..],
                &mut self.ends[ended..],
            );
            self.rest = &self.rest[read..];
            (written, ended) = (written + wrote, ended + ends);
            match result {
                // With nothing left the next call ends the last record.
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull if self.output.len() < ROW_BYTES_MAX => {
                    self.output.resize(self.output.len() * 2, 0);
                }
                csv_core::ReadRecordResult::OutputEndsFull if self.ends.len() < COLUMNS_MAX => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                csv_core::ReadRecordResult::Record => break,
                csv_core::ReadRecordResult::End => return Ok(None),
                _ => return Err(format!("line {line}: a row has at most 1 MiB and 1000 values")),
            }
        }
        let mut start = 0;
        let values = self.ends[..ended].iter().map(|&end| {
            let value = self.output[start..end].into();
            start = end;
            value
        });
        Ok(Some((line, values.collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(notation: Notation, columns: Option<&[&str]>) -> Wanted {
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Wanted { notation, keys: vec!["ip".to_owned()], columns, hash_key: 1 }
    }

    fn row(table: &Table, key: ValueRef<'_>) -> Option<Vec<Option<String>>> {
        let mut hasher = KeyHasher::with_key(1);
        append_key(Some(key), &mut hasher.form)?;
        let row = table.row(table.find(hasher.hash())?)?;
        let mut values = vec![None; table.columns.len()];
        for field in row.fields {
            let (start, len) = (field.span().offset as usize, field.span().len as usize);
            let text = row.text.get(start..start + len).filter(|_| field.tag.is_span());
            let text = String::from_utf8_lossy(text.unwrap_or_default());
            values[field.key as usize] = Some(format!("{:?} {text}", field.tag));
        }
        Some(values)
    }

    #[test]
    fn rows_of_csv_are_found_by_their_key() {
        let text = "\u{feff}ip,owner,note\r\n1,ann,\"a, \"\"b\"\"\nc\"\n2,,\n1,bob,x\n";
        let table = Table::parse(text.as_bytes(), &wanted(Notation::Csv, None)).unwrap();
        assert_eq!(table.columns, ["owner", "note"]);
        assert_eq!((table.len(), table.repeated), (3, 1));
        let found = row(&table, ValueRef::I64(1)).unwrap();
        let wanted = ["Str bob", "Str x"].map(|value| Some(value.to_owned()));
        assert_eq!(found, wanted, "the last one counts");
        assert_eq!(row(&table, ValueRef::str("2")).unwrap(), [None, None]);
        assert_eq!(row(&table, ValueRef::str("3")), None);
    }

    #[test]
    fn rows_of_json_keep_their_types() {
        for text in [
            r#"[{"ip": 1, "n": 1.50, "o": {"a": [1]}}, {"ip": "b", "t": true}]"#,
            "{\"ip\": 1, \"n\": 1.50, \"o\": {\"a\": [1]}}\n{\"ip\": \"b\", \"t\": true}\n",
        ] {
            let table = Table::parse(text.as_bytes(), &wanted(Notation::Json, None)).unwrap();
            assert_eq!(table.columns, ["n", "o", "t"]);
            let found = row(&table, ValueRef::str("1")).unwrap();
            let wanted = [Some("Number 1.5"), Some("Object {\"a\":[1]}"), None];
            assert_eq!(found, wanted.map(|value| value.map(str::to_owned)));
            let found = row(&table, ValueRef::str("b")).unwrap();
            assert_eq!(found, [None, None, Some("Bool ".to_owned())]);
        }
    }

    #[test]
    fn mistakes_name_their_line() {
        let csv = |text: &str, columns: Option<&[&str]>| {
            Table::parse(text.as_bytes(), &wanted(Notation::Csv, columns)).err().unwrap()
        };
        assert_eq!(csv("", None), "it is empty; the first line has the names");
        assert_eq!(csv("a,b\n", None), "line 1: there is no column `ip`, but `a`, `b`");
        assert_eq!(csv("ip,b\n", Some(&["c"])), "line 1: there is no column `c`, but `ip`, `b`");
        assert_eq!(csv("ip,b\n1,2\n\n3\n", None), "line 3: it has 1 values, not 2");
        assert_eq!(csv("ip,b\n,2\n", None), "line 2: `ip`, which is a part of the key, is missing");
        let json = |text: &str| {
            Table::parse(text.as_bytes(), &wanted(Notation::Json, None)).err().unwrap()
        };
        assert!(json("[{\"ip\": 1},\n {\"ip\" 2}]").contains("line 2 column"));
        assert_eq!(json("{\"a\": 1}"), "object 1: `ip`, which is a part of the key, is missing");
        assert!(json("[1]").contains("invalid type"));
    }

    #[test]
    fn any_bytes_will_do() {
        for byte in 0..=255u8 {
            for text in [vec![byte; 3], vec![b'"', byte], vec![b'i', b'p', b'\n', byte, b'"', byte]]
            {
                for notation in [Notation::Csv, Notation::Json] {
                    drop(Table::parse(&text, &wanted(notation, None)));
                }
            }
        }
        let long = format!("ip,b\n1,{}\n", "x".repeat(2 << 20));
        assert!(Table::parse(long.as_bytes(), &wanted(Notation::Csv, None)).is_err());
    }
}
