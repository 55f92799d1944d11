/* pull.c -- the line itself: window → permit → request → reply → records → normalize → seen → batch
 * → send → verdict → commit. The only file that knows the order. */
#include "pull.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/timefmt.h"
#include "batch.h"
#include "export.h"
#include "fetch.h"
#include "limiter.h"
#include "refused.h"
#include "seen.h"
#include "window.h"

/* A cursor that never ends: no hour of logs has this many pages, and no platform so many empty
 * ones. */
#define PAGES_MAX       100000
#define EMPTY_PAGES_MAX 1000

/* One source on its way through the run. */
struct line {
    const struct pull *p;
    const struct source_config *source;
    struct fetch fetch;
    struct export *ex;
    struct batch batch;
    struct page page;
    struct refused refused;
    struct seen seen;
    struct source_state state;
    struct store_version version;
    struct run_counts counts;
    int64_t due_unix_ns;
    bool fresh; /* no run has begun before: there is nothing behind its beginning to read again */
    /* The window under way: the page being worked and how many prints stood before it. */
    struct span span;
    struct cursor at;
    size_t passed;
    uint64_t *cursors; /* of the window's pages, as fingerprints: none may come twice */
    size_t cursor_count, cursor_capacity;
};

/* Of which app a state is: the type and the settings that name where its records come from. */
static void identity_of(const struct source_config *source, char out[256])
{
    const struct source *type = source->stream.type;
    struct buf text = BUF_INIT(255);
    buf_append_text(&text, type->name);
    for (size_t i = 0; type->fields[i].name; i++) {
        if (type->fields[i].resource && source->stream.settings[i].text)
            buf_printf(&text, " %s", source->stream.settings[i].text);
    }
    memcpy(out, buf_text(&text), text.len + 1);
    buf_release(&text);
}

void pull_window_rules(const struct source_config *source, struct window_rules *out)
{
    *out = (struct window_rules){ .window_ns = source->window_ns,
                                  .overlap_ns = source->overlap_ns,
                                  .retention_ns = source->stream.type->limits.retention_ns };
}

static int save(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    struct source_state *st = &ln->state;
    if (p->dry_run || ln->refused.count > 0) /* refused and not settled: see flush() */
        return 0;
    seen_lend(&ln->seen, st);
    st->passed = ln->at.text.len > 0 ? ln->passed : 0; /* from its first page: all of it again */
    st->window_start_unix_ns = ln->span.start_unix_ns;
    st->window_end_unix_ns = ln->span.end_unix_ns;
    buf_reset(&st->cursor);
    buf_append_bytes(&st->cursor, buf_bytes(&ln->at.text));
    int rc = state_save(p->store, ln->source->stream.name, st, &ln->version, err);
    seen_unlend(st);
    return rc;
}

static void go_to_first_page(struct line *ln)
{
    ln->at.more = true;
    buf_reset(&ln->at.text);
    ln->passed = 0;
    ln->cursor_count = 0;
}

/* The window must be read from its beginning again, by this run or the next: what was sent of it
 * counts against what comes. */
static void begin_anew(struct line *ln)
{
    seen_rewind(&ln->seen, 0, ln->span.end_unix_ns);
    go_to_first_page(ln);
}

static int print_batch(struct line *ln, struct error *err)
{
    struct buf unused = BUF_INIT(0);
    struct bytes body = batch_body(&ln->batch, 0, ln->batch.count, &unused);
    flockfile(stdout); /* a document a line, whole, whoever prints beside us */
    bool ok = fwrite(body.data, 1, body.len, stdout) == body.len && putchar('\n') != EOF &&
              fflush(stdout) == 0;
    funlockfile(stdout);
    ln->counts.exported += (int64_t)ln->batch.count;
    batch_reset(&ln->batch);
    return ok ? 0 : error_set(err, ERR_STATE, "stdout cannot be written");
}

/* Records refused one by one: once something was accepted in this run it is their own fault, and
 * they are settled; until then it may be the collector's, and nothing is. */
