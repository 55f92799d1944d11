/* answer_fuzz.c -- what a collector answers, through export_batch() on a collector of ours: the
 * input is its script. A first line, "RECORDS SECONDS", says how many records the batch has and in
 * how many seconds its deadline comes (0: never); then answers, parted by lines of "--":
 *
 *   STATUS RETRY-AFTER     or, for what gives no answer, one of the words of `failures`
 *   the body
 *
 * The last one is given for as long as it is asked. Whatever they say: the sending ends; each
 * record is sent until it has its fate and not after; its fate, the counts and the error are what
 * the statuses mean; what a collector asks to wait is waited; and no word of it reaches an error.
 */
#include "fuzz.h"

#include <string.h>

#include "base/jread.h"
#include "export.h"
#include "otlp/otlp.h"
#include "retry.h"
#include "tests/unit/fake_clock.h"

#define RECORDS_MAX 16
#define SECRET      "hunter2"
#define CALL_NS     (100 * NS_PER_MS)

/* An answer waits a second or more for its next; each of the bodies has five minutes of them. */
#define ELAPSED_NS (300 * NS_PER_S)
#define POSTS_MAX  ((2 * RECORDS_MAX - 1) * (int)(ELAPSED_NS / RETRY_AFTER_LEAST_NS + 2))

static const struct {
    const char *word;
    enum error_kind kind, becomes;
} failures[] = {
    { "retry", ERR_RETRY, ERR_COLLECTOR },       { "input", ERR_INPUT, ERR_COLLECTOR },
    { "deadline", ERR_DEADLINE, ERR_COLLECTOR }, { "stopped", ERR_STOPPED, ERR_STOPPED },
    { "config", ERR_CONFIG, ERR_CONFIG },        { "retry, stopped", ERR_RETRY, ERR_STOPPED },
};

struct answer {
    int status; /* 0: none came, but a failure of this kind */
    enum error_kind kind, becomes;
    char retry_after[REPLY_HEADER_MAX];
    struct bytes body;
};

/* The collector, as http.c shows it. */
struct http {
    struct fake_clock fake;
    struct bytes script;
    struct answer last;
    int64_t deadline_mono_ns, ended_mono_ns, wait_until_mono_ns;
    size_t records;
    bool over; /* the last answer was one after which nothing may be sent */
    enum fate fates[RECORDS_MAX];
    int status[RECORDS_MAX]; /* of the refusal */
    int posts, pauses;
    int64_t bytes, rejected;
    bool rejected_is_sure; /* each answer said it for any reader */
};

static bool is_later(int status)
{
    return status == 429 || (status >= 502 && status <= 504);
}

/* The kind of error that this status is to any body; ERR_NONE: it may depend on the body. */
static enum error_kind hopeless_kind(int status)
{
    if (status == 401 || status == 403)
        return ERR_AUTH;
    bool is_config = status == 404 || status == 405 || status == 415;
    return is_config || (status >= 300 && status < 400) ? ERR_CONFIG : ERR_NONE;
}

/* ---- the script ---- */

/* What comes before `separator`, or all there is. */
static struct bytes take(struct bytes *from, const char *separator)
{
    struct bytes taken = *from;
    const char *found = memmem(from->data, from->len, separator, strlen(separator));
    if (found) {
        taken.len = (size_t)(found - from->data);
        from->data = found + strlen(separator);
        from->len -= taken.len + strlen(separator);
    } else {
        *from = (struct bytes){ from->data + from->len, 0 };
    }
    return taken;
}

static int64_t number_at(struct bytes *line)
{
    int64_t number = 0;
    while (line->len && *line->data >= '0' && *line->data <= '9') {
        if (number < 100000)
            number = 10 * number + (*line->data - '0');
        line->data++;
        line->len--;
    }
    while (line->len && *line->data == ' ') {
        line->data++;
        line->len--;
    }
    return number;
}

static struct answer read_answer(struct bytes *script)
{
    struct bytes body = take(script, "\n--\n");
    struct bytes line = take(&body, "\n");
    struct answer a = { .body = body, .kind = ERR_RETRY, .becomes = ERR_COLLECTOR };
    for (size_t i = 0; i < COUNT(failures); i++) {
        if (bytes_is(line, failures[i].word)) {
            a.kind = failures[i].kind;
            a.becomes = failures[i].becomes;
            return a;
        }
    }
    a.status = (int)(number_at(&line) % 600);
    if (a.status < 200)
        a.status = 0; /* curl gives no 1xx */
    size_t len = line.len < sizeof(a.retry_after) ? line.len : sizeof(a.retry_after) - 1;
    if (!memchr(line.data, '\0', len))
        memcpy(a.retry_after, line.data, len);
    return a;
}

/* ---- what the body of a 2xx rejects, without json-c ---- */

static bool is_json(const char *text, size_t len)
{
    struct otlp_scan s;
    otlp_scan_init(&s, text, len);
    return otlp_scan_value(&s, NULL) && otlp_scan_end(&s);
}

