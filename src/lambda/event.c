#include "lambda/event.h"

#include <stdlib.h>
#include <string.h>

#include "otlp/otlp.h"

#define TAKES "sources takes a list of names, such as {\"sources\": [\"billing-prod\"]}"

static int read_name(struct otlp_text raw, struct event *e, struct error *err)
{
    char name[EVENT_SOURCE_NAME_MAX];
    if (e->count == EVENT_SOURCES_MAX)
        return error_set(err, ERR_INPUT, "the event names more than %d sources", EVENT_SOURCES_MAX);
    if (raw.data[0] != '"')
        return error_set(err, ERR_INPUT, "the event's sources[%zu] is no text: " TAKES, e->count);
    size_t len = otlp_unescape(raw, name, sizeof(name));
    if (len == OTLP_NONE || len == 0 || memchr(name, '\0', len))
        return error_set(err, ERR_INPUT,
                         "the event's sources[%zu] is no source's name: it takes 1 "
                         "to %d letters, digits, '.', '_', '-'",
                         e->count, EVENT_SOURCE_NAME_MAX);
    e->sources = xreallocarray(e->sources, e->count + 1, sizeof(*e->sources));
    memcpy(e->sources[e->count], name, len);
    e->sources[e->count++][len] = '\0';
    return 0;
}

/* What its "sources" is; null is as good as none. */
static int read_sources(struct otlp_scan *s, struct event *e, struct error *err)
{
    char kind = otlp_scan_peek(s);
    struct otlp_text raw;
    event_release(e); /* of a key that is repeated the last counts */
    if (kind == 'n' || kind == '\0') {
        otlp_scan_value(s, NULL); /* which finds out what is wrong */
        return 0;
    }
    if (kind != '[')
        return error_set(err, ERR_INPUT, "the event's sources is no list: " TAKES);
    otlp_scan_enter_array(s);
    while (otlp_scan_next_element(s) && otlp_scan_value(s, &raw)) {
        if (read_name(raw, e, err))
            return -1;
    }
    return 0;
}

static int read_members(struct otlp_scan *s, struct event *e, struct error *err)
{
    struct otlp_text key;
    otlp_scan_enter_object(s);
    while (otlp_scan_next_key(s, &key)) {
        if (!otlp_key_is(key, "sources"))
            otlp_scan_value(s, NULL);
        else if (read_sources(s, e, err))
            return -1;
    }
    return 0;
}

int event_read(struct bytes text, struct event *out, struct error *err)
{
    struct event e = { 0 };
    struct otlp_scan s;
    int rc = 0;
    otlp_scan_init(&s, text.data, text.len);
    if (otlp_scan_peek(&s) == '{')
        rc = read_members(&s, &e, err);
    else
        otlp_scan_value(&s, NULL);
    if (rc == 0 && !otlp_scan_end(&s))
        rc = error_set(err, ERR_INPUT, "the event is not JSON: %s (byte %zu)", s.problem,
                       otlp_scan_offset(&s));
    if (rc == 0)
        *out = e;
    else
        event_release(&e);
    return rc;
}

void event_release(struct event *e)
{
    free(e->sources);
    *e = (struct event){ 0 };
}
