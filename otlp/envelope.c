/* envelope.c -- what stands around the records of one resource and scope. */
#include "otlp.h"

#include <string.h>

static const struct otlp_text none = { "", 0 };

static void put_attributes(struct otlp_sink out, const struct otlp_attribute *attributes,
                           size_t count, struct otlp_text more)
{
    otlp_put_text(out, "\"attributes\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            otlp_put_text(out, ",");
        otlp_put_attribute(out, attributes[i].key, attributes[i].value);
    }
    if (count && more.len)
        otlp_put_text(out, ",");
    out.put(out.to, more.data, more.len);
    otlp_put_text(out, "]");
}

static void put_scope(struct otlp_sink out, const struct otlp_scope *scope)
{
    const char *comma = "";
    otlp_put_text(out, "\"scope\":{");
    if (scope->name && scope->name[0]) {
        otlp_put_text(out, "\"name\":");
        otlp_put_string(out, scope->name, strlen(scope->name));
        comma = ",";
    }
    if (scope->version && scope->version[0]) {
        otlp_put_text(out, comma);
        otlp_put_text(out, "\"version\":");
        otlp_put_string(out, scope->version, strlen(scope->version));
        comma = ",";
    }
    if (scope->attribute_count) {
        otlp_put_text(out, comma);
        put_attributes(out, scope->attributes, scope->attribute_count, none);
    }
    otlp_put_text(out, "}");
}

void otlp_put_resource_head(struct otlp_sink out, const struct otlp_attribute *resource,
                            size_t resource_count, struct otlp_text more,
                            const struct otlp_scope *scope)
{
    otlp_put_text(out, "{\"resource\":{");
    put_attributes(out, resource, resource_count, more);
    otlp_put_text(out, "},\"scopeLogs\":[{");
    put_scope(out, scope);
    otlp_put_text(out, ",\"logRecords\":[");
}

void otlp_put_head(struct otlp_sink out, const struct otlp_attribute *resource,
                   size_t resource_count, const struct otlp_scope *scope)
{
    otlp_put_text(out, OTLP_REQUEST_BEGIN);
    otlp_put_resource_head(out, resource, resource_count, none, scope);
}

void otlp_put_tail(struct otlp_sink out)
{
    otlp_put_text(out, OTLP_RESOURCE_END OTLP_REQUEST_END);
}
