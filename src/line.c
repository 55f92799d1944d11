#include "line.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/timefmt.h"
#include "window.h"

/* A cursor that never ends: no hour of logs has this many pages, and no platform so many empty
 * ones; but one that tails may have to pass over much to come to what is wanted. */
#define PAGES_MAX       100000
#define EMPTY_PAGES_MAX 1000

int line_save(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    struct source_state *st = &ln->state;
    if (p->dry_run || ln->refused.count > 0) /* refused and not settled: see flush() */
        return 0;
    seen_lend(&ln->seen, st);
    st->passed = ln->passed;
    st->window_start_unix_ns = ln->span.start_unix_ns;
    st->window_end_unix_ns = ln->span.end_unix_ns;
    buf_reset(&st->cursor);
    buf_append_bytes(&st->cursor, buf_bytes(&ln->at.text));
    int rc = state_save(p->store, ln->source->stream.name, st, &ln->version, err);
    seen_unlend(st);
    return rc;
}

void line_first_page(struct line *ln)
{
    ln->at.more = true;
    buf_reset(&ln->at.text);
    buf_append_bytes(&ln->at.text, buf_bytes(&ln->state.place));
    ln->passed = 0;
    trail_reset(&ln->trail);
}

int64_t line_reach_ns(const struct line *ln)
{
    int64_t now = due_now(&ln->due);
    return ln->source->stream.type->tails && now > ln->span.end_unix_ns ? now
                                                                        : ln->span.end_unix_ns;
}

void line_begin_anew(struct line *ln)
{
    seen_rewind(&ln->seen, 0, line_reach_ns(ln));
    line_first_page(ln);
}

static int print_batch(struct line *ln, struct error *err)
{
    ln->counts.exported += (int64_t)ln->batch.count;
    bool ok = batch_print(&ln->batch, stdout);
    batch_reset(&ln->batch);
    return ok ? 0 : error_set(err, ERR_STATE, "stdout cannot be written");
}

int line_settle_refused(struct line *ln, struct error *err)
{
    const struct pull *p = ln->p;
    bool keep = p->config->dead_letter == DEAD_LETTER_KEEP;
    if (ln->refused.count == 0 ||
        (!atomic_load(ln->ex->accepted) && !refused_all_unsent(&ln->refused)))
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
    if (err->kind != ERR_STATE && line_settle_refused(ln, &second))
        *err = second;
    if (err->kind == ERR_STATE && !forget_refused(ln))
        return;
    line_begin_anew(ln);
    if (line_save(ln, &second))
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
    if (rc || line_settle_refused(ln, err)) {
        keep_what_went(ln, err);
        return -1;
    }
    batch_reset(&ln->batch);
    return 0;
}

