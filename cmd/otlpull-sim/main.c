/* otlpull-sim -- a log platform on loopback, with the vendor's rules enforced, and a strict
 * OTLP/HTTP sink to deliver to. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "base/error.h"
#include "faults.h"
#include "history.h"
#include "platform.h"
#include "sink.h"
#include "traffic.h"
#include "words.h"

#define SCRIPT_MAX ((size_t)64 << 20)
#define BODY_MAX   ((size_t)64 << 20) /* of a POST to /_sim */
#define HOUR_NS    (3600.0 * (double)NS_PER_S)

struct program {
    struct options options;
    struct sim sim;
    struct words *words;
    char (*sites)[SITE_BYTES];
    struct stop *stop;
    struct web *api, *sink;
};

/* ---- the histories -----------------------------------------------------------------------------
 */

static void sites_create(struct program *p)
{
    uint64_t seed = (uint64_t)p->options.seed;
    p->sites = xcalloc((size_t)p->options.sites, sizeof(*p->sites));
    for (size_t i = 0; i < (size_t)p->options.sites; i++) {
        uint64_t a = history_mix(seed ^ 0x517e, 2 * i), b = history_mix(seed ^ 0x517e, 2 * i + 1);
        snprintf(p->sites[i], SITE_BYTES,
                 "ari:cloud:jira::site/%08" PRIx32 "-%04x-4%03x-8%03x-%012" PRIx64,
                 (uint32_t)(a >> 32), (unsigned int)(a >> 16 & 0xffff), (unsigned int)(a & 0xfff),
                 (unsigned int)(b >> 52), b & UINT64_C(0xffffffffffff));
    }
}

static struct history history_of(const struct program *p, size_t app, size_t environment)
{
    const struct options *o = &p->options;
    size_t stream = app * o->environments.count + environment;
    struct history h = {
        .seed = history_mix((uint64_t)o->seed, stream),
        .count = (uint64_t)o->records,
        .base_ns = o->base_ns,
        .step_ns = 1,
        .live = !o->no_live && o->records > 0,
        .late_share = o->late_share,
        .max_late_ns = o->max_late_ns,
        .twin_share = o->twins,
        .odd_share = o->odd,
        .mean_body_bytes = (size_t)o->body_bytes,
        .sites = p->sites,
        .site_count = (size_t)o->sites,
        .words = p->words,
        .app = o->apps.items[app],
        .environment = o->environments.items[environment],
        .options = o,
    };
    if (o->records > 0)
        h.step_ns = (int64_t)(o->hours * HOUR_NS / (double)o->records);
    if (h.step_ns < 1)
        h.step_ns = 1;
    if (stream > 0)
        snprintf(h.suffix, sizeof(h.suffix), ".%zu", stream);
    return h;
}

static void sim_init(struct program *p)
{
    struct sim *sim = &p->sim;
    const struct options *o = &p->options;
    clock_init_system(&sim->clk, -1);
    if (p->options.base_ns == 0)
        p->options.base_ns = clock_unix_ns(&sim->clk);
    sites_create(p);
    p->words = words_create((uint64_t)o->seed, (size_t)o->body_bytes);
    sim->options = o;
    sim->platform = platform_named(o->platform);
    sim->budgets = o->apps.count;
    sim->stream_count = o->apps.count * o->environments.count;
    sim->streams = xcalloc(sim->stream_count, sizeof(*sim->streams));
    for (size_t i = 0; i < sim->stream_count; i++)
        sim->streams[i] = history_of(p, i / o->environments.count, i % o->environments.count);
    sim->traffic = traffic_create(sim->budgets, o->rate_calls, o->rate_period_ns);
    sim->faults = faults_create((uint64_t)o->seed);
    atomic_init(&sim->ahead_ns, 0);
    atomic_init(&sim->latency_ns, o->latency_ns);
    atomic_init(&sim->sink_latency_ns, o->sink_latency_ns);
    atomic_init(&sim->page_size, o->page_size);
    atomic_init(&sim->cursor_ttl_ns, o->cursor_ttl_ns);
}

/* ---- faults from the command line --------------------------------------------------------------
 */

static int read_script(const char *path, struct buf *out, struct error *err)
{
    char piece[4096];
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(err, ERR_USAGE, "%s: %s", path, strerror(errno));
    size_t n;
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_append(out, piece, n);
    bool bad = ferror(file) || out->full;
    fclose(file);
    return bad ? error_set(err, ERR_USAGE, "%s: cannot be read, or is too long", path) : 0;
}

