#include "scalingo_decode.h"

#include <string.h>

#include "entry.h"
#include "net/compress.h"
#include "scalingo_lines.h"
#include "scalingo_session.h"

#define DUMP_MAX     ((size_t)1 << 20) /* lines: far more than may be asked for */
#define PART_MAX     ((size_t)1 << 18) /* lines of an archive that are read at once */
#define EXPANDED_MAX ((size_t)256 << 20)
#define SCRATCH_MAX  ((size_t)64 << 20)

static int64_t start_of(const struct scalingo_reading *r)
{
    return r->ask->span.start_unix_ns;
}

static void go_on(struct scalingo_reading *r)
{
    r->out->next.more = true;
    scalingo_place_write(&r->place, &r->out->next.text);
}

/* The poll is done: the next one begins with what it must know of this one. */
static void finish(struct scalingo_reading *r)
{
    const struct scalingo_place *p = &r->place;
    struct scalingo_place next = { .step = SCALINGO_DUMP,
                                   .lines = p->lines,
                                   .filter = p->filter,
                                   .last = p->newest.unix_ns ? p->newest : p->last,
                                   .last_archived = p->newest.unix_ns ? p->dump_unix_ns == INT64_MAX
                                                                      : p->last_archived,
                                   .done = p->first.set ? p->first : p->done };
    scalingo_place_write(&next, &r->out->next.text);
    r->out->next.more = false;
}

/* What lies before `end` and after all that is known cannot be had. Where no poll came before there
 * is no telling that anything was there. */
static void lose(struct scalingo_reading *r, int64_t start_unix_ns, int64_t end_unix_ns)
{
    struct span *lost = &r->out->lost;
    int64_t known = r->place.last.unix_ns;
    int64_t start = start_unix_ns > known ? start_unix_ns : known;
    if (known == 0 || end_unix_ns == INT64_MAX || start >= end_unix_ns)
        return;
    bool more = lost->start_unix_ns < lost->end_unix_ns;
    lost->start_unix_ns = more && lost->start_unix_ns < start ? lost->start_unix_ns : start;
    lost->end_unix_ns = more && lost->end_unix_ns > end_unix_ns ? lost->end_unix_ns : end_unix_ns;
}

/* ---- the dump ----------------------------------------------------------------------------------
 */

static void write_lines(struct scalingo_reading *r, const struct scalingo_lines *lines, size_t from,
                        size_t to)
{
    struct scalingo_line line;
    struct buf scratch = BUF_INIT(SCRATCH_MAX);
    for (size_t i = from; i < to; i++) {
        scalingo_lines_at(lines, i, &line);
        if (scalingo_passes(line.container, r->rules.filter))
            scalingo_line_write(&line, r->out, &scratch);
    }
    buf_release(&scratch);
}

static struct scalingo_mark mark_of(const struct scalingo_lines *lines, size_t i)
{
    struct scalingo_line line;
    scalingo_lines_at(lines, i, &line);
    return (struct scalingo_mark){ line.unix_ns, scalingo_line_hash(&line) };
}

/* The dump's oldest lines, which an archive may have as well: whole groups of one time, where they
 * find room. */
static void note_edge(struct scalingo_place *p, const struct scalingo_lines *lines, size_t timed)
{
    size_t end = lines->count;
    if (end - timed > SCALINGO_EDGE_MAX) {
        end = scalingo_lines_from(lines, lines->items[timed + SCALINGO_EDGE_MAX].unix_ns);
        if (end == timed) /* of one so large that a part must do: the rest may come twice */
            end = timed + SCALINGO_EDGE_MAX;
    }
    p->edge_count = 0;
    p->edge_unix_ns = end == lines->count ? INT64_MAX : lines->items[end - 1].unix_ns;
    for (size_t i = timed; i < end; i++)
        p->edge[p->edge_count++] = mark_of(lines, i).hash;
}

/* A poll that needed far fewer lines than it asked for: the next asks for half. */
static void ask_for_less(struct scalingo_reading *r, size_t needed)
{
    if ((int64_t)needed < r->place.lines / 4)
        r->place.lines /= 2;
}

static void ask_for_more(struct scalingo_reading *r)
{
    int64_t twice = 2 * r->place.lines;
    r->place.lines = twice < SCALINGO_LINES_MAX ? twice : SCALINGO_LINES_MAX;
    go_on(r);
}

/* What the dump tells of itself. */
struct dump {
    size_t timed;   /* its first line with a time */
    int64_t oldest; /* ...; INT64_MAX: there is none */
    bool full;      /* as many lines as were asked for */
    bool back;      /* it reaches back to the poll before, or to where the first one begins */
};

