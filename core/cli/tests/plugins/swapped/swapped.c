/* A source, a transform with a state and a sink, each in versions that say which they are (VERSION, a letter) or that
 * refuse at the step REFUSES names. Each finds out when two instances of it are at work at the same time. */
#define _GNU_SOURCE
#include <lograil_plugin.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

LR_MANIFEST("{\"name\":\"swapped\",\"version\":\"1.0.0\",\"components\":["
            "{\"name\":\"swapped.source\",\"kind\":\"source\",\"summary\":\"Counts.\"},"
            "{\"name\":\"swapped.transform\",\"kind\":\"transform\",\"summary\":\"Counts what it sees.\"},"
            "{\"name\":\"swapped.sink\",\"kind\":\"sink\",\"summary\":\"Appends lines.\"}]}");

#ifndef REFUSES
#define REFUSES "nothing"
#endif
#define BATCH 20

typedef struct swapped {
    const lr_host *host;
    lr_context *context;
    int lock; /* held while it is at work; 0 for none */
    int is_stopping;
    int64_t number; /* source: the last one; transform: events seen */
    /* Sink: writes on a thread of its own. */
    int file, has_thread;
    pthread_t thread;
    uint64_t token;
    const lr_batch *batch;
} swapped;

static int refuses(const char *step) { return strcmp(REFUSES, step) == 0; }

/* Only one instance of a kind may be at work, whichever version it is. */
static lr_status take_lock(swapped *self, const char *name, lr_error *error) {
    self->lock = open(name, O_CREAT | O_RDWR, 0600);
    if (self->lock < 0 || flock(self->lock, LOCK_EX | LOCK_NB) != 0)
        return lr_fail(error, LR_FAILED, "two are at work at the same time");
    return LR_OK;
}

static lr_status create(const lr_component *component, const lr_host *host, lr_context *context, lr_str options,
                        void **instance, lr_error *error) {
    swapped *made = (swapped *)calloc(1, sizeof *made);
    (void)component, (void)options;
    if (!made) return lr_fail(error, LR_FAILED, "out of memory");
    made->host = host;
    made->context = context;
    *instance = made;
    if (refuses("options")) return free(made), lr_fail(error, LR_CONFIG, "this version wants other options");
    if (refuses("create")) return free(made), lr_fail(error, LR_FAILED, "this version cannot be made");
    return LR_OK;
}

static void destroy(void *instance) {
    swapped *self = (swapped *)instance;
    if (self->has_thread) pthread_join(self->thread, NULL);
    if (self->file > 0) close(self->file);
    if (self->lock > 0) close(self->lock);
    free(self);
}

/* ---- source: counts ---- */

static lr_status start_source(void *instance, const lr_start_info *info, lr_error *error) {
    swapped *self = (swapped *)instance;
    char text[64] = {0};
    long last = 0;
    if (refuses("start")) return lr_fail(error, LR_FAILED, "this version cannot reach its peer");
    if (refuses("start_hang"))
        for (;;) pause();
    if (info->positions_json.len < sizeof text) {
        memcpy(text, info->positions_json.ptr, info->positions_json.len);
        if (sscanf(text, "{\"n\":\"%ld\"}", &last) == 1) self->number = last;
    }
    return take_lock(self, "source.lock", error);
}

static lr_status pull(void *instance, uint64_t timeout_ns, lr_error *error) {
    swapped *self = (swapped *)instance;
    const lr_host *host = self->host;
    struct timespec wait = {.tv_nsec = 1000000};
    lr_field number = {.tag = LR_TAG_I64};
    char position[32];
    lr_builder *out;
    (void)timeout_ns, (void)error;
    if (self->is_stopping) return LR_END;
    nanosleep(&wait, NULL);
    out = host->builder_new(self->context, NULL);
    host->builder_key(out, lr_text("number"), &number.key);
    for (int made = 0; made < BATCH; made++) {
        uint32_t event;
        number.payload = (uint64_t)++self->number;
        host->builder_event(out, host->now_ns(self->context), &event);
        host->builder_set(out, event, &number);
    }
    snprintf(position, sizeof position, "%ld", (long)self->number);
    host->builder_position(out, lr_text("n"), lr_text(position));
    return host->builder_emit(self->context, out, LR_PORT_MAIN);
}

static void interrupt(void *instance) { ((swapped *)instance)->is_stopping = 1; }

static uint32_t replays(void *instance) {
    (void)instance;
    return 1;
}

/* ---- transform: numbers what it sees ---- */

static lr_status start_transform(void *instance, const lr_start_info *info, lr_error *error) {
    swapped *self = (swapped *)instance;
    if (refuses("state") && info->state.ptr) return lr_fail(error, LR_FAILED, "this version does not know the state");
    if (info->state.len == sizeof self->number) memcpy(&self->number, info->state.ptr, sizeof self->number);
    return LR_OK;
}

