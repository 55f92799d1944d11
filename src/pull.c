/* pull.c -- the line itself: window → permit → request → reply → records → normalize → seen → batch
 * → send → verdict → commit. The only file that knows the order. */
#include "pull.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ahead.h"
#include "base/timefmt.h"
#include "batch.h"
#include "due.h"
#include "export.h"
#include "fetch.h"
#include "limiter.h"
#include "refused.h"
#include "seen.h"
#include "trail.h"
#include "window.h"

/* A cursor that never ends: no hour of logs has this many pages, and no platform so many empty
 * ones. */
#define PAGES_MAX       100000
#define EMPTY_PAGES_MAX 1000
/* One source on its way through the run. */
struct line {
    const struct pull *p;
    const struct source_config *source;
    struct ahead *ahead;
    struct export *ex;
    struct batch batch;
    struct refused refused;
    struct seen seen;
    struct source_state state;
    struct store_version version;
    struct run_counts counts;
    int64_t retries;
    struct due due;
    bool fresh; /* no run has begun before: there is nothing behind its beginning to read again */
    bool wide;  /* every window begins `overlap` behind the checkpoint: see is_doubtful() */
    /* The window under way: the page being worked and how many prints stood before it. */
    struct span span;
    struct cursor at;
    size_t passed;
    struct trail trail;
};

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

/* A source that nothing was asked of yet begins `lookback` before now. */
static void begin_source(struct line *ln)
{
    struct window_rules rules;
    pull_window_rules(ln->source, &rules);
    ln->state.started = true;
    ln->state.checkpoint_unix_ns = window_begin(due_now(&ln->due), ln->source->lookback_ns, &rules);
}

static void go_to_first_page(struct line *ln)
{
    ln->at.more = true;
    buf_reset(&ln->at.text);
    ln->passed = 0;
    trail_reset(&ln->trail);
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
    ln->counts.exported += (int64_t)ln->batch.count;
    bool ok = batch_print(&ln->batch, stdout);
    batch_reset(&ln->batch);
    return ok ? 0 : error_set(err, ERR_STATE, "stdout cannot be written");
}

/* Records refused one by one: once something was accepted in this run it is their own fault, and
 * they are settled; until then it may be the collector's, and nothing is. */
static int settle_refused(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    bool keep = p->config->dead_letter == DEAD_LETTER_KEEP;
    if (ln->refused.count == 0 || !atomic_load(ln->ex->accepted))
        return 0;
    refused_say(&ln->refused, ln->source->stream.name, keep, p->diag);
    if (keep &&
        refused_keep(&ln->refused, p->store, ln->source->stream.name, clock_unix_ns(p->clk), err))
        return -1;
    ln->counts.rejected += (int64_t)ln->refused.count;
    refused_reset(&ln->refused);
    return 0;
}

/* Refused records that cannot be kept must be read again. False: some are of a window before, so
 * that what was last saved, from before them all, must stand. */