static int settle_refused(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    size_t count = ln->refused.count;
    if (count == 0 || !atomic_load(ln->ex->accepted))
        return 0;
    bool keep = p->config->dead_letter == DEAD_LETTER_KEEP;
    diag_say(p->diag, DIAG_WARN,
             "source %s: the collector refuses %zu record%s even alone (%d): %s",
             ln->source->stream.name, count, count > 1 ? "s" : "", ln->refused.items[0].status,
             keep ? "kept as dead letters" : "dropped");
    if (keep &&
        refused_keep(&ln->refused, p->store, ln->source->stream.name, clock_unix_ns(p->clk), err))
        return -1;
    ln->counts.rejected += (int64_t)count;
    refused_reset(&ln->refused);
    return 0;
}

/* Some of the batch went through and some did not: only what did is remembered, and the next run
 * reads the window anew. */
static void keep_what_went(struct line *ln, struct error *err)
{
    struct error second = { 0 };
    size_t open = 0;
    for (size_t i = 0; i < ln->batch.count; i++) {
        if (ln->batch.items[i].fate != FATE_OPEN)
            continue;
        seen_forget(&ln->seen, ln->batch.items[i].print);
        open++;
    }
    if (open == ln->batch.count) /* the last save still says how things stand */
        return;
    begin_anew(ln);
    if (settle_refused(ln, &second) || save(ln, &second))
        *err = second;
}

/* Add what a batch's requests came to; what the collector rejected by name is gone, and is said. */
static void count_batch(struct line *ln, const struct export_counts *before)
{
    const struct export_counts *after = &ln->ex->counts;
    int64_t rejected = after->rejected - before->rejected;
    ln->counts.exported += after->accepted - before->accepted;
    ln->counts.rejected += rejected;
    ln->counts.bytes += after->bytes - before->bytes;
    if (rejected > 0)
        diag_say(ln->p->diag, DIAG_WARN,
                 "source %s: the collector rejected %lld record%s of a batch (partial success)",
                 ln->source->stream.name, (long long)rejected, rejected > 1 ? "s" : "");
}

/* Send the batch, if there is one; the caller notes where to go on. */
static int send_batch(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    struct export_counts before = ln->ex->counts;
    if (ln->batch.count == 0)
        return 0;
    if (p->dry_run)
        return print_batch(ln, err);
    int rc = export_batch(ln->ex, &ln->batch, p->deadline_mono_ns, err);
    count_batch(ln, &before);
    refused_take(&ln->refused, &ln->batch, ln->ex);
    if (rc) {
        keep_what_went(ln, err);
        return -1;
    }
    batch_reset(&ln->batch);
    return settle_refused(ln, err);
}

/* Send the batch, and note where to go on. */
static int flush(struct line *ln, struct error *err)
{
    return send_batch(ln, err) || save(ln, err) ? -1 : 0;
}

/* Whether a later window may return this record again: one near the end of the window or outside of
 * it, by whatever time the platform filters, as long as it sends no record later than `overlap`
 * covers. */
static bool is_near_end(const struct line *ln, const struct otlp_record *record)
{
    const struct source_config *source = ln->source;
    uint64_t unix_ns;
    if (!otlp_record_time(record, OTLP_TIME, &unix_ns) || unix_ns > INT64_MAX)
        return true;
    int64_t reach_ns = 2 * source->overlap_ns + source->lag_ns + WINDOW_EDGE_NS;
    return (int64_t)unix_ns < ln->span.start_unix_ns ||
           (int64_t)unix_ns >= ln->span.end_unix_ns - reach_ns;
}

