#include "tests/unit/source/pull_case.h"

#include "base/timefmt.h"

/* As the fields of nodion stand. */
enum { APPLICATION_ID, API_KEY, INSTANCE_ID, PROJECT, LIMIT };

#define START INT64_C(1762930800000000000) /* 2025-11-12T07:00:00Z */
#define HOUR  (3600 * NS_PER_S)
#define MS(n) (START + (n)*NS_PER_MS)
#define LOGS  "https://api.example.com/v1/applications/app%201/logs?limit="
#define HOUR_ASKED                                                                                 \
    "&after=2025-11-12T06%3A59%3A59.999Z"                                                          \
    "&before=2025-11-12T08%3A00%3A00.000Z"

static const struct span hour = { START, START + HOUR };

static void setup(struct pull_case *c)
{
    case_setup(c, &source_nodion, hour);
    c->settings[APPLICATION_ID].text = "app 1";
    c->settings[API_KEY].text = "secret";
    c->settings[LIMIT].number = 2500;
}

static const char *header(const struct request *r, const char *key)
{
    for (size_t i = 0; i < r->headers.count; i++) {
        if (strcmp(r->headers.items[i].key, key) == 0)
            return r->headers.items[i].value;
    }
    return NULL;
}

static void test_requests(void **state)
{
    static const struct {
        const char *name, *at, *instance, *project;
        int64_t limit;
        struct span span;
        const char *want;
    } rows[] = {
        { "plain", "", NULL, NULL, 2500, { START, START + HOUR }, LOGS "2500" HOUR_ASKED },
        { "ends inside a millisecond",
          "",
          "",
          "",
          7,
          { START + 1, START + HOUR - 1 },
          LOGS "7" HOUR_ASKED },
        { "filters",
          "",
          "i&1",
          "p",
          7,
          { START, START + HOUR },
          LOGS "7" HOUR_ASKED "&instance_id=i%261" },
        { "the last stretch",
          "t 0 1 1762930800010 1762930800020",
          NULL,
          NULL,
          7,
          { START, START + HOUR },
          LOGS "7&after=2025-11-12T07%3A00%3A00.009Z&before=2025-11-12T07%3A00%3A00.020Z" },
        { "a few between two",
          "? 3 1762930800000 1762930800011 1762930800019 1762934400000",
          NULL,
          NULL,
          7,
          { START, START + HOUR },
          LOGS "3&after=2025-11-12T07%3A00%3A00.009Z&before=2025-11-12T07%3A00%3A00.020Z" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].name);
        c.ask.span = rows[i].span;
        c.settings[INSTANCE_ID].text = rows[i].instance;
        c.settings[PROJECT].text = rows[i].project;
        c.settings[LIMIT].number = rows[i].limit;
        buf_append_text(&c.at, rows[i].at);
        check_i64(case_request(&c), 0);
        check_text(buf_text(&c.request.url), rows[i].want);
        check_text(c.request.accept, "application/json");
        check_text(c.request.bearer, "secret");
        bool project = rows[i].project && rows[i].project[0];
        check_i64(c.request.headers.count, project);
        if (project)
            check_text(header(&c.request, "X-Nodion-Project"), "p");
        case_teardown(&c);
    }
}

static void test_bad_cursors(void **state)
{
    static const char *const rows[] = {
        "x",
        "u",
        "h 1",
        "h 1 1",
        "h 2 1",
        "h 1 2 3",
        "h 1 2 ",
        "h  1 2",
        "h -1 2",
        "h 1 2a",
        "h 1 99999999999999",
        "? 1 2",
        "? 0 1 5 9 20",
        "? 1 1 5 4 9",
        "? 1 1 5 4 9 10 11",
        "? 1 1 9 5 20",
        "h 1 99999999999999999999",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i]);
        buf_append_text(&c.at, rows[i]);
        check_i64(case_request(&c), -1);
        check_i64(c.err.kind, ERR_INPUT);
        check_i64(case_decode(&c, BYTES("{\"logs\":[]}")), -1);
        case_teardown(&c);
    }
    struct pull_case c;
    setup(&c);
    check_row("more stretches than can be");
    buf_append_text(&c.at, "b");
    for (int i = 0; i < 64; i++)
        buf_append_text(&c.at, " 1 2");
    check_i64(case_request(&c), -1);
    case_teardown(&c);
}

