#include "state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/jread.h"
#include "base/timefmt.h"
#include "state/document.h"

#define PRINT_BYTES sizeof(uint64_t)
#define OLDER_MAX   4096

void state_file_name(const char *source, const char *suffix, char out[128])
{
    snprintf(out, 128, "source-%s.%s", source, suffix);
}

static void write_time(struct buf *out, const char *key, int64_t unix_ns)
{
    char text[TIMEFMT_MAX];
    timefmt_rfc3339(unix_ns, 9, text);
    buf_printf(out, "\"%s\":\"%s\"", key, text);
}

/* Little-endian on every machine: a state may move from one to another. */
static void write_prints(struct buf *out, const struct sent_prints *prints)
{
    write_time(out, "end", prints->end_unix_ns);
    buf_append_text(out, ",\"prints\":\"");
    buf_reserve(out, prints->count * PRINT_BYTES * 4 / 3 + 64); /* at once: it is most of all */
    unsigned char
        bytes[PRINT_BYTES * 192]; /* a multiple of three, so that no padding falls between */
    size_t len = 0;
    for (size_t i = 0; i < prints->count; i++) {
        for (size_t j = 0; j < PRINT_BYTES; j++)
            bytes[len++] = (unsigned char)(prints->items[i] >> (8 * j));
        if (len == sizeof(bytes)) {
            base64_append(out, bytes, len);
            len = 0;
        }
    }
    base64_append(out, bytes, len);
    buf_append_char(out, '"');
}

static void write_window(struct buf *out, const struct source_state *st)
{
    buf_append_text(out, ",\"window\":{");
    write_time(out, "start", st->window_start_unix_ns);
    buf_printf(out,
               ",\"query\":\"%016llx\",\"passed\":%zu,\"cursor\":", (unsigned long long)st->query,
               st->passed);
    jread_quote(out, buf_text(&st->cursor));
    buf_append_char(out, ',');
    struct sent_prints prints = st->window_prints;
    prints.end_unix_ns = st->window_end_unix_ns;
    write_prints(out, &prints);
    buf_append_char(out, '}');
}

void run_record_write(const struct run_record *run, struct buf *out)
{
    const struct run_counts *n = &run->counts;
    buf_append_char(out, '{');
    write_time(out, "started", run->started_unix_ns);
    buf_append_char(out, ',');
    write_time(out, "ended", run->ended_unix_ns);
    buf_printf(out,
               ",\"exit_code\":%d,\"exported\":%lld,\"rejected\":%lld,\"duplicates\":%lld,"
               "\"calls\":%lld,\"windows\":%lld,\"bytes\":%lld}",
               run->exit_code, (long long)n->exported, (long long)n->rejected,
               (long long)n->duplicates, (long long)n->calls, (long long)n->windows,
               (long long)n->bytes);
}

void state_write(const struct source_state *st, struct buf *out)
{
    assert(!st->unfinished || st->passed <= st->window_prints.count);
    buf_append_text(out, "{\"identity\":");
    jread_quote(out, st->identity);
    buf_append_char(out, ',');
    if (st->started)
        write_time(out, "checkpoint", st->checkpoint_unix_ns);
    else
        buf_append_text(out, "\"checkpoint\":null");
    buf_printf(out, ",\"windows\":%lld", (long long)st->windows);
    if (st->place.len > 0) {
        buf_append_text(out, ",\"place\":");
        jread_quote(out, buf_text(&st->place));
    }
    if (st->unfinished)
        write_window(out, st);
    else
        buf_append_text(out, ",\"window\":null");
    buf_append_text(out, ",\"sent\":[");
    for (size_t i = 0; i < st->older_count; i++) {
        buf_append_text(out, i ? ",{" : "{");
        write_prints(out, &st->older[i]);
        buf_append_char(out, '}');
    }
    buf_append_text(out, "],\"gaps\":[");
    for (size_t i = 0; i < st->gap_count; i++) {
        buf_append_text(out, i ? ",{" : "{");
        write_time(out, "from", st->gaps[i].from_unix_ns);
        buf_append_char(out, ',');
        write_time(out, "to", st->gaps[i].to_unix_ns);
        buf_append_char(out, '}');
    }
    buf_append_text(out, "],\"last_run\":");
    if (st->last_run.started_unix_ns)
        run_record_write(&st->last_run, out);
    else
        buf_append_text(out, "null");
    buf_append_char(out, '}');
}

