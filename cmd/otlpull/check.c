/* check.c -- `otlpull check`: the configuration as it will be used. main.c has read it by then. */
#include "app.h"

#define OUTPUT_MAX ((size_t)64 << 20)

int check_command(struct app *app)
{
    struct buf text = BUF_INIT(OUTPUT_MAX);
    config_print(&app->config, &text);
    int code = app_print(app, &text);
    buf_release(&text);
    return code;
}
