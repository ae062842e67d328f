//! Functions that read what services of AWS write. Fields are those of the documentation of AWS:
//! <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html>,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>.

use super::object::unique_members;
use super::{Arguments, Function, Inside, fails, gives, optional, required};
use crate::error::EvalError;
use crate::json;
use crate::kind::Kind;
use crate::value::{Array, Member, Object, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "parse_aws_vpc_flow_log",
        &[required("value", Kind::STRING), optional("format", Kind::STRING)],
        Kind::OBJECT,
        "A record of a VPC flow log, in the default format of version 2 or in the fields that `format` names. What is \
         `-` is null.",
        &[
            gives(
                "parse_aws_vpc_flow_log!(.a).action",
                r#"{"a":"2 123456789010 eni-1a 192.0.2.1 192.0.2.2 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"}"#,
                r#""ACCEPT""#,
            ),
            gives(
                "parse_aws_vpc_flow_log!(.a, \"instance_id bytes tcp_flags\")",
                r#"{"a":"i-1 - 3"}"#,
                r#"{"instance_id":"i-1","bytes":null,"tcp_flags":3}"#,
            ),
            fails("parse_aws_vpc_flow_log!(.a)", r#"{"a":"2 1"}"#, "`parse_aws_vpc_flow_log`: the record has not the fields of the format"),
        ],
        vpc_flow_log,
    )
    .fallible(),
    Function::new(
        "parse_aws_alb_log",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "A line of the access log of an Application Load Balancer. What is `-` is null; fields that came to the format \
         later may be missing.",
        &[
            gives(
                "entry = parse_aws_alb_log!(.a)\n[entry.elb, entry.client_host, entry.request_method, entry.elb_status_code, entry.target_processing_time]",
                r#"{"a":"http 2026-01-31T22:23:00.186641Z app/lb/50 192.0.2.1:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 \"GET http://a:80/ HTTP/1.1\" \"curl\" - - arn:tg \"Root=1-5\" \"-\" \"-\" 0 2026-01-31T22:22:48.364000Z \"forward\" \"-\" \"-\" \"10.0.0.1:80\" \"200\" \"-\" \"-\""}"#,
                r#"["app/lb/50","192.0.2.1:2817","GET","200",0.001]"#,
            ),
            fails("parse_aws_alb_log!(.a)", r#"{"a":"http x"}"#, "`parse_aws_alb_log`: the text is not a line of this log"),
        ],
        alb_log,
    )
    .fallible(),
    Function::new(
        "parse_aws_cloudwatch_log_subscription_message",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "What CloudWatch sends to a subscription, as JSON text; times of the `log_events` become timestamps.",
        &[gives(
            ". = parse_aws_cloudwatch_log_subscription_message!(.a)\n. = unnest!(.log_events)\n.",
            r#"{"a":"{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"1\",\"logGroup\":\"g\",\"logStream\":\"s\",\"subscriptionFilters\":[\"f\"],\"logEvents\":[{\"id\":\"3\",\"timestamp\":1769817600000,\"message\":\"hello\"}]}"}"#,
            r#"[{"owner":"1","message_type":"DATA_MESSAGE","log_group":"g","log_stream":"s","subscription_filters":["f"],"log_events":{"id":"3","timestamp":"2026-01-31T00:00:00Z","message":"hello"}}]"#,
        )],
        subscription_message,
    )
    .fallible()
    .inside(Inside::Members(&[("log_events", Kind::ARRAY)])),
];

/// The fields of version 2, in their order.
const FLOW_FIELDS: &str = "version account_id interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end action log_status";
const FLOW_INTEGERS: [&str; 10] = [
    "version",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "tcp_flags",
    "traffic_path",
];

fn vpc_flow_log<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let text = arguments.utf8(0)?;
    let format = if arguments.given(1) { arguments.utf8(1)? } else { FLOW_FIELDS };
    let wrong = || arguments.error("the record has not the fields of the format");
    let mut values = text.split_ascii_whitespace();
    let mut members = Vec::new();
    for name in format.split_ascii_whitespace() {
        let value = match values.next().ok_or_else(wrong)? {
            "-" => Value::Null,
            number if FLOW_INTEGERS.contains(&name) => {
                Value::Integer(number.parse().map_err(|_| wrong())?)
            }
            text => Value::str(text),
        };
        members.push((name.as_bytes(), value));
    }
    if values.next().is_some() {
        return Err(wrong());
    }
    Ok(unique_members(members, arguments.context))
}

/// What a field of the load balancer's log is read as.
#[derive(Clone, Copy)]
enum Column {
    Text,
    Integer,
    Seconds,
    /// Several texts, parted by blanks.
    List,
    /// Method, URL and protocol.
    Request,
}

