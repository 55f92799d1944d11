#include "spoil.h"

#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "net/compress.h"

#define GARBAGE_BYTES 4096

static void add_headers(const struct fault *fault, struct web_answer *out)
{
    for (size_t i = 0; fault->headers && i < fault->headers->count; i++)
        pairs_add(&out->headers, fault->headers->items[i].key, fault->headers->items[i].value);
}

bool spoil_before(const struct fault *fault, struct web_answer *out)
{
    out->delay_ns += fault->delay_ns;
    if (fault->kind == FAULT_RESET) {
        out->end = WEB_RESET;
    } else if (fault->kind == FAULT_HANG) {
        out->end = WEB_HANG;
    } else if (fault->kind == FAULT_STATUS && fault->status >= 300) {
        web_json(out, fault->status, "%s",
                 fault->body ? fault->body : "{\"message\":\"as scripted\"}");
        add_headers(fault, out);
    } else {
        return false;
    }
    return true;
}

/* A page with much white space in it, made while it is sent. */
struct wide {
    struct buf body;
    size_t at;       /* bytes of the body that were given out */
    int64_t to_come; /* blanks, after the first byte */
};

static ssize_t wide_read(void *state, char *out, size_t max)
{
    struct wide *w = state;
    const char *from = w->body.data + w->at;
    size_t n = w->at == 0 ? w->body.len > 0 : w->body.len - w->at;
    if (w->at == 1 && w->to_come > 0) {
        n = (int64_t)max < w->to_come ? max : (size_t)w->to_come;
        memset(out, ' ', n);
        w->to_come -= (int64_t)n;
        return (ssize_t)n;
    }
    n = n < max ? n : max;
    memcpy(out, from, n);
    w->at += n;
    return (ssize_t)n;
}

static void wide_release(void *state)
{
    struct wide *w = state;
    buf_release(&w->body);
    free(w);
}

static void widen(int64_t blanks, struct web_answer *out)
{
    if (out->body.len == 0)
        return;
    struct wide *w = xcalloc(1, sizeof(*w));
    w->body = out->body;
    w->to_come = blanks;
    out->body = (struct buf)BUF_INIT(0);
    out->stream = (struct web_stream){ wide_read, wide_release, w, (int64_t)w->body.len + blanks };
}

static void garble(struct web_answer *out)
{
    buf_reset(&out->body);
    for (uint64_t i = 0; i < GARBAGE_BYTES; i++)
        buf_append_char(&out->body, (char)(history_mix(0x6a7ba6e, i) & 255));
}

static void gzip(struct web_answer *out)
{
    struct buf small = BUF_INIT(out->body.max);
    struct error err;
    if (compress_gzip(buf_bytes(&out->body), &small, &err)) {
        buf_release(&small);
        return;
    }
    buf_release(&out->body);
    out->body = small;
    pairs_add(&out->headers, "Content-Encoding", "gzip");
}

void spoil_after(const struct fault *fault, struct web_answer *out)
{
    if (fault->kind == FAULT_CUT) {
        out->end = WEB_CUT;
    } else if (fault->kind == FAULT_LOST) {
        out->end = WEB_RESET;
    } else if (fault->kind == FAULT_BADJSON) {
        out->body.len /= 2;
    } else if (fault->kind == FAULT_GARBAGE) {
        garble(out);
    } else if (fault->kind == FAULT_HUGE) {
        widen(fault->number, out);
    } else if (fault->kind == FAULT_GZIP) {
        gzip(out);
    } else if (fault->kind == FAULT_STATUS) {
        web_json(out, fault->status, "%s", fault->body ? fault->body : "");
    }
    add_headers(fault, out);
}