/* What the application is called is asked for where the configuration does not say. */
static void test_service(void **state)
{
    static const struct {
        const char *name;
        bool named;
        const char *frame, *session, *resource;
    } rows[] = {
        { "named in the configuration", true, NULL, "",
          "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i\"}}" },
        { "a name and a region", false,
          "{\"application\":{\"id\":1,\"region\":{\"slug\":\"de\"},\"name\":\"caf\\u00e9\"}}",
          "de\ncaf\xc3\xa9",
          "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i\"}},"
          "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"caf\xc3\xa9\"}},"
          "{\"key\":\"cloud.region\",\"value\":{\"stringValue\":\"de\"}}" },
        { "no name", false, "{\"application\":{\"name\":null,\"region\":null}}", "\n",
          "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i\"}},"
          "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"app 1\"}}" },
        { "nothing at all", false, "", "\n",
          "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i\"}},"
          "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"app 1\"}}" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        struct buf session = BUF_INIT(65536);
        setup(&c);
        check_row(rows[i].name);
        c.st.service_named = rows[i].named;
        check_i64(source_nodion.prepare(&c.st, &c.ask, &c.request, &c.err), 0);
        check_text(buf_text(&c.request.url),
                   rows[i].named ? "" : "https://api.example.com/v1/applications/app%201");
        if (rows[i].frame)
            check_i64(
                source_nodion.prepared(&c.st, &c.ask, bytes_of(rows[i].frame), &session, &c.err),
                0);
        check_text(buf_text(&session), rows[i].session);
        c.ask.session = buf_bytes(&session);
        request_reset(&c.request);
        check_i64(source_nodion.prepare(&c.st, &c.ask, &c.request, &c.err), 0);
        check_i64(c.request.url.len, 0);
        check_i64(case_decode(&c, BYTES("{\"logs\":[{\"ts\":\"2025-11-12T07:00:00Z\",\"msg\":\"m\","
                                        "\"instance_id\":\"i\"}]}")),
                  0);
        case_check_record(&c, 0, rows[i].resource,
                          "{\"timeUnixNano\":\"1762930800000000000\",\"body\":{\"stringValue\":"
                          "\"m\"}}");
        buf_release(&session);
        case_teardown(&c);
    }
}

static void test_service_refused(void **state)
{
    static const char *const rows[] = { "[]", "{", "{}x", "7" };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        struct buf session = BUF_INIT(65536);
        setup(&c);
        check_row(rows[i]);
        check_i64(source_nodion.prepared(&c.st, &c.ask, bytes_of(rows[i]), &session, &c.err), -1);
        check_i64(c.err.kind, ERR_INPUT);
        buf_release(&session);
        case_teardown(&c);
    }
}

#define INSTANCE_A                                                                                 \
    "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"aaaaaaaa-bbbb-4ccc-8ddd-"       \
    "eeeeeeeeeeee\"}}"
#define WEB_1 "\"attributes\":[{\"key\":\"nodion.process\",\"value\":{\"stringValue\":\"web.1\"}}]"

static void test_sample_page(void **state)
{
    struct pull_case c;
    struct buf frame = BUF_INIT(65536);
    (void)state;
    setup(&c);
    c.st.service_named = true;
    c.ask.span = (struct span){ INT64_C(1794466800) * NS_PER_S, INT64_C(1794470400) * NS_PER_S };
    case_load("tests/data/nodion_page.json", &frame);
    check_i64(case_decode(&c, buf_bytes(&frame)), 0);
    check_i64(c.page.count, 4);
    check_i64(c.page.next.more, false);
    case_check_record(&c, 0, INSTANCE_A,
                      "{\"timeUnixNano\":\"1794466801015000000\",\"body\":{\"stringValue\":"
                      "\"[web.1] ready on 3000\"}," WEB_1 "}");
    case_check_record(&c, 1, INSTANCE_A,
                      "{\"timeUnixNano\":\"1794466801015000000\",\"body\":{\"stringValue\":"
                      "\"[web.1] GET /health 200 caf\xc3\xa9\"}," WEB_1 "}");
    case_check_record(&c, 2,
                      "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":"
                      "\"bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee\"}}",
                      "{\"timeUnixNano\":\"1794466802000000000\",\"body\":{\"stringValue\":"
                      "\"no tag \\\"here\\\"\"}}");
    case_check_record(&c, 3, "",
                      "{\"timeUnixNano\":\"1794466802500000000\",\"body\":{\"stringValue\":"
                      "\"[1.2] neither is this\"}}");
    buf_release(&frame);
    case_teardown(&c);
}

