//! Functions of VRL that are not there, so that whoever pastes a program is told so and not that it is misspelled.

/// The functions, and what to do instead.
pub(crate) const ABSENT: &[(&[&str], &str)] = &[
    (
        &["get_enrichment_table_record", "find_enrichment_table_records"],
        "the transform `lookup` adds fields from a table",
    ),
    (
        &[
            "get_metadata_field",
            "set_metadata_field",
            "remove_metadata_field",
            "set_semantic_meaning",
        ],
        "events have no metadata: keep it in a field, or in a variable of the program",
    ),
    (&["get_secret", "set_secret", "remove_secret"], "`get_env_var` reads an environment variable"),
    (
        &["dns_lookup", "reverse_dns", "http_request"],
        "a program waits for nobody; the transform `lookup` adds fields from a table",
    ),
    (&["seahash", "sha3", "xxhash"], "hashes that are there: `sha2`, `sha1`, `md5`, `crc32`"),
    (&["type_def"], "to ask for a type write `is_string(.a)`, `is_object(.a)` ..."),
    (
        &[
            "caseless_eq",
            "community_id",
            "decode_charset",
            "decode_lz4",
            "decode_mime_q",
            "decode_punycode",
            "decode_snappy",
            "decrypt",
            "decrypt_ip",
            "encode_charset",
            "encode_csv",
            "encode_lz4",
            "encode_proto",
            "encode_punycode",
            "encode_snappy",
            "encrypt",
            "encrypt_ip",
            "get_timezone_name",
            "haversine",
            "ip_cidr",
            "ip_ntop",
            "ip_pton",
            "match_datadog_query",
            "parse_cbor",
            "parse_dnstap",
            "parse_etld",
            "parse_influxdb",
            "parse_proto",
            "parse_ruby_hash",
            "parse_user_agent",
            "random_bytes",
            "shannon_entropy",
            "tag_types_externally",
            "uuid_from_friendly_id",
            "validate_json_schema",
        ],
        "VRL has this function, lograil does not; `LANGUAGE.md` of `lograil-expr` lists the differences",
    ),
];

/// What to do instead of a function of VRL that is not there.
pub(crate) fn instead_of(name: &str) -> Option<&'static str> {
    ABSENT.iter().find(|(names, _)| names.contains(&name)).map(|(_, help)| *help)
}
