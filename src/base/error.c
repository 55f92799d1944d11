#include "error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static void tidy(char *text, int wanted)
{
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    if (wanted >= ERROR_TEXT_BYTES)
        memcpy(text + ERROR_TEXT_BYTES - 4, "...", 4);
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    tidy(err->text, wanted);
    err->kind = kind;
    return -1;
}

int error_within(struct error *err, const char *format, ...)
{
    char front[ERROR_TEXT_BYTES];
    char behind[ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(front, sizeof(front), format, args);
    va_end(args);
    memcpy(behind, err->text, sizeof(behind));
    tidy(err->text, snprintf(err->text, sizeof(err->text), "%s: %s", front, behind));
    return -1;
}

int error_exit_code(enum error_kind kind)
{
    switch (kind) {
    case ERR_NONE:
    case ERR_DEADLINE:
    case ERR_STOPPED:
    case ERR_LOCKED:
        return 0;
    case ERR_USAGE:
        return 64;
    case ERR_CONFIG:
        return 78;
    case ERR_AUTH:
        return 77;
    case ERR_STATE:
        return 74;
    case ERR_STATE_CREATE:
        return 73;
    case ERR_COLLECTOR:
        return 69;
    case ERR_PLATFORM:
        return 75;
    case ERR_BUG:
    case ERR_RETRY:
    case ERR_INPUT:
        break;
    }
    return 70;
}

int error_worse_exit_code(int a, int b)
{
    static const int worst_first[] = { 78, 77, 74, 73, 70, 69, 75 };
    for (size_t i = 0; i < sizeof(worst_first) / sizeof(*worst_first); i++) {
        if (a == worst_first[i] || b == worst_first[i])
            return worst_first[i];
    }
    return a ? a : b;
}
