/* model.h -- a platform, a collector, a store and a clock in memory, in which the real program runs
 * from workers_run() down, and a book on what must come of it. All that happens in a world follows
 * from its seed.
 *
 * - plan.c: seed → how this world is: settings, behaviours, runs, faults; as a configuration too
 * - history.c: seed → the records that there are, and when they can be seen
 * - shelf.c: which of them a platform has at a moment
 * - platform.c: what every platform does: count calls, fail; and pages by cursor
 * - forge.c, nodion.c, ...: one's own: how its records look, how it is asked, how it answers
 * - query.c: a request's URL and credentials, read
 * - collector.c: what the other side does, and which records it was given
 * - store.c: documents, locks, journals
 * - process.c: one run: its clock, its signal, its death
 * - wire.c: src/net/http.h over all this
 * - book.c: delivered = owed, and nothing twice but what may be
 * - world.c: a world from its beginning to its verdict
 * - tasks.c: threads and time */
#ifndef OTLPULL_TESTS_MODEL_MODEL_H
#define OTLPULL_TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "config.h"
#include "net/request.h"
#include "source/source.h"
#include "state/store.h"

#include "tests/model/rng.h"
#include "tests/model/tasks.h"

#define SOURCES_MAX 3
#define RUNS_MAX    8
#define MINUTE      (60 * NS_PER_S)
#define HOUR        (60 * MINUTE)
#define DAY         (24 * HOUR)
#define WHY_BYTES   1024

/* Behaviours that are known not to be met yet: in a world only where they are asked for. */
enum {
    WITH_TWINS_APART = 1,
    WITH_WALL_JUMPS = 2,
    WITH_SLOW_EDGE = 4,
    WITH_JUMPS_WITHIN = 8,
    WITH_SNAPSHOTS = 16
};

/* What the harness does wrong on purpose, to show that it would be found. */
enum breakage { BREAK_NONE, BREAK_LOSE, BREAK_TWICE, BREAK_FORGET_PUT, BREAK_LIMIT, BREAK_STUCK };

enum { OPEN_START = 1, OPEN_END = 2 };
enum order { ORDER_ASC, ORDER_DESC, ORDER_SHUFFLED, ORDERS };

struct world;
struct origin;

/* Records that are byte for byte the same. */
struct content {
    struct origin *origin;
    char *text; /* as the platform writes it */
    size_t len;
    size_t mark_at;    /* where in it "~NUMBER~" stands */
    unsigned instance; /* of those that the origin has, on platforms that tell them apart */
    bool foreign;      /* not asked for: the filters say so */
    bool follows;      /* says no time: that is the one's which arrived right before it */
    bool poison;
    int64_t copies, owed; /* that there are; that must arrive */
    /* What came of them. */
    int64_t delivered, dead, refused_alone;
    int64_t excused; /* may have gone again */
};

struct record {
    uint32_t content;
    int64_t time_unix_ns, seen_unix_ns;
    uint64_t rank;   /* where it stands in the order of answers */
    uint32_t nth;    /* so many arrived before */
    bool owed_early; /* it was there throughout a run in which nothing went wrong */
    bool hidden;     /* its platform's own fault hides it from whoever keeps to the documents */
};

/* How an API answers. */
struct manner {
    unsigned bounds;
    bool by_arrival;
    enum order order;
    int page_size;
    int sparse;            /* percent of pages that are short, or empty, though more follow */
    bool live;             /* pages show what arrived since the first */
    bool eager_cursor;     /* a cursor though nothing follows */
    int last_cursor;       /* of the last page: absent, null, "" */
    int64_t cursor_ttl_ns; /* 0: for ever */
    int cursor_fails;      /* permille */
    int expired_status;
    /* Of platforms other than Forge. */
    int shape;            /* which of the forms that its answers come in */
    bool keeps_newest;    /* of what is too much for an answer, it cuts the oldest */
    bool fickle;          /* what is of one time comes in another order each time */
    bool whole_ties;      /* what is of one time is never cut apart */
    bool crowded;         /* more may be of one time than a page holds */
    bool ignores_filters; /* and gives what was not asked for */
    size_t ring;          /* so many it has, the newest; 0: all */
    bool rolls;           /* the ring is emptied at once where it is full */
    int rolls_early;      /* so many in 1000 times right after an answer: permille */
    bool archived;        /* what the ring has no more can be had elsewhere */
    bool by_id;           /* asked for by id, in the order of arrival */
    bool follows;         /* some records are without a time, and follow one that has it */
    bool twins_together;  /* what is the same arrives at once: it goes on by what it knows */
    bool no_twins;        /* nor is there any: what it knows are single records */
    bool prompt_at_first; /* what came before the first run came in time */
    int64_t session_ns;   /* how long a URL that it gives is good for; 0: for ever */
    int64_t rebuilt_ns;   /* when it lost all, and began to count anew; 0: never */
};

