/* lograil_plugin.h - the C interface between lograil and its plugins.
 * Generated from core/abi by cbindgen: change it there.
 *
 * A plugin is a shared library that exports one function, lograil_plugin_v1, and carries a manifest
 * (LR_MANIFEST). Native plugins are trusted code: they run inside the program, with all its rights.
 *
 * Rules
 *  - Fixed-width integers only. A table starts with its size and only ever grows at its end.
 *  - Nothing is freed by the side that did not make it. What is passed to a call is borrowed: it lives until
 *    the call returns, unless said otherwise. What must live longer is copied by whoever wants it.
 *  - No function unwinds or longjmps across the boundary.
 *  - Texts are UTF-8 with a length, without a NUL at the end. ptr == NULL means "none".
 *
 * Threads, in front of what each function does
 *  (main) any thread; for one instance never at the same time as another call on it.
 *  (inst) the thread that serves the instance: any thread, one call at a time.
 *  (any)  any thread, at any time between create and the return of destroy.
 */
#ifndef LOGRAIL_PLUGIN_H
#define LOGRAIL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__x86_64__)
#define LR_TARGET "x86_64-linux"
#elif defined(__aarch64__)
#define LR_TARGET "aarch64-linux"
#else
#define LR_TARGET "other"
#endif
#define LR_EXPORT __attribute__((visibility("default")))

/* `layout` of a view: the arrangement of the arrays described here. */
#define LR_LAYOUT 1

/* `flags` of a segment: `stream` and `offset` mean something. */
#define LR_SEGMENT_HAS_ORIGIN 1

/* `flags` of a column: no event has the key, so that values are appended without a search. */
#define LR_COLUMN_APPENDS 1

/* `tag` of a field: null. */
#define LR_TAG_NULL 0

/* A boolean: the lowest bit of the payload. */
#define LR_TAG_BOOL 1

/* A signed integer. */
#define LR_TAG_I64 2

/* An unsigned integer above the largest signed one. */
#define LR_TAG_U64 3

/* The bits of a double. */
#define LR_TAG_F64 4

/* Nanoseconds since the Unix epoch, signed. */
#define LR_TAG_TIMESTAMP 5

/* A span: a number as JSON writes it. */
#define LR_TAG_NUMBER 7

/* A span: UTF-8 text. */
#define LR_TAG_STR 8

/* A span: bytes. */
#define LR_TAG_BYTES 9

/* A span: a JSON object as text. */
#define LR_TAG_OBJECT 16

/* A span: a JSON array as text. */
#define LR_TAG_ARRAY 17

/* `flags` of an event: raw is one JSON object whose members are the first `raw_fields` fields. */
#define LR_EVENT_RAW_JSON 1

/* A field that came from raw was changed or removed. */
#define LR_EVENT_CHANGED 2

/* There are raw bytes. */
#define LR_EVENT_RAW 4

/* Raw is incomplete: the line was longer than the source's limit. */
#define LR_EVENT_TRUNCATED 8

/* Raw is one JSON document that is no object; its value is the first field. */
#define LR_EVENT_RAW_DOCUMENT 16

/* Raw is where the event was read together with others, which it is a part of; it is not the bytes of this one. */
#define LR_EVENT_PIECE 32

/* `port` of what is emitted: the unnamed output. */
#define LR_PORT_MAIN 0

/* Dead letters. */
#define LR_PORT_DEAD_LETTER 65535

/* `key` of a value in a column: the field stays as it is. */
#define LR_CHANGE_KEEP 0

/* The field gets the value. */
#define LR_CHANGE_SET 1

/* The field goes, if it is there. */
#define LR_CHANGE_REMOVE 2

/* `kind` of a component: a source brings events in. */
#define LR_KIND_SOURCE 1

/* A transform changes, drops or splits them. */
#define LR_KIND_TRANSFORM 2

/* A sink delivers them. */
#define LR_KIND_SINK 3

/* `flags` of a component. Sink: its operations may block; sources and transforms always have a thread. */
#define LR_COMPONENT_BLOCKING 1

