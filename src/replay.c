#include "replay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch.h"
#include "dead_letter.h"
#include "state/state.h"

/* What a letter has beside its record, at most: the collector's words, each byte escaped. */
#define FRAME_BYTES ((size_t)6 * REFUSAL_WORDS + 512)

/* One source's replay. The journal, as it now is, has three parts: what was kept of it, [0, place);
 * the lines of the batch; and what was not read yet. */
struct line {
    const struct replay *r;
    const struct source_config *source;
    struct dead_letters letters;
    struct batch batch;
    uint64_t place;
    uint64_t *ends; /* of the batch's lines, from the first one's beginning */
    size_t end_capacity;
    struct buf kept;
    struct replay_result result;
};

static int print_batch(struct line *ln, struct error *err)
{
    ln->result.sent += (int64_t)ln->batch.count;
    bool ok = batch_print(&ln->batch, stdout);
    batch_reset(&ln->batch);
    return ok ? 0 : error_set(err, ERR_STATE, "stdout cannot be written");
}

/* How many of the batch's records are answered for; what is open is its end. Those that were
 * refused are written to `kept`, as the new letters that they are. */
static size_t settle(struct line *ln)
{
    const struct export *ex = ln->r->ex;
    int64_t now = clock_unix_ns(ln->r->clk);
    size_t settled = 0;
    while (settled < ln->batch.count && ln->batch.items[settled].fate != FATE_OPEN)
        settled++;
    buf_reset(&ln->kept);
    ln->kept.max = ln->batch.text.max + ln->batch.count * FRAME_BYTES;
    for (size_t i = 0; i < ex->refusal_count; i++) {
        const struct refusal *refusal = &ex->refusals[i];
        assert(refusal->index < settled);
        dead_letter_write(&ln->kept, ln->source->stream.name, now, refusal->status, refusal->words,
                          batch_record(&ln->batch, refusal->index));
        ln->result.last_status = refusal->status;
    }
    assert(!ln->kept.full);
    ln->result.refused += (int64_t)ex->refusal_count;
    ln->result.sent += (int64_t)(settled - ex->refusal_count);
    return settled;
}

/* Send the batch, if there is one, and put what is kept of it in its place. */
static int flush(struct line *ln, struct error *err)
{
    const struct replay *r = ln->r;
    struct error second = { 0 };
    char name[128];
    if (ln->batch.count == 0)
        return 0;
    if (r->dry_run)
        return print_batch(ln, err);
    int rc = export_batch(r->ex, &ln->batch, TIME_FOREVER, err);
    size_t settled = settle(ln);
    if (settled > 0) {
        dead_letter_file_name(ln->source->stream.name, name);
        if (r->store->splice(r->store, name, ln->place, ln->place + ln->ends[settled - 1],
                             buf_bytes(&ln->kept), &second)) {
            *err = second;
            return -1;
        }
        ln->place += ln->kept.len;
        ln->letters.line -= settled - r->ex->refusal_count;
    }
    batch_reset(&ln->batch);
    return rc;
}

/* Mended as when it was kept, or by what the configuration says now. */
static bool add(struct line *ln, const struct letter *letter, size_t line_len)
{
    char observed[24];
    int len = snprintf(observed, sizeof(observed), "%lld", (long long)letter->unix_ns);
    size_t i = ln->batch.count;
    if (!batch_add(&ln->batch, &letter->record, 0, ln->source->normalize,
                   (struct otlp_text){ observed, (size_t)len }))
        return false;
    if (i == ln->end_capacity) {
        ln->end_capacity = i ? 2 * i : 256;
        ln->ends = xreallocarray(ln->ends, ln->end_capacity, sizeof(*ln->ends));
    }
    ln->ends[i] = (i ? ln->ends[i - 1] : 0) + line_len;
    return true;
}

/* Bring one line into the batch; send it where it is full, or ends because the line is no letter
 * and stays where it is. */
static int take_line(struct line *ln, struct bytes line, struct error *err)
{
    struct letter letter;
    const char *why = NULL;
    if (!dead_letters_read(&ln->letters, line, &letter, &why)) {
        if (flush(ln, err))
            return -1;
        dead_letters_note(&ln->letters, why);
        ln->place += line.len;
        return 0;
    }
    if (add(ln, &letter, line.len))
        return 0;
    if (flush(ln, err))
        return -1;
    add(ln, &letter, line.len);
    return 0;
}

static int replay_lines(struct line *ln, struct error *err)
{
    const struct replay *r = ln->r;
    const char *source = ln->source->stream.name;
    struct bytes line = { 0 };
    char name[128];
    /* So that a full or read-only disk is found before anything is sent. */
    dead_letter_file_name(source, name);
    if (!r->dry_run && r->store->splice(r->store, name, 0, 0, BYTES(""), err))
        return -1;
    if (dead_letters_open(&ln->letters, r->store, source, err))
        return -1;
    do {
        if (clock_stopped(r->clk))
            return error_set(err, ERR_STOPPED, "stopped");
        if (dead_letters_next(&ln->letters, &line, err))
            return -1;
        if (line.len > 0 && take_line(ln, line, err))
            return -1;
    } while (line.len > 0);
    return flush(ln, err);
}

static int hold_and_replay(struct line *ln, struct error *err)
{
    const struct replay *r = ln->r;
    struct store_lock *lock = NULL;
    char name[128];
    state_file_name(ln->source->stream.name, "lock", name);
    if (!r->dry_run && r->store->lock(r->store, name, 0, &lock, err))
        return -1;
    int rc = replay_lines(ln, err);
    r->store->unlock(r->store, lock);
    return rc;
}

int replay_source(const struct replay *r, const struct source_config *source,
                  struct replay_result *out, struct error *err)
{
    struct line ln = { .r = r, .source = source };
    uint64_t bytes = 0;
    int rc = dead_letters_size(r->store, source->stream.name, &bytes, err);
    ln.result.any = bytes > 0;
    if (bytes > 0) {
        batch_init(&ln.batch, source, &r->config->exporter);
        rc = hold_and_replay(&ln, err);
        dead_letters_damage(&ln.letters, &ln.result.damaged);
        dead_letters_close(&ln.letters);
        batch_release(&ln.batch);
    }
    *out = ln.result;
    buf_release(&ln.kept);
    free(ln.ends);
    return rc;
}