static int load_faults(struct program *p, struct error *err)
{
    const struct options *o = &p->options;
    for (size_t i = 0; i < o->faults.count; i++) {
        if (faults_add(p->sim.faults, o->faults.items[i], err))
            return -1;
    }
    for (size_t i = 0; i < o->fault_scripts.count; i++) {
        struct buf script = BUF_INIT(SCRIPT_MAX);
        int rc = read_script(o->fault_scripts.items[i], &script, err);
        if (rc == 0)
            rc = faults_add(p->sim.faults, buf_text(&script), err);
        buf_release(&script);
        if (rc)
            return -1;
    }
    return 0;
}

/* ---- servers -----------------------------------------------------------------------------------
 */

static int start(struct program *p, struct error *err)
{
    const struct options *o = &p->options;
    p->stop = stop_create();
    if (strcmp(o->sink, "none") != 0) {
        p->sim.sink = sink_create(o, p->sim.faults, &p->sim.sink_latency_ns);
        p->sink = web_create(o->sink, (size_t)o->sink_max_bytes, sink_answer, p->sim.sink, p->stop,
                             err);
        if (!p->sink)
            return -1;
    }
    p->api = web_create(o->listen, BODY_MAX, api_answer, &p->sim, p->stop, err);
    return p->api ? 0 : -1;
}

/* Whole or not at all, so that whoever waits for the file never reads half of it. */
static int write_ports(const struct program *p, const char *text, struct error *err)
{
    const char *path = p->options.ports_file;
    struct buf temporary = BUF_INIT(8192);
    buf_printf(&temporary, "%s.%ld", path, (long)getpid());
    FILE *file = fopen(buf_text(&temporary), "we");
    bool good = file && fputs(text, file) >= 0;
    good = file && fclose(file) == 0 && good;
    good = good && rename(buf_text(&temporary), path) == 0;
    buf_release(&temporary);
    return good ? 0 : error_set(err, ERR_STATE, "%s: %s", path, strerror(errno));
}

static int tell_ports(const struct program *p, struct error *err)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "api=%d\n", web_port(p->api));
    if (p->sink)
        snprintf(text + len, sizeof(text) - (size_t)len, "sink=%d\n", web_port(p->sink));
    fputs(text, stdout);
    fflush(stdout);
    return p->options.ports_file ? write_ports(p, text, err) : 0;
}

/* SIGSTOP and SIGCONT, a debugger or a frozen container interrupt a wait; they do not end it. */
static void wait_for_end(struct clock *clk, const sigset_t *signals, int64_t exit_after_ns)
{
    int64_t end_mono_ns = clock_mono_ns(clk) + exit_after_ns;
    int rc;
    do {
        int64_t left_ns = end_mono_ns - clock_mono_ns(clk);
        left_ns = left_ns > 0 ? left_ns : 0;
        struct timespec left = { (time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S) };
        rc = exit_after_ns == 0 ? sigwaitinfo(signals, NULL) : sigtimedwait(signals, NULL, &left);
    } while (rc < 0 && errno == EINTR);
}

static void finish(struct program *p)
{
    if (p->stop)
        stop_all(p->stop);
    web_destroy(p->api);
    web_destroy(p->sink);
    stop_destroy(p->stop);
    sink_destroy(p->sim.sink);
    traffic_destroy(p->sim.traffic);
    faults_destroy(p->sim.faults);
    words_destroy(p->words);
    free(p->sim.streams);
    free(p->sites);
}

static int run(struct program *p, struct error *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* in the servers' threads, too */
    signal(SIGPIPE, SIG_IGN);
    if (!platform_named(p->options.platform))
        return error_set(err, ERR_USAGE, "--platform: there is no %s", p->options.platform);
    sim_init(p);
    int rc = load_faults(p, err) || start(p, err) || tell_ports(p, err) ? -1 : 0;
    if (rc == 0)
        wait_for_end(&p->sim.clk, &signals, p->options.exit_after_ns);
    finish(p);
    return rc;
}

int main(int argc, char **argv)
{
    struct program p = { 0 };
    struct error err = { 0 };
    int rc = options_read(&p.options, argc, argv, &err);
    if (rc == 0 && p.options.help)
        options_help();
    else if (rc == 0)
        rc = run(&p, &err);
    if (rc)
        fprintf(stderr, "otlpull-sim: %s\n", err.text);
    return rc ? error_exit_code(err.kind) : 0;
}