/**
 * Transform: settles tokens itself, with `release`. Without this the host does when `process` returns; all that was
 * emitted in the call carries the batch's acknowledgements, and an event that did not come out counts as dropped.
 */
#define LR_COMPONENT_TOKENS 2

/* `flags` of a start. Source: read to the end as it is now, then `LR_END`. */
#define LR_START_ONCE 1

/* Sink: what was written after `state` comes again, undo it. */
#define LR_START_UPSTREAM_REPLAYS 2

/* `kind` of a metric: a total that only grows. */
#define LR_METRIC_COUNTER 0

/* A value that goes up and down. */
#define LR_METRIC_GAUGE 1

/**
 * Major version of the interface. Changes whenever a plugin of before could not work any more; part of the symbol's
 * name.
 */
#define LR_ABI_MAJOR 1

/* Minor version of the interface. Grows with every addition. */
#define LR_ABI_MINOR 4

/* The first four bytes of the section: `LRIL`. */
#define LR_MAGIC 1279873612

/* Bytes of `target` in the manifest's head. */
#define LR_TARGET_BYTES 40

/**
 * `flags` of an error: the text is a JSON list of mistakes in the options,
 * `[{"path": ["option", "0"], "message": "...", "within": [3, 7], "help": "..."}]`; the last two are optional.
 * `within` are two byte positions inside the option's text.
 */
#define LR_ERROR_IS_JSON 1

/* A batch of the host: opaque, counted, immutable. Looked at with `view`. */
typedef struct lr_batch lr_batch;

/**
 * A batch that is being made or changed by calls: opaque, of the host, owned by the plugin until it is emitted or
 * dropped.
 */
typedef struct lr_builder lr_builder;

/* What the host knows of an instance: opaque. Lives until destroy has returned. */
typedef struct lr_context lr_context;

/* How a call went: 0 went well, > 0 with a remark, < 0 failed. Unknown negative values mean `LR_FAILED`. */
typedef int32_t lr_status;

/* A text or bytes that someone else owns. UTF-8 where it is text; no NUL at its end. */
typedef struct lr_str {
    /* The first byte; NULL stands for "none", which is not the empty text. */
    const uint8_t *ptr;
    /* Number of bytes. */
    size_t len;
} lr_str;

/**
 * Where a call says why it failed. The caller owns the buffer and gives `capacity`; the callee writes `text`, `len` and
 * `flags` before it returns. Nothing is to be freed.
 */
typedef struct lr_error {
    /* sizeof of this, as the caller knows it. */
    uint32_t size;
    /* `LR_ERROR_IS_JSON` or 0. */
    uint32_t flags;
    /* Bytes that fit into `text`. */
    uint32_t capacity;
    /* Bytes written; more are cut off at the end of a character. */
    uint32_t len;
    /* UTF-8, without a NUL at the end. */
    uint8_t *text;
} lr_error;

/* One event, 40 bytes: `fields[first .. first + count]`. Events never share fields. */
typedef struct lr_event {
    /* Nanoseconds since the Unix epoch; INT64_MIN where unknown. */
    int64_t timestamp_ns;
    /* Index of its first field. */
    uint32_t first;
    /* Number of its fields. */
    uint32_t count;
    /* Fields that belong to it from `first` on, used or not; at least `count`. Those behind `count` mean nothing. */
    uint32_t capacity;
    /* How many of the leading fields come from the raw bytes. */
    uint32_t raw_fields;
    /* First raw byte within the segment. */
    uint32_t raw_offset;
    /* Number of raw bytes. */
    uint32_t raw_len;
    /* Segment of the raw bytes. */
    uint8_t raw_segment;
    /* `LR_EVENT_*`. */
    uint8_t flags;
    /* Zero. */
    uint8_t reserved[6];
} lr_event;