static bool forget_refused(struct line *ln)
{
    for (size_t i = 0; i < ln->refused.count; i++) {
        if (!seen_forget(&ln->seen, ln->refused.items[i].print))
            return false;
    }
    refused_reset(&ln->refused);
    return true;
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
    if (err->kind != ERR_STATE && settle_refused(ln, &second))
        *err = second;
    if (err->kind == ERR_STATE && !forget_refused(ln))
        return;
    begin_anew(ln);
    if (save(ln, &second))
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
    if (rc || settle_refused(ln, err)) {
        keep_what_went(ln, err);
        return -1;
    }
    batch_reset(&ln->batch);
    return 0;
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

/* What reading a window, or a page of it, came to. */
enum reading {
    READ_ALL,    /* it was, to its end */
    READ_ANEW,   /* the windows must be cut anew: this one is not the right one to ask for */
    READ_ENDED,  /* by the platform's error: what was read before it still waits in the batch */
    READ_FAILED, /* by the collector's error or the state's */
};

/* A record that was met among those sent, although its own time lies before this window and the
 * one before may have held it anywhere: the platform filters by when it arrived, and this may as
 * well be the twin of the one that was sent. Only a window that reaches back by `overlap` tells: it
 * returns both. */
static bool is_doubtful(const struct line *ln, const struct otlp_record *record)
{
    uint64_t unix_ns;
    int64_t wide_ns = time_add(ln->state.checkpoint_unix_ns, -ln->source->overlap_ns);
    return !ln->wide && ln->span.start_unix_ns > wide_ns &&
           otlp_record_time(record, OTLP_TIME, &unix_ns) && unix_ns <= INT64_MAX &&
           (int64_t)unix_ns < ln->span.start_unix_ns;
}

/* Bring the page's records into the batch; send it whenever it is full. */
static enum reading batch_page(struct line *ln, const struct page *page, struct error *err)
{
    const struct source_config *source = ln->source;
    char observed[24];
    int len = snprintf(observed, sizeof(observed), "%lld", (long long)clock_unix_ns(ln->p->clk));
    struct otlp_text observed_text = { observed, (size_t)len };
    for (size_t i = 0; i < page->count; i++) {
        const struct otlp_record *record = &page->records[i];
        uint64_t print = XXH3_64bits(record->text, record->len);
        if (!batch_add(&ln->batch, record, print, source->normalize, observed_text)) {
            if (flush(ln, err)) /* before the record counts as read: what is saved is delivered */
                return READ_FAILED;
            batch_add(&ln->batch, record, print, source->normalize, observed_text);
        }
        if (seen_admit(&ln->seen, print, is_near_end(ln, record)))
            continue;
        batch_drop_last(&ln->batch);
        if (is_doubtful(ln, record)) {
            ln->wide = true;
            return READ_ANEW;
        }
        ln->counts.duplicates++;
    }
    return READ_ALL;
}

/* Go on to the page that this one names. After an error the window must be read from its first
 * page: that is then where `at` is. */
static int advance(struct line *ln, const struct cursor *next, struct error *err)
{
    size_t pages = ln->trail.count + 1;
    ln->at.more = next->more;
    ln->passed = ln->seen.current_count;
    buf_reset(&ln->at.text);
    if (!next->more)
        return 0;
    buf_append_bytes(&ln->at.text, buf_bytes(&next->text));
    if (pages < PAGES_MAX && trail_add(&ln->trail, buf_bytes(&ln->at.text)))
        return 0;
    buf_reset(&ln->at.text);
    if (pages == PAGES_MAX)
        return error_set(err, ERR_PLATFORM, "one window has more than %zu pages", pages);
    return error_set(err, ERR_PLATFORM,
                     "its pages go round in a circle: a cursor came a second time after %zu pages",
                     pages);
}

/* The first answer tells the platform's time. True: the windows must be cut anew by it. */
static bool compare_clocks(struct line *ln)
{
    struct due *due = &ln->due;
    struct source_state *st = &ln->state;
    char at[TIMEFMT_MAX];
    int64_t skew_ns;
    if (due->compared || !ahead_skew_ns(ln->ahead, &skew_ns))
        return false;
    bool was_far = due_is_far_before(due, st->checkpoint_unix_ns);
    due_compare(due, skew_ns, ln->p->diag, ln->source->stream.name);
    if (ln->fresh && due->skew_ns)
        begin_source(ln);
    if (due_is_far_before(due, st->checkpoint_unix_ns)) {
        timefmt_rfc3339(st->checkpoint_unix_ns, 3, at);
        diag_say(
            ln->p->diag, DIAG_WARN,
            "source %s: its checkpoint %s lies in the future, where a run on a wrong clock has "
            "left it: moved back to what is due now",
            ln->source->stream.name, at);
        st->checkpoint_unix_ns = due->until_unix_ns -
                                 WINDOW_EDGE_NS; /* so that there is a window */
    }
    return was_far || (due->skew_ns && (ln->fresh || ln->span.end_unix_ns > due->until_unix_ns));
}

/* The platform refuses the cursor: the window's pages from its first again. */
static enum reading read_again(struct line *ln, struct error *err)
{
    if (flush(ln, err))
        return READ_FAILED;
    begin_anew(ln);
    ahead_again(ln->ahead);
    return READ_ALL;
}

static enum reading no_page(struct line *ln, const struct error *why, bool *again,
                            struct error *err)
{
    if (why->kind == ERR_INPUT && !*again) {
        *again = true;
        return read_again(ln, err);
    }
    *err = *why;
    if (err->kind == ERR_INPUT)
        err->kind = ERR_PLATFORM;
    return READ_ENDED;
}

static enum reading work_page(struct line *ln, const struct page *page, int *empty,
                              struct error *err)
{
    enum reading rc = batch_page(ln, page, err);
    if (rc != READ_ALL)
        return rc;
    *empty = page->count ? 0 : *empty + 1;
    if (*empty > EMPTY_PAGES_MAX) {
        error_set(err, ERR_PLATFORM, "%d empty pages in a row, and a cursor with each", *empty);
        return READ_ENDED;
    }
    return advance(ln, &page->next, err) ? READ_ENDED : READ_ALL;
}

/* Drain the window's pages, from where `at` is. A cursor that the platform refuses costs one
 * reading of the window from its beginning. */
static enum reading read_pages(struct line *ln, struct error *err)
{
    enum reading rc;
    bool again = false;
    int empty = 0;
    do {
        struct error why = { 0 };
        const struct page *page = ahead_page(ln->ahead, &why);
        if (compare_clocks(ln))
            return READ_ANEW;
        rc = page ? work_page(ln, page, &empty, err) : no_page(ln, &why, &again, err);
    } while (rc == READ_ALL && ln->at.more);
    return rc;
}

/* When reading ended in this error, what was read until then is still good: delivered and noted, so
 * that the next run goes on from there. Not where a signal leaves no time, or the state has failed.
 */
static bool may_deliver_after(enum error_kind kind)
{
    return kind == ERR_PLATFORM || kind == ERR_DEADLINE || kind == ERR_AUTH || kind == ERR_CONFIG;
}

/* Windows are cut from the checkpoint on; `resumed`, if not NULL, is one that was begun. */
static void cut_windows(struct line *ln, const struct span *resumed)
{
    struct ahead_start start = { .checkpoint_unix_ns = ln->state.checkpoint_unix_ns,
                                 .due_unix_ns = ln->due.until_unix_ns,
                                 .unix_ns = due_now(&ln->due),
                                 .mono_ns = clock_mono_ns(ln->p->clk),
                                 .back = !ln->fresh || ln->wide,
                                 .always_back = ln->wide,
                                 .resumed = resumed,
                                 .resumed_at = &ln->at };
    pull_window_rules(ln->source, &start.rules);
    ahead_begin(ln->ahead, &start);
}

/* What was read of the window is delivered; and the windows are cut anew. */
static int leave_window(struct line *ln, struct error *err)
{
    if (send_batch(ln, err))
        return -1;
    begin_anew(ln);
    ln->state.unfinished = false;
    if (save(ln, err))
        return -1;
    cut_windows(ln, NULL);
    return 0;
}

/* One window, from its first page, or where an earlier run left it, to its commit. */
static int pull_window(struct line *ln, struct error *err)
{
    struct window_rules rules;
    struct error second = { 0 };
    switch (read_pages(ln, err)) {
    case READ_ENDED:
        if (may_deliver_after(err->kind) && flush(ln, &second))
            *err = second;
        return -1;
    case READ_FAILED:
        return -1;
    case READ_ANEW:
        return leave_window(ln, err);
    case READ_ALL:
        break;
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
        fetch_query(ln->source, &ln->span, &query, &ignored) == 0 && query == st->query)
        return ln->at.text.len == 0 || trail_add(&ln->trail, buf_bytes(&ln->at.text));
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

/* A checkpoint far ahead of what is due: either our clock is behind, or the checkpoint is wrong.
 * One call, for what lies just before it, tells by the platform's clock. */
static bool resume_far_checkpoint(struct line *ln)
{
    if (!due_is_far_before(&ln->due, ln->state.checkpoint_unix_ns))
        return false;
    int64_t back_ns = ln->source->overlap_ns > WINDOW_EDGE_NS ? ln->source->overlap_ns
                                                              : WINDOW_EDGE_NS;
    int64_t end = ln->state.checkpoint_unix_ns;
    ln->span = (struct span){ end - back_ns, end };
    return true;
}

static int pull_windows(struct line *ln, struct error *err)
{
    struct span lost;
    bool resumed = resume_window(ln) || resume_far_checkpoint(ln);
    cut_windows(ln, resumed ? &ln->span : NULL);
    while (ahead_window(ln->ahead, &ln->span, &lost)) {
        if (lost.end_unix_ns > lost.start_unix_ns)
            report_gap(ln, &lost);
        if (fetch_query(ln->source, &ln->span, &ln->state.query, err))
            return -1;
        ln->state.unfinished = true;
        if (pull_window(ln, err))
            return -1;
    }
    return 0;
}

/* With the pages asked for ahead. */
static int pull_ahead(struct line *ln, struct limiter *limiter, struct error *err)
{
    const struct pull *p = ln->p;
    ln->ahead = ahead_create(ln->source, limiter, p->clk, p->fetch_until_mono_ns, err);
    if (!ln->ahead)
        return -1;
    int rc = pull_windows(ln, err);
    ahead_end(ln->ahead, &ln->counts.calls, &ln->retries);
    return rc;
}

static int open_state(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    const struct source_config *source = ln->source;
    struct source_state *st = &ln->state;
    char identity[STREAM_IDENTITY_BYTES];
    if (state_load(p->store, source->stream.name, st, &ln->version, err))
        return -1;
    stream_identity(&source->stream, identity);
    if (st->identity[0] && strcmp(st->identity, identity) != 0)
        return error_set(
            err, ERR_CONFIG,
            "its state is that of \"%s\", not of \"%s\": give this source a name of its "
            "own, or remove its state",
            st->identity, identity);
    memcpy(st->identity, identity, sizeof(identity));
    due_init(&ln->due, p->clk, source->lag_ns);
    ln->fresh = !st->started;
    if (ln->fresh)
        begin_source(ln);
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
static int pull_line(struct line *ln, struct limiter *limiter, struct error *err)
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
        rc = pull_ahead(ln, limiter, err);
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
    struct line ln = { .p = p,
                       .source = source,
                       .ex = ex,
                       .state = SOURCE_STATE_INIT,
                       .at = { .text = BUF_INIT(CURSOR_MAX) } };
    int64_t retries_before = ex->counts.retries;
    int rc = pull_line(&ln, limiter, err);
    int64_t backlog_ns = ln.due.until_unix_ns - ln.state.checkpoint_unix_ns;
    *out = (struct pull_result){ .counts = ln.counts,
                                 .retries = ln.retries + ex->counts.retries - retries_before };
    if (ln.state.started && backlog_ns > 0)
        out->backlog_ns = backlog_ns;
    batch_release(&ln.batch);
    refused_release(&ln.refused);
    seen_release(&ln.seen);
    state_release(&ln.state);
    buf_release(&ln.at.text);
    trail_release(&ln.trail);
    return rc;
}
