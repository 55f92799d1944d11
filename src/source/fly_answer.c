#include "fly_answer.h"

#include <string.h>

#include "fly_entry.h"
#include "pick.h"

static bool read_element(struct otlp_scan *s, int64_t *unix_ns)
{
    struct fly_glance seen;
    bool good = fly_entry_scan(s, &seen);
    *unix_ns = seen.unix_ns;
    return good;
}

static bool read_meta(struct otlp_scan *s, struct otlp_text *token)
{
    static const struct pick_path paths[] = { { "next_token", 0 }, { NULL, 0 } };
    return otlp_scan_peek(s) == '{' ? pick_members(s, paths, token, 1) : otlp_scan_value(s, NULL);
}

/* One object with an array `data`, or with a token and no data, is a page; `*is_page` is set as
 * soon as that is sure, so that half a page is never taken for a line. */
static int read_page(struct bytes frame, struct fly_answer *out, bool *is_page, struct error *err)
{
    struct otlp_scan s;
    struct otlp_text key;
    otlp_scan_init(&s, frame.data, frame.len);
    *is_page = false;
    if (otlp_scan_peek(&s) != '{')
        return 0;
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key)) {
        bool good = true;
        char next = otlp_scan_peek(&s);
        if (pick_key_is(key, "data") && (next == '[' || next == 'n')) {
            *is_page = true;
            if (next == 'n') /* Go's way to write a list of nothing */
                good = otlp_scan_value(&s, NULL);
            else if (edge_add_array(&out->entries, &s, "data", read_element, err))
                return -1;
        } else if (pick_key_is(key, "meta")) {
            good = read_meta(&s, &out->token);
        } else {
            good = otlp_scan_value(&s, NULL);
        }
        if (!good)
            break;
    }
    bool whole = otlp_scan_end(&s);
    *is_page = *is_page || (whole && out->token.len > 0);
    return *is_page && !whole ? edge_not_json(&s, err) : 0;
}

/* A blank line is nothing; one that does not parse is counted and passed over. */
static int read_lines(struct bytes frame, struct fly_answer *out, struct error *err)
{
    const char *at = frame.data, *end = frame.data + frame.len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        struct otlp_text line = { at, (size_t)(stop - at) };
        struct otlp_scan s;
        struct fly_glance seen;
        at = newline ? newline + 1 : end;
        while (line.len > 0 && otlp_is_space(line.data[0]))
            line = (struct otlp_text){ line.data + 1, line.len - 1 };
        if (line.len == 0)
            continue;
        otlp_scan_init(&s, line.data, line.len);
        bool whole = fly_entry_scan(&s, &seen) && otlp_scan_end(&s);
        out->cut = !whole && !newline;
        if (!whole && line.data[0] == '{')
            out->torn++;
        else if (!whole || !seen.is_entry)
            out->alien++;
        else if (edge_add(&out->entries, seen.unix_ns, line, err))
            return -1;
    }
    return 0;
}

int fly_answer_read(struct bytes frame, enum fly_shape shape, int64_t from_ns,
                    struct fly_answer *out, struct error *err)
{
    bool is_page = false;
    out->entries.at_ns = from_ns;
    out->shape = FLY_PAGES;
    int rc = read_page(frame, out, &is_page, err);
    if (rc || is_page)
        return rc;
    out->shape = FLY_LINES;
    out->token = (struct otlp_text){ "", 0 };
    if (read_lines(frame, out, err))
        return -1;
    /* Where nothing is an entry it is no answer of the kind, or too little of one. But the last
     * line of all may be torn for good. */
    bool last = shape == FLY_LINES && out->alien == 0;
    if (out->entries.count == 0 && out->alien + out->torn > 0 && !last)
        return error_set(err, ERR_INPUT, "neither a page nor lines of JSON");
    return 0;
}