/* Messages of "A B C": an entry each, "MS" its millisecond past the start. */
static void frame_of(const char *times, const char *end, struct buf *out)
{
    char date[TIMEFMT_MAX];
    buf_append_text(out, "{\"logs\":[");
    for (const char *at = times; *at; at += strspn(at, " ")) {
        char *stop;
        int64_t ms = strtol(at, &stop, 10);
        timefmt_rfc3339(MS(ms), 3, date);
        buf_printf(out, "%s{\"ts\":\"%s\",\"msg\":\"%lld\"}", at == times ? "" : ",", date,
                   (long long)ms);
        at = stop;
    }
    buf_printf(out, "]%s}", end);
}

static void check_yielded(const struct pull_case *c, const char *want)
{
    struct buf got = BUF_INIT(4096);
    for (size_t i = 0; i < c->page.count; i++) {
        uint64_t unix_ns = 0;
        otlp_record_time(&c->page.records[i], OTLP_TIME, &unix_ns);
        buf_printf(&got, "%s%lld", i ? " " : "",
                   (long long)(((int64_t)unix_ns - START) / NS_PER_MS));
    }
    check_text(buf_text(&got), want);
    buf_release(&got);
}

/* Of a window of 100 ms; cursors are told in milliseconds from its start. */
static void test_cuts(void **state)
{
    static const struct {
        const char *name, *at, *times, *end, *yielded, *next;
        int64_t lost_ms; /* -1: none */
    } rows[] = {
        { "not full", "", "0 5 99", "", "0 5 99", "", -1 },
        { "out of the window", "", "-1 100", "", "", "", -1 },
        { "full: between its ends", "", "3 5 9 9", "", "5", "? 2 9 100 0 4", -1 },
        { "full by the answer's own limit", "", "3 5 9", ",\"limit\":3", "5", "? 2 9 100 0 4", -1 },
        { "the answer's limit is higher", "", "3 5 9 9", ",\"limit\":200", "5", "? 2 9 100 0 4",
          -1 },
        { "in any order", "", "9 3 9 5", "", "5", "? 2 9 100 0 4", -1 },
        { "the later is the narrower", "", "70 75 90 91", "", "75 90", "? 2 0 71 91 100", -1 },
        { "full of one millisecond", "", "7 7 7 7", "", "7 7 7 7", "u 8 100 0 7", 7 },
        { "full of the first one", "", "0 0 0 0", "", "0 0 0 0", "u 1 100", 0 },
        { "oldest kept", "? 3 0 4 9 100", "3 5 5", "", "3", "h 9 100", -1 },
        { "oldest kept, but no more than the first", "? 3 0 4 9 100", "3 3 3", "", "",
          "h 9 100 3 4", -1 },
        { "newest kept", "? 3 0 4 9 100", "6 9 9", "", "9 9", "t 0 4", -1 },
        { "newest kept, but no more than the last", "? 3 0 4 9 100", "9 9 9", "", "", "t 0 4 9 10",
          -1 },
        { "newest kept, the later first", "? 3 91 100 0 71", "91 91 80", "", "91 91", "t 0 71",
          -1 },
        { "undecided", "? 3 0 4 9 100", "3 9", "", "", "b 0 4 9 100", -1 },
        { "undecided, too", "? 3 0 4 9 100", "5", "", "", "b 0 4 9 100", -1 },
        { "not cut", "? 3 0 4 9 100", "3 3", "", "", "b 0 4 9 100", -1 },
        { "gone", "? 3 0 4 9 100", "", "", "", "b 0 4 9 100", -1 },
        { "head: up to the last", "h 9 100", "9 9 12 15", "", "9 9 12", "h 15 100", -1 },
        { "head: the last page", "h 9 100", "9 9 12", "", "9 9 12", "", -1 },
        { "head: one millisecond", "h 9 100", "9 9 9 9", "", "9 9 9 9", "h 10 100", 9 },
        { "tail: down to the first", "t 0 90", "70 71 89 89", "", "71 89 89", "t 0 71", -1 },
        { "tail: one millisecond", "t 0 90", "70 70 70 70", "", "70 70 70 70", "t 0 70", 70 },
        { "neither: the narrower comes first", "b 50 60 0 40", "10 11 12 30", "", "11 12",
          "b 50 60 0 11 30 40", -1 },
        { "a stretch is done", "b 50 60 0 40", "10", "", "10", "b 50 60", -1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        struct buf frame = BUF_INIT(65536), next = BUF_INIT(4096);
        setup(&c);
        check_row(rows[i].name);
        c.ask.span = (struct span){ 0, 100 * NS_PER_MS };
        c.settings[LIMIT].number = 4;
        buf_append_text(&c.at, rows[i].at);
        frame_of(rows[i].times, rows[i].end, &frame);
        /* entries are dated from START on: so is the window */
        c.ask.span = (struct span){ START, MS(100) };
        buf_reset(&c.at);
        for (const char *at = rows[i].at; *at;) {
            char *stop;
            long n = strtol(at, &stop, 10);
            if (stop == at) {
                buf_append_char(&c.at, *at++);
                continue;
            }
            bool few = rows[i].at[0] == '?' && at == rows[i].at + 1;
            buf_printf(&c.at, " %lld", few ? (long long)n : (long long)(MS(n) / NS_PER_MS));
            at = stop;
        }
        check_i64(case_decode(&c, buf_bytes(&frame)), 0);
        check_yielded(&c, rows[i].yielded);
        const char *got = buf_text(&c.page.next.text);
        check_i64(c.page.next.more, got[0] != '\0');
        for (const char *at = got; *at;) {
            char *stop;
            long long n = strtoll(at, &stop, 10);
            if (stop == at) {
                buf_append_char(&next, *at++);
                continue;
            }
            buf_printf(&next, " %lld", n > 100000 ? n - START / NS_PER_MS : n);
            at = stop;
        }
        check_text(buf_text(&next), rows[i].next);
        struct span lost = { 0, 0 };
        if (rows[i].lost_ms >= 0)
            lost = (struct span){ MS(rows[i].lost_ms), MS(rows[i].lost_ms + 1) };
        check_i64(c.page.lost.start_unix_ns, lost.start_unix_ns);
        check_i64(c.page.lost.end_unix_ns, lost.end_unix_ns);
        buf_release(&frame);
        buf_release(&next);
        case_teardown(&c);
    }
}

/* ---- whole windows, against a platform of a few lines ------------------------------------------
 */

#define ENTRIES 400

struct world {
    int64_t times[ENTRIES]; /* milliseconds past the start, in order */
    size_t names[ENTRIES];
    int got[ENTRIES];
    size_t count;
    bool head;
};

static int64_t date_of(const char *url, const char *key)
{
    const char *at = strstr(url, key) + strlen(key);
    struct buf text = BUF_INIT(64);
    int64_t unix_ns = 0;
    for (; *at && *at != '&'; at++) {
        bool colon = strncmp(at, "%3A", 3) == 0;
        buf_append_char(&text, colon ? ':' : *at);
        at += colon ? 2 : 0;
    }
    assert_true(timefmt_parse_rfc3339(buf_bytes(&text), &unix_ns));
    buf_release(&text);
    return (unix_ns - START) / NS_PER_MS;
}

static void answer(const struct world *w, const char *url, struct buf *out)
{
    int64_t after = date_of(url, "&after="), before = date_of(url, "&before=");
    size_t limit = (size_t)strtol(strstr(url, "?limit=") + 7, NULL, 10);
    size_t from = 0, to = w->count;
    while (from < to && w->times[from] <= after)
        from++;
    while (to > from && w->times[to - 1] >= before)
        to--;
    if (to - from > limit && w->head)
        to = from + limit;
    else if (to - from > limit)
        from = to - limit;
    buf_append_text(out, "{\"logs\":[");
    for (size_t i = from; i < to; i++) {
        char date[TIMEFMT_MAX];
        timefmt_rfc3339(MS(w->times[i]), 3, date);
        buf_printf(out, "%s{\"ts\":\"%s\",\"msg\":\"%zu\"}", i > from ? "," : "", date,
                   w->names[i]);
    }
    buf_append_text(out, "]}");
}

static void note(struct world *w, const struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const char *at = strstr(page->records[i].text, "\"stringValue\":\"");
        w->got[strtol(at + 15, NULL, 10)]++;
    }
}

