#include "entry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sink.h"

/* Its attributes in the page's `resources`: those that tell records apart up to `key_end`. */
struct page_resource {
    size_t begin, key_end, end;
};

/* One that is not among the latest is noted again: twice in the list is once in a batch. */
#define RESOURCES_SEARCHED 64

/* Where a written record stands in the page's text, and its resource. */
struct page_mark {
    size_t begin, end;
    uint32_t resource; /* 0: none of its own; else 1 + its index */
};

static void put_quoted(struct page *page, struct bytes text)
{
    otlp_put_string(sink_of(&page->text), text.data, text.len);
}

static struct page_mark *open_mark(struct page *page)
{
    return &page->marks[page->mark_count];
}

void entry_begin(struct page *page, int64_t unix_ns)
{
    if (page->mark_count == page->mark_capacity) {
        page->mark_capacity = page->mark_capacity ? 2 * page->mark_capacity : 64;
        page->marks = xreallocarray(page->marks, page->mark_capacity, sizeof(*page->marks));
    }
    *open_mark(page) = (struct page_mark){ .begin = page->text.len };
    buf_printf(&page->text, "{\"timeUnixNano\":\"%lld\"", (long long)(unix_ns > 0 ? unix_ns : 0));
}

void entry_severity(struct page *page, struct bytes word)
{
    int number = otlp_severity_of_text(word.data, word.len);
    if (number > 0)
        buf_printf(&page->text, ",\"severityNumber\":%d", number);
    if (word.len == 0)
        return;
    buf_append_text(&page->text, ",\"severityText\":");
    put_quoted(page, word);
}

void entry_body(struct page *page, struct bytes text)
{
    buf_append_text(&page->text, ",\"body\":{\"stringValue\":");
    put_quoted(page, text);
    buf_append_char(&page->text, '}');
}

bool entry_trace_id(struct page *page, struct bytes text)
{
    char id[32];
    size_t digits = 0;
    bool any = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '-')
            continue;
        if (digits == sizeof(id) || !strchr("0123456789abcdefABCDEF", c) || c == '\0')
            return false;
        any = any || c != '0';
        id[digits++] = c >= 'A' && c <= 'F' ? (char)(c | 32) : c;
    }
    if (digits != sizeof(id) || !any)
        return false;
    buf_printf(&page->text, ",\"traceId\":\"%.32s\"", id);
    return true;
}

/* Up to the value of one more attribute. */
static void begin_attribute(struct page *page, const char *key)
{
    bool first = !page->in_attributes;
    page->in_attributes = true;
    buf_append_text(&page->text, first ? ",\"attributes\":[{\"key\":" : ",{\"key\":");
    put_quoted(page, bytes_of(key));
    buf_append_text(&page->text, ",\"value\":");
}

void entry_string(struct page *page, const char *key, struct bytes value)
{
    if (value.len == 0)
        return;
    begin_attribute(page, key);
    buf_append_text(&page->text, "{\"stringValue\":");
    put_quoted(page, value);
    buf_append_text(&page->text, "}}");
}

void entry_int(struct page *page, const char *key, int64_t value)
{
    begin_attribute(page, key);
    buf_printf(&page->text, "{\"intValue\":\"%lld\"}}", (long long)value);
}

void entry_double(struct page *page, const char *key, double value)
{
    if (!isfinite(value))
        return;
    begin_attribute(page, key);
    buf_printf(&page->text, "{\"doubleValue\":%.17g}}", value);
}

void entry_bool(struct page *page, const char *key, bool value)
{
    begin_attribute(page, key);
    buf_printf(&page->text, "{\"boolValue\":%s}}", value ? "true" : "false");
}

void entry_end(struct page *page, uint32_t resource)
{
    buf_append_text(&page->text, page->in_attributes ? "]}" : "}");
    page->in_attributes = false;
    open_mark(page)->end = page->text.len;
    open_mark(page)->resource = resource;
    page->mark_count++;
}

/* Where a resource stands, by its number; 0: nowhere. */
static struct page_resource place_of(const struct page *page, uint32_t number)
{
    return number ? page->resource_list[number - 1] : (struct page_resource){ 0, 0, 0 };
}

static struct bytes text_between(const struct page *page, size_t begin, size_t end)
{
    return (struct bytes){ buf_bytes(&page->resources).data + begin, end - begin };
}

static struct page_resource write_resource(struct buf *text, const struct resource_value *list,
                                           size_t count)
{
    struct page_resource made = { text->len, text->len, text->len };
    for (size_t i = 0; i < count; i++) {
        if (list[i].value.len == 0)
            continue;
        buf_append_text(text, text->len > made.begin ? ",{\"key\":" : "{\"key\":");
        otlp_put_string(sink_of(text), list[i].key, strlen(list[i].key));
        buf_append_text(text, ",\"value\":{\"stringValue\":");
        otlp_put_string(sink_of(text), list[i].value.data, list[i].value.len);
        buf_append_text(text, "}}");
        if (!list[i].common)
            made.key_end = text->len;
    }
    made.end = text->len;
    return made;
}

uint32_t page_resource(struct page *page, const struct resource_value *list, size_t count)
{
    struct page_resource made = write_resource(&page->resources, list, count);
    struct bytes text = text_between(page, made.begin, made.end);
    uint32_t number = (uint32_t)page->resource_count;
    uint32_t oldest = number > RESOURCES_SEARCHED ? number - RESOURCES_SEARCHED : 0;
    if (text.len == 0)
        return 0;
    for (; number > oldest; number--) {
        struct page_resource known = place_of(page, number);
        if (bytes_equal(text, text_between(page, known.begin, known.end)))
            break;
    }
    if (number > oldest) {
        page->resources.len = made.begin;
        return number;
    }
    if (page->resource_count == page->resource_capacity) {
        page->resource_capacity = page->resource_capacity ? 2 * page->resource_capacity : 8;
        page->resource_list = xreallocarray(page->resource_list, page->resource_capacity,
                                            sizeof(*page->resource_list));
    }
    page->resource_list[page->resource_count++] = made;
    return (uint32_t)page->resource_count;
}

static struct page_resource resource_of(const struct page *page, size_t record)
{
    return place_of(page, record < page->mark_count ? page->marks[record].resource : 0);
}

struct bytes page_resource_of(const struct page *page, size_t record)
{
    struct page_resource at = resource_of(page, record);
    return text_between(page, at.begin, at.end);
}

struct bytes page_resource_key(const struct page *page, size_t record)
{
    struct page_resource at = resource_of(page, record);
    return text_between(page, at.begin, at.key_end);
}

int page_finish(struct page *page, struct error *err)
{
    if (page->text.full || page->resources.full)
        return error_set(err, ERR_INPUT, "records of more than %zu bytes", page->text.max);
    for (size_t i = 0; i < page->mark_count; i++) {
        const struct page_mark *mark = &page->marks[i];
        struct otlp_scan scan;
        struct otlp_record *record = page_add(page);
        if (!record)
            return error_set(err, ERR_INPUT, "more than %zu entries", i);
        otlp_scan_init(&scan, page->text.data + mark->begin, mark->end - mark->begin);
        if (!otlp_scan_record(&scan, record))
            return error_set(err, ERR_BUG, "a record that was written is none: %s", scan.problem);
    }
    return 0;
}
