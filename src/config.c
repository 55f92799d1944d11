#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "config_parts.h"

#define EXPORTER_RESPONSE_MAX ((size_t)4 * 1024 * 1024) /* the OTLP specification's limit */
#define LOGS_PATH             "/v1/logs"

/* Everything that was read, before it is put together. */
struct whole {
    struct fields root;
    struct source_reading *sources;
    size_t count;
    struct pairs environment; /* resource attributes that it gives */
};

static const struct place top = { .line = 1, .column = 1 };

/* ---- reading -----------------------------------------------------------------------------------
 */

static struct field *source_init(struct loading *ld, struct source_reading *s,
                                 const struct source *type, size_t i)
{
    char path[FAULT_PATH_MAX];
    size_t count;
    struct field *table = config_source_fields(type, ld->kept, &count);
    fault_path(path, "sources[%zu].", i);
    s->type = type;
    fields_init(&s->fields, ld, table, count, arena_strdup(ld->scratch, path));
    s->fields.unknown_ok = !type;
    return table;
}

/* Set the defaults. That of overlap is at most half of the window: one who asks for short windows
 * need not think of it. */
static void source_finish(struct loading *ld, struct source_reading *s, struct field *table)
{
    int64_t overlap_ns;
    const struct setting *window = &s->fields.settings[SOURCE_WINDOW];
    timefmt_parse_duration(bytes_of(table[SOURCE_OVERLAP].fallback), &overlap_ns);
    if (window->set && window->number / 2 < overlap_ns) {
        char half[TIMEFMT_MAX];
        timefmt_duration(window->number / 2, half);
        table[SOURCE_OVERLAP].fallback = arena_strdup(ld->kept, half);
    }
    fields_finish(&s->fields, ld, s->at);
}

static void read_source(struct loading *ld, struct source_reading *s, struct node *map, size_t i)
{
    const char *type = map->kind == NODE_MAP ? fields_peek(ld, node_get(map, "type")) : NULL;
    struct field *table = source_init(ld, s, type ? source_named(type) : NULL, i);
    s->at = map->at;
    if (map->kind != NODE_MAP) {
        char path[FAULT_PATH_MAX];
        fault_path(path, "sources[%zu]", i);
        fault_add(ld->faults, map->at, path, "takes a map that begins with name and type");
        return;
    }
    fields_read(&s->fields, ld, map);
    source_finish(ld, s, table);
}

static void read_sources(struct loading *ld, struct whole *w, const struct node *list)
{
    size_t i = 0;
    if (!list || list->kind != NODE_LIST || list->count == 0) {
        fault_add(ld->faults, list ? list->at : top, "sources", "%s, takes a list of sources",
                  !list                                                ? "missing"
                  : list->kind == NODE_LIST || list->kind == NODE_NULL ? "empty"
                                                                       : "not a list");
        return;
    }
    if (list->count > SOURCES_MAX) {
        fault_add(ld->faults, list->at, "sources", "got %zu, takes at most %d", list->count,
                  SOURCES_MAX);
        return;
    }
    w->sources = arena_alloc(ld->scratch, list->count, sizeof(*w->sources));
    w->count = list->count;
    for (struct node *n = list->first; n; n = n->next, i++)
        read_source(ld, &w->sources[i], n, i);
}

static void read_environment(struct loading *ld, struct whole *w)
{
    w->sources = arena_alloc(ld->scratch, 1, sizeof(*w->sources));
    w->count = 1;
    struct field *table = source_init(ld, w->sources, &source_forge, 0);
    w->sources->at.variable = "environment";
    env_fill_source(ld, w->sources);
    source_finish(ld, w->sources, table);
}

/* `text` NULL: there is no file. False: it is no YAML, so that nothing more can be said. */
static bool read_whole(struct loading *ld, struct whole *w, const struct bytes *text)
{
    struct node *root = text ? yaml_read(*text, ld->scratch, ld->faults) : NULL;
    if (text && !root)
        return false;
    if (root && root->kind != NODE_MAP && root->kind != NODE_NULL) {
        fault_add(ld->faults, root->at, "", "takes a map that begins with sources:");
        return false;
    }
    fields_init(&w->root, ld, config_root_fields, ROOT_COUNT, "");
    w->root.elsewhere = "sources";
    if (root)
        fields_read(&w->root, ld, root);
    env_fill_root(ld, &w->root);
    env_resource(ld, &w->environment);
    fields_finish(&w->root, ld, top);
    check_root(ld, &w->root);
    if (root)
        read_sources(ld, w, node_get(root, "sources"));
    else
        read_environment(ld, w);
    check_sources(ld, w->sources, w->count);
    return true;
}

