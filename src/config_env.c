/* What the environment gives, as OpenTelemetry's specification has it: an empty variable is an
 * unset one; what is said of logs wins over what is said of all signals, each option by itself; a
 * number or a word that makes no sense is warned of and counts as unset. */
#include "config_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_value.h"

#define OTLP        "OTEL_EXPORTER_OTLP_"
#define OTLP_LOGS   "OTEL_EXPORTER_OTLP_LOGS_"
#define VALUE_BYTES 65536

static const char *lookup(const struct loading *ld, const char *variable)
{
    const char *value = ld->in->getenv(ld->in->self, variable);
    return value && *value ? value : NULL;
}

static struct node *node_of(struct loading *ld, const char *variable, const char *value)
{
    struct node *n = arena_alloc(ld->scratch, 1, sizeof(*n));
    n->kind = value ? NODE_TEXT : NODE_NULL;
    n->at.variable = n->key_at.variable = arena_strdup(ld->scratch, variable);
    n->text = n->written = value;
    n->expanded = true;
    return n;
}

static void warn(struct loading *ld, const char *variable, const char *words)
{
    buf_printf(ld->warnings, "%s: %s\n", variable, words);
}

/* ---- lists of key=value ------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) % 16 : -1;
}

static struct bytes trim(struct bytes text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Percent-decoded, in scratch; NULL: a % that is none, or what it gives is no text of ours. */
static const char *decode(struct loading *ld, struct bytes text)
{
    struct buf out = BUF_INIT(VALUE_BYTES);
    const char *result = NULL;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                goto out;
            c = (char)(high * 16 + low);
            i += 2;
        }
        buf_append_char(&out, c);
    }
    if (!out.full && strlen(buf_text(&out)) == out.len &&
        !subst_text_problem(buf_text(&out), out.len))
        result = arena_strdup(ld->scratch, buf_text(&out));
out:
    buf_release(&out);
    return result;
}

struct element {
    const char *key, *value; /* NULL: broken */
    struct bytes raw;
};

/* The next of "k1=v1,k2=v2"; false at the end. */
static bool next_element(struct loading *ld, const char **at, struct element *out)
{
    if (!**at)
        return false;
    size_t len = strcspn(*at, ",");
    struct bytes raw = trim((struct bytes){ *at, len });
    const char *equals = memchr(raw.data, '=', raw.len);
    *at += (*at)[len] ? len + 1 : len;
    *out = (struct element){ .raw = raw };
    if (!equals)
        return true;
    size_t key_len = (size_t)(equals - raw.data);
    out->key = decode(ld, trim((struct bytes){ raw.data, key_len }));
    out->value = decode(ld, trim((struct bytes){ equals + 1, raw.len - key_len - 1 }));
    if (!out->value || (out->key && !*out->key))
        out->key = NULL;
    return true;
}

/* A map of the good elements; the others are named by their position, as they may be secret. */
static struct node *read_headers(struct loading *ld, const char *variable, const char *value)
{
    struct node *map = node_of(ld, variable, NULL);
    struct element e;
    size_t position = 0;
    map->kind = NODE_MAP;
    while (next_element(ld, &value, &e)) {
        position++;
        if (e.raw.len == 0)
            continue;
        if (!e.key) {
            char words[80];
            snprintf(words, sizeof(words), "element %zu is not key=value; ignored", position);
            warn(ld, variable, words);
            continue;
        }
        struct node *entry = node_get(map, e.key);
        if (!entry) {
            entry = node_of(ld, variable, e.value);
            entry->key = e.key;
            node_append(map, entry);
        }
        entry->text = entry->written = e.value;
    }
    return map;
}

void env_resource(struct loading *ld, struct pairs *out)
{
    static const char attributes[] = "OTEL_RESOURCE_ATTRIBUTES", service[] = "OTEL_SERVICE_NAME";
    const char *value = lookup(ld, attributes);
    const char *name = lookup(ld, service);
    struct element e = { 0 };
    for (const char *at = value; at && next_element(ld, &at, &e);) {
        if (e.raw.len && !e.key) {
            warn(ld, attributes, "an element is not key=value; all of it is ignored");
            value = NULL;
            break;
        }
    }
    for (const char *at = value; at && next_element(ld, &at, &e);) {
        if (e.raw.len && *e.value)
            pairs_put(out, ld->kept, e.key, e.value);
    }
    if (name && subst_text_problem(name, strlen(name)))
        warn(ld, service, "not one line of UTF-8; ignored");
    else if (name)
        pairs_put(out, ld->kept, "service.name", name);
}

/* ---- the exporter ------------------------------------------------------------------------------
 */

