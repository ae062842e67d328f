//! Functions over addresses, identifiers and the surroundings of the program.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use super::{Arguments, Function, fails, gives, optional, required};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

static HOSTNAME: OnceLock<Option<String>> = OnceLock::new();

/// An identifier of these bits, with those in place that say the version and the variant (RFC 9562, section 4).
fn uuid<'a>(
    arguments: &Arguments<'a, '_>,
    bits: u128,
    version: u128,
) -> Result<Value<'a>, EvalError> {
    let bits = bits & !(0xF << 76) | version << 76;
    let bits = bits & !(3 << 62) | 2 << 62;
    let hex = format!("{bits:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    arguments.context.text(parts.join("-").as_bytes())
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim_end().to_owned())
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "is_ipv4",
        &[required("value", Kind::STRING)],
        Kind::BOOLEAN,
        "Whether the text is an IPv4 address.",
        &[gives("is_ipv4(\"10.0.0.1\")", "{}", "true"), gives("is_ipv4(\"::1\")", "{}", "false")],
        |arguments| Ok(Value::Boolean(matches!(address(arguments.string(0)?), Some(IpAddr::V4(_))))),
    ),
    Function::new(
        "is_ipv6",
        &[required("value", Kind::STRING)],
        Kind::BOOLEAN,
        "Whether the text is an IPv6 address.",
        &[gives("is_ipv6(\"::1\")", "{}", "true")],
        |arguments| Ok(Value::Boolean(matches!(address(arguments.string(0)?), Some(IpAddr::V6(_))))),
    ),
    Function::new(
        "ip_cidr_contains",
        &[required("cidr", Kind::STRING.or(Kind::ARRAY)), required("value", Kind::STRING)],
        Kind::BOOLEAN,
        "Whether an address lies in a network, or in one of several.",
        &[
            gives("ip_cidr_contains!(\"10.0.0.0/8\", .ip)", r#"{"ip":"10.1.2.3"}"#, "true"),
            gives("ip_cidr_contains!([\"10.0.0.0/8\", \"fd00::/8\"], .ip)", r#"{"ip":"fe80::1"}"#, "false"),
            fails(
                "ip_cidr_contains!(\"10.0.0.0/8\", .ip)",
                r#"{"ip":"x"}"#,
                "`ip_cidr_contains`: the text is not an address",
            ),
        ],
        contains,
    )
    .fallible(),
    Function::new(
        "ip_aton",
        &[required("value", Kind::STRING)],
        Kind::INTEGER,
        "The IPv4 address as a number.",
        &[gives("ip_aton!(\"1.2.3.4\")", "{}", "16909060")],
        |arguments| match address(arguments.string(0)?) {
            Some(IpAddr::V4(address)) => Ok(Value::Integer(i64::from(u32::from(address)))),
            _ => Err(arguments.error("the text is not an IPv4 address")),
        },
    )
    .fallible(),
    Function::new(
        "ip_ntoa",
        &[required("value", Kind::INTEGER)],
        Kind::STRING,
        "The IPv4 address that a number is.",
        &[gives("ip_ntoa!(16909060)", "{}", r#""1.2.3.4""#)],
        |arguments| {
            let number = u32::try_from(arguments.integer(0)?);
            let number = number.map_err(|_| arguments.error("the number is not an IPv4 address"))?;
            arguments.context.text(Ipv4Addr::from(number).to_string().as_bytes())
        },
    )
    .fallible(),
    Function::new(
        "ip_subnet",
        &[required("value", Kind::STRING), required("subnet", Kind::STRING)],
        Kind::STRING,
        "The network that an address lies in, by a mask such as `255.255.0.0` or `/16`.",
        &[
            gives("ip_subnet!(\"192.168.10.32\", \"255.255.255.0\")", "{}", r#""192.168.10.0""#),
            gives("ip_subnet!(\"2404:6800:4003:c02::64\", \"/32\")", "{}", r#""2404:6800::""#),
            fails("ip_subnet!(.a, \"/8\")", r#"{"a":"x"}"#, "`ip_subnet`: the text is not an address"),
        ],
        subnet,
    )
    .fallible(),
    Function::new(
        "ip_to_ipv6",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The IPv4 address as an IPv6 address; one of IPv6 stays.",
        &[gives("ip_to_ipv6!(\"192.168.10.32\")", "{}", r#""::ffff:192.168.10.32""#)],
        |arguments| {
            let address = match address(arguments.string(0)?) {
                Some(IpAddr::V4(address)) => address.to_ipv6_mapped(),
                Some(IpAddr::V6(address)) => address,
                None => return Err(arguments.error("the text is not an address")),
            };
            arguments.context.text(address.to_string().as_bytes())
        },
    )
    .fallible(),
    Function::new(
        "ipv6_to_ipv4",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The IPv4 address that an IPv6 address stands for; one of IPv4 stays.",
        &[
            gives("ipv6_to_ipv4!(\"::ffff:192.168.0.1\")", "{}", r#""192.168.0.1""#),
            fails("ipv6_to_ipv4!(\"fe80::1\")", "{}", "`ipv6_to_ipv4`: the address does not stand for one of IPv4"),
        ],
        |arguments| {
            let address = match address(arguments.string(0)?) {
                Some(IpAddr::V4(address)) => Some(address),
                Some(IpAddr::V6(address)) => address.to_ipv4_mapped(),
                None => return Err(arguments.error("the text is not an address")),
            };
            let wrong = "the address does not stand for one of IPv4";
            let address = address.ok_or_else(|| arguments.error(wrong))?;
            arguments.context.text(address.to_string().as_bytes())
        },
    )
    .fallible(),
    Function::new(
        "ip_version",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "`IPv4` or `IPv6`, whichever an address is of.",
        &[
            gives("ip_version!(\"192.0.2.1\")", "{}", r#""IPv4""#),
            gives("ip_version!(\"2001:db8::1\")", "{}", r#""IPv6""#),
            fails("ip_version!(.a)", r#"{"a":"x"}"#, "`ip_version`: the text is not an address"),
        ],
        |arguments| match arguments.utf8(0)?.parse() {
            Ok(IpAddr::V4(_)) => Ok(Value::str("IPv4")),
            Ok(IpAddr::V6(_)) => Ok(Value::str("IPv6")),
            Err(_) => Err(arguments.error("the text is not an address")),
        },
    )
    .fallible(),
    Function::new(
        "uuid_v7",
        &[optional("timestamp", Kind::TIMESTAMP)],
        Kind::STRING,
        "An identifier by chance that begins with the time, so that later ones sort behind (RFC 9562).",
        &[gives(
            "starts_with(uuid_v7(t'2026-01-31T00:00:00Z'), \"019c1159-7000-7\")",
            "{}",
            "true",
        )],
        |arguments| {
            let ns = match arguments.given(0) {
                true => arguments.timestamp(0)?,
                false => arguments.context.now_ns,
            };
            let millis = ns.div_euclid(1_000_000).max(0) as u128 & 0xFFFF_FFFF_FFFF;
            let chance = u128::from(super::number::random()) << 16 | u128::from(super::number::random() as u16);
            uuid(arguments, millis << 80 | chance, 7)
        },
    )
    .effect(),
    Function::new(
        "uuid_v4",
        &[],
        Kind::STRING,
        "An identifier by chance (RFC 9562).",
        &[gives("match(uuid_v4(), r'^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')", "{}", "true")],
        |arguments| {
            let bits = u128::from(super::number::random()) << 64 | u128::from(super::number::random());
            uuid(arguments, bits, 4)
        },
    )
    .effect(),
    Function::new(
        "get_hostname",
        &[],
        Kind::STRING,
        "The name of this machine.",
        &[gives("is_string(get_hostname!())", "{}", "true")],
        |arguments| match HOSTNAME.get_or_init(hostname) {
            Some(name) => Ok(Value::str(name)),
            None => Err(arguments.error("the system does not tell its name")),
        },
    )
    .fallible()
    .effect(),
    Function::new(
        "get_env_var",
        &[required("name", Kind::STRING)],
        Kind::STRING,
        "The environment variable of a name.",
        &[fails("get_env_var!(.a)", r#"{"a":"NO_SUCH"}"#, "`get_env_var`: the variable is not set")],
        |arguments| {
            // The standard library panics on these names.
            let name = arguments.utf8(0)?;
            let valid = !name.is_empty() && !name.contains(['=', '\0']);
            let value = if valid { std::env::var(name).ok() } else { None };
            match value {
                Some(value) => arguments.context.text(value.as_bytes()),
                None => Err(arguments.error("the variable is not set")),
            }
        },
    )
    .fallible(),
];

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn subnet<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let wrong = || arguments.error("the text is not a mask");
    let text = arguments.utf8(1)?;
    let bits =
        text.strip_prefix('/').map(|bits| bits.parse::<u32>().map_err(|_| wrong())).transpose()?;
    let network = match address(arguments.string(0)?) {
        Some(IpAddr::V4(address)) => {
            let mask = match bits {
                Some(bits) if bits <= 32 => u32::MAX.checked_shl(32 - bits).unwrap_or(0),
                Some(_) => return Err(wrong()),
                None => text.parse::<Ipv4Addr>().map_err(|_| wrong())?.into(),
            };
            IpAddr::V4((u32::from(address) & mask).into())
        }
        Some(IpAddr::V6(address)) => {
            let mask = match bits {
                Some(bits) if bits <= 128 => u128::MAX.checked_shl(128 - bits).unwrap_or(0),
                Some(_) => return Err(wrong()),
                None => text.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?.into(),
            };
            IpAddr::V6((u128::from(address) & mask).into())
        }
        None => return Err(arguments.error("the text is not an address")),
    };
    arguments.context.text(network.to_string().as_bytes())
}

fn contains<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let wrong = || arguments.error("the text is not an address");
    let address = address(arguments.string(1)?).ok_or_else(wrong)?;
    let within = |cidr: &[u8]| {
        network_contains(cidr, address).ok_or_else(|| arguments.error("the text is not a network"))
    };
    match arguments.value(0)? {
        Value::String(cidr) => within(cidr).map(Value::Boolean),
        Value::Array(networks) => {
            for cidr in networks.iter(arguments.context.bump) {
                let Value::String(cidr) = cidr else {
                    return Err(arguments.error("the networks must be strings"));
                };
                if within(cidr)? {
                    return Ok(Value::Boolean(true));
                }
            }
            Ok(Value::Boolean(false))
        }
        other => Err(arguments.wrong_type(0, other)),
    }
}

fn network_contains(cidr: &[u8], address: IpAddr) -> Option<bool> {
    let text = std::str::from_utf8(cidr).ok()?;
    let (network, bits) = text.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    match (network.parse().ok()?, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            Some(u32::from(network) & mask == u32::from(address) & mask)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Some(u128::from(network) & mask == u128::from(address) & mask)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) if bits <= 32 => Some(false),
        (IpAddr::V6(_), IpAddr::V4(_)) if bits <= 128 => Some(false),
        _ => None,
    }
}