/* A member of `text`, as it stands; empty where it is no object, or has none. The last counts. */
static struct otlp_text member(struct otlp_text text, const char *name)
{
    struct otlp_text key, raw, found = { 0 };
    struct otlp_scan s;
    otlp_scan_init(&s, text.data, text.len);
    if (otlp_scan_peek(&s) != '{')
        return found;
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &raw)) {
        if (otlp_key_is(key, name))
            found = raw;
    }
    return found;
}

/* How many of `most` an answer rejects, which none makes fewer. False: what it says is not for
 * every reader the same: no strict JSON, deeper than jread reads, a NUL in a key or text (json-c
 * cuts there), or a number that may be no int64. */
static bool rejected_in(struct bytes body, int64_t most, int64_t *rejected)
{
    struct otlp_text whole = { body.data, body.len }, count;
    char digits[32];
    size_t brackets = 0, len;
    *rejected = 0;
    for (size_t i = 0; i < body.len; i++)
        brackets += body.data[i] == '{' || body.data[i] == '[';
    if (!is_json(body.data, body.len))
        return body.len == 0;
    if (brackets >= JREAD_MAX_DEPTH || memmem(body.data, body.len, "\\u0000", 6))
        return false;
    count = member(member(whole, "partialSuccess"), "rejectedLogRecords");
    if (count.len && *count.data == '"') {
        len = otlp_unescape(count, digits, sizeof(digits) - 1);
    } else {
        len = count.len < sizeof(digits) ? count.len : OTLP_NONE;
        memcpy(digits, count.data ? count.data : "", len == OTLP_NONE ? 0 : len);
    }
    if (len > 18)
        return false;
    digits[len] = '\0';
    if (len && strspn(digits, "0123456789") == len)
        *rejected = strtoll(digits, NULL, 10);
    *rejected = *rejected < most ? *rejected : most;
    return true;
}

/* ---- the collector ---- */

static size_t text_of(size_t i, char out[32])
{
    return (size_t)snprintf(out, 32, "{\"eventName\":\"r%02zu\"}", i);
}

/* The records in a body: a run of the batch's, [*from, *to). */
static void find_records(const struct http *h, struct bytes body, size_t *from, size_t *to)
{
    char text[32];
    struct bytes left = body;
    *from = *to = h->records;
    for (size_t i = 0; i < h->records; i++) {
        size_t len = text_of(i, text);
        const char *found = memmem(left.data, left.len, text, len);
        if (!found)
            continue;
        *from = *from == h->records ? i : *from;
        FUZZ_CHECK(*to == h->records || *to == i);
        *to = i + 1;
        left.len -= (size_t)(found - left.data) + len;
        left.data = found + len;
    }
    FUZZ_CHECK(*from < *to);
    FUZZ_CHECK(is_json(body.data, body.len));
}

static void note_answer(struct http *h, size_t from, size_t to, size_t body_bytes)
{
    const struct answer *a = &h->last;
    struct reply headers = { 0 };
    int64_t wait_ns = 0, rejected;
    memcpy(headers.retry_after, a->retry_after, sizeof(headers.retry_after));
    if (a->status == 0 || hopeless_kind(a->status)) {
        h->over = a->status || a->kind != ERR_RETRY;
    } else if (a->status < 300) {
        for (size_t i = from; i < to; i++)
            h->fates[i] = FATE_DELIVERED;
        h->bytes += (int64_t)body_bytes;
        h->rejected_is_sure &= rejected_in(a->body, (int64_t)(to - from), &rejected);
        h->rejected += rejected;
    } else if (is_later(a->status) && retry_after(&headers, h->fake.unix_ns, &wait_ns)) {
        h->wait_until_mono_ns = h->fake.mono_ns + wait_ns;
    }
}

int http_send(struct http *h, const struct request *request, struct reply *out,
              int64_t deadline_mono_ns, struct error *err)
{
    size_t from, to;
    find_records(h, request->body, &from, &to);
    FUZZ_CHECK(++h->posts <= POSTS_MAX && !h->over);
    FUZZ_CHECK(deadline_mono_ns == h->deadline_mono_ns);
    FUZZ_CHECK(h->fake.mono_ns >= h->wait_until_mono_ns);
    for (size_t i = from; i < to; i++)
        FUZZ_CHECK(h->fates[i] == FATE_OPEN);
    h->pauses += h->posts > 1 && h->fake.mono_ns > h->ended_mono_ns;

    if (h->script.len)
        h->last = read_answer(&h->script);
    if (h->fake.mono_ns + CALL_NS > deadline_mono_ns) /* as http.c has it, too late to begin */
        h->last = (struct answer){ .kind = ERR_DEADLINE, .becomes = ERR_COLLECTOR };
    const struct answer *a = &h->last;
    fake_sleep(&h->fake.clk, h->fake.mono_ns + CALL_NS);
    h->ended_mono_ns = h->fake.mono_ns;
    h->fake.stop = a->status == 0 && a->becomes == ERR_STOPPED;
    note_answer(h, from, to, request->body.len);
    if (to - from == 1)
        h->status[from] = a->status;
    buf_reset(&out->body);
    if (a->status == 0)
        return error_set(err, a->kind, "no answer");
    out->status = a->status;
    out->body.max = 1 << 20;
    buf_append_bytes(&out->body, a->body);
    memcpy(out->retry_after, a->retry_after, sizeof(out->retry_after));
    return 0;
}

