#include "config_parts.h"

#include <string.h>
#include <strings.h>

#include "base/s3_path.h"
#include "config_url.h"

#define NAME_MAX_BYTES 64

static bool given(const struct fields *f, size_t i)
{
    return f->settings[i].set;
}

static const char *text_of(const struct fields *f, size_t i)
{
    return f->settings[i].set && f->settings[i].text ? f->settings[i].text : "";
}

static bool has_entries(const struct setting *s)
{
    return s->map && s->map->count > 0;
}

/* ---- what a source and the exporter share ------------------------------------------------------
 */

/* A field-name of RFC 9110, and not one that says how long or of what kind the body is: those are
 * known only where it is made. */
static const char *header_problem(const char *name)
{
    static const char *const ours[] = { "content-encoding", "content-length", "content-type",
                                        "transfer-encoding" };
    for (size_t i = 0; i < COUNT(ours); i++) {
        if (strcasecmp(name, ours[i]) == 0)
            return "is set by otlpull itself";
    }
    size_t usable = strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return name[usable] ? "is not a header's name" : NULL;
}

static void check_headers(struct loading *ld, const struct fields *f, size_t i)
{
    const struct node *map = f->nodes[i];
    char path[FAULT_PATH_MAX];
    fault_path(path, "%s%s", f->path, f->table[i].name);
    for (const struct node *n = map && map->kind == NODE_MAP ? map->first : NULL; n; n = n->next) {
        const char *problem = header_problem(n->key);
        struct buf key = BUF_INIT(FAULT_PATH_MAX);
        if (problem) {
            fault_quote(&key, n->key);
            fault_add(ld->faults, n->key_at, path, "%s %s", buf_text(&key), problem);
        }
        buf_release(&key);
    }
}

static void check_peer(struct loading *ld, const struct fields *f, size_t peer, struct place at)
{
    const struct setting *s = f->settings + peer;
    check_headers(ld, f, peer + PEER_HEADERS);
    if (s[PEER_TLS_KEY].set && !s[PEER_TLS_CERT].set)
        fields_fault(f, ld, peer + PEER_TLS_KEY, at, "takes a cert_file beside it");
    if (s[PEER_RETRY_INITIAL].set && s[PEER_RETRY_MAX].set &&
        s[PEER_RETRY_INITIAL].number > s[PEER_RETRY_MAX].number) {
        bool initial = f->nodes[peer + PEER_RETRY_INITIAL] != NULL;
        fields_fault_takes(f, ld, peer + (initial ? PEER_RETRY_INITIAL : PEER_RETRY_MAX), at,
                           initial ? "at most max_interval" : "at least initial_interval");
    }
}

static void check_in_clear(struct loading *ld, const struct fields *f, size_t url, size_t peer,
                           struct place at)
{
    if (given(f, url) && url_in_clear(text_of(f, url)) &&
        !f->settings[peer + PEER_ALLOW_INSECURE].number)
        fields_fault_takes(f, ld, url, at,
                           "https://, as credentials go there; or allow_insecure: true beside it");
}

/* ---- root --------------------------------------------------------------------------------------
 */

static void check_state_path(struct loading *ld, const struct fields *root, struct place at)
{
    const char *path = text_of(root, STATE_PATH), *problem = NULL;
    struct s3_path parts;
    if (s3_path_is(path))
        problem = s3_path_parse(path, &parts);
    else if (strstr(path, "://"))
        problem = "the path of a directory, or s3://bucket/prefix";
    if (problem)
        fields_fault_takes(root, ld, STATE_PATH, at, "%s", problem);
}

void check_root(struct loading *ld, const struct fields *root)
{
    struct place top = { .line = 1, .column = 1 };
    bool whole = given(root, EXPORTER_LOGS_ENDPOINT);
    check_peer(ld, root, EXPORTER_PEER, top);
    if (whole && !url_usable(text_of(root, EXPORTER_LOGS_ENDPOINT), true))
        fields_fault_takes(root, ld, EXPORTER_LOGS_ENDPOINT, top,
                           "an http:// or https:// URL without user and fragment (credentials go "
                           "into headers)");
    else if (has_entries(&root->settings[EXPORTER_PEER + PEER_HEADERS]))
        check_in_clear(ld, root, whole ? EXPORTER_LOGS_ENDPOINT : EXPORTER_ENDPOINT, EXPORTER_PEER,
                       top);
    check_state_path(ld, root, top);
    if (root->settings[METRICS_ENABLED].number)
        fields_fault(root, ld, METRICS_ENABLED, top, "true is not supported yet, takes false");
}