/* Returns the calls that it took. */
static int drain(struct world *w, int64_t limit)
{
    struct pull_case c;
    struct buf frame = BUF_INIT(1 << 20);
    int calls = 0;
    setup(&c);
    c.settings[LIMIT].number = limit;
    do {
        assert_true(++calls < 2 * ENTRIES);
        check_i64(case_request(&c), 0);
        buf_reset(&frame);
        answer(w, buf_text(&c.request.url), &frame);
        check_i64(case_decode(&c, buf_bytes(&frame)), 0);
        check_i64(c.page.lost.end_unix_ns, 0);
        note(w, &c.page);
        case_go_on(&c);
    } while (c.page.next.more);
    buf_release(&frame);
    case_teardown(&c);
    return calls;
}

/* Whichever end is kept, and wherever pages end: each once, in as many calls as its pages take, one
 * to find out, and one where a page is hardly more than its two ends. */
static void test_drains(void **state)
{
    uint64_t random = 1;
    (void)state;
    for (int round = 0; round < 400; round++) {
        struct world w = { .head = round & 1 };
        int64_t limit = 6 + (int64_t)(case_random(&random) % 40), ms = 0, same = 0;
        char name[64];
        w.count = case_random(&random) % ENTRIES;
        for (size_t i = 0; i < w.count; i++) {
            bool step = case_random(&random) % 3 == 0 || same == 5;
            same = step ? 1 : same + 1;
            ms += step ? 1 + (int64_t)(case_random(&random) % 50) : 0;
            w.times[i] = ms;
            w.names[i] = i;
        }
        snprintf(name, sizeof(name), "round %d", round);
        check_row(name);
        int calls = drain(&w, limit);
        for (size_t i = 0; i < w.count; i++)
            check_i64(w.got[i], 1);
        /* Of each page at least limit - 5 are new, but for the last. */
        assert_true(calls <= 2 + 1 + 1 + (int)(w.count / (size_t)(limit - 5)));
    }
}