struct cursor_given {
    int64_t start_unix_ns, end_unix_ns, seen_until_ns, at_mono_ns;
    size_t place;
};

/* What a platform gave to begin with: tokens, URLs; named by their number. */
#define KEYS_MAX 64
struct key_given {
    int64_t at_mono_ns;
    int kind;
};

/* A platform's side of one configured source. */
struct origin {
    struct world *w;
    size_t index;
    char name[32], app[40], environment[32], token[32]; /* the token is its own alone */
    size_t budget;
    struct manner manner;
    struct record *records; /* by time */
    size_t record_count;
    uint32_t *ranked;  /* the same, in the order of answers */
    uint32_t *arrived; /* the same, in the order of arrival */
    size_t *rolled;    /* how many had arrived at each time that the ring was emptied */
    size_t rolled_count, rolled_capacity;
    size_t crowd;  /* the most that are of one time */
    bool filtered; /* its configuration asks for a part of them */
    unsigned instances;
    size_t calls; /* that were answered with records */
    bool as_text; /* its answer is lines: what is cut off of them looks whole */
    struct key_given keys[KEYS_MAX];
    size_t key_count;
    struct cursor_given *cursors;
    size_t cursor_count, cursor_capacity;
    int refusals_401; /* to come */
    /* What its state came to. */
    bool answered; /* the program has heard of it */
    bool begun;
    int64_t begin_unix_ns; /* all that is not before this is owed */
    uint32_t *given;       /* contents of records that were given and are not noted yet */
    size_t given_count, given_capacity;
    size_t sent_count; /* of these, those that the collector took */
};

/* What a request asks of a platform. */
struct question {
    struct origin *origin;
    int64_t start_unix_ns, end_unix_ns;
    struct bytes cursor;                   /* empty: the first page */
    const char *wrong;                     /* the request breaks the platform's rules: 400 */
    int kind;                              /* which of the platform's endpoints; 0: its logs */
    bool from, to;                         /* the two times were given */
    bool filtered;                         /* a part was asked for */
    int64_t limit, offset, last, after_id; /* -1: not given */
    size_t key;                            /* of what was given to begin with; 0: none */
};

/* A page to write. */
struct answer_page {
    const struct record **records;
    size_t count;
    bool more;
    char cursor[64];
    int last_cursor;
};

/* One platform type. */
struct platform {
    const char *type;
    int64_t retention_ns, span_ns; /* 0: none */
    int64_t unit_ns;               /* of its times */
    int64_t doubted_ns;            /* what is older nobody says to be there; 0: there is none */
    bool tails;                    /* the configuration has no `window` */
    bool by_time;                  /* pages go on by time alone: what is of one must fit in one */
    bool refuses_old;              /* 400 to what asks for times before those it has */
    bool verbatim;                 /* its records' texts go on as they are, unless mended */
    /* Make of a manner what this platform can be like. May be NULL. */
    void (*adapt)(struct origin *o, struct rng *r);
    /* The source's own keys, as YAML flow map entries with a comma in front. */
    void (*configure)(const struct origin *o, struct buf *yaml);
    /* One record's text; its body holds `mark`. */
    void (*write_record)(const struct content *c, int64_t time_unix_ns, const char *mark,
                         const char *padding, struct rng *chance, struct buf *out);
    /* What a record's resource must say of its instance; NULL: nothing. */
    void (*name_instance)(const struct content *c, char out[64]);
    /* Read a request; out->origin NULL: nobody's. `room` holds what had to be unescaped. */
    void (*read_request)(struct world *w, const struct request *r, struct buf *room,
                         struct question *out);
    /* Answer one that is not refused. Where NULL, pages by cursor, each written by write_page. */
    void (*answer)(struct origin *o, const struct question *q, struct reply *out);
    void (*write_page)(const struct origin *o, const struct question *q,
                       const struct answer_page *page, const struct content *contents,
                       struct buf *out);
};

extern const struct platform platform_forge, platform_nodion, platform_fly, platform_scalingo,
    platform_hoody;

/* A time in which a peer does badly. */
struct spell {
    int64_t from_mono_ns, to_mono_ns;
    int kind;
};
#define SPELLS_MAX 4

enum collector_spell {
    COLLECTOR_DOWN,
    COLLECTOR_429,
    COLLECTOR_503,
    COLLECTOR_500,
    COLLECTOR_400,
    COLLECTOR_KINDS
};
enum platform_spell { PLATFORM_DOWN, PLATFORM_500, PLATFORM_KINDS };