/* One key and its value, 16 bytes. A span is in the payload: offset in the low half, length in the high half. */
typedef struct lr_field {
    /* Index into the keys of the batch. */
    uint32_t key;
    /* `LR_TAG_*`; skip those you do not know. */
    uint8_t tag;
    /* Segment of a span. */
    uint8_t segment;
    /* 1: the text needs no escaping in JSON. A hint, found out anew where a plugin says so. */
    uint16_t flags;
    /* The number, or a span: offset in the low half, length in the high half. */
    uint64_t payload;
} lr_field;

/* A block of bytes that spans point into. */
typedef struct lr_segment {
    /* The bytes. */
    const uint8_t *ptr;
    /* Number of bytes, below 4 GiB. */
    uint64_t len;
    /* The stream it was read from. */
    uint64_t stream;
    /* Position of its first byte in the stream. */
    uint64_t offset;
    /* `LR_SEGMENT_HAS_ORIGIN` or 0. */
    uint32_t flags;
    /* Zero. */
    uint32_t reserved;
} lr_segment;

/* A batch to read. The arrays belong to the host and live as long as the batch (see `batch_ref`). */
typedef struct lr_view {
    /* sizeof of this, as its reader knows it; set it before the call. */
    uint32_t size;
    /* `LR_LAYOUT`. */
    uint32_t layout;
    /* The events. */
    const struct lr_event *events;
    /* The fields of all events. */
    const struct lr_field *fields;
    /* The segments. */
    const struct lr_segment *segments;
    /* Key names; the positions are the ids. */
    const struct lr_str *keys;
    /* Number of events. */
    uint32_t event_count;
    /* Number of fields. */
    uint32_t field_count;
    /* Number of segments. */
    uint32_t segment_count;
    /* Number of keys. */
    uint32_t key_count;
    /* Two batches of one instance with the same number have the same keys. */
    uint64_t keys_id;
    /* Stands for the batch's acknowledgements, see `release` of the host; 0 for none. */
    uint64_t token;
    /**
     * `fields` once more, to append fields in place: a transform may write, in the call that brought the batch, those
     * from `first + count` up to `first + capacity` of any event, then emit `fields` of this view with copies of its
     * events that have a greater `count`. Any other change is made in a copy of the fields. What was written stays as
     * it is once it was emitted. NULL where nothing may be written. Since 1.3.
     */
    struct lr_field *spare;
} lr_view;

/* How far a source has come in a stream, once the batch is acknowledged. */
typedef struct lr_position {
    /* The stream. */
    struct lr_str stream;
    /* The position in the source's own notation; none (ptr == NULL) forgets the stream. */
    struct lr_str position;
} lr_position;

/* Changes of one field of all events of a batch that is emitted. They are copied and checked during the call. Since 1.4. */
typedef struct lr_column {
    /**
     * What becomes of the field, `LR_CHANGE_*` in the place of the key: for each event, or once for all. Spans may lie in
     * segments of the batch and of the output.
     */
    const struct lr_field *values;
    /* Number of values: as many as events, or 1. */
    uint32_t count;
    /* The key of the field. */
    uint32_t key;
    /* `LR_COLUMN_APPENDS` or 0. */
    uint32_t flags;
    /* Zero. */
    uint32_t reserved;
} lr_column;

/**
 * A batch to emit as arrays. Everything is checked and, but for what it lends, copied during the call. Segments and keys
 * of `base` come first, so that fields of `base` can be given back as they are. Cheapest are the arrays of the view of
 * `base` themselves, next fields that were appended in place (`spare`), then arrays that begin as those do.
 */