/* Bring the page's records into the batch; send it whenever it is full. */
static int batch_page(struct line *ln, struct error *err)
{
    const struct source_config *source = ln->source;
    char observed[24];
    int len = snprintf(observed, sizeof(observed), "%lld", (long long)clock_unix_ns(ln->p->clk));
    struct otlp_text observed_text = { observed, (size_t)len };
    for (size_t i = 0; i < ln->page.count; i++) {
        const struct otlp_record *record = &ln->page.records[i];
        uint64_t print = XXH3_64bits(record->text, record->len);
        if (!batch_add(&ln->batch, record, print, source->normalize, observed_text)) {
            if (flush(ln, err)) /* before the record counts as read: what is saved is delivered */
                return -1;
            batch_add(&ln->batch, record, print, source->normalize, observed_text);
        }
        if (!seen_admit(&ln->seen, print, is_near_end(ln, record))) {
            batch_drop_last(&ln->batch);
            ln->counts.duplicates++;
        }
    }
    return 0;
}

/* Note the cursor that `at` holds; false: it came before in this window. */
static bool note_cursor(struct line *ln)
{
    uint64_t print = XXH3_64bits(buf_text(&ln->at.text), ln->at.text.len);
    for (size_t i = 0; i < ln->cursor_count; i++) {
        if (ln->cursors[i] == print)
            return false;
    }
    if (ln->cursor_count == ln->cursor_capacity) {
        ln->cursor_capacity = ln->cursor_capacity ? 2 * ln->cursor_capacity : 64;
        ln->cursors = xreallocarray(ln->cursors, ln->cursor_capacity, sizeof(*ln->cursors));
    }
    ln->cursors[ln->cursor_count++] = print;
    return true;
}

/* Go on to the page that this one names. After an error the window must be read from its first
 * page: that is then where `at` is. */
static int advance(struct line *ln, struct error *err)
{
    const struct cursor *next = &ln->page.next;
    size_t pages = ln->cursor_count + 1;
    ln->at.more = next->more;
    ln->passed = ln->seen.current_count;
    buf_reset(&ln->at.text);
    if (!next->more)
        return 0;
    buf_append_bytes(&ln->at.text, buf_bytes(&next->text));
    if (pages < PAGES_MAX && note_cursor(ln))
        return 0;
    buf_reset(&ln->at.text);
    if (pages == PAGES_MAX)
        return error_set(err, ERR_PLATFORM, "one window has more than %zu pages", pages);
    return error_set(err, ERR_PLATFORM,
                     "its pages go round in a circle: a cursor came a second time after %zu pages",
                     pages);
}

/* Drain the window's pages, from where `at` is. A cursor that the platform refuses costs one
 * reading of the window from its beginning. `*reading`: an error is the platform's, and what was
 * read before it still waits in the batch; else it is the collector's or the state's. */
static int read_pages(struct line *ln, bool *reading, struct error *err)
{
    bool begun_anew = false;
    int empty = 0;
    do {
        struct error why = { 0 };
        *reading = true;
        if (fetch_page(&ln->fetch, &ln->span, &ln->at, &ln->page, ln->p->fetch_until_mono_ns,
                       &why)) {
            if (why.kind == ERR_INPUT && !begun_anew) {
                begun_anew = true;
                *reading = false;
                if (flush(ln, err))
                    return -1;
                begin_anew(ln);
                continue;
            }
            *err = why;
            if (err->kind == ERR_INPUT)
                err->kind = ERR_PLATFORM;
            return -1;
        }
        empty = ln->page.count ? 0 : empty + 1;
        if (empty > EMPTY_PAGES_MAX)
            return error_set(err, ERR_PLATFORM, "%d empty pages in a row, and a cursor with each",
                             empty);
        *reading = false;
        if (batch_page(ln, err))
            return -1;
        *reading = true;
        if (advance(ln, err))
            return -1;
    } while (ln->at.more);
    return 0;
}

/* When reading ended in this error, what was read until then is still good: delivered and noted, so
 * that the next run goes on from there. Not where a signal leaves no time, or the state has failed.
 */
static bool may_deliver_after(enum error_kind kind)
{
    return kind == ERR_PLATFORM || kind == ERR_DEADLINE || kind == ERR_AUTH || kind == ERR_CONFIG;
}