struct run_plan {
    int64_t start_mono_ns;
    int concurrency;
    int64_t deadline_ns; /* after its start; 0: none */
    int64_t stop_ns;     /* SIGTERM, after its start; 0: none */
    size_t kill_at;      /* the operation at which it dies; 0: none */
    bool kill_after;     /* when that was done */
    bool beside;         /* a second process begins a moment later */
    int64_t window_ns;
    size_t max_batch_records;
};

struct plan {
    bool days; /* so long that the far end of the platform's history matters */
    size_t source_count;
    int64_t window_ns, overlap_ns, lag_ns, lookback_ns;
    int calls;
    int64_t period_ns;
    bool normalize, keep_dead, dated;
    size_t max_batch_records, max_batch_bytes;
    int64_t source_elapsed_ns, exporter_elapsed_ns;
    struct run_plan runs[RUNS_MAX];
    size_t run_count;
    /* Faults, permille of calls or operations. */
    int api_faults, limit_faults, garbled, repeat_cursor, post_faults, lost_answers, store_faults;
    int partial, slow;
    int64_t latency_ns; /* most, mostly */
    struct spell collector_spells[SPELLS_MAX], platform_spells[SPELLS_MAX];
    size_t collector_spell_count, platform_spell_count;
    size_t body_limit; /* the collector's; 0: none */
    size_t queue;      /* so many records it takes at once, while it does badly; 0: any number */
    int poison_status;
    int records, poison, late, too_late, twins, edges, submilli;
};

struct document {
    char name[128];
    struct buf text;
    uint64_t version;
};

struct held_lock {
    char name[128];
    const void *by; /* a struct store_lock */
};

#define DOCUMENTS_MAX 24
#define LOCKS_MAX     24

/* What a 429 says on when to come back. */
enum dialect { IN_SECONDS, AT_HTTP_DATE, AT_ISO_MINUTE, AT_EPOCH, SAYS_NOTHING, DIALECTS };
struct refusal_429 {
    bool named;
    bool relative;
    int64_t ns; /* from then on, or Unix time */
};

/* Calls of one budget, as its platform counts them. */
struct counted {
    int64_t at_mono_ns[64]; /* the last ones, in a ring */
    size_t count;
    int64_t heard_mono_ns, not_before_mono_ns; /* a 429 was heard: none from then on before that */
};

struct settings {
    const struct platform *platform; /* NULL: as the seed says */
    unsigned with;
    enum breakage breakage;
    bool verbose;
};

struct totals {
    int64_t seeds, failed, records, calls, posts, runs, kills, twice, excused;
};

struct world {
    uint64_t seed;
    const struct settings *settings;
    const struct platform *platform;
    struct tasks *tasks;
    struct rng faults;
    struct plan plan;
    struct config config;
    int64_t wall_ns; /* Unix time at monotonic 0 */
    int64_t born_mono_ns;
    int64_t skew_ns;           /* by how much the program's clock is ahead of the platform's */
    int64_t set_ahead_mono_ns; /* when it was last set ahead; 0: never */
    bool calm;                 /* no more faults */
    struct origin origins[SOURCES_MAX];
    struct content *contents;
    size_t content_count, content_capacity;
    struct counted budgets[SOURCES_MAX];
    struct document documents[DOCUMENTS_MAX];
    size_t document_count;
    struct held_lock locks[LOCKS_MAX];
    size_t lock_count;
    uint64_t versions;
    int run_number;
    int processes; /* that run now */
    size_t faults_in_run;
    bool broken; /* the breakage was done */
    struct buf scratch;
    struct totals totals;
    uint64_t trace; /* of all that happened */
    bool failed;
    char why[WHY_BYTES];
};

/* One process: a run from its start to its end or its death. */
struct process {
    struct clock clk;         /* first, so that one is the other */
    struct clock_child words; /* the same for messages: reading it takes no time */
    struct store store;
    struct world *w;
    const struct run_plan *plan;
    int number;
    size_t operations;
    bool killed;
    int64_t stop_at_mono_ns; /* TIME_FOREVER: no signal */
};

/* plan.c */
void plan_make(struct plan *p, const struct platform *platform, struct rng *r, int64_t now_mono_ns,
               unsigned with);
void plan_manner(const struct plan *p, struct manner *m, struct rng *r);
void plan_write_config(const struct world *w, struct buf *yaml);

/* history.c */
void history_make(struct world *w, struct rng *r);

/* query.c */
/* The URL's path behind `prefix`, up to the query; false: it has another prefix. `*query`: what
 * follows its "?", or "". */
bool query_path(const struct request *r, const char *prefix, struct bytes *path,
                const char **query);
