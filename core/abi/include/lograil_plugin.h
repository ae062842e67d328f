/* lograil_plugin.h - the C interface between lograil and its plugins, version 1.1.
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
 * Threads
 *  [main] any thread; for one instance never at the same time as another call on it.
 *  [inst] the thread that serves the instance: any thread, one call at a time.
 *  [any]  any thread, at any time between create and the return of destroy.
 */
#ifndef LOGRAIL_PLUGIN_H
#define LOGRAIL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LR_ABI_MAJOR 1
#define LR_ABI_MINOR 1
#define LR_MAGIC 0x4C49524Cu
#define LR_LAYOUT 1u

#if defined(__x86_64__)
#define LR_TARGET "x86_64-linux"
#elif defined(__aarch64__)
#define LR_TARGET "aarch64-linux"
#else
#define LR_TARGET "other"
#endif
#define LR_EXPORT __attribute__((visibility("default")))

/* A text or bytes that someone else owns. */
typedef struct lr_str {
    const uint8_t *ptr;
    size_t len;
} lr_str;

/* ---- status ---------------------------------------------------------------------------------- */

typedef int32_t lr_status; /* 0 went well, > 0 with a remark, < 0 failed */
#define LR_OK 0
#define LR_AGAIN 1         /* pull: nothing for now */
#define LR_END 3           /* pull: the input has ended */
#define LR_FAILED (-1)     /* transform: the batch is dead-lettered; source, sink: the component ends */
#define LR_CONFIG (-2)     /* create: the options are wrong */
#define LR_VERSION (-3)    /* host and plugin do not speak the same version */
#define LR_RETRY (-4)      /* sink: failed for now, offer the batch again, with backoff */
#define LR_REJECT (-5)     /* the batch will never be taken: dead-letter it */
#define LR_PANIC (-6)      /* the instance is unusable: destroy it and make a new one */
#define LR_INVALID (-7)    /* an argument is wrong: an index, a tag, a text that is not UTF-8 */
#define LR_NOT_NOW (-8)    /* not at this moment, or not in this kind of component */
#define LR_CLOSED (-9)     /* sink: nobody reads the output any more */

/* Where a call says why it failed. The caller owns the buffer and gives `capacity`; the callee writes `text`,
 * `len` and `flags`. Nothing is to be freed. */
typedef struct lr_error {
    uint32_t size;
    uint32_t flags; /* LR_ERROR_IS_JSON or 0 */
    uint32_t capacity;
    uint32_t len;
    uint8_t *text;
} lr_error;
/* The text is a JSON list of mistakes in the options:
 * [{"path": ["option", "0"], "message": "...", "within": [3, 7], "help": "..."}]; the last two are optional. */
#define LR_ERROR_IS_JSON 1u

/* ---- batches: flat arrays, layout 1 ---------------------------------------------------------- */

#define LR_TAG_NULL 0
#define LR_TAG_BOOL 1      /* lowest bit of the payload */
#define LR_TAG_I64 2
#define LR_TAG_U64 3
#define LR_TAG_F64 4       /* bits of a double */
#define LR_TAG_TIMESTAMP 5 /* nanoseconds since the Unix epoch */
#define LR_TAG_NUMBER 7    /* span: a number as JSON writes it */
#define LR_TAG_STR 8       /* span: UTF-8 */
#define LR_TAG_BYTES 9     /* span */
#define LR_TAG_OBJECT 16   /* span: a JSON object */
#define LR_TAG_ARRAY 17    /* span: a JSON array */

/* One key and its value. A span is in the payload: offset in the low half, length in the high half. */
typedef struct lr_field {
    uint32_t key;    /* index into the keys of the batch */
    uint8_t tag;     /* LR_TAG_*; skip those you do not know */
    uint8_t segment; /* of a span */
    uint16_t flags;  /* 1: the text needs no escaping in JSON */
    uint64_t payload;
} lr_field;

#define LR_EVENT_RAW_JSON 1      /* raw is an object whose members are the first raw_fields fields */
#define LR_EVENT_CHANGED 2       /* a field that came from raw was changed or removed */
#define LR_EVENT_RAW 4           /* there are raw bytes */
#define LR_EVENT_TRUNCATED 8     /* raw is incomplete */
#define LR_EVENT_RAW_DOCUMENT 16 /* raw is a JSON document that is no object; its value is the first field */

