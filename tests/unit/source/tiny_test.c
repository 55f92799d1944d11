/* tiny_test.c -- a whole platform that there is not: all that a source must have and no more, alone
 * and in the real line from window to checkpoint.
 *
 * GET /logs?app=NAME&since=N with X-Key gives some of the lines numbered above N, in order, and
 * whether there are more. It cannot be asked by time: a first reading goes through all there is. */
#include "source/source.h"

#include <stdlib.h>

#include "base/jread.h"
#include "limiter.h"
#include "net/http.h"
#include "pull.h"
#include "source/edge.h"
#include "source/entry.h"
#include "tests/unit/source/pull_case.h"
#include "tests/unit/world.h"

/* ---- the platform ------------------------------------------------------------------------------
 */

enum { APP, KEY };

static const struct field fields[] = {
    [APP] = { .name = "app",
              .kind = FIELD_STRING,
              .required = true,
              .resource = "tiny.app",
              .help = "the app's name" },
    [KEY] = { .name = "key",
              .kind = FIELD_STRING,
              .required = true,
              .secret = true,
              .help = "key that may read its logs" },
    { .name = NULL },
};

/* " LAST": the line to go on behind. " LAST FLOOR": so far into all there is, of which nothing
 * older than FLOOR is wanted; what comes after it is, however old. */
struct place {
    int64_t last, floor_unix_ns;
};

static int place_read(const struct ask *ask, struct place *out, struct error *err)
{
    struct bytes text = ask->at;
    *out = (struct place){ 0, text.len == 0 ? ask->span.start_unix_ns : 0 };
    bool is_ours = text.len == 0 || edge_take(&text, &out->last);
    if (!is_ours || (text.len > 0 && !edge_take(&text, &out->floor_unix_ns)) || text.len > 0)
        return error_set(err, ERR_INPUT, "place: not one of ours");
    return 0;
}

static int tiny_request(const struct stream *st, const struct ask *ask, struct request *out,
                        struct error *err)
{
    struct place place;
    char since[24];
    if (place_read(ask, &place, err))
        return -1;
    snprintf(since, sizeof(since), "%lld", (long long)place.last);
    buf_append_text(&out->url, st->endpoint);
    request_path(out, "logs");
    request_query(out, "app", bytes_of(st->settings[APP].text));
    request_query(out, "since", bytes_of(since));
    request_header(out, "X-Key", st->settings[KEY].text);
    out->accept = "application/json";
    return out->url.full ? error_set(err, ERR_CONFIG, "app: too long for a URL") : 0;
}

/* The number is in the record, so that a twin is no line that is read again. */
static void write_line(struct json_object *line, int64_t n, int64_t unix_ns, struct page *out)
{
    struct bytes text = BYTES(""), host = BYTES("");
    jread_is_text(jread_member(line, "text"), &text);
    jread_is_text(jread_member(line, "host"), &host);
    const struct resource_value instance = { "service.instance.id", host, false };
    entry_begin(out, unix_ns);
    entry_body(out, text);
    entry_int(out, "tiny.n", n);
    entry_end(out, page_resource(out, &instance, 1));
}

/* `last` becomes the number of the last line. */
static int read_lines(struct json_object *lines, const struct place *from, int64_t *last,
                      struct page *out, struct error *err)
{
    if (!jread_is_array(lines))
        return error_set(err, ERR_INPUT, "lines: not an array");
    for (size_t i = 0; i < jread_count(lines); i++) {
        struct json_object *line = jread_at(lines, i);
        int64_t n, unix_ns = 0;
        if (!jread_int(line, "n", &n) || n <= *last)
            return error_set(err, ERR_INPUT, "lines[%zu]: n: no number above the last", i);
        *last = n;
        if (!jread_time(line, "at", &unix_ns) || unix_ns >= from->floor_unix_ns)
            write_line(line, n, unix_ns, out);
    }
    return page_finish(out, err);
}

static int tiny_decode(const struct stream *st, const struct ask *ask, struct bytes frame,
                       struct page *out, struct error *err)
{
    struct place place;
    (void)st;
    page_reset(out);
    if (place_read(ask, &place, err))
        return -1;
    int64_t last = place.last;
    struct json_object *answer = frame.len > 0 ? jread_parse(frame, err) : NULL;
    int rc = frame.len > 0 && !answer ? -1 : 0;
    if (answer)
        rc = read_lines(jread_member(answer, "lines"), &place, &last, out, err);
    jread_bool(answer, "more", &out->next.more);
    jread_release(answer);
    if (rc)
        return -1;
    buf_printf(&out->next.text, " %lld", (long long)last);
    if (out->next.more && place.floor_unix_ns > 0)
        buf_printf(&out->next.text, " %lld", (long long)place.floor_unix_ns);
    return 0;
}

