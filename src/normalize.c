#include "normalize.h"

#include <stdio.h>
#include <string.h>

/* What becomes of one member. */
struct mend {
    enum { KEEP, DROP, REPLACE } what;
    char text[40]; /* of REPLACE */
};

/* A walk over the record's text, which writes what stays. */
struct editor {
    const struct otlp_record *r;
    struct otlp_sink out;
    uint32_t done; /* bytes of the text that are written or left out */
    bool empty;    /* no member was written yet */
};

static uint32_t behind_space(const struct otlp_record *r, uint32_t at)
{
    while (otlp_is_space(r->text[at]))
        at++;
    return at;
}

static void write_until(struct editor *e, uint32_t until)
{
    if (until > e->done)
        e->out.put(e->out.to, e->r->text + e->done, until - e->done);
    e->done = until;
}

/* Leave a member out with one comma: the one before it, or the one behind where no member stays
 * before it. The record's closing bracket bounds both searches. */
static void drop(struct editor *e, uint32_t key, uint32_t value_end)
{
    const char *text = e->r->text;
    if (!e->empty || behind_space(e->r, e->done) != key) {
        uint32_t comma = key;
        while (text[comma] != ',')
            comma--;
        write_until(e, comma);
        e->empty = false;
        e->done = value_end;
        return;
    }
    uint32_t next = behind_space(e->r, value_end);
    e->done = text[next] == ',' ? behind_space(e->r, next + 1) : next;
}

static void edit(struct editor *e, struct otlp_place at, const struct mend *m)
{
    if (m->what == DROP) {
        drop(e, at.key, at.value + at.value_len);
    } else if (m->what == REPLACE) {
        write_until(e, at.value);
        otlp_put_text(e->out, m->text);
        e->done = at.value + at.value_len;
        e->empty = false;
    }
}

#define ROOM_BYTES 64 /* longer than any word or id that we know */

/* Hex digits that are not all zero. No early way out: nearly all are good. */
static bool is_id(struct otlp_text id)
{
    bool good = true, other = false;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.data[i];
        good &= ((unsigned char)(c - '0') <= 9) | ((unsigned char)((c | 0x20) - 'a') <= 5);
        other |= c != '0';
    }
    return good && other;
}

static struct mend mend_id(const struct otlp_record *r, enum otlp_member m, size_t digits)
{
    struct mend mend = { .what = DROP };
    char room[ROOM_BYTES];
    struct otlp_text id = otlp_plain(otlp_record_value(r, m), room, sizeof(room));
    bool pad = m == OTLP_TRACE_ID && id.len == 16;
    if ((id.len != digits && !pad) || !is_id(id))
        return mend;
    mend.what = pad ? REPLACE : KEEP;
    if (pad)
        snprintf(mend.text, sizeof(mend.text), "\"0000000000000000%.16s\"", id.data);
    return mend;
}

/* A JSON integer of one or two digits; 0 for any other value. */
static int small_number(struct otlp_text raw)
{
    int number = 0;
    if (raw.len > 2)
        return 0;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] < '0' || raw.data[i] > '9')
            return 0;
        number = number * 10 + (raw.data[i] - '0');
    }
    return number;
}

/* 0 to 24 as digits. */
static void number_text(int number, char out[3])
{
    char *p = out;
    if (number >= 10)
        *p++ = (char)('0' + number / 10);
    *p++ = (char)('0' + number % 10);
    *p = '\0';
}

/* What severityNumber should be; `number` is what it is. */
static int severity(const struct otlp_record *r, int number)
{
    /* Bunyan's levels, which Forge's documented sample has: info, warn, error, fatal */
    static const struct {
        int bunyan, otlp;
    } scale[] = { { 30, 9 }, { 40, 13 }, { 50, 17 }, { 60, 21 } };
    char room[ROOM_BYTES];
    struct otlp_text raw = otlp_record_value(r, OTLP_SEVERITY_TEXT);
    struct otlp_text text = otlp_plain(raw, room, sizeof(room));
    int known = otlp_severity_of_text(text.data, text.len);
    if (known)
        return known;
    if (number >= 1 && number <= 24)
        return number;
    bool no_text = raw.len == 0 || raw.data[0] == 'n' || (raw.len == 2 && raw.data[0] == '"');
    for (size_t i = 0; no_text && i < sizeof(scale) / sizeof(scale[0]); i++) {
        if (number == scale[i].bunyan)
            return scale[i].otlp;
    }
    return 0;
}

