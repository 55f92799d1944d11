#include "scalingo_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jread.h"
#include "base/timefmt.h"

#define ANSWER_MAX  ((size_t)2 << 20) /* of the API: a page of archives is a few kilobytes */
#define VALUE_MAX   8192              /* of a token or a URL */
#define PAGES_MAX   50                /* of the list */
#define WANTED_MAX  1000              /* archives: 50 GB of lines */
#define SESSION_MAX ((size_t)1 << 20)

/* An archive's dates may be of whole hours, as those of the documentation's example are: its lines
 * tell whether it is needed, unless it ends this long before. */
#define DATE_SLACK_NS (3600 * NS_PER_S)

/* ---- the text: a line each, with a letter in front ---------------------------------------------
 *
 * T token; U URL; K of which poll the listing is; P its pages so far; N the next page's cursor,
 * until it is complete; A an archive. */

static bool next_line(struct bytes *rest, char *tag, struct bytes *value)
{
    if (rest->len < 2)
        return false;
    const char *end = memchr(rest->data, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    *tag = rest->data[0];
    *value = (struct bytes){ rest->data + 1, len > 0 ? len - 1 : 0 };
    len += end != NULL;
    rest->data += len;
    rest->len -= len;
    return true;
}

static struct bytes value_of(struct bytes session, char tag)
{
    struct bytes value;
    char found;
    while (next_line(&session, &found, &value)) {
        if (found == tag)
            return value;
    }
    return (struct bytes){ "", 0 };
}

static bool has(struct bytes session, char tag)
{
    struct bytes value;
    char found;
    while (next_line(&session, &found, &value)) {
        if (found == tag)
            return true;
    }
    return false;
}

struct bytes scalingo_session_token(struct bytes session)
{
    return value_of(session, 'T');
}

struct bytes scalingo_session_url(struct bytes session)
{
    return value_of(session, 'U');
}

/* Printable, without a blank: nothing that would end its line or a header's. */
static bool is_plain(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return len > 0 && len <= VALUE_MAX;
}

static bool is_url(const char *text)
{
    return is_plain(text) &&
           (strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0);
}

static struct json_object *parse(struct bytes frame, struct error *err)
{
    if (frame.len <= ANSWER_MAX)
        return jread_parse(frame, err);
    error_set(err, ERR_INPUT, "an answer of %zu bytes", frame.len);
    return NULL;
}

static int add_value(struct bytes frame, const char *key, char tag, struct buf *session,
                     struct error *err)
{
    const char *value;
    struct json_object *answer = parse(frame, err);
    if (!answer)
        return -1;
    int rc = 0;
    if (!jread_text(answer, key, &value) || !(tag == 'U' ? is_url(value) : is_plain(value)))
        rc = error_set(err, ERR_INPUT, "%s: missing, or not a %s", key,
                       tag == 'U' ? "URL" : "token");
    else
        buf_printf(session, "%c%s\n", tag, value);
    jread_release(answer);
    return rc;
}

int scalingo_session_add_token(struct bytes frame, struct buf *session, struct error *err)
{
    return add_value(frame, "token", 'T', session, err);
}

int scalingo_session_add_url(struct bytes frame, struct buf *session, struct error *err)
{
    return add_value(frame, "logs_url", 'U', session, err);
}

/* ---- dates -------------------------------------------------------------------------------------
 */

static struct bytes take_word(struct bytes *rest)
{
    while (rest->len > 0 && rest->data[0] == ' ') {
        rest->data++;
        rest->len--;
    }
    const char *space = memchr(rest->data, ' ', rest->len);
    struct bytes word = { rest->data, space ? (size_t)(space - rest->data) : rest->len };
    rest->data += word.len;
    rest->len -= word.len;
    return word;
}

static int month_of(struct bytes word)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (word.len == 3 && memcmp(word.data, names + (size_t)i * 3, 3) == 0)
            return i + 1;
    }
    return 0;
}