/* ---- putting together --------------------------------------------------------------------------
 */

static struct pairs map_of(const struct setting *s)
{
    return s->map ? *s->map : (struct pairs){ 0 };
}

static void build_peer(const struct setting *s, size_t max_response_bytes, struct peer_config *peer,
                       struct retry_config *retry)
{
    *peer = (struct peer_config){
        .timeout_ns = s[PEER_TIMEOUT].number,
        .max_response_bytes = max_response_bytes,
        .headers = map_of(&s[PEER_HEADERS]),
        .tls = { .ca_file = s[PEER_TLS_CA].text,
                 .cert_file = s[PEER_TLS_CERT].text,
                 .key_file = s[PEER_TLS_KEY].text,
                 .min_version = s[PEER_TLS_MIN_VERSION].text,
                 .insecure_skip_verify = s[PEER_TLS_SKIP_VERIFY].number != 0 },
    };
    *retry = (struct retry_config){
        .initial_interval_ns = s[PEER_RETRY_INITIAL].number,
        .max_interval_ns = s[PEER_RETRY_MAX].number,
        .max_elapsed_ns = s[PEER_RETRY_ELAPSED].number,
        .multiplier = s[PEER_RETRY_MULTIPLIER].real,
        .randomization_factor = s[PEER_RETRY_RANDOMIZATION].real,
    };
}

static void put_all(struct loading *ld, struct pairs *out, const struct pairs *from)
{
    for (size_t i = 0; i < from->count; i++)
        pairs_put(out, ld->kept, from->items[i].key, from->items[i].value);
}

/* The type's own attributes, then OTEL_*, then the user's: the later wins. */
static void build_resource(struct loading *ld, const struct source_reading *s,
                           const struct pairs *environment, struct pairs *out)
{
    const struct setting *own = s->fields.settings + SOURCE_COUNT;
    const struct source *type = s->type;
    for (const struct attribute *a = type->resource; a && a->key; a++)
        pairs_put(out, ld->kept, a->key, a->value);
    for (size_t i = 0; type->fields[i].name; i++) {
        if (type->fields[i].resource && own[i].text)
            pairs_put(out, ld->kept, type->fields[i].resource, own[i].text);
    }
    if (type->service_name >= 0 && own[type->service_name].text)
        pairs_put(out, ld->kept, "service.name", own[type->service_name].text);
    put_all(ld, out, environment);
    if (s->fields.settings[SOURCE_RESOURCE].map)
        put_all(ld, out, s->fields.settings[SOURCE_RESOURCE].map);
}

static bool names_service(const struct pairs *map)
{
    for (size_t i = 0; map && i < map->count; i++) {
        if (strcmp(map->items[i].key, "service.name") == 0)
            return true;
    }
    return false;
}

static void build_source(struct loading *ld, const struct source_reading *s,
                         const struct pairs *environment, struct source_config *out)
{
    const struct setting *v = s->fields.settings;
    struct buf key = BUF_INIT(TEXT_BYTES_MAX + 256);
    out->stream = (struct stream){ .name = v[SOURCE_NAME].text,
                                   .type = s->type,
                                   .endpoint = v[SOURCE_ENDPOINT].text,
                                   .settings = v + SOURCE_COUNT,
                                   .service_named = names_service(environment) ||
                                                    names_service(v[SOURCE_RESOURCE].map) };
    stream_budget_key(&out->stream, &key);
    build_peer(v + SOURCE_PEER, (size_t)v[SOURCE_MAX_RESPONSE].number, &out->peer, &out->retry);
    out->rate.calls = (int)v[SOURCE_RATE_CALLS].number;
    out->rate.period_ns = v[SOURCE_RATE_PERIOD].number;
    out->budget_key = arena_strdup(ld->kept, buf_text(&key));
    out->window_ns = s->type->tails ? INT64_MAX : v[SOURCE_WINDOW].number;
    out->lookback_ns = v[SOURCE_LOOKBACK].number;
    out->lag_ns = v[SOURCE_LAG].number;
    out->overlap_ns = v[SOURCE_OVERLAP].number;
    out->normalize = v[SOURCE_NORMALIZE].number != 0;
    build_resource(ld, s, environment, &out->resource);
    out->scope_name = v[SOURCE_SCOPE_NAME].text;
    out->scope_version = v[SOURCE_SCOPE_VERSION].text;
    out->scope_attributes = map_of(&v[SOURCE_SCOPE_ATTRIBUTES]);
    buf_release(&key);
}

