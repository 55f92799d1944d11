#include "fly_entry.h"

#include <string.h>

#include "entry.h"
#include "pick.h"

enum {
    TIMESTAMP,
    MESSAGE,
    LEVEL,
    INSTANCE,
    REGION,
    ID,
    HOST,
    PROVIDER,
    METHOD,
    REQUEST_ID,
    VERSION,
    STATUS_CODE,
    URL,
    ERROR_CODE,
    ERROR_MESSAGE,
    ENTRY_FIELDS
};

/* An entry's fields as attributes of a page's element, by themselves, or as NATS has them; what
 * `meta` has, also at the top. */
#define OWN(name, field)                                                                           \
    { "attributes." name, field },                                                                 \
    {                                                                                              \
        name, field                                                                                \
    }
#define META(name, field)                                                                          \
    { "attributes.meta." name, field }, { "meta." name, field },                                   \
    {                                                                                              \
        name, field                                                                                \
    }

static const struct pick_path paths[] = {
    OWN("timestamp", TIMESTAMP),
    OWN("message", MESSAGE),
    OWN("level", LEVEL),
    { "log.level", LEVEL },
    OWN("instance", INSTANCE),
    { "fly.app.instance", INSTANCE },
    META("instance", INSTANCE),
    OWN("region", REGION),
    { "fly.region", REGION },
    META("region", REGION),
    { "id", ID },
    { "host", HOST },
    META("event.provider", PROVIDER),
    META("http.request.method", METHOD),
    META("http.request.id", REQUEST_ID),
    META("http.request.version", VERSION),
    META("http.response.status_code", STATUS_CODE),
    META("http.response.statuscode", STATUS_CODE),
    META("url.full", URL),
    META("error.code", ERROR_CODE),
    META("error.message", ERROR_MESSAGE),
    { NULL, 0 },
};

/* Seen, not promised: an id ends in the entry's time, behind its last dash. */
static int64_t time_of_id(struct otlp_text id)
{
    int64_t unix_ns = 0;
    const char *dash = id.len > 21 ? memrchr(id.data, '-', id.len) : NULL;
    if (!dash)
        return 0;
    struct otlp_text digits = { dash + 1, id.len - (size_t)(dash + 1 - id.data) - 1 };
    bool good = digits.len == 19 && digits.data[0] != '-' && pick_int(digits, &unix_ns);
    return good ? unix_ns : 0;
}

bool fly_entry_scan(struct otlp_scan *s, struct fly_glance *out)
{
    struct otlp_text found[ENTRY_FIELDS];
    *out = (struct fly_glance){ 0, false };
    if (!pick_members(s, paths, found, ENTRY_FIELDS))
        return false;
    out->is_entry = found[TIMESTAMP].len || found[MESSAGE].len || found[ID].len;
    if (!pick_time(found[TIMESTAMP], &out->unix_ns))
        out->unix_ns = time_of_id(found[ID]);
    return true;
}

/* The platform's own filters are not to be relied on, by its documentation. */
static bool is_wanted(const struct setting *setting, struct bytes value)
{
    return !setting->text || !setting->text[0] || value.len == 0 || bytes_is(value, setting->text);
}

static void write_number(struct page *out, const char *key, struct otlp_text value,
                         struct buf *room)
{
    int64_t number;
    if (value.len > 0 && value.data[0] != '"' && pick_int(value, &number))
        entry_int(out, key, number);
    else
        entry_string(out, key, pick_text(value, room));
}

static void write_attributes(const struct otlp_text *found, struct bytes problem, struct buf *room,
                             struct page *out)
{
    static const struct {
        const char *key;
        size_t field;
    } texts[] = {
        { "log.record.uid", ID },
        { "fly.event.provider", PROVIDER },
        { "http.request.method", METHOD },
        { "fly.request.id", REQUEST_ID },
        { "network.protocol.version", VERSION },
        { "url.full", URL },
    };
    int64_t status;
    for (size_t i = 0; i < COUNT(texts); i++)
        entry_string(out, texts[i].key, pick_text(found[texts[i].field], room));
    if (pick_int(found[STATUS_CODE], &status) && status > 0)
        entry_int(out, "http.response.status_code", status);
    write_number(out, "fly.error.code", found[ERROR_CODE], room);
    entry_string(out, "error.message", problem);
}

/* The text was read once already. */
void fly_entry_write(const struct stream *st, const struct edge_entry *entry, struct buf *room,
                     struct page *out)
{
    struct otlp_text found[ENTRY_FIELDS];
    struct otlp_scan s;
    otlp_scan_init(&s, entry->text.data, entry->text.len);
    pick_members(&s, paths, found, ENTRY_FIELDS);
    pick_room(room, entry->text.len);
    struct bytes region = pick_text(found[REGION], room);
    struct bytes instance = pick_text(found[INSTANCE], room);
    if (!is_wanted(&st->settings[FLY_REGION], region) ||
        !is_wanted(&st->settings[FLY_INSTANCE], instance))
        return;
    struct bytes message = pick_text(found[MESSAGE], room);
    struct bytes problem = pick_text(found[ERROR_MESSAGE], room);
    const struct resource_value values[] = {
        { "service.instance.id", instance, false },
        { "cloud.region", region, false },
        { "host.name", pick_text(found[HOST], room), false },
    };
    entry_begin(out, entry->unix_ns);
    entry_severity(out, pick_text(found[LEVEL], room));
    entry_body(out, message.len ? message : problem);
    write_attributes(found, problem, room, out);
    entry_end(out, page_resource(out, values, COUNT(values)));
}
