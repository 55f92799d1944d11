/* pull.c -- one source: which windows, from its state to its state. */
#include "pull.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "base/timefmt.h"
#include "batch.h"
#include "due.h"
#include "export.h"
#include "fetch.h"
#include "limiter.h"
#include "line.h"
#include "window.h"

void pull_window_rules(const struct source_config *source, struct window_rules *out)
{
    *out = (struct window_rules){ .window_ns = source->window_ns,
                                  .overlap_ns = source->overlap_ns,
                                  .retention_ns = source->stream.type->limits.retention_ns };
}

/* A source that nothing was asked of yet begins `lookback` before now. */
static void begin_source(struct line *ln)
{
    struct window_rules rules;
    pull_window_rules(ln->source, &rules);
    ln->state.started = true;
    ln->state.checkpoint_unix_ns = window_begin(due_now(&ln->due), ln->source->lookback_ns, &rules);
}

/* Whether nothing of the source was read to its end so far, as the state has it. */
static bool is_unread(const struct line *ln)
{
    const struct source_state *st = &ln->state;
    return st->windows == 0 && ln->seen.older_count == 0 && ln->seen.current_count == 0;
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
    bool is_far = due_is_far_before(due, st->checkpoint_unix_ns);
    if (is_far && !is_unread(ln)) {
        timefmt_rfc3339(st->checkpoint_unix_ns, 3, at);
        diag_say(
            ln->p->diag, DIAG_WARN,
            "source %s: its checkpoint %s lies in the future, where a run on a wrong clock has "
            "left it: moved back to what is due now",
            ln->source->stream.name, at);
        st->checkpoint_unix_ns = due->until_unix_ns - WINDOW_EDGE_NS; /* there is a window then */
    } else if (is_far || (ln->fresh && due->corrected)) {
        begin_source(ln); /* it began by the wrong clock */
    }
    return was_far || due->corrected || due_is_far_before(due, ln->span.end_unix_ns);
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
                                 .tails = ln->source->stream.type->tails,
                                 .resumed = resumed,
                                 .resumed_at = &ln->at };
    pull_window_rules(ln->source, &start.rules);
    if (ln->wide)
        start.rules.overlap_ns = line_wide_ns(ln);
    ahead_begin(ln->ahead, &start);
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
    buf_reset(&ln->at.text);
    buf_append_bytes(&ln->at.text, buf_bytes(&st->cursor));
    seen_rewind(&ln->seen, st->passed, line_reach_ns(ln));
    ln->passed = st->passed;
    pull_window_rules(ln->source, &rules);
    int64_t now = clock_unix_ns(ln->p->clk);
    if (window_kept(&ln->span, now, &rules) &&
        fetch_query(ln->source, &ln->span, &query, &ignored) == 0 && query == st->query)
        return ln->at.text.len == 0 || trail_add(&ln->trail, buf_bytes(&ln->at.text));
    line_begin_anew(ln); /* other filters now, or too old: its windows are cut anew */
    return false;
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

/* By another clock than before. A window that was taken up stays what it is, unless it ends in the
 * platform's future. The checkpoint may have been set right: that is noted at once. */
static int cut_anew(struct line *ln, bool *resumed, struct error *err)
{
    if (*resumed && ln->span.end_unix_ns > ln->due.until_unix_ns) {
        line_begin_anew(ln);
        ln->state.unfinished = false;
        *resumed = false;
    }
    cut_windows(ln, *resumed ? &ln->span : NULL);
    return line_save(ln, err);
}

static int pull_windows(struct line *ln, struct error *err)
{
    struct span lost;
    bool anew = false, resumed = resume_window(ln) || resume_far_checkpoint(ln);
    cut_windows(ln, resumed ? &ln->span : NULL);
    while (ahead_window(ln->ahead, buf_bytes(&ln->state.place), &ln->span, &lost)) {
        if (!ln->due.compared) {
            ahead_wait(ln->ahead);
            if (compare_clocks(ln)) {
                if (cut_anew(ln, &resumed, err))
                    return -1;
                continue;
            }
        }
        if (lost.end_unix_ns > lost.start_unix_ns) {
            line_say_lost(ln, &lost);
            ln->state.checkpoint_unix_ns = lost.end_unix_ns;
        }
        if (fetch_query(ln->source, &ln->span, &ln->state.query, err))
            return -1;
        ln->state.unfinished = true;
        if (line_window(ln, &anew, err))
            return -1;
        resumed = false;
        if (anew)
            cut_windows(ln, NULL);
        anew = false;
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

/* Whether a state is of another app; one of which nothing was ever read is of none: whoever mends a
 * wrong name begins anew. */
static int check_identity(struct line *ln, const char *identity, struct error *err)
{
    struct source_state *st = &ln->state;
    char name[128];
    if (!st->identity[0] || strcmp(st->identity, identity) == 0)
        return 0;
    if (st->windows == 0 && st->older_count == 0 && st->window_prints.count == 0) {
        diag_say(ln->p->diag, DIAG_INFO, "source %s: is of another app now, begins anew",
                 ln->source->stream.name);
        state_release(st);
        return 0;
    }
    state_file_name(ln->source->stream.name, "json", name);
    return error_set(err, ERR_CONFIG,
                     "its state is that of \"%s\", not of \"%s\": give this source a name of its "
                     "own, or remove %s/%s",
                     st->identity, identity, ln->p->store->where, name);
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
    if (check_identity(ln, identity, err))
        return -1;
    memcpy(st->identity, identity, sizeof(identity));
    due_init(&ln->due, p->clk, source->lag_ns);
    ln->fresh = !st->started;
    if (ln->fresh)
        begin_source(ln);
    /* Before any call, so that a full or read-only disk is found before anything is sent. */
    if (!p->dry_run && state_save(p->store, source->stream.name, st, &ln->version, err))
        return -1;
    seen_take(&ln->seen, st);
    line_first_page(ln);
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
            rc = line_settle_refused(ln, err) || line_save(ln, err) ? -1 : 0;
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