static lr_status process(void *instance, const lr_batch *in, lr_error *error) {
    swapped *self = (swapped *)instance;
    const lr_host *host = self->host;
    lr_view view = {.size = sizeof view};
    lr_field seen = {.tag = LR_TAG_I64};
    lr_builder *out;
    uint32_t version;
    if (host->view(in, &view) != LR_OK) return lr_fail(error, LR_FAILED, "cannot see the batch");
    out = host->builder_new(self->context, in);
    host->builder_key(out, lr_text("seen"), &seen.key);
    host->builder_key(out, lr_text("transform"), &version);
    for (uint32_t event = 0; event < view.event_count; event++) {
        seen.payload = (uint64_t)++self->number;
        host->builder_set(out, event, &seen);
        host->builder_set_text(out, event, version, LR_TAG_STR, lr_text(VERSION));
    }
    return host->builder_emit(self->context, out, LR_PORT_MAIN);
}

static lr_status state(void *instance, void *arg, lr_each_text each) {
    swapped *self = (swapped *)instance;
    lr_str bytes = {(const uint8_t *)&self->number, sizeof self->number};
    each(arg, bytes);
    return LR_OK;
}

/* ---- sink: appends a line an event, on a thread of its own ---- */

static lr_status done(const swapped *self, uint64_t token, lr_status status, const char *detail) {
    lr_completion completion = {.size = sizeof completion, .status = status, .detail = lr_text(detail)};
    return self->host->complete(self->context, token, &completion);
}

static lr_status open_sink(void *instance, const lr_start_info *info, uint64_t token, lr_error *error) {
    swapped *self = (swapped *)instance;
    lr_status locked;
    (void)info;
    if (refuses("open")) return lr_fail(error, LR_FAILED, "this version cannot open the file");
    if ((locked = take_lock(self, "sink.lock", error)) != LR_OK) return locked;
    self->file = open("out", O_CREAT | O_WRONLY | O_APPEND, 0600);
    if (self->file < 0) return lr_fail(error, LR_FAILED, "cannot open the file");
    return done(self, token, LR_OK, "");
}

static void *append(void *given) {
    swapped *self = (swapped *)given;
    lr_view view = {.size = sizeof view};
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    lr_status status = self->host->view(self->batch, &view);
    for (uint32_t event = 0; status == LR_OK && event < view.event_count; event++) {
        const lr_field *number = lr_find(&view, event, lr_find_key(&view, "number"));
        const lr_field *seen = lr_find(&view, event, lr_find_key(&view, "seen"));
        const lr_field *transform = lr_find(&view, event, lr_find_key(&view, "transform"));
        if (!number || !seen || !transform) status = LR_FAILED;
        else
            fprintf(memory, "%ld %ld %c%s\n", (long)number->payload, (long)seen->payload,
                    lr_span(&view, transform).ptr[0], VERSION);
    }
    fclose(memory);
    if (status == LR_OK && write(self->file, text, len) != (ssize_t)len) status = LR_FAILED;
    free(text);
    done(self, self->token, status, "cannot write");
    return NULL;
}

static lr_status write_sink(void *instance, const lr_batch *in, uint64_t token, lr_error *error) {
    swapped *self = (swapped *)instance;
    if (self->has_thread) pthread_join(self->thread, NULL);
    self->token = token;
    self->batch = in;
    self->has_thread = pthread_create(&self->thread, NULL, append, self) == 0;
    return self->has_thread ? LR_OK : lr_fail(error, LR_FAILED, "no thread");
}

static lr_status commit(void *instance, uint64_t token, lr_error *error) {
    (void)error;
    return done((swapped *)instance, token, LR_OK, "");
}

static lr_status close_sink(void *instance, uint64_t token, lr_error *error) {
    swapped *self = (swapped *)instance;
    (void)error;
    flock(self->lock, LOCK_UN);
    return done(self, token, LR_OK, "");
}

LR_EXPORT const lr_plugin *lograil_plugin_v1(const lr_host *host, lr_error *error) {
    static lr_component source, transform, sink;
    static const lr_component *const components[] = {&source, &transform, &sink};
    static lr_plugin plugin = {sizeof plugin, LR_ABI_MAJOR, LR_ABI_MINOR, components, 3, 0};
    (void)host;
    if (refuses("entry")) return lr_fail(error, LR_FAILED, "this version does not want to"), NULL;
    source.size = sizeof source;
    source.summary = lr_text("Is swapped.");
    source.manual = lr_text("# swapped\n\nIs swapped.\n");
    source.create = create;
    source.destroy = destroy;
    transform = sink = source;
    source.kind = LR_KIND_SOURCE;
    source.name = lr_text("swapped.source");
    source.start = start_source;
    source.pull = pull;
    source.interrupt = interrupt;
    source.replays = replays;
    transform.kind = LR_KIND_TRANSFORM;
    transform.name = lr_text("swapped.transform");
    transform.start = start_transform;
    transform.process = process;
    transform.state = state;
    sink.kind = LR_KIND_SINK;
    sink.name = lr_text("swapped.sink");
    sink.open = open_sink;
    sink.write = write_sink;
    sink.commit = commit;
    sink.close = close_sink;
    return &plugin;
}
