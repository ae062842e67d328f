/* A plugin that breaks the rules, each time in the way that its option `fault` says. */
#define _POSIX_C_SOURCE 200809L
#include <lograil_plugin.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

LR_MANIFEST("{\"name\":\"faulty\",\"version\":\"1.0.0\",\"components\":["
            "{\"name\":\"faulty.transform\",\"kind\":\"transform\",\"summary\":\"Breaks the rules.\"},"
            "{\"name\":\"faulty.source\",\"kind\":\"source\",\"summary\":\"Breaks the rules.\"},"
            "{\"name\":\"faulty.sink\",\"kind\":\"sink\",\"summary\":\"Breaks the rules.\"}]}");

typedef struct faulty {
    const lr_host *host;
    lr_context *context;
    int is_interrupted;
    long next;
    char fault[64];
    /* Of a sink that completes late: what is under way, and the file at which it is completed. */
    pthread_t thread;
    int has_thread;
    atomic_int is_busy, is_ending;
    uint64_t token;
    lr_view view;
    char go[512];
} faulty;

static int is(const faulty *self, const char *fault) { return strcmp(self->fault, fault) == 0; }

static void crash(void) {
    volatile int *nowhere = NULL;
    *nowhere = 1;
}

static int overflow(int depth) {
    volatile char frame[4096];
    frame[0] = (char)depth;
    return overflow(depth + 1) + frame[0];
}

static void *crash_alone(void *nothing) {
    crash();
    return nothing;
}

static void *sleep_forever(void *nothing) {
    for (;;) pause();
    return nothing;
}

/* The threads of this process, at least. */
static int thread_count(void) {
    DIR *tasks = opendir("/proc/self/task");
    int count = -2; /* `.` and `..` */
    while (tasks && readdir(tasks)) count++;
    if (tasks) closedir(tasks);
    return count;
}

/* An initialiser that breaks the rules in the way that the environment says. */
__attribute__((constructor)) static void load(void) {
    const char *fault = getenv("FAULTY_LOAD");
    if (!fault) return;
    if (strcmp(fault, "crash") == 0) crash();
    if (strcmp(fault, "exit") == 0) exit(0);
    if (strcmp(fault, "hang_at_work") == 0 && thread_count() < 4) return;
    if (strcmp(fault, "deaf") == 0) {
        signal(SIGTERM, SIG_IGN);
        return;
    }
    sleep_forever(NULL);
}

/* Whether the options of a call without an instance ask for this fault. */
static int asks_for(lr_str options, const char *fault) {
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)options.len, (const char *)options.ptr);
    return strstr(text, fault) != NULL;
}

static lr_status ports(const lr_component *component, lr_str options, void *arg, lr_each_text each) {
    (void)component, (void)arg, (void)each;
    if (asks_for(options, "ports_hang")) sleep_forever(NULL);
    return LR_OK;
}

static lr_status claims(const lr_component *component, lr_str options, void *arg, lr_each_text each) {
    (void)component, (void)arg, (void)each;
    if (asks_for(options, "claims_hang")) sleep_forever(NULL);
    return LR_OK;
}

/* The options are {"fault":"NAME"}. */
static lr_status create(const lr_component *component, const lr_host *host, lr_context *context, lr_str options,
                        void **instance, lr_error *error) {
    faulty *made = (faulty *)calloc(1, sizeof *made);
    size_t start = sizeof "{\"fault\":\"" - 1, at = 0;
    (void)component;
    if (!made) return lr_fail(error, LR_FAILED, "out of memory");
    while (start + at < options.len && options.ptr[start + at] != '"' && at + 1 < sizeof made->fault) {
        made->fault[at] = (char)options.ptr[start + at];
        at++;
    }
    if (is(made, "config")) {
        free(made);
        return lr_fail(error, LR_CONFIG, "this fault is not wanted");
    }
    if (is(made, "create_hang") || (is(made, "create_hang_later") && access("hang", F_OK) == 0)) {
        prctl(PR_SET_NAME, "faulty hangs");
        sleep_forever(NULL);
    }
    if (is(made, "option_crash") && options.len > sizeof "{\"fault\":\"option_crash\"}" - 1) crash();
    if (is(made, "thread") || is(made, "thread_crash")) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, is(made, "thread") ? sleep_forever : crash_alone, NULL)) return lr_fail(error, LR_FAILED, "no thread");
        pthread_detach(thread);
    }
    if (is(made, "file") && open("/dev/null", O_RDONLY) < 0) return lr_fail(error, LR_FAILED, "no file");
    made->next = 1;
    made->host = host;
    made->context = context;
    *instance = made;
    return LR_OK;
}