bool scalingo_date(struct bytes text, int64_t *unix_ns)
{
    char form[64];
    struct bytes rest = text, word[7];
    if (timefmt_parse_rfc3339(text, unix_ns))
        return true;
    for (size_t i = 0; i < COUNT(word); i++) { /* weekday, month, day, time, offset, zone, year */
        word[i] = take_word(&rest);
        if (word[i].len == 0 || word[i].len > 18)
            return false;
    }
    int month = month_of(word[1]);
    if (month == 0 || word[2].len > 2 || word[4].len != 5)
        return false;
    int len = snprintf(form, sizeof(form), "%.*s-%02d-%s%.*sT%.*s%.3s:%.2s", (int)word[6].len,
                       word[6].data, month, word[2].len == 1 ? "0" : "", (int)word[2].len,
                       word[2].data, (int)word[3].len, word[3].data, word[4].data,
                       word[4].data + 3);
    return timefmt_parse_rfc3339((struct bytes){ form, (size_t)len }, unix_ns);
}

/* ---- archives ----------------------------------------------------------------------------------
 */

/* "FROM TO SIZE URL" */
static bool read_archive(struct bytes value, struct scalingo_name *name, struct bytes *url)
{
    int64_t *const numbers[] = { &name->from_unix_ns, &name->to_unix_ns, &name->size };
    *name = (struct scalingo_name){ .set = true };
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int64_t n = 0;
        struct bytes word = take_word(&value);
        for (size_t j = 0; j < word.len; j++)
            n = n * 10 + (word.data[j] - '0');
        *numbers[i] = n;
    }
    *url = take_word(&value);
    return url->len > 0;
}

static void key_of(const struct ask *ask, const struct scalingo_place *place, char out[128])
{
    snprintf(out, 128, "%" PRId64 ".%" PRId64 ".%" PRId64 ".%" PRId64, ask->span.start_unix_ns,
             place->dump_unix_ns, place->head.set ? place->head.from_unix_ns : 0,
             place->head.set ? place->head.to_unix_ns : 0);
}

static bool is_same_poll(struct bytes session, const struct ask *ask,
                         const struct scalingo_place *place)
{
    char key[128];
    key_of(ask, place, key);
    return bytes_is(value_of(session, 'K'), key);
}

bool scalingo_session_listed(struct bytes session, const struct ask *ask,
                             const struct scalingo_place *place, struct bytes *cursor)
{
    *cursor = (struct bytes){ "", 0 };
    if (!is_same_poll(session, ask, place))
        return false;
    *cursor = value_of(session, 'N');
    return !has(session, 'N');
}

static bool is_same(const struct scalingo_name *a, const struct scalingo_name *b)
{
    return a->from_unix_ns == b->from_unix_ns && a->to_unix_ns == b->to_unix_ns &&
           a->size == b->size;
}

/* Whether an archive is in the list already: a new one moves the others on, so that the next page
 * tells of the last again. What is signed of its URL, and until when, differs each time. */
static bool is_listed(struct bytes list, const struct scalingo_name *name, const char *url)
{
    struct scalingo_name other;
    struct bytes value, other_url;
    size_t len = strcspn(url, "?");
    char tag;
    while (next_line(&list, &tag, &value)) {
        if (tag == 'A' && read_archive(value, &other, &other_url) && is_same(&other, name) &&
            other_url.len >= len && memcmp(other_url.data, url, len) == 0 &&
            (other_url.len == len || other_url.data[len] == '?'))
            return true;
    }
    return false;
}

/* One page while it is read. */
struct page_of_list {
    const struct ask *ask;
    const struct scalingo_place *place;
    struct scalingo_listing *out;
    struct buf *list;             /* of archives that are wanted */
    int64_t first_ns, last_ns;    /* `to` of its first and last */
    bool descending, last_enough; /* the last one and those before it need not be read */
};