typedef struct lr_output {
    /* sizeof of this, as the plugin knows it. */
    uint32_t size;
    /* `LR_PORT_MAIN` the unnamed output, `LR_PORT_DEAD_LETTER` dead letters, otherwise the number of a named one. */
    uint32_t port;
    /* The batch whose segments and keys come before the ones given here; NULL for none. */
    const struct lr_batch *base;
    /* The events. */
    const struct lr_event *events;
    /* The fields of all events. */
    const struct lr_field *fields;
    /* Segments behind those of `base`. */
    const struct lr_segment *segments;
    /* Keys behind those of `base`. */
    const struct lr_str *keys;
    /* Tokens of the batches that its events come from. */
    const uint64_t *tokens;
    /* For sources: positions that go with the batch. */
    const struct lr_position *positions;
    /* Number of events. */
    uint32_t event_count;
    /* Number of fields. */
    uint32_t field_count;
    /* Number of segments given here. */
    uint32_t segment_count;
    /* Number of keys given here. */
    uint32_t key_count;
    /* Number of tokens. */
    uint32_t token_count;
    /* Number of positions. */
    uint32_t position_count;
    /* What `release` gets. Since 1.2. */
    void *owner;
    /**
     * Events, fields and the bytes of segments are lent: they stay as they are until the host calls this, once, from
     * any thread, also after destroy, even where it refuses the batch. What lies in the arrays and segments of `base`
     * need not stay longer than those. NULL: they are copied. Since 1.2.
     */
    void (*release)(void *owner);
    /**
     * Changes of fields, made by the host after it has taken the arrays, one column after the other; at most 1024. Cheapest
     * where the arrays are those of the view of `base`: then the host changes its own and nothing is copied. Since 1.4.
     */
    const struct lr_column *columns;
    /**
     * A bit for each event, 0 where the event is left out, after the columns: bit `event % 64` of word `event / 64`. NULL
     * where all stay. Since 1.4.
     */
    const uint64_t *kept;
    /* Number of columns. Since 1.4. */
    uint32_t column_count;
    /* Number of words in `kept`: as many as the events take, or 0. Since 1.4. */
    uint32_t kept_count;
} lr_output;

/* An event that a sink will never take. */
typedef struct lr_rejected {
    /* Its index in the batch. */
    uint32_t event;
    /* Zero. */
    uint32_t reserved;
    /* Why, for the dead letter. */
    struct lr_str reason;
} lr_rejected;

/* How an operation of a sink ended. It and what it points at are copied during the call. */
typedef struct lr_completion {
    /* sizeof of this, as the plugin knows it. */
    uint32_t size;
    /* How it went. */
    lr_status status;
    /* After write: bytes as they were sent or stored. */
    uint64_t bytes;
    /* After `LR_RETRY`: nanoseconds that the peer asked to be left alone; 0 leaves it to the host. */
    uint64_t retry_after_ns;
    /* After write: events that will never be taken. */
    const struct lr_rejected *rejected;
    /* Number of them. */
    uint32_t rejected_count;
    /* Zero. */
    uint32_t reserved;
    /* Where the sink stands, for sinks that can undo what lies beyond; else none. */
    struct lr_str state;
    /* What went wrong. */
    struct lr_str detail;
} lr_completion;