static void destroy(void *instance) {
    if (is((const faulty *)instance, "destroy_hang")) sleep_forever(NULL);
    free(instance);
}

static lr_status state(void *instance, void *arg, lr_each_text each) {
    faulty *self = (faulty *)instance;
    static int asked;
    (void)arg, (void)each;
    if (is(self, "state_hang_once") && asked++ == 0) sleep_forever(NULL);
    if (!is(self, "state_panic")) return LR_OK;
    self->next = -1;
    return LR_PANIC;
}

static lr_status traits(void *instance, void *arg, lr_each_text each) {
    const faulty *self = (const faulty *)instance;
    if (is(self, "traits_hang")) sleep_forever(NULL);
    if (is(self, "traits_text")) each(arg, lr_text("two minutes"));
    if (is(self, "holds")) each(arg, lr_text("{\"held_for_ns\":120000000000,\"newer\":1}"));
    if (is(self, "only_named")) each(arg, lr_text("{\"has_unnamed_output\":false}"));
    if (is(self, "waits"))
        each(arg, lr_text("{\"delivery_wait\":{\"within_ns\":60000000000,\"remedy\":\"let them wait\"}}"));
    return is(self, "traits_fail") ? LR_FAILED : LR_OK;
}

/* Appends a field to every event in place, and then another that is wrong. */
static lr_status append(const faulty *self, const lr_view *view, lr_output *out, lr_error *error) {
    static const uint8_t text[] = {0xFF, 0xFE};
    static const lr_segment segment = {.ptr = text, .len = 2};
    lr_event *events;
    lr_status status;
    if (!view->spare) return lr_fail(error, LR_FAILED, "nothing may be written in place");
    events = (lr_event *)malloc(view->event_count * sizeof *events);
    if (!events) return lr_fail(error, LR_FAILED, "out of memory");
    memcpy(events, view->events, view->event_count * sizeof *events);
    for (uint32_t at = 0; at < view->event_count; at++) {
        lr_field *field = view->spare + events[at].first + events[at].count;
        if (events[at].capacity < events[at].count + 2) continue;
        field[0] = field[1] = (lr_field){.key = view->key_count, .tag = LR_TAG_BOOL, .payload = 1};
        field[1].key++;
        if (is(self, "append_tag")) field[1].tag = 99;
        if (is(self, "append_key")) field[1].key = 12345;
        if (is(self, "append_offset")) field[1] = (lr_field){.tag = LR_TAG_STR, .payload = 0xFFFFFFFF00000000u};
        if (is(self, "append_utf8"))
            field[1] = (lr_field){.tag = LR_TAG_STR, .segment = (uint8_t)view->segment_count, .payload = (uint64_t)2 << 32};
        events[at].count += is(self, "append_too_many") ? 99 : 2;
    }
    if (is(self, "append_twice")) events[view->event_count - 1] = events[0];
    out->segments = &segment;
    out->segment_count = 1;
    out->keys = (const lr_str[]){lr_text("one"), lr_text("two")};
    out->key_count = 2;
    out->events = events;
    if (is(self, "append_error")) status = lr_fail(error, LR_FAILED, "I do not feel well");
    else if (is(self, "append_hang")) sleep_forever(NULL), status = LR_OK;
    else status = self->host->emit(self->context, out) == LR_OK ? LR_OK : LR_FAILED;
    free(events);
    return status;
}