static void read_dates(struct json_object *element, struct scalingo_name *name)
{
    const char *text;
    *name = (struct scalingo_name){ .set = true, .to_unix_ns = INT64_MAX - DATE_SLACK_NS };
    if (jread_text(element, "from", &text) &&
        (!scalingo_date(bytes_of(text), &name->from_unix_ns) || name->from_unix_ns < 0))
        name->from_unix_ns = 0; /* not known: its lines tell */
    if (jread_text(element, "to", &text) &&
        (!scalingo_date(bytes_of(text), &name->to_unix_ns) || name->to_unix_ns < 0 ||
         name->to_unix_ns > INT64_MAX - DATE_SLACK_NS))
        name->to_unix_ns = INT64_MAX - DATE_SLACK_NS;
    if (!jread_int(element, "size", &name->size) || name->size < 0)
        name->size = 0;
}

static int read_element(struct page_of_list *p, struct json_object *element, size_t i,
                        struct error *err)
{
    const char *url;
    struct scalingo_name name;
    if (!jread_text(element, "url", &url) || !is_url(url))
        return error_set(err, ERR_INPUT, "archives[%zu].url: missing, or not a URL", i);
    read_dates(element, &name);
    if (i == 0)
        p->out->head = name;
    p->descending = p->descending && (i == 0 || name.to_unix_ns <= p->last_ns);
    p->first_ns = i == 0 ? name.to_unix_ns : p->first_ns;
    p->last_ns = name.to_unix_ns;
    bool old = name.to_unix_ns + DATE_SLACK_NS <
               scalingo_place_need(p->place, p->ask->span.start_unix_ns);
    p->last_enough = old || (p->place->done.set && name.to_unix_ns < p->place->done.to_unix_ns);
    if (old || p->out->wanted == WANTED_MAX || is_listed(buf_bytes(p->list), &name, url))
        return 0;
    p->out->wanted++;
    buf_printf(p->list, "A%" PRId64 " %" PRId64 " %" PRId64 " %s\n", name.from_unix_ns,
               name.to_unix_ns, name.size, url);
    return 0;
}

/* The next page's cursor, as text; empty: there is none. */
static void read_next(struct json_object *answer, struct buf *out)
{
    const char *text;
    int64_t number;
    bool more = true;
    jread_bool(answer, "has_more", &more);
    if (!more)
        return;
    if (jread_text(answer, "next_cursor", &text) && strlen(text) <= VALUE_MAX &&
        !strchr(text, '\n'))
        buf_append_text(out, text);
    else if (jread_int(answer, "next_cursor", &number))
        buf_printf(out, "%" PRId64, number);
}

static int read_list(struct json_object *answer, struct page_of_list *p, struct error *err)
{
    struct json_object *archives = jread_member(answer, "archives");
    if (archives && !jread_is_array(archives))
        return error_set(err, ERR_INPUT, "archives: not an array");
    for (size_t i = 0; i < jread_count(archives); i++) {
        if (read_element(p, jread_at(archives, i), i, err))
            return -1;
    }
    return 0;
}

/* The session with the page in it: its token and URL, and this poll's listing so far. */
static int keep(const struct page_of_list *p, struct bytes cursor, struct buf *session,
                struct error *err)
{
    char key[128];
    struct buf text = BUF_INIT(SESSION_MAX);
    struct bytes old = p->ask->session;
    bool same = is_same_poll(old, p->ask, p->place);
    struct bytes pages = same ? value_of(old, 'P') : (struct bytes){ "", 0 };
    key_of(p->ask, p->place, key);
    buf_printf(&text, "T%.*s\nU%.*s\nK%s\nP%.*s.\n", (int)value_of(old, 'T').len,
               value_of(old, 'T').data, (int)value_of(old, 'U').len, value_of(old, 'U').data, key,
               (int)pages.len, pages.data);
    if (p->out->more && pages.len + 1 < PAGES_MAX)
        buf_printf(&text, "N%.*s\n", (int)cursor.len, cursor.data);
    buf_append_bytes(&text, buf_bytes(p->list));
    bool full = text.full;
    buf_reset(session);
    buf_append_bytes(session, buf_bytes(&text));
    buf_release(&text);
    return full ? error_set(err, ERR_INPUT, "archives: too many of them") : 0;
}

