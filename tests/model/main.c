/* main.c -- plays seeds, several processes side by side, and says which failed and how to see it.
 */
#include "tests/model/model.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX       64
#define SHOWN_MOST     10
#define SELFTEST_SEEDS 300
/* Of the processor, for a world that mostly takes a millisecond: then it goes round for ever. */
#define WORLD_SECONDS 60

static const char usage[] =
    "usage: model [--seeds N] [--from SEED] [--seconds S] [--jobs J] [--verbose]\n"
    "             [--platform NAME] [--with NAME,...] [--break NAME] [--self-test]\n"
    "Plays N worlds (1000), from SEED (1) on, or for S seconds; J at once (as many as there\n"
    "are cores); on the platform that the seed picks, or on one by its type's name.\n"
    "--with brings in worlds of clocks that are set between the runs (wall-jumps) and of\n"
    "waits at the far edge (slow-edge); and what is not wholly kept: clocks that are set\n"
    "within a run (jumps-within, beside wall-jumps), twins far apart (twins-apart), cursors\n"
    "of which the last shows nothing new (snapshots).\n"
    "--break lets the harness do something wrong, which must be found: lose, twice,\n"
    "forget-put, limit, stuck; --self-test does so with each, on each platform, and plays\n"
    "seeds twice.\n";

static const char *const breakages[] = {
    [BREAK_LOSE] = "lose",   [BREAK_TWICE] = "twice", [BREAK_FORGET_PUT] = "forget-put",
    [BREAK_LIMIT] = "limit", [BREAK_STUCK] = "stuck",
};

static const char *const withs[] = { "twins-apart", "wall-jumps", "slow-edge", "jumps-within",
                                     "snapshots" };

struct options {
    struct settings settings;
    uint64_t from, seeds;
    double seconds; /* 0: no limit */
    int jobs;
    bool self_test;
    const char *program;
};

/* What a job tells its parent, in memory of both. */
struct report {
    struct totals totals;
    uint64_t seed; /* being played */
    bool done;
};

static const struct platform *const platforms[] = { &platform_forge, &platform_nodion,
                                                    &platform_fly, &platform_scalingo,
                                                    &platform_hoody };

/* Those that the program has. */
static const struct platform *platform_of(uint64_t seed)
{
    struct rng r = rng_of(seed, 5);
    const struct platform *p = platforms[rng_below(&r, COUNT(platforms))];
    return source_named(p->type) ? p : platforms[0];
}

static void add_totals(struct totals *sum, const struct totals *t)
{
    sum->seeds += t->seeds;
    sum->failed += t->failed;
    sum->records += t->records;
    sum->calls += t->calls;
    sum->posts += t->posts;
    sum->runs += t->runs;
    sum->kills += t->kills;
    sum->twice += t->twice;
    sum->excused += t->excused;
}

/* Play one world. The trace of all that happened goes to `trace`. */
static bool play(const struct settings *settings, struct tasks *tasks, uint64_t seed,
                 struct totals *totals, uint64_t *trace, char why[WHY_BYTES])
{
    struct world *w = xcalloc(1, sizeof(*w));
    w->seed = seed;
    w->settings = settings;
    w->platform = settings->platform ? settings->platform : platform_of(seed);
    w->tasks = tasks;
    world_play(w);
    bool failed = w->failed;
    w->totals.failed = failed;
    add_totals(totals, &w->totals);
    *trace = w->trace;
    snprintf(why, WHY_BYTES, "%s", w->why);
    world_release(w);
    free(w);
    return !failed;
}

static void show(const struct options *o, uint64_t seed, const char *why)
{
    char with[128] = "";
    for (size_t i = 0; i < COUNT(withs); i++) {
        if (o->settings.with & 1U << i)
            snprintf(with + strlen(with), sizeof(with) - strlen(with), "%s%s",
                     with[0] ? "," : " --with ", withs[i]);
    }
    if (o->settings.platform)
        snprintf(with + strlen(with), sizeof(with) - strlen(with), " --platform %s",
                 o->settings.platform->type);
    printf("seed %llu FAILED: %s\n  replay: %s --from %llu --seeds 1 --verbose%s%s%s\n",
           (unsigned long long)seed, why, o->program, (unsigned long long)seed, with,
           o->settings.breakage ? " --break " : "",
           o->settings.breakage ? breakages[o->settings.breakage] : "");
    fflush(stdout);
}

