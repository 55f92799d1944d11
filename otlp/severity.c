/* severity.c -- the words that platforms write for a severity. */
#include "otlp.h"

#include <strings.h>

int otlp_severity_of_text(const char *text, size_t len)
{
    static const struct {
        const char *word;
        unsigned char len, number;
    } words[] = {
        /* the six that nearly every record has come first */
        { "info", 4, 9 },   { "error", 5, 17 },       { "debug", 5, 5 },     { "warn", 4, 13 },
        { "trace", 5, 1 },  { "fatal", 5, 21 },       { "warning", 7, 13 },  { "notice", 6, 9 },
        { "err", 3, 17 },   { "information", 11, 9 }, { "critical", 8, 21 }, { "crit", 4, 21 },
        { "alert", 5, 21 }, { "emerg", 5, 21 },       { "panic", 5, 21 },
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].len == len && strncasecmp(words[i].word, text, len) == 0)
            return words[i].number;
    }
    return 0;
}