static const struct source tiny = {
    .name = "tiny",
    .summary = "lines with numbers",
    .fields = fields,
    .endpoint = "https://tiny.example.com",
    .service_name = APP,
    .budget = APP,
    .limits = { .calls = 60, .period_ns = 60 * NS_PER_S, .wait_ns = 10 * NS_PER_S },
    .tails = true,
    .request = tiny_request,
    .decode = tiny_decode,
};

/* ---- its two functions -------------------------------------------------------------------------
 */

#define ENDPOINT "https://tiny.example.com"
#define START    INT64_C(1762927200000000000) /* 2025-11-12T06:00:00Z */
#define FLOOR    " 1762927200000000000"

static void setup(struct pull_case *c, const char *at)
{
    case_setup(c, &tiny, (struct span){ START, START + 3600 * NS_PER_S });
    c->st.endpoint = ENDPOINT;
    c->settings[APP].text = "my shop";
    c->settings[KEY].text = "secret";
    buf_append_text(&c->at, at);
}

static void test_requests(void **state)
{
    static const struct {
        const char *name, *at, *since;
    } rows[] = {
        { "from the beginning", "", "0" },
        { "from a place", " 7", "7" },
        { "amid a first reading", " 12" FLOOR, "12" },
        { "as far as numbers go", " 9223372036854775807", "9223372036854775807" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        struct buf want = BUF_INIT(1000);
        setup(&c, rows[i].at);
        check_row(rows[i].name);
        check_i64(case_request(&c), 0);
        buf_printf(&want, ENDPOINT "/logs?app=my%%20shop&since=%s", rows[i].since);
        check_bytes(buf_bytes(&c.request.url), buf_bytes(&want));
        check_text(c.request.accept, "application/json");
        check_i64(c.request.headers.count, 1);
        check_text(c.request.headers.items[0].key, "X-Key");
        check_text(c.request.headers.items[0].value, "secret");
        buf_release(&want);
        case_teardown(&c);
    }
}

static void test_bad_places(void **state)
{
    static const char *const rows[] = { "7",      "x",     " ",
                                        " 7 ",    " 7x",   " -7",
                                        " 7 8 9", " 7 8x", " 9223372036854775808" };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c, rows[i]);
        check_row(rows[i]);
        check_i64(case_request(&c), -1);
        check_i64(c.err.kind, ERR_INPUT);
        check_i64(case_decode(&c, BYTES("{\"lines\":[]}")), -1);
        check_text(c.err.text, "place: not one of ours");
        case_teardown(&c);
    }
}

#define LINES(lines) "{\"lines\":[" lines "],\"more\":false}"
#define MORE(lines)  "{\"more\":true,\"lines\":[" lines "]}"
#define OLD(n)       "{\"n\":" #n ",\"at\":\"2025-11-12T05:59:59.999Z\"}"
#define NEW(n)       "{\"n\":" #n ",\"at\":\"2025-11-12T06:00:00Z\"}"
#define LATE(n)      "{\"n\":" #n ",\"at\":\"2025-11-12T08:00:00Z\"}"