/* One window, from its first page, or where an earlier run left it, to its commit. */
static int pull_window(struct line *ln, struct error *err)
{
    struct window_rules rules;
    bool reading;
    if (read_pages(ln, &reading, err)) {
        struct error second = { 0 };
        if (reading && may_deliver_after(err->kind) && flush(ln, &second))
            *err = second;
        return -1;
    }
    if (send_batch(ln, err)) /* the collector has it all ... */
        return -1;
    pull_window_rules(ln->source, &rules);
    seen_settle(&ln->seen, ln->span.end_unix_ns,
                time_add(ln->span.end_unix_ns, -rules.overlap_ns - WINDOW_EDGE_NS));
    ln->state.checkpoint_unix_ns = ln->span.end_unix_ns;
    ln->state.unfinished = false;
    ln->counts.windows++;
    go_to_first_page(ln);
    return save(ln, err); /* ... only now may the checkpoint move */
}

/* Take up the window that an earlier run left, if it can still be asked for. */
static bool resume_window(struct line *ln)
{
    struct error ignored;
    struct source_state *st = &ln->state;
    struct window_rules rules;
    uint64_t query;
    if (!st->unfinished)
        return false;
    ln->span = (struct span){ st->window_start_unix_ns, st->window_end_unix_ns };
    buf_append_bytes(&ln->at.text, buf_bytes(&st->cursor));
    seen_rewind(&ln->seen, st->passed, ln->span.end_unix_ns);
    ln->passed = st->passed;
    pull_window_rules(ln->source, &rules);
    int64_t now = clock_unix_ns(ln->p->clk);
    if (window_kept(&ln->span, now, &rules) &&
        fetch_query(&ln->fetch, &ln->span, &query, &ignored) == 0 && query == st->query)
        return ln->at.text.len == 0 || note_cursor(ln);
    begin_anew(ln); /* other filters now, or too old: its windows are cut anew */
    return false;
}

static void report_gap(struct line *ln, const struct span *lost)
{
    char from[TIMEFMT_MAX], to[TIMEFMT_MAX];
    timefmt_rfc3339(lost->start_unix_ns, 3, from);
    timefmt_rfc3339(lost->end_unix_ns, 3, to);
    state_add_gap(&ln->state, lost->start_unix_ns, lost->end_unix_ns);
    ln->state.checkpoint_unix_ns = lost->end_unix_ns;
    diag_say(ln->p->diag, DIAG_WARN,
             "source %s: the platform no longer has %s to %s: that span is lost",
             ln->source->stream.name, from, to);
}

static int pull_windows(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    struct window_rules rules;
    struct span lost;
    bool first = !ln->fresh;
    pull_window_rules(ln->source, &rules);
    bool resumed = resume_window(ln);
    for (;;) {
        if (!resumed && !window_next(&ln->span, &lost, ln->state.checkpoint_unix_ns,
                                     ln->due_unix_ns, first, clock_unix_ns(p->clk), &rules))
            return 0;
        if (!resumed && lost.end_unix_ns > lost.start_unix_ns)
            report_gap(ln, &lost);
        if (fetch_query(&ln->fetch, &ln->span, &ln->state.query, err))
            return -1;
        ln->state.unfinished = true;
        if (pull_window(ln, err))
            return -1;
        first = resumed;
        resumed = false;
    }
}

