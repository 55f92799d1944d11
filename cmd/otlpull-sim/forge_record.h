/* forge_record.h -- a Forge log record: its text, and what of it must reach a collector. */
#ifndef OTLPULL_SIM_FORGE_RECORD_H
#define OTLPULL_SIM_FORGE_RECORD_H

#include "history.h"
#include "print.h"

void forge_record_render(const struct history *h, const struct entry *e, struct buf *out);
void forge_record_print(const struct history *h, const struct entry *e, struct print *p);

#endif
