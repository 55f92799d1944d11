/* wire.c -- src/net/http.h without a wire: a request sets out, arrives, and is answered, each at
 * its moment of our time; or not. Linked in http.c's place. */
#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "net/http.h"

struct http {
    struct http_options options;
    bool connected;
    int64_t round_trip_ns;
};

enum fate_on_way { GOES, REFUSED_THERE, BREAKS_BEFORE, BREAKS_AFTER, CUT, SLOW };

/* One call under way. */
struct journey {
    struct process *p;
    struct clock *clk;
    enum fate_on_way fate;
    int64_t sent_ns, arrive_ns, answer_ns;
    int64_t give_up_ns, deadline_ns, stop_ns; /* when who waits no longer does */
    int64_t begun_ns;
    struct origin *asked;
    struct refusal_429 refusal;
    struct taken taken;
};

int http_global_init(struct error *err)
{
    (void)err;
    return 0;
}

void http_global_release(void)
{
}

struct http *http_create(const struct http_options *options)
{
    struct http *h = xcalloc(1, sizeof(*h));
    h->options = *options;
    return h;
}

void http_destroy(struct http *h)
{
    free(h);
}

/* As the configuration has it; all else is the platform's, whose log URLs may be on any host. */
static bool is_to_collector(const struct request *request)
{
    static const char endpoint[] = "http://127.0.0.1:4318";
    return strncmp(buf_text(&request->url), endpoint, sizeof(endpoint) - 1) == 0;
}

static bool in_spell(const struct spell *spells, size_t count, int64_t now, int kind)
{
    for (size_t i = 0; i < count; i++) {
        if (spells[i].kind == kind && now >= spells[i].from_mono_ns && now < spells[i].to_mono_ns)
            return true;
    }
    return false;
}

static enum fate_on_way fate_of(struct world *w, bool post)
{
    const struct plan *plan = &w->plan;
    int64_t now = tasks_mono_ns(w->tasks);
    bool down = !w->calm && (post ? in_spell(plan->collector_spells, plan->collector_spell_count,
                                             now, COLLECTOR_DOWN)
                                  : in_spell(plan->platform_spells, plan->platform_spell_count, now,
                                             PLATFORM_DOWN));
    if (down) {
        w->faults_in_run++;
        return REFUSED_THERE;
    }
    if (world_fault(w, post ? plan->post_faults : plan->api_faults))
        return (enum fate_on_way)rng_between(&w->faults, REFUSED_THERE, BREAKS_BEFORE);
    if (world_fault(w, post ? plan->lost_answers : plan->api_faults))
        return (enum fate_on_way)rng_between(&w->faults, BREAKS_AFTER, SLOW);
    return GOES;
}