/* The functions of the host. The table lives as long as the program. What a function is given is borrowed for the call. */
typedef struct lr_host {
    /* sizeof of this, as the host knows it. */
    uint32_t size;
    /* Major version of the host. */
    uint16_t abi_major;
    /* Minor version of the host. */
    uint16_t abi_minor;
    /* "lograil". */
    struct lr_str name;
    /* Version of the program. */
    struct lr_str version;
    /* (any) The most verbose level anyone listens to: 1 error, 2 warn, 3 info, 4 debug, 5 trace. */
    uint32_t (*log_level)(void);
    /* (any) Logs a line. The context may be NULL. */
    void (*log)(struct lr_context *context, uint32_t level, struct lr_str target, struct lr_str message);
    /**
     * (inst) Sets a metric, lograil_component_NAME, to its present value: for a counter the total so far. `LR_NOT_NOW`
     * before start. `label` may be none.
     */
    lr_status (*metric)(struct lr_context *context,
                        uint32_t kind,
                        struct lr_str name,
                        struct lr_str help,
                        struct lr_str label,
                        struct lr_str label_value,
                        double value);
    /* (any) Wall-clock time in nanoseconds since the Unix epoch. */
    int64_t (*now_ns)(struct lr_context *context);
    /* (any) Nanoseconds since some fixed moment. */
    uint64_t (*monotonic_ns)(struct lr_context *context);
    /* (any) Shows a batch that the plugin was given. What the view points at lives as long as the batch. */
    lr_status (*view)(const struct lr_batch *batch, struct lr_view *out);
    /* (any) Keeps a batch beyond the call that brought it; to be given back with `batch_unref`. */
    void (*batch_ref)(const struct lr_batch *batch);
    /* (any) Gives back what `batch_ref` kept. */
    void (*batch_unref)(const struct lr_batch *batch);
    /**
     * (inst) In process, tick, flush and pull: emits a batch. `LR_INVALID` where it breaks a rule; then the whole call
     * counts as failed.
     */
    lr_status (*emit)(struct lr_context *context, const struct lr_output *output);
    /**
     * (any) With `LR_COMPONENT_TOKENS`: nothing more will come of the batch of this token. `LR_OK`: what became of it was
     * emitted or discarded; `LR_FAILED`: it was lost, its source must read it again. Once a token.
     */
    lr_status (*release)(struct lr_context *context, uint64_t token, lr_status status);
    /* (inst) In process, tick and flush: counts events dropped as configured. `reason` is a word. */
    lr_status (*discard)(struct lr_context *context, struct lr_str reason, uint64_t events);
    /* (inst) In process, tick and flush: counts events made beyond those that came in. */
    lr_status (*create)(struct lr_context *context, uint64_t events);
    /* (inst) Starts a batch: a copy of `base`, or an empty one where that is NULL. Owned by the plugin. */
    struct lr_builder *(*builder_new)(struct lr_context *context, const struct lr_batch *base);
    /* (inst) Throws a builder away. */
    void (*builder_drop)(struct lr_builder *builder);
    /* (inst) As emit; takes the builder, whatever it returns. */
    lr_status (*builder_emit)(struct lr_context *context, struct lr_builder *builder, uint32_t port);
    /* (inst) The id of a key in the builder's batch, added if it is new. */
    lr_status (*builder_key)(struct lr_builder *builder, struct lr_str name, uint32_t *key);
    /* (inst) Appends an event; `event` may be NULL. */
    lr_status (*builder_event)(struct lr_builder *builder, int64_t timestamp_ns, uint32_t *event);
    /* (inst) Sets a field without a span: null, boolean, number, timestamp. */
    lr_status (*builder_set)(struct lr_builder *builder, uint32_t event, const struct lr_field *field);
    /* (inst) Sets a field with a span; the text is copied and checked against its tag. */
    lr_status (*builder_set_text)(struct lr_builder *builder,
                                  uint32_t event,
                                  uint32_t key,
                                  uint8_t tag,
                                  struct lr_str text);
    /* (inst) Removes a key from an event; no error where it is not there. */
    lr_status (*builder_remove)(struct lr_builder *builder, uint32_t event, uint32_t key);
    /* (inst) Leaves an event out of what is emitted. Indices of others stay. */
    lr_status (*builder_drop_event)(struct lr_builder *builder, uint32_t event);
    /* (inst) Sources: a position that goes with the batch. */
    lr_status (*builder_position)(struct lr_builder *builder, struct lr_str stream, struct lr_str position);
    /* (any) Ends an operation of a sink: once for each token, during the call that brought it or later. */
    lr_status (*complete)(struct lr_context *context, uint64_t token, const struct lr_completion *completion);
    /**
     * (inst) In process, tick and flush of a transform: asks for no further input for so long; then tick is called. What
     * was emitted is delivered first. A topology that stops does not wait. Since 1.1.
     */
    lr_status (*pause)(struct lr_context *context, uint64_t duration_ns);
} lr_host;

/* What an instance learns when it starts. Lives during the call. */
typedef struct lr_start_info {
    /* sizeof of this, as the host knows it. */
    uint32_t size;
    /* `LR_START_*`. */
    uint32_t flags;
    /* The component's id in the topology. */
    struct lr_str id;
    /* Sink: the state of the last checkpoint, or none; transform: the bytes that `state` gave, or none. */
    struct lr_str state;
    /* Transform, sink: the directory where relative paths start. */
    struct lr_str base_dir;
    /* Source: the positions of the last checkpoint, `{"stream": "position"}`. */
    struct lr_str positions_json;
} lr_start_info;