static void test_decode(void **state)
{
    static const struct {
        const char *name, *at, *frame, *numbers, *next;
        bool more;
    } rows[] = {
        { "all there is", "", LINES(NEW(1) "," NEW(2)), " 1 2", " 2", false },
        { "and more", "", MORE(NEW(1) "," NEW(3)), " 1 3", " 3" FLOOR, true },
        { "none at all", "", LINES(""), "", " 0", false },
        { "no content", "", "", "", " 0", false },
        { "none since", " 7", LINES(""), "", " 7", false },
        { "no content since", " 7", "", "", " 7", false },
        { "old ones at the beginning", "", MORE(OLD(1) "," NEW(2)), " 2", " 2" FLOOR, true },
        { "nothing but old ones", "", MORE(OLD(1)), "", " 1" FLOOR, true },
        { "on the way from there", " 2" FLOOR, MORE(OLD(3) "," NEW(4)), " 4", " 4" FLOOR, true },
        { "at its end", " 2" FLOOR, LINES(OLD(3) "," NEW(4)), " 4", " 4", false },
        { "old ones in a later run", " 7", MORE(OLD(8) "," NEW(9)), " 8 9", " 9", true },
        { "later than the span", " 7", LINES(LATE(8)), " 8", " 8", false },
        { "no time", "", LINES("{\"n\":1},{\"n\":2,\"at\":\"noon\"},{\"n\":3,\"at\":null}"),
          " 1 2 3", " 3", false },
        { "members of later versions", " 7",
          "{\"x\":[{}],\"lines\":[{\"y\":{\"n\":1},\"n\":8}],\"lines_left\":9}", " 8", " 8",
          false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        struct buf got = BUF_INIT(1000);
        setup(&c, rows[i].at);
        check_row(rows[i].name);
        check_i64(case_decode(&c, bytes_of(rows[i].frame)), 0);
        for (size_t r = 0; r < c.page.count; r++) {
            const char *number = strstr(c.page.records[r].text, "\"intValue\":\"");
            assert_non_null(number);
            number += strlen("\"intValue\":\"");
            buf_printf(&got, " %.*s", (int)strcspn(number, "\""), number);
        }
        check_text(buf_text(&got), rows[i].numbers);
        check_bytes(buf_bytes(&c.page.next.text), bytes_of(rows[i].next));
        check_i64(c.page.next.more, rows[i].more);
        buf_release(&got);
        case_teardown(&c);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *frame, *words;
    } rows[] = {
        { "{", NULL },
        { "[]", NULL },
        { "{\"lines\":[]}x", NULL },
        { "{\"more\":false}", "lines: not an array" },
        { "{\"lines\":{}}", "lines: not an array" },
        { LINES("7"), "lines[0]: n: no number above the last" },
        { LINES(NEW(8) ",{\"text\":\"secret\"}"), "lines[1]: n: no number above the last" },
        { LINES(NEW(8) "," NEW(8)), "lines[1]: n: no number above the last" },
        { LINES(NEW(7)), "lines[0]: n: no number above the last" },
        { LINES(NEW(9) "," NEW(8)), "lines[1]: n: no number above the last" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c, " 7");
        check_row(rows[i].frame);
        check_i64(case_decode(&c, bytes_of(rows[i].frame)), -1);
        check_i64(c.err.kind, ERR_INPUT);
        if (rows[i].words)
            check_text(c.err.text, rows[i].words);
        case_teardown(&c);
    }
}

#define HOST(name) "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"" name "\"}}"
#define RECORD(time, text, n)                                                                      \
    "{\"timeUnixNano\":\"" time "\",\"body\":{\"stringValue\":\"" text                             \
    "\"},\"attributes\":[{\"key\":\"tiny.n\",\"value\":{\"intValue\":\"" n "\"}}]}"

static void test_records(void **state)
{
    struct pull_case c;
    (void)state;
    setup(&c, "");
    check_i64(case_decode(&c, BYTES(LINES("{\"n\":7,\"at\":\"2026-11-12T07:00:01.250Z\","
                                          "\"text\":\"hi\",\"host\":\"a\"},"
                                          "{\"n\":8,\"text\":\"caf\\u00e9 \\\"x\\\"\"}"))),
              0);
    case_check_record(&c, 0, HOST("a"), RECORD("1794466801250000000", "hi", "7"));
    case_check_record(&c, 1, "", RECORD("0", "caf\xc3\xa9 \\\"x\\\"", "8"));
    case_teardown(&c);
}

/* ---- the line ----------------------------------------------------------------------------------
 */

#define PAGE_LINES 3
#define SHOP       ENDPOINT "/logs?app=shop&since="
#define COLLECTOR  "http://collector/v1/logs"

struct tiny_line {
    const char *time, *host, *text; /* the time on a day */
};

/* The platform and the collector, in http.c's place. */
static struct {
    const struct tiny_line *lines; /* numbered from 1 */
    size_t count;
    int64_t no_since; /* who asks for what is behind this one gets `no_status`; 0: nobody */
    int no_status;
    struct buf asked;     /* " SINCE" of each call */
    struct buf delivered; /* of each resource "|HOST TEXT TEXT" */
    struct buf body;      /* the last */
} wire;

static void answer_lines(int64_t since, struct buf *out)
{
    size_t i = (size_t)since;
    buf_append_text(out, "{\"lines\":[");
    for (size_t end = i + PAGE_LINES; i < wire.count && i < end; i++)
        buf_printf(out, "%s{\"n\":%zu,\"at\":\"2025-11-12T%sZ\",\"text\":\"%s\",\"host\":\"%s\"}",
                   i > (size_t)since ? "," : "", i + 1, wire.lines[i].time, wire.lines[i].text,
                   wire.lines[i].host);
    buf_printf(out, "],\"more\":%s}", i < wire.count ? "true" : "false");
}

static int answer_get(const struct request *r, struct buf *out)
{
    const char *url = buf_text(&r->url);
    if (r->headers.count != 1 || strcmp(r->headers.items[0].key, "X-Key") != 0 ||
        strcmp(r->headers.items[0].value, "secret") != 0)
        return 403;
    if (strncmp(url, SHOP, strlen(SHOP)) != 0)
        return 404;
    int64_t since = strtoll(url + strlen(SHOP), NULL, 10);
    buf_printf(&wire.asked, " %lld", (long long)since);
    if (wire.no_since > 0 && since == wire.no_since)
        return wire.no_status;
    answer_lines(since, out);
    return 200;
}

static void take_post(struct bytes body)
{
    static const struct {
        const char *mark, *shown;
        bool with_text;
    } marks[] = {
        { "{\"resource\":", "|", false },
        { "\"service.instance.id\",\"value\":{\"stringValue\":\"", "", true },
        { "\"body\":{\"stringValue\":\"", " ", true },
    };
    buf_reset(&wire.body);
    buf_append_bytes(&wire.body, body);
    for (const char *at = buf_text(&wire.body); *at; at++) {
        for (size_t i = 0; i < COUNT(marks); i++) {
            size_t len = strlen(marks[i].mark);
            if (strncmp(at, marks[i].mark, len) != 0)
                continue;
            buf_append_text(&wire.delivered, marks[i].shown);
            if (marks[i].with_text)
                buf_append(&wire.delivered, at + len, strcspn(at + len, "\""));
        }
    }
}

/* All of http.h: a name that is missing would bring http.c itself in. */
int http_global_init(struct error *err)
{
    (void)err;
    return 0;
}

void http_global_release(void)
{
}

struct http_keep *http_keep_create(void)
{
    return NULL;
}

void http_keep_destroy(struct http_keep *k)
{
    (void)k;
}

struct http *http_create(const struct http_options *options)
{
    (void)options;
    return NULL;
}

void http_destroy(struct http *h)
{
    (void)h;
}

int http_send(struct http *h, const struct request *request, struct reply *out,
              int64_t deadline_mono_ns, struct error *err)
{
    (void)h;
    (void)deadline_mono_ns;
    (void)err;
    out->body.max = 65536;
    buf_reset(&out->body);
    out->sent_mono_ns = out->answered_mono_ns = 1;
    out->status = 200;
    if (!request->body.data)
        out->status = answer_get(request, &out->body);
    else
        take_post(request->body);
    return 0;
}

static int play_begin(void **state)
{
    memset(&wire, 0, sizeof(wire));
    wire.asked.max = wire.delivered.max = wire.body.max = 65536;
    return world_make(state);
}

static int play_end(void **state)
{
    buf_release(&wire.asked);
    buf_release(&wire.delivered);
    buf_release(&wire.body);
    return world_remove(state);
}

#define PLAYED(test) cmocka_unit_test_setup_teardown(test, play_begin, play_end)

/* One run, a minute after the one before, with so many of the platform's lines there. Its result,
 * or the kind of its error. */
static int run(struct world *w, size_t count, struct pull_result *out)
{
    static const struct setting settings[] = {
        [APP] = { .set = true, .text = "shop" }, [KEY] = { .set = true, .text = "secret" }
    };
    static const struct retry_config retry = { NS_PER_S, NS_PER_S, 60 * NS_PER_S, 1.0, 0.0 };
    struct source_config source = {
        .stream = { .name = "s", .type = &tiny, .endpoint = ENDPOINT, .settings = settings },
        .retry = retry,
        .rate = { 60, 60 * NS_PER_S },
        .budget_key = "tiny shop",
        .window_ns = INT64_MAX,
        .lookback_ns = 3600 * NS_PER_S,
        .lag_ns = 10 * NS_PER_S,
        .overlap_ns = 60 * NS_PER_S,
        .scope_name = "otlpull",
    };
    struct config config = { .exporter = { .url = COLLECTOR,
                                           .retry = retry,
                                           .max_batch_records = 100,
                                           .max_batch_bytes = 65536 } };
    struct diag diag = { .level = DIAG_ERROR, .fd = 2, .clk = &w->fake.clk };
    struct pull pull = {
        &config, w->store, &w->fake.clk, &diag, TIME_FOREVER, TIME_FOREVER, false
    };
    struct limiter *limiter = limiter_create(w->store, &w->fake.clk, source.budget_key,
                                             source.rate.calls, source.rate.period_ns);
    struct error err = { 0 };
    struct export ex;
    atomic_bool accepted = false;
    fake_sleep(&w->fake.clk, w->fake.mono_ns + 60 * NS_PER_S);
    wire.count = count;
    buf_reset(&wire.asked);
    buf_reset(&wire.delivered);
    export_init(&ex, &config.exporter, NULL, &w->fake.clk, &accepted);
    int rc = pull_source(&pull, &source, limiter, &ex, out, &err);
    export_release(&ex);
    check_i64(rc, err.kind ? -1 : 0);
    if (err.kind)
        print_message("%s\n", err.text);
    rc = (int)err.kind;
    check_i64(limiter_close(limiter, &err), 0);
    return rc;
}

/* The first run is at 07:01:00 and looks back an hour, less the millisecond that windows share. */
static const struct tiny_line played[] = {
    { "06:00:59.998", "a", "old" }, { "06:30:00", "a", "one" },   { "07:00:30", "b", "two" },
    { "07:00:31", "a", "twin" },    { "06:00:00", "a", "older" }, { "07:00:31", "a", "twin" },
    { "07:00:58", "b", "three" },   { "07:00:31", "a", "twin" },  { "05:00:00", "b", "late" },
    { "07:01:30", "a", "four" },
};

static void each_line_is_delivered_once(void **state)
{
    static const struct {
        size_t count;
        const char *asked, *delivered;
    } runs[] = {
        { 7, " 0 3 6", "|a one twin twin|b two three" },
        { 10, " 7", "|a twin four|b late" }, /* the order is that of resources' first lines */
        { 10, " 10", "" },
        { 10, " 10", "" },
    };
    struct world *w = *state;
    for (size_t i = 0; i < COUNT(runs); i++) {
        struct pull_result result;
        check_row(runs[i].asked);
        wire.lines = played;
        check_i64(run(w, runs[i].count, &result), ERR_NONE);
        check_text(buf_text(&wire.asked), runs[i].asked);
        check_text(buf_text(&wire.delivered), runs[i].delivered);
        check_i64(result.counts.duplicates, 0);
        check_i64(result.counts.windows, 1);
    }
}

/* It fails amid the first reading, which the next run then goes on with. */
static void a_reading_is_gone_on_with(void **state)
{
    struct world *w = *state;
    struct pull_result result;
    wire.lines = played;
    wire.no_since = 3;
    wire.no_status = 403;
    check_i64(run(w, 7, &result), ERR_AUTH);
    check_text(buf_text(&wire.asked), " 0 3");
    check_text(buf_text(&wire.delivered), "|a one|b two");
    wire.no_since = 0;
    check_i64(run(w, 7, &result), ERR_NONE);
    check_text(buf_text(&wire.asked), " 3 6 7"); /* the last is of the minute since */
    check_text(buf_text(&wire.delivered), "|a twin twin|b three");
}

/* A place that the platform does not know any more: by time alone, and what was sent is known. */
static void a_refused_place_costs_nothing(void **state)
{
    struct world *w = *state;
    struct pull_result result;
    wire.lines = played;
    check_i64(run(w, 7, &result), ERR_NONE);
    wire.no_since = 7;
    wire.no_status = 410;
    check_i64(run(w, 10, &result), ERR_NONE);
    check_text(buf_text(&wire.asked), " 7 0 3 6 9");
    check_text(buf_text(&wire.delivered), "|a twin four");
    check_i64(result.counts.duplicates, 4);
}

#define RESOURCE(host, records)                                                                    \
    "{\"resource\":{\"attributes\":[" HOST(                                                        \
        host) "]},\"scopeLogs\":[{\"scope\":{\"name\":\"otlpull\"},\"logRecords\":[" records       \
              "]}]}"

static void hosts_are_resources(void **state)
{
    static const struct tiny_line lines[] = { { "07:00:01", "a", "x" }, { "07:00:02", "b", "y" } };
    struct pull_result result;
    wire.lines = lines;
    check_i64(run(*state, COUNT(lines), &result), ERR_NONE);
    check_bytes(
        buf_bytes(&wire.body),
        BYTES("{\"resourceLogs\":[" RESOURCE(
            "a", RECORD("1762930801000000000", "x",
                        "1")) "," RESOURCE("b", RECORD("1762930802000000000", "y", "2")) "]}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),   cmocka_unit_test(test_bad_places),
        cmocka_unit_test(test_decode),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_records),    PLAYED(each_line_is_delivered_once),
        PLAYED(a_reading_is_gone_on_with), PLAYED(a_refused_place_costs_nothing),
        PLAYED(hosts_are_resources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
