/* answer.h -- AWS's answers, JSON or XML, read for the little that we need of them. Pure: untrusted
 * bytes in, text or nothing out. */
#ifndef OTLPULL_AWS_ANSWER_H
#define OTLPULL_AWS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* What a call is signed with. */
struct credentials {
    char *access_key, *secret_key, *session_token; /* owned; the token NULL where there is none */
    int64_t expires_unix_ns;                       /* TIME_FOREVER: never */
};

void credentials_release(struct credentials *c);

/* Whether they are printable ASCII without blanks, as may go into a header. */
bool credentials_printable(const struct credentials *c);

/* The name of an error, "ExpiredToken", of letters, digits and . _ - alone, cut to fit; "" where
 * the body tells none. */
void answer_code(struct bytes body, char *out, size_t out_bytes);

/* Append the error's own words for people; nothing where it has none. */
void answer_message(struct bytes body, struct buf *out);

/* Append the text of the first element of this name, its five entities read; false, with nothing
 * appended, where there is none. */
bool answer_element(struct bytes xml, const char *name, struct buf *out);

/* Credentials as the container endpoint and EC2 tell them (JSON), and STS (XML). -1 with ERR_INPUT,
 * and `out` empty: they are not there, or could not go into a header. */
int answer_credentials_json(struct bytes body, struct credentials *out, struct error *err);
int answer_credentials_xml(struct bytes body, struct credentials *out, struct error *err);

/* Append the value of a secret, SecretString or SecretBinary, or of a parameter. -1 with ERR_INPUT:
 * there is none. */
int answer_secret(struct bytes body, struct buf *out, struct error *err);
int answer_parameter(struct bytes body, struct buf *out, struct error *err);

#endif