/* One "key=value" after another, unescaped into `room`, which has space reserved for all. False:
 * there is no more. */
bool query_next(const char **at, struct buf *room, struct bytes *key, struct bytes *value);
bool query_number(struct bytes text, int64_t *out); /* decimal digits alone */
/* A header of the request's own; NULL: it has none. */
const char *query_header(const struct request *r, const char *key);

/* shelf.c: which records a platform has. */
void shelf_make(struct origin *o);
size_t shelf_arrived(const struct origin *o, int64_t unix_ns); /* so many had, by then ... */
size_t shelf_gone(struct origin *o, int64_t unix_ns);          /* ... and so many were gone */
/* The ring is emptied now. Not where all that it has is of one time: that is like its twins. */
void shelf_roll(struct origin *o);
bool shelf_holds(struct origin *o, const struct record *r, int64_t unix_ns);
bool shelf_is_gone(struct origin *o, const struct record *r, int64_t unix_ns); /* by number */
/* So many of one time that no page holds them all: what cannot be had by the documents. */
bool shelf_is_crowded(const struct origin *o, const struct record *r);
/* Whether something has been lost so far that nobody can know to have been read. */
bool shelf_has_lost(struct origin *o, int64_t unix_ns);
/* A run in which nothing went wrong began at `from` and ended now: what was there then is owed. */
void shelf_was_read(struct origin *o, int64_t from_unix_ns);
/* Records of [from, to], ends as the manner has them, that are there now and not filtered away, by
 * time; the caller frees the list. */
const struct record **shelf_range(struct origin *o, int64_t from_unix_ns, int64_t to_unix_ns,
                                  size_t *count);

/* platform.c */
/* So many of a page's records are written: one too few where the harness is to lose one. */
size_t platform_lose(struct world *w, size_t count);
/* Where to go on, and by which text; and where a request's cursor stands, which is of the window
 * that it asks for. False: it is none, or none any more. */
void platform_give_cursor(struct origin *o, const struct cursor_given *given, char out[64]);
bool platform_take_cursor(struct origin *o, const struct question *q, struct cursor_given *out);
/* What is given to begin with: its number, and whether it is still good. */
size_t platform_give_key(struct origin *o, int kind);
bool platform_key_holds(struct origin *o, size_t number, int kind, int64_t life_ns);
/* A GET has arrived. Whose it was; NULL: nobody's. `begun_mono_ns`: when the program
 * made up its mind to send it. */
struct origin *platform_answer(struct process *p, const struct request *request,
                               int64_t begun_mono_ns, struct reply *out,
                               struct refusal_429 *refusal);
/* The run heard a 429. */
void platform_heard(struct process *p, const struct origin *o, const struct refusal_429 *refusal);

/* collector.c: what a POST comes to. `taken`: the contents of the records that were accepted. */
struct taken {
    uint32_t *contents;
    size_t count;
    struct origin *origin;
    bool accepted;
};
/* The records of a text by their marks, in `out->contents`, which the caller frees. */
void collector_find(struct world *w, struct bytes text, struct taken *out);
void collector_answer(struct process *p, const struct request *request, struct reply *out,
                      struct taken *taken);
/* Whether the run heard that they were. */
void collector_heard(struct world *w, struct taken *taken, bool heard);

/* store.c */
void store_of(struct process *p, struct store *out);
bool store_read(struct world *w, const char *name, struct bytes *out);
void store_empty(struct world *w);

/* process.c */
/* Set the machine's clock; wrongly, perhaps. */
void process_set_clock(struct world *w, int64_t skew_ns);
void process_upset_clock(struct world *w, int permille);
void process_init(struct process *p, struct world *w, const struct run_plan *plan, int number);
bool process_stopped(const struct process *p, const struct clock *clk);
struct process *process_of(struct clock *clk);
/* Something of the outside world is about to be done (or was: `after`): the moment at which it may
 * be killed. False: it is dead. */
bool process_lives(struct process *p, bool after);

/* book.c */
void book_given(struct world *w, const struct taken *taken);
void book_noted(struct world *w, struct origin *o);   /* the state says what was given */
void book_unnoted(struct world *w, struct origin *o); /* it does not, and it cannot be helped */
int64_t book_excess(const struct world *w); /* records that came more often than they are */
/* The state was written: a span may be given up only where the platform has it no more. */
void book_check_gaps(struct world *w, struct origin *o);
void book_close(struct world *w);

/* world.c */
void world_play(struct world *w);
void world_release(struct world *w);
int64_t world_unix_ns(const struct world *w); /* the platform's time */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_say(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A fault is wanted here: with that many in a thousand, and only while the world is not calm. */
bool world_fault(struct world *w, int permille);

#endif
