/* A transform in C: writes `#` in place of every digit of the field `message`. */
#include <lograil_plugin.h>
#include <stdlib.h>

LR_MANIFEST("{\"name\":\"mask\",\"version\":\"1.0.0\",\"components\":[{\"name\":\"mask.digits\","
            "\"kind\":\"transform\",\"summary\":\"Masks the digits of messages.\"}]}");

typedef struct mask {
    const lr_host *host;
    lr_context *context;
} mask;

static lr_status create(const lr_component *component, const lr_host *host, lr_context *context, lr_str options,
                        void **instance, lr_error *error) {
    mask *made = (mask *)malloc(sizeof *made);
    (void)component, (void)options;
    if (!made) return lr_fail(error, LR_FAILED, "out of memory");
    made->host = host;
    made->context = context;
    *instance = made;
    return LR_OK;
}

/* Sets the message of one event with its digits masked. */
static lr_status mask_event(const mask *self, lr_builder *out, uint32_t event, uint32_t key, lr_str text) {
    uint8_t *masked = (uint8_t *)malloc(text.len ? text.len : 1);
    lr_status status;
    lr_str result = {masked, text.len};
    if (!masked) return LR_FAILED;
    for (size_t at = 0; at < text.len; at++)
        masked[at] = text.ptr[at] >= '0' && text.ptr[at] <= '9' ? '#' : text.ptr[at];
    status = self->host->builder_set_text(out, event, key, LR_TAG_STR, result);
    free(masked);
    return status;
}

static lr_status process(void *instance, const lr_batch *in, lr_error *error) {
    const mask *self = (const mask *)instance;
    const lr_host *host = self->host;
    lr_view view = {.size = sizeof view};
    lr_builder *out;
    uint32_t key;
    if (host->view(in, &view) != LR_OK) return lr_fail(error, LR_FAILED, "cannot see the batch");
    out = host->builder_new(self->context, in);
    key = lr_find_key(&view, "message");
    for (uint32_t event = 0; key != UINT32_MAX && event < view.event_count; event++) {
        const lr_field *field = lr_find(&view, event, key);
        if (!field || field->tag != LR_TAG_STR) continue;
        if (mask_event(self, out, event, key, lr_span(&view, field)) != LR_OK) {
            host->builder_drop(out);
            return lr_fail(error, LR_FAILED, "cannot set the message");
        }
    }
    return host->builder_emit(self->context, out, LR_PORT_MAIN);
}

LR_EXPORT const lr_plugin *lograil_plugin_v1(const lr_host *host, lr_error *error) {
    static lr_component digits;
    static const lr_component *const components[] = {&digits};
    static lr_plugin plugin = {sizeof plugin, LR_ABI_MAJOR, LR_ABI_MINOR, components, 1, 0};
    if (host->abi_major != LR_ABI_MAJOR || host->size < sizeof *host) {
        lr_fail(error, LR_VERSION, "this plugin needs lograil's plugin interface 1.0");
        return NULL;
    }
    digits.size = sizeof digits;
    digits.kind = LR_KIND_TRANSFORM;
    digits.name = lr_text("mask.digits");
    digits.summary = lr_text("Masks the digits of messages.");
    digits.manual = lr_text("# mask.digits\n\nWrites `#` in place of every digit of the field `message`.\n");
    digits.create = create;
    digits.destroy = free;
    digits.process = process;
    return &plugin;
}