/* A callback of the host that takes texts one by one. `arg` is what came with it; the text is copied during the call. */
typedef void (*lr_each_text)(void *arg, struct lr_str text);

/**
 * One component type. Functions that its kind does not have are NULL. All texts and the table live as long as the
 * program. What a function is given is borrowed: it lives until the call returns, unless said otherwise.
 */
typedef struct lr_component {
    /* sizeof of this, as the plugin knows it. */
    uint32_t size;
    /* `LR_KIND_*`. */
    uint32_t kind;
    /* `LR_COMPONENT_*`. */
    uint32_t flags;
    /* Zero. */
    uint32_t reserved;
    /* What `type = "..."` says: "acme.redact". */
    struct lr_str name;
    /* One sentence. */
    struct lr_str summary;
    /* The manual in Markdown. */
    struct lr_str manual;
    /* JSON Schema (draft 2020-12) of the options; none: there are no options. */
    struct lr_str schema;
    /**
     * (main) Optional: calls `each` with the name of every output beyond the unnamed one, in order. The options are not
     * yet checked.
     */
    lr_status (*ports)(const struct lr_component *component, struct lr_str options_json, void *arg, lr_each_text each);
    /* (main) Optional: calls `each` with what no other component may use at the same time. */
    lr_status (*claims)(const struct lr_component *component, struct lr_str options_json, void *arg, lr_each_text each);
    /**
     * (main) Makes an instance. The options were checked against the schema. No effect outside: `lograil check` creates
     * too. The plugin owns the instance until destroy; host and context live until destroy has returned. `LR_CONFIG` and
     * an error where options are wrong; then there is no instance.
     */
    lr_status (*create)(const struct lr_component *component,
                        const struct lr_host *host,
                        struct lr_context *context,
                        struct lr_str options_json,
                        void **instance,
                        struct lr_error *error);
    /**
     * (main) Ends an instance and its threads. The context is gone when it returns. It may come before an operation of a
     * sink is completed: that is broken off then, its batch lives until destroy returns, and nobody waits for more than
     * that; so it must not wait for a peer.
     */
    void (*destroy)(void *instance);
    /**
     * (inst) Source, transform; optional: once, before anything else. On an error, only destroy follows: the topology does
     * not start, or the change that brought the instance is refused. The same may happen after it, where another component
     * does not start: a source must take nothing from where it reads before its first pull, which may never come.
     */
    lr_status (*start)(void *instance, const struct lr_start_info *info, struct lr_error *error);
    /**
     * (inst) Transform: takes a batch; emits, during the call, what becomes of it. A failed call has no effect: the batch
     * is dead-lettered with the error as the reason.
     */
    lr_status (*process)(void *instance, const struct lr_batch *batch, struct lr_error *error);
    /* (inst) Transform; optional: about once a second. */
    lr_status (*tick)(void *instance, int64_t now_ns, struct lr_error *error);
    /* (inst) Transform; optional: after the last batch: emit what is held back. */
    lr_status (*flush)(void *instance, struct lr_error *error);
    /**
     * (inst) Sink: before the first batch; again where it failed with `LR_RETRY`. It, write, commit and close return
     * `LR_OK` and then complete their token exactly once, or return an error and do not. The next operation, and reopen,
     * come after the completion, also where the host no longer waits for it.
     */
    lr_status (*open)(void *instance, const struct lr_start_info *info, uint64_t token, struct lr_error *error);
    /**
     * (inst) Sink: delivers a batch, all of it or on an error nothing. The batch lives until the completion, or until
     * destroy returns if there is none. One whose completion the host did not wait for is offered again.
     */
    lr_status (*write)(void *instance, const struct lr_batch *batch, uint64_t token, struct lr_error *error);
    /* (inst) Sink; optional: makes what was written durable. NULL: write does already. */
    lr_status (*commit)(void *instance, uint64_t token, struct lr_error *error);
    /* (inst) Sink; optional: after the last batch and its commit. */
    lr_status (*close)(void *instance, uint64_t token, struct lr_error *error);
    /* (inst) Sink; optional: open files anew (SIGHUP). */
    void (*reopen)(void *instance);
    /**
     * (inst) Source: emits what there is, waiting for it up to `timeout_ns`. `LR_OK`, `LR_AGAIN` or `LR_END`. Not called
     * again before there is room for more.
     */
    lr_status (*pull)(void *instance, uint64_t timeout_ns, struct lr_error *error);
    /* (inst) Source; optional: take no new input; pull is called until `LR_END`. NULL: it can stop at any time. */
    void (*interrupt)(void *instance);
    /* (main) Source; optional: not 0 if a restart reads again, from the positions, what was not acknowledged. */
    uint32_t (*replays)(void *instance);
    /**
     * (inst) Transform; optional: what it has learned from events so far, bytes in a notation of its own with a version in
     * it: calls `each` with them once, or not at all. Called after start and then between two batches, about once a
     * second. After a restart or a crash start gets them back; what makes no sense is to be ignored. Events that are held
     * back do not belong into it: they come again. At most 64 MiB are kept. Since 1.1.
     */
    lr_status (*state)(void *instance, void *arg, lr_each_text each);
    /**
     * (main) Optional: once, after create: calls `each` once with what a topology must know of the instance, a JSON
     * object. All its members are optional. Transform: `held_for_ns`, how long an event may be held back at most before
     * what becomes of it leaves by the unnamed output (0; UINT64_MAX: nothing bounds it), and `has_unnamed_output`
     * (true). Source: `delivery_wait`, `{"within_ns": 1, "remedy": "..."}`, how long those who send to it wait for the
     * delivery before they send again, and what to change in its options so that they wait longer, a clause that begins
     * with a verb; `restarts` (true), whether another instance loses nothing when this one is stopped. A topology in
     * which senders would not wait for as long as events are held back is refused. Since 1.4.
     */
    lr_status (*traits)(void *instance, void *arg, lr_each_text each);
} lr_component;