static void build_exporter(struct loading *ld, const struct setting *v, struct exporter_config *out)
{
    const char *url = v[EXPORTER_LOGS_ENDPOINT].text;
    struct buf made = BUF_INIT(TEXT_BYTES_MAX + sizeof(LOGS_PATH));
    if (!url) {
        buf_printf(&made, "%s" LOGS_PATH, v[EXPORTER_ENDPOINT].text);
        url = arena_strdup(ld->kept, buf_text(&made));
        buf_release(&made);
    }
    out->url = url;
    out->encoding = (enum encoding)v[EXPORTER_ENCODING].number;
    out->compression = (enum compression)v[EXPORTER_COMPRESSION].number;
    build_peer(v + EXPORTER_PEER, EXPORTER_RESPONSE_MAX, &out->peer, &out->retry);
    out->max_batch_records = (size_t)v[EXPORTER_MAX_RECORDS].number;
    out->max_batch_bytes = (size_t)v[EXPORTER_MAX_BYTES].number;
}

static void build(struct loading *ld, const struct whole *w, struct config *out)
{
    const struct setting *v = w->root.settings;
    struct config_memory *memory = out->memory;
    build_exporter(ld, v, &out->exporter);
    out->state_path = v[STATE_PATH].text;
    out->dead_letter = (enum dead_letter)v[STATE_DEAD_LETTER].number;
    out->concurrency = (int)v[RUN_CONCURRENCY].number;
    out->deadline_ns = v[RUN_DEADLINE].number;
    out->log_level = (enum log_level)v[LOGS_LEVEL].number;
    out->log_format = (enum log_format)v[LOGS_FORMAT].number;
    out->source_count = w->count;
    out->sources = arena_alloc(ld->kept, w->count, sizeof(*out->sources));
    memory->root = v;
    memory->sources = arena_alloc(ld->kept, w->count, sizeof(*memory->sources));
    for (size_t i = 0; i < w->count; i++) {
        const struct fields *f = &w->sources[i].fields;
        build_source(ld, &w->sources[i], &w->environment, &out->sources[i]);
        memory->sources[i] = (struct source_memory){ f->table, f->settings, f->count };
    }
}

/* ---- the way in --------------------------------------------------------------------------------
 */

static int tell(const struct faults *found, const struct config_input *in, struct buf *faults,
                struct error *err)
{
    faults_write(found, faults);
    const char *s = found->count == 1 ? "" : "s";
    if (in->path)
        return error_set(err, found->kind, "%s: %zu fault%s", in->path, found->count, s);
    return error_set(err, found->kind,
                     "%zu fault%s in the environment, and there is no configuration file "
                     "(--config, OTLPULL_CONFIG, /etc/otlpull/otlpull.yaml)",
                     found->count, s);
}

static int load(struct config *out, const struct config_input *in, const struct bytes *text,
                struct buf *faults, struct buf *warnings, struct error *err)
{
    struct config cfg = { .memory = xcalloc(1, sizeof(*cfg.memory)) };
    struct arena scratch = { 0 };
    struct faults found = { .file = in->path, .arena = &scratch };
    struct loading ld = { .in = in,
                          .kept = &cfg.memory->arena,
                          .scratch = &scratch,
                          .faults = &found,
                          .subst = { .in = in, .arena = &scratch },
                          .warnings = warnings };
    struct whole whole = { 0 };
    int rc = -1;
    *out = (struct config){ 0 };
    if (!read_whole(&ld, &whole, text) || found.count > 0) {
        tell(&found, in, faults, err);
        goto out;
    }
    build(&ld, &whole, &cfg);
    *out = cfg;
    cfg.memory = NULL;
    rc = 0;
out:
    config_release(&cfg);
    arena_release(&scratch);
    return rc;
}

int config_load_text(struct config *out, struct bytes text, const struct config_input *in,
                     struct buf *faults, struct buf *warnings, struct error *err)
{
    return load(out, in, &text, faults, warnings, err);
}

int config_load(struct config *out, const struct config_input *in, struct buf *faults,
                struct buf *warnings, struct error *err)
{
    struct buf file = BUF_INIT(YAML_BYTES_MAX);
    int rc = -1;
    *out = (struct config){ 0 };
    if (!in->path)
        return load(out, in, NULL, faults, warnings, err);
    if (subst_read_file(in->path, &file, err) == 0)
        rc = config_load_text(out, buf_bytes(&file), in, faults, warnings, err);
    buf_release(&file);
    return rc;
}

void config_release(struct config *cfg)
{
    if (cfg->memory)
        arena_release(&cfg->memory->arena);
    free(cfg->memory);
    *cfg = (struct config){ 0 };
}
