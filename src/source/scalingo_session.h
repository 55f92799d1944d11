/* scalingo_session.h -- what is given for a while: an API token, the log host's URL, and URLs of
 * archives. All of them are credentials: held in memory alone, as the session's text.
 *
 * An archive's URL is good for an hour and the state may keep no credential, so that a cursor names
 * an archive by its times, and its URL comes from a listing in the session. */
#ifndef OTLPULL_SOURCE_SCALINGO_SESSION_H
#define OTLPULL_SOURCE_SCALINGO_SESSION_H

#include "scalingo_place.h"

struct bytes scalingo_session_token(struct bytes session); /* empty: none */
struct bytes scalingo_session_url(struct bytes session);

/* Read the answer to the exchange, or to the question for the URL, into the session. ERR_INPUT. */
int scalingo_session_add_token(struct bytes frame, struct buf *session, struct error *err);
int scalingo_session_add_url(struct bytes frame, struct buf *session, struct error *err);

/* One page of the archives' list, of which what a span needs is kept. */
struct scalingo_listing {
    struct scalingo_name head; /* the first */
    size_t wanted;             /* how many of them the span needs */
    bool more;                 /* there are more pages, and they may be of use */
};

/* Whether the session's listing is for this poll and complete. If not, `cursor` is of the page that
 * is missing; empty: the first. */
bool scalingo_session_listed(struct bytes session, const struct ask *ask,
                             const struct scalingo_place *place, struct bytes *cursor);

/* Read a page, and into `session` what is in it for this poll (NULL: only tell). ERR_INPUT. */
int scalingo_session_list(struct bytes frame, const struct ask *ask,
                          const struct scalingo_place *place, struct buf *session,
                          struct scalingo_listing *out, struct error *err);

/* The archive that comes next: the one before that which was read last, or that one again where a
 * part of it is missing. Which is before which the list's order says, not the archives' dates: they
 * may be of whole hours, and lines come late. False: there is none, or an earlier poll has read it
 * and those before it. */
bool scalingo_session_next(struct bytes session, const struct scalingo_place *place,
                           struct scalingo_name *name, struct bytes *url);

/* "Fri Mar 24 14:00:00 +0000 UTC 2017", or RFC 3339. */
bool scalingo_date(struct bytes text, int64_t *unix_ns);

#endif