static lr_status process(void *instance, const lr_batch *in, lr_error *error) {
    const faulty *self = (const faulty *)instance;
    static int processed;
    lr_view view = {.size = sizeof view};
    lr_output out = {.size = sizeof out, .base = in};
    lr_field field;
    lr_event event;
    lr_str key;
    if (self->host->view(in, &view) != LR_OK) return lr_fail(error, LR_FAILED, "cannot see the batch");
    if (self->next < 0) return lr_fail(error, LR_FAILED, "called after a panic");
    if (is(self, "error")) return lr_fail(error, LR_FAILED, "I do not feel well");
    if (is(self, "panic")) return lr_fail(error, LR_PANIC, "panicked: oh no");
    if (is(self, "panic_once") && processed++ == 0) return lr_fail(error, LR_PANIC, "panicked: oh no");
    if (is(self, "crash")) crash();
    if (is(self, "abort")) abort();
    if (is(self, "divide")) raise(SIGFPE); /* not every machine traps */
    if (is(self, "overflow")) overflow(1);
    if (is(self, "trap")) __builtin_trap();
    if (is(self, "exit")) exit(7);
    if (is(self, "crash_on_empty") && view.event_count == 0) crash();
    if (is(self, "hang_on_large") && view.segment_count && view.segments[0].len > 100000) sleep_forever(NULL);
    if (is(self, "hang")) sleep_forever(NULL);
    if (is(self, "hang_now_and_then") && processed++ % 2) sleep_forever(NULL);
    for (uint32_t at = 0; at < view.field_count; at++)
        if (is(self, "fails_on_bytes") && view.fields[at].tag == LR_TAG_BYTES)
            return lr_fail(error, LR_FAILED, "this is not UTF-8");
    out.events = view.events;
    out.event_count = view.event_count;
    out.fields = view.fields;
    out.field_count = view.field_count;
    if (!strncmp(self->fault, "append", 6) && view.event_count) return append(self, &view, &out, error);
    if (view.event_count == 0 || view.events[0].count == 0)
        return self->host->emit(self->context, &out) == LR_OK ? LR_OK : LR_FAILED;
    event = view.events[0];
    field = view.fields[event.first];
    out.events = &event;
    out.event_count = 1;
    event.first = 0;
    event.count = event.capacity = 1;
    event.raw_fields = 0;
    event.flags = 0;
    out.fields = &field;
    out.field_count = 1;
    if (is(self, "offset")) field.payload = 0xFFFFFFFF00000000u;
    if (is(self, "segment")) field.segment = 200;
    if (is(self, "tag")) field.tag = 99;
    if (is(self, "key")) field.key = 12345;
    if (is(self, "range")) event.first = 7;
    if (is(self, "port")) out.port = 70000;
    if (is(self, "token")) {
        out.tokens = &view.token;
        out.token_count = 1;
        view.token += 1000;
    }
    if (is(self, "utf8")) {
        static const uint8_t text[] = {0xFF, 0xFE};
        static lr_segment segment;
        segment.ptr = text;
        segment.len = 2;
        out.segments = &segment;
        out.segment_count = 1;
        field.segment = (uint8_t)view.segment_count;
        field.payload = (uint64_t)2 << 32;
    }
    if (is(self, "key_utf8")) {
        static const uint8_t name[] = {0xC0};
        key.ptr = name;
        key.len = 1;
        out.keys = &key;
        out.key_count = 1;
    }
    /* It does not even look at what emit says. */
    self->host->emit(self->context, &out);
    return LR_OK;
}

static lr_status done(const faulty *self, uint64_t token, lr_status status, const char *detail) {
    lr_completion completion = {.size = sizeof completion, .status = status, .detail = lr_text(detail)};
    return self->host->complete(self->context, token, &completion);
}