/* One event: fields[first .. first + count]. Events never share fields. */
typedef struct lr_event {
    int64_t timestamp_ns; /* INT64_MIN where unknown */
    uint32_t first, count;
    uint32_t capacity; /* fields that belong to it, used or not; >= count */
    uint32_t raw_fields;
    uint32_t raw_offset, raw_len;
    uint8_t raw_segment;
    uint8_t flags; /* LR_EVENT_* */
    uint8_t reserved[6];
} lr_event;

/* A block of bytes that spans point into. */
typedef struct lr_segment {
    const uint8_t *ptr;
    uint64_t len;            /* < 4 GiB */
    uint64_t stream, offset; /* where it was read, if flags say so */
    uint32_t flags;          /* LR_SEGMENT_HAS_ORIGIN or 0 */
    uint32_t reserved;
} lr_segment;
#define LR_SEGMENT_HAS_ORIGIN 1u

/* A batch to read. The arrays belong to the host and live as long as the batch (see batch_ref). */
typedef struct lr_view {
    uint32_t size; /* set it before the call */
    uint32_t layout;
    const lr_event *events;
    const lr_field *fields;
    const lr_segment *segments;
    const lr_str *keys;
    uint32_t event_count, field_count, segment_count, key_count;
    uint64_t keys_id; /* two batches of one instance with the same number have the same keys */
    uint64_t token;   /* the batch's acknowledgements, see release; 0 for none */
} lr_view;

/* How far a source has come in a stream, once the batch is acknowledged. No position forgets the stream. */
typedef struct lr_position {
    lr_str stream, position;
} lr_position;

typedef struct lr_batch lr_batch;     /* of the host, counted, immutable */
typedef struct lr_builder lr_builder; /* of the host, owned by the plugin until emitted or dropped */
typedef struct lr_context lr_context; /* what the host knows of an instance; lives until destroy returns */

/* A batch to emit as arrays. Everything is copied and checked during the call. Segments and keys of `base`
 * come first, so that fields of `base` can be given back as they are. */
typedef struct lr_output {
    uint32_t size;
    uint32_t port; /* 0 the unnamed output, 65535 dead letters, otherwise the number of a named one */
    const lr_batch *base;
    const lr_event *events;
    const lr_field *fields;
    const lr_segment *segments;
    const lr_str *keys;
    const uint64_t *tokens; /* of the batches its events come from */
    const lr_position *positions;
    uint32_t event_count, field_count, segment_count, key_count, token_count, position_count;
} lr_output;
#define LR_PORT_MAIN 0u
#define LR_PORT_DEAD_LETTER 65535u

/* ---- the end of a sink's operation ----------------------------------------------------------- */

typedef struct lr_rejected {
    uint32_t event; /* index in the batch */
    uint32_t reserved;
    lr_str reason;
} lr_rejected;

typedef struct lr_completion {
    uint32_t size;
    lr_status status;
    uint64_t bytes;          /* write: as sent or stored */
    uint64_t retry_after_ns; /* LR_RETRY: 0 leaves it to the host */
    const lr_rejected *rejected;
    uint32_t rejected_count;
    uint32_t reserved;
    lr_str state;  /* where the sink stands, for sinks that can undo what lies beyond; else none */
    lr_str detail; /* what went wrong */
} lr_completion;

#define LR_METRIC_COUNTER 0u
#define LR_METRIC_GAUGE 1u

/* ---- the host -------------------------------------------------------------------------------- */