static int open_state(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    const struct source_config *source = ln->source;
    struct source_state *st = &ln->state;
    struct window_rules rules;
    char identity[256];
    if (state_load(p->store, source->stream.name, st, &ln->version, err))
        return -1;
    identity_of(source, identity);
    if (st->identity[0] && strcmp(st->identity, identity) != 0)
        return error_set(
            err, ERR_CONFIG,
            "its state is that of \"%s\", not of \"%s\": give this source a name of its "
            "own, or remove its state",
            st->identity, identity);
    memcpy(st->identity, identity, sizeof(identity));
    int64_t now = clock_unix_ns(p->clk);
    pull_window_rules(source, &rules);
    ln->due_unix_ns = window_due(now, source->lag_ns);
    ln->fresh = !st->started;
    if (ln->fresh) {
        st->started = true;
        st->checkpoint_unix_ns = window_begin(now, source->lookback_ns, &rules);
    }
    /* Before any call, so that a full or read-only disk is found before anything is sent. */
    if (!p->dry_run && state_save(p->store, source->stream.name, st, &ln->version, err))
        return -1;
    seen_take(&ln->seen, st);
    return 0;
}

static void close_state(struct line *ln, int64_t started_unix_ns, int exit_code, struct error *err)
{
    const struct pull *p = ln->p;
    struct source_state last = SOURCE_STATE_INIT;
    struct error second = { 0 };
    ln->counts.calls = ln->fetch.calls;
    if (p->dry_run || ln->version.parts[2] == 0)
        return;
    /* What the last save wrote, and this run's figures: the line's own state may be ahead of it. */
    if (state_load(p->store, ln->source->stream.name, &last, &ln->version, &second) == 0) {
        last.last_run = (struct run_record){ started_unix_ns, clock_unix_ns(p->clk), exit_code,
                                             ln->counts };
        state_save(p->store, ln->source->stream.name, &last, &ln->version, &second);
    }
    state_release(&last);
    if (second.kind && !err->kind)
        *err = second;
}

/* From the source's state to its state. */
static int pull_line(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    struct store_lock *lock = NULL;
    char name[128];
    int64_t started_unix_ns = clock_unix_ns(p->clk);
    state_file_name(ln->source->stream.name, "lock", name);
    if (!p->dry_run && p->store->lock(p->store, name, 0, &lock, err))
        return -1;
    int rc = open_state(ln, err);
    if (rc == 0) {
        batch_init(&ln->batch, ln->source, &p->config->exporter);
        rc = pull_windows(ln, err);
        if (rc == 0 && ln->refused.count > 0) /* another source may have been heard since */
            rc = settle_refused(ln, err) || save(ln, err) ? -1 : 0;
        if (rc == 0 && ln->refused.count > 0)
            rc = error_set(err, ERR_COLLECTOR,
                           "the collector refuses all that it was sent (%d): %zu records one by "
                           "one, and it accepted none: see its own log",
                           ln->refused.items[0].status, ln->refused.count);
        close_state(ln, started_unix_ns, rc ? error_exit_code(err->kind) : 0, err);
        rc = err->kind ? -1 : 0;
    }
    p->store->unlock(p->store, lock);
    return rc;
}

int pull_source(const struct pull *p, const struct source_config *source, struct limiter *limiter,
                struct export *ex, struct pull_result *out, struct error *err)
{
    struct http_options http = { .peer = &source->peer, .clk = p->clk };
    struct http *api = http_create(&http);
    struct line ln = { .p = p,
                       .source = source,
                       .ex = ex,
                       .page = PAGE_INIT,
                       .state = SOURCE_STATE_INIT,
                       .at = { .text = BUF_INIT(CURSOR_MAX) } };
    int64_t retries_before = ex->counts.retries;
    fetch_init(&ln.fetch, source, limiter, api, p->clk);
    int rc = pull_line(&ln, err);
    int64_t backlog_ns = ln.due_unix_ns - ln.state.checkpoint_unix_ns;
    *out = (struct pull_result){
        .counts = ln.counts, .retries = ln.fetch.retries + ex->counts.retries - retries_before
    };
    if (ln.state.started && backlog_ns > 0)
        out->backlog_ns = backlog_ns;
    fetch_release(&ln.fetch);
    http_destroy(api);
    batch_release(&ln.batch);
    page_release(&ln.page);
    refused_release(&ln.refused);
    seen_release(&ln.seen);
    state_release(&ln.state);
    buf_release(&ln.at.text);
    free(ln.cursors);
    return rc;
}
