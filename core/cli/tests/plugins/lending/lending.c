/* A transform that lends all it emits: events, fields and a text, each in memory of its own that is given back once. At the
 * end of the program it says how often it lent and got back. Its option `mode` says what becomes of a batch. */
#include <lograil_plugin.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

LR_MANIFEST("{\"name\":\"lending\",\"version\":\"1.0.0\",\"components\":[{\"name\":\"lending.copy\","
            "\"kind\":\"transform\",\"summary\":\"Lends copies of all events.\"}]}");

typedef struct lending {
    const lr_host *host;
    lr_context *context;
    char mode[32];
} lending;

typedef struct loan {
    lr_event *events;
    lr_field *fields;
    uint8_t *text;
} loan;

static atomic_long lent, released;

__attribute__((destructor)) static void tell(void) {
    fprintf(stderr, "lent %ld, released %ld\n", atomic_load(&lent), atomic_load(&released));
}

static int is(const lending *self, const char *mode) { return strcmp(self->mode, mode) == 0; }

static void release(void *owner) {
    loan *one = (loan *)owner;
    free(one->events);
    free(one->fields);
    free(one->text);
    free(one);
    atomic_fetch_add(&released, 1);
}

/* The options are {"mode":"NAME"}. */
static lr_status create(const lr_component *component, const lr_host *host, lr_context *context, lr_str options,
                        void **instance, lr_error *error) {
    lending *made = (lending *)calloc(1, sizeof *made);
    size_t start = sizeof "{\"mode\":\"" - 1, at = 0;
    (void)component;
    if (!made) return lr_fail(error, LR_FAILED, "out of memory");
    for (; start + at < options.len && options.ptr[start + at] != '"' && at + 1 < sizeof made->mode; at++)
        made->mode[at] = (char)options.ptr[start + at];
    made->host = host;
    made->context = context;
    *instance = made;
    return LR_OK;
}

static void *copy(const void *from, size_t bytes) {
    void *made = malloc(bytes ? bytes : 1);
    if (!made) abort();
    if (bytes) memcpy(made, from, bytes);
    return made;
}

/* Emits the batch with the first field of every event set to a text of its own. */
static lr_status lend(const lending *self, const lr_batch *in, const lr_view *view) {
    static const char text[] = "lent text, ";
    loan *one = (loan *)malloc(sizeof *one);
    lr_segment segment = {.len = sizeof text - 1};
    lr_output out = {.size = sizeof out, .base = in, .segments = &segment, .segment_count = 1, .owner = one, .release = release};
    if (!one) abort();
    one->events = (lr_event *)copy(view->events, view->event_count * sizeof *one->events);
    one->fields = (lr_field *)copy(view->fields, view->field_count * sizeof *one->fields);
    one->text = (uint8_t *)copy(text, sizeof text - 1);
    for (uint32_t at = 0; at < view->event_count; at++) {
        lr_field *field = &one->fields[one->events[at].first];
        if (!one->events[at].count) continue;
        field->tag = is(self, "refused") ? 99 : LR_TAG_STR;
        field->segment = (uint8_t)view->segment_count;
        field->flags = 0;
        field->payload = (uint64_t)(sizeof text - 1) << 32;
        one->events[at].flags |= LR_EVENT_CHANGED;
    }
    segment.ptr = one->text;
    out.events = one->events;
    out.event_count = view->event_count;
    out.fields = one->fields;
    out.field_count = view->field_count;
    atomic_fetch_add(&lent, 1);
    if (is(self, "broken")) {
        /* Against the rules: it says that they stay as they are until they are released. */
        out.owner = copy("", 1);
        out.release = free;
    }
    lr_status status = self->host->emit(self->context, &out);
    if (is(self, "broken")) release(one);
    return status;
}

/* Emits the batch as it is, with a column that sets `message` of every event to a text that is lent. The values are freed
 * as soon as they were emitted. */
static lr_status lend_columns(const lending *self, const lr_batch *in, const lr_view *view) {
    static const char text[] = "lent text, ";
    loan *one = (loan *)calloc(1, sizeof *one);
    lr_field value = {.key = LR_CHANGE_SET, .tag = LR_TAG_STR, .segment = (uint8_t)view->segment_count};
    lr_field *values = (lr_field *)copy(view->fields, view->event_count * sizeof *values);
    lr_column column = {.values = values, .count = view->event_count, .key = lr_find_key(view, "message")};
    lr_segment segment = {.len = sizeof text - 1};
    lr_output out = lr_unchanged(in, view);
    lr_status status;
    if (!one) abort();
    one->text = (uint8_t *)copy(text, sizeof text - 1);
    segment.ptr = one->text;
    value.payload = (uint64_t)(sizeof text - 1) << 32;
    for (uint32_t at = 0; at < view->event_count; at++) values[at] = value;
    out.segments = &segment, out.segment_count = 1;
    out.columns = &column, out.column_count = 1;
    out.owner = one, out.release = release;
    atomic_fetch_add(&lent, 1);
    status = self->host->emit(self->context, &out);
    free(values);
    return status;
}

static lr_status process(void *instance, const lr_batch *in, lr_error *error) {
    const lending *self = (const lending *)instance;
    lr_view view = {.size = sizeof view};
    lr_status status;
    if (self->host->view(in, &view) != LR_OK) return lr_fail(error, LR_FAILED, "cannot see the batch");
    if (is(self, "columns")) return lend_columns(self, in, &view);
    status = lend(self, in, &view);
    if (is(self, "twice")) {
        self->host->create(self->context, view.event_count);
        status = lend(self, in, &view);
    }
    if (is(self, "failed")) return lr_fail(error, LR_FAILED, "I do not feel well");
    return status == LR_OK || is(self, "refused") ? LR_OK : LR_FAILED;
}

LR_EXPORT const lr_plugin *lograil_plugin_v1(const lr_host *host, lr_error *error) {
    static lr_component component;
    static const lr_component *const components[] = {&component};
    static lr_plugin plugin = {sizeof plugin, LR_ABI_MAJOR, LR_ABI_MINOR, components, 1, 0};
    (void)host, (void)error;
    component.size = sizeof component;
    component.kind = LR_KIND_TRANSFORM;
    component.name = lr_text("lending.copy");
    component.summary = lr_text("Lends copies of all events.");
    component.manual = lr_text("# lending.copy\n\nLends copies of all events.\n");
    component.schema = lr_text("{\"type\":\"object\",\"additionalProperties\":false,"
                               "\"properties\":{\"mode\":{\"type\":\"string\"}}}");
    component.create = create;
    component.destroy = free;
    component.process = process;
    return &plugin;
}
