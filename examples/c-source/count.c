/* A source in C: counts from 1 to 1000, and after a restart goes on where it was. */
#include <lograil_plugin.h>
#include <stdio.h>
#include <stdlib.h>

LR_MANIFEST("{\"name\":\"count\",\"version\":\"1.0.0\",\"components\":[{\"name\":\"count.up\","
            "\"kind\":\"source\",\"summary\":\"Counts to a thousand.\"}]}");

#define LAST 1000
#define BATCH 100

typedef struct counter {
    const lr_host *host;
    lr_context *context;
    long next;
    int is_stopping;
} counter;

static lr_status create(const lr_component *component, const lr_host *host, lr_context *context, lr_str options,
                        void **instance, lr_error *error) {
    counter *made = (counter *)calloc(1, sizeof *made);
    (void)component, (void)options;
    if (!made) return lr_fail(error, LR_FAILED, "out of memory");
    made->host = host;
    made->context = context;
    made->next = 1;
    *instance = made;
    return LR_OK;
}

/* The position is the last number that was delivered: {"count":"300"}. */
static lr_status start(void *instance, const lr_start_info *info, lr_error *error) {
    counter *self = (counter *)instance;
    char text[64] = {0};
    (void)error;
    if (info->positions_json.len < sizeof text) {
        memcpy(text, info->positions_json.ptr, info->positions_json.len);
        if (sscanf(text, "{\"count\":\"%ld\"}", &self->next) == 1) self->next++;
    }
    return LR_OK;
}

static lr_status pull(void *instance, uint64_t timeout_ns, lr_error *error) {
    counter *self = (counter *)instance;
    const lr_host *host = self->host;
    lr_field number = {.tag = LR_TAG_I64};
    char position[32];
    lr_builder *out;
    (void)timeout_ns;
    if (self->is_stopping || self->next > LAST) return LR_END;
    out = host->builder_new(self->context, NULL);
    if (host->builder_key(out, lr_text("number"), &number.key) != LR_OK) goto failed;
    for (int made = 0; made < BATCH && self->next <= LAST; made++, self->next++) {
        uint32_t event;
        number.payload = (uint64_t)self->next;
        if (host->builder_event(out, host->now_ns(self->context), &event) != LR_OK) goto failed;
        if (host->builder_set(out, event, &number) != LR_OK) goto failed;
    }
    snprintf(position, sizeof position, "%ld", self->next - 1);
    if (host->builder_position(out, lr_text("count"), lr_text(position)) != LR_OK) goto failed;
    return host->builder_emit(self->context, out, LR_PORT_MAIN);
failed:
    host->builder_drop(out);
    return lr_fail(error, LR_FAILED, "cannot build the batch");
}

static void interrupt(void *instance) { ((counter *)instance)->is_stopping = 1; }

static uint32_t replays(void *instance) {
    (void)instance;
    return 1;
}

LR_EXPORT const lr_plugin *lograil_plugin_v1(const lr_host *host, lr_error *error) {
    static lr_component up;
    static const lr_component *const components[] = {&up};
    static lr_plugin plugin = {sizeof plugin, LR_ABI_MAJOR, LR_ABI_MINOR, components, 1, 0};
    if (host->abi_major != LR_ABI_MAJOR || host->size < sizeof *host) {
        lr_fail(error, LR_VERSION, "this plugin needs lograil's plugin interface 1.0");
        return NULL;
    }
    up.size = sizeof up;
    up.kind = LR_KIND_SOURCE;
    up.name = lr_text("count.up");
    up.summary = lr_text("Counts to a thousand.");
    up.manual = lr_text("# count.up\n\nCounts from 1 to 1000, and after a restart goes on where it was.\n");
    up.create = create;
    up.destroy = free;
    up.start = start;
    up.pull = pull;
    up.interrupt = interrupt;
    up.replays = replays;
    return &plugin;
}