const ALB_COLUMNS: [(&str, Column); 29] = [
    ("type", Column::Text),
    ("timestamp", Column::Text),
    ("elb", Column::Text),
    ("client_host", Column::Text),
    ("target_host", Column::Text),
    ("request_processing_time", Column::Seconds),
    ("target_processing_time", Column::Seconds),
    ("response_processing_time", Column::Seconds),
    ("elb_status_code", Column::Text),
    ("target_status_code", Column::Text),
    ("received_bytes", Column::Integer),
    ("sent_bytes", Column::Integer),
    ("request", Column::Request),
    ("user_agent", Column::Text),
    ("ssl_cipher", Column::Text),
    ("ssl_protocol", Column::Text),
    ("target_group_arn", Column::Text),
    ("trace_id", Column::Text),
    ("domain_name", Column::Text),
    ("chosen_cert_arn", Column::Text),
    ("matched_rule_priority", Column::Text),
    ("request_creation_time", Column::Text),
    ("actions_executed", Column::Text),
    ("redirect_url", Column::Text),
    ("error_reason", Column::Text),
    ("target_port_list", Column::List),
    ("target_status_code_list", Column::List),
    ("classification", Column::Text),
    ("classification_reason", Column::Text),
];

/// Columns that the format has had from its beginning.
const ALB_COLUMNS_MIN: usize = 18;

fn alb_log<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let wrong = || arguments.error("the text is not a line of this log");
    let mut rest = arguments.utf8(0)?.trim();
    let mut members: Vec<Member<'a>> = Vec::with_capacity(ALB_COLUMNS.len() + 2);
    let mut columns = 0;
    for (name, column) in ALB_COLUMNS {
        if rest.is_empty() {
            break;
        }
        let (field, after) = quoted_field(rest).ok_or_else(wrong)?;
        rest = after;
        columns += 1;
        let value = match column {
            Column::List => {
                let items = field.split_ascii_whitespace().filter(|item| *item != "-");
                arguments.context.array(items.map(Value::str))
            }
            Column::Request => {
                let mut parts = field.splitn(3, ' ');
                for name in ["request_method", "request_url", "request_protocol"] {
                    let part = parts.next().filter(|part| !matches!(*part, "" | "-"));
                    members.push((name.as_bytes(), part.map_or(Value::Null, Value::str)));
                }
                continue;
            }
            _ if field == "-" => Value::Null,
            Column::Text => Value::str(field),
            Column::Integer => Value::Integer(field.parse().map_err(|_| wrong())?),
            Column::Seconds => Value::float(field.parse().map_err(|_| wrong())?),
        };
        members.push((name.as_bytes(), value));
    }
    if columns < ALB_COLUMNS_MIN {
        return Err(wrong());
    }
    Ok(arguments.context.object(members))
}

/// The first field, in quotes or up to a blank, and what follows it.
fn quoted_field(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => {
            let (field, rest) = quoted.split_once('"')?;
            Some((field, rest.trim_start()))
        }
        None => Some(text.split_once(' ').map_or((text, ""), |(a, b)| (a, b.trim_start()))),
    }
}

fn subscription_message<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let wrong = || arguments.error("the text is not a message of a subscription");
    let bump = arguments.context.bump;
    let text = arguments.utf8(0)?.trim().as_bytes();
    if !lograil_event::is_json(text) {
        return Err(wrong());
    }
    let Value::Object(message) = json::document(text, bump) else { return Err(wrong()) };
    let get = |object: Object<'a>, key: &str| object.get(key.as_bytes(), bump).ok_or_else(wrong);
    let Value::Array(events) = get(message, "logEvents")? else { return Err(wrong()) };
    let mut read = Vec::new();
    for event in events.iter(bump) {
        let Value::Object(event) = event else { return Err(wrong()) };
        let Value::Integer(millis) = get(event, "timestamp")? else { return Err(wrong()) };
        let time = Value::Timestamp(millis.checked_mul(1_000_000).ok_or_else(wrong)?);
        let members: [Member<'a>; 3] = [
            (b"id", get(event, "id")?),
            (b"timestamp", time),
            (b"message", get(event, "message")?),
        ];
        read.push(arguments.context.object(members));
    }
    let filters = get(message, "subscriptionFilters").unwrap_or(Value::Array(Array::Items(&[])));
    let members: [Member<'a>; 6] = [
        (b"owner", get(message, "owner")?),
        (b"message_type", get(message, "messageType")?),
        (b"log_group", get(message, "logGroup")?),
        (b"log_stream", get(message, "logStream")?),
        (b"subscription_filters", filters),
        (b"log_events", arguments.context.array(read)),
    ];
    Ok(arguments.context.object(members))
}