static int bad(const char *member, struct error *err)
{
    return error_set(err, ERR_STATE, "\"%s\" is missing or makes no sense", member);
}

static int read_prints(struct json_object *from, struct sent_prints *out, struct error *err)
{
    const char *text;
    if (!jread_time(from, "end", &out->end_unix_ns) || !jread_text(from, "prints", &text))
        return bad("prints", err);
    struct buf bytes = BUF_INIT(STORE_DOCUMENT_MAX);
    if (!base64_decode(&bytes, bytes_of(text)) || bytes.len % PRINT_BYTES) {
        buf_release(&bytes);
        return bad("prints", err);
    }
    out->count = bytes.len / PRINT_BYTES;
    out->items = xreallocarray(NULL, out->count, PRINT_BYTES);
    for (size_t i = 0; i < out->count; i++) {
        out->items[i] = 0;
        for (size_t j = 0; j < PRINT_BYTES; j++)
            out->items[i] |= (uint64_t)(unsigned char)bytes.data[i * PRINT_BYTES + j] << (8 * j);
    }
    buf_release(&bytes);
    return 0;
}

static int read_window(struct json_object *from, struct source_state *out, struct error *err)
{
    const char *query, *cursor;
    char *end;
    int64_t passed;
    if (!from)
        return 0;
    if (!jread_time(from, "start", &out->window_start_unix_ns) ||
        !jread_text(from, "query", &query) || !jread_text(from, "cursor", &cursor) ||
        !jread_int(from, "passed", &passed))
        return bad("window", err);
    if (read_prints(from, &out->window_prints, err))
        return -1;
    out->query = strtoull(query, &end, 16);
    buf_append_text(&out->cursor, cursor);
    out->window_end_unix_ns = out->window_prints.end_unix_ns;
    if (*end || out->cursor.full || passed < 0 || (uint64_t)passed > out->window_prints.count ||
        out->window_end_unix_ns <= out->window_start_unix_ns)
        return bad("window", err);
    out->passed = (size_t)passed;
    out->unfinished = true;
    return 0;
}

static int read_older(struct json_object *from, struct source_state *out, struct error *err)
{
    size_t count = jread_count(from);
    if (count > OLDER_MAX)
        return bad("sent", err);
    out->older = xcalloc(count, sizeof(*out->older));
    for (; out->older_count < count; out->older_count++) {
        if (read_prints(jread_at(from, out->older_count), &out->older[out->older_count], err))
            return -1;
    }
    return 0;
}

static int read_gaps(struct json_object *from, struct source_state *out, struct error *err)
{
    for (size_t i = 0; i < jread_count(from) && i < STATE_GAPS; i++) {
        struct gap *gap = &out->gaps[i];
        if (!jread_time(jread_at(from, i), "from", &gap->from_unix_ns) ||
            !jread_time(jread_at(from, i), "to", &gap->to_unix_ns))
            return bad("gaps", err);
        out->gap_count++;
    }
    return 0;
}

static int read_run(struct json_object *from, struct run_record *out, struct error *err)
{
    int64_t exit_code;
    struct run_counts *n = &out->counts;
    if (!from)
        return 0;
    if (!jread_time(from, "started", &out->started_unix_ns) ||
        !jread_time(from, "ended", &out->ended_unix_ns) ||
        !jread_int(from, "exit_code", &exit_code) || !jread_int(from, "exported", &n->exported) ||
        !jread_int(from, "rejected", &n->rejected) ||
        !jread_int(from, "duplicates", &n->duplicates) || !jread_int(from, "calls", &n->calls) ||
        !jread_int(from, "windows", &n->windows) || !jread_int(from, "bytes", &n->bytes))
        return bad("last_run", err);
    out->exit_code = (int)(exit_code & 255);
    return 0;
}