/* What the exported function gives back. It and what it points at live as long as the program. */
typedef struct lr_plugin {
    /* sizeof of this, as the plugin knows it. */
    uint32_t size;
    /* Major version it was built for. */
    uint16_t abi_major;
    /* Oldest minor version of a host that will do. */
    uint16_t abi_minor;
    /* Its component types. */
    const struct lr_component *const *components;
    /* Number of them. */
    uint32_t component_count;
    /* Zero. */
    uint32_t reserved;
} lr_plugin;

/* The head of the section that holds the manifest: see `LR_MANIFEST`. */
typedef struct lr_manifest_head {
    /* `LR_MAGIC`. */
    uint32_t magic;
    /* `LR_ABI_MAJOR` it was built for. */
    uint16_t abi_major;
    /* Oldest `LR_ABI_MINOR` of a host that will do. */
    uint16_t abi_minor;
    /* 64. */
    uint32_t pointer_bits;
    /* 1: little. */
    uint32_t endian;
    /* Bytes of the JSON behind the head. */
    uint32_t json_len;
    /* Zero. */
    uint32_t reserved;
    /* What it was built for, such as `x86_64-linux`, padded with zeros. */
    uint8_t target[LR_TARGET_BYTES];
} lr_manifest_head;

/* Went well. */
#define LR_OK 0

/* pull: nothing for now. */
#define LR_AGAIN 1

/* pull: the input has ended. */
#define LR_END 3

/* Transform: the batch is dead-lettered; source, sink: the component ends. */
#define LR_FAILED (-1)

/* create: the options are wrong. */
#define LR_CONFIG (-2)

/* Host and plugin do not speak the same version. */
#define LR_VERSION (-3)