static const char *lowered(struct loading *ld, const char *value)
{
    char *word = arena_strdup(ld->scratch, value);
    for (char *c = word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return word;
}

static struct node *read_compression(struct loading *ld, const char *variable, const char *value)
{
    const char *word = lowered(ld, value);
    int64_t index;
    if (value_is_choice(&config_root_fields[EXPORTER_COMPRESSION], word, &index))
        return node_of(ld, variable, word);
    warn(ld, variable, "not one of none, gzip, zstd; ignored");
    return NULL;
}

/* Whole milliseconds; 0 is no limit, for which the longest that we take stands. */
static struct node *read_milliseconds(struct loading *ld, const char *variable, const char *value)
{
    char text[32];
    size_t digits = strspn(value, "0123456789");
    long ms = digits > 0 && digits <= 7 && !value[digits] ? strtol(value, NULL, 10) : -1;
    if (ms < 0 || ms > 3600000) {
        warn(ld, variable, "not a whole number of milliseconds, up to 3600000; ignored");
        return NULL;
    }
    snprintf(text, sizeof(text), "%ldms", ms);
    return node_of(ld, variable, ms ? arena_strdup(ld->scratch, text) : "1h");
}

static struct node *read_protocol(struct loading *ld, const char *variable, const char *value)
{
    const char *word = lowered(ld, value);
    if (strcmp(word, "http/json") == 0)
        return node_of(ld, variable, "json");
    if (strcmp(word, "http/protobuf") == 0)
        return node_of(ld, variable, "proto");
    if (strcmp(word, "grpc") == 0)
        fault_add(ld->faults, node_of(ld, variable, NULL)->at, "",
                  "grpc is not supported; use http/protobuf or http/json%s",
                  ld->in->path ? ", or set exporter.encoding" : "");
    else
        warn(ld, variable, "not one of http/json, http/protobuf, grpc; ignored");
    return NULL;
}

static struct node *read_text(struct loading *ld, const char *variable, const char *value)
{
    return node_of(ld, variable, value);
}

enum { FOR_ALL = 1, FOR_LOGS = 2, FOR_EITHER = 3 }; /* OTEL_EXPORTER_OTLP_X, ..._LOGS_X */

struct option {
    const char *name;
    int forms;
    size_t field;
    size_t beside; /* belongs together with it: where the file sets one, neither is filled */
    /* The value as a node; NULL: it makes no sense, and was warned of or told as a fault. */
    struct node *(*read)(struct loading *ld, const char *variable, const char *value);
};

static bool in_file(const struct fields *f, size_t i)
{
    return f->settings[i].set && f->nodes[i] && !f->nodes[i]->at.variable;
}

static void fill_option(struct loading *ld, struct fields *root, const struct option *o)
{
    char variable[80];
    const char *value = NULL;
    if (in_file(root, o->field) || in_file(root, o->beside))
        return;
    if (o->forms & FOR_LOGS) {
        snprintf(variable, sizeof(variable), OTLP_LOGS "%s", o->name);
        value = lookup(ld, variable);
    }
    if (!value && o->forms & FOR_ALL) {
        snprintf(variable, sizeof(variable), OTLP "%s", o->name);
        value = lookup(ld, variable);
    }
    if (!value)
        return;
    struct node *n = o->read(ld, variable, value);
    if (n)
        fields_set(root, ld, o->field, n);
}

void env_fill_root(struct loading *ld, struct fields *root)
{
    enum {
        URL = EXPORTER_ENDPOINT,
        WHOLE_URL = EXPORTER_LOGS_ENDPOINT,
        HEADERS = EXPORTER_PEER + PEER_HEADERS,
        TIMEOUT = EXPORTER_PEER + PEER_TIMEOUT,
        CA = EXPORTER_PEER + PEER_TLS_CA,
        CERT = EXPORTER_PEER + PEER_TLS_CERT,
        KEY = EXPORTER_PEER + PEER_TLS_KEY,
        FORMAT = EXPORTER_ENCODING,
        PACKING = EXPORTER_COMPRESSION,
    };
    static const struct option options[] = {
        { "ENDPOINT", FOR_LOGS, WHOLE_URL, URL, read_text },
        { "ENDPOINT", FOR_ALL, URL, WHOLE_URL, read_text },
        { "HEADERS", FOR_EITHER, HEADERS, HEADERS, read_headers },
        { "COMPRESSION", FOR_EITHER, PACKING, PACKING, read_compression },
        { "TIMEOUT", FOR_EITHER, TIMEOUT, TIMEOUT, read_milliseconds },
        { "CERTIFICATE", FOR_EITHER, CA, CA, read_text },
        { "CLIENT_CERTIFICATE", FOR_EITHER, CERT, KEY, read_text },
        { "CLIENT_KEY", FOR_EITHER, KEY, CERT, read_text },
        { "PROTOCOL", FOR_EITHER, FORMAT, FORMAT, read_protocol },
    };
    static const struct {
        const char *variable;
        size_t field;
    } ours[] = { { "OTLPULL_STATE", STATE_PATH },
                 { "OTLPULL_LOG_LEVEL", LOGS_LEVEL },
                 { "OTLPULL_LOG_FORMAT", LOGS_FORMAT } };
    for (size_t i = 0; i < COUNT(options); i++)
        fill_option(ld, root, &options[i]);
    for (size_t i = 0; i < COUNT(ours); i++) {
        const char *value = lookup(ld, ours[i].variable);
        if (value && !in_file(root, ours[i].field))
            fields_set(root, ld, ours[i].field, node_of(ld, ours[i].variable, value));
    }
}

/* ---- a source ----------------------------------------------------------------------------------
 */

void env_fill_source(struct loading *ld, struct source_reading *source)
{
    struct fields *f = &source->fields;
    const struct source *type = source->type;
    const char *url = type->endpoint_env ? lookup(ld, type->endpoint_env) : NULL;
    fields_set(f, ld, SOURCE_NAME, node_of(ld, "name", type->name));
    fields_set(f, ld, SOURCE_TYPE, node_of(ld, "type", type->name));
    if (url)
        fields_set(f, ld, SOURCE_ENDPOINT, node_of(ld, type->endpoint_env, url));
    for (size_t i = SOURCE_COUNT; i < f->count; i++) {
        const char *variable = f->table[i].env;
        if (variable)
            fields_set(f, ld, i, node_of(ld, variable, lookup(ld, variable)));
    }
}