typedef struct lr_host {
    uint32_t size;
    uint16_t abi_major, abi_minor;
    lr_str name, version;
    /* [any] The most verbose level anyone listens to: 1 error, 2 warn, 3 info, 4 debug, 5 trace. */
    uint32_t (*log_level)(void);
    /* [any] Logs a line. The context may be NULL. */
    void (*log)(lr_context *, uint32_t level, lr_str target, lr_str message);
    /* [inst] Sets a metric, lograil_component_NAME, to its present value: for a counter the total so far.
     * LR_NOT_NOW before start. `label` may be none. */
    lr_status (*metric)(lr_context *, uint32_t kind, lr_str name, lr_str help, lr_str label, lr_str label_value,
                        double value);
    /* [any] Wall-clock time in nanoseconds since the Unix epoch. */
    int64_t (*now_ns)(lr_context *);
    /* [any] Nanoseconds since some fixed moment. */
    uint64_t (*monotonic_ns)(lr_context *);
    /* [any] Shows a batch that the plugin was given. The view lives as long as the batch. */
    lr_status (*view)(const lr_batch *, lr_view *out);
    /* [any] Keeps a batch beyond the call that brought it; to be given back with batch_unref. */
    void (*batch_ref)(const lr_batch *);
    void (*batch_unref)(const lr_batch *);
    /* [inst] In process, tick, flush and pull: emits a batch. LR_INVALID where it breaks a rule; then the
     * whole call counts as failed. */
    lr_status (*emit)(lr_context *, const lr_output *);
    /* [any] With LR_COMPONENT_TOKENS: nothing more will come of the batch of this token. LR_OK: what became of
     * it was emitted or discarded; LR_FAILED: it was lost, its source must read it again. Once a token. */
    lr_status (*release)(lr_context *, uint64_t token, lr_status);
    /* [inst] In process, tick and flush: counts events dropped as configured. `reason` is a word. */
    lr_status (*discard)(lr_context *, lr_str reason, uint64_t events);
    /* [inst] In process, tick and flush: counts events made beyond those that came in. */
    lr_status (*create)(lr_context *, uint64_t events);
    /* [inst] Starts a batch: a copy of `base`, or an empty one. Owned by the plugin. */
    lr_builder *(*builder_new)(lr_context *, const lr_batch *base);
    /* [inst] Throws a builder away. */
    void (*builder_drop)(lr_builder *);
    /* [inst] As emit; takes the builder, whatever it returns. */
    lr_status (*builder_emit)(lr_context *, lr_builder *, uint32_t port);
    /* [inst] The id of a key in the builder's batch, added if it is new. */
    lr_status (*builder_key)(lr_builder *, lr_str name, uint32_t *key);
    /* [inst] Appends an event; `event` may be NULL. */
    lr_status (*builder_event)(lr_builder *, int64_t timestamp_ns, uint32_t *event);
    /* [inst] Sets a field without a span: null, boolean, number, timestamp. */
    lr_status (*builder_set)(lr_builder *, uint32_t event, const lr_field *);
    /* [inst] Sets a field with a span; the text is copied and checked against its tag. */
    lr_status (*builder_set_text)(lr_builder *, uint32_t event, uint32_t key, uint8_t tag, lr_str text);
    /* [inst] Removes a key from an event; no error where it is not there. */
    lr_status (*builder_remove)(lr_builder *, uint32_t event, uint32_t key);
    /* [inst] Leaves an event out of what is emitted. Indices of others stay. */
    lr_status (*builder_drop_event)(lr_builder *, uint32_t event);
    /* [inst] Sources: a position that goes with the batch. */
    lr_status (*builder_position)(lr_builder *, lr_str stream, lr_str position);
    /* [any] Ends an operation of a sink: once for each token, during the call that brought it or later. */
    lr_status (*complete)(lr_context *, uint64_t token, const lr_completion *);
    /* [inst] In process, tick and flush of a transform: asks for no further input for so long; then tick is called.
     * What was emitted is delivered first. A topology that stops does not wait. Since 1.1. */
    lr_status (*pause)(lr_context *, uint64_t duration_ns);
} lr_host;

/* ---- the plugin ------------------------------------------------------------------------------ */

#define LR_KIND_SOURCE 1u
#define LR_KIND_TRANSFORM 2u
#define LR_KIND_SINK 3u

#define LR_COMPONENT_BLOCKING 1u /* sink: its operations may block; sources always have a thread */
#define LR_COMPONENT_TOKENS 2u   /* transform: settles tokens itself, with release. Without this the host does
                                    when process returns; all that was emitted in the call carries the batch's
                                    acknowledgements, and an event that did not come out counts as dropped. */

#define LR_START_ONCE 1u             /* source: read to the end as it is now, then LR_END */
#define LR_START_UPSTREAM_REPLAYS 2u /* sink: what was written after `state` comes again, undo it */

typedef struct lr_start_info {
    uint32_t size;
    uint32_t flags;        /* LR_START_* */
    lr_str id;             /* in the topology */
    lr_str state;          /* sink: of the last checkpoint, or none; transform: bytes that `state` gave, or none */
    lr_str base_dir;       /* sink: where relative paths start */
    lr_str positions_json; /* source: of the last checkpoint, {"stream": "position"} */
} lr_start_info;

typedef struct lr_component lr_component;
typedef void (*lr_each_text)(void *arg, lr_str text);