static struct mend mend_severity(const struct otlp_record *r)
{
    struct otlp_text raw = otlp_record_value(r, OTLP_SEVERITY_NUMBER);
    struct mend mend = { .what = KEEP };
    int is = small_number(raw), should = severity(r, is);
    bool zero = raw.len == 1 && raw.data[0] == '0';
    if (is != should || (should == 0 && !zero)) {
        mend.what = REPLACE;
        number_text(should, mend.text);
    }
    return mend;
}

static struct mend mend_member(const struct otlp_record *r, enum otlp_member m)
{
    uint64_t time = 0;
    bool keep = true;
    if (!r->at[m].value_len)
        return (struct mend){ .what = KEEP };
    switch (m) {
    case OTLP_TRACE_ID:
        return mend_id(r, m, 32);
    case OTLP_SPAN_ID:
        return mend_id(r, m, 16);
    case OTLP_SEVERITY_NUMBER:
        return mend_severity(r);
    case OTLP_TIME:
        keep = otlp_record_time(r, m, &time);
        break;
    case OTLP_OBSERVED_TIME:
        keep = otlp_record_time(r, m, &time) && time != 0; /* 0 says unknown */
        break;
    case OTLP_SEVERITY_TEXT:
    case OTLP_MEMBERS:
        break;
    }
    return (struct mend){ .what = keep ? KEEP : DROP };
}

/* Where a member may stand more than once: walk all of them. */
static void edit_repeated(struct editor *e, const struct mend mends[OTLP_MEMBERS])
{
    static const struct mend dropped = { .what = DROP };
    const struct otlp_record *r = e->r;
    struct otlp_scan s;
    struct otlp_text key, value;
    otlp_scan_init(&s, r->text, r->len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value)) {
        enum otlp_member m = otlp_member_of_key(key);
        struct otlp_place at = { (uint32_t)(key.data - 1 - r->text),
                                 (uint32_t)(value.data - r->text), (uint32_t)value.len };
        if (m != OTLP_MEMBERS)
            edit(e, at, at.key == r->at[m].key ? &mends[m] : &dropped);
    }
}

/* Where each stands once at most: take them in the order of the text. */
static void edit_once(struct editor *e, const struct mend mends[OTLP_MEMBERS])
{
    enum otlp_member order[OTLP_MEMBERS] = { OTLP_TIME };
    size_t count = 0;
    for (int m = 0; m < OTLP_MEMBERS; m++) {
        if (mends[m].what == KEEP)
            continue;
        size_t i = count++;
        for (; i && e->r->at[order[i - 1]].key > e->r->at[m].key; i--)
            order[i] = order[i - 1];
        order[i] = (enum otlp_member)m;
    }
    for (size_t i = 0; i < count; i++)
        edit(e, e->r->at[order[i]], &mends[order[i]]);
}

static void put_member(struct editor *e, const char *key, struct otlp_text value)
{
    otlp_put_text(e->out, e->empty ? key + 1 : key); /* past its comma */
    e->out.put(e->out.to, value.data, value.len);
    e->empty = false;
}

void normalize_record(const struct otlp_record *r, struct otlp_text observed, struct otlp_sink out)
{
    struct editor e = { .r = r, .out = out, .empty = true };
    struct mend mends[OTLP_MEMBERS];
    write_until(&e, 1);
    for (int m = 0; m < OTLP_MEMBERS; m++)
        mends[m] = mend_member(r, (enum otlp_member)m);
    if (r->repeated)
        edit_repeated(&e, mends);
    else
        edit_once(&e, mends);
    if (behind_space(r, e.done) != r->len - 1)
        e.empty = false;
    write_until(&e, r->len - 1);

    int number = r->at[OTLP_SEVERITY_NUMBER].value_len ? 0 : severity(r, 0);
    if (number) {
        char digits[3];
        number_text(number, digits);
        put_member(&e, ",\"severityNumber\":", (struct otlp_text){ digits, strlen(digits) });
    }
    if (!r->at[OTLP_OBSERVED_TIME].value_len || mends[OTLP_OBSERVED_TIME].what == DROP) {
        put_member(&e, ",\"observedTimeUnixNano\":\"", observed);
        otlp_put_text(out, "\"");
    }
    otlp_put_text(out, "}");
}
