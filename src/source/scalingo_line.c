#include "scalingo_line.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "entry.h"

/* ---- the line ----------------------------------------------------------------------------------
 */

/* Take what stands before the next space, and the space; an empty one where there is none. */
static struct bytes take_word(struct bytes *rest)
{
    const char *space = memchr(rest->data, ' ', rest->len);
    if (!space)
        return (struct bytes){ rest->data, 0 };
    struct bytes word = { rest->data, (size_t)(space - rest->data) };
    rest->data += word.len + 1;
    rest->len -= word.len + 1;
    return word;
}

/* Date, time and offset as RFC 3339, which has a colon in the offset. */
static bool read_time(struct bytes date, struct bytes time, struct bytes offset, int64_t *unix_ns)
{
    char text[96];
    bool colon = offset.len == 6;
    if (date.len != 10 || time.len > 64 || (offset.len != 5 && !colon))
        return false;
    struct bytes parts[] = { date,       { " ", 1 },
                             time,       { offset.data, 3 },
                             { ":", 1 }, { offset.data + 3 + colon, offset.len - 3 - colon } };
    size_t len = 0;
    for (size_t i = 0; i < COUNT(parts); i++) {
        memcpy(text + len, parts[i].data, parts[i].len);
        len += parts[i].len;
    }
    return timefmt_parse_rfc3339((struct bytes){ text, len }, unix_ns);
}

bool scalingo_line_read(struct bytes line, struct scalingo_line *out)
{
    struct bytes rest = line;
    int64_t unix_ns;
    *out = (struct scalingo_line){ 0, { "", 0 }, line };
    struct bytes date = take_word(&rest), time = take_word(&rest), offset = take_word(&rest);
    if (rest.len > 0 && rest.data[0] != '[') /* some leave the zone's name out */
        take_word(&rest);
    const char *end = rest.len > 1 && rest.data[0] == '[' ? memchr(rest.data, ']', rest.len) : NULL;
    if (!end || end == rest.data + 1 || !read_time(date, time, offset, &unix_ns) || unix_ns <= 0)
        return false;
    out->unix_ns = unix_ns;
    out->container = (struct bytes){ rest.data + 1, (size_t)(end - rest.data) - 1 };
    out->text.data = end + 1;
    out->text.len = (size_t)(line.data + line.len - out->text.data);
    if (out->text.len > 0 && out->text.data[0] == ' ') {
        out->text.data++;
        out->text.len--;
    }
    return true;
}

/* FNV-1a: it tells lines of one app apart, which do not try to look alike. */
static uint64_t hash_more(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t scalingo_line_hash(const struct scalingo_line *line)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = hash_more(hash, &line->unix_ns, sizeof(line->unix_ns));
    hash = hash_more(hash, &line->container.len, sizeof(line->container.len));
    hash = hash_more(hash, line->container.data, line->container.len);
    return hash_more(hash, line->text.data, line->text.len);
}

/* ---- containers --------------------------------------------------------------------------------
 */

struct bytes scalingo_type(struct bytes container)
{
    const char *dash = memrchr(container.data, '-', container.len);
    return (struct bytes){ container.data, dash ? (size_t)(dash - container.data) : container.len };
}

bool scalingo_passes(struct bytes container, const char *filter)
{
    if (!filter || !*filter)
        return true;
    struct bytes type = scalingo_type(container);
    for (const char *at = filter; *at;) {
        struct bytes wanted = { at, strcspn(at, "|") };
        if (wanted.len && (bytes_equal(wanted, container) || bytes_equal(wanted, type)))
            return true;
        at += wanted.len + (at[wanted.len] == '|');
    }
    return false;
}

/* ---- the router's calls ------------------------------------------------------------------------
 */

enum key {
    METHOD,
    PATH,
    HOST,
    PROTOCOL,
    STATUS,
    BYTES,
    FROM,
    USER_AGENT,
    REQUEST_ID,
    CONTAINER,
    DURATION,
    REFERER,
    KEYS
};

static const char *const key_names[KEYS] = {
    [METHOD] = "method",
    [PATH] = "path",
    [HOST] = "host",
    [PROTOCOL] = "protocol",
    [STATUS] = "status",
    [BYTES] = "bytes",
    [FROM] = "from",
    [USER_AGENT] = "user_agent",
    [REQUEST_ID] = "request_id",
    [CONTAINER] = "container",
    [DURATION] = "duration",
    [REFERER] = "referer",
};

/* A value's end, where its quotes end or at the next space. */
static size_t value_length(struct bytes text)
{
    size_t i = 1;
    if (text.len == 0 || text.data[0] != '"') {
        const char *space = memchr(text.data, ' ', text.len);
        return space ? (size_t)(space - text.data) : text.len;
    }
    while (i < text.len && text.data[i] != '"')
        i += text.data[i] == '\\' ? 2 : 1;
    return i < text.len ? i + 1 : text.len;
}