/* Functions that a kind does not have are NULL. All texts and the table live as long as the program. */
struct lr_component {
    uint32_t size;
    uint32_t kind;  /* LR_KIND_* */
    uint32_t flags; /* LR_COMPONENT_* */
    uint32_t reserved;
    lr_str name;    /* "acme.redact" */
    lr_str summary; /* one sentence */
    lr_str manual;  /* Markdown */
    lr_str schema;  /* JSON Schema of the options; none: there are no options */
    /* [main] Optional: calls `each` with the name of every output beyond the unnamed one, in order. The
     * options are not yet checked. */
    lr_status (*ports)(const lr_component *, lr_str options_json, void *arg, lr_each_text each);
    /* [main] Optional: calls `each` with what no other component may use at the same time. */
    lr_status (*claims)(const lr_component *, lr_str options_json, void *arg, lr_each_text each);
    /* [main] Makes an instance. The options were checked against the schema. No effect outside: `lograil check`
     * creates too. The plugin owns the instance until destroy. LR_CONFIG and an error where options are wrong. */
    lr_status (*create)(const lr_component *, const lr_host *, lr_context *, lr_str options_json, void **instance,
                        lr_error *);
    /* [main] Ends an instance and its threads. The context is gone when it returns. */
    void (*destroy)(void *instance);
    /* [inst] Source, transform; optional: once, before anything else. */
    lr_status (*start)(void *instance, const lr_start_info *, lr_error *);
    /* [inst] Transform: takes a batch; emits, during the call, what becomes of it. A failed call has no effect:
     * the batch is dead-lettered with the error as the reason. */
    lr_status (*process)(void *instance, const lr_batch *, lr_error *);
    /* [inst] Transform; optional: about once a second. */
    lr_status (*tick)(void *instance, int64_t now_ns, lr_error *);
    /* [inst] Transform; optional: after the last batch: emit what is held back. */
    lr_status (*flush)(void *instance, lr_error *);
    /* [inst] Sink: before the first batch. It, write, commit and close return LR_OK and then complete their token
     * exactly once, or return an error and do not. The next operation comes after the completion. */
    lr_status (*open)(void *instance, const lr_start_info *, uint64_t token, lr_error *);
    /* [inst] Sink: delivers a batch, all of it or on an error nothing. The batch lives until the completion. */
    lr_status (*write)(void *instance, const lr_batch *, uint64_t token, lr_error *);
    /* [inst] Sink; optional: makes what was written durable. NULL: write does already. */
    lr_status (*commit)(void *instance, uint64_t token, lr_error *);
    /* [inst] Sink; optional: after the last batch and its commit. */
    lr_status (*close)(void *instance, uint64_t token, lr_error *);
    /* [inst] Sink; optional: open files anew (SIGHUP). */
    void (*reopen)(void *instance);
    /* [inst] Source: emits what there is, waiting for it up to timeout_ns. LR_OK, LR_AGAIN or LR_END. Not called
     * again before there is room for more. */
    lr_status (*pull)(void *instance, uint64_t timeout_ns, lr_error *);
    /* [inst] Source; optional: take no new input; pull is called until LR_END. NULL: it can stop at any time. */
    void (*interrupt)(void *instance);
    /* [main] Source; optional: not 0 if a restart reads again, from the positions, what was not acknowledged. */
    uint32_t (*replays)(void *instance);
    /* [inst] Transform; optional: what it has learned from events so far, bytes in a notation of its own with a
     * version in it: calls `each` with them once, or not at all. Called after start and then between two batches,
     * about once a second. After a restart or a crash start gets them back; what makes no sense is to be ignored.
     * Events that are held back do not belong into it: they come again. At most 64 MiB are kept. Since 1.1. */
    lr_status (*state)(void *instance, void *arg, lr_each_text each);
};

typedef struct lr_plugin {
    uint32_t size;
    uint16_t abi_major, abi_minor;
    const lr_component *const *components;
    uint32_t component_count;
    uint32_t reserved;
} lr_plugin;

/* [main] The one exported function. May be called more than once. NULL and an error to refuse. */
LR_EXPORT const lr_plugin *lograil_plugin_v1(const lr_host *host, lr_error *error);

/* ---- the manifest: section ".lograil", read without loading the file --------------------------- */

typedef struct lr_manifest_head {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t pointer_bits, endian;
    uint32_t json_len, reserved;
    char target[40];
} lr_manifest_head;

/* Once in a plugin, at file level: LR_MANIFEST("{\"name\":\"acme\",\"version\":\"1.0.0\",\"components\":["
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

#ifdef __cplusplus
}
#endif
#endif
