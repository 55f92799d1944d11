#include "stats.h"

#include <string.h>

#include "fetch.h"
#include "limiter.h"
#include "net/http.h"

/* One call, as a page of the type that the counts are. */
static int call(struct app *app, struct limiter *limiter, const struct source_config *source,
                struct buf *out, struct error *err)
{
    struct http_options options = { .peer = &source->peer, .clk = &app->clk };
    struct span none = { 0, 0 };
    struct cursor first = { .text = BUF_INIT(CURSOR_MAX) };
    struct page page = PAGE_INIT;
    struct session session;
    struct fetch fetch;
    session_init(&session);
    struct http *http = http_create(&options);
    fetch_init(&fetch, source, &session, limiter, http, &app->clk);
    int rc = fetch_page(&fetch, &none, &first, &page, TIME_FOREVER, err);
    if (rc == 0)
        buf_append_bytes(out, buf_bytes(&page.text));
    else if (err->kind == ERR_INPUT)
        err->kind = ERR_PLATFORM; /* there is nothing to begin anew */
    if (rc == 0 && out->full)
        rc = error_set(err, ERR_PLATFORM, "over %zu bytes of them", out->max);
    fetch_release(&fetch);
    http_destroy(http);
    session_release(&session);
    page_release(&page);
    return rc;
}

int stats_ask(struct app *app, struct store *store, const struct source_config *source,
              struct buf *out, struct error *err)
{
    struct source_config asked = *source;
    struct error second = { 0 };
    asked.stream.type = source->stream.type->stats;
    if (!asked.stream.type)
        return 0;
    struct limiter *limiter = limiter_create(store, &app->clk, source->budget_key,
                                             source->rate.calls, source->rate.period_ns);
    int rc = call(app, limiter, &asked, out, err);
    if (limiter_close(limiter, &second) && rc == 0 && second.kind != ERR_STOPPED) {
        *err = second;
        rc = -1;
    }
    return rc ? error_within(err, "source %s: its counts", source->stream.name) : 0;
}

/* Names as they stand in JSON: nothing in them can speak to a terminal. */
static void write_counts(struct otlp_text counts, struct buf *out)
{
    struct otlp_scan s;
    struct otlp_text key, value;
    const char *comma = "";
    otlp_scan_init(&s, counts.data, counts.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value)) {
        buf_append_text(out, comma);
        buf_append(out, key.data, key.len);
        buf_append_char(out, ' ');
        buf_append(out, value.data, value.len);
        comma = ", ";
    }
}

void stats_write_text(struct bytes counts, struct buf *out)
{
    struct otlp_scan s;
    struct otlp_text key, value;
    const char *head = "  platform    ";
    if (counts.len == 0) {
        buf_append_text(out, "  platform    tells no counts of its own\n");
        return;
    }
    otlp_scan_init(&s, counts.data, counts.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value)) {
        buf_append_text(out, head);
        for (size_t i = 0; i < key.len; i++)
            buf_append_char(out, key.data[i] == '_' ? ' ' : key.data[i]);
        buf_append_text(out, value.data[0] == '{' ? ": " : " ");
        if (value.data[0] == '{')
            write_counts(value, out);
        else
            buf_append(out, value.data, value.len);
        buf_append_char(out, '\n');
        head = "              ";
    }
}