/* A line that came late may be old: where a line of the poll before is known, no time tells, but
 * only to meet it. A dump that is cut amid lines of its time may have its twin alone. */
static bool reaches_back(const struct scalingo_reading *r, const struct scalingo_lines *lines,
                         const struct dump *d)
{
    const struct scalingo_mark *last = &r->place.last;
    if (!last->unix_ns)
        return d->oldest <= start_of(r);
    return (!d->full || d->oldest < last->unix_ns) &&
           scalingo_lines_have(lines, last->unix_ns, last->hash);
}

static struct dump look_at(const struct scalingo_reading *r, const struct scalingo_lines *lines)
{
    size_t timed = scalingo_lines_timed(lines);
    struct dump d = {
        .timed = timed,
        .oldest = timed < lines->count ? lines->items[timed].unix_ns : INT64_MAX,
        .full = (int64_t)lines->passed >= r->place.lines,
    };
    d.back = reaches_back(r, lines, &d);
    return d;
}

static void take_dump(struct scalingo_reading *r, const struct scalingo_lines *lines)
{
    struct scalingo_place *p = &r->place;
    struct dump d = look_at(r, lines);
    if (d.full && !d.back && p->lines < SCALINGO_LINES_MAX) {
        ask_for_more(r);
        return;
    }
    if (!d.back && !d.full) /* where the log begins so, it is new */
        write_lines(r, lines, 0, d.timed);
    write_lines(r, lines, scalingo_lines_from(lines, start_of(r)), lines->count);
    if (d.timed < lines->count)
        p->newest = mark_of(lines, lines->count - 1);
    p->dump_unix_ns = p->oldest_unix_ns = d.oldest;
    p->full = d.full;
    if (!d.back && r->rules.archives) {
        note_edge(p, lines, d.timed);
        p->step = SCALINGO_LIST;
        go_on(r);
        return;
    }
    if (!d.back)
        lose(r, 0, d.oldest);
    size_t needed = scalingo_lines_from(lines, scalingo_place_need(p, start_of(r)));
    ask_for_less(r, lines->count - needed);
    finish(r);
}

static int read_dump(struct scalingo_reading *r, struct bytes frame, struct error *err)
{
    struct scalingo_lines lines = { 0 };
    int rc = scalingo_lines_read(&lines, frame, 0, DUMP_MAX, err);
    if (rc == 0 && lines.more)
        rc = error_set(err, ERR_INPUT, "more than %zu lines", DUMP_MAX);
    if (rc == 0)
        take_dump(r, &lines);
    scalingo_lines_release(&lines);
    return rc;
}

/* ---- archives ----------------------------------------------------------------------------------
 */

/* There are no more that are of use. */
static void end_archives(struct scalingo_reading *r)
{
    const struct scalingo_place *p = &r->place;
    if (p->archives == 0 && p->full)
        lose(r, 0, p->dump_unix_ns);
    else if (!p->last_archived)
        lose(r, 0, p->oldest_unix_ns);
    finish(r);
}

static int read_list(struct scalingo_reading *r, struct bytes frame, struct error *err)
{
    struct scalingo_listing listing = { 0 };
    if (frame.len > 0 && scalingo_session_list(frame, r->ask, &r->place, NULL, &listing, err))
        return -1;
    if (listing.wanted == 0 && !listing.more) {
        end_archives(r);
        return 0;
    }
    r->place.head = listing.head;
    r->place.step = SCALINGO_ARCHIVE;
    go_on(r);
    return 0;
}

/* Whether the dump had this line; each of its lines counts once. */
static bool was_dumped(struct scalingo_place *p, const struct scalingo_line *line)
{
    uint64_t hash;
    if (line->unix_ns < p->dump_unix_ns)
        return false;
    if (line->unix_ns > p->edge_unix_ns)
        return true;
    hash = scalingo_line_hash(line);
    for (size_t i = 0; i < p->edge_count; i++) {
        if (p->edge[i] == hash) {
            p->edge[i] = p->edge[--p->edge_count];
            return true;
        }
    }
    return false;
}

/* Whether the log has become an archive after it was dumped, as a whole: then the archive has all
 * of the dump's oldest lines, and what came after them. A line that is like one of the dump's is
 * not enough: it may be its twin, which came right before. */
static bool has_dump(const struct scalingo_place *p, const struct scalingo_lines *lines)
{
    struct scalingo_line line;
    struct scalingo_place rest = *p;
    int64_t newest = lines->items[lines->count - 1].unix_ns;
    if (p->edge_count == 0 || newest < p->newest.unix_ns || newest == p->dump_unix_ns)
        return false;
    for (size_t i = scalingo_lines_from(lines, p->dump_unix_ns);
         i < lines->count && lines->items[i].unix_ns <= p->edge_unix_ns; i++) {
        scalingo_lines_at(lines, i, &line);
        was_dumped(&rest, &line);
    }
    return rest.edge_count == 0;
}