/* When what happens, if nobody gives up before. */
static void plan_journey(struct journey *j, struct http *h)
{
    struct world *w = j->p->w;
    struct rng *r = &w->faults;
    int64_t now = tasks_mono_ns(w->tasks), connect_ns = 0;
    if (!h->connected) {
        h->round_trip_ns = rng_between(r, NS_PER_MS / 10,
                                       rng_percent(r, 90) ? 50 * NS_PER_MS : 300 * NS_PER_MS);
        connect_ns = 2 * h->round_trip_ns;
        if (!w->calm && rng_permille(r, w->plan.slow))
            connect_ns += rng_between(r, 0, 20 * NS_PER_S);
    }
    int64_t there_ns = rng_between(r, h->round_trip_ns / 4, h->round_trip_ns);
    int64_t think_ns = rng_between(r, NS_PER_MS, w->plan.latency_ns);
    if (!w->calm && rng_permille(r, w->plan.slow))
        think_ns += rng_between(r, 0, 10 * NS_PER_S);
    if (j->fate == SLOW)
        think_ns += 2 * HOUR;
    j->sent_ns = now + connect_ns;
    j->arrive_ns = j->sent_ns + there_ns;
    j->answer_ns = j->arrive_ns + think_ns + h->round_trip_ns / 4;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whether the caller still waits at that moment. */
static bool wait_until(struct journey *j, int64_t until_ns)
{
    struct tasks *t = j->p->w->tasks;
    for (;;) {
        int64_t now = tasks_mono_ns(t);
        if (j->p->killed || now >= least(j->give_up_ns, least(j->deadline_ns, j->stop_ns)))
            return false;
        if (now < j->p->stop_at_mono_ns && process_stopped(j->p, j->clk))
            return false; /* a child's stop: it has no grace */
        if (now >= until_ns)
            return true;
        int64_t end = least(until_ns, least(j->give_up_ns, least(j->deadline_ns, j->stop_ns)));
        tasks_wait(t, j->clk, end);
    }
}

static int left(const struct journey *j, struct error *err)
{
    int64_t now = tasks_mono_ns(j->p->w->tasks);
    if (j->p->killed || (now < j->give_up_ns && now < j->deadline_ns))
        return error_set(err, ERR_STOPPED, "stopped");
    if (j->give_up_ns <= j->deadline_ns)
        return error_set(err, ERR_RETRY, "no answer in time");
    return error_set(err, ERR_DEADLINE, "the deadline came first");
}

static void be_there(struct journey *j, const struct request *request, struct reply *out)
{
    if (is_to_collector(request))
        collector_answer(j->p, request, out, &j->taken);
    else
        j->asked = platform_answer(j->p, request, j->begun_ns, out, &j->refusal);
}

/* Whoever asked no longer waits: what was on its way may arrive all the same. */
static int abandon(struct journey *j, const struct request *request, struct reply *out,
                   struct error *err)
{
    int64_t now = tasks_mono_ns(j->p->w->tasks);
    out->answered_mono_ns = now;
    left(j, err);
    if (now >= j->sent_ns && j->fate != BREAKS_BEFORE && rng_percent(&j->p->w->faults, 50))
        be_there(j, request, out);
    return -1;
}

static int travel(struct journey *j, struct http *h, const struct request *request,
                  struct reply *out, struct error *err)
{
    if (j->fate == REFUSED_THERE) {
        wait_until(j, least(j->sent_ns, tasks_mono_ns(j->p->w->tasks) + h->round_trip_ns));
        return error_set(err, ERR_RETRY, "no connection");
    }
    if (!wait_until(j, j->sent_ns))
        return abandon(j, request, out, err);
    if (request->send_before_mono_ns && j->sent_ns > request->send_before_mono_ns)
        return error_set(err, ERR_RETRY, "connecting took longer than a permit for a call lasts");
    h->connected = true;
    out->sent_mono_ns = j->sent_ns;
    if (!wait_until(j, j->arrive_ns))
        return abandon(j, request, out, err);
    if (j->fate != BREAKS_BEFORE)
        be_there(j, request, out);
    if (!process_lives(j->p, true) || !wait_until(j, j->answer_ns))
        return left(j, err);
    if (j->fate == GOES || (j->fate == CUT && h->options.status_suffices))
        return 0;
    h->connected = false;
    return error_set(err, ERR_RETRY, "the connection broke");
}

static void begin_reply(struct reply *out, const struct peer_config *peer)
{
    struct buf body = out->body;
    *out = (struct reply){ .body = body };
    buf_reset(&out->body);
    out->body.max = peer->max_response_bytes;
}

int http_send(struct http *h, const struct request *request, struct reply *out,
              int64_t deadline_mono_ns, struct error *err)
{
    struct process *p = process_of(h->options.clk);
    struct journey j = { .p = p, .clk = h->options.clk, .deadline_ns = deadline_mono_ns };
    int64_t now = tasks_mono_ns(p->w->tasks);
    begin_reply(out, h->options.peer);
    if (!process_lives(p, false))
        return error_set(err, ERR_STOPPED, "killed");
    j.begun_ns = now;
    j.give_up_ns = h->options.peer->timeout_ns ? now + h->options.peer->timeout_ns : TIME_FOREVER;
    j.stop_ns = time_add(p->stop_at_mono_ns, h->options.stop_grace_ns);
    j.fate = fate_of(p->w, is_to_collector(request));
    plan_journey(&j, h);
    int rc = travel(&j, h, request, out, err);
    out->answered_mono_ns = tasks_mono_ns(p->w->tasks);
    if (out->sent_mono_ns == 0)
        out->sent_mono_ns = out->answered_mono_ns;
    out->round_trip_ns = h->round_trip_ns;
    if (j.asked && p->w->plan.dated && (rc == 0 || j.fate == CUT)) /* its head came */
        out->date_unix_ns = world_unix_ns(p->w) / NS_PER_S * NS_PER_S;
    if (rc) {
        p->w->faults_in_run++;
        world_say(p->w, "run %d: ... no answer: %s", p->number, err->text);
        out->status = 0;
        h->connected = false;
    } else if (j.asked && out->status == 429)
        platform_heard(p, j.asked, &j.refusal);
    if (rc == 0 && j.asked)
        j.asked->answered = true;
    collector_heard(p->w, &j.taken, rc == 0);
    return rc;
}
