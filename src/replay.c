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
struct journal {
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

static int print_batch(struct journal *jn, struct error *err)
{
    jn->result.sent += (int64_t)jn->batch.count;
    bool ok = batch_print(&jn->batch, stdout);
    batch_reset(&jn->batch);
    return ok ? 0 : error_set(err, ERR_STATE, "stdout cannot be written");
}

/* How many of the batch's records are answered for; what is open is its end. Those that were
 * refused are written to `kept`, as the new letters that they are. */
static size_t settle(struct journal *jn)
{
    const struct export *ex = jn->r->ex;
    int64_t now = clock_unix_ns(jn->r->clk);
    size_t settled = 0;
    while (settled < jn->batch.count && jn->batch.items[settled].fate != FATE_OPEN)
        settled++;
    buf_reset(&jn->kept);
    jn->kept.max = jn->ends[jn->batch.count - 1] + jn->batch.max_text +
                   jn->batch.count * FRAME_BYTES;
    for (size_t i = 0; i < ex->refusal_count; i++) {
        const struct refusal *refusal = &ex->refusals[i];
        assert(refusal->index < settled);
        dead_letter_write(&jn->kept, jn->source->stream.name, now, refusal->status, refusal->words,
                          batch_resource(&jn->batch, refusal->index),
                          batch_record(&jn->batch, refusal->index));
        jn->result.last_status = refusal->status;
    }
    assert(!jn->kept.full);
    jn->result.refused += (int64_t)ex->refusal_count;
    jn->result.sent += (int64_t)(settled - ex->refusal_count);
    return settled;
}

/* Send the batch, if there is one, and put what is kept of it in its place. */
static int flush(struct journal *jn, struct error *err)
{
    const struct replay *r = jn->r;
    struct error second = { 0 };
    char name[128];
    if (jn->batch.count == 0)
        return 0;
    if (r->dry_run)
        return print_batch(jn, err);
    int rc = export_batch(r->ex, &jn->batch, TIME_FOREVER, err);
    size_t settled = settle(jn);
    if (settled > 0) {
        dead_letter_file_name(jn->source->stream.name, name);
        if (r->store->splice(r->store, name, jn->place, jn->place + jn->ends[settled - 1],
                             buf_bytes(&jn->kept), &second)) {
            *err = second;
            return -1;
        }
        jn->place += jn->kept.len;
        jn->letters.line -= settled - r->ex->refusal_count;
    }
    batch_reset(&jn->batch);
    return rc;
}

/* Mended as when it was kept, or by what the configuration says now. */
static bool add(struct journal *jn, const struct letter *letter, size_t line_len)
{
    char observed[24];
    int len = snprintf(observed, sizeof(observed), "%lld", (long long)letter->unix_ns);
    size_t i = jn->batch.count;
    if (!batch_add(&jn->batch, &letter->record, letter->resource, 0,
                   (struct otlp_text){ observed, (size_t)len }))
        return false;
    if (i == jn->end_capacity) {
        jn->end_capacity = i ? 2 * i : 256;
        jn->ends = xreallocarray(jn->ends, jn->end_capacity, sizeof(*jn->ends));
    }
    jn->ends[i] = (i ? jn->ends[i - 1] : 0) + line_len;
    return true;
}

/* Bring one line into the batch; send it where it is full, or ends because the line is no letter
 * and stays where it is. */
static int take_line(struct journal *jn, struct bytes line, struct error *err)
{
    struct letter letter;
    const char *why = NULL;
    if (!dead_letters_read(&jn->letters, line, &letter, &why)) {
        if (flush(jn, err))
            return -1;
        dead_letters_note(&jn->letters, why);
        jn->place += line.len;
        return 0;
    }
    if (add(jn, &letter, line.len))
        return 0;
    if (flush(jn, err))
        return -1;
    add(jn, &letter, line.len);
    return 0;
}

static int replay_lines(struct journal *jn, struct error *err)
{
    const struct replay *r = jn->r;
    const char *source = jn->source->stream.name;
    struct bytes line = { 0 };
    char name[128];
    /* So that a full or read-only disk is found before anything is sent. */
    dead_letter_file_name(source, name);
    if (!r->dry_run && r->store->splice(r->store, name, 0, 0, BYTES(""), err))
        return -1;
    if (dead_letters_open(&jn->letters, r->store, source, err))
        return -1;
    do {
        if (clock_stopped(r->clk))
            return error_set(err, ERR_STOPPED, "stopped");
        if (dead_letters_next(&jn->letters, &line, err))
            return -1;
        if (line.len > 0 && take_line(jn, line, err))
            return -1;
    } while (line.len > 0);
    return flush(jn, err);
}

static int hold_and_replay(struct journal *jn, struct error *err)
{
    const struct replay *r = jn->r;
    struct store_lock *lock = NULL;
    char name[128];
    state_file_name(jn->source->stream.name, "lock", name);
    if (!r->dry_run && r->store->lock(r->store, name, 0, &lock, err))
        return -1;
    int rc = replay_lines(jn, err);
    r->store->unlock(r->store, lock);
    return rc;
}

int replay_source(const struct replay *r, const struct source_config *source,
                  struct replay_result *out, struct error *err)
{
    struct journal jn = { .r = r, .source = source };
    uint64_t bytes = 0;
    int rc = dead_letters_size(r->store, source->stream.name, &bytes, err);
    jn.result.any = bytes > 0;
    if (bytes > 0) {
        batch_init(&jn.batch, source, &r->config->exporter);
        rc = hold_and_replay(&jn, err);
        dead_letters_damage(&jn.letters, &jn.result.damaged);
        dead_letters_close(&jn.letters);
        batch_release(&jn.batch);
    }
    *out = jn.result;
    buf_release(&jn.kept);
    free(jn.ends);
    return rc;
}