static void take_lines(struct scalingo_reading *r, const struct scalingo_lines *lines)
{
    struct scalingo_place *p = &r->place;
    struct scalingo_line line;
    struct buf scratch = BUF_INIT(SCRATCH_MAX);
    const char *filter = r->rules.filter;
    int64_t from = start_of(r);
    size_t timed = scalingo_lines_timed(lines);
    int64_t oldest = timed < lines->count ? lines->items[timed].unix_ns : INT64_MAX;
    p->dumped = p->dumped || (timed < lines->count && has_dump(p, lines));
    for (size_t i = oldest >= from ? 0 : timed; i < lines->count; i++) {
        if (i >= timed && lines->items[i].unix_ns < from)
            continue;
        scalingo_lines_at(lines, i, &line);
        if (scalingo_passes(line.container, filter) && !(p->dumped && was_dumped(p, &line)))
            scalingo_line_write(&line, r->out, &scratch);
    }
    buf_release(&scratch);
    if (timed == lines->count)
        return;
    int64_t newest = lines->items[lines->count - 1].unix_ns;
    p->oldest_unix_ns = oldest < p->oldest_unix_ns ? oldest : p->oldest_unix_ns;
    p->archived_unix_ns = newest > p->archived_unix_ns ? newest : p->archived_unix_ns;
    p->found = p->found ||
               (p->last.unix_ns && scalingo_lines_have(lines, p->last.unix_ns, p->last.hash));
    if (p->dump_unix_ns == INT64_MAX && newest > p->newest.unix_ns)
        p->newest = mark_of(lines, lines->count - 1);
}

/* An archive was read to its end. */
static void end_archive(struct scalingo_reading *r)
{
    struct scalingo_place *p = &r->place;
    struct scalingo_name name;
    struct bytes url;
    p->passed = 0;
    p->dumped = false;
    if (p->archives++ == 0 && p->full) /* between it and the dump the log host has more */
        lose(r, p->archived_unix_ns, p->dump_unix_ns);
    /* One that has lines of the dump may have such as came behind them, too. */
    if (!p->first.set && p->archived_unix_ns < p->dump_unix_ns)
        p->first = p->current;
    if (p->found || (!p->last.unix_ns && p->oldest_unix_ns <= start_of(r))) {
        finish(r);
        return;
    }
    if (scalingo_session_next(r->ask->session, p, &name, &url))
        go_on(r);
    else
        end_archives(r);
}

static int take_archive(struct scalingo_reading *r, struct bytes text, struct error *err)
{
    struct scalingo_lines lines = { 0 };
    if (scalingo_lines_read(&lines, text, (size_t)r->place.passed, PART_MAX, err))
        return -1;
    take_lines(r, &lines);
    r->place.passed = (int64_t)lines.passed;
    if (lines.more)
        go_on(r);
    else
        end_archive(r);
    scalingo_lines_release(&lines);
    return 0;
}

static int read_archive(struct scalingo_reading *r, struct bytes frame, struct error *err)
{
    struct scalingo_place *p = &r->place;
    struct scalingo_name name;
    struct bytes url;
    struct buf expanded = BUF_INIT(EXPANDED_MAX);
    int rc = 0;
    if (!scalingo_session_next(r->ask->session, p, &name, &url)) {
        /* for want of one, the list was asked for */
        end_archives(r);
        return 0;
    }
    p->current = name;
    if (frame.len == 0 && name.size > 0) /* it has been removed */
        lose(r, name.from_unix_ns,
             name.to_unix_ns < p->oldest_unix_ns ? name.to_unix_ns : p->oldest_unix_ns);
    if (compress_is_gzip(frame)) {
        rc = compress_gunzip(frame, &expanded, err);
        frame = buf_bytes(&expanded);
    }
    if (rc == 0)
        rc = take_archive(r, frame, err);
    buf_release(&expanded);
    return rc;
}

int scalingo_decode_frame(struct scalingo_reading *r, struct bytes frame, struct error *err)
{
    int rc;
    if (r->place.step == SCALINGO_DUMP)
        rc = read_dump(r, frame, err);
    else if (r->place.step == SCALINGO_LIST)
        rc = read_list(r, frame, err);
    else
        rc = read_archive(r, frame, err);
    return rc ? rc : page_finish(r->out, err);
}
