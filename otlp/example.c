/* example.c -- the library in one program: reads OTLP/JSON LogRecords, a JSON array of them or one
 * a line, from standard input, and writes one export request to standard output.
 *
 *   cc -std=c11 -O2 -I. otlp/example.c otlp/scan.c otlp/record.c otlp/text.c otlp/writer.c \
 *      otlp/envelope.c -o example */
#include "otlp/otlp.h"

#include <stdio.h>
#include <stdlib.h>

static void put(void *to, const char *data, size_t len)
{
    fwrite(data, 1, len, to);
}

/* All of a stream, to be freed; NULL where it cannot be had. */
static char *read_all(FILE *from, size_t *len)
{
    size_t room = 1 << 16;
    char *text = malloc(room);
    *len = 0;
    while (text) {
        *len += fread(text + *len, 1, room - *len, from);
        if (*len < room)
            break;
        char *larger = realloc(text, room *= 2);
        if (!larger)
            free(text);
        text = larger;
    }
    return text;
}

static void put_record(struct otlp_scan *s, struct otlp_sink out, size_t *count)
{
    struct otlp_record record;
    if (!otlp_scan_record(s, &record))
        return;
    if ((*count)++)
        otlp_put_text(out, ",");
    out.put(out.to, record.text, record.len); /* the very bytes that came in */
}

int main(void)
{
    static const struct otlp_attribute resource[] = { { "service.name", "example" } };
    static const struct otlp_scope scope = { .name = "example", .version = "1" };
    const struct otlp_sink out = { put, stdout };
    size_t len, count = 0;
    char *text = read_all(stdin, &len);
    if (!text)
        return 1;

    struct otlp_scan s;
    otlp_scan_init(&s, text, len);
    otlp_put_head(out, resource, 1, &scope);
    if (otlp_scan_peek(&s) == '[') {
        otlp_scan_enter_array(&s);
        while (otlp_scan_next_element(&s))
            put_record(&s, out, &count);
    } else {
        while (otlp_scan_peek(&s) == '{')
            put_record(&s, out, &count);
    }
    otlp_put_tail(out);

    bool good = otlp_scan_end(&s);
    if (!good)
        fprintf(stderr, "%s, at byte %zu\n", s.problem, otlp_scan_offset(&s));
    free(text);
    return good ? 0 : 1;
}