static int read_document(struct json_object *from, struct source_state *out, struct error *err)
{
    static const char *const members[] = { "checkpoint", "window", "sent", "gaps", "last_run" };
    const char *identity, *place = "";
    for (size_t i = 0; i < COUNT(members); i++) {
        if (!jread_has(from, members[i]))
            return bad(members[i], err);
    }
    if (!jread_text(from, "identity", &identity) || strlen(identity) >= sizeof(out->identity))
        return bad("identity", err);
    memcpy(out->identity, identity, strlen(identity) + 1);
    if (!jread_int(from, "windows", &out->windows))
        return bad("windows", err);
    if (jread_member(from, "place") && !jread_text(from, "place", &place))
        return bad("place", err);
    buf_append_text(&out->place, place);
    if (out->place.full)
        return bad("place", err);
    out->started = jread_member(from, "checkpoint") != NULL;
    if (out->started && !jread_time(from, "checkpoint", &out->checkpoint_unix_ns))
        return bad("checkpoint", err);
    if (read_window(jread_member(from, "window"), out, err) ||
        read_older(jread_member(from, "sent"), out, err) ||
        read_gaps(jread_member(from, "gaps"), out, err) ||
        read_run(jread_member(from, "last_run"), &out->last_run, err))
        return -1;
    return 0;
}

int state_read(struct bytes text, struct source_state *out, struct error *err)
{
    struct source_state fresh = SOURCE_STATE_INIT;
    struct json_object *document = jread_parse(text, err);
    if (!document) {
        err->kind = ERR_STATE;
        return -1;
    }
    int rc = read_document(document, &fresh, err);
    jread_release(document);
    if (rc)
        state_release(&fresh);
    else
        *out = fresh;
    return rc;
}

int state_load(struct store *store, const char *source, struct source_state *out,
               struct store_version *version, struct error *err)
{
    struct source_state fresh = SOURCE_STATE_INIT;
    struct json_object *document;
    char name[128];
    state_file_name(source, "json", name);
    if (document_get(store, name, &document, version, err))
        return -1;
    if (document && read_document(document, &fresh, err)) {
        error_within(err, "state %s/%s", store->where, name);
        jread_release(document);
        state_release(&fresh);
        return -1;
    }
    jread_release(document);
    *out = fresh;
    return 0;
}

int state_save(struct store *store, const char *source, const struct source_state *st,
               struct store_version *version, struct error *err)
{
    struct buf whole = BUF_INIT(STORE_DOCUMENT_MAX);
    char name[128];
    state_file_name(source, "json", name);
    document_begin(&whole);
    state_write(st, &whole);
    int rc = document_put(store, name, &whole, version, err);
    buf_release(&whole);
    return rc;
}

void state_release(struct source_state *st)
{
    buf_release(&st->place);
    buf_release(&st->cursor);
    free(st->window_prints.items);
    for (size_t i = 0; i < st->older_count; i++)
        free(st->older[i].items);
    free(st->older);
    *st = (struct source_state)SOURCE_STATE_INIT;
}

void state_add_gap(struct source_state *st, int64_t from_unix_ns, int64_t to_unix_ns)
{
    struct gap *last = st->gap_count > 0 ? &st->gaps[st->gap_count - 1] : NULL;
    if (last && last->from_unix_ns <= from_unix_ns && last->to_unix_ns >= from_unix_ns) {
        if (last->to_unix_ns < to_unix_ns)
            last->to_unix_ns = to_unix_ns;
        return;
    }
    if (st->gap_count == STATE_GAPS) {
        st->gaps[1].from_unix_ns = st->gaps[0].from_unix_ns;
        st->gap_count--;
        memmove(st->gaps, st->gaps + 1, st->gap_count * sizeof(*st->gaps));
    }
    st->gaps[st->gap_count++] = (struct gap){ from_unix_ns, to_unix_ns };
}