/* Sink: failed for now, offer the batch again, with backoff. */
#define LR_RETRY (-4)

/* Sink: the batch will never be taken: dead-letter it. */
#define LR_REJECT (-5)

/* The instance is unusable: only destroy is called on it after this; a new one is made. */
#define LR_PANIC (-6)

/* An argument is wrong: an index, a tag, a text that is not UTF-8. */
#define LR_INVALID (-7)

/* Not at this moment, or not in this kind of component. */
#define LR_NOT_NOW (-8)

/* Sink: nobody reads the output any more; the topology ends quietly. */
#define LR_CLOSED (-9)

/* (main) The one exported function, written by the plugin. May be called more than once. Host and what is given back live
 * as long as the program. NULL and an error to refuse. */
LR_EXPORT const lr_plugin *lograil_plugin_v1(const lr_host *host, lr_error *error);

/* The manifest: section ".lograil", read without loading the file.
 * Once in a plugin, at file level: LR_MANIFEST("{\"name\":\"acme\",\"version\":\"1.0.0\",\"components\":["
 * "{\"name\":\"acme.redact\",\"kind\":\"transform\",\"summary\":\"...\"}]}") */
#define LR_MANIFEST(json)                                                                                     \
    __attribute__((section(".lograil"), used, aligned(8))) static const struct {                              \
        lr_manifest_head head;                                                                                \
        char text[sizeof(json)];                                                                              \
    } lr_manifest_ = {{LR_MAGIC, LR_ABI_MAJOR, LR_ABI_MINOR, 64u, 1u, (uint32_t)sizeof(json) - 1u, 0u, LR_TARGET}, json}

/* ---- helpers, no part of the interface --------------------------------------------------------- */

/* A text that ends with a NUL, without it. */
static inline lr_str lr_text(const char *text) {
    lr_str made = {(const uint8_t *)text, strlen(text)};
    return made;
}

/* Writes the reason of an error, as far as it fits, and gives `status` back. */
static inline lr_status lr_fail(lr_error *error, lr_status status, const char *why) {
    size_t len = strlen(why);
    if (error && error->text) {
        if (len > error->capacity) len = error->capacity;
        memcpy(error->text, why, len);
        error->len = (uint32_t)len;
    }
    return status;
}

/* The id of a key in a batch; UINT32_MAX where no event has it. */
static inline uint32_t lr_find_key(const lr_view *view, const char *name) {
    size_t len = strlen(name);
    for (uint32_t id = 0; id < view->key_count; id++)
        if (view->keys[id].len == len && !memcmp(view->keys[id].ptr, name, len)) return id;
    return UINT32_MAX;
}

/* The field of a key in an event; NULL where there is none. */
static inline const lr_field *lr_find(const lr_view *view, uint32_t event, uint32_t key) {
    const lr_event *e = &view->events[event];
    for (uint32_t at = e->first; at < e->first + e->count; at++)
        if (view->fields[at].key == key) return &view->fields[at];
    return NULL;
}

/* The bytes of a field with a span; none for others. */
static inline lr_str lr_span(const lr_view *view, const lr_field *field) {
    lr_str made = {NULL, 0};
    if (field->tag == LR_TAG_NUMBER || field->tag == LR_TAG_STR || field->tag == LR_TAG_BYTES ||
        field->tag == LR_TAG_OBJECT || field->tag == LR_TAG_ARRAY) {
        made.ptr = view->segments[field->segment].ptr + (uint32_t)field->payload;
        made.len = (size_t)(field->payload >> 32);
    }
    return made;
}

/* An output that emits the batch as it was, to be given columns or kept: cheaper than any other way to change it. */
static inline lr_output lr_unchanged(const lr_batch *batch, const lr_view *view) {
    lr_output made;
    memset(&made, 0, sizeof made);
    made.size = sizeof made;
    made.base = batch;
    made.events = view->events;
    made.fields = view->fields;
    made.event_count = view->event_count;
    made.field_count = view->field_count;
    return made;
}

#ifdef __cplusplus
}
#endif
#endif