/* ---- what came of it ---- */

static void check_fates(const struct http *h, const struct batch *b, const struct export *ex,
                        bool all)
{
    int64_t delivered = 0;
    size_t refused = 0;
    for (size_t i = 0; i < h->records; i++) {
        enum fate fate = b->items[i].fate;
        FUZZ_CHECK((fate == FATE_DELIVERED) == (h->fates[i] == FATE_DELIVERED));
        FUZZ_CHECK(fate != FATE_OPEN || !all);
        FUZZ_CHECK(fate == FATE_OPEN || i == 0 || b->items[i - 1].fate != FATE_OPEN);
        delivered += fate == FATE_DELIVERED;
        if (fate != FATE_REFUSED)
            continue;
        int status = h->status[i];
        FUZZ_CHECK(status >= 400 && !is_later(status) && !hopeless_kind(status));
        FUZZ_CHECK(refused < ex->refusal_count);
        const struct refusal *r = &ex->refusals[refused++];
        FUZZ_CHECK(r->index == i && r->status == status && strlen(r->words) < REFUSAL_WORDS);
    }
    FUZZ_CHECK(refused == ex->refusal_count);
    FUZZ_CHECK(delivered || refused < REFUSALS_BEFORE_ACCEPTANCE);
    FUZZ_CHECK(atomic_load(ex->accepted) == (delivered > 0));
    FUZZ_CHECK(ex->counts.accepted + ex->counts.rejected == delivered);
    FUZZ_CHECK(ex->counts.rejected >= 0 && ex->counts.accepted >= 0);
    FUZZ_CHECK(!h->rejected_is_sure || ex->counts.rejected == h->rejected);
    FUZZ_CHECK(ex->counts.bytes == h->bytes && ex->counts.retries == h->pauses);
}

static void check_error(const struct http *h, const struct error *err)
{
    const struct answer *a = &h->last;
    enum error_kind kind = a->status ? hopeless_kind(a->status) : a->becomes;
    bool no_time = a->status == 0 && a->kind == ERR_RETRY && err->kind == ERR_COLLECTOR;
    FUZZ_CHECK(err->kind == (kind ? kind : ERR_COLLECTOR) || no_time);
    FUZZ_CHECK(err->text[0] && !strstr(err->text, SECRET));
    FUZZ_CHECK(a->status == 0 || a->status >= 300);
}

static void fill(struct batch *b, size_t records, const struct exporter_config *exporter)
{
    static const struct source_config source = { .scope_name = "otlpull" };
    batch_init(b, &source, exporter);
    for (size_t i = 0; i < records; i++) {
        char text[32];
        struct otlp_record record = { .text = text, .len = (uint32_t)text_of(i, text) };
        FUZZ_CHECK(batch_add(b, &record, (struct bytes){ "", 0 }, i, (struct otlp_text){ 0 }));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct exporter_config config = {
        .url = "http://dev:" SECRET "@c.example/v1/logs?key=" SECRET,
        .retry = { 5 * NS_PER_S, 30 * NS_PER_S, ELAPSED_NS, 1.5, 0.5 },
        .max_batch_records = RECORDS_MAX,
        .max_batch_bytes = 1 << 20,
    };
    struct http h = { .fake = fake_clock(),
                      .script = { (const char *)data, size },
                      .last = { .kind = ERR_RETRY, .becomes = ERR_COLLECTOR },
                      .deadline_mono_ns = TIME_FOREVER,
                      .rejected_is_sure = true };
    struct bytes line = take(&h.script, "\n");
    atomic_bool accepted = false;
    struct error err = { 0 };
    struct export ex;
    struct batch b;

    h.records = (size_t)(number_at(&line) % (RECORDS_MAX + 1));
    int64_t seconds = number_at(&line);
    if (seconds)
        h.deadline_mono_ns = h.fake.mono_ns + seconds * NS_PER_S;
    fill(&b, h.records, &config);
    export_init(&ex, &config, &h, &h.fake.clk, &accepted);
    int rc = export_batch(&ex, &b, h.deadline_mono_ns, &err);
    check_fates(&h, &b, &ex, rc == 0);
    if (rc)
        check_error(&h, &err);
    else
        FUZZ_CHECK(err.kind == ERR_NONE && !h.over);
    export_release(&ex);
    batch_release(&b);
    return 0;
}