/* The pairs of "a=b c="d e" ...", as they stand; words without "=" are passed over. The first of
 * several counts. */
static void read_pairs(struct bytes text, struct bytes values[KEYS])
{
    while (text.len > 0) {
        size_t name = 0;
        while (name < text.len && text.data[name] != '=' && text.data[name] != ' ')
            name++;
        size_t used = name < text.len ? name + 1 : name;
        if (used > name && text.data[name] == '=') {
            struct bytes value = { text.data + used, text.len - used };
            value.len = value_length(value);
            for (size_t i = 0; i < KEYS; i++) {
                if (!values[i].data && bytes_is((struct bytes){ text.data, name }, key_names[i]))
                    values[i] = value;
            }
            used += value.len;
        }
        text.data += used;
        text.len -= used;
    }
}

/* Without quotes and escapes; the text is in `scratch` where there were any. */
static struct bytes plain(struct bytes value, struct buf *scratch)
{
    if (value.len == 0 || value.data[0] != '"')
        return value.data ? value : (struct bytes){ "", 0 };
    bool closed = value.len > 1 && value.data[value.len - 1] == '"';
    value.data++;
    value.len -= closed ? 2 : 1;
    if (!memchr(value.data, '\\', value.len))
        return value;
    buf_reset(scratch);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '\\' && i + 1 < value.len) {
            c = value.data[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        buf_append_char(scratch, c);
    }
    return buf_bytes(scratch);
}

/* A whole number, or -1. */
static int64_t number(struct bytes text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i > 17)
            return -1;
        n = n * 10 + (text.data[i] - '0');
    }
    return text.len ? n : -1;
}

static void write_number(struct page *page, const char *key, struct bytes value)
{
    int64_t n = number(value);
    if (n >= 0)
        entry_int(page, key, n);
}

/* "0.118s", and "118ms" as Go writes short ones. */
static void write_duration(struct page *page, struct bytes value)
{
    char text[32];
    size_t len = 0;
    while (len < value.len && len < sizeof(text) - 1 &&
           ((value.data[len] >= '0' && value.data[len] <= '9') || value.data[len] == '.')) {
        text[len] = value.data[len];
        len++;
    }
    text[len] = '\0';
    struct bytes unit = { value.data + len, value.len - len };
    char *end = text;
    double seconds = strtod(text, &end);
    if (end == text || *end)
        return;
    if (bytes_is(unit, "ms"))
        entry_double(page, "scalingo.duration_s", seconds / 1000);
    else if (unit.len == 0 || bytes_is(unit, "s"))
        entry_double(page, "scalingo.duration_s", seconds);
}

static void write_path(struct page *page, struct bytes path)
{
    const char *mark = memchr(path.data, '?', path.len);
    size_t len = mark ? (size_t)(mark - path.data) : path.len;
    entry_string(page, "url.path", (struct bytes){ path.data, len });
    if (mark)
        entry_string(page, "url.query", (struct bytes){ mark + 1, path.len - len - 1 });
}

static void write_call(struct page *page, struct bytes text, struct buf *scratch)
{
    struct bytes v[KEYS] = { { NULL, 0 } };
    read_pairs(text, v);
    entry_string(page, "http.request.method", plain(v[METHOD], scratch));
    write_path(page, plain(v[PATH], scratch));
    entry_string(page, "server.address", plain(v[HOST], scratch));
    entry_string(page, "url.scheme", plain(v[PROTOCOL], scratch));
    write_number(page, "http.response.status_code", plain(v[STATUS], scratch));
    write_number(page, "http.response.body.size", plain(v[BYTES], scratch));
    entry_string(page, "client.address", plain(v[FROM], scratch));
    entry_string(page, "user_agent.original", plain(v[USER_AGENT], scratch));
    entry_string(page, "scalingo.request_id", plain(v[REQUEST_ID], scratch));
    entry_string(page, "scalingo.container", plain(v[CONTAINER], scratch));
    write_duration(page, plain(v[DURATION], scratch));
    struct bytes referer = plain(v[REFERER], scratch);
    if (!bytes_is(referer, "-"))
        entry_string(page, "scalingo.referer", referer);
}

void scalingo_line_write(const struct scalingo_line *line, struct page *page, struct buf *scratch)
{
    struct resource_value container = { "service.instance.id", line->container, false };
    uint32_t resource = page_resource(page, &container, 1);
    entry_begin(page, line->unix_ns);
    entry_body(page, line->text);
    entry_string(page, "scalingo.container.type", scalingo_type(line->container));
    if (bytes_is(line->container, "router"))
        write_call(page, line->text, scratch);
    entry_end(page, resource);
}