/* A page that ends amid what comes late, or goes, is never taken for a sign of which end is kept:
 * whatever the platform had all along is there once. */
static void test_drains_while_it_changes(void **state)
{
    uint64_t random = 7;
    (void)state;
    for (int round = 0; round < 400; round++) {
        struct world w = { .head = round & 1, .count = ENTRIES };
        bool always[ENTRIES];
        struct pull_case c;
        struct buf frame = BUF_INIT(1 << 20);
        char name[64];
        int calls = 0;
        for (size_t i = 0; i < ENTRIES; i++) {
            w.times[i] = (int64_t)i / 2 * 3;
            always[i] = case_random(&random) % 4 != 0;
        }
        snprintf(name, sizeof(name), "round %d", round);
        check_row(name);
        setup(&c);
        c.settings[LIMIT].number = 5 + (int64_t)(case_random(&random) % 20);
        do {
            struct world now = { .head = w.head };
            assert_true(++calls < 4 * ENTRIES);
            for (size_t i = 0; i < ENTRIES; i++) {
                if (always[i] || case_random(&random) % 2) {
                    now.names[now.count] = i;
                    now.times[now.count++] = w.times[i];
                }
            }
            check_i64(case_request(&c), 0);
            buf_reset(&frame);
            answer(&now, buf_text(&c.request.url), &frame);
            check_i64(case_decode(&c, buf_bytes(&frame)), 0);
            note(&w, &c.page);
            case_go_on(&c);
        } while (c.page.next.more);
        for (size_t i = 0; i < ENTRIES; i++) {
            assert_true(w.got[i] <= 1);
            check_i64(always[i] && w.got[i] != 1, false);
        }
        buf_release(&frame);
        case_teardown(&c);
    }
}