/* Completes a write when the file `go` is there or the instance ends, and looks at the batch until then. */
static void *complete_late(void *given) {
    faulty *self = (faulty *)given;
    struct timespec wait = {.tv_sec = 0, .tv_nsec = 1000000};
    volatile uint64_t sum = 0;
    while (!atomic_load(&self->is_ending) && access(self->go, F_OK) != 0) nanosleep(&wait, NULL);
    for (uint32_t at = 0; at < self->view.event_count; at++) sum += self->view.events[at].count;
    for (uint32_t at = 0; at < self->view.field_count; at++) sum += self->view.fields[at].payload;
    for (uint32_t at = 0; at < self->view.segment_count; at++) sum += self->view.segments[at].ptr[0];
    (void)sum;
    atomic_store(&self->is_busy, 0);
    done(self, self->token, LR_OK, "");
    return NULL;
}

static lr_status write_late(faulty *self, const lr_batch *in, uint64_t token, lr_error *error) {
    if (self->has_thread) pthread_join(self->thread, NULL);
    self->has_thread = 0;
    self->token = token;
    self->view.size = sizeof self->view;
    if (self->host->view(in, &self->view) != LR_OK) return lr_fail(error, LR_FAILED, "cannot see the batch");
    atomic_store(&self->is_busy, 1);
    if (pthread_create(&self->thread, NULL, complete_late, self)) return lr_fail(error, LR_FAILED, "no thread");
    self->has_thread = 1;
    self->host->log(self->context, 3, lr_text("faulty"), lr_text("writes late"));
    return LR_OK;
}

static void destroy_sink(void *instance) {
    faulty *self = (faulty *)instance;
    atomic_store(&self->is_ending, 1);
    if (self->has_thread) pthread_join(self->thread, NULL);
    free(self);
}

static lr_status open_sink(void *instance, const lr_start_info *info, uint64_t token, lr_error *error) {
    faulty *self = (faulty *)instance;
    (void)error;
    snprintf(self->go, sizeof self->go, "%.*s/go", (int)info->base_dir.len, (const char *)info->base_dir.ptr);
    return is(self, "open_hang") ? LR_OK : done(self, token, LR_OK, "");
}

static lr_status commit_sink(void *instance, uint64_t token, lr_error *error) {
    faulty *self = (faulty *)instance;
    if (atomic_load(&self->is_busy)) return lr_fail(error, LR_FAILED, "another operation is under way");
    return done(self, token, LR_OK, "");
}

static lr_status write_sink(void *instance, const lr_batch *in, uint64_t token, lr_error *error) {
    faulty *self = (faulty *)instance;
    if (atomic_load(&self->is_busy)) return lr_fail(error, LR_FAILED, "another operation is under way");
    if (is(self, "late")) return write_late(self, in, token, error);
    if (is(self, "sink_hang")) return LR_OK; /* it never completes */
    if (is(self, "write_hang")) sleep_forever(NULL);
    if (is(self, "reject")) return done(self, token, LR_REJECT, "not to my taste"), LR_OK;
    if (is(self, "sink_panic")) return done(self, token, LR_PANIC, "panicked: oh no"), LR_OK;
    if (is(self, "fatal")) return done(self, token, LR_FAILED, "the disk is gone"), LR_OK;
    done(self, token, LR_OK, "");
    if (is(self, "twice")) {
        if (done(self, token, LR_FAILED, "") != LR_INVALID) abort();
        if (done(self, 999, LR_OK, "") != LR_INVALID) abort();
    }
    return LR_OK;
}

static lr_status start(void *instance, const lr_start_info *info, lr_error *error) {
    faulty *self = (faulty *)instance;
    char text[64] = {0};
    (void)error;
    if (is(self, "start_hang")) sleep_forever(NULL);
    if (info->positions_json.len && info->positions_json.len < sizeof text) {
        memcpy(text, info->positions_json.ptr, info->positions_json.len);
        if (sscanf(text, "{\"n\":\"%ld\"}", &self->next) == 1) self->next++;
    }
    return LR_OK;
}

