#include "dead_letter.h"

#include <stdio.h>
#include <string.h>

#include "base/timefmt.h"
#include "sink.h"
#include "state/state.h"

#define SUFFIX "dead-letter.jsonl"

/* JSON goes in as it stands: without a line break outside of its own white space, which is made
 * blank. */
static void put_json(struct buf *out, struct bytes json)
{
    size_t at = out->len;
    buf_append_bytes(out, json);
    for (; at < out->len; at++) {
        if (out->data[at] == '\n' || out->data[at] == '\r')
            out->data[at] = ' ';
    }
}

void dead_letter_write(struct buf *out, const char *source, int64_t unix_ns, int status,
                       const char *words, struct bytes resource, struct bytes record)
{
    char time[TIMEFMT_MAX];
    timefmt_rfc3339(unix_ns, 3, time);
    buf_append_text(out, "{\"source\":");
    otlp_put_string(sink_of(out), source, strlen(source));
    buf_printf(out, ",\"time\":\"%s\",\"status\":%d,\"answer\":", time, status);
    otlp_put_string(sink_of(out), words, strlen(words));
    if (resource.len > 0) {
        buf_append_text(out, ",\"resource\":[");
        put_json(out, resource);
        buf_append_char(out, ']');
    }
    buf_append_text(out, ",\"record\":");
    put_json(out, record);
    buf_append_text(out, "}\n");
}

static bool is_string(struct otlp_text raw)
{
    return raw.len > 0 && raw.data[0] == '"';
}

/* An HTTP status, and no other number. */
static bool read_status(struct otlp_text raw, int *out)
{
    int status = 0;
    if (raw.len != 3)
        return false;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] < '0' || raw.data[i] > '9')
            return false;
        status = 10 * status + (raw.data[i] - '0');
    }
    *out = status;
    return status >= 100;
}

/* What stands between the quotes of a string without escapes; empty where it is none such. */
static struct bytes plain(struct otlp_text raw)
{
    if (!is_string(raw) || memchr(raw.data, '\\', raw.len))
        return (struct bytes){ "", 0 };
    return (struct bytes){ raw.data + 1, raw.len - 2 };
}

/* What stands between an array's brackets; empty where it is none. */
static struct bytes elements(struct otlp_text raw)
{
    if (raw.len < 2 || raw.data[0] != '[')
        return (struct bytes){ "", 0 };
    return (struct bytes){ raw.data + 1, raw.len - 2 };
}

/* The members, whatever their order; those that we do not know are a later version's. */
static bool scan_members(struct otlp_scan *s, struct letter *out, struct otlp_text *time,
                         struct otlp_text *status)
{
    struct otlp_text key, source = { 0 }, resource = { 0 }, other;
    if (!otlp_scan_enter_object(s))
        return false;
    while (otlp_scan_next_key(s, &key)) {
        bool fine;
        if (otlp_key_is(key, "record"))
            fine = otlp_scan_record(s, &out->record);
        else
            fine = otlp_scan_value(s, otlp_key_is(key, "source")     ? &source
                                      : otlp_key_is(key, "time")     ? time
                                      : otlp_key_is(key, "status")   ? status
                                      : otlp_key_is(key, "answer")   ? &out->answer
                                      : otlp_key_is(key, "resource") ? &resource
                                                                     : &other);
        if (!fine)
            return false;
    }
    out->source = plain(source);
    out->resource = elements(resource);
    return otlp_scan_end(s);
}

bool dead_letter_read(struct bytes line, struct letter *out, const char **why)
{
    struct letter letter = { 0 };
    struct otlp_text time = { 0 }, status = { 0 };
    struct otlp_scan scan;
    otlp_scan_init(&scan, line.data, line.len);
    if (!scan_members(&scan, &letter, &time, &status))
        *why = scan.problem;
    else if (letter.source.len == 0)
        *why = "its \"source\" is missing or makes no sense";
    else if (!timefmt_parse_rfc3339(plain(time), &letter.unix_ns))
        *why = "its \"time\" is missing or makes no sense";
    else if (!read_status(status, &letter.status))
        *why = "its \"status\" is missing or makes no sense";
    else if (!is_string(letter.answer))
        *why = "its \"answer\" is missing or makes no sense";
    else if (!letter.record.text)
        *why = "its \"record\" is missing";
    else {
        *out = letter;
        return true;
    }
    return false;
}