/* ---- sources -----------------------------------------------------------------------------------
 */

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    return len <= NAME_MAX_BYTES && text[0] != '.' && !strstr(text, "..") &&
           strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == len;
}

static void check_name(struct loading *ld, const struct source_reading *sources, size_t i)
{
    const struct fields *f = &sources[i].fields;
    if (!given(f, SOURCE_NAME))
        return;
    if (!is_name(text_of(f, SOURCE_NAME)))
        fields_fault_takes(f, ld, SOURCE_NAME, sources[i].at,
                           "1 to 64 of A-Z a-z 0-9 . _ - without .. and not beginning with .");
    for (size_t k = 0; k < i; k++) {
        if (strcmp(text_of(&sources[k].fields, SOURCE_NAME), text_of(f, SOURCE_NAME)) == 0) {
            fields_fault_takes(f, ld, SOURCE_NAME, sources[i].at,
                               "a name of its own: sources[%zu] has it", k);
            return;
        }
    }
}

/* Without this a run would walk forward in tiny steps: each window begins with the overlap. */
static void check_overlap(struct loading *ld, const struct source_reading *source)
{
    const struct fields *f = &source->fields;
    int64_t most_ns = f->settings[SOURCE_WINDOW].number / 4 * 3;
    if (given(f, SOURCE_WINDOW) && given(f, SOURCE_OVERLAP) &&
        f->settings[SOURCE_OVERLAP].number > most_ns)
        fields_fault_takes(f, ld, SOURCE_OVERLAP, source->at, "at most three quarters of window");
}

static const char *app_of(const struct source_reading *s)
{
    return s->type ? text_of(&s->fields, SOURCE_COUNT + (size_t)s->type->budget) : "";
}

/* One budget cannot be kept by two rules. */
static void check_budget(struct loading *ld, const struct source_reading *sources, size_t i)
{
    const struct fields *f = &sources[i].fields;
    for (size_t k = 0; k < i && *app_of(&sources[i]); k++) {
        const struct fields *other = &sources[k].fields;
        if (sources[k].type != sources[i].type ||
            strcmp(app_of(&sources[k]), app_of(&sources[i])) != 0)
            continue;
        for (size_t field = SOURCE_RATE_CALLS; field <= SOURCE_RATE_PERIOD; field++) {
            if (!given(f, field) || !given(other, field) ||
                f->settings[field].number == other->settings[field].number)
                continue;
            fields_fault_takes(f, ld, field, sources[i].at,
                               "the same as sources[%zu], as both read one %s", k,
                               sources[i].type->fields[sources[i].type->budget].name);
        }
        return;
    }
}

/* Each URL that a source goes to. */
static void check_urls(struct loading *ld, const struct source_reading *source)
{
    const struct fields *f = &source->fields;
    for (size_t i = SOURCE_ENDPOINT; i < f->count; i++) {
        if (f->table[i].kind == FIELD_URL || f->table[i].kind == FIELD_WHOLE_URL)
            check_in_clear(ld, f, i, SOURCE_PEER, source->at);
    }
}

/* What must hold between the settings of its type. */
static void check_type(struct loading *ld, const struct source_reading *source)
{
    const struct fields *f = &source->fields;
    int field = 0;
    const char *words = source->type && source->type->check
                            ? source->type->check(f->settings + SOURCE_COUNT, &field)
                            : NULL;
    if (words)
        fields_fault(f, ld, SOURCE_COUNT + (size_t)field, source->at, "%s", words);
}

static bool has_credentials(const struct source_reading *source)
{
    const struct fields *f = &source->fields;
    for (size_t i = SOURCE_COUNT; i < f->count; i++) {
        if (f->table[i].secret && f->nodes[i] && f->nodes[i]->kind == NODE_TEXT)
            return true;
    }
    return has_entries(&f->settings[SOURCE_PEER + PEER_HEADERS]);
}

void check_sources(struct loading *ld, const struct source_reading *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_name(ld, sources, i);
        check_peer(ld, &sources[i].fields, SOURCE_PEER, sources[i].at);
        check_overlap(ld, &sources[i]);
        check_budget(ld, sources, i);
        if (has_credentials(&sources[i]))
            check_urls(ld, &sources[i]);
        check_type(ld, &sources[i]);
    }
}