/* The archives that the session has of this poll. */
static void old_archives(const struct page_of_list *p)
{
    struct bytes rest = p->ask->session, value;
    char tag;
    if (!is_same_poll(rest, p->ask, p->place))
        return;
    while (next_line(&rest, &tag, &value)) {
        if (tag == 'A') {
            buf_printf(p->list, "A%.*s\n", (int)value.len, value.data);
            p->out->wanted++;
        }
    }
}

int scalingo_session_list(struct bytes frame, const struct ask *ask,
                          const struct scalingo_place *place, struct buf *session,
                          struct scalingo_listing *out, struct error *err)
{
    struct bytes asked;
    struct buf list = BUF_INIT(SESSION_MAX), next = BUF_INIT(VALUE_MAX);
    struct page_of_list p = {
        .ask = ask, .place = place, .out = out, .list = &list, .descending = true
    };
    struct json_object *answer = parse(frame, err);
    if (!answer)
        return -1;
    *out = (struct scalingo_listing){ 0 };
    scalingo_session_listed(ask->session, ask, place, &asked);
    if (session)
        old_archives(&p);
    int rc = read_list(answer, &p, err);
    if (rc == 0) {
        read_next(answer, &next);
        /* Of a list that begins with the newest, what follows is older still. */
        bool enough = p.last_enough && p.descending && p.first_ns > p.last_ns;
        out->more = next.len > 0 && !enough && !bytes_equal(buf_bytes(&next), asked);
    }
    if (rc == 0 && session)
        rc = keep(&p, buf_bytes(&next), session, err);
    jread_release(answer);
    buf_release(&list);
    buf_release(&next);
    return rc;
}

struct archive {
    struct scalingo_name name;
    struct bytes url;
};

/* In the order of the list, or the other way round where it begins with the oldest. */
static void set_order(struct archive *list, size_t count)
{
    const struct scalingo_name *first = &list[0].name, *last = &list[count - 1].name;
    if (first->from_unix_ns >= last->from_unix_ns || first->to_unix_ns >= last->to_unix_ns)
        return;
    for (size_t i = 0; i < count / 2; i++) {
        struct archive other = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = other;
    }
}

/* The session's archives, the newest first; the caller frees them. */
static struct archive *archives_of(struct bytes session, size_t *count)
{
    struct archive *list = xcalloc(WANTED_MAX, sizeof(*list));
    struct bytes value;
    char tag;
    *count = 0;
    while (*count < WANTED_MAX && next_line(&session, &tag, &value))
        *count += tag == 'A' && read_archive(value, &list[*count].name, &list[*count].url);
    if (*count > 1)
        set_order(list, *count);
    /* counted from the oldest: new ones do not change it */
    for (size_t i = *count; i-- > 0;) {
        for (size_t older = i + 1; older < *count && list[i].name.nth == 0; older++) {
            if (is_same(&list[i].name, &list[older].name))
                list[i].name.nth = list[older].name.nth + 1;
        }
    }
    return list;
}

/* Its place in the list; `count`: it is none of them. */
static size_t find(const struct archive *list, size_t count, const struct scalingo_name *name)
{
    size_t i = 0;
    while (i < count &&
           (!name->set || !is_same(&list[i].name, name) || list[i].name.nth != name->nth))
        i++;
    return i;
}

bool scalingo_session_next(struct bytes session, const struct scalingo_place *place,
                           struct scalingo_name *name, struct bytes *url)
{
    size_t count, next = 0;
    struct archive *list = archives_of(session, &count);
    size_t end = find(list, count, &place->done), current = find(list, count, &place->current);
    if (current < count)
        next = place->passed ? current : current + 1;
    else if (place->current.set) /* it is gone: what lies before its time comes next */
        while (next < count && list[next].name.to_unix_ns >= place->current.to_unix_ns)
            next++;
    bool found = next < end;
    *name = found ? list[next].name : (struct scalingo_name){ 0 };
    *url = found ? list[next].url : (struct bytes){ "", 0 };
    free(list);
    return found;
}