void dead_letter_file_name(const char *source, char out[128])
{
    state_file_name(source, SUFFIX, out);
}

int dead_letter_sources(struct store *store, struct buf *out, struct error *err)
{
    static const char before[] = "source-";
    struct buf names = BUF_INIT(out->max);
    int rc = store->names(store, "." SUFFIX, &names, err);
    for (const char *at = buf_text(&names); rc == 0 && *at;) {
        size_t len = strcspn(at, "\n");
        if (len > strlen(before) + strlen("." SUFFIX) && memcmp(at, before, strlen(before)) == 0) {
            buf_append(out, at + strlen(before), len - strlen(before) - strlen("." SUFFIX));
            buf_append_char(out, '\n');
        }
        at += len + (at[len] == '\n');
    }
    buf_release(&names);
    return rc;
}

static int open_journal(struct store *store, const char *source, struct store_reader **reader,
                        uint64_t *bytes, struct error *err)
{
    char name[128];
    dead_letter_file_name(source, name);
    return store->open(store, name, reader, bytes, err);
}

int dead_letters_size(struct store *store, const char *source, uint64_t *bytes, struct error *err)
{
    struct store_reader *reader;
    int rc = open_journal(store, source, &reader, bytes, err);
    store->end(store, reader);
    return rc;
}

int dead_letters_open(struct dead_letters *d, struct store *store, const char *source,
                      struct error *err)
{
    uint64_t bytes;
    *d = (struct dead_letters){ .store = store,
                                .source = source,
                                .text = BUF_INIT(DEAD_LETTERS_MAX) };
    return open_journal(store, source, &d->reader, &bytes, err);
}

/* Forget the lines that were handed out, to make room for more. */
static void move_up(struct dead_letters *d)
{
    if (d->at == 0)
        return;
    memmove(d->text.data, d->text.data + d->at, d->text.len - d->at);
    d->text.len -= d->at;
    d->at = 0;
}

int dead_letters_next(struct dead_letters *d, struct bytes *line, struct error *err)
{
    const char *end = NULL;
    size_t searched = 0;
    for (;;) {
        size_t left = d->text.len - d->at;
        if (left > searched)
            end = memchr(d->text.data + d->at + searched, '\n', left - searched);
        searched = left;
        if (end || !d->reader)
            break;
        move_up(d);
        if (d->store->read(d->store, d->reader, &d->text, err))
            return -1;
        if (d->text.full)
            return error_set(err, ERR_STATE, "dead letters, line %zu: over %zu bytes", d->line + 1,
                             d->text.max);
        if (d->text.len == searched) /* there is no more: what is left is a line without its end */
            break;
    }
    *line = (struct bytes){ buf_text(&d->text) + d->at, searched };
    if (end)
        line->len = (size_t)(end - line->data) + 1;
    d->at += line->len;
    d->line += line->len > 0;
    return 0;
}

bool dead_letters_read(const struct dead_letters *d, struct bytes line, struct letter *out,
                       const char **why)
{
    if (!dead_letter_read(line, out, why))
        return false;
    if (bytes_is(out->source, d->source))
        return true;
    *why = "it is another source's";
    return false;
}

void dead_letters_note(struct dead_letters *d, const char *why)
{
    if (d->damaged++ > 0)
        return;
    d->damaged_line = d->line;
    d->damage = why;
}

int dead_letters_damage(const struct dead_letters *d, struct error *err)
{
    char name[128], more[64] = "";
    if (d->damaged == 0)
        return 0;
    dead_letter_file_name(d->source, name);
    if (d->damaged > 1)
        snprintf(more, sizeof(more), "; nor are %zu more", d->damaged - 1);
    return error_set(err, ERR_STATE, "state %s/%s: line %zu is no dead letter: %s%s",
                     d->store->where, name, d->damaged_line, d->damage, more);
}

void dead_letters_close(struct dead_letters *d)
{
    if (d->store)
        d->store->end(d->store, d->reader);
    buf_release(&d->text);
    *d = (struct dead_letters){ 0 };
}