/* Send the batch, and note where to go on. */
static int flush(struct line *ln, struct error *err)
{
    return send_batch(ln, err) || line_save(ln, err) ? -1 : 0;
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

int64_t line_wide_ns(const struct line *ln)
{
    int64_t wide_ns = time_add(ln->source->overlap_ns, ln->source->lag_ns);
    int64_t most_ns = ln->source->window_ns / 4 * 3; /* each must still get on */
    return wide_ns < most_ns ? wide_ns : most_ns;
}

/* A record that was met among those sent, although its own time lies before this window and the
 * one before may have held it anywhere: the platform filters by when it arrived, and this may as
 * well be the twin of the one that was sent. Only a window that reaches back far enough tells: it
 * returns both. */
static bool is_doubtful(const struct line *ln, const struct otlp_record *record)
{
    uint64_t unix_ns;
    int64_t wide_unix_ns = time_add(ln->state.checkpoint_unix_ns, -line_wide_ns(ln));
    return !ln->wide && !ln->source->stream.type->tails && ln->span.start_unix_ns > wide_unix_ns &&
           otlp_record_time(record, OTLP_TIME, &unix_ns) && unix_ns <= INT64_MAX &&
           (int64_t)unix_ns < ln->span.start_unix_ns;
}

void line_say_lost(struct line *ln, const struct span *lost)
{
    char from[TIMEFMT_MAX], to[TIMEFMT_MAX];
    if (lost->end_unix_ns <= lost->start_unix_ns)
        return;
    timefmt_rfc3339(lost->start_unix_ns, 3, from);
    timefmt_rfc3339(lost->end_unix_ns, 3, to);
    state_add_gap(&ln->state, lost->start_unix_ns, lost->end_unix_ns);
    diag_say(ln->p->diag, DIAG_WARN,
             "source %s: the platform no longer has %s to %s: that span is lost",
             ln->source->stream.name, from, to);
}

/* Bring the page's records into the batch; send it whenever it is full. */
static enum reading batch_page(struct line *ln, const struct page *page, struct error *err)
{
    char observed[24];
    int len = snprintf(observed, sizeof(observed), "%lld", (long long)clock_unix_ns(ln->p->clk));
    struct otlp_text observed_text = { observed, (size_t)len };
    for (size_t i = 0; i < page->count; i++) {
        const struct otlp_record *record = &page->records[i];
        struct bytes resource = page_resource_of(page, i);
        uint64_t print = XXH3_64bits(record->text, record->len);
        struct bytes key = page_resource_key(page, i);
        if (key.len > 0)
            print = XXH3_64bits_withSeed(key.data, key.len, print);
        if (!batch_add(&ln->batch, record, resource, print, observed_text)) {
            if (flush(ln, err)) /* before the record counts as read: what is saved is delivered */
                return READ_FAILED;
            batch_add(&ln->batch, record, resource, print, observed_text);
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

/* Go on to the page that this one names; behind the last, to where the next window's first one is.
 * After an error the window must be read from its first page: that is then where `at` is. */
static int advance(struct line *ln, const struct cursor *next, struct error *err)
{
    size_t pages = ln->trail.count + 1;
    ln->at.more = next->more;
    ln->passed = ln->seen.current_count;
    buf_reset(&ln->at.text);
    buf_append_bytes(&ln->at.text, buf_bytes(&next->text));
    if (!next->more || (pages < PAGES_MAX && trail_add(&ln->trail, buf_bytes(&ln->at.text))))
        return 0;
    line_first_page(ln);
    if (pages == PAGES_MAX)
        return error_set(err, ERR_PLATFORM, "one window has more than %zu pages", pages);
    return error_set(err, ERR_PLATFORM,
                     "its pages go round in a circle: a cursor came a second time after %zu pages",
                     pages);
}

/* The platform refuses the cursor: the window's pages from its first again, by its time alone. */
static enum reading read_again(struct line *ln, struct error *err)
{
    if (flush(ln, err))
        return READ_FAILED;
    buf_reset(&ln->state.place);
    line_begin_anew(ln);
    ahead_again(ln->ahead);
    return READ_ALL;
}

/* The far end of what the platform keeps has come past the window's beginning while it waited for
 * its permit. */
static bool is_gone(const struct line *ln)
{
    struct window_rules rules;
    pull_window_rules(ln->source, &rules);
    return !window_kept(&ln->span, time_add(due_now(&ln->due), -WINDOW_MARGIN_NS), &rules);
}

static enum reading no_page(struct line *ln, const struct error *why, bool *again,
                            struct error *err)
{
    if (why->kind == ERR_INPUT && is_gone(ln))
        return READ_ANEW;
    /* With a cursor it is most likely that: expired, or of another version of the platform. */
    if (why->kind == ERR_INPUT && ln->at.text.len > 0 && !*again) {
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
    line_say_lost(ln, &page->lost);
    *empty = page->count || ln->source->stream.type->tails ? 0 : *empty + 1;
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

/* What was read of the window is delivered, and it is not: another will be asked for. */
static int leave_window(struct line *ln, struct error *err)
{
    if (send_batch(ln, err))
        return -1;
    line_begin_anew(ln);
    ln->state.unfinished = false;
    return line_save(ln, err);
}

/* One window, from its first page, or where an earlier run left it, to its commit. */
int line_window(struct line *ln, bool *anew, struct error *err)
{
    struct error second = { 0 };
    switch (read_pages(ln, err)) {
    case READ_ENDED:
        if (may_deliver_after(err->kind) && flush(ln, &second))
            *err = second;
        return -1;
    case READ_FAILED:
        return -1;
    case READ_ANEW:
        *anew = true;
        return leave_window(ln, err);
    case READ_ALL:
        break;
    }
    if (send_batch(ln, err)) /* the collector has it all ... */
        return -1;
    seen_settle(&ln->seen, line_reach_ns(ln),
                ln->span.end_unix_ns - ln->source->overlap_ns - ln->source->lag_ns -
                    WINDOW_EDGE_NS); /* whatever the window of the next run */
    ln->state.checkpoint_unix_ns = ln->span.end_unix_ns;
    ln->state.unfinished = false;
    ln->counts.windows++;
    ln->state.windows++;
    buf_reset(&ln->state.place);
    buf_append_bytes(&ln->state.place, buf_bytes(&ln->at.text));
    line_first_page(ln);
    return line_save(ln, err); /* ... only now may the checkpoint move */
}