/* A window that begins inside a millisecond: that one is the window's before. */
static void test_ends_inside(void **state)
{
    struct pull_case c;
    struct buf frame = BUF_INIT(4096);
    (void)state;
    setup(&c);
    c.ask.span = (struct span){ MS(3) + 1, MS(7) + 1 };
    frame_of("3 4 7", "", &frame);
    check_i64(case_decode(&c, buf_bytes(&frame)), 0);
    check_yielded(&c, "4 7");
    buf_release(&frame);
    case_teardown(&c);
}

static void test_refuses(void **state)
{
    static const struct {
        const char *frame, *want;
    } rows[] = {
        { " ", "not JSON: ends where a value is due, at byte 1" },
        { "[]", "not an object" },
        { "{}", "logs: missing" },
        { "{\"logs\":null}", "logs: not an array" },
        { "{\"logs\":[1]}", "logs[0]: not an object" },
        { "{\"logs\":[],\"logs\":[]}", "logs: there twice" },
        { "{\"logs\":[{\"msg\":\"\xff\"}]}", "not JSON: bytes that are not UTF-8, at byte 17" },
        { "{\"logs\":[{\"msg\":\"a", "not JSON: ends inside a string, at byte 18" },
        { "{\"logs\":[]}{", "not JSON: more text behind the value, at byte 11" },
        { "{\"logs\":[{\"ts\":\"2001-01-01T00:00:00Z\"}],\"limit\":1}",
          "logs: full, and none of them was asked for" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].frame);
        check_i64(case_decode(&c, bytes_of(rows[i].frame)), -1);
        check_i64(c.err.kind, ERR_INPUT);
        check_text(c.err.text, rows[i].want);
        check_i64(c.page.count, 0);
        case_teardown(&c);
    }
}

/* What is odd about an entry is no reason to refuse it. */
static void test_odd_entries(void **state)
{
    static const struct {
        const char *entry, *want;
    } rows[] = {
        { "{}", "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"\"}}" },
        { "{\"ts\":null,\"msg\":null,\"x\":{\"ts\":1}}",
          "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"\"}}" },
        { "{\"ts\":\"noon\",\"msg\":{\"a\":[1]}}",
          "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"{\\\"a\\\":[1]}\"}}" },
        { "{\"TS\":\"2025-11-12T08:00:01+01:00\",\"msg\":\"[a-b_1.22]\"}",
          "{\"timeUnixNano\":\"1762930801000000000\",\"body\":{\"stringValue\":\"[a-b_1.22]\"},"
          "\"attributes\":[{\"key\":\"nodion.process\",\"value\":{\"stringValue\":\"a-b_1.22\"}}]"
          "}" },
        { "{\"msg\":\"[web.1\"}",
          "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"[web.1\"}}" },
        { "{\"msg\":\"[web.x] a\"}",
          "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"[web.x] a\"}}" },
        { "{\"msg\":\"[web.1x] a\"}",
          "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"[web.1x] a\"}}" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        struct buf frame = BUF_INIT(4096);
        setup(&c);
        c.st.service_named = true;
        check_row(rows[i].entry);
        buf_printf(&frame, "{\"limit\":\"x\",\"logs\":[%s],\"more\":[{}]}", rows[i].entry);
        check_i64(case_decode(&c, buf_bytes(&frame)), 0);
        check_i64(c.page.count, 1);
        case_check_record(&c, 0, "", rows[i].want);
        buf_release(&frame);
        case_teardown(&c);
    }
}

static void test_table(void **state)
{
    (void)state;
    check_i64(source_named("nodion") == &source_nodion, true);
    check_i64(source_nodion.tails, false);
    check_text(source_nodion.fields[source_nodion.budget].name, "application_id");
    for (const struct field *f = source_nodion.fields; f->name; f++) {
        check_row(f->name);
        check_i64(f->help != NULL, true);
        check_i64(f->secret, strcmp(f->name, "api_key") == 0);
    }
    struct pull_case c;
    setup(&c);
    check_row("no content");
    check_i64(case_decode(&c, BYTES("")), 0);
    check_i64(c.page.count || c.page.next.more, false);
    case_teardown(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_bad_cursors),
        cmocka_unit_test(test_service),     cmocka_unit_test(test_service_refused),
        cmocka_unit_test(test_sample_page), cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_drains),      cmocka_unit_test(test_drains_while_it_changes),
        cmocka_unit_test(test_ends_inside), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_odd_entries), cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