static double now_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Die in so many seconds of work. */
static void set_watch(void)
{
    struct itimerval watch = { .it_value = { .tv_sec = WORLD_SECONDS } };
    setitimer(ITIMER_VIRTUAL, &watch, NULL);
}

/* Every `jobs`-th seed. */
static void work(const struct options *o, int job, double until, struct report *out)
{
    struct tasks *tasks = tasks_create();
    char why[WHY_BYTES];
    uint64_t trace;
    for (uint64_t i = (uint64_t)job; i < o->seeds; i += (uint64_t)o->jobs) {
        if (o->seconds > 0 && now_seconds() >= until)
            break;
        out->seed = o->from + i;
        if (!o->settings.verbose)
            set_watch();
        if (!play(&o->settings, tasks, out->seed, &out->totals, &trace, why) &&
            out->totals.failed <= SHOWN_MOST)
            show(o, out->seed, why);
    }
    tasks_destroy(tasks);
    out->done = true;
}

/* Each job in a process of its own, so that one may die; what is to be looked at, in this. */
static bool play_all(const struct options *o, struct totals *sum)
{
    size_t bytes = (size_t)o->jobs * sizeof(struct report);
    struct report *reports = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                  -1, 0);
    double until = now_seconds() + o->seconds;
    bool all = true;
    if (reports == MAP_FAILED) {
        perror("model");
        exit(1);
    }
    fflush(stdout);
    for (int i = 0; i < o->jobs; i++) {
        pid_t child = o->settings.verbose ? 0 : fork();
        if (child > 0)
            continue;
        if (child == 0)
            work(o, i, until, &reports[i]);
        if (!o->settings.verbose)
            exit(child < 0);
    }
    while (!o->settings.verbose && (wait(NULL) > 0 || errno == EINTR)) {
    }
    for (int i = 0; i < o->jobs; i++) {
        add_totals(sum, &reports[i].totals);
        if (reports[i].done)
            continue;
        sum->seeds++;
        sum->failed++;
        show(o, reports[i].seed, "the program died of it");
    }
    all = sum->failed == 0;
    munmap(reports, bytes);
    return all;
}

static int sum_up(const struct totals *t, double seconds)
{
    printf("%lld runs, %lld calls, %lld requests to the collector, %.1f s\n", (long long)t->runs,
           (long long)t->calls, (long long)t->posts, seconds);
    printf("%lld seeds, %lld failed; %lld records, %lld kills, %lld sent twice of %lld allowed\n",
           (long long)t->seeds, (long long)t->failed, (long long)t->records, (long long)t->kills,
           (long long)t->twice, (long long)t->excused);
    return t->failed ? 1 : 0;
}

/* How many seeds it takes until a breakage is found; 0: it is not. */
static uint64_t find(struct settings settings, struct tasks *tasks, uint64_t from)
{
    struct totals ignored = { 0 };
    char why[WHY_BYTES];
    uint64_t trace;
    for (uint64_t i = 0; i < SELFTEST_SEEDS; i++) {
        if (!play(&settings, tasks, from + i, &ignored, &trace, why))
            return i + 1;
    }
    return 0;
}