/* Emits the numbers 1 to 3. */
static lr_status emit_number(faulty *self) {
    lr_field number = {.tag = LR_TAG_I64, .payload = (uint64_t)self->next};
    lr_builder *out = self->host->builder_new(self->context, NULL);
    char position[32];
    uint32_t event;
    snprintf(position, sizeof position, "%ld", self->next++);
    self->host->builder_key(out, lr_text("number"), &number.key);
    self->host->builder_event(out, 0, &event);
    self->host->builder_set(out, event, &number);
    self->host->builder_position(out, lr_text("n"), lr_text(position));
    return self->host->builder_emit(self->context, out, LR_PORT_MAIN);
}

static lr_status pull(void *instance, uint64_t timeout_ns, lr_error *error) {
    faulty *self = (faulty *)instance;
    static int pulled;
    struct timespec wait = {.tv_sec = 0, .tv_nsec = (long)(timeout_ns % 1000000000u)};
    if (self->next < 0) return lr_fail(error, LR_FAILED, "called after a panic");
    if (is(self, "source_panics")) {
        self->next = -1;
        return lr_fail(error, LR_PANIC, "panicked: oh no");
    }
    if (is(self, "source_panic")) {
        pulled++;
        if (pulled == 2 || pulled == 3) return lr_fail(error, LR_PANIC, "panicked: oh no");
        return self->next > 3 ? LR_END : emit_number(self);
    }
    if (is(self, "source_hang")) sleep_forever(NULL);
    if (is(self, "source_timeout")) {
        if (self->next != 1) return LR_END;
        self->next = (long)(timeout_ns / 1000000u);
        return emit_number(self);
    }
    if (is(self, "source_hang_once")) {
        if (++pulled == 2) sleep_forever(NULL);
        return self->next > 3 ? LR_END : emit_number(self);
    }
    if (is(self, "source_crash")) crash();
    if (self->is_interrupted && !is(self, "deaf")) return LR_END;
    nanosleep(&wait, NULL);
    return LR_AGAIN;
}

static void interrupt(void *instance) {
    faulty *self = (faulty *)instance;
    if (is(self, "interrupt_hang")) sleep_forever(NULL);
    self->is_interrupted = 1;
}

static uint32_t replays(void *instance) {
    if (is((const faulty *)instance, "replays_hang")) sleep_forever(NULL);
    return 0;
}

static void reopen(void *instance) {
    if (is((const faulty *)instance, "reopen_hang")) sleep_forever(NULL);
}

LR_EXPORT const lr_plugin *lograil_plugin_v1(const lr_host *host, lr_error *error) {
    static lr_component transform, source, sink;
    static const lr_component *const components[] = {&transform, &source, &sink};
    static lr_plugin plugin = {sizeof plugin, LR_ABI_MAJOR, LR_ABI_MINOR, components, 3, 0};
    (void)host, (void)error;
    transform.size = sizeof transform;
    transform.kind = LR_KIND_TRANSFORM;
    transform.name = lr_text("faulty.transform");
    transform.summary = lr_text("Breaks the rules.");
    transform.manual = lr_text("# faulty\n\nBreaks the rules.\n");
    transform.schema = lr_text("{\"type\":\"object\",\"additionalProperties\":false,"
                               "\"properties\":{\"fault\":{\"type\":\"string\"}}}");
    transform.ports = ports;
    transform.claims = claims;
    transform.create = create;
    transform.destroy = destroy;
    transform.traits = traits;
    sink = source = transform;
    transform.start = start;
    transform.process = process;
    transform.state = state;
    source.kind = LR_KIND_SOURCE;
    source.name = lr_text("faulty.source");
    source.start = start;
    source.pull = pull;
    source.interrupt = interrupt;
    source.replays = replays;
    sink.kind = LR_KIND_SINK;
    sink.name = lr_text("faulty.sink");
    sink.destroy = destroy_sink;
    sink.open = open_sink;
    sink.write = write_sink;
    sink.commit = commit_sink;
    sink.reopen = reopen;
    return &plugin;
}