static int self_test(const struct options *o)
{
    struct tasks *tasks = tasks_create();
    struct totals ignored = { 0 };
    char why[WHY_BYTES];
    uint64_t first, second;
    int passed = 0, failed = 0;
    for (size_t p = 0; p < COUNT(platforms); p++) {
        for (enum breakage b = BREAK_LOSE; b <= BREAK_STUCK && source_named(platforms[p]->type);
             b++) {
            struct settings settings = o->settings;
            settings.breakage = b;
            settings.platform = platforms[p];
            uint64_t seeds = find(settings, tasks, o->from);
            printf("%s %s, %s: found in %llu seeds\n", seeds ? "ok    " : "FAILED",
                   platforms[p]->type, breakages[b], (unsigned long long)seeds);
            *(seeds ? &passed : &failed) += 1;
        }
    }
    bool same = true;
    for (uint64_t seed = o->from; seed < o->from + 20; seed++) {
        play(&o->settings, tasks, seed, &ignored, &first, why);
        play(&o->settings, tasks, seed, &ignored, &second, why);
        same = same && first == second;
    }
    printf("%s the same seed gives the same run\n", same ? "ok    " : "FAILED");
    *(same ? &passed : &failed) += 1;
    printf("%d passed, %d failed\n", passed, failed);
    fflush(stdout);
    _exit(failed > 0); /* threads that were stuck left their memory behind */
}

static bool parse_with(const char *text, unsigned *out)
{
    while (*text) {
        size_t len = strcspn(text, ","), i = 0;
        while (i < COUNT(withs) && !bytes_is((struct bytes){ text, len }, withs[i]))
            i++;
        if (i == COUNT(withs))
            return false;
        *out |= 1U << i;
        text += len + (text[len] == ',');
    }
    return true;
}

static bool parse_break(const char *text, enum breakage *out)
{
    for (enum breakage b = BREAK_LOSE; b <= BREAK_STUCK; b++) {
        if (strcmp(text, breakages[b]) == 0)
            *out = b;
    }
    return *out != BREAK_NONE;
}

static bool parse_platform(const char *text, const struct platform **out)
{
    for (size_t i = 0; i < COUNT(platforms); i++) {
        if (strcmp(text, platforms[i]->type) == 0)
            *out = platforms[i];
    }
    return *out != NULL;
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        { "seeds", required_argument, NULL, 'n' },   { "from", required_argument, NULL, 'f' },
        { "seconds", required_argument, NULL, 's' }, { "jobs", required_argument, NULL, 'j' },
        { "verbose", no_argument, NULL, 'v' },       { "with", required_argument, NULL, 'w' },
        { "break", required_argument, NULL, 'b' },   { "platform", required_argument, NULL, 'p' },
        { "self-test", no_argument, NULL, 't' },     { NULL, 0, NULL, 0 },
    };
    bool ok = true, counted = false;
    int c;
    while (ok && (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        const char *text = optarg ? optarg : "";
        char *at = NULL;
        if (c == 'n')
            o->seeds = strtoull(text, &at, 10);
        else if (c == 'f')
            o->from = strtoull(text, &at, 10);
        else if (c == 's')
            o->seconds = strtod(text, &at);
        else if (c == 'j')
            o->jobs = (int)strtol(text, &at, 10);
        else if (c == 'v')
            o->settings.verbose = true;
        else if (c == 't')
            o->self_test = true;
        else
            ok = c == 'w'   ? parse_with(text, &o->settings.with)
                 : c == 'b' ? parse_break(text, &o->settings.breakage)
                 : c == 'p' ? parse_platform(text, &o->settings.platform)
                            : false;
        ok = ok && (!at || !*at);
        counted = counted || c == 'n';
    }
    if (!counted && o->seconds > 0)
        o->seeds = UINT64_MAX / 2;
    return ok && optind == argc && o->jobs >= 1 && o->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct options o = { .from = 1,
                         .seeds = 1000,
                         .jobs = cores < 1          ? 1
                                 : cores < JOBS_MAX ? (int)cores
                                                    : JOBS_MAX,
                         .program = argv[0] };
    struct totals sum = { 0 };
    if (!parse(argc, argv, &o)) {
        fputs(usage, stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (o.self_test)
        return self_test(&o);
    if (o.settings.verbose || o.seeds < (uint64_t)o.jobs)
        o.jobs = 1;
    double began = now_seconds();
    play_all(&o, &sum);
    return sum_up(&sum, now_seconds() - began);
}
